"""How much faster tracker is than a plain script: both train, extract and log the same, in turn, on two cores.

    python -m bench.speed [SCRIPT] [--only a b c d] [--seeds 5] [--epochs 16] [--data MANIFEST] [--write docs/speed.md]

The plain script is what a user would write instead: librosa in a loop, Keras' `fit`, MLflow's autologging. Measured are

- a: the time until the plain script's lowest validation loss, of one configuration under several seeds;
- b: the four configurations of the demo, without early stopping, as four commands and as one sweep;
- c: the features of a clip beside the loop over librosa;
- d: an epoch beside Keras' `fit` of the same network.

In a and b, data and split are the same, those of the demo set unless a manifest with a split is given, and so is the
number of epochs. Each command is a process of its own that is timed from its start to its end. Both read all audio:
tracker's cache is emptied before each training of a, and before the first command and the sweep of b. Times are on the
clock and on the processor (user and system, of all processes), which other work on the machine disturbs less; until a
loss is reached, the latter is in proportion to the clock. What is compared is measured in turn, and ratios are medians
of those of each turn.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SCRIPT = Path(__file__).parents[2] / "shared/bench/plain_script.py"
JOBS = 2
EPOCHS_IN_TURN, TURNS_OF_EPOCHS = 4, 2  # of part d
SPINNING = 0.3  # seconds, and more: how long threads of BLAS stay busy after their last work
PLAIN, TRACKER = "the plain script", "tracker"

Configuration = tuple[int, float, tuple[float, int] | None]  # kernel size, learning rate, plateau
Times = tuple[float, float]  # seconds on the clock and on the processor

CONFIGURATIONS: tuple[Configuration, ...] = (
    (7, 1e-4, (0.3, 10)),
    (7, 1e-4, None),
    (3, 1e-3, (0.5, 15)),
    (5, 1e-4, (0.1, 5)),
)
DEFAULT: Configuration = (3, 1e-3, None)  # tracker's, and nearly that of the plain script's best run

_PLAIN_CODE = """
import sys
sys.path.insert(0, {folder!r})
script = __import__({name!r})
script.WRITEUP = [dict(kernel=k, lr=rate, plateau=plateau, early_stop=None) for k, rate, plateau in {configurations!r}]
script.main()
"""
_EPOCH = re.compile(r"epoch \d+/\d+ .*val_loss ([\d.]+)  val_accuracy ([\d.]+)")


@dataclass(frozen=True)
class Spent:
    """What a command took, and its lines, each with the seconds from its start until it was printed."""

    clock: float
    processor: float
    lines: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Epoch:
    """The end of an epoch: seconds since the command's start, then its results."""

    clock: float
    loss: float  # of validation, as `accuracy`
    accuracy: float


@dataclass(frozen=True)
class Training:
    """A command and the epochs of a run that it trained."""

    spent: Spent
    epochs: tuple[Epoch, ...]

    @property
    def best(self) -> Epoch:
        """The epoch of the lowest validation loss."""
        return min(self.epochs, key=lambda epoch: epoch.loss)

    def reached(self, loss: float) -> tuple[float, Times]:
        """Return the number of the first epoch with so low a loss, and the seconds until its end."""
        for number, epoch in enumerate(self.epochs, start=1):
            if epoch.loss <= loss:
                return number, (epoch.clock, self.spent.processor * epoch.clock / self.spent.clock)
        return np.inf, (np.inf, np.inf)


