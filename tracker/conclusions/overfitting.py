"""Whether a run overfits, by its losses after the minimum of validation loss, and its generalisation gap.

A run overfits if training and validation loss move apart after that minimum by more than they fluctuate, while training
loss falls. It doesn't if validation loss was still falling at the end, or if neither loss moves any more. Where the
losses don't tell, it overfits if the gap is as large as the margin and its interval lies above 0.

Boosting has rounds rather than epochs. Each fits the training samples better than the one before, so that a validation
loss that rises says enough if the training loss is unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details, Kind, Verdict
from tracker.statistics.proportions import Interval, newcombe, wilson
from tracker.wording import capitalised, is_informative, losses, percent_cell, points_interval, steps_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tracker.runs import Curve
    from tracker.study.histories import LoggedSteps, Rounds
    from tracker.study.run_results import RunResult
    from tracker.study.study import Study
    from tracker.wording import Wording

_SOURCE = (
    "The gap between accuracy on training and validation clips has Newcombe's interval, without correction for the "
    "number of runs (doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I)."
)
FEWEST_AFTER = 4  # epochs after the minimum below which a rise cannot be separated from fluctuation


@dataclass(frozen=True, slots=True)
class Gap:
    """Accuracy on the training clips minus accuracy on the validation clips, both with the kept weights."""

    estimate: float
    interval: Interval
    n_train: int
    n_val: int
    train_accuracy: float
    val_accuracy: float


@dataclass(frozen=True, slots=True)
class Overfitting(Details):
    """The evidence of overfitting."""

    best_epoch: int | None = None
    last_epoch: int | None = None
    kept_epoch: int | None = None
    best_val_loss: float | None = None  # at the best epoch; None if not finite, as at the last
    last_val_loss: float | None = None
    best_loss: float | None = None  # the training loss at these epochs
    last_loss: float | None = None
    # after the minimum, whether losses rose or fell by more than they fluctuate; None if unknown
    trend: bool | None = None  # validation loss rose
    training_fell: bool | None = None
    apart: bool | None = None  # validation minus training loss rose
    still_falling: bool = False  # whether validation loss was falling until the end
    overfits: bool | None = None  # None if neither the curves nor the gap can tell
    by_gap: bool = False  # whether the gap alone says so
    gap: Gap | None = None
    steps: LoggedSteps | None = None  # at which its losses, or else accuracies, were logged if they aren't epochs
    # of boosting: the metrics that stand for the losses, and their rounds rather than epochs
    metric: str | None = None
    training_metric: str | None = None
    best_round: int | None = None
    last_round: int | None = None

    @property
    def unit(self) -> str:
        """What is counted: ``epoch``, or ``round`` of boosting."""
        return "epoch" if self.best_round is None else "round"

    @property
    def best(self) -> int | None:
        """The best epoch or round."""
        return self.best_epoch if self.best_round is None else self.best_round

    @property
    def last(self) -> int | None:
        """The last epoch or round."""
        return self.last_epoch if self.last_round is None else self.last_round

    @property
    def names(self) -> tuple[str, str]:
        """What sentences call the training and the validation loss."""
        return self.training_metric or "training loss", self.metric or "validation loss"

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return whether the run overfits by its curves, and by how much it is better on its training clips."""
        run = wording.run(conclusion.runs[0])
        if conclusion.verdict == "unknown":
            first = _unknown_text(conclusion.runs, self, wording)
        elif self.by_gap and self.gap is not None:
            text = _gap_text(self.gap, self)
            return f"{capitalised(run)} overfits: {text[0].lower()}{text[1:]}"
        else:
            first = _curves_text(run, self)
        return first if self.gap is None else f"{first} {_gap_text(self.gap, self)}"


def _unknown_text(runs: Sequence[str], details: Overfitting, wording: Wording) -> str:
    """Return why it is unknown whether some runs overfit."""
    their, overfit = ("its", "overfits") if len(runs) == 1 else ("their", "overfit")
    if details.steps is not None:
        they = "it" if len(runs) == 1 else "they"
        return f"Whether {wording.runs(runs)} {overfit} is unknown: {they} logged {steps_text(details.steps)}."
    if wording.is_all(runs):
        return "Whether the runs overfit is unknown: none logged its validation loss by epoch."
    why = f"{their} validation loss was not logged by epoch"
    return f"Whether {wording.runs(runs)} {overfit} is unknown: {why}."


