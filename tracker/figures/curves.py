"""Loss and accuracy by epoch: one figure a run, and all runs as small multiples on the same axes.

Where none of the runs that are drawn together logged accuracy, there are no panels for it.
Training is a dashed line, validation a solid one. A star marks the best epoch (the lowest validation loss), a triangle
every drop of the learning rate, a square the last epoch; they stand on the validation curve.

What a figure of curves says in words: its finding for those who cannot see it, and its numbers as a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tracker.figures.data import Trace, accuracy_limits, at, finite, first_lost, loss_limits, trace_of
from tracker.figures.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    SMALL,
    TINY,
    TITLE,
    VERMILION,
    WIDTH,
    label,
    paper,
    place,
    png,
    style,
    wrapped,
    write,
)
from tracker.report import Picture
from tracker.study.run_results import is_fraction
from tracker.wording import NONE, curve_cell, percent, rate_cell, short_loss

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tracker.runs import Curve, Run

_COLUMNS = 4
_BLOCK, _SIDE, _GAP = 3.1, 0.58, 0.14
"""Height of a row of small multiples, the margin at its left and the gap between two, in inches."""
_PANEL = 1.1
"""Height of one panel of a small multiple with the gap below it, in inches."""
_LETTERS = 23.5
"""Letters of a small multiple's title that fit an inch."""
_MISSING = "not logged by epoch"
_FEW = 12
"""Up to so many epochs each is a dot too: a line through one epoch cannot be seen."""

Pen = dict[str, Any]

_TRAINING: Pen = {"color": VERMILION, "linestyle": (0, (4, 2)), "linewidth": 1.1, "markersize": 3}
_VALIDATION: Pen = {"color": BLUE, "linestyle": "-", "linewidth": 1.4, "markersize": 3}
_SIGN: Pen = {"linestyle": "none", "markeredgecolor": INK, "markeredgewidth": 0.7}
_BEST = _SIGN | {"marker": "*", "markersize": 9.5, "markerfacecolor": GREEN}
_DROP = _SIGN | {"marker": "v", "markersize": 5.5, "markerfacecolor": ORANGE}
_STOP = _SIGN | {"marker": "s", "markersize": 5, "markerfacecolor": "white"}


@dataclass(frozen=True, slots=True)
class _Scale:
    """The limits that several runs share."""

    epochs: tuple[float, float]
    losses: tuple[float, float]
    accuracies: tuple[float, float]


def run_curves(run: Run) -> Picture:
    """Draw the curves of one run.

    Parameters
    ----------
    run : Run

    Returns
    -------
    Picture
        Its table has a row an epoch, thinned where they are many.

    Raises
    ------
    ValueError
        If neither loss nor accuracy was logged by epoch.
    """
    trace = trace_of(run)
    if not trace.drawable:
        raise ValueError(f"curves need loss or accuracy by epoch, and run {run.run_id} logged neither")
    return section_curves([trace])[0]


def section_curves(traces: Sequence[Trace]) -> tuple[Picture, ...]:
    """Draw each run's curves in a figure of its own, all of them on the same axes.

    The frame is drawn once, and each run's lines on a copy of it: that makes the second figure five times as fast.
    """
    with style():
        figure = paper(2.75)
        axes = _side_by_side(figure, with_accuracy=_with_accuracy(traces))
        _frame(axes, _scale(traces))
        for one in axes:
            one.set_xlabel("epoch", labelpad=1)
        _legend(figure, traces)
        return tuple(_copies(figure, axes, traces))


def _side_by_side(figure: Figure, *, with_accuracy: bool) -> tuple[Axes, ...]:
    if not with_accuracy:
        return (place(figure, 0.5, 0.75, 7.25, 1.65),)
    return place(figure, 0.5, 0.75, 3.3, 1.65), place(figure, 4.45, 0.75, 3.3, 1.65)


def _with_accuracy(traces: Sequence[Trace]) -> bool:
    return any(curve is not None for trace in traces for curve in trace.accuracies) or not any(
        curve is not None for trace in traces for curve in trace.losses
    )


