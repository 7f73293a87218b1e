"""Loss and accuracy by epoch: one figure a run, and all runs as small multiples on the same axes.

There are no panels for accuracy if none of the runs that are drawn together logged it. Training is a dashed line,
validation a solid one. A star marks the best epoch (the lowest validation loss), a triangle every drop of the learning
rate, a square the last epoch; they stand on the validation curve. The same in words, for those who cannot see it, and
as a table is at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tracker.figures import style
from tracker.figures.style import BLUE, GREEN, INK, MUTED, ORANGE, TINY, TITLE, VERMILION, WIDTH
from tracker.report import Picture
from tracker.study.metrics import is_fraction, primary_metric
from tracker.study.run_results import run_results
from tracker.wording import NONE, curve_cell, percent, rate_text, short_loss

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from tracker.report import RunEntry
    from tracker.runs import Curve, Run
    from tracker.study.run_results import RunResult

# In inches: a row of small multiples, the margin at its left, the gap between two; a panel with the gap below it
_BLOCK, _SIDE, _GAP = 3.1, 0.58, 0.14
_PANEL = 1.1
_COLUMNS = 4
_LETTERS = 23.5  # letters of a small multiple's title that fit an inch
_ROWS = 20  # of one run's table, about
_FEW = 12  # up to so many epochs each is a dot too: a line through one epoch cannot be seen
_OUTLYING = 3.0  # a loss this many times the 95th percentile would squash all the rest, and is cut off

Pen = dict[str, Any]

_TRAINING: Pen = {"color": VERMILION, "linestyle": (0, (4, 2)), "linewidth": 1.1, "markersize": 3}
_VALIDATION: Pen = {"color": BLUE, "linestyle": "-", "linewidth": 1.4, "markersize": 3}
_SIGN: Pen = {"linestyle": "none", "markeredgecolor": INK, "markeredgewidth": 0.7}
_BEST = _SIGN | {"marker": "*", "markersize": 9.5, "markerfacecolor": GREEN}
_DROP = _SIGN | {"marker": "v", "markersize": 5.5, "markerfacecolor": ORANGE}
_STOP = _SIGN | {"marker": "s", "markersize": 5, "markerfacecolor": "white"}


Limits = tuple[float, float]
Table = tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]  # a header and its rows


def run_curves(run: Run) -> Picture:
    """Draw the curves of one run; the table has a row an epoch, thinned if they are many.

    Raises
    ------
    ValueError
        If neither loss nor accuracy was logged by epoch.
    """
    (result,) = run_results([run], primary_metric([run], None))
    if not is_drawable(result):
        raise ValueError(f"curves need loss or accuracy by epoch, and run {run.run_id} logged neither")
    return _one_figure_each([("", result)])[0]


def is_drawable(result: RunResult) -> bool:
    """Return whether anything was logged by epoch."""
    return any(curve is not None for curve in (*result.curves.losses, *result.curves.accuracies))


def section_curves(entries: Sequence[RunEntry]) -> tuple[Picture, ...]:
    """Draw each run's curves in a figure of its own, all of them on the same axes."""
    return _one_figure_each([(entry.name, entry.result) for entry in entries])


def _one_figure_each(named: Sequence[tuple[str, RunResult]]) -> tuple[Picture, ...]:
    """Draw the frame once, and each run's lines on a copy of it: that makes the second figure five times as fast."""
    results, pictures = [result for _, result in named], []
    with style.applied():
        figure = style.paper(2.75)
        columns = ((0.5, 3.3), (4.45, 3.3)) if _with_accuracy(results) else ((0.5, 7.25),)
        axes = tuple(style.place(figure, left, 0.75, width, 1.65) for left, width in columns)
        _frame(axes, results)
        for panel in axes:
            panel.set_xlabel("epoch", labelpad=1)
        _legend(figure, results)
        canvas: Any = figure.canvas
        canvas.draw()
        frame = canvas.copy_from_bbox(figure.bbox)
        for name, result in named:
            canvas.restore_region(frame)
            drawn = [*_draw(axes, result), *_titles(axes, name), *_remarks(axes, result)]
            for artist in drawn:
                artist.draw(canvas.get_renderer())
            header, rows = table(result)
            png = style.png(figure, redraw=False)
            for artist in drawn:
                artist.remove()
            pictures.append(Picture("curves", png, finding(result, name), header, rows, (result.run_id,)))
    return tuple(pictures)


