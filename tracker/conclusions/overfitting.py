"""Whether a run overfits: its validation loss after the minimum, its generalisation gap, and which weights it kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details, Kind
from tracker.statistics.proportions import Interval, newcombe, wilson
from tracker.wording import capitalised, losses, points, points_interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.runs import Curve
    from tracker.study.run_results import RunResult
    from tracker.study.study import Study
    from tracker.wording import Wording

_SOURCE = (
    "The gap between training and validation clips has Newcombe's interval "
    "(doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I)."
)
FEWEST_AFTER = 4  # epochs after the minimum below which a rise cannot be separated from fluctuation


@dataclass(frozen=True, slots=True)
class Gap:
    """Accuracy on the training clips minus accuracy on the validation clips, both with the kept weights."""

    estimate: float
    interval: Interval
    n_train: int
    n_val: int


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
    # whether validation loss was higher late after its minimum than early, by more than it fluctuates; None if unknown
    trend: bool | None = None
    gap: Gap | None = None

    @property
    def rises(self) -> bool:
        """Whether validation loss kept rising after its minimum while training loss fell."""
        if self.best_loss is None or self.last_loss is None or self.best_val_loss is None or self.last_val_loss is None:
            return False
        return bool(self.trend) and self.last_loss < self.best_loss and self.last_val_loss > self.best_val_loss

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return what validation loss did after its minimum, whose weights were kept, and the gap."""
        run = wording.run(conclusion.runs[0])
        unlogged = f"Whether {run} overfits cannot be said: its validation loss by epoch was not logged."
        first = unlogged if conclusion.verdict == "unknown" else _after_minimum(run, self)
        epoch, gap = self.kept_epoch, self.gap
        if gap is None:
            return first if epoch is None else f"{first} Its kept weights are those of epoch {epoch}."
        weights = "the kept weights" if epoch is None else f"the kept weights, those of epoch {epoch},"
        side = "more" if gap.estimate >= 0 else "less"
        verb = "can" if gap.interval[0] > 0 or gap.interval[1] < 0 else "cannot"
        evidence = f"95% interval {points_interval(gap.interval)} points"
        than = f"on its {gap.n_train} training clips than on the {gap.n_val} validation clips ({evidence})"
        with_them = f"With {weights} it is {points(gap.estimate)} {side} accurate {than}"
        return f"{first} {with_them}, a gap that {verb} be told from none."


def overfitting(study: Study) -> Iterator[Conclusion]:
    """Conclude on each run; `unknown` if validation loss was not logged by epoch."""
    for result in study.results:
        gap, best, (training, validation) = _gap(result), result.best_epoch, result.curves.losses
        if validation is None or best is None:
            details = Overfitting(kept_epoch=result.kept_epoch, gap=gap)
            yield Conclusion("overfitting", "unknown", (result.run_id,), details)
            continue
        last = int(validation.epochs[-1])
        details = Overfitting(
            best_epoch=best,
            last_epoch=last,
            kept_epoch=result.kept_epoch,
            best_val_loss=validation.at(best),
            last_val_loss=validation.at(last),
            best_loss=training.at(best) if training is not None else None,
            last_loss=training.at(last) if training is not None else None,
            trend=_trend(validation, best),
            gap=gap,
        )
        yield Conclusion(
            "overfitting", "exact" if details.gap is None else "estimate", (result.run_id,), details, n=result.n
        )


def _trend(losses: Curve, best: int) -> bool | None:
    """Return whether a loss rose after its minimum; None for too few epochs, or if one isn't finite.

    The minimum itself is left out, because it is partly low by chance.
    """
    after = losses.values[losses.epochs > best]
    if len(after) < FEWEST_AFTER or not np.isfinite(losses.values[losses.epochs >= best]).all():
        return None
    half = len(after) // 2
    fluctuation = float(np.diff(after).std()) / math.sqrt(2)
    return bool(after[-half:].mean() - after[:half].mean() > 2 * fluctuation * math.sqrt(2 / half))


def _gap(result: RunResult) -> Gap | None:
    """Return the generalisation gap if the kept weights were evaluated on the training clips."""
    n_train, correct, validation = result.training_clips, result.fit_correct, result.accuracy
    if correct is None or not n_train or validation is None:
        return None
    fit = correct / n_train  # groups of validation clips widen the interval of their accuracy, and with it Newcombe's
    interval = newcombe(fit, wilson(correct, n_train), validation.fraction, validation.interval)
    return Gap(fit - validation.fraction, interval, n_train, validation.n)


def _after_minimum(run: str, details: Overfitting) -> str:
    head, at_last = f"{capitalised(run)}'s validation loss", f"at its last, epoch {details.last_epoch}."
    best, last = details.best_val_loss, details.last_val_loss
    if best is None:
        return f"{head} is no finite number at its best epoch."
    if last is None:
        return f"{head} was lowest, {losses(best)[0]}, at epoch {details.best_epoch} and no finite number {at_last}"
    low, end = losses(best, last)
    if details.rises and details.best_loss is not None and details.last_loss is not None:
        before, after = losses(details.best_loss, details.last_loss)
        rose = f"{head} rose from {low} at epoch {details.best_epoch} to {end} at epoch {details.last_epoch}"
        return f"{rose} while its training loss fell from {before} to {after}: from there on it overfits."
    if last > best:
        return f"{head} was lowest, {low}, at epoch {details.best_epoch} and {end} {at_last}"
    return f"{head} was lowest, {low}, at its last epoch, {details.last_epoch}."


def _headlines(conclusions: Sequence[Conclusion], focus: str | None) -> list[Conclusion]:
    """Return the curve of the run in focus if it rises, else the first that does, else that of the run in focus."""
    of_focus = [c for c in conclusions if c.runs == (focus,) and c.verdict != "unknown"]
    rising = [c for c in conclusions if isinstance(c.details, Overfitting) and c.details.rises]
    return [*(c for c in of_focus if c in rising), *rising, *of_focus][:1]


KIND = Kind(
    name="overfitting",
    title="Overfitting",
    conclude=overfitting,
    methods=lambda _, found: ({_SOURCE for c in found if isinstance(c.details, Overfitting) and c.details.gap}),
    headlines=_headlines,
    headline_rank=5,
)
