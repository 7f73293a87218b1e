"""Three separate facts of one run: its validation loss after the minimum, its gap, and whose weights were kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details, Interval
from tracker.conclusions.outcomes import Outcome, count_right, whole_tag
from tracker.conclusions.roles import LOSS
from tracker.statistics.proportions import newcombe

if TYPE_CHECKING:
    from tracker.conclusions.study import Study
    from tracker.runs import Curve


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
    training_fell : bool or None
        Whether the training loss was lower at the last epoch than at the best one.
    gap : Gap or None
    """

    best_epoch: int | None = None
    last_epoch: int | None = None
    kept_epoch: int | None = None
    best_val_loss: float | None = None
    last_val_loss: float | None = None
    training_fell: bool | None = None
    gap: Gap | None = None

    @property
    def rises(self) -> bool:
        """Whether validation loss was higher at the end than at its lowest while training loss kept falling."""
        both = self.best_val_loss is not None and self.last_val_loss is not None
        return bool(both and self.training_fell and (self.last_val_loss or 0) > (self.best_val_loss or 0))


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
    return tuple(_conclusion(found) for found in study.outcomes)


def _conclusion(found: Outcome) -> Conclusion:
    validation, gap = found.curve(LOSS), _gap(found)
    if validation is None or found.best_epoch is None:
        details = Overfitting(kept_epoch=found.kept_epoch, gap=gap)
        return Conclusion("overfitting", "unknown", (found.run_id,), details)
    last = int(validation.epochs[-1])
    details = Overfitting(
        best_epoch=found.best_epoch,
        last_epoch=last,
        kept_epoch=found.kept_epoch,
        best_val_loss=value_at(validation, found.best_epoch),
        last_val_loss=value_at(validation, last),
        training_fell=_fell(found.curve(LOSS, "training"), found.best_epoch, last),
        gap=gap,
    )
    return Conclusion("overfitting", "exact", (found.run_id,), details, n=found.n)


def value_at(curve: Curve, epoch: int) -> float | None:
    """Return the value of a curve at an epoch; None where it has none or it is not finite."""
    place = np.flatnonzero(curve.epochs == epoch)
    value = float(curve.values[place[0]]) if len(place) else math.nan
    return value if math.isfinite(value) else None


def _fell(curve: Curve | None, start: int, end: int) -> bool | None:
    """Tell whether a curve is lower at `end` than at `start`."""
    if curve is None:
        return None
    before, after = value_at(curve, start), value_at(curve, end)
    return None if before is None or after is None else after < before


def _gap(found: Outcome) -> Gap | None:
    """Return the generalisation gap where training clips were judged with the kept weights."""
    n_train = whole_tag(found.run, "tracker.training_clips")
    right = count_right(found.run.metrics.get("fit_accuracy"), n_train)
    if right is None or not n_train or found.correct is None or not found.n:
        return None
    interval = newcombe(right, n_train, found.correct, found.n)
    return Gap(right / n_train - found.correct / found.n, interval, n_train, found.n)