def _with_accuracy(results: Sequence[RunResult]) -> bool:
    """Return whether there are panels for accuracy: any was logged, or there is no loss either."""
    accuracies = any(curve is not None for result in results for curve in result.curves.accuracies)
    return accuracies or not any(curve is not None for result in results for curve in result.curves.losses)


def overview(entries: Sequence[RunEntry]) -> Picture:
    """Draw the curves of several runs as small multiples on shared axes, loss above accuracy."""
    header, rows = table_of_all(entries)
    with style.applied():
        png = style.png(draw_overview(entries))
    return Picture("curves", png, finding_of_all(entries), header, rows, tuple(entry.run.run_id for entry in entries))


def draw_overview(entries: Sequence[RunEntry]) -> Figure:
    """Draw a column of panels for each run, four to a row."""
    results = [entry.result for entry in entries]
    columns = min(len(entries), _COLUMNS)
    blocks = -(-len(entries) // columns)
    height = _BLOCK if _with_accuracy(results) else _BLOCK - _PANEL
    figure = style.paper(0.3 + blocks * height)
    for position, entry in enumerate(entries):
        block, column = divmod(position, columns)
        width = (WIDTH - _SIDE) / columns
        left, bottom = _SIDE + column * width, 0.3 + (blocks - 1 - block) * height
        _small_multiple(figure, left, bottom, width - _GAP, entry, results)
    _legend(figure, results)
    return figure


def _small_multiple(
    figure: Figure, left: float, bottom: float, width: float, entry: RunEntry, results: Sequence[RunResult]
) -> None:
    """Draw one of several runs into a column; only the first column has numbers at its side."""
    panels = 2 if _with_accuracy(results) else 1
    places = (bottom + 0.32 + _PANEL * above for above in range(panels))
    axes = tuple(style.place(figure, left, place, width, 1.0) for place in places)[::-1]
    _frame(axes, results)
    for panel in axes[:-1]:
        panel.tick_params(labelbottom=False)
    axes[-1].set_xlabel("epoch", labelpad=1)
    for panel, name in zip(axes, ("loss", "accuracy"), strict=False):
        panel.tick_params(labelleft=left < 1)
        panel.set_ylabel(name if left < 1 else "")
    top = bottom + 0.6 + _PANEL * panels
    style.write(figure, left, top, style.label(entry.name, 20), fontsize=TITLE, fontweight="bold")
    title = style.wrapped(entry.title, int(_LETTERS * width), lines=3)
    style.write(figure, left, top - 0.08, title, fontsize=TINY - 1, color=MUTED, va="top", linespacing=1.35)
    _draw(axes, entry.result)


def _frame(axes: tuple[Axes, ...], results: Sequence[RunResult]) -> None:
    """Set the limits and ticks of a loss and an accuracy panel, the same for all runs that are drawn together."""
    last = max((result.stop_epoch or 1 for result in results), default=1)
    accuracies = accuracy_limits(results)
    for panel, limits in zip(axes, (loss_limits(results), accuracies), strict=False):
        panel.set_xlim((1 - min(0.9, 0.02 * last), 1.02 * last) if last > 1 else (0.5, 1.5))
        panel.set_ylim(limits)
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        panel.yaxis.set_major_locator(MaxNLocator(4))
    if len(axes) > 1 and accuracies[1] < 1.1:
        axes[1].set_yticks((0, 0.25, 0.5, 0.75, 1))
        axes[1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol="%"))


def loss_limits(results: Sequence[RunResult]) -> Limits:
    """Return the lowest and highest loss that the axes show, shared by all runs.

    A loss that is several times the 95th percentile is beyond them: it would press every curve flat.
    """
    values = _finite_values(curve for result in results for curve in result.curves.losses)
    if not len(values):
        return 0.0, 1.0
    usual = float(np.quantile(values, 0.95))
    high = 1.5 * usual if values.max() > _OUTLYING * usual > 0 else float(values.max())
    low = min(0.0, 1.05 * float(values.min()))
    return (low, high + 0.05 * (high - low)) if high > low else (low, low + 1.0)


