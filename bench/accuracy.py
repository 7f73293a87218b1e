"""What each network reaches beside a plain script, and the processor seconds that it takes.

    .venv/bin/python -m bench.accuracy --digits DATA --script PLAIN [--write docs/accuracy.md]

Each data set is divided into five folds, once by clip and once by group (the artists of the demo set, the speakers of
the digits), and everything is trained five times: on all but fold k with seed k - 1. So every clip is classified once,
by a network that didn't see it. All read the same manifest with its split. MusiCNN is trained on music alone, and what
no goal is about by group alone.

PLAIN is a script of librosa, Keras `fit` and MLflow's autologging that takes a manifest; of its configurations the one
with the kernel and the learning rate of `tracker run` is trained. DATA is ``<digit>/<digit>_<speaker>_<take>.wav``.

Seconds are of the whole command, user and system: imports, features, training, logging. A finished training is kept in
the file of --results, so that the bench goes on where it was stopped; --only trains some of them, such as
``demo-clip/cnn``.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.sections import write_section
from tracker.atomic_files import cache_folder
from tracker.data.demo import demo_dataset
from tracker.data.reading import read_dataset
from tracker.data.splits import divide
from tracker.runs import DataPlan, Fold, SplitPlan
from tracker.statistics import grouped_sign_flip, grouped_wilson, wilson
from tracker.statistics.grouped import sign_flip_interval
from tracker.statistics.proportions import group_codes, group_sums

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.data.dataset import Dataset

FOLDS = 5
PLAIN, DEFAULT = "plain", "cnn"
MODELS = {
    PLAIN: "plain script (k = 3, lr 1e-3)",
    DEFAULT: "`tracker run`, the default network",
    "linear": "`--model linear`",
    "crnn": "`--model crnn`",
    "resnet": "`--model resnet`",
    "musicnn": "`--model musicnn`",
}
OPTIONS = {
    DEFAULT: (),
    "linear": ("--model", "linear"),
    "crnn": ("--model", "crnn"),
    "resnet": ("--model", "resnet"),
    "musicnn": ("--model", "musicnn"),
}
DATA = {
    "demo-clip": "The demo set, divided by clip",
    "demo-group": "The demo set, divided by artist",
    "digits-clip": "Spoken digits, divided by clip",
    "digits-group": "Spoken digits, divided by speaker",
}
SEGMENT = {"demo": (), "digits": ("--segment", "1")}  # seconds: all but 6 of 720 recordings of a digit are shorter
LIKE_DEFAULT = {"kernel": 3, "lr": 1e-3, "plateau": (0.5, 15), "early_stop": 20}  # of the script's configurations


@dataclass(frozen=True)
class Training:
    """One training of the bench."""

    data: str  # of `DATA`
    model: str  # of `MODELS`
    fold: int

    @property
    def key(self) -> str:
        """What it is called in the file of results."""
        return f"{self.data}/{self.model}/{self.fold}"


@dataclass(frozen=True)
class Result:
    """What a training came to."""

    correct: dict[str, bool]  # of each validation clip
    seconds: float  # of the processor
    clock: float
    best: float | None = None  # the script's accuracy at its lowest validation loss; what it keeps is its last epoch


def trainings() -> Iterator[Training]:
    """Yield all of them, those that the goals are about first."""
    pairs = [(data, model) for data in DATA for model in (PLAIN, DEFAULT)]
    pairs += [(data, "musicnn") for data in ("demo-clip", "demo-group")]
    pairs += [(data, model) for data in ("demo-group", "digits-group") for model in ("linear", "crnn", "resnet")]
    for data, model in pairs:
        yield from (Training(data, model, fold) for fold in range(1, FOLDS + 1))


@cache
def dataset_of(data: str, digits: Path) -> Dataset:
    name, how = data.split("-")
    if name == "demo":
        dataset = demo_dataset(cache_folder(), None)
    else:
        dataset = read_dataset(digits, DataPlan(group_by=r"\d_(\w+)_\d+"))
    if how == "clip":
        return replace(dataset, clips=tuple(replace(clip, group=None) for clip in dataset.clips))
    return dataset


def write_manifest(training: Training, digits: Path, manifest: Path) -> None:
    split = divide(dataset_of(training.data, digits), SplitPlan(fold=Fold(training.fold, FOLDS)))
    with manifest.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["path", "label", "split"])
        for part, clips in (("train", split.training), ("validation", split.validation)):
            writer.writerows([os.path.relpath(clip.file, manifest.parent), clip.label, part] for clip in clips)


def train(training: Training, digits: Path, script: Path, folder: Path) -> Result:
    """Train in a process of its own, whose time is taken."""
    manifest, answer = folder / f"{training.key.replace('/', '-')}.csv", folder / "answer.json"
    write_manifest(training, digits, manifest)
    seed = str(training.fold - 1)
    if training.model == PLAIN:
        command = [sys.executable, "-m", "bench.accuracy", "--plain", str(manifest), seed, str(answer)]
        command += ["--script", str(script)]
    else:
        options = (*OPTIONS[training.model], *SEGMENT[training.data.split("-")[0]])
        store = f"sqlite:///{folder / 'mlflow.db'}"
        command = [sys.executable, "-m", "tracker", "run", "--data", str(manifest), "--seed", seed, *options]
        command += ["--experiment", training.data, "--tracking-uri", store]
    with tempfile.TemporaryDirectory() as empty:
        is_pretrained = "musicnn" in OPTIONS.get(training.model, ())
        caches = {} if is_pretrained else {"TRACKER_CACHE": empty}  # otherwise features would be timed only once
        started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        root = {"PYTHONPATH": str(Path(__file__).parents[1])}
        done = subprocess.run(
            command, cwd=folder, env=os.environ | caches | root, check=True, stdout=subprocess.PIPE, text=True
        )
        after, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - started
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if training.model == PLAIN:
        said = json.loads(answer.read_text())
        return Result(said["correct"], seconds, clock, said["best"])
    return Result(_outcome(done.stdout.split()[-1], training.data, store), seconds, clock)


def _outcome(run_id: str, experiment: str, store: str) -> dict[str, bool]:
    import tracker

    (run,) = tracker.load_runs(store, experiment=experiment, runs=[run_id])
    return dict(zip(run.validation.clips, run.validation.correct.tolist(), strict=True))


def run_plain(manifest: Path, seed: str, answer: Path, script: Path) -> None:
    """Run the script with one configuration, and keep which clips its network classifies correctly."""
    import keras

    sys.path.insert(0, str(script.parent))
    module = importlib.import_module(script.stem)
    module.WRITEUP = [LIKE_DEFAULT]
    evaluate, correct = keras.Model.evaluate, []

    def noting(model: keras.Model, *arguments: Any, **options: Any) -> Any:
        if "return_dict" not in options:  # otherwise it is Keras' own call after each epoch
            correct.extend((model.predict(arguments[0], verbose=0).argmax(axis=1) == arguments[1]).tolist())
        return evaluate(model, *arguments, **options)

    keras.Model.evaluate = noting
    printed = answer.with_suffix(".txt")
    sys.argv = [str(script), str(manifest), "--seed", seed, "--tracking-uri", f"sqlite:///{answer.parent / 'plain.db'}"]
    with printed.open("w") as sys.stdout:
        module.main()
    sys.stdout = sys.__stdout__
    (run,) = json.loads(printed.read_text().splitlines()[-1])["runs"]
    clips = [row["path"] for row in csv.DictReader(manifest.open()) if row["split"] == "validation"]
    best = min(run["curve"], key=lambda epoch: epoch[1])[2]
    answer.write_text(json.dumps({"correct": dict(zip(clips, correct, strict=True)), "best": best}))


def section(results: dict[str, Result], digits: Path) -> str:
    """Return the page."""
    wanted = [*trainings()]
    done = sum(training.key in results for training in wanted)
    parts = [_INTRODUCTION]
    if done < len(wanted):
        parts.append(
            f"**This page isn't complete**: {done} of {len(wanted)} trainings are done. A row that is missing, or of\n"
            "fewer trainings, waits for the others; each validates on a fifth of the clips. `make accuracy` goes on."
        )
    for data, title in DATA.items():
        rows = [_row(model, results, data, digits) for model in MODELS if _of(results, data, model)]
        if rows:
            head = "| what | trainings | correct | 95% interval | minus the plain script | processor s | clock s |"
            parts.append("\n".join([f"## {title}", "", head, "| --- " * 7 + "|", *rows]))
    return "\n\n".join(parts) + "\n"


def _of(results: dict[str, Result], data: str, model: str) -> dict[int, Result]:
    keys = {fold: Training(data, model, fold).key for fold in range(1, FOLDS + 1)}
    return {fold: results[key] for fold, key in keys.items() if key in results}


def _row(model: str, results: dict[str, Result], data: str, digits: Path) -> str:
    own, plain = _of(results, data, model), _of(results, data, PLAIN)
    groups = {Path(clip.file).name: clip.group for clip in dataset_of(data, digits).clips}
    correct = {Path(clip).name: value for result in own.values() for clip, value in result.correct.items()}
    values = np.array([*correct.values()])
    has_groups = all(groups.values())
    of_clips = [groups[clip] for clip in correct]
    low, high = grouped_wilson(values, of_clips) if has_groups else wilson(int(values.sum()), len(values))
    against = "" if model == PLAIN else _difference(correct, plain, groups if has_groups else None)
    seconds, clock = (np.median([getattr(result, name) for result in own.values()]) for name in ("seconds", "clock"))
    name = MODELS[model]
    if model == PLAIN:
        best = np.average([result.best for result in own.values()], weights=[len(r.correct) for r in own.values()])
        name += f"; at its lowest validation loss {best:.1%}"
    counted = f"{values.sum()}/{len(values)} = {values.mean():.1%}"
    return f"| {name} | {len(own)} | {counted} | {low:.1%} to {high:.1%} | {against} | {seconds:.0f} | {clock:.0f} |"


def _difference(correct: dict[str, bool], plain: dict[int, Result], groups: dict[str, str] | None) -> str:
    """Return the difference to the script on the clips that both have classified, with its interval."""
    other = {Path(clip).name: value for result in plain.values() for clip, value in result.correct.items()}
    shared = sorted(correct.keys() & other.keys())
    if not shared:
        return ""
    net = np.array([int(correct[clip]) - int(other[clip]) for clip in shared])
    codes = group_codes([groups[clip] if groups else clip for clip in shared], len(shared))
    by_group, sizes = (group_sums(a, codes).astype(np.int64) for a in (net.astype(float), np.ones(len(net))))
    low, high = sign_flip_interval(by_group, sizes, grouped_sign_flip(by_group))
    return f"{100 * net.mean():+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})".replace("-", "−")


_INTRODUCTION = """# Accuracy, and what it costs