def overview(traces: Sequence[Trace]) -> Picture:
    """Draw the curves of several runs as small multiples on shared axes, loss above accuracy."""
    with style():
        columns = min(len(traces), _COLUMNS)
        blocks = -(-len(traces) // columns)
        with_accuracy = _with_accuracy(traces)
        height = _BLOCK if with_accuracy else _BLOCK - _PANEL
        figure, scale = paper(0.3 + blocks * height), _scale(traces)
        for position, trace in enumerate(traces):
            block, column = divmod(position, columns)
            width = (WIDTH - _SIDE) / columns
            corner = _SIDE + column * width, 0.3 + (blocks - 1 - block) * height
            _small_multiple(figure, corner, width - _GAP, trace, scale, with_accuracy=with_accuracy)
        _legend(figure, traces)
        shown = tuple(trace.run_id for trace in traces)
        alt, (header, rows) = finding_of_all(traces), table_of_all(traces)
        return Picture("curves", png(figure), alt, header, rows, shown)


def _scale(traces: Sequence[Trace]) -> _Scale:
    last = max((trace.stop_epoch or 1 for trace in traces), default=1)
    epochs = (1 - min(0.9, 0.02 * last), 1.02 * last) if last > 1 else (0.5, 1.5)
    return _Scale(epochs, loss_limits(traces), accuracy_limits(traces))


def _frame(axes: tuple[Axes, ...], scale: _Scale) -> None:
    """Set the limits and ticks of a loss and an accuracy panel."""
    for one, limits in zip(axes, (scale.losses, scale.accuracies), strict=False):
        one.set_xlim(scale.epochs)
        one.set_ylim(limits)
        one.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        one.yaxis.set_major_locator(MaxNLocator(4))
    if len(axes) > 1 and scale.accuracies[1] < 1.1:
        axes[1].set_yticks((0, 0.25, 0.5, 0.75, 1))
        axes[1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))


def _copies(figure: Figure, axes: tuple[Axes, ...], traces: Sequence[Trace]) -> Iterator[Picture]:
    """Draw the frame, then each run on a copy of it."""
    canvas: Any = figure.canvas
    canvas.draw()
    frame = canvas.copy_from_bbox(figure.bbox)
    for trace in traces:
        canvas.restore_region(frame)
        drawn = [*_draw(axes, trace), *_titles(axes, trace), *_remarks(axes, trace)]
        for artist in drawn:
            artist.draw(canvas.get_renderer())
        header, rows = table(trace)
        yield Picture("curves", png(figure, redraw=False), finding(trace), header, rows, (trace.run_id,))
        for artist in drawn:
            artist.remove()


def _small_multiple(
    figure: Figure, corner: tuple[float, float], width: float, trace: Trace, scale: _Scale, *, with_accuracy: bool
) -> None:
    """Draw one run into a column, `corner` its lower left in inches; only the first column has numbers at its side."""
    left, bottom = corner
    panels = 2 if with_accuracy else 1
    axes = tuple(place(figure, left, bottom + 0.32 + _PANEL * above, width, 1.0) for above in range(panels))[::-1]
    _frame(axes, scale)
    for one in axes[:-1]:
        one.tick_params(labelbottom=False)
    axes[-1].set_xlabel("epoch", labelpad=1)
    for one, name in zip(axes, ("loss", "accuracy"), strict=False):
        one.tick_params(labelleft=left < 1)
        one.set_ylabel(name if left < 1 else "")
    top = bottom + 0.6 + _PANEL * panels
    write(figure, left, top, label(trace.name, 20), fontsize=TITLE, fontweight="bold")
    title = wrapped(trace.title, int(_LETTERS * width), lines=3)
    write(figure, left, top - 0.08, title, fontsize=TINY - 1, color=MUTED, va="top", linespacing=1.35)
    _draw(axes, trace)


def _draw(axes: tuple[Axes, ...], trace: Trace) -> list[Artist]:
    """Draw a run's losses and accuracies with their marks."""
    drawn: list[Artist] = []
    for one, curves in zip(axes, (trace.losses, trace.accuracies), strict=False):
        for curve, pen in zip(curves, (_TRAINING, _VALIDATION), strict=True):
            drawn += _line(one, curve, pen) if curve is not None else []
        marked = curves[1] if curves[1] is not None else curves[0]
        for epochs, sign in (((trace.stop_epoch,), _STOP), (trace.drops, _DROP), ((trace.best_epoch,), _BEST)):
            drawn += _marks(one, marked, epochs, sign)
    return drawn


def _line(axes: Axes, curve: Curve, pen: Pen) -> list[Line2D]:
    values = finite(curve)
    return axes.plot(curve.epochs, values, marker="o" if np.isfinite(values).sum() <= _FEW else None, **pen)


def _marks(axes: Axes, curve: Curve | None, epochs: tuple[int | None, ...], sign: Pen) -> list[Line2D]:
    highest = axes.get_ylim()[1]
    points = [(epoch, value) for epoch in epochs if (value := at(curve, epoch)) is not None and value <= highest]
    return axes.plot(*zip(*points, strict=True), clip_on=False, **sign) if points else []


