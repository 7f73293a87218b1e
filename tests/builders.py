"""What tests are about: predictions, runs, studies, the writeup's four runs, journals, other people's text.

Every builder takes what a test is about and fills in the rest, the same each time. Which clips a run has correct is
written as a string of signs, one a clip: ``"1101"``.
"""

from __future__ import annotations

import math
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import soundfile

from tests.lazy import Lazy
from tracker.conclusions import conclude, with_sentence
from tracker.next_steps.command_line import CommandWriter
from tracker.next_steps.steps import NextStep, in_one_list, next_steps, with_commands
from tracker.report import RunEntry
from tracker.runs import Curve, EpochPredictions, Predictions, Run, UsedDataset
from tracker.runs.events import Attached, DatasetUsed, Ended, EpochDone, Measured, Started, Tagged
from tracker.store import DATASET, VALIDATION, VALIDATION_BY_EPOCH, epoch_predictions_npz, predictions_csv
from tracker.study.metrics import Metric, primary_metric
from tracker.study.options import terms_of
from tracker.study.run_results import run_results
from tracker.study.study import Study, study_of
from tracker.wording import wording_of

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

    from tracker.conclusions.conclusion import Conclusion
    from tracker.runs.events import Event
    from tracker.store.location import Location

JournalUpload = Lazy("tracker.store.upload", "JournalUpload")

ACCURACY = Metric("val_accuracy")

MakeRun = Callable[..., Run]
MakeRuns = Callable[[Mapping[str, Sequence[str]]], list[Run]]
MakeStudy = Callable[..., Study]
Params = Sequence[dict[str, str]]
Grid = Callable[[str, str, str], list[dict[str, str]]]

# ---- predictions and runs ----


def make_predictions(
    correct: str,
    clips: Sequence[str] | str = "clip{:04d}",
    *,
    classes: Sequence[str] = ("a", "b"),
    labels: Sequence[str] | None = None,
    probability: float | tuple[float, float] = 0.9,
    fading: float = 0.0,
) -> Predictions:
    """Predictions on clips, correct where the sign is ``1``, wrong at ``0``, and no numbers at ``x``.

    Parameters
    ----------
    correct : str
        A sign a clip.
    clips : sequence of str or str
        Their names, or what makes a name of a number.
    labels : sequence of str, optional
        By default the classes by turns.
    probability : float or pair of floats
        Of the predicted class where it is correct, and where it is not; the other classes share the rest.
    fading : float
        How much less each clip's predicted class gets than the one before.
    """
    n = len(correct)
    names = [clips.format(i) for i in range(n)] if isinstance(clips, str) else clips
    truth = [i % len(classes) for i in range(n)] if labels is None else [classes.index(label) for label in labels]
    of_correct, of_wrong = probability if isinstance(probability, tuple) else (probability, probability)
    rows = np.empty((n, len(classes)))
    for i, sign in enumerate(correct):
        own = (of_correct if sign == "1" else of_wrong) - fading * i
        rows[i] = round((1 - own) / max(1, len(classes) - 1), 12)
        rows[i, (truth[i] + (sign != "1")) % len(classes)] = own if sign != "x" else math.nan
    rows[[sign == "x" for sign in correct]] = math.nan
    return Predictions(tuple(names), tuple(classes[own] for own in truth), tuple(classes), rows)


def make_curve(values: Sequence[float], first: int = 1) -> Curve:
    return Curve(np.arange(first, first + len(values)), np.array(values, dtype=float))


