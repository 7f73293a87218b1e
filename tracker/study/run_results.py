"""A run translated once: its curves, the epochs that matter and its scores, whatever its metrics are called.

Epochs are counted from 1, accuracies are fractions of clips (unless they were logged otherwise), losses are in nats.
Results are those of the weights that a run kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tracker.replay import Drop
from tracker.runs import as_number
from tracker.statistics.paired import log_losses
from tracker.statistics.proportions import grouped_wilson, wilson
from tracker.study.clip_sets import ClipSet, by_clip, clip_sets, training_rows
from tracker.study.contradictions import Contradiction, contradictions
from tracker.study.histories import (
    LoggedSteps,
    Rounds,
    by_epoch,
    epoch_limit,
    history_of,
    rounds_of,
    steps_without_epochs,
)
from tracker.study.metric_roles import ACCURACY, LOSS, RATE, named, role_of
from tracker.study.metrics import Metric, is_fraction, logged_name
from tracker.study.options import as_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.runs import Curve, EpochPredictions, Run
    from tracker.statistics.proportions import Interval

_LOADS_BEST = "load_best_model_at_end"  # of transformers' Trainer
SAME_RATE = 1e-6  # relative difference up to which two learning rates are the same: they went through float32
_COUNT_TOLERANCE = 2e-6  # an accuracy in float32 is this close, relatively, to the count it stands for


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """What a run logged by epoch; None if it did not."""

    loss: Curve | None
    val_loss: Curve | None
    accuracy: Curve | None
    val_accuracy: Curve | None
    learning_rate: Curve | None

    @property
    def losses(self) -> tuple[Curve | None, Curve | None]:
        """Training and validation."""
        return self.loss, self.val_loss

    @property
    def accuracies(self) -> tuple[Curve | None, Curve | None]:
        """Training and validation."""
        return self.accuracy, self.val_accuracy


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many clips are classified correctly: `correct` of `n`, with the 95% interval of the fraction."""

    correct: int
    n: int
    interval: Interval

    @property
    def fraction(self) -> float:
        """`correct` / `n`."""
        return self.correct / self.n


@dataclass(frozen=True, slots=True)
class EarlyStopper:
    """The early stopping that a run was trained with, as Keras' or Lightning's autologging or tracker logs it."""

    patience: int  # epochs
    metric: str = "val_loss"  # that it watched
    min_delta: float = 0.0

    @property
    def watches_loss(self) -> bool:
        """Whether it watched the validation loss."""
        return role_of(self.metric) == (LOSS, "validation")


