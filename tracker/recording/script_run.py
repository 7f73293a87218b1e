"""A run of somebody's own training script, in any framework, logged as `tracker run` logs its own.

It goes through the same journal and the same upload: a kill loses nothing that was logged before it, and a store that
is away gets it later.
"""

from __future__ import annotations

import csv
import io
import math
import platform
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from tracker import __version__
from tracker.contained_files import read_regular
from tracker.errors import TrackerError
from tracker.recording.arguments import (
    checked_groups,
    checked_line,
    checked_path,
    checked_predictions,
    metric_values,
    names_for_flags,
)
from tracker.recording.run_writer import (
    ENVIRONMENT,
    RunWriter,
    classes_tag,
    is_clean_exit,
    one_line,
    signals_raise,
    versions_text,
)
from tracker.runs.events import Measured, Tagged
from tracker.runs.facts import TEST_LOOKS_TAG, environment_tags
from tracker.store import DATASET, VALIDATION, now_ms, predictions_csv
from tracker.study.metric_roles import ACCURACY, LOSS, named
from tracker.training.result import machine

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from numpy.typing import ArrayLike

    from tracker.recording.reporter import Reporter
    from tracker.runs import Predictions

Split = Literal["validation", "test"]

TEST = "predictions/test.csv"
SUMMARY_METRICS = frozenset(  # what a run has once, from the metrics of its epochs
    ["best_epoch", "stop_epoch", *(f"{which}_val_{name}" for which in ("best", "last") for name in (LOSS, ACCURACY))]
)
LAST_EPOCH = 2**31 - 1  # which every store can keep

# modules whose versions decide a result, by what they are installed as
_PACKAGES = {name: name for name in ("numpy", "keras", "tensorflow", "torch", "jax", "xgboost", "lightgbm")} | {
    "scikit-learn": "sklearn"
}