def make_run(
    number: int,
    correct: str | None = None,
    params: Mapping[str, str] | None = None,
    *,
    seed: str | None = "0",
    prefix: str = "clip",
    groups: Sequence[str] | None = None,
    tags: Mapping[str, str] | None = None,
    metrics: Mapping[str, float] | None = None,
    by_epoch: Sequence[str] | None = None,
    status: str = "FINISHED",
    **curves: Sequence[float],
) -> Run:
    """A run on clips of class ``a``: ``make_run(1, "1101", {"kernel_size": "3"}, val_loss=[0.9, 0.7])``."""
    clips = [f"{prefix}{i:04d}" for i in range(len(correct or ""))]

    def predictions(signs: str) -> Predictions:
        return make_predictions(signs, clips, labels=("a",) * len(signs), probability=(0.9, 0.8))

    all_tags = {"tracker.dataset": "data", "tracker.split": "split"} | dict(tags or {})
    at_epoch = np.array([predictions(signs).probabilities for signs in by_epoch or ()], dtype=np.float32)
    return Run(
        run_id=f"{number:032x}",
        name=f"run-{number}",
        status=status,
        params=({} if seed is None else {"seed": seed}) | dict(params or {}),
        tags={name: value for name, value in all_tags.items() if value},
        metrics=metrics or {},
        curves={name: make_curve(values) for name, values in curves.items()},
        validation=predictions(correct) if correct else None,
        validation_by_epoch=EpochPredictions(tuple(clips), ("a",) * len(clips), ("a", "b"), at_epoch)
        if by_epoch
        else None,
        groups=dict(zip(clips, groups, strict=True)) if groups else {},
        started=number,
    )


def runs_by_kernel(correct: Mapping[str, Sequence[str]]) -> list[Run]:
    """Runs of several kernels under the same seeds, from what each seed has correct: ``{"3": ["110", "100"]}``."""
    return [
        make_run(len(correct) * seed + position, signs, {"kernel_size": kernel}, seed=str(seed))
        for position, (kernel, each) in enumerate(correct.items())
        for seed, signs in enumerate(each)
    ]


def runs_on_sets(correct: Mapping[str, Sequence[str]], params: Callable[[int], dict[str, str]]) -> list[Run]:
    """Runs of several kernels, each on several clip sets and trained on eight clips; `params` by the set's number."""
    return [
        make_run(
            10 * int(kernel) + position,
            signs,
            {"kernel_size": kernel} | params(position),
            prefix=f"set{position}-",
            tags={"tracker.split": f"set{position}", "tracker.training_clips": "8"},
        )
        for kernel, each in correct.items()
        for position, signs in enumerate(each)
    ]


def diverged_run() -> Run:
    """A run with ``--keep-going`` and ``--keep last``, as its journal has it: its loss is NaN after epoch 4.

    Its weights are those of epoch 4, the last whose validation loss is a number, and so are its predictions.
    """
    return make_run(
        1,
        "1110",
        {"keep": "last", "epochs": "7"},
        by_epoch=["1000", "1100", "1111", "1110", "xxxx", "xxxx", "xxxx"],
        tags={"tracker.training_clips": "12", "tracker.validation_clips": "4"},
        metrics={
            "best_epoch": 3.0, "best_val_loss": 0.5, "best_val_accuracy": 1.0, "last_val_loss": math.nan,
            "last_val_accuracy": math.nan, "stop_epoch": 7.0, "fit_loss": 0.3, "fit_accuracy": 1.0,
        },
        loss=[1.0, 0.8, 0.6, 0.5, math.nan, math.nan, math.nan],
        val_loss=[0.9, 0.6, 0.5, 0.7, math.nan, math.nan, math.nan],
        val_accuracy=[0.25, 0.5, 1.0, 0.75, math.nan, math.nan, math.nan],
        epoch_seconds=[2.0] * 7,
    )  # fmt: skip


def make_study(*runs: Run, metric: str | None = None, alpha: float = 0.05, margin: float = 0.05) -> Study:
    return study_of(runs, primary_metric(runs, metric), alpha=alpha, margin=margin)


def concluded(study: Study, experiment: str = "tracker") -> tuple[tuple[Conclusion, ...], tuple[NextStep, ...]]:
    """Conclude from a study as the report does: conclusions with commands and sentences, and the next steps."""
    writer = CommandWriter(experiment)
    wording, settled = wording_of(study), with_commands(study, conclude(study), writer)
    conclusions = tuple(with_sentence(conclusion, wording) for conclusion in settled)
    return conclusions, in_one_list([next_steps(study, conclusions, writer)])