def accuracy_limits(results: Sequence[RunResult]) -> Limits:
    """Return the limits of the accuracy axes: 0 to 1, or further if accuracies were logged in other units."""
    values = _finite_values(curve for result in results for curve in result.curves.accuracies)
    return 0.0, 1.03 * float(values.max(initial=1.0))


def _finite_values(curves: Iterable[Curve | None]) -> NDArray[np.float64]:
    values = np.concatenate([np.empty(0), *(curve.values for curve in curves if curve is not None)])
    finite: NDArray[np.float64] = values[np.isfinite(values)]
    return finite


def _draw(axes: tuple[Axes, ...], result: RunResult) -> list[Artist]:
    """Draw a run's losses and accuracies with their marks."""
    drawn: list[Artist] = []
    for panel, curves in zip(axes, (result.curves.losses, result.curves.accuracies), strict=False):
        for curve, pen in zip(curves, (_TRAINING, _VALIDATION), strict=True):
            if curve is not None:
                values = np.where(np.isfinite(curve.values), curve.values, np.nan)  # a gap
                marker = "o" if np.isfinite(values).sum() <= _FEW else None
                drawn += panel.plot(curve.epochs, values, marker=marker, **pen)
        marked = curves[1] if curves[1] is not None else curves[0]
        for epochs, sign in (((result.stop_epoch,), _STOP), (_drops(result), _DROP), ((result.best_epoch,), _BEST)):
            points = [(epoch, value) for epoch in epochs if (value := _at(marked, epoch)) is not None]
            seen = [(epoch, value) for epoch, value in points if value <= panel.get_ylim()[1]]
            drawn += panel.plot(*zip(*seen, strict=True), clip_on=False, **sign) if seen else []
    return drawn


def _drops(result: RunResult) -> tuple[int, ...]:
    """Return the epochs after which the learning rate was lower."""
    return tuple(drop.epoch for drop in result.rate_drops or ())


def _at(curve: Curve | None, epoch: int | None) -> float | None:
    return None if curve is None else curve.at(epoch)


def _titles(axes: tuple[Axes, ...], name: str) -> Iterator[Artist]:
    """Write above each panel what it shows, and of which run."""
    for panel, quantity in zip(axes, ("Loss", "Accuracy"), strict=False):
        title = f"{style.label(name, 20)} · {quantity}" if name else quantity
        yield panel.text(0, 1.04, title, transform=panel.transAxes, fontsize=TITLE, fontweight="bold")


def _remarks(axes: tuple[Axes, ...], result: RunResult) -> Iterator[Artist]:
    """Write above each panel the value at the best epoch, and inside it what cannot be seen."""
    best, curves = result.best_epoch, result.curves
    loss, accuracy = _at(curves.val_loss, best), _at(curves.val_accuracy, best)
    if loss is not None:
        yield _remark(axes[0], f"lowest {short_loss(loss)} at epoch {best}")
    highest = max(_finite_values(curves.losses), default=0.0)
    if result.first_diverged_epoch is not None:
        yield _remark(axes[0], f"not finite from epoch {result.first_diverged_epoch}", 0.93, va="top", color=VERMILION)
    elif highest > axes[0].get_ylim()[1]:
        yield _remark(axes[0], f"up to {short_loss(highest)}, cut off", 0.93, va="top", color=VERMILION)
    if accuracy is not None and accuracy <= 1 and len(axes) > 1:
        yield _remark(axes[1], f"{percent(accuracy)} at epoch {best}")
    for panel, of_quantity in zip(axes, (curves.losses, curves.accuracies), strict=False):
        if not any(of_quantity):
            yield _remark(panel, "not logged by epoch", 0.5)


def _remark(axes: Axes, text: str, y: float = 1.04, *, color: str = MUTED, va: str = "baseline") -> Artist:
    return axes.text(0.99, y, text, transform=axes.transAxes, color=color, ha="right", va=va)


def _legend(figure: Figure, results: Sequence[RunResult]) -> None:
    """Explain below the panels the lines and marks that occur."""
    curves = [result.curves for result in results]
    known = {
        "training": (_TRAINING, any(c.loss is not None or c.accuracy is not None for c in curves)),
        "validation": (_VALIDATION, any(c.val_loss is not None or c.val_accuracy is not None for c in curves)),
        "best epoch": (_BEST, any(result.best_epoch is not None for result in results)),
        "learning rate drops": (_DROP, any(result.rate_drops for result in results)),
        "last epoch": (_STOP, any(result.stop_epoch is not None for result in results)),
    }
    style.legend(figure, [Line2D([], [], label=name, **pen) for name, (pen, occurs) in known.items() if occurs])


