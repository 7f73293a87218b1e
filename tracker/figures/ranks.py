"""Configurations by their mean rank over data sets, best first, and which of them could be equally good.

It is the critical-difference diagram of papers that compare over data sets, a configuration a row: what lines join is
not significantly different. Drawn for a wide place, with the names at the left, and for a narrow one, with the names
above.
"""

from __future__ import annotations

from collections import Counter
from math import sqrt
from typing import TYPE_CHECKING

from tracker import wording
from tracker.conclusions.across_data_sets import mean_rank_text
from tracker.figures import style, svg
from tracker.figures.style import LABEL, NARROW, SMALL, WIDE
from tracker.report import Panel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.conclusions.across_data_sets import AcrossDataSets, RankedConfiguration
    from tracker.report import Picture

MOST_CONFIGURATIONS = 20
_MOST_LINES = 8  # groups that are drawn: those with the best configurations
_AXIS = 40.0  # height below the rows for the axis and its title
_NUMBER = 40.0  # width for mean ranks
_LINE = 13.0  # width for each group
_DOT, _SINGLE = 5.5, 2.2  # radii: of a mean rank, and of the rank on one data set


def mean_ranks(across: AcrossDataSets, *, is_best: bool) -> Picture:
    """Draw the configurations, given whether the first is significantly better than each of the others."""
    shown = across.configurations[:MOST_CONFIGURATIONS]
    groups = [tuple(place for place in group if place < len(shown)) for group in across.groups]
    groups = [group for group in groups if len(group) > 1][:_MOST_LINES]
    title = title_of_ranks(across, is_best=is_best)
    over = wording.counted(len(across.data_sets), "data set")
    alt = f"{title}: {', '.join(f'{c.name} {mean_rank_text(c)}' for c in shown[:5])}."
    more = len(across.configurations) - len(shown)
    note = [
        f"mean rank over {over}, 1 is best",
        "rings: ranks on single data sets, larger for more of them",
        *(["lines at the right join configurations that are not significantly different"] if groups else []),
        *([f"{more:,} more are not drawn"] if more else []),
    ]
    could_be = {True: "yes", False: "no", None: "not tested"}
    table = [
        (wording.begun(c.name), mean_rank_text(c), f"{c.times_first} of {len(c.ranks)}", could_be[c.tied])
        for c in shown
    ]
    header = ("configuration", "mean rank", "first on data sets", "could be the best")
    panel = Panel(_wide(shown, groups, alt), _narrow(shown, groups, alt))
    runs = [run for configuration in shown for run in configuration.runs]
    return svg.picture("ranks", (title, note, alt), [panel], (header, table), runs)


def title_of_ranks(across: AcrossDataSets, *, is_best: bool) -> str:
    """Return the finding in a line."""
    first, *others = across.configurations
    level = sum(other.mean_rank == first.mean_rank for other in others)
    whose = wording.begun(first.name)
    if level:
        whose = f"{wording.capitalised(wording.count_words(level + 1, 'configuration'))} share"
    head = f"{whose} the best mean rank" if level else f"{whose} has the best mean rank"
    if len(across.data_sets) < across.fewest:
        return f"{head}; {wording.counted(len(across.data_sets), 'data set')} are too few for a test"
    if is_best:
        return f"{head} and is significantly better than every other configuration"
    tied = sum(bool(other.tied) for other in others)
    if tied == len(others):
        return f"{head}, but no other configuration is significantly worse"
    return f"{head}; {tied} of the other {len(others)} could be as good" if tied else head


def _wide(rows: Sequence[RankedConfiguration], groups: Sequence[Sequence[int]], alt: str) -> str:
    pitch = 34.0
    names = style.distinct_labels([wording.begun(row.name) for row in rows], 44)
    left = min(max(*(style.text_width(name, LABEL) for name in names), 120.0) + 26, 430.0)
    end = WIDE - _NUMBER - _LINE * len(groups) - 22
    scale = svg.Scale(1.0, float(max(len(rows), 2)), left, end)
    bottom = pitch * len(rows)
    parts = [*_frame(scale, [(0.0, bottom)])]
    middles = [pitch * (place + 0.5) for place in range(len(rows))]
    for place, (row, name, y) in enumerate(zip(rows, names, middles, strict=True)):
        inside = [svg.text(0, y + 0.36 * LABEL, name, "lab"), *_marks(row, scale, y, pitch)]
        inside.append(svg.text(WIDE, y + 5, mean_rank_text(row), anchor="end"))
        parts.append(svg.group(inside, _class(row, place), _hover(row)))
    parts += _lines(groups, middles, end + 22)
    return svg.drawing(WIDE, bottom + _AXIS, parts, alt)


def _narrow(rows: Sequence[RankedConfiguration], groups: Sequence[Sequence[int]], alt: str) -> str:
    head, pitch = 18.0, 46.0
    names = style.distinct_labels([wording.begun(row.name) for row in rows], int((NARROW - _NUMBER) / (0.65 * SMALL)))
    end = NARROW - _LINE * len(groups) - 18
    scale = svg.Scale(1.0, float(max(len(rows), 2)), 14, end)
    bottom = pitch * len(rows)
    parts = [*_frame(scale, [(pitch * place + head, pitch * (place + 1)) for place in range(len(rows))])]
    middles = [pitch * place + head + 14 for place in range(len(rows))]
    for place, (row, name, y) in enumerate(zip(rows, names, middles, strict=True)):
        inside = [svg.text(0, y - 18, name, "bld halo"), *_marks(row, scale, y, pitch - head)]
        inside.append(svg.text(end + 4, y - 18, mean_rank_text(row), "halo", "end"))
        parts.append(svg.group(inside, _class(row, place), _hover(row)))
    parts += _lines(groups, middles, end + 16)
    return svg.drawing(NARROW, bottom + _AXIS, parts, alt)


def _class(row: RankedConfiguration, place: int) -> str | None:
    return "best" if not place or row.record is None else None


def _hover(row: RankedConfiguration) -> str:
    return f"{row.name}: mean rank {mean_rank_text(row)}, first on {row.times_first} of {len(row.ranks)} data sets"


def _frame(scale: svg.Scale, strips: Sequence[tuple[float, float]]) -> Iterator[str]:
    """Draw the grid in strips from a top to a bottom, its numbers and the axis' title."""
    ticks, bottom = scale.ticks(10, whole=True), strips[-1][1]
    for value in ticks:
        for start, stop in strips:
            yield svg.line(scale(value), start, scale(value), stop, "grid")
        yield svg.text(scale(value), bottom + 17, f"{value:.0f}", "mut", "middle")
    yield svg.text((scale.start + scale.end) / 2, bottom + 34, "rank", "mut", "middle")


def _marks(row: RankedConfiguration, scale: svg.Scale, y: float, room: float) -> Iterator[str]:
    """Draw the ranks on single data sets and their mean."""
    for rank, times in sorted(Counter(row.ranks).items()):
        yield svg.circle(scale(rank), y, min(_SINGLE * sqrt(times), room / 2 - 1), "s")
    yield svg.circle(scale(row.mean_rank), y, _DOT, "d")


def _lines(groups: Sequence[Sequence[int]], middles: Sequence[float], x: float) -> Iterator[str]:
    """Draw a line for each group of configurations that are not significantly different, with a dot on each of them."""
    for column, group in enumerate(groups):
        at = x + _LINE * column
        inside = [svg.line(at, middles[group[0]], at, middles[group[-1]], "w")]
        inside += [svg.circle(at, middles[place], 3.5, "d") for place in group]
        yield svg.group(inside, "best" if group[0] == 0 else None, "not significantly different")