def sentences_of(study: Study, kind: str) -> list[str]:
    """Return the sentences of a kind of conclusion as the report has them."""
    return [conclusion.sentence for conclusion in concluded(study)[0] if conclusion.kind == kind]


def sentence_of(study: Study, kind: str) -> str:
    """Return the only sentence of a kind."""
    (sentence,) = sentences_of(study, kind)
    return sentence


def grid(kernels: str, rates: str, seeds: str) -> list[dict[str, str]]:
    """Params of a run for each kernel, learning rate and seed: ``grid("37", "0.1 0.01", "012")``."""
    return [{"kernel_size": k, "learning_rate": r, "seed": s} for k in kernels for r in rates.split() for s in seeds]


# ---- the writeup's four runs ----


@dataclass(frozen=True)
class Written:
    """A run as the writeup has it; accuracies in float32, as Keras logged them."""

    title: str
    params: dict[str, str]
    val_loss: float
    correct: int
    best_epoch: int
    stop_epoch: int
    drops: tuple[int, ...] = ()
    """Epochs at whose beginning the learning rate drops."""

    @property
    def val_accuracy(self) -> float:
        return float(np.float32(self.correct / WRITEUP_CLIPS))

    @property
    def levels(self) -> tuple[tuple[str, str], ...]:
        """The level of each option that the writeup varies, as the report has it."""
        plateau = f"{self.params['plateau_factor']}x{self.params['plateau_patience']}" if self.drops else "off"
        patience = self.params.get("early_stopping_patience", "off")
        levels = (self.params["kernel_size"], self.params["learning_rate"], plateau, patience)
        return tuple(zip(("kernel_size", "learning_rate", "plateau", "early_stopping_patience"), levels, strict=True))


def _params(kernel: str, rate: str, *rest: str) -> dict[str, str]:
    names = ("plateau_factor", "plateau_patience", "early_stopping_patience")
    return {"kernel_size": kernel, "learning_rate": rate} | dict(zip(names, rest, strict=False))


WRITEUP_CLIPS = 30
WRITEUP = (
    Written(
        "Conv=7, lr=0.0001, ReduceLROnPlateau(factor=0.3, patience=10), EarlyStopping(patience=15)",
        _params("7", "0.0001", "0.3", "10", "15"), 0.40432727336883545, 25, 41, 56, (52,),
    ),
    Written("Conv=7, lr=0.0001", _params("7", "0.0001"), 0.45307597517967224, 25, 31, 60),
    Written(
        "Conv=3, lr=0.001, ReduceLROnPlateau(factor=0.5, patience=15), EarlyStopping(patience=20)",
        _params("3", "0.001", "0.5", "15", "20"), 0.37062695622444153, 26, 24, 44, (40,),
    ),
    Written(
        "Conv=5, lr=0.0001, ReduceLROnPlateau(factor=0.1, patience=5), EarlyStopping(patience=10)",
        _params("5", "0.0001", "0.1", "5", "10"), 0.45689231157302856, 24, 37, 47, (22, 43),
    ),
)  # fmt: skip
WRITEUP_TITLES = [run.title for run in WRITEUP]
WRITEUP_PARAMS = tuple(run.params | {"seed": "0"} for run in WRITEUP)


def writeup_runs(tags: Mapping[str, str] | None = None) -> list[Run]:
    """The writeup's runs as its author could have logged them: params, accuracy, loss, nothing by clip."""
    usual = {"tracker.dataset": "d", "tracker.split": "s", "tracker.validation_clips": str(WRITEUP_CLIPS)}
    return [
        Run(
            run_id=f"{number:032x}",
            name=f"run-{number}",
            status="FINISHED",
            params=written.params | {"seed": "0"},
            tags=usual if tags is None else dict(tags),
            metrics={"best_val_accuracy": written.val_accuracy, "best_val_loss": written.val_loss},
            curves={},
            started=number,
        )
        for number, written in enumerate(WRITEUP, start=1)
    ]