def finding(result: RunResult, name: str = "") -> str:
    """Return the finding of one run's curves in a sentence."""
    who, val_loss, stop = name or "The run", result.curves.val_loss, result.stop_epoch
    if result.first_diverged_epoch is not None:
        return f"{who}'s loss is not finite from epoch {result.first_diverged_epoch} on; the last epoch is {stop}."
    lowest = _at(val_loss, result.best_epoch)
    if lowest is None:
        return f"{who}'s curves over {stop} epochs; no validation loss was logged."
    return (
        f"{who}'s validation loss is lowest at epoch {result.best_epoch}, {short_loss(lowest)}, "
        f"and {short_loss(_at(val_loss, stop))} at the last epoch, {stop}."
    )


def finding_of_all(entries: Sequence[RunEntry]) -> str:
    """Return the finding of several runs' curves in a sentence."""
    at_best = {entry.name: _at(entry.result.curves.val_loss, entry.result.best_epoch) for entry in entries}
    lowest = {name: value for name, value in at_best.items() if value is not None}
    any_accuracy = any(curve is not None for entry in entries for curve in entry.result.curves.accuracies)
    what = f"{'Loss and accuracy' if any_accuracy else 'Loss'} by epoch of {len(entries)} runs"
    if not lowest:
        return f"{what}; no validation loss was logged."
    best = min(lowest, key=lambda name: lowest[name])
    return f"{what}: the lowest validation loss is {best}'s, {short_loss(lowest[best])}."


def table(result: RunResult) -> Table:
    """Return one run's curves as a table: each epoch of a short run, every so many of a long one, and the marked."""
    best, last, drops = result.best_epoch, result.stop_epoch or 1, _drops(result)
    every = max(1, -(-last // _ROWS))
    curves = (*result.curves.losses, *result.curves.accuracies)
    header = ("epoch", "loss", "validation loss", "accuracy", "validation accuracy", "learning rate", "mark")
    rows = []
    for epoch in sorted({1, best or last, last, *drops, *range(every, last + 1, every)}):
        rate = _at(result.curves.learning_rate, epoch)
        marks = {"best": epoch == best, "rate drops after it": epoch in drops, "last": epoch == result.stop_epoch}
        mark = ", ".join(word for word, holds in marks.items() if holds)
        cells = (_cell(curve, epoch, digits=4) for curve in curves)
        rows.append((str(epoch), *cells, NONE if rate is None else rate_text(rate, 6), mark))
    return _with_something(header, rows)


def table_of_all(entries: Sequence[RunEntry]) -> Table:
    """Return a table with a row a run: the values at its best and its last epoch."""
    header = ("run", "best epoch", "its loss", "its accuracy", "last epoch", "its loss", "rate drops after")
    rows = []
    for entry in entries:
        result, losses = entry.result, entry.result.curves.val_loss
        accuracy, accuracy_cell = _at(result.curves.val_accuracy, result.best_epoch), NONE
        if accuracy is not None:  # in percent, or as it was logged if it isn't a fraction
            accuracy_cell = percent(accuracy) if is_fraction(accuracy) else short_loss(accuracy)
        best, last = (NONE if epoch is None else str(epoch) for epoch in (result.best_epoch, result.stop_epoch))
        drops = ", ".join(map(str, _drops(result))) or NONE
        loss, last_loss = _cell(losses, result.best_epoch), _cell(losses, result.stop_epoch)
        rows.append((entry.name, best, loss, accuracy_cell, last, last_loss, drops))
    return _with_something(header, rows)


def _with_something(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    """Return a table without the columns in which nothing was logged."""
    columns = [column for column in range(len(header)) if any(row[column] not in (NONE, "") for row in rows)]
    return tuple(header[i] for i in columns), tuple(tuple(row[i] for i in columns) for row in rows)


def _cell(curve: Curve | None, epoch: int | None, digits: int = 3) -> str:
    if curve is None or epoch not in curve.epochs:
        return NONE
    return curve_cell(curve.at(epoch), digits)
