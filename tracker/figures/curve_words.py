"""What a figure of curves says in words: its finding for those who cannot see it, and its numbers as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.conclusions.outcomes import is_share
from tracker.conclusions.sentences.words import percent
from tracker.figures.labels import short
from tracker.figures.traces import Trace, at, first_lost
from tracker.runs import number_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.runs import Curve

_ROWS = 20
"""Rows of one run's table: every epoch of a short run, every so many of a long one, and always the marked ones."""

Table = tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]
"""A header and its rows."""


def finding(trace: Trace) -> str:
    """Return the finding of one run's curves in a sentence."""
    who = trace.name or "The run"
    lost = first_lost(trace)
    if lost is not None:
        return f"{who}'s loss is not finite from epoch {lost} on; the last epoch is {trace.stop_epoch}."
    lowest = at(trace.val_loss, trace.best_epoch)
    if lowest is None:
        return f"{who}'s curves over {trace.stop_epoch} epochs; no validation loss was logged."
    last = at(trace.val_loss, trace.stop_epoch)
    return (
        f"{who}'s validation loss is lowest at epoch {trace.best_epoch}, {short(lowest)}, "
        f"and {short(last)} at the last epoch, {trace.stop_epoch}."
    )


def finding_of_all(traces: Sequence[Trace]) -> str:
    """Return the finding of several runs' curves in a sentence."""
    lowest = {trace.name: value for trace in traces if (value := at(trace.val_loss, trace.best_epoch)) is not None}
    drawn = "Loss and accuracy" if any(curve is not None for t in traces for curve in t.accuracies) else "Loss"
    what = f"{drawn} by epoch of {len(traces)} runs"
    if not lowest:
        return f"{what}; no validation loss was logged."
    best = min(lowest, key=lambda name: lowest[name])
    return f"{what}: the lowest validation loss is {best}'s, {short(lowest[best])}."


def table(trace: Trace) -> Table:
    """Return one run's curves as a table with a row an epoch."""
    columns = (*trace.losses, *trace.accuracies)
    header = ("epoch", "loss", "validation loss", "accuracy", "validation accuracy", "learning rate", "mark")
    rows = tuple(
        (str(epoch), *(_cell(column, epoch, digits=4) for column in columns), _rate(trace, epoch), _mark(trace, epoch))
        for epoch in _epochs(trace)
    )
    return _told(header, rows)


def table_of_all(traces: Sequence[Trace]) -> Table:
    """Return a table with a row a run: what its curves come to."""
    header = ("run", "best epoch", "its loss", "its accuracy", "last epoch", "its loss", "rate drops after")
    return _told(header, tuple(_summary(trace) for trace in traces))


def _told(header: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> Table:
    """Return a table without the columns in which nothing was logged."""
    kept = [place for place in range(len(header)) if any(row[place] not in ("–", "") for row in rows)]
    return tuple(header[place] for place in kept), tuple(tuple(row[place] for place in kept) for row in rows)


def _summary(trace: Trace) -> tuple[str, ...]:
    best, last = trace.best_epoch, trace.stop_epoch
    accuracy = at(trace.val_accuracy, best)
    return (
        trace.name,
        "–" if best is None else str(best),
        _cell(trace.val_loss, best),
        _accuracy(accuracy),
        "–" if last is None else str(last),
        _cell(trace.val_loss, last),
        ", ".join(map(str, trace.drops)) or "–",
    )


def _accuracy(value: float | None) -> str:
    """Write an accuracy in percent, one that is no share of clips as it was logged."""
    if value is None:
        return "–"
    return percent(value) if is_share(value) else short(value)


def _epochs(trace: Trace) -> list[int]:
    """Return the epochs that the table shows."""
    last = trace.stop_epoch or 1
    every = max(1, -(-last // _ROWS))
    marked = {1, trace.best_epoch or last, last, *trace.drops}
    return sorted(marked | set(range(every, last + 1, every)))


def _mark(trace: Trace, epoch: int) -> str:
    marks = {
        "best": epoch == trace.best_epoch,
        "rate drops after it": epoch in trace.drops,
        "last": epoch == trace.stop_epoch,
    }
    return ", ".join(word for word, holds in marks.items() if holds)


def _rate(trace: Trace, epoch: int) -> str:
    rate = at(trace.rate, epoch)
    return "–" if rate is None else number_text(float(f"{rate:.6g}"))


def _cell(curve: Curve | None, epoch: int | None, digits: int = 3) -> str:
    if curve is None or epoch not in curve.epochs:
        return "–"
    value = at(curve, epoch)
    return "not finite" if value is None else f"{value:.{digits}g}" if abs(value) < 1e-3 else f"{value:.{digits}f}"