@dataclass(frozen=True, eq=False)
class RunResult:
    """The results of one run."""

    index: int  # which run of the study it is, from 0
    run: Run
    curves: Curves
    clip_set: ClipSet  # the clips it was judged on
    best_epoch: int | None  # of the lowest validation loss; the first of equals
    kept_epoch: int | None  # whose weights were kept; None if that is not known: results are those of `best_epoch`
    stop_epoch: int | None  # the last one trained
    val_loss: float | None  # with the kept weights, as all that follow; finite
    val_accuracy: float | None
    correct: int | None  # validation clips classified correctly
    score: float | None  # the primary metric
    seconds: float | None  # spent in training epochs
    epoch_seconds: float | None  # the same for one epoch, on average
    contradictions: tuple[Contradiction, ...] = ()  # what contradicts its predictions, which are used
    number_of_all: int | None = None  # its number in the report if its study has only some of the runs

    @property
    def run_id(self) -> str:
        """The id of its run."""
        return self.run.run_id

    @property
    def number(self) -> int:
        """The run's number in the report, from 1."""
        return self.number_of_all or self.index + 1

    @property
    def n(self) -> int | None:
        """How many validation clips there are."""
        return self.clip_set.n

    @property
    def correct_by_clip(self) -> NDArray[np.bool_] | None:
        """Which clips, sorted, are classified correctly; None without predictions."""
        row = self.clip_set.row_of.get(self.index)
        return None if row is None else self.clip_set.correct[row]

    @cached_property
    def losses_by_clip(self) -> NDArray[np.float64] | None:
        """The log-loss of each clip, sorted by clip, in nats; None if any is not known as a finite number."""
        predictions = self.run.validation
        if predictions is None or not set(predictions.labels) <= set(predictions.classes):
            return None
        if predictions.probabilities is None:
            return None
        column = {name: place for place, name in enumerate(predictions.classes)}
        columns = [column[label] for label in predictions.labels]
        probabilities = predictions.probabilities[np.arange(len(columns)), columns][by_clip(predictions)]
        return log_losses(probabilities) if np.isfinite(probabilities).all() else None

    @property
    def by_epoch(self) -> EpochPredictions | None:
        """Its predictions by epoch; None if there are none, or they contradict those of the kept weights."""
        return None if Contradiction.BY_EPOCH in self.contradictions else self.run.validation_by_epoch

    @property
    def predicted_names(self) -> tuple[str, ...]:
        """The class predicted for each clip, sorted by clip, as `Predictions` names it; empty without predictions."""
        predictions = self.run.validation
        if predictions is None:
            return ()
        names = predictions.predicted_names
        return tuple(names[clip] for clip in by_clip(predictions))

    @cached_property
    def accuracy(self) -> Accuracy | None:
        """The count of correct clips with its interval, which is wider if clips share groups."""
        if self.correct is None or not self.n:
            return None
        by_clip = self.correct_by_clip
        if by_clip is not None and self.clip_set.groups:
            return Accuracy(self.correct, self.n, grouped_wilson(by_clip, self.clip_set.group_codes))
        return Accuracy(self.correct, self.n, wilson(self.correct, self.n))

    @property
    def training_clips(self) -> int | None:
        """How many clips it was trained on, as logged."""
        return as_whole(self.run.tags.get("tracker.training_clips"), least=1) or training_rows(self.run)

    @property
    def fit_correct(self) -> int | None:
        """How many of those the kept weights classify correctly, as logged."""
        return count_correct(self.run.metrics.get("fit_accuracy"), self.training_clips)

    @cached_property
    def seconds_by_epoch(self) -> NDArray[np.float64] | None:
        """How long each epoch took, from the first on; None if that was not logged for all."""
        seconds = every_epoch(self.run.curves.get("epoch_seconds"))
        return seconds if seconds is not None and np.isfinite(seconds).all() else None

    @cached_property
    def early_stopper(self) -> EarlyStopper | None:
        """Its own early stopping; None if it has none, or did not log which metric that watched."""
        params = self.run.params
        patience = as_whole(params.get("early_stopping_patience")) if self.run.is_in_format else None
        if patience is not None:
            return EarlyStopper(patience, self._monitor, self.logged_min_delta or 0.0)
        patience, delta = as_whole(params.get("patience")), as_number(params.get("min_delta", ""))
        known = patience is not None and delta is not None and params.get("monitor", "").strip()
        return EarlyStopper(patience or 0, params["monitor"].strip(), abs(delta or 0.0)) if known else None

    @property
    def is_loss_monitored(self) -> bool:
        """Whether its plateau watches the validation loss, as that of another program is taken to."""
        return not self.run.is_in_format or self._monitor == "val_loss"

    @property
    def _monitor(self) -> str:
        return self.run.params.get("monitor", "val_loss")

    @property
    def logged_min_delta(self) -> float | None:
        """What an epoch had to improve by, in a run that tracker trained with one."""
        return as_number(self.run.params.get("min_delta", "")) if self.run.is_in_format else None

    @property
    def is_ended_by_early_stopping(self) -> bool:
        """Whether autologging says that its own early stopping ended it."""
        stopped = as_whole(self.run.metrics.get("stopped_epoch"), least=1)
        return self.early_stopper is not None and stopped is not None and stopped + 1 == self.stop_epoch

    @cached_property
    def rounds(self) -> Rounds | None:
        """The losses of each round of boosting; None of a run that trained by epochs."""
        return rounds_of(self.run)

    @property
    def limit(self) -> int | None:
        """The most epochs that were asked for."""
        return epoch_limit(self.run)

    @cached_property
    def rate_drops(self) -> tuple[Drop, ...] | None:
        """Where the learning rate fell; None if it was not logged by epoch as a number above 0."""
        rates = self.curves.learning_rate
        if rates is None or not (np.isfinite(rates.values) & (rates.values > 0)).all():
            return None
        values, epochs = rates.values, rates.epochs
        fell = np.flatnonzero(values[1:] < values[:-1] * (1 - SAME_RATE))
        drops = zip((epochs[fell + 1] - 1).tolist(), values[fell].tolist(), values[fell + 1].tolist(), strict=True)
        return tuple(Drop(*drop) for drop in drops)

    @cached_property
    def steps_without_epochs(self) -> LoggedSteps | None:
        """At which steps its validation losses, or else accuracies, were logged if no epochs can be made of them."""
        if self.curves.val_loss is not None:
            return None
        found = (steps_without_epochs(self.run, quantity, "validation") for quantity in (LOSS, ACCURACY))
        return next((steps for steps in found if steps is not None), None)

    @property
    def first_diverged_epoch(self) -> int | None:
        """The first epoch whose training or validation loss is not finite; None if all are."""
        epochs = [curve.epochs[~np.isfinite(curve.values)] for curve in self.curves.losses if curve is not None]
        return min((int(bad[0]) for bad in epochs if len(bad)), default=None)


