"""Loss and accuracy by epoch: runs as small multiples on one scale, and one run's loss beside its accuracy.

Training is a dashed line, validation a solid one. A ring marks the best epoch (the lowest validation loss), a dashed
rule every drop of the learning rate. The same in words and as a table is at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tracker.conclusions.overfitting import by_curves
from tracker.figures import style, svg
from tracker.figures.style import MEDIUM, SMALL_MULTIPLE
from tracker.report import Panel, Plot
from tracker.runs import number_text
from tracker.study.metrics import is_fraction, primary_metric
from tracker.study.run_results import run_results
from tracker.wording import MINUS, NONE, curve_cell, metric_text, percent, rate_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tracker.report import Picture, RunEntry
    from tracker.runs import Curve, Run
    from tracker.study.run_results import RunResult

_ROWS = 20  # of one run's table, about
_FEW = 12  # up to so many epochs each is a dot too: a line through one epoch cannot be seen
_OUTLYING = 3.0  # losses above this many times what is usual would press all the rest flat, and are cut off
_LARGEST = 1e300  # what is beyond it, a double cannot be scaled by
_COMPARABLE = 0.5  # the shortest run has at least this fraction of the longest's epochs, or each has its own axis

_HEIGHTS = {SMALL_MULTIPLE: 150.0, MEDIUM: 210.0}  # of a panel, by its width
_TOP, _BELOW, _RIGHT = 8.0, 38.0, 10.0  # margins of a panel


Table = tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]  # a header and its rows


class _Limits(NamedTuple):
    """What the axes of a panel show."""

    first: float  # epoch
    last: float
    low: float
    high: float


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
    return _of_one_run("", result)


def is_drawable(result: RunResult) -> bool:
    """Return whether anything was logged by epoch."""
    return any(curve is not None for curve in (*result.curves.losses, *result.curves.accuracies))


def section_curves(entries: Sequence[RunEntry]) -> tuple[Picture, ...]:
    """Draw each run's curves in a figure of its own."""
    return tuple(_of_one_run(entry.name, entry.result) for entry in entries)


def _of_one_run(name: str, result: RunResult) -> Picture:
    panels = []
    for quantity, curves in (("Loss", result.curves.losses), ("Accuracy", result.curves.accuracies)):
        if any(curve is not None for curve in curves):
            limits = loss_limits([result]) if quantity == "Loss" else accuracy_limits([result])
            epochs = epoch_limits([result])
            detail = _detail(result, quantity)
            alt = f"{name or 'The run'}: {quantity.lower()} by epoch{f'; {detail}' if detail else ''}."
            drawn, plot = _panel(result, quantity, _Limits(*epochs, *limits), MEDIUM, alt, has_labels=True)
            panels.append(Panel(drawn, caption=quantity, detail=detail, plot=plot))
    alt = finding(result, name)
    words = (alt.removesuffix("."), _note([result]), alt)
    return svg.picture("curves", words, panels, table(result), (result.run_id,), "pair")


def _detail(result: RunResult, quantity: str) -> str:
    """Return the value at the best epoch in words; empty if it isn't known."""
    best, curves = result.best_epoch, result.curves
    if quantity == "Loss":
        loss = _at(curves.val_loss, best)
        return "" if loss is None else f"lowest {metric_text(loss)} at epoch {best}"
    accuracy = _at(curves.val_accuracy, best)
    return "" if accuracy is None or not is_fraction(accuracy) else f"{percent(accuracy)} at epoch {best}"


def overview(entries: Sequence[RunEntry], captions: Sequence[str]) -> Picture:
    """Draw the losses of several runs as small multiples on one scale, in order; accuracies if none logged a loss.

    A caption says the configuration of a run.
    """
    results = [entry.result for entry in entries]
    quantity = "Loss" if any(curve is not None for r in results for curve in r.curves.losses) else "Accuracy"
    limits = loss_limits(results) if quantity == "Loss" else accuracy_limits(results)
    is_shared, panels = _has_shared_epochs(results), []
    for position, (entry, detail) in enumerate(zip(entries, captions, strict=True)):
        epochs = epoch_limits(results if is_shared else [entry.result])
        alt = finding(entry.result, entry.name)
        small = _Limits(*epochs, *limits)
        drawn, plot = _panel(entry.result, quantity, small, SMALL_MULTIPLE, alt, has_labels=position == 0)
        panels.append(Panel(drawn, caption=entry.name, detail=detail, plot=plot))
    runs = tuple(entry.run.run_id for entry in entries)
    note = _note(results, quantity, is_shared=is_shared)
    title, alt = title_of_all(entries), finding_of_all(entries)
    return svg.picture("curves", (title, note, alt), panels, table_of_all(entries), runs, "multiples")