def overfitting(study: Study) -> Iterator[Conclusion]:
    """Conclude on each run; `unknown` if validation loss was not logged by epoch."""
    for result in study.results:
        gap, details = _gap(result), by_curves(result)
        if details is None:
            details = Overfitting(kept_epoch=result.kept_epoch, gap=gap, steps=result.steps_without_epochs)
            yield Conclusion("overfitting", "unknown", (result.run_id,), details)
            continue
        if gap is not None:
            by_gap = details.overfits is None and gap.interval[0] > 0 and gap.estimate >= study.margin
            details = replace(details, overfits=True if by_gap else details.overfits, by_gap=by_gap, gap=gap)
        verdict: Verdict = "exact" if gap is None else "estimate"
        yield Conclusion("overfitting", verdict, (result.run_id,), details, n=result.n)


def by_curves(result: RunResult) -> Overfitting | None:
    """Return whether a run overfits by its losses alone; None if validation loss was not logged by epoch or round."""
    if result.rounds is not None:
        return _by_rounds(result.rounds)
    best, (training, validation) = result.best_epoch, result.curves.losses
    if validation is None or best is None:
        return None
    last = int(validation.epochs[-1])
    details = _compared(training, validation, best, best_epoch=best, last_epoch=last, kept_epoch=result.kept_epoch)
    return replace(details, overfits=_overfits(details))


def _by_rounds(rounds: Rounds) -> Overfitting | None:
    """Return whether boosting overfits by its losses alone; None if no validation loss is finite."""
    finite = np.where(np.isfinite(rounds.validation.values), rounds.validation.values, np.inf)
    best, last = (int(rounds.validation.epochs[at]) for at in (finite.argmin(), -1))
    if not np.isfinite(finite).any():
        return None
    details = _compared(
        rounds.training,
        rounds.validation,
        best,
        metric=rounds.metric,
        training_metric=rounds.training_metric,
        best_round=best,
        last_round=last,
    )
    return replace(details, overfits=True if rounds.training is None and details.trend else _overfits(details))