@dataclass(frozen=True)
class Bench:
    """Where both train, and on what."""

    script: Path
    manifest: Path
    folder: Path

    def command(self, *words: object) -> Spent:
        """Run a command to its end."""
        environment = {**os.environ, "TRACKER_CACHE": str(self.folder / "cache")}
        command, began = [sys.executable, *map(str, words)], time.perf_counter()
        with subprocess.Popen(
            command, cwd=self.folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            lines = [(time.perf_counter() - began, line.rstrip()) for line in process.stdout or ()]
            _, status, used = os.wait4(process.pid, 0)  # also of the processes that it has waited for
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit("\n".join([f"failed: {' '.join(command)}", *(line for _, line in lines[-20:])]))
        return Spent(time.perf_counter() - began, used.ru_utime + used.ru_stime, tuple(lines))

    def plain(self, configurations: tuple[Configuration, ...], epochs: int, seed: int = 0) -> list[Training]:
        """Train configurations by the plain script, in one process.

        It says how long its epochs took, so their ends are counted from the command's; its last evaluation, some 0.3 s,
        is thereby taken for a part of what precedes. Of several, only the last one's are right.
        """
        code = _PLAIN_CODE.format(folder=str(self.script.parent), name=self.script.stem, configurations=configurations)
        counts = ("--epochs", epochs, "--runs", len(configurations), "--seed", seed)
        spent = self.command("-c", code, self.manifest, *counts)
        curves = [run["curve"] for run in json.loads(spent.lines[-1][1])["runs"]]
        starts = [spent.clock - curve[-1][0] for curve in curves]
        return [
            Training(spent, tuple(Epoch(start + end, loss, accuracy) for end, loss, accuracy in curve))
            for start, curve in zip(starts, curves, strict=True)
        ]

    def tracker(self, *words: object, is_cached: bool = False) -> Training:
        """Train by one of tracker's commands."""
        if not is_cached:
            shutil.rmtree(self.folder / "cache", ignore_errors=True)
        spent = self.command("-m", "tracker", *words)
        ends = [(end, match) for end, line in spent.lines if (match := _EPOCH.match(line))]
        return Training(spent, tuple(Epoch(end, float(match[1]), float(match[2])) for end, match in ends))


def write_demo(folder: Path) -> Path:
    """Make the demo set and return a manifest of it with tracker's own split."""
    from tracker.data.demo.files import demo_dataset
    from tracker.data.splits import divide, manifest_text
    from tracker.runs import SplitPlan

    dataset = demo_dataset(folder)
    manifest = dataset.clips[0].file.parents[1] / "split.csv"
    manifest.write_text(manifest_text(dataset, divide(dataset, SplitPlan()), SplitPlan()), encoding="utf-8")
    return manifest


def options_of(configuration: Configuration) -> dict[str, str]:
    kernel, rate, plateau = configuration
    return {"kernel": str(kernel), "lr": str(rate)} | ({"plateau": "{},{}".format(*plateau)} if plateau else {})


def words_of(configuration: Configuration) -> list[str]:
    return [*chain.from_iterable((f"--{name}", value) for name, value in options_of(configuration).items())]


COMPARED = ("clock", "ratio", "processor", "ratio")


def compared(measured: Mapping[str, Sequence[Times]], scale: float = 1, unit: str = "s") -> list[list[str]]:
    """Return a row for each way: its medians, and those of its ratios to the first way, turn by turn."""
    first = np.array(next(iter(measured.values())))
    rows = []
    for name, times in measured.items():
        medians, ratios = np.median(times, axis=0), np.median(np.array(times) / first, axis=0)
        texts = [
            (f"{three_digits(scale * median)}\u00a0{unit}", f"{ratio:.2f}")
            for median, ratio in zip(medians, ratios, strict=True)
        ]
        rows.append([name, *chain.from_iterable(texts)])
    return rows


def three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def time_to_loss(bench: Bench, asked: argparse.Namespace) -> str:
    trained: dict[str, list[Training]] = {PLAIN: [], TRACKER: []}
    for seed in range(asked.seeds):
        trained[PLAIN] += bench.plain((DEFAULT,), asked.epochs, seed)
        words = ("--data", bench.manifest, *words_of(DEFAULT), "--epochs", asked.epochs, "--seed", seed)
        trained[TRACKER].append(bench.tracker("run", *words))
    losses = [training.best.loss for training in trained[PLAIN]]
    reached = {
        name: [training.reached(loss) for training, loss in zip(some, losses, strict=True)]
        for name, some in trained.items()
    }
    rows = compared({name: [times for _, times in some] for name, some in reached.items()})
    for row, name in zip(rows, trained, strict=True):
        best = [training.best for training in trained[name]]
        row += [
            f"{statistics.median(epoch for epoch, _ in reached[name]):.0f}",
            f"{statistics.median(epoch.loss for epoch in best):.3f}",
            f"{statistics.median(epoch.accuracy for epoch in best):.1%}",
        ]
    title = f"to the plain script's lowest loss in {asked.epochs} epochs, {asked.seeds} seeds"
    return table((title, *COMPARED, "epochs", "own lowest loss", "its accuracy"), rows)


def four_configurations(bench: Bench, asked: argparse.Namespace) -> str:
    plain = bench.plain(CONFIGURATIONS, asked.epochs)
    data, epochs = ("--data", bench.manifest), ("--epochs", asked.epochs)
    commands = [
        bench.tracker("run", *words_of(one), *epochs, *data, is_cached=number > 0)
        for number, one in enumerate(CONFIGURATIONS)
    ]
    plan = bench.folder / "four.toml"
    settings = [{name: json.dumps(text) for name, text in options_of(one).items()} for one in CONFIGURATIONS]
    texts = ["\n".join(f"{name} = {value}" for name, value in one.items()) for one in settings]
    tables = [f"[base]\nepochs = {asked.epochs}", *(f"[[configurations]]\n{text}" for text in texts)]
    plan.write_text("\n\n".join(tables), encoding="utf-8")
    sweep = bench.tracker("sweep", plan.name, *data, "--jobs", JOBS, "--yes", "--experiment", "sweep")
    rows = compared(
        {
            PLAIN: [(plain[0].spent.clock, plain[0].spent.processor)],
            f"{TRACKER}, four commands": [
                (sum(one.spent.clock for one in commands), sum(one.spent.processor for one in commands))
            ],
            f"{TRACKER}, one sweep, {JOBS} runs at once": [(sweep.spent.clock, sweep.spent.processor)],
        }
    )
    for row, trainings in zip(rows, (plain, commands, ()), strict=True):
        row.append(", ".join(f"{training.best.accuracy:.1%}" for training in trainings) or "the same")
    return table((f"four configurations, {asked.epochs} epochs each", *COMPARED, "accuracies"), rows)


def in_turn(ways: Mapping[str, Callable[[], Times]], turns: int) -> dict[str, list[Times]]:
    """Return what each way took in each turn."""
    measured = [{name: way() for name, way in ways.items()} for _ in range(turns)]
    return {name: [turn[name] for turn in measured] for name in ways}


def time_of(work: Callable[[], object], count: int) -> Times:
    """Return the seconds of a piece of work for each of so many, once threads of the work before have come to rest."""
    time.sleep(SPINNING)
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - clock) / count, (time.process_time() - processor) / count


