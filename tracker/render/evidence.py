"""The evidence of a conclusion: its numbers in one line, and what its kind has beyond them as a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from operator import attrgetter
from typing import TYPE_CHECKING

from tracker.conclusions.classes import Classes
from tracker.conclusions.early_stopping import EarlyStopping
from tracker.conclusions.learning_rate import LearningRate
from tracker.conclusions.option_effect import OptionEffect
from tracker.conclusions.sentences import words
from tracker.render import numbers

if TYPE_CHECKING:
    from tracker.conclusions.conclusion import Conclusion, Details


_COMPARISONS = ("best_run", "run_difference", "option_effect")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts, other people's among them: they are escaped where it is written.

    Parameters
    ----------
    title : str
    header : tuple of str
    rows : tuple of tuple of str
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def facts(conclusion: Conclusion, alpha: float, *, in_points: bool = True) -> tuple[str, ...]:
    """Return the numbers that a conclusion rests on, as phrases; none where it follows without inference.

    Differences are of accuracy, in points, unless runs are compared by another metric.
    """
    if conclusion.estimate is None and conclusion.p_value is None:
        return ()
    adjusted, raw = conclusion.p_adjusted, conclusion.p_value
    what = "difference" if conclusion.kind in _COMPARISONS else "estimate"
    found = (
        conclusion.estimate is not None and f"{what} {_difference(conclusion.estimate, in_points=in_points)}",
        conclusion.interval is not None and f"95 % interval {numbers.points_interval(conclusion.interval)}",
        raw is not None and words.p_text(raw, alpha),
        adjusted is not None and f"adjusted {words.p_text(adjusted, alpha)}",
        conclusion.n is not None and f"n = {conclusion.n}",
        conclusion.method,
    )
    return tuple(phrase for phrase in found if phrase)


def evidence_tables(details: Details, *, in_points: bool) -> tuple[Table, ...]:
    """Return the tables of a conclusion's evidence, differences in points or in the primary metric's own unit."""
    return _contrasts(details, in_points=in_points) if isinstance(details, OptionEffect) else tables(details)


@singledispatch
def tables(details: Details) -> tuple[Table, ...]:
    """Return the tables of a conclusion's evidence; most kinds have none."""
    del details
    return ()


@tables.register
def _(details: OptionEffect) -> tuple[Table, ...]:
    return _contrasts(details, in_points=True)


def _contrasts(details: OptionEffect, *, in_points: bool) -> tuple[Table, ...]:
    header = ("from", "to", "matched pairs", "difference", "95 % interval", "verdict")
    rows = tuple(
        (
            part.from_,
            part.to,
            str(part.pairs),
            _difference(part.estimate, in_points=in_points),
            numbers.points_interval(part.interval),
            part.verdict.replace("_", " "),
        )
        for part in details.contrasts
    )
    return (Table("Levels against each other", header, rows),) if rows else ()


def _difference(estimate: float | None, *, in_points: bool) -> str:
    return numbers.points(estimate) if in_points else numbers.change(estimate)


@tables.register
def _(details: EarlyStopping) -> tuple[Table, ...]:
    header = ("patience", "stops at epoch", "epochs saved", "keeps epoch", "its loss", "its clips right")
    picked = () if details.enough is None or details.enough in details.patiences else (details.enough,)
    rows = tuple(
        (
            f"{part.patience} (its own)" if part.patience == details.own else str(part.patience),
            "beyond what was run" if part.censored else numbers.whole(part.stop_epoch),
            numbers.whole(part.epochs_saved),
            numbers.whole(part.kept_epoch),
            numbers.loss(part.val_loss),
            numbers.whole(part.correct),
        )
        for part in sorted((*details.patiences, *picked), key=attrgetter("patience"))
    )
    return (Table("What other patiences would have done", header, rows),) if rows else ()


@tables.register
def _(details: LearningRate) -> tuple[Table, ...]:
    header = ("after epoch", "from", "to", "lowest loss before", "lowest loss after")
    rows = tuple(
        (
            str(drop.epoch),
            numbers.rate(drop.before),
            numbers.rate(drop.after),
            numbers.loss(drop.best_before),
            numbers.loss(drop.best_after),
        )
        for drop in details.drops
    )
    return (Table("Drops of the learning rate", header, rows),) if rows else ()


@tables.register
def _(details: Classes) -> tuple[Table, ...]:
    classes = tuple(
        (
            part.name,
            f"{part.wrong} of {part.n}",
            numbers.percent_interval(part.interval),
            numbers.percent(part.mean_wrong),
            part.taken_for or "–",
        )
        for part in details.classes
    )
    clips = tuple((part.clip, part.label, part.taken_for, str(part.agreeing)) for part in details.always_wrong)
    of_clips = ("clip", "label", "mostly taken for", "by runs")
    header = ("class", "wrong in the best run", "95 % interval", "wrong on average", "mostly taken for")
    return (
        *((Table("Errors by class", header, classes),) if classes else ()),
        *((Table("Clips that every run gets wrong", of_clips, clips),) if clips else ()),
    )
