"""Dots with 95 % intervals as whiskers: accuracies of runs, and differences against zero and the margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, PercentFormatter

from tracker.figures.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    RULE,
    SMALL,
    TINY,
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
from tracker.wording import (
    MINUS,
    p_number,
    p_text,
    percent,
    percent_interval,
    percent_number,
    points,
    points_cell,
    points_interval,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tracker.conclusions.conclusion import Difference, Verdict
    from tracker.report import RunEntry
    from tracker.study.run_results import Accuracy

_LEFT, _RIGHT, _BELOW, _ABOVE = 3.1, 0.75, 0.5, 0.15  # margins in inches: for titles, counts, numbers and nothing
_PITCH, _NARROW = 0.34, 0.18  # inches from run to run, and the same if they are many: titles then have one line
_MANY = 16

_TITLE: dict[str, Any] = {"va": "center", "fontsize": TINY - 0.5, "color": MUTED, "linespacing": 1.3}


def accuracies(entries: Sequence[RunEntry]) -> Picture:
    """Draw how many clips each run classifies right, with the interval of the share.

    Runs are drawn in order, from above; those without an accuracy are left out.

    Raises
    ------
    ValueError
        If no run has an accuracy.
    """
    known = [(entry, accuracy) for entry in entries if (accuracy := entry.result.accuracy) is not None]
    if not known:
        raise ValueError("a figure of accuracies needs a run with its count of clips classified right")
    with style():
        figure = draw_accuracies(known)
        shown = tuple(entry.run.run_id for entry, _ in known)
        return Picture("accuracies", png(figure), _finding(known), _HEADER, _rows(known), shown)


def draw_accuracies(known: Sequence[tuple[RunEntry, Accuracy]]) -> Figure:
    """Draw a row for each run, the first on top."""
    pitch, lines = (_PITCH, 2) if len(known) <= _MANY else (_NARROW, 1)
    figure = paper(_BELOW + _ABOVE + pitch * len(known))
    axes = place(figure, _LEFT, _BELOW, WIDTH - _LEFT - _RIGHT, pitch * len(known))
    _frame(axes, [accuracy for _, accuracy in known])
    most = max(accuracy.fraction for _, accuracy in known)
    for row, (entry, accuracy) in enumerate(known):
        _whisker(axes, row, accuracy, best=accuracy.fraction == most)
        height = _BELOW + pitch * (len(known) - row - 0.5)
        write(figure, 0.08, height, entry.name, va="center", fontsize=SMALL, fontweight="bold")
        write(figure, 0.72, height, wrapped(entry.title, 50, lines), **_TITLE)
        count = f"{accuracy.correct} of {accuracy.n}"
        write(figure, WIDTH - _RIGHT + 0.08, height, count, va="center", fontsize=SMALL)
    return figure


_HEADER = ("run", "title", "right", "share", "95 % interval")


def _frame(axes: Axes, known: Sequence[Accuracy]) -> None:
    lowest = min(accuracy.interval[0] for accuracy in known)
    axes.set_xlim(max(0.0, lowest - 0.04), 1.005)
    axes.set_ylim(len(known) - 0.5, -0.5)
    axes.set_yticks([])
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.set_xlabel("validation clips classified right, with the 95 % interval", labelpad=2)


def _whisker(axes: Axes, row: int, accuracy: Accuracy, *, best: bool) -> None:
    """Draw one run; the most accurate has a filled diamond, the others a circle."""
    axes.plot(accuracy.interval, (row, row), color=INK if best else MUTED, linewidth=1.4, solid_capstyle="butt")
    axes.plot(accuracy.interval, (row, row), color=INK if best else MUTED, linestyle="none", marker="|", markersize=5)
    marker, size, fill = ("D", 6, GREEN) if best else ("o", 6, BLUE)
    axes.plot(
        accuracy.fraction, row, marker=marker, markersize=size, color=fill, markeredgecolor=INK, markeredgewidth=0.6
    )


def _finding(known: Sequence[tuple[RunEntry, Accuracy]]) -> str:
    entry, most = max(known, key=lambda pair: pair[1].fraction)
    equal = [
        f"run {other.number}" for other, accuracy in known if accuracy.fraction == most.fraction and other is not entry
    ]
    also = f", as is {equal[0]}" if len(equal) == 1 else f", as are {len(equal)} others" if equal else ""
    low, high = most.interval
    return (
        f"{entry.name} is right on the most validation clips, {most.correct} of {most.n}{also}; "
        f"its 95 % interval reaches from {percent_number(low)} to {percent(high)}."
    )


def _rows(known: Sequence[tuple[RunEntry, Accuracy]]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            entry.name,
            entry.title,
            f"{accuracy.correct} of {accuracy.n}",
            percent(accuracy.fraction),
            percent_interval(accuracy.interval),
        )
        for entry, accuracy in known
    )


# Margins in inches: for names, p-values, numbers with the legend, and nothing; then from row to row.
_DIFFERENCE_LEFT, _DIFFERENCE_RIGHT, _DIFFERENCE_BELOW, _DIFFERENCE_ABOVE = 2.6, 1.15, 0.85, 0.1
_DIFFERENCE_PITCH = 0.27
_SIGNS: dict[Verdict, tuple[str, str]] = {"supported": ("D", BLUE), "equivalent": ("s", GREEN)}
_OPEN = ("o", "white")  # marker and fill of any other verdict


def differences(rows: Sequence[Difference], *, margin: float, alpha: float = 0.05) -> Picture:
    """Draw differences of accuracy in order, from above.

    Parameters
    ----------
    margin : float, fraction
        Half the width of the band within which a difference does not matter.
    alpha : float
        The level of the tests: p-values are written with the digits that set them apart from it.

    Raises
    ------
    ValueError
        If there is no row.
    """
    if not rows:
        raise ValueError("a figure of differences needs at least one difference with an interval")
    with style():
        figure = draw_differences(rows, margin, alpha)
        shown = tuple(dict.fromkeys(run for row in rows for run in row.runs))
        table = tuple(_cells(row, alpha) for row in rows)
        return Picture("differences", png(figure), _difference_finding(rows), _DIFFERENCE_HEADER, table, shown)


def draw_differences(rows: Sequence[Difference], margin: float, alpha: float) -> Figure:
    """Draw a row for each difference, the first on top."""
    height, width = _DIFFERENCE_PITCH * len(rows), WIDTH - _DIFFERENCE_LEFT - _DIFFERENCE_RIGHT
    figure = paper(_DIFFERENCE_BELOW + _DIFFERENCE_ABOVE + height)
    axes = place(figure, _DIFFERENCE_LEFT, _DIFFERENCE_BELOW, width, height)
    _difference_frame(axes, rows, margin)
    for position, row in enumerate(rows):
        _difference_whisker(axes, position, row)
        y = _DIFFERENCE_BELOW + _DIFFERENCE_PITCH * (len(rows) - position - 0.5)
        write(figure, _DIFFERENCE_LEFT - 0.12, y, label(row.name, 36), va="center", ha="right", fontsize=SMALL)
        p_value = "" if row.p_value is None else p_text(row.p_value, alpha)
        write(figure, WIDTH - _DIFFERENCE_RIGHT + 0.12, y, p_value, va="center", fontsize=SMALL, color=MUTED)
    _legend(figure, rows, margin)
    return figure


_DIFFERENCE_HEADER = ("difference", "estimate", "95 % interval", "adjusted p", "verdict")


def _difference_frame(axes: Axes, rows: Sequence[Difference], margin: float) -> None:
    """Set the axes symmetric about zero, and draw the zero line and the margin band."""
    reach = max(margin, *(abs(end) for row in rows for end in (*row.interval, row.estimate))) * 1.06
    axes.set_xlim(-reach, reach)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.axvspan(-margin, margin, facecolor="#eef3f8", edgecolor=RULE, hatch="////", linewidth=0, zorder=0)
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{100 * value:+.3g}".replace("-", MINUS) if value else "0")
    )
    axes.set_xlabel("difference in validation accuracy, points, with the 95 % interval", labelpad=2)


def _difference_whisker(axes: Axes, position: int, row: Difference) -> None:
    axes.plot(row.interval, (position, position), color=MUTED, linewidth=1.4, solid_capstyle="butt")
    axes.plot(row.interval, (position, position), color=MUTED, linestyle="none", marker="|", markersize=5)
    axes.add_line(_sign(row.verdict, [row.estimate], [position]))


def _sign(verdict: Verdict, x: list[float], y: list[float], name: str = "") -> Line2D:
    marker, fill = _SIGNS.get(verdict, _OPEN)
    look: dict[str, Any] = {"markerfacecolor": fill, "markeredgecolor": INK, "markeredgewidth": 0.8, "markersize": 5.5}
    return Line2D(x, y, linestyle="none", marker=marker, label=name, zorder=3, **look)


def _legend(figure: Figure, rows: Sequence[Difference], margin: float) -> None:
    """Explain below the axes the signs that occur."""
    verdicts = {row.verdict for row in rows}
    known: dict[Verdict, str] = {"supported": "supported", "equivalent": "equivalent", "inconclusive": "cannot be told"}
    handles = [_sign(verdict, [], [], name) for verdict, name in known.items() if verdict in verdicts]
    band = Patch(facecolor="#eef3f8", edgecolor=MUTED, hatch="////", linewidth=0.4)
    band.set_label(f"within the margin of ±{points(margin)}")
    figure.legend(handles=[*handles, band], loc="lower center", ncols=4, fontsize=SMALL, borderaxespad=0.3)


def _difference_finding(rows: Sequence[Difference]) -> str:
    supported = [row for row in rows if row.verdict == "supported"]
    if not supported:
        largest = max(rows, key=lambda row: abs(row.estimate))
        return (
            f"None of {len(rows)} differences is supported; the largest, {largest.name}, is "
            f"{points_cell(largest.estimate)}, interval {points_interval(largest.interval)} points."
        )
    names = ", ".join(f"{row.name} by {points_cell(row.estimate)}" for row in supported[:3])
    more = f" and {len(supported) - 3} more" if len(supported) > 3 else ""
    return f"{len(supported)} of {len(rows)} differences are supported: {names}{more}."


def _cells(row: Difference, alpha: float) -> tuple[str, ...]:
    p_value = "–" if row.p_value is None else p_number(row.p_value, alpha)
    return row.name, points_cell(row.estimate), f"{points_interval(row.interval)} points", p_value, row.verdict
