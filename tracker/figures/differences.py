"""Differences of accuracy with their intervals, against the zero line and the margin within which none matters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from tracker.conclusions.sentences.words import MINUS, p_text, points, points_interval
from tracker.figures.drawing import BLUE, GREEN, INK, MUTED, RULE, SMALL, WIDTH, paper, place, png, style, write
from tracker.figures.labels import label, signed
from tracker.report import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tracker.conclusions.conclusion import Interval, Verdict

_LEFT, _RIGHT, _BELOW, _ABOVE = 2.6, 1.15, 0.85, 0.1
"""Margins in inches: for names, p-values, numbers with the legend, and nothing."""
_PITCH = 0.27
"""Inches from row to row."""
_SIGNS: dict[Verdict, tuple[str, str]] = {"supported": ("D", BLUE), "equivalent": ("s", GREEN)}
_OPEN = ("o", "white")
"""Marker and fill of any other verdict."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference of accuracy.

    Parameters
    ----------
    name : str
        What is set against what: ``run 3 − run 1``, ``kernel size 7 → 3``.
    estimate : float, fraction
    interval : Interval
    p_value : float or None
        As it decides: adjusted.
    verdict : Verdict
    runs : tuple of str
        Run ids.
    """

    name: str
    estimate: float
    interval: Interval
    p_value: float | None
    verdict: Verdict
    runs: tuple[str, ...]


def differences(rows: Sequence[Difference], *, margin: float, alpha: float = 0.05) -> Picture:
    """Draw differences of accuracy.

    Parameters
    ----------
    rows : sequence of Difference
        In the order to be drawn, from above; at least one.
    margin : float, fraction
        Half the width of the band within which a difference does not matter.
    alpha : float
        The level that p-values are held against: they are written with the digits that set them apart from it.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If there is no row.
    """
    if not rows:
        raise ValueError("a figure of differences needs at least one difference with an interval")
    with style():
        figure = paper(_BELOW + _ABOVE + _PITCH * len(rows))
        axes = place(figure, _LEFT, _BELOW, WIDTH - _LEFT - _RIGHT, _PITCH * len(rows))
        _frame(axes, rows, margin)
        for position, row in enumerate(rows):
            _whisker(axes, position, row)
            height = _BELOW + _PITCH * (len(rows) - position - 0.5)
            write(figure, _LEFT - 0.12, height, label(row.name, 36), va="center", ha="right", fontsize=SMALL)
            p_value = "" if row.p_value is None else p_text(row.p_value, alpha)
            write(figure, WIDTH - _RIGHT + 0.12, height, p_value, va="center", fontsize=SMALL, color=MUTED)
        _legend(figure, rows, margin)
        shown = tuple(dict.fromkeys(run for row in rows for run in row.runs))
        table = tuple(_cells(row, alpha) for row in rows)
        return Picture("differences", png(figure), _finding(rows), _HEADER, table, shown)


_HEADER = ("difference", "estimate", "95 % interval", "adjusted p", "verdict")


def _frame(axes: Axes, rows: Sequence[Difference], margin: float) -> None:
    """Set the axes symmetric about zero, and draw the zero line and the margin band."""
    reach = max(margin, *(abs(end) for row in rows for end in (*row.interval, row.estimate))) * 1.06
    axes.set_xlim(-reach, reach)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.axvspan(-margin, margin, facecolor="#eef3f8", edgecolor=RULE, hatch="////", linewidth=0, zorder=0)
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    axes.set_xlabel("difference in validation accuracy, points, with the 95 % interval", labelpad=2)


def _tick(value: float) -> str:
    return f"{100 * value:+.3g}".replace("-", MINUS) if value else "0"


def _whisker(axes: Axes, position: int, row: Difference) -> None:
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


def _finding(rows: Sequence[Difference]) -> str:
    supported = [row for row in rows if row.verdict == "supported"]
    if not supported:
        largest = max(rows, key=lambda row: abs(row.estimate))
        return (
            f"None of {len(rows)} differences is supported; the largest, {largest.name}, is "
            f"{signed(largest.estimate)}, interval {points_interval(largest.interval)} points."
        )
    names = ", ".join(f"{row.name} by {signed(row.estimate)}" for row in supported[:3])
    more = f" and {len(supported) - 3} more" if len(supported) > 3 else ""
    return f"{len(supported)} of {len(rows)} differences are supported: {names}{more}."


def _cells(row: Difference, alpha: float) -> tuple[str, ...]:
    p_value = "–" if row.p_value is None else p_text(row.p_value, alpha).removeprefix("p = ").removeprefix("p ")
    return row.name, signed(row.estimate), f"{points_interval(row.interval)} points", p_value, row.verdict
