"""Dots with 95% intervals as whiskers: accuracies of runs, and differences against zero and the margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, PercentFormatter

from tracker import wording
from tracker.figures import style
from tracker.figures.style import BLUE, GREEN, INK, MUTED, RULE, SMALL, TINY, WIDTH
from tracker.report import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tracker.conclusions.conclusion import Difference, Verdict
    from tracker.report import RunEntry
    from tracker.statistics.proportions import Interval
    from tracker.study.run_results import Accuracy

_MANY = 16  # runs above which rows are narrow, with titles on one line

_TITLE: dict[str, Any] = {"va": "center", "fontsize": TINY - 0.5, "color": MUTED, "linespacing": 1.3}
_MARGIN: dict[str, Any] = {"facecolor": "#eef3f8", "hatch": "////"}
_SIGNS: dict[Verdict, tuple[str, str]] = {"supported": ("D", BLUE), "equivalent": ("s", GREEN)}
_OPEN = ("o", "white")  # marker and fill of any other verdict


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
    header = ("run", "title", "right", "share", "95% interval")
    rows = []
    for entry, accuracy in known:
        share, interval = wording.percent(accuracy.fraction), wording.percent_interval(accuracy.interval)
        rows.append((entry.name, entry.title, f"{accuracy.correct} of {accuracy.n}", share, interval))
    with style.applied():
        picture = style.png(draw_accuracies(known))
    ids = tuple(entry.run.run_id for entry, _ in known)
    return Picture("accuracies", picture, _finding_of_accuracies(known), header, tuple(rows), ids)


def draw_accuracies(known: Sequence[tuple[RunEntry, Accuracy]]) -> Figure:
    """Draw a row for each run, the first on top."""
    left, right, below, above = 3.1, 0.75, 0.5, 0.15  # margins in inches: for titles, counts, numbers and nothing
    pitch, lines = (0.34, 2) if len(known) <= _MANY else (0.18, 1)
    figure = style.paper(below + above + pitch * len(known))
    axes = style.place(figure, left, below, WIDTH - left - right, pitch * len(known))
    axes.set_xlim(max(0.0, min(accuracy.interval[0] for _, accuracy in known) - 0.04), 1.005)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol="%"))
    _frame(axes, len(known), "validation clips classified right, with the 95% interval")
    most = max(accuracy.fraction for _, accuracy in known)
    for row, (entry, accuracy) in enumerate(known):
        is_best = accuracy.fraction == most
        _whisker(axes, row, accuracy.interval, INK if is_best else MUTED)
        marker, fill = ("D", GREEN) if is_best else ("o", BLUE)
        look: dict[str, Any] = {"color": fill, "markersize": 6, "markeredgecolor": INK, "markeredgewidth": 0.6}
        axes.plot(accuracy.fraction, row, marker=marker, **look)
        height = below + pitch * (len(known) - row - 0.5)
        style.write(figure, 0.08, height, entry.name, va="center", fontsize=SMALL, fontweight="bold")
        style.write(figure, 0.72, height, style.wrapped(entry.title, 50, lines), **_TITLE)
        count = f"{accuracy.correct} of {accuracy.n}"
        style.write(figure, WIDTH - right + 0.08, height, count, va="center", fontsize=SMALL)
    return figure


def _frame(axes: Axes, rows: int, name: str) -> None:
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks([])
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(name, labelpad=2)


def _whisker(axes: Axes, row: int, interval: Interval, color: str) -> None:
    axes.plot(interval, (row, row), color=color, linewidth=1.4, solid_capstyle="butt")
    axes.plot(interval, (row, row), color=color, linestyle="none", marker="|", markersize=5)


def _finding_of_accuracies(known: Sequence[tuple[RunEntry, Accuracy]]) -> str:
    entry, most = max(known, key=lambda pair: pair[1].fraction)
    equal = [other.number for other, accuracy in known if accuracy.fraction == most.fraction and other is not entry]
    also = f", as is run {equal[0]}" if len(equal) == 1 else f", as are {len(equal)} others" if equal else ""
    return (
        f"{entry.name} is right on the most validation clips, {most.correct} of {most.n}{also}; "
        f"its 95% interval is {wording.percent_interval(most.interval)}."
    )


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
    header = ("difference", "estimate", "95% interval", "adjusted p", "verdict")
    table = []
    for row in rows:
        p_value = wording.NONE if row.p_value is None else wording.p_number(row.p_value, alpha)
        interval = f"{wording.points_interval(row.interval)} points"
        table.append((row.name, wording.points_cell(row.estimate), interval, p_value, row.verdict))
    with style.applied():
        picture = style.png(draw_differences(rows, margin, alpha))
    ids = tuple(dict.fromkeys(run for row in rows for run in row.runs))
    return Picture("differences", picture, _finding_of_differences(rows), header, tuple(table), ids)


def draw_differences(rows: Sequence[Difference], margin: float, alpha: float) -> Figure:
    """Draw a row for each difference, the first on top, on axes symmetric about zero."""
    left, right, below, above = 2.6, 1.15, 0.85, 0.1  # margins in inches: for names, p-values, legend and nothing
    pitch = 0.27
    figure = style.paper(below + above + pitch * len(rows))
    axes = style.place(figure, left, below, WIDTH - left - right, pitch * len(rows))
    reach = max(margin, *(abs(end) for row in rows for end in (*row.interval, row.estimate))) * 1.06
    axes.set_xlim(-reach, reach)
    axes.axvspan(-margin, margin, edgecolor=RULE, linewidth=0, zorder=0, **_MARGIN)
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{100 * value:+.3g}".replace("-", wording.MINUS) if value else "0")
    )
    _frame(axes, len(rows), "difference in validation accuracy, points, with the 95% interval")
    for position, row in enumerate(rows):
        _whisker(axes, position, row.interval, MUTED)
        axes.add_line(_sign(row.verdict, [row.estimate], [position]))
        y = below + pitch * (len(rows) - position - 0.5)
        style.write(figure, left - 0.12, y, style.label(row.name, 36), va="center", ha="right", fontsize=SMALL)
        p_value = "" if row.p_value is None else wording.p_text(row.p_value, alpha)
        style.write(figure, WIDTH - right + 0.12, y, p_value, va="center", fontsize=SMALL, color=MUTED)
    verdicts = {row.verdict for row in rows}
    known: dict[Verdict, str] = {"supported": "supported", "equivalent": "equivalent", "inconclusive": "cannot be told"}
    handles = [_sign(verdict, [], [], name) for verdict, name in known.items() if verdict in verdicts]
    band = Patch(edgecolor=MUTED, linewidth=0.4, label=f"within the margin of ±{wording.points(margin)}", **_MARGIN)
    style.legend(figure, [*handles, band])
    return figure


def _sign(verdict: Verdict, x: list[float], y: list[float], name: str = "") -> Line2D:
    marker, fill = _SIGNS.get(verdict, _OPEN)
    look: dict[str, Any] = {"markerfacecolor": fill, "markeredgecolor": INK, "markeredgewidth": 0.8, "markersize": 5.5}
    return Line2D(x, y, linestyle="none", marker=marker, label=name, zorder=3, **look)


def _finding_of_differences(rows: Sequence[Difference]) -> str:
    supported = [row for row in rows if row.verdict == "supported"]
    if not supported:
        largest = max(rows, key=lambda row: abs(row.estimate))
        return (
            f"None of {len(rows)} differences is supported; the largest, {largest.name}, is "
            f"{wording.points_cell(largest.estimate)}, interval {wording.points_interval(largest.interval)} points."
        )
    names = ", ".join(f"{row.name} by {wording.points_cell(row.estimate)}" for row in supported[:3])
    more = f" and {len(supported) - 3} more" if len(supported) > 3 else ""
    return f"{len(supported)} of {len(rows)} differences are supported: {names}{more}."