Written by `python -m bench.accuracy --write docs/accuracy.md`. Each data set is divided into five folds, by clip and by
group; everything is trained five times, on all but fold *k* with seed *k* − 1 and otherwise its defaults (digits with
`--segment 1`, as they are shorter), so that every clip is classified once, by a network that didn't see it. All read
the same manifest. The plain script decodes and transforms with librosa in a loop, trains its three-block network on
whole clips with Keras' `fit` and logs with MLflow's autologging; its kernel and learning rate are those of `tracker
run`, and its early stopping is on. Its accuracy is that of its last epoch, which is what it prints and keeps; `tracker
run` keeps the epoch of the lowest validation loss, so the script's accuracy at that epoch stands beside it.

Intervals of accuracies are Wilson's, with groups as clusters; those of differences invert the sign-flip test over
groups or clips, as in the report. Seconds are the median of the trainings, on two cores that other work shared: compare
the processor's (user and system, of the whole command: imports, features, training, logging); the clock tells little.
The features of `musicnn`, and what its frozen part makes of each segment, are cached by the first training. With
`--fine-tune`, an epoch of the demo set takes minutes, so that isn't measured here."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", type=Path, default=Path("../shared/data/spoken_digits"))
    parser.add_argument("--script", type=Path, default=Path("../shared/bench/plain_script.py"))
    parser.add_argument("--results", type=Path, default=Path("build/accuracy.jsonl"))
    parser.add_argument("--only", nargs="*", default=[""], metavar="DATA/MODEL")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--plain", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.plain:
        manifest, seed, answer = arguments.plain
        run_plain(Path(manifest), seed, Path(answer), arguments.script)
    else:
        run_all(arguments)


def run_all(arguments: argparse.Namespace) -> None:
    results = _results(arguments.results)
    digits, script = arguments.digits.resolve(), arguments.script.resolve()
    with tempfile.TemporaryDirectory() as folder:
        for training in _wanted(results, arguments.only):
            result = train(training, digits, script, Path(folder))
            results[training.key] = result
            arguments.results.parent.mkdir(parents=True, exist_ok=True)
            with arguments.results.open("a") as out:
                out.write(json.dumps({"key": training.key, **vars(result)}) + "\n")
            share = np.mean([*result.correct.values()])
            print(f"{training.key}: {share:.3f} correct, {result.seconds:.0f} s of the processor", flush=True)
    page = section(results, digits)
    if arguments.write:
        write_section(arguments.write, page)
    else:
        print(page)


def _results(file: Path) -> dict[str, Result]:
    lines = map(json.loads, file.read_text().splitlines()) if file.exists() else ()
    return {line.pop("key"): Result(**line) for line in lines}


def _wanted(results: dict[str, Result], only: Sequence[str]) -> list[Training]:
    return [t for t in trainings() if t.key not in results and any(t.key.startswith(start) for start in only)]


if __name__ == "__main__":
    main()