def _compared(training: Curve | None, validation: Curve, best: int, **known: Any) -> Overfitting:
    """Return what both losses do after the best epoch or round, beside what is known already."""
    last, after = int(validation.epochs[-1]), validation.epochs > best
    training_fell = apart = None
    fitted = None if training is None else _values_at(validation.epochs, training)
    if fitted is not None:
        fit, judged = fitted[after], validation.values[after]
        with np.errstate(invalid="ignore"):  # infinite losses have no difference
            training_fell, apart = _rises(-fit), _rises(judged - fit)
    return Overfitting(
        best_val_loss=validation.at(best),
        last_val_loss=validation.at(last),
        best_loss=training.at(best) if training is not None else None,
        last_loss=training.at(last) if training is not None else None,
        trend=_rises(validation.values[after]),
        training_fell=training_fell,
        apart=apart,
        still_falling=_rises(-validation.values[len(validation.values) // 2 :]) is True,
        **known,
    )


def _values_at(epochs: NDArray[np.int64], curve: Curve) -> NDArray[np.float64] | None:
    """Return a curve's values at ascending epochs, None if it lacks any; mostly it has these epochs and no others."""
    if np.array_equal(curve.epochs, epochs):
        return curve.values
    return curve.values[np.isin(curve.epochs, epochs)] if np.isin(epochs, curve.epochs).all() else None


def _rises(values: NDArray[np.float64]) -> bool | None:
    """Return whether values are higher late than early by more than they fluctuate; None for too few, or if not finite.

    The minimum of a curve is to be left out, because it is partly low by chance.
    """
    if len(values) < FEWEST_AFTER or not np.isfinite(values).all():
        return None
    half, steps = len(values) // 2, values[1:] - values[:-1]
    deviations = steps - steps.sum() / len(steps)
    fluctuation = math.sqrt((deviations**2).sum() / len(steps)) / math.sqrt(2)  # `std` takes three times as long
    return bool(values[-half:].sum() / half - values[:half].sum() / half > 2 * fluctuation * math.sqrt(2 / half))


def _overfits(details: Overfitting) -> bool | None:
    if details.training_fell is None or details.trend is None or details.best_loss is None:
        few = details.best is not None and (details.last or 0) - details.best < FEWEST_AFTER
        return False if few and details.still_falling and details.last_val_loss is not None else None
    if details.apart and details.training_fell:
        return True
    return None if details.apart or details.training_fell or details.trend else False


def _gap(result: RunResult) -> Gap | None:
    """Return the generalisation gap if the kept weights were evaluated on the training clips."""
    n_train, correct, validation = result.training_clips, result.fit_correct, result.accuracy
    if correct is None or not n_train or validation is None:
        return None
    fit = correct / n_train  # groups of validation clips widen the interval of their accuracy, and with it Newcombe's
    interval = newcombe(fit, wilson(correct, n_train), validation.fraction, validation.interval)
    return Gap(fit - validation.fraction, interval, n_train, validation.n, fit, validation.fraction)


def _curves_text(run: str, details: Overfitting) -> str:
    """Return whether a run overfits by its curves, and what they show."""
    best, last, unit, (training, validation) = details.best or 0, details.last or 0, details.unit, details.names
    rose = ""
    if details.trend and details.best_val_loss is not None and details.last_val_loss is not None:
        rose = "rose from {} to {}".format(*losses(details.best_val_loss, details.last_val_loss))
    if details.overfits and details.best_loss is not None and details.last_loss is not None:
        before, after = losses(details.best_loss, details.last_loss)
        fell = f"{training} fell from {before} to {after} while {validation} {rose or 'did not improve'}"
        return f"{capitalised(run)} overfits: after {unit} {best:,}, {fell}."
    if details.overfits:
        return f"{capitalised(run)} overfits: after {unit} {best:,} of {last:,}, {validation} {rose}."
    if details.overfits is False and details.still_falling:
        return f"{capitalised(run)} does not overfit: {validation} {end_text(details)}."
    if details.overfits is False:
        return f"{capitalised(run)} shows no sign of overfitting: after {unit} {best:,}, neither loss moves any more."
    return f"Whether {run} overfits is unclear: {_why_unclear(details)}."


def end_text(details: Overfitting) -> str:
    """Return how a validation loss that was falling ended: ``was still falling … (lowest at epoch 10 of 10)``."""
    best, last = details.best or 0, details.last or 0
    fell = "was still falling when training ended" if best == last else "fell over the second half of training"
    return f"{fell} (lowest at {details.unit} {best:,} of {last:,})"


def _why_unclear(details: Overfitting) -> str:
    """Return why neither the curves nor the gap tell whether a run overfits."""
    best, last, unit, validation = details.best or 0, details.last or 0, details.unit, details.names[1]
    if details.best_val_loss is None or details.last_val_loss is None:
        lost = best if details.best_val_loss is None else last
        return f"its {validation} is not a finite number at {unit} {lost}"
    if details.best_loss is None and unit == "epoch":
        return "its training loss was not logged by epoch"
    if last - best < FEWEST_AFTER:
        return f"its {validation} was lowest at {unit} {best:,} of {last:,}, too close to the end"
    if details.best_loss is None:
        return f"after {unit} {best:,}, its {validation} rises by no more than it fluctuates"
    if details.training_fell is None:
        return f"its losses were not logged as finite numbers at the same {unit}s"
    return f"after {unit} {best:,}, its losses move apart by no more than they fluctuate"


def _gap_text(gap: Gap, details: Overfitting) -> str:
    """Return a run's accuracy on its training and its validation clips, and whether the gap could be chance."""
    weights = (
        "With the kept weights" if details.kept_epoch is None else f"With the weights of epoch {details.kept_epoch}"
    )
    head = "At its best epoch" if details.kept_epoch == details.best_epoch is not None else weights
    if not gap.estimate:
        return f"{head}, accuracy is {percent_cell(gap.val_accuracy)} on training and validation clips alike."
    both = (
        f"accuracy is {percent_cell(gap.train_accuracy)} on training and {percent_cell(gap.val_accuracy)} on validation"
    )
    interval = f"95% interval {points_interval(gap.interval)} points"
    low, high = gap.interval
    if low > 0 or high < 0:
        return f"{head}, {both} clips, a gap that is more than chance ({interval})."
    if not is_informative(gap.interval):
        return f"{head}, {both} clips: too few clips to tell whether that gap is chance."
    return f"{head}, {both} clips; that gap could be chance ({interval})."


KIND = Kind(
    name="overfitting",
    title="Overfitting",
    conclude=overfitting,
    methods=lambda _, found: ({_SOURCE for c in found if isinstance(c.details, Overfitting) and c.details.gap}),
)