def entries_of(runs: Sequence[Run], *, title: str = "", metric: Metric = ACCURACY) -> tuple[RunEntry, ...]:
    """Runs as a report has them: translated together, so that those on the same clips share them."""
    return tuple(RunEntry(result, title, terms_of(result.run.params), ()) for result in run_results(runs, metric))


def changed(entry: RunEntry, **changes: Any) -> RunEntry:
    """A run of a report with another title or other levels, or with other values in its result."""
    own = {name: changes.pop(name) for name in ("title", "levels") if name in changes}
    return replace(entry, result=replace(entry.result, **changes), **own)


def writeup_entries(runs: Sequence[Run]) -> tuple[RunEntry, ...]:
    """Four runs in the report as those of the writeup, whatever they logged."""
    return tuple(
        changed(
            entry,
            title=written.title,
            levels=written.levels,
            clip_set=entry.result.clip_set if entry.result.n else replace(entry.result.clip_set, n=WRITEUP_CLIPS),
            best_epoch=written.best_epoch,
            stop_epoch=written.stop_epoch,
            val_loss=written.val_loss,
            val_accuracy=written.val_accuracy,
            correct=written.correct,
            score=written.correct / WRITEUP_CLIPS,
            seconds=1.4 * written.stop_epoch,
        )
        for entry, written in zip(entries_of(runs), WRITEUP, strict=True)
    )


# ---- journals and what is sent of them ----

CLASSES = ("blues", "jazz", "rock")
START = 1_700_000_000_000
MANIFEST = "path,label,group,split,fold\nblues/000.wav,blues,artist 1,validation,\nx,jazz,artist 2,train,\n"
STARTED = Started(
    time=START,
    uri="sqlite:///mlflow.db",
    experiment="tracker",
    name="a run",
    metric="val_accuracy",
    params={"kernel_size": "7", "learning_rate": "0.0001"},
    tags={"tracker.data": "demo"},
    datasets=tuple(DatasetUsed("demo", "f" * 64, "demo", of, CLASSES, 4) for of in ("training", "validation")),
)


def epochs(*losses: float, first: int = 1, start: int = START) -> list[EpochDone]:
    """Epochs that took a second each."""
    return [
        EpochDone(start + 1_000 * n, n, {"loss": loss / 2, "val_loss": loss}) for n, loss in enumerate(losses, first)
    ]


def same_curves(some: dict[str, Curve], others: dict[str, Curve]) -> bool:
    return some.keys() == others.keys() and all(
        np.array_equal(some[key].steps, others[key].steps)
        and np.array_equal(some[key].values, others[key].values, equal_nan=True)
        for key in some
    )


def send_run(
    location: Location, *events: Event, started: Started = STARTED, files: Mapping[str, bytes] | None = None
) -> str:
    """Log a run that nobody trained as `tracker run` does: send a journal, its files first; return the run's id."""
    attached = files or {}
    with TemporaryDirectory() as folder:
        _write(Path(folder), attached)
        sender = JournalUpload(location, uuid4().hex, None, lambda _delivery: None)
        return sender.send([started, *(Attached(path) for path in attached), *events], Path(folder)).run_id


def copy_store(source: Path, target: Path) -> None:
    """Copy a folder's store as if its runs had been logged in the other folder, which takes a tenth of the time."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    with closing(sqlite3.connect(target / "mlflow.db")) as store:
        location = "artifact_location"
        for table, place in (("experiments", location), ("runs", "artifact_uri"), ("logged_models", location)):
            moved = f"UPDATE {table} SET {place} = replace({place}, ?, ?)"  # noqa: S608
            store.execute(moved, (source.as_uri(), target.as_uri()))
        store.commit()


USED = (UsedDataset("the wide", "b34fac93", "eval", 150), UsedDataset("all", "2", "train"))


def mlflow_inputs() -> list[DatasetInput]:
    """Return the datasets of `USED` as MLflow's autologging would log them, one with a long and deep schema."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    profile = '{"features_shape": [150, 64], "features_size": 9600, "targets_shape": [150], "targets_nbytes": 1200}'
    schema = str([{"type": "double", "name": f"column {i}"} for i in range(900)])
    evaluated = Dataset("the wide", "b34fac93", "code", "{}", schema=schema, profile=profile)
    trained = Dataset("all", "2", "code", "{}", profile="no JSON")
    of_context = ((evaluated, "eval"), (trained, "train"))
    return [DatasetInput(dataset, [InputTag("mlflow.data.context", context)]) for dataset, context in of_context]