def _note(results: Sequence[RunResult], quantity: str | None = None, *, is_shared: bool = True) -> list[str]:
    """Explain the lines and marks that occur."""
    curves = [result.curves for result in results]
    parts = {
        f"{quantity} by epoch": quantity is not None,
        "solid: validation": any(c.val_loss is not None or c.val_accuracy is not None for c in curves),
        "dashed: training": any(c.loss is not None or c.accuracy is not None for c in curves),
        "ring: best epoch": any(result.best_epoch is not None for result in results),
        "dashed rules: learning rate lowered": any(result.rate_drops for result in results),
        "each run on its own axis of epochs": not is_shared,
    }
    return [part for part, occurs in parts.items() if occurs]


def _has_shared_epochs(results: Sequence[RunResult]) -> bool:
    lengths = [result.stop_epoch or 1 for result in results]
    return min(lengths) >= _COMPARABLE * max(lengths)


def epoch_limits(results: Sequence[RunResult]) -> tuple[float, float]:
    """Return the first and the last epoch that the axis shows."""
    curves = [c for result in results for c in (*result.curves.losses, *result.curves.accuracies) if c is not None]
    first = min((int(curve.epochs[0]) for curve in curves if len(curve.epochs)), default=1)
    last = max((int(curve.epochs[-1]) for curve in curves if len(curve.epochs)), default=1)
    return (float(first), float(last)) if last > first else (first - 0.5, first + 0.5)


