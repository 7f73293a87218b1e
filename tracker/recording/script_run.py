"""A run of somebody's own training script, in any framework, logged as `tracker run` logs its own.

It goes through the same journal and the same upload: what a call returned from is on the disk, a kill loses nothing
before it, and a store that is away is told later.
"""

from __future__ import annotations

import csv
import io
import json
import math
import platform
import shutil
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from tracker import __version__
from tracker.errors import TrackerError
from tracker.recording.run_writer import ENVIRONMENT, RunWriter, describe, is_clean_exit, one_line, origin_tags
from tracker.recording.script_inputs import checked_groups, checked_predictions, metric_values, name_of, param_texts
from tracker.runs.events import Measured, Started, Tagged
from tracker.runs.logged import DEFAULT_METRIC
from tracker.store import DATASET, TAG_LENGTH, VALIDATION, now_ms, predictions_csv
from tracker.study.metrics import ACCURACY, LOSS, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import FrameType, TracebackType

    from numpy.typing import ArrayLike

    from tracker.recording.locations import LogTarget
    from tracker.recording.reporter import Reporter
    from tracker.runs import Predictions

Split = Literal["validation", "test"]

TEST = "predictions/test.csv"

_PACKAGES = {
    "numpy": "numpy",
    "keras": "keras",
    "tensorflow": "tensorflow",
    "torch": "torch",
    "jax": "jax",
    "sklearn": "scikit-learn",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
}
"""Modules whose versions decide a result, and what they are installed as."""