class ScriptRun:
    """A run that a training script logs; a context, made by `tracker.start_run`.

    It ends as FINISHED, as FAILED if an exception leaves the context, or as KILLED if Ctrl-C, SIGTERM or SIGHUP does.
    What a method logs is on the disk once it returns; each raises `JournalError` if the disk is full or not writable.
    """

    def __init__(
        self, writer: RunWriter, params: Mapping[str, str], tags: Mapping[str, str], metric: str, reporter: Reporter
    ) -> None:
        self.params = params
        self._writer = writer
        self._tags = tags
        self._metric = metric
        self._reporter = reporter
        self._manifest: dict[Split, dict[str, tuple[str, str, str]]] = {"test": {}, "validation": {}}
        self._test_evaluations = 0
        self._validation: Predictions | None = None
        self._measured: set[str] = set()
        self._epoch_began = time.perf_counter()
        self._one_at_a_time = threading.RLock()

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
        with names_for_flags():
            self._writer.start(self.params, {**environment_tags(_versions()), **self._tags}, program, self._metric)
        self._signals = signals_raise(lambda number: SystemExit(128 + number))
        try:
            self._signals.__enter__()
            self._writer.attach_file(ENVIRONMENT, versions_text(_versions()))
            self._writer.begin_upload()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        self._epoch_began = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._writer.is_open:  # also in a process that was forked meanwhile: the run is not its own
            return
        try:
            self._log_summary(error)
        except BaseException as fault:
            self._writer.close(error or fault)
            raise
        else:
            self._writer.close(error)
        finally:
            self._signals.__exit__(None, None, None)

    def log_epoch(self, metrics: Mapping[str, Any], epoch: int | None = None) -> None:
        """Log the metrics of one epoch.

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
            If a value is not a number, a name is one that a run has once, or the epoch doesn't come after the last.
        StoreError
            If the store would refuse a name.
        """
        values = metric_values(metrics)
        self._writer.target.store.check_metrics(values)
        once = sorted(values.keys() & (SUMMARY_METRICS | self._measured))
        if once:
            raise ValueError(
                f"the metric {once[0]!r} is one that a run has once, got it for an epoch: leave it out, or give it "
                "another name"
            )
        with self._one_at_a_time:
            number = self._next_epoch(epoch)
            now = time.perf_counter()
            values.setdefault("epoch_seconds", now - self._epoch_began)
            self._epoch_began = now
            self._writer.log_epoch(number, values)

    def log_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Log metrics that the run has once, such as those of a model that isn't trained by epochs.

        Raises
        ------
        ValueError
            If a value is not a number, or the metric is logged by epoch.
        StoreError
            If the store would refuse a name.
        """
        values = metric_values(metrics)
        self._writer.target.store.check_metrics(values)
        by_epoch = sorted(values.keys() & self._by_epoch)
        if by_epoch:
            raise ValueError(
                f"the metric {by_epoch[0]!r} is logged by epoch, got it for the whole run: give it another name, such "
                f"as 'final_{by_epoch[0]}'"
            )
        self._measure(values)

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
        """
        if split not in ("validation", "test"):
            raise ValueError(f"the split must be 'validation' or 'test', got {split!r}")
        names = list(clips) if isinstance(clips, Iterator) else clips
        predictions = checked_predictions(names, labels, probabilities, classes)
        group_of = checked_groups(groups, names)
        with self._one_at_a_time:
            self._writer.attach_file(VALIDATION if split == "validation" else TEST, predictions_csv(predictions))
            self._attach_manifest(predictions, group_of, split)
            tags = {f"tracker.{split}_clips": str(len(predictions.clips))} | classes_tag(predictions.classes)
            if split == "validation":
                self._validation = predictions
            else:
                self._test_evaluations += 1
                tags[TEST_LOOKS_TAG] = str(self._test_evaluations)
                measured = scores(predictions, "test")
                self._measure({name: measured[name] for name in measured.keys() - self._by_epoch})
            self._writer.append(Tagged(tags))

    def log_artifact(
        self, content: str | os.PathLike[str] | bytes | bytearray | memoryview, path: str | Path | None = None
    ) -> None:
        """Keep a file, a folder or bytes with the run.

        Parameters
        ----------
        content : str, path or bytes
            Where the file or folder is, or what it contains.
        path : str or Path, optional
            Its path among the run's artifacts, with forward slashes; by default the file's own name.

        Raises
        ------
        ValueError
            If bytes have no path, or it leads out of the run's artifacts.
        TrackerError
            If there is no such file, or it can't be read.
        """
        place = None if path is None else checked_line("path", path.as_posix() if isinstance(path, Path) else path)
        if isinstance(content, bytes | bytearray | memoryview):
            if not place:
                raise ValueError("bytes need a path among the run's artifacts, as in log_artifact(data, 'notes.txt')")
            self._writer.attach_file(place, bytes(content))
            return
        source = checked_path("content", content)
        if self._writer.folder.resolve().is_relative_to(source.resolve()):
            raise ValueError(f"a folder to keep must not contain the run itself, got {source}: give the files in it")
        try:
            data = None if source.is_dir() else read_regular(source, sys.maxsize)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise TrackerError(
                f"cannot read {str(source)!r}: {reason}; give the path of a file or folder, or bytes and a path"
            ) from error
        if data is None:
            self._writer.attach_folder(place or source.resolve().name, partial(shutil.copytree, source))
        else:
            self._writer.attach_file(place or source.name, data)

    def keras_callback(self) -> Any:
        """Return a Keras callback that logs each epoch, and the learning rate that it was trained at."""
        from tracker.training.result import epoch_logger

        return epoch_logger(self.log_epoch)

    @property
    def _by_epoch(self) -> set[str]:
        return {name for metrics in self._writer.epochs.values() for name in metrics}

    def _next_epoch(self, epoch: int | None) -> int:
        """Return the number of the epoch to log: the next one, or the one given if it comes after the last."""
        last = max(self._writer.epochs, default=0)
        if epoch is None:
            return last + 1
        if isinstance(epoch, int | np.integer) and not isinstance(epoch, bool) and last < epoch <= LAST_EPOCH:
            return int(epoch)
        above = f"above {last}, the last one logged" if last else f"from 1 to {LAST_EPOCH:,}"
        raise ValueError(f"an epoch must be a whole number {above}, got {epoch!r}")

    def _measure(self, values: Mapping[str, float]) -> None:
        self._writer.append(Measured(now_ms(), values))
        self._measured |= values.keys()

    def _attach_manifest(self, predictions: Predictions, group_of: Mapping[str, str], split: Split) -> None:
        """Keep which samples are in which split and group, as ``dataset.csv``; a name in both is in validation."""
        rows = zip(predictions.clips, predictions.labels, strict=True)
        self._manifest[split] = {clip: (label, group_of.get(clip, ""), split) for clip, label in rows}
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(["path", "label", "group", "split", "fold"])
        by_clip = self._manifest["test"] | self._manifest["validation"]
        writer.writerows([clip, *row, ""] for clip, row in sorted(by_clip.items()))
        self._writer.attach_file(DATASET, text.getvalue())

    def _log_summary(self, error: BaseException | None) -> None:
        """Log the metrics that a run has once and, if nothing went wrong, its figures and description."""
        final = summary_metrics(self._writer.epochs)
        if not self._writer.epochs and self._validation:
            final = scores(self._validation, "val")
        missing = {name: value for name, value in final.items() if name not in self._measured}
        try:
            if missing:
                self._measure(missing)
        except TrackerError:
            if is_clean_exit(error):
                raise  # else it must not hide what ended the run
        if not is_clean_exit(error):
            return
        try:
            summary, figures = self._writer.describe()
        except Exception as fault:  # noqa: BLE001  (a run must not fail for its figures, whatever the script logged)
            self._reporter.warn(f"run {self.name} has no figures and no description: {one_line(fault)}")
        else:
            self._writer.attach_description(summary, figures)


def summary_metrics(epochs: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """Return the metrics that a run has once, from those of its epochs, as far as these have them.

    They are `best_epoch` (of the lowest finite validation loss, the first of equals) with its validation loss and
    accuracy, those of the last epoch, and `stop_epoch`.
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


def scores(predictions: Predictions, prefix: str) -> dict[str, float]:
    """Return the loss and the accuracy of predictions."""
    from tracker.training.result import accuracy, log_loss

    column = {name: i for i, name in enumerate(predictions.classes)}
    targets = np.array([column[label] for label in predictions.labels])
    rows = predictions.probabilities
    if rows is None:
        raise ValueError("predictions must have probabilities, got the predicted classes alone")
    return {f"{prefix}_loss": log_loss(rows, targets), f"{prefix}_accuracy": accuracy(rows, targets)}


def _versions() -> dict[str, str]:
    """Return the versions of Python and of what the script has imported by now, and the machine."""
    versions = {"tracker": __version__, "python": platform.python_version()}
    for distribution, module in _PACKAGES.items():
        if module in sys.modules:
            with suppress(PackageNotFoundError):
                versions[distribution] = version(distribution)
    return versions | machine()
