"""The probabilities of classes over the time of a clip: a step a segment, the classes that matter by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracker.figures import style, svg
from tracker.figures.style import MEDIUM, WIDE
from tracker.report import Panel
from tracker.runs import number_text
from tracker.wording import counted, percent, percent_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.report import Picture
    from tracker.report.model import Layout

    Clip = tuple[str, NDArray[np.float64], NDArray[np.float32]]  # name, times (n, 2), probabilities (n, n_classes)

_MOST_CLIPS = 12
_LINES = ("va", "tr", "frame", "frame")  # of the most probable class on average, the next one, and two more
_LEFT, _TOP, _BELOW, _RIGHT, _HEIGHT = 44.0, 12.0, 30.0, 96.0, 150.0
_TICKS = (0.0, 0.5, 1.0)
_LETTERS = 12  # of a class's name beside its line
_APART = 15.0  # of two names
_BETWEEN = 6.0  # words of an axis, at least


def probabilities_over_time(clips: Sequence[Clip], classes: Sequence[str], run_id: str) -> Picture:
    """Draw clips, at most twelve; the table has a row a clip and segment.

    Raises
    ------
    ValueError
        If there is no clip.
    """
    if not clips:
        raise ValueError("there is no clip to draw: none could be predicted")
    drawn = clips[:_MOST_CLIPS]
    width = WIDE if len(drawn) == 1 else MEDIUM
    panels = [Panel(_draw(clip, classes, width), caption=clip[0], detail=_finding(clip, classes)) for clip in drawn]
    first = f"{drawn[0][0]}: {_finding(drawn[0], classes)}"
    title = first if len(clips) == 1 else f"Probabilities of {counted(len(drawn), 'clip')} over time"
    if len(clips) > len(drawn):
        title = f"Probabilities of the first {len(drawn)} of {len(clips):,} clips over time"
    note = ["probability by segment", "solid: the most probable class on average", "dashed: the next one"]
    header = ("clip", "start, s", "end, s", *classes)
    rows = tuple(
        (name, number_text(round(start, 3)), number_text(round(end, 3)), *map(percent_cell, row.tolist()))
        for name, times, shares in drawn
        for (start, end), row in zip(times.tolist(), shares, strict=True)
    )
    layout: Layout = "single" if len(drawn) == 1 else "pair"
    return svg.picture("over-time", (title, note, f"{title}."), panels, (header, rows), (run_id,), layout)


def _finding(clip: Clip, classes: Sequence[str]) -> str:
    mean = clip[2].mean(axis=0)
    return f"{classes[int(mean.argmax())]}, {percent(float(mean.max()))} on average"


def _draw(clip: Clip, classes: Sequence[str], width: float) -> str:
    name, times, shares = clip
    across = width - _LEFT - _RIGHT
    x, y = svg.Scale(0, max(float(times.max()), 1e-3), 0, across), svg.Scale(0, 1, _HEIGHT, 0)
    parts = []
    for tick in _TICKS:
        words = f"{100 * tick:.0f}%"
        parts += [svg.line(0, y(tick), across, y(tick), "grid"), svg.text(-6, y(tick) + 4, words, "mut", "end")]
    for second, words in _seconds(x):
        parts.append(svg.line(x(second), _HEIGHT, x(second), _HEIGHT + 4, "axis"))
        parts.append(svg.text(x(second), _HEIGHT + 19, words, "mut", "middle"))
    # A segment's probability stands at its middle; the line reaches from the clip's beginning to its end.
    at = [times[0, 0], *times.mean(axis=1), times[-1, 1]]
    rows = [0, *range(len(times)), len(times) - 1]
    order = np.argsort(-shares.mean(axis=0), kind="stable")[: len(_LINES)].tolist()
    for place, column in reversed([*enumerate(order)]):
        points = zip(map(x, at), map(y, shares[rows, column].tolist()), strict=True)
        parts.append(svg.path(points, _LINES[place], classes[column]))
    ends = [y(float(shares[-1, column])) + 4 for column in order]
    for place, height in enumerate(_apart(ends)):
        words = style.label(classes[order[place]], _LETTERS)
        parts.append(svg.text(across + 6, height, words, ("blu bld", "wrm", "mut", "mut")[place]))
    alt = f"{name}: {_finding(clip, classes)}."
    return svg.drawing(width, _HEIGHT + _TOP + _BELOW, [svg.moved(_LEFT, _TOP, parts)], alt)


def _seconds(x: svg.Scale) -> list[tuple[float, str]]:
    """Return the ticks of a time axis with their words, at most five, and fewer if these would touch."""
    ticks = [(0.0, "0 s")]
    for most in (2, 3, 4, 5):
        more = [(second, f"{number_text(round(second, 6))} s") for second in x.ticks(most)]
        widest = max(style.text_width(words, style.SMALL) for _, words in more)
        if len(more) > len(ticks) and x(more[1][0]) - x(more[0][0]) > widest + _BETWEEN:
            ticks = more
    return ticks


def _apart(heights: Sequence[float]) -> list[float]:
    """Return the heights of names in the order given, moved so that none covers another."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed: list[float] = []
    for at in order:
        placed.append(max(heights[at], placed[-1] + _APART) if placed else heights[at])
    for place in reversed(range(len(placed))):
        below = placed[place + 1] - _APART if place + 1 < len(placed) else _HEIGHT + 4
        placed[place] = min(placed[place], below)
    return [placed[order.index(at)] for at in range(len(heights))]