def loss_limits(results: Sequence[RunResult]) -> tuple[float, float]:
    """Return the lowest and highest loss that the axes show, shared by all runs.

    What is usual is the lower median over runs of each run's 95th percentile, so that neither an epoch nor a whole run
    that diverged presses the others flat: losses above three times that are beyond the axes.
    """
    of_runs = [values for result in results if len(values := _finite_values(result.curves.losses))]
    if not of_runs:
        return 0.0, 1.0
    each = sorted(float(np.quantile(values, 0.95)) for values in of_runs)
    usual, values = each[(len(each) - 1) // 2], np.concatenate(of_runs)
    high = float(values.max())
    if high > _OUTLYING * usual > 0:
        high = float(values[values <= _OUTLYING * usual].max())
    low = min(0.0, 1.05 * float(values.min()))
    return (low, high + 0.05 * (high - low)) if high > low else (low, low + 1.0)


def accuracy_limits(results: Sequence[RunResult]) -> tuple[float, float]:
    """Return the limits of the accuracy axes: 0 to 1, or further if accuracies were logged in other units."""
    values = np.concatenate([np.empty(0), *(_finite_values(result.curves.accuracies) for result in results)])
    return 0.0, 1.03 * float(values.max(initial=1.0))


def _finite_values(curves: Iterable[Curve | None]) -> NDArray[np.float64]:
    values = np.concatenate([np.empty(0), *(curve.values for curve in curves if curve is not None)])
    finite: NDArray[np.float64] = values[np.abs(values) < _LARGEST]
    return finite


def _panel(
    result: RunResult, quantity: str, limits: _Limits, width: int, alt: str, *, has_labels: bool
) -> tuple[str, Plot | None]:
    """Draw one quantity of one run: its grid, the rules of rate drops, both lines, and the ring of the best epoch."""
    height = _HEIGHTS[width]
    down = height - _TOP - _BELOW
    y = svg.Scale(limits.low, limits.high, down, 0)
    ticks = {value: _tick(value, quantity, limits) for value in y.ticks(4 if width == SMALL_MULTIPLE else 6)}
    left = max(style.text_width(words, style.SMALL) for words in ticks.values()) + 12
    across = width - left - _RIGHT
    x = svg.Scale(limits.first, limits.last, 0, across)
    curves = result.curves.losses if quantity == "Loss" else result.curves.accuracies
    parts = [svg.line(0, y(value), across, y(value), "grid") for value in ticks]
    parts += [*_rate_drops(result, x, down), *_lines(curves, quantity, x, y)]
    highest = max(_finite_values(curves), default=0.0)
    if highest > limits.high:
        parts = [svg.window(across, down, parts)]
    parts += [svg.text(-5, y(value) + 4, words, "mut", "end") for value, words in ticks.items()]
    parts += [*_epochs(x, down), *_best(result, curves, quantity, x, y)]
    remark = _remark(result, curves, quantity, highest if highest > limits.high else None)
    parts += [svg.text(across, 10, remark, "wrm halo", "end")] if remark else []
    if has_labels:
        parts += _names(curves, x, y)
    plot = _plot(result, curves, (left, _TOP, across, down), limits, in_percent=_in_percent(quantity, limits))
    return svg.drawing(width, height, [svg.moved(left, _TOP, parts)], alt), plot


def _plot(
    result: RunResult,
    curves: Sequence[Curve | None],
    area: tuple[float, float, float, float],
    limits: _Limits,
    *,
    in_percent: bool,
) -> Plot | None:
    """Return the values of the epochs at which either line is drawn; None if neither is."""
    named = zip(("training", "validation"), curves, strict=True)
    logged = {name: curve for name, curve in named if curve is not None and len(curve.epochs)}
    drawn = [svg.thinned(curve.epochs.astype(float), curve.values)[0] for curve in logged.values()]
    if not drawn:
        return None
    epochs = tuple(np.unique(np.concatenate(drawn)).astype(int).tolist())
    by_epoch = {name: dict(zip(c.epochs.tolist(), c.values.tolist(), strict=True)) for name, c in logged.items()}
    lines = tuple((name, tuple(map(values.get, epochs))) for name, values in by_epoch.items())
    return Plot(area, limits, epochs, lines, result.best_epoch, in_percent)


def _remark(result: RunResult, curves: Sequence[Curve | None], quantity: str, cut_off: float | None) -> str:
    """Return what cannot be seen in a panel; empty if all can."""
    if all(curve is None for curve in curves):
        return "not logged"
    if quantity == "Loss" and result.first_diverged_epoch is not None:
        return f"not finite from {result.first_diverged_epoch}"
    return "" if cut_off is None else f"up to {cut_off:.3g}"


def _tick(value: float, quantity: str, limits: _Limits) -> str:
    if _in_percent(quantity, limits):
        return f"{100 * value:.0f}%"
    return number_text(float(f"{value:.3g}")).replace("-", MINUS)


def _in_percent(quantity: str, limits: _Limits) -> bool:
    return quantity == "Accuracy" and limits.high < 1.1


def _epochs(x: svg.Scale, down: float) -> Iterator[str]:
    """Write the numbers of the epochs; the first one stands for those close to it."""
    first = x.low if x.low == int(x.low) else x.low + 0.5
    for epoch in (first, *(tick for tick in x.ticks(4, whole=True) if x(tick) - x(first) > 22)):
        yield svg.text(x(epoch), down + 16, f"{epoch:.0f}", "mut", "middle")


def _rate_drops(result: RunResult, x: svg.Scale, down: float) -> Iterator[str]:
    for drop in result.rate_drops or ():
        words = f"learning rate lowered after epoch {drop.epoch}: {rate_text(drop.before)} to {rate_text(drop.after)}"
        yield svg.line(x(drop.epoch), 0, x(drop.epoch), down, "cut", words)


def _lines(curves: Sequence[Curve | None], quantity: str, x: svg.Scale, y: svg.Scale) -> Iterator[str]:
    looks = (("tr", "dotw", "training"), ("va", "dot", "validation"))
    for curve, (line, dot, which) in zip(curves, looks, strict=True):
        if curve is None:
            continue
        epochs, values = svg.thinned(curve.epochs.astype(float), curve.values)
        seen = np.where(np.isfinite(values), np.clip(values, *_reach(y)), np.nan)
        places = [(x(epoch), y(value)) for epoch, value in zip(epochs, seen, strict=True)]
        yield svg.path(places, line, f"{which} {quantity.lower()}")
        few = [place for place in places if np.isfinite(place[1])]
        if len(few) <= _FEW:
            yield from (svg.circle(*place, 1.8, dot) for place in few)


def _reach(y: svg.Scale) -> tuple[float, float]:
    """Return the values between which a line is drawn exactly: some way beyond the axes it is cut off anyway."""
    return y.low - (y.high - y.low), y.high + 2 * (y.high - y.low)


def _best(
    result: RunResult, curves: Sequence[Curve | None], quantity: str, x: svg.Scale, y: svg.Scale
) -> Iterator[str]:
    """Draw the ring of the best epoch, and its number below the axis."""
    best, marked = result.best_epoch, curves[1] if curves[1] is not None else curves[0]
    value = _at(marked, best)
    if best is None or value is None:
        return
    shown = percent(value) if quantity == "Accuracy" and is_fraction(value) else metric_text(value)
    if y.low <= value <= y.high:
        yield svg.line(x(best), y(value), x(best), y.start, "down")
        yield svg.circle(x(best), y(value), 3.2, "ring", f"best epoch {best}: {quantity.lower()} {shown}")
    words = f"best {best}"
    half = 1.15 * style.text_width(words, style.SMALL) / 2  # it is bold
    place = min(max(x(best), half - 16), x.end + _RIGHT - half - 3)
    yield svg.text(place, y.start + 32, words, "blu bld", "middle")


def _names(curves: Sequence[Curve | None], x: svg.Scale, y: svg.Scale) -> Iterator[str]:
    """Name both lines near their ends, where the words cover as little of either as possible."""
    lines = [_places(curve, x, y) for curve in curves if curve is not None]
    drawn = np.concatenate([np.empty((0, 2)), *lines])
    for curve, which, look in zip(curves, ("training", "validation"), ("wrm halo", "blu halo"), strict=True):
        if curve is None or not len(own := _places(curve, x, y)):
            continue
        width = style.text_width(which, style.SMALL)
        best = (np.inf, 0.0, 0.0)
        for end in np.linspace(x.end, width, 12):
            near = own[(own[:, 0] > end - width) & (own[:, 0] < end + 3), 1]
            for base in (near.min() - 5, near.max() + 15) if len(near) else ():
                if 10 <= base <= y.start - 3:
                    over = (abs(drawn[:, 0] - end + width / 2) < width / 2 + 3) & (abs(drawn[:, 1] - base + 4) < 9)
                    best = min(best, (float(over.sum()), float(end), float(base)), key=lambda place: place[0])
        if np.isfinite(best[0]):
            _, end, base = best
            yield svg.text(end, base, which, look, "end")
            box = np.stack([np.linspace(end - width, end, 8), np.full(8, base - 4)], axis=1)
            drawn = np.concatenate([drawn, box])  # the other name keeps away from this one


def _places(curve: Curve, x: svg.Scale, y: svg.Scale) -> NDArray[np.float64]:
    """Return where a line's points stand, shape (n, 2), without those that are not drawn."""
    points = zip(curve.epochs.tolist(), curve.values.tolist(), strict=True)
    places = [(x(epoch), y(value)) for epoch, value in points if y.low <= value <= y.high]
    return np.array(places).reshape(-1, 2)


def _drops(result: RunResult) -> tuple[int, ...]:
    """Return the epochs after which the learning rate was lower."""
    return tuple(drop.epoch for drop in result.rate_drops or ())


def _at(curve: Curve | None, epoch: int | None) -> float | None:
    return None if curve is None else curve.at(epoch)


def finding(result: RunResult, name: str = "") -> str:
    """Return the finding of one run's curves in a sentence."""
    who, val_loss, stop = name or "The run", result.curves.val_loss, result.stop_epoch
    if result.first_diverged_epoch is not None:
        return f"{who}'s loss is not finite from epoch {result.first_diverged_epoch} on; the last epoch is {stop}."
    lowest = _at(val_loss, result.best_epoch)
    if lowest is None:
        return f"{who}'s curves over {stop} epochs; no validation loss was logged by epoch."
    if result.best_epoch == stop:
        return f"{who}'s validation loss is lowest at its last epoch, {stop}: {metric_text(lowest)}."
    last = _at(val_loss, stop)
    ending = "" if last is None else f", and {metric_text(last)} at the last epoch, {stop}"
    return f"{who}'s validation loss is lowest at epoch {result.best_epoch}, {metric_text(lowest)}{ending}."


def finding_of_all(entries: Sequence[RunEntry]) -> str:
    """Return the finding of several runs' curves in a sentence."""
    lowest = _lowest(entries)
    any_loss = any(curve is not None for entry in entries for curve in entry.result.curves.losses)
    what = f"{'Loss' if any_loss else 'Accuracy'} by epoch of {len(entries)} runs"
    if not lowest:
        return f"{what}; no validation loss was logged by epoch."
    best = min(lowest, key=lambda name: lowest[name])
    return f"{what}: the lowest validation loss is {best}'s, {metric_text(lowest[best])}."


def _lowest(entries: Sequence[RunEntry]) -> dict[str, float]:
    at_best = {entry.name: _at(entry.result.curves.val_loss, entry.result.best_epoch) for entry in entries}
    return {name: value for name, value in at_best.items() if value is not None}


def title_of_all(entries: Sequence[RunEntry]) -> str:
    """Return the finding of several runs' curves in a line: whether half of them overfit, or most were improving."""
    known = [entry.result for entry in entries if entry.name in _lowest(entries)]
    found = [by_curves(result) for result in known]
    overfitting = sum(details is not None and details.overfits is True for details in found)
    improving = sum(result.best_epoch == result.stop_epoch for result in known)
    of_how_many = f"{{}} of {len(entries)} runs"
    if overfitting and 2 * overfitting >= len(entries):
        which = "all runs" if overfitting == len(entries) else of_how_many.format(overfitting)
        return f"Validation loss stops improving while training loss keeps falling in {which}"
    if 2 * improving > len(entries):
        which = "all runs" if improving == len(entries) else of_how_many.format(improving)
        return f"Validation loss was still falling at the last epoch of {which}"
    return finding_of_all(entries).rpartition(": ")[2].removesuffix(".").replace("the lowest", "The lowest", 1)


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
            accuracy_cell = percent(accuracy) if is_fraction(accuracy) else metric_text(accuracy)
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