class ScriptRun:
    """A run that a training script logs; a context, made by `tracker.start_run`.

    It ends as FINISHED, as FAILED if an exception leaves the context, or as KILLED if Ctrl-C or SIGTERM does.

    Parameters
    ----------
    target : LogTarget
    params : mapping of str to object
        What decides the result: ``{"kernel_size": 7, "learning_rate": 1e-4, "seed": 0}``. None is off. ``keep`` says
        which epoch's weights the predictions are made with: ``last`` (default) or ``best``, by validation loss.
    reporter : Reporter
    name, note : str, optional
    tags : mapping of str to str, optional
    metric : str
        What runs are ranked by, if the experiment is new.
    sample_name : str
        What a sample is called: clip, image, patient.

    Raises
    ------
    ValueError
        If the name of a param is not a text.
    """

    def __init__(
        self,
        target: LogTarget,
        params: Mapping[str, object],
        reporter: Reporter,
        *,
        name: str | None = None,
        note: str | None = None,
        tags: Mapping[str, str] | None = None,
        metric: str = DEFAULT_METRIC,
        sample_name: str = "sample",
    ) -> None:
        texts = param_texts(params)
        self.params: Mapping[str, str] = {"keep": "last"} | texts
        self._writer = RunWriter(
            target, name or name_of(texts), reporter, continued_by="start the script again for a new run"
        )
        self._reporter = reporter
        self._note = note
        self._metric = metric
        self._tags = {
            "tracker.version": __version__,
            "tracker.sample_name": sample_name,
            "tracker.deterministic": "false",
        } | dict(tags or {})
        self._manifest: dict[str, tuple[str, str, str]] = {}
        self._test_evaluations = 0
        self._validation: Predictions | None = None
        self._measured: set[str] = set()
        self._epoch_began = time.perf_counter()

    @property
    def run_id(self) -> str:
        """The run's id in the store or, as long as it has none, its journal's."""
        return self._writer.run_id

    @property
    def name(self) -> str:
        """The run's name."""
        return self._writer.name

    def __enter__(self) -> Self:
        program = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
        self._writer.start(
            Started(
                time=now_ms(),
                uri=self._writer.target.store.uri,
                experiment=self._writer.target.experiment,
                name=self.name,
                metric=self._metric,
                params=self.params,
                tags=self._tags | origin_tags(program, self._note),
            )
        )
        self._writer.attach_text(ENVIRONMENT, _environment_text())
        self._writer.begin_upload()
        self._epoch_began = time.perf_counter()
        self._sigterm = _sigterm_as_exit()
        self._sigterm.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sigterm.__exit__(kind, error, trace)
        try:
            self._log_summary(error)
        except BaseException as fault:
            self._writer.close(error or fault)
            raise
        self._writer.close(error)

    def log_epoch(self, metrics: Mapping[str, Any], epoch: int | None = None) -> None:
        """Log the metrics of one epoch; once this returns they are on the disk.

        Parameters
        ----------
        metrics : mapping of str to number
            Such as ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``, ``learning_rate``. NaN is kept.
            ``epoch_seconds`` is added if it isn't there.
        epoch : int, optional
            Counted from 1; by default the next one.

        Raises
        ------
        ValueError
            If a value is not a number, or the epoch does not come after the last one.
        StoreError
            If the store would refuse a name.
        JournalError
            If the disk is full or not writable.
        """
        values = metric_values(metrics)
        self._writer.target.store.check_metrics(values)
        last = max(self._writer.epochs, default=0)
        number = last + 1 if epoch is None else epoch
        if isinstance(number, bool) or not isinstance(number, int) or number <= last:
            raise ValueError(f"an epoch must be a whole number above {last}, the last one logged, got {epoch!r}")
        now = time.perf_counter()
        values.setdefault("epoch_seconds", now - self._epoch_began)
        self._epoch_began = now
        self._writer.log_epoch(number, values)

    def log_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Log metrics that the run has once, such as those of a model that isn't trained by epochs.

        Raises
        ------
        ValueError
            If a value is not a number.
        StoreError
            If the store would refuse a name.
        JournalError
            If the disk is full or not writable.
        """
        values = metric_values(metrics)
        self._writer.target.store.check_metrics(values)
        self._writer.append(Measured(now_ms(), values))
        self._measured |= values.keys()

    def log_predictions(
        self,
        clips: Iterable[object],
        labels: Iterable[object],
        probabilities: ArrayLike,
        *,
        classes: Iterable[object] | None = None,
        groups: Mapping[str, object] | Iterable[object] | None = None,
        split: Split = "validation",
    ) -> None:
        """Log what the kept weights predict for each sample: runs can then be compared sample by sample.

        Parameters
        ----------
        clips : iterable
            What the samples are called, each once, and the same in every run on the same data.
        labels : iterable
            The true class of each sample: its name, or its column.
        probabilities : array_like, shape (n_samples, n_classes)
            Each row adds up to 1. For two classes, the second one's probability is enough.
        classes : iterable, optional
            What the columns are called; by default 0, 1, 2, … .
        groups : mapping or iterable, optional
            What samples belong to (artist, patient, …), by name or in the order of `clips`; None is no group.
        split : {"validation", "test"}

        Raises
        ------
        ValueError
            If the lengths or shapes differ, a probability is negative or not finite, a row doesn't add up to 1, a
            sample or class is there twice, or a label is not one of the classes.
        JournalError
            If the disk is full or not writable.
        """
        if split not in {"validation", "test"}:
            raise ValueError(f"the split must be 'validation' or 'test', got {split!r}")
        names = list(clips)
        predictions = checked_predictions(names, labels, probabilities, classes)
        group_of = checked_groups(groups, names)
        self._writer.attach_text(VALIDATION if split == "validation" else TEST, predictions_csv(predictions))
        self._attach_manifest(predictions, group_of, split)
        tags = {f"tracker.{split}_clips": str(len(predictions.clips))}
        listed = json.dumps(predictions.classes)
        if len(listed) <= TAG_LENGTH:
            tags["tracker.classes"] = listed
        if split == "test":
            self._test_evaluations += 1
            tags["tracker.test_evaluations"] = str(self._test_evaluations)
            self.log_metrics(_scores(predictions, "test"))
        else:
            self._validation = predictions
        self._writer.append(Tagged(tags))

    def log_artifact(self, content: str | Path | bytes, path: str | None = None) -> None:
        """Keep a file, a folder or bytes with the run.

        Parameters
        ----------
        content : str, Path or bytes
            Where the file or folder is, or what it contains.
        path : str, optional
            Its path among the run's artifacts, with forward slashes; by default the file's own name.

        Raises
        ------
        ValueError
            If bytes have no path, or it leads out of the run's artifacts.
        OSError
            If the file can't be read.
        JournalError
            If the disk is full or not writable.
        """
        if isinstance(content, bytes):
            if path is None:
                raise ValueError("bytes need a path among the run's artifacts, as in log_artifact(data, 'notes.txt')")
            self._writer.attach_bytes(path, content)
            return
        source = Path(content)
        if source.is_dir():
            self._writer.attach_folder(path or source.resolve().name, partial(shutil.copytree, source))
        else:
            self._writer.attach_bytes(path or source.name, source.read_bytes())

    def keras_callback(self) -> Any:
        """Return a Keras callback that logs each epoch, and the learning rate that it was trained at."""
        from tracker.training.result import epoch_logger

        return epoch_logger(self.log_epoch)

    def _attach_manifest(self, predictions: Predictions, group_of: Mapping[str, str], split: Split) -> None:
        """Keep which samples were in which split and group, as ``dataset.csv``."""
        for clip, label in zip(predictions.clips, predictions.labels, strict=True):
            self._manifest[clip] = (label, group_of.get(clip, ""), split)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(["path", "label", "group", "split", "fold"])
        writer.writerows([clip, *row, ""] for clip, row in sorted(self._manifest.items()))
        self._writer.attach_text(DATASET, text.getvalue())

    def _log_summary(self, error: BaseException | None) -> None:
        """Log the metrics that a run has once and, if nothing went wrong, its figures and description."""
        with _unless(error):
            final = summary_metrics(self._writer.epochs)
            if not self._writer.epochs and self._validation:
                final = _scores(self._validation, "val")
            missing = {name: value for name, value in final.items() if name not in self._measured}
            if missing:
                self._writer.append(Measured(now_ms(), missing))
        if is_clean_exit(error):
            self._attach_description()

    def _attach_description(self) -> None:
        try:
            description = describe(self._writer.finished_run())
        except Exception as fault:  # noqa: BLE001  (a run must not fail for its figures, whatever the script logged)
            self._reporter.warn(f"run {self.name} has no figures and no description: {one_line(fault)}")
        else:
            self._writer.attach_description(description, self._note)


def summary_metrics(epochs: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """Return the metrics that a run has once, from those of its epochs, as far as these have them.

    Parameters
    ----------
    epochs : mapping of int to mapping of str to float
        By number.

    Returns
    -------
    dict of str to float
        `best_epoch` (of the lowest finite validation loss, the first of equals) with its validation loss and accuracy,
        those of the last epoch, and `stop_epoch`.
    """
    if not epochs:
        return {}
    last = max(epochs)
    losses = {number: _value(epochs[number], LOSS) for number in sorted(epochs)}
    finite = {number: loss for number, loss in losses.items() if loss is not None and math.isfinite(loss)}
    best = min(finite, key=finite.__getitem__, default=None)
    summary: dict[str, float | None] = {"best_epoch": best, "stop_epoch": last}
    for which, number in (("best", best), ("last", last)):
        for quantity in (LOSS, ACCURACY):
            summary[f"{which}_val_{quantity}"] = None if number is None else _value(epochs[number], quantity)
    return {name: float(value) for name, value in summary.items() if value is not None}


def _value(metrics: Mapping[str, float], quantity: str) -> float | None:
    name = named(metrics, quantity, "validation")
    return None if name is None else metrics[name]


def _scores(predictions: Predictions, prefix: str) -> dict[str, float]:
    """Return the loss and the accuracy of predictions."""
    import numpy as np

    from tracker.training.result import accuracy, log_loss

    column = {name: i for i, name in enumerate(predictions.classes)}
    targets = np.array([column[label] for label in predictions.labels])
    rows = predictions.probabilities
    return {f"{prefix}_loss": log_loss(rows, targets), f"{prefix}_accuracy": accuracy(rows, targets)}


def _environment_text() -> str:
    """Return the versions of Python and of what the script has imported by now, a line each."""
    lines = {"tracker": __version__, "python": platform.python_version()}
    for module, distribution in _PACKAGES.items():
        if module in sys.modules:
            with suppress(PackageNotFoundError):
                lines[distribution] = version(distribution)
    return "".join(f"{name} {number}\n" for name, number in lines.items())


@contextmanager
def _unless(error: BaseException | None) -> Iterator[None]:
    """Let nothing that fails at the end of a run hide what ended it."""
    try:
        yield
    except TrackerError:
        if is_clean_exit(error):
            raise


@contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """Let SIGTERM end the script by an exception, so that its run is closed, unless the script handles it itself."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    is_main = threading.current_thread() is threading.main_thread()
    is_ours = is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if is_ours:
        signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