def features(bench: Bench, asked: argparse.Namespace) -> str:
    from threadpoolctl import threadpool_limits

    from bench.features import SR, by_librosa, make_clips
    from tracker.features.decode import read_audio
    from tracker.features.extract import extract, log_mel
    from tracker.runs import Spectrogram

    settings, rows = Spectrogram(), []

    def on_one_core(files: list[tuple[Path, str]]) -> None:
        with threadpool_limits(1, "blas"):
            by_librosa(files)

    def extracted(files: list[tuple[Path, str]]) -> None:
        with tempfile.TemporaryDirectory(dir=bench.folder) as cache:
            extract(files, settings, Path(cache))

    for form in ("wav", "mp3"):
        with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
            files = make_clips(Path(folder), asked.clips, form)
            works = {
                "a loop over librosa": partial(by_librosa, files),
                "the same, BLAS in one thread": partial(on_one_core, files),
                "tracker, one thread": lambda files=files: [
                    log_mel(read_audio(file, SR), settings) for file, _ in files
                ],
                "tracker, into its cache": partial(extracted, files),
            }
            for work in works.values():
                work()  # loads what it needs
            ways = {f"{form}, {name}": partial(time_of, work, len(files)) for name, work in works.items()}
            rows += compared(in_turn(ways, asked.turns), 1e3, "ms")
    return table(("features of a clip of 30\u00a0s", *COMPARED), rows)