def run_results(runs: Sequence[Run], metric: Metric, data_sets: Sequence[str] = ()) -> tuple[RunResult, ...]:
    """Translate runs, in the report's order; `metric` is the primary one, `data_sets` as in `clip_sets`."""
    clip_set_of = {index: clips for clips in clip_sets(runs, data_sets) for index in clips.members}
    return tuple(_result(index, run, metric, clip_set_of[index]) for index, run in enumerate(runs))


def _result(index: int, run: Run, metric: Metric, clips: ClipSet) -> RunResult:
    curves = Curves(
        loss=history_of(run, LOSS, "training"),
        val_loss=history_of(run, LOSS, "validation"),
        accuracy=history_of(run, ACCURACY, "training"),
        val_accuracy=history_of(run, ACCURACY, "validation"),
        learning_rate=history_of(run, RATE, "training"),
    )
    best, kept, stop = _epochs(run, curves)
    shown = best if kept is None else kept  # the epoch whose results are shown
    val_loss = _with_kept_weights(run, LOSS, curves.val_loss, shown, stop)
    val_accuracy = _with_kept_weights(run, ACCURACY, curves.val_accuracy, shown, stop)
    if any(role_of(name) == (ACCURACY, "validation") for name in run.in_no_unit):
        val_accuracy = None
    row = clips.row_of.get(index)
    correct = count_correct(val_accuracy, clips.n) if row is None else int(clips.correct[row].sum())
    score = val_loss if metric.is_loss else val_accuracy
    if metric.is_accuracy and correct is not None and clips.n:
        score = correct / clips.n
    elif not metric.is_standard:
        name = logged_name(run, metric)
        own = by_epoch(run, name)
        score = _value(run, name, own if own is not None and len(own.values) > 1 else None, shown)
        score = None if name in run.in_no_unit else score
    timed = run.curves.get("epoch_seconds")
    contradicting: tuple[Contradiction, ...] = ()
    if row is not None:
        logged = _accuracies(run, curves.val_accuracy, val_accuracy)
        contradicting = tuple(contradictions(run, clips.correct[row], logged, kept, stop))
    seconds = timed.values if timed is not None and np.isfinite(timed.values).all() else np.empty(0)
    return RunResult(
        index=index,
        run=run,
        curves=curves,
        clip_set=clips,
        best_epoch=best,
        kept_epoch=kept,
        stop_epoch=stop,
        val_loss=val_loss,
        val_accuracy=val_accuracy,
        correct=correct,
        score=score,
        seconds=float(seconds.sum()) if len(seconds) else None,
        epoch_seconds=float(seconds.mean()) if len(seconds) else None,
        contradictions=contradicting,
    )


def _accuracies(run: Run, curve: Curve | None, kept: float | None) -> list[float | None]:
    """Return the logged accuracies that may be of a run's predictions: of the kept weights if it is known which.

    A script may have predicted with other weights than those of its best epoch, whatever the format says.
    """
    if "tracker.data" in run.tags or (run.is_in_format and "keep" in run.params) or curve is None:
        return [kept]
    return [kept, *map(_finite, curve.values.tolist())]


def every_epoch(curve: Curve | None) -> NDArray[np.float64] | None:
    """Return a curve's value at every epoch from the first on, None if any is missing."""
    if curve is None or (len(curve.steps) and (curve.epochs[0] != 1 or curve.epochs[-1] != len(curve.steps))):
        return None  # epochs ascend, each once
    return curve.values


