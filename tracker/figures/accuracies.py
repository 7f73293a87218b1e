"""Validation accuracy of each run as a dot, with its 95 % interval as a whisker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.ticker import PercentFormatter

from tracker.conclusions.sentences.words import percent, percent_interval
from tracker.figures.drawing import BLUE, GREEN, INK, MUTED, SMALL, TINY, WIDTH, paper, place, png, style, write
from tracker.figures.labels import wrapped
from tracker.report import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from tracker.report import Accuracy, RunEntry

_LEFT, _RIGHT, _BELOW, _ABOVE = 3.1, 0.75, 0.5, 0.15
"""Margins in inches: for titles, counts, numbers and nothing."""
_PITCH, _NARROW = 0.34, 0.18
"""Inches from run to run, and the same where they are many: titles then have one line rather than two."""
_MANY = 16

_TITLE: dict[str, Any] = {"va": "center", "fontsize": TINY - 0.5, "color": MUTED, "linespacing": 1.3}


def accuracies(entries: Sequence[RunEntry]) -> Picture:
    """Draw how many clips each run classifies right, with the interval of the share.

    Parameters
    ----------
    entries : sequence of RunEntry
        In the order to be drawn, from above; those without an accuracy are left out.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If no run has an accuracy.
    """
    known = [(entry, entry.accuracy) for entry in entries if entry.accuracy is not None]
    if not known:
        raise ValueError("a figure of accuracies needs a run with its count of clips classified right")
    pitch, lines = (_PITCH, 2) if len(known) <= _MANY else (_NARROW, 1)
    with style():
        figure = paper(_BELOW + _ABOVE + pitch * len(known))
        axes = place(figure, _LEFT, _BELOW, WIDTH - _LEFT - _RIGHT, pitch * len(known))
        _frame(axes, [accuracy for _, accuracy in known])
        most = max(accuracy.share for _, accuracy in known)
        for row, (entry, accuracy) in enumerate(known):
            _whisker(axes, row, accuracy, best=accuracy.share == most)
            height = _BELOW + pitch * (len(known) - row - 0.5)
            write(figure, 0.08, height, f"Run {entry.number}", va="center", fontsize=SMALL, fontweight="bold")
            write(figure, 0.72, height, wrapped(entry.title, 50, lines), **_TITLE)
            count = f"{accuracy.correct} of {accuracy.n}"
            write(figure, WIDTH - _RIGHT + 0.08, height, count, va="center", fontsize=SMALL)
        shown = tuple(entry.run.run_id for entry, _ in known)
        return Picture("accuracies", png(figure), _finding(known), _HEADER, _rows(known), shown)


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
    axes.plot(accuracy.share, row, marker=marker, markersize=size, color=fill, markeredgecolor=INK, markeredgewidth=0.6)


def _finding(known: Sequence[tuple[RunEntry, Accuracy]]) -> str:
    entry, most = max(known, key=lambda pair: pair[1].share)
    equal = [f"run {other.number}" for other, accuracy in known if accuracy.share == most.share and other is not entry]
    also = f", as is {equal[0]}" if len(equal) == 1 else f", as are {len(equal)} others" if equal else ""
    low, high = percent_interval(most.interval).split(" to ")
    return (
        f"Run {entry.number} is right on the most validation clips, {most.correct} of {most.n}{also}; "
        f"its 95 % interval reaches from {low} to {high}."
    )


def _rows(known: Sequence[tuple[RunEntry, Accuracy]]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            f"Run {entry.number}",
            entry.title,
            f"{accuracy.correct} of {accuracy.n}",
            percent(accuracy.share),
            percent_interval(accuracy.interval),
        )
        for entry, accuracy in known
    )