def epochs(bench: Bench, _: argparse.Namespace) -> str:
    from bench.epochs import CLASSES, OPTIONS, make_part, plain_fit, tracker_fit
    from tracker import runs
    from tracker.training.batches import TrainingData

    data, rows = TrainingData(make_part(120, 0), make_part(30, 1), CLASSES), []

    def checkpointed(plan: runs.RunPlan) -> np.ndarray:
        with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
            return tracker_fit(plan, data, Path(folder))[0]

    def median(train: Callable[[], np.ndarray]) -> Times:
        clock, processor = np.median(train()[1:], axis=0)  # the first epoch waits for the steps to be traced
        return float(clock), float(processor)

    for kernel in (3, 7):
        plan = runs.RunPlan(runs.Configuration(kernel_size=kernel, epochs=EPOCHS_IN_TURN, options=OPTIONS))
        trainings = {
            "Keras' fit": partial(plain_fit, plan, data),
            "Keras' fit with fused normalization": partial(plain_fit, plan, data, is_fused=True),
            "tracker": lambda plan=plan: tracker_fit(plan, data, None)[0],
            "tracker with checkpoints": partial(checkpointed, plan),
        }
        ways = {f"{kernel}×{kernel}, {name}": partial(median, train) for name, train in trainings.items()}
        rows += compared(in_turn(ways, TURNS_OF_EPOCHS))
    return table(("an epoch of 480 segments", *COMPARED), rows)


PARTS = {"a": time_to_loss, "b": four_configurations, "c": features, "d": epochs}


def with_table(page: str, part: str, text: str) -> str:
    """Return a page with a part's table in its place: between two comments, or at the end."""
    begin, end = f"<!-- bench/speed.py {part} -->", f"<!-- end of {part} -->"
    block = f"{begin}\n\n{text}\n\n{end}"
    before, found, rest = page.partition(begin)
    if not found:
        return f"{page.rstrip()}\n\n{block}\n".lstrip()
    return before + block + rest.partition(end)[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("script", nargs="?", type=Path, default=SCRIPT, help=f"the plain script; default: {SCRIPT}")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS])
    parser.add_argument("--seeds", type=int, default=5, help="of part a; default: 5")
    parser.add_argument("--epochs", type=int, default=16, help="of each training in a and b; default: 16")
    parser.add_argument("--data", type=Path, help="a manifest with path, label and split; default: the demo set")
    parser.add_argument("--clips", type=int, default=20, help="of part c; default: 20")
    parser.add_argument("--turns", type=int, default=5, help="of part c; default: 5")
    parser.add_argument("--write", type=Path, help="the page whose tables are replaced; default: only print them")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        needs_commands = {"a", "b"} & {*asked.only}
        if needs_commands and not asked.script.is_file():
            sys.exit(f"{asked.script} is not there; name the plain script, or give --only c d")
        manifest = asked.data.resolve() if asked.data else write_demo(folder / "data") if needs_commands else folder
        bench = Bench(asked.script.resolve(), manifest, folder)
        if needs_commands:  # makes both stores, and has the libraries read from disk
            bench.plain((DEFAULT,), 1)
            bench.tracker("run", "--data", manifest, "--epochs", 1)
        for part in asked.only:
            text = PARTS[part](bench, asked)
            print(f"{text}\n", flush=True)
            if asked.write:
                page = asked.write.read_text(encoding="utf-8") if asked.write.exists() else ""
                asked.write.write_text(with_table(page, part, text), encoding="utf-8")


if __name__ == "__main__":
    main()