def random_predictions(n: int = 4, seed: int = 0) -> Predictions:
    """What a network might predict for `n` clips, in float32 as a network does, in the order of their names."""
    rng = np.random.default_rng(seed)
    labels = tuple(CLASSES[i % len(CLASSES)] for i in range(n))
    clips = tuple(f"{label}/{i:03}.wav" for i, label in enumerate(labels))
    order = sorted(range(n), key=clips.__getitem__)
    rows = rng.dirichlet(np.ones(len(CLASSES)), n).astype(np.float32).astype(np.float64)
    return Predictions(tuple(clips[i] for i in order), tuple(labels[i] for i in order), CLASSES, rows)


def random_epoch_predictions(epochs: int = 3, n: int = 4) -> EpochPredictions:
    """What a network might predict for `n` clips after each epoch."""
    each = [random_predictions(n, seed) for seed in range(epochs)]
    stacked = np.stack([one.probabilities for one in each]).astype(np.float32)
    return EpochPredictions(each[0].clips, each[0].labels, CLASSES, stacked)


def whole_journal(artifacts: Path) -> list[Event]:
    """The journal of a finished run, with its files in a folder beside it."""
    _write(
        artifacts,
        {
            VALIDATION: predictions_csv(random_predictions()).encode(),
            VALIDATION_BY_EPOCH: epoch_predictions_npz(random_epoch_predictions()),
            DATASET: MANIFEST.encode(),
            "model/MLmodel": b"flavors: {}\n",
            "model/data/model.keras": b"\x00\xff",
        },
    )
    return [
        STARTED,
        Attached(DATASET),
        *epochs(1.0, 0.5, float("nan")),
        Measured(START + 4_000, {"best_epoch": 2, "best_val_loss": 0.5}),
        Attached(VALIDATION),
        Attached(VALIDATION_BY_EPOCH),
        Tagged({"tracker.note": "what came out"}),
        Attached("model"),
        Ended(START + 5_000, "FINISHED"),
    ]


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


# ---- audio ----

SR = 8_000


def write_tone(file: Path, hertz: float, seconds: float = 1.0, seed: int = 0) -> None:
    """Write a tone with a little noise: two of different pitch are two classes that a network can tell apart.

    The noise is of the pitch, too, as clips with the same noise would count as one recording.
    """
    time = np.arange(int(SR * seconds)) / SR
    noise = np.random.default_rng([seed, round(hertz)]).normal(0, 0.01, len(time))
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * hertz * time) + noise, SR)


# ---- other people's text ----

HOSTILE = (
    "<script>alert(1)</script>", "a|b", "x\ny", "`` ` ``", "![p](http://evil/p.png)", "[l](javascript:alert(1))",
    "@octocat", "#12", "\x1b[31mred\x1b[0m", "\u202eexe.wav", "$x^2$", "</code></td></tr>", "&lt;b&gt;", "--- | ---",
    "\\", "*a* _b_ ~~c~~", "1. one", "# heading", "<!-- x", "{{ 7 * 7 }}", "{% raw %}", "\ud800", "x" * 5_000, "",
    " ", "|---|", "<details>", "\u2028", "a@b.example", ":tada:", "===", '" onload="alert(1)',
)  # fmt: skip
"""What Markdown, HTML, a template, a terminal or GitHub would act on."""