def _titles(axes: tuple[Axes, ...], trace: Trace) -> list[Artist]:
    """Say above each panel what it shows, and of which run."""
    run = f"{label(trace.name, 20)} · " if trace.name else ""
    look: Pen = {"fontsize": TITLE, "fontweight": "bold"}
    return [
        one.text(0, 1.04, run + name, transform=one.transAxes, **look)
        for one, name in zip(axes, ("Loss", "Accuracy"), strict=False)
    ]


def _remarks(axes: tuple[Axes, ...], trace: Trace) -> list[Artist]:
    """Say above each panel what the best epoch came to, and inside it what cannot be seen."""
    loss, accuracy = at(trace.val_loss, trace.best_epoch), at(trace.val_accuracy, trace.best_epoch)
    where = f"at epoch {trace.best_epoch}"
    beyond = _beyond(trace, axes[0].get_ylim()[1])
    drawn = [
        *_remark(axes[0], f"lowest {short_loss(loss)} {where}" if loss is not None else ""),
        *_remark(axes[0], beyond, y=0.93, va="top", color=VERMILION),
        *_remark(axes[0], "" if any(trace.losses) else _MISSING, y=0.5),
    ]
    for panel in axes[1:]:
        drawn += _remark(panel, f"{percent(accuracy)} {where}" if accuracy is not None and accuracy <= 1 else "")
        drawn += _remark(panel, "" if any(trace.accuracies) else _MISSING, y=0.5)
    return drawn


def _remark(axes: Axes, text: str, y: float = 1.04, **properties: Any) -> list[Artist]:
    look = {"color": MUTED, "ha": "right"} | properties
    return [axes.text(0.99, y, text, transform=axes.transAxes, **look)] if text else []


def _beyond(trace: Trace, limit: float) -> str:
    """Say which losses the panel cannot show."""
    lost = first_lost(trace)
    if lost is not None:
        return f"not finite from epoch {lost}"
    highest = max((np.nanmax(finite(curve)) for curve in trace.losses if curve is not None), default=0.0)
    return f"up to {short_loss(highest)}, cut off" if highest > limit else ""


def _legend(figure: Figure, traces: Sequence[Trace]) -> None:
    """Explain below the panels the lines and marks that occur."""
    known = {
        "training": (_TRAINING, any(t.loss is not None or t.accuracy is not None for t in traces)),
        "validation": (_VALIDATION, any(t.val_loss is not None or t.val_accuracy is not None for t in traces)),
        "best epoch": (_BEST, any(t.best_epoch is not None for t in traces)),
        "learning rate drops": (_DROP, any(t.drops for t in traces)),
        "last epoch": (_STOP, any(t.stop_epoch is not None for t in traces)),
    }
    lines = [Line2D([], [], label=name, **pen) for name, (pen, occurs) in known.items() if occurs]
    figure.legend(handles=lines, loc="lower center", ncols=len(lines), fontsize=SMALL, borderaxespad=0.3)


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
        f"{who}'s validation loss is lowest at epoch {trace.best_epoch}, {short_loss(lowest)}, "
        f"and {short_loss(last)} at the last epoch, {trace.stop_epoch}."
    )


def finding_of_all(traces: Sequence[Trace]) -> str:
    """Return the finding of several runs' curves in a sentence."""
    lowest = {trace.name: value for trace in traces if (value := at(trace.val_loss, trace.best_epoch)) is not None}
    drawn = "Loss and accuracy" if any(curve is not None for t in traces for curve in t.accuracies) else "Loss"
    what = f"{drawn} by epoch of {len(traces)} runs"
    if not lowest:
        return f"{what}; no validation loss was logged."
    best = min(lowest, key=lambda name: lowest[name])
    return f"{what}: the lowest validation loss is {best}'s, {short_loss(lowest[best])}."


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
    kept = [place for place in range(len(header)) if any(row[place] not in (NONE, "") for row in rows)]
    return tuple(header[place] for place in kept), tuple(tuple(row[place] for place in kept) for row in rows)


def _summary(trace: Trace) -> tuple[str, ...]:
    best, last = trace.best_epoch, trace.stop_epoch
    accuracy = at(trace.val_accuracy, best)
    return (
        trace.name,
        NONE if best is None else str(best),
        _cell(trace.val_loss, best),
        _accuracy(accuracy),
        NONE if last is None else str(last),
        _cell(trace.val_loss, last),
        ", ".join(map(str, trace.drops)) or NONE,
    )


def _accuracy(value: float | None) -> str:
    """Write an accuracy in percent, one that is no share of clips as it was logged."""
    if value is None:
        return NONE
    return percent(value) if is_fraction(value) else short_loss(value)


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
    return NONE if rate is None else rate_cell(rate)


def _cell(curve: Curve | None, epoch: int | None, digits: int = 3) -> str:
    if curve is None or epoch not in curve.epochs:
        return NONE
    return curve_cell(at(curve, epoch), digits)