def keeps_last(run: Run) -> bool:
    """Return whether a run kept its last weights rather than its best; Keras and transformers name that differently."""
    if run.is_in_format and "keep" in run.params:
        return run.params["keep"].strip().lower() == "last"
    return any(run.params.get(name, "").strip().lower() == "false" for name in ("restore_best_weights", _LOADS_BEST))


def count_correct(accuracy: float | None, n: int | None) -> int | None:
    """Return how many of `n` clips an accuracy stands for, None if accuracy × n isn't whole to float32 precision."""
    if accuracy is None or not n or not is_fraction(accuracy):
        return None
    count = round(accuracy * n)
    return count if abs(accuracy * n - count) <= _COUNT_TOLERANCE * n else None


def _epochs(run: Run, curves: Curves) -> tuple[int | None, int | None, int | None]:
    """Return the best epoch, the one whose weights were kept and the last; None if unknown.

    The curves say so, or the run in tracker's format; what other programs log as ``best_epoch`` may be counted from 0
    or chosen by another metric.
    """
    losses, best, stop = curves.val_loss, None, None
    if run.is_in_format:
        best, stop = (as_whole(run.metrics.get(name), least=1) for name in ("best_epoch", "stop_epoch"))
    if losses is not None and best not in losses.epochs:
        finite = np.isfinite(losses.values)
        best = int(losses.epochs[np.where(finite, losses.values, np.inf).argmin()]) if finite.any() else None
    if stop is None:
        ends = (int(curve.epochs[-1]) for curve in (*curves.losses, *curves.accuracies) if curve is not None)
        stop = max(ends, default=None)
    return best, _kept_epoch(run, losses, best, stop), stop


def _kept_epoch(run: Run, losses: Curve | None, best: int | None, stop: int | None) -> int | None:
    """Return the epoch whose weights a run kept; None if it is unknown."""
    if keeps_last(run):
        if losses is None or not run.is_in_format or math.isfinite(losses.values[-1]):
            return stop
        finite = losses.epochs[np.isfinite(losses.values)]
        return int(finite[-1]) if len(finite) else None
    if run.params.get(_LOADS_BEST, "").strip().lower() == "true":
        return _loaded_epoch(run)
    # Keras' autologging counts from 0
    restored, stopped = (as_whole(run.metrics.get(name)) for name in ("restored_epoch", "stopped_epoch"))
    restores = run.params.get("restore_best_weights", "").strip().lower() == "true"
    if restores and restored is not None and stop is not None and restored < stop == (stopped or 0) + 1:
        return restored + 1
    # if early stopping did not end the run, Keras 3 restores the best weights, but Keras 2 keeps the last
    is_both = restores and run.params.get("monitor") == "val_loss" and best == stop
    is_both = is_both and losses is not None and bool(np.isfinite(losses.values).all())
    return best if run.is_in_format or is_both else None


def _loaded_epoch(run: Run) -> int | None:
    """Return the epoch whose weights transformers' Trainer loads at the end, the first best; None if it is unknown."""
    metric = run.params.get("metric_for_best_model", "None")
    metric = f"eval_{'loss' if metric == 'None' else metric.removeprefix('eval_')}"
    history, rises = by_epoch(run, metric), run.params.get("greater_is_better", "").strip().lower()
    if history is None or rises not in ("true", "false") or not np.isfinite(history.values).all():
        return None
    return int(history.epochs[(history.values.argmax if rises == "true" else history.values.argmin)()])


def _with_kept_weights(
    run: Run, quantity: str, history: Curve | None, kept: int | None, stop: int | None
) -> float | None:
    """Return a validation metric with the kept weights: as logged at the end, at that epoch, or the only value."""
    logged = run.metrics.get(f"{'last' if keeps_last(run) else 'best'}_val_{quantity}")
    if run.is_in_format and logged is not None and (kept == stop or not keeps_last(run)):
        return _finite(logged)
    return _value(run, named((*run.curves, *run.metrics), quantity, "validation"), history, kept)


def _value(run: Run, name: str | None, history: Curve | None, epoch: int | None) -> float | None:
    """Return the value of a metric at an epoch of its history; without a history, or an epoch, its last one."""
    if history is not None:
        return history.at(epoch) if epoch is not None else _finite(float(history.values[-1]))
    logged = run.curves.get(name or "")
    last = float(logged.values[-1]) if logged is not None and len(logged.values) else None
    return _finite(run.metrics.get(name or "", last))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
