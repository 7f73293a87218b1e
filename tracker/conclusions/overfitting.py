"""Three separate facts of one run: its validation loss after the minimum, its gap, and whose weights were kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details
from tracker.statistics.proportions import Interval, newcombe, wilson
from tracker.study.metrics import LOSS
from tracker.study.run_results import are_numbers, count_correct, count_tag

if TYPE_CHECKING:
    from tracker.runs import Curve
    from tracker.study.study import Study


FEWEST_AFTER = 4
"""Epochs after the minimum below which a rise is not told from a flutter."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Accuracy on the training clips minus accuracy on the validation clips, both with the kept weights."""

    estimate: float
    interval: Interval
    n_train: int
    n_val: int


@dataclass(frozen=True, slots=True)
class Overfitting(Details):
    """The evidence of overfitting.

    Parameters
    ----------
    best_epoch, last_epoch, kept_epoch : int or None
    best_val_loss, last_val_loss : float or None
        At the best and at the last epoch; None where not finite.
    best_loss, last_loss : float or None
        The training loss at these epochs.
    trend : bool or None
        Whether validation loss was higher in the later half of the epochs after its minimum than in the earlier, by
        more than it fluttered from epoch to epoch.
    gap : Gap or None
    """

    best_epoch: int | None = None
    last_epoch: int | None = None
    kept_epoch: int | None = None
    best_val_loss: float | None = None
    last_val_loss: float | None = None
    best_loss: float | None = None
    last_loss: float | None = None
    trend: bool | None = None
    gap: Gap | None = None

    @property
    def rises(self) -> bool:
        """Whether validation loss kept rising after its minimum while training loss fell."""
        if None in (self.best_loss, self.last_loss, self.best_val_loss, self.last_val_loss):
            return False
        fell = (self.last_loss or 0.0) < (self.best_loss or 0.0)
        return bool(self.trend) and fell and (self.last_val_loss or 0.0) > (self.best_val_loss or 0.0)


def overfitting(study: Study) -> tuple[Conclusion, ...]:
    """Conclude on each run.

    Parameters
    ----------
    study : Study

    Returns
    -------
    tuple of Conclusion
        `unknown` where no validation loss by epoch was logged.
    """
    return tuple(_conclusion(study, run) for run in range(len(study.results)))


def _conclusion(study: Study, run: int) -> Conclusion:
    found, gap = study.results[run], _gap(study, run)
    validation, training = found.curve(LOSS), found.curve(LOSS, "training")
    if validation is None or found.best_epoch is None:
        details = Overfitting(kept_epoch=found.kept_epoch, gap=gap)
        return Conclusion("overfitting", "unknown", (found.run_id,), details)
    last = int(validation.epochs[-1])
    details = Overfitting(
        best_epoch=found.best_epoch,
        last_epoch=last,
        kept_epoch=found.kept_epoch,
        best_val_loss=_value_at(validation, found.best_epoch),
        last_val_loss=_value_at(validation, last),
        best_loss=_value_at(training, found.best_epoch),
        last_loss=_value_at(training, last),
        trend=_trend(validation, found.best_epoch),
        gap=gap,
    )
    return Conclusion("overfitting", "exact", (found.run_id,), details, n=found.n)


def _value_at(curve: Curve | None, epoch: int) -> float | None:
    """Return the value of a curve at an epoch; None where it has none or it is not finite."""
    if curve is None:
        return None
    place = np.flatnonzero(curve.epochs == epoch)
    return float(curve.values[place[0]]) if len(place) and are_numbers(curve.values[place[0]]) else None


def _trend(losses: Curve, best: int) -> bool | None:
    """Tell whether a loss went up after its minimum; None for too few epochs, or one that is no number.

    The minimum itself is left out: it is as low as it is by chance too.
    """
    after = losses.values[losses.epochs > best]
    if len(after) < FEWEST_AFTER or not are_numbers(losses.values[losses.epochs >= best]).all():
        return None
    half = len(after) // 2
    flutter = float(np.diff(after).std()) / math.sqrt(2)
    return bool(after[-half:].mean() - after[:half].mean() > 2 * flutter * math.sqrt(2 / half))


def _gap(study: Study, run: int) -> Gap | None:
    """Return the generalisation gap where training clips were judged with the kept weights."""
    found = study.results[run]
    n_train = count_tag(found.run, "tracker.training_clips")
    right = count_correct(found.run.metrics.get("fit_accuracy"), n_train)
    if right is None or not n_train or found.correct is None or not found.n:
        return None
    fit, validation = right / n_train, found.correct / found.n
    return Gap(fit - validation, _gap_interval(study, run, right, n_train), n_train, found.n)


def _gap_interval(study: Study, run: int, right: int, n_train: int) -> Interval:
    """Return Newcombe's interval; where validation clips share groups, the interval of their accuracy allows for it."""
    found = study.results[run]
    validation = (found.correct or 0) / (found.n or 1)
    return newcombe(right / n_train, wilson(right, n_train), validation, study.accuracy_interval(run))
