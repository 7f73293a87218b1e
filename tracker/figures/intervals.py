"""Estimates with their intervals as whiskers: configurations, best first, and effects against zero and the margin.

Each figure is drawn for a wide place, with the names at the left, and for a narrow one, with the names above.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker import wording
from tracker.figures import style, svg
from tracker.figures.style import LABEL, NARROW, SMALL, WIDE
from tracker.report import Panel
from tracker.runs import number_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tracker.conclusions.conclusion import Difference, Verdict
    from tracker.report import Picture
    from tracker.statistics.proportions import Interval

MOST_CONFIGURATIONS = 50
MOST_DIFFERENCES = 24
_MANY = 16  # rows above which they are compact, without subtitles

_AXIS = 24.0  # height below the rows for the numbers of the axis
_BASELINE = 20.0  # height above the rows for the name of the baseline
_RIGHT = 74.0  # width for counts and p-values
_DOT, _SEED = 5.5, 2.4  # radii


@dataclass(frozen=True, slots=True)
class ConfigurationRow:
    """A configuration in the headline figure; values in the unit of the metric, accuracies as fractions."""

    title: str  # what it is called: ``Run 2 · 7×7 kernel, lr 1e-4``
    subtitle: str  # the rest of it: ``no plateau, no early stopping``
    estimate: float  # mean over its runs
    interval: Interval | None
    points: tuple[float, ...]  # its single runs
    is_best: bool
    is_tied: bool  # not the best, but not statistically different from it
    count: str  # as it stands at the right: ``26/30``, or ``82.4%`` over several seeds
    is_tested: bool = True  # whether its difference from the best could be tested


@dataclass(frozen=True, slots=True)
class Baseline:
    """What needs no network: a line across the headline figure, and its name."""

    value: float
    name: str  # ``always the largest class: 20%``


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    sublabel: str
    right: str
    estimate: float
    interval: Interval | None
    points: tuple[float, ...]
    mark: str  # class of its dot: ``d`` filled, ``o`` open
    is_square: bool
    class_: str | None
    hover: str


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    high: float
    words: Callable[[float], str]
    baseline: Baseline | None = None
    margin: float | None = None  # half the width of a band about zero


def headline(
    rows: Sequence[ConfigurationRow],
    runs: Sequence[str],
    *,
    baseline: Baseline | None = None,
    is_fraction: bool = True,
    title: str | None = None,
    alt: str | None = None,
) -> Picture:
    """Draw configurations in order, the best on top: mean and interval, single runs as small dots.

    Parameters
    ----------
    rows : sequence of ConfigurationRow
        At least one; at most 50 are drawn.
    runs : sequence of str
        Ids of the runs that are drawn.
    is_fraction : bool
        Whether values are fractions, to be written in percent.
    title, alt : str, optional
        The finding in a line and in a sentence; by default what the rows show.

    Raises
    ------
    ValueError
        If there is no row.
    """
    if not rows:
        raise ValueError("a figure of configurations needs at least one with a result")
    shown = rows[:MOST_CONFIGURATIONS]
    axis = _headline_axis(shown, baseline, is_fraction=is_fraction)
    finding = finding_of_configurations(rows)
    alt = alt or f"{finding}."
    drawn = [_configuration(row, axis.words, is_fraction=is_fraction) for row in shown]
    note = ["95% confidence intervals"] if any(row.interval for row in shown) else []
    note += ["small dots: single runs"] if any(len(row.points) > 1 for row in shown) else []
    note += ["rings: not statistically different from the best"] if any(row.is_tied for row in shown) else []
    more = len(rows) - len(shown)
    note += [f"{more:,} more are not drawn"] if more else []
    number = wording.percent_cell if is_fraction else wording.metric_text
    table = tuple(
        (
            f"{row.title}{', ' if row.subtitle else ''}{row.subtitle}",
            row.count,
            number(row.estimate),
            _interval_words(row.interval, is_fraction=is_fraction),
        )
        for row in shown
    )
    header = ("configuration", "result", "mean", "95% interval")
    words = (title or title_of_configurations(rows), note, alt)
    return svg.picture("configurations", words, [_panel(drawn, axis, alt)], (header, table), runs)


def _interval_words(interval: Interval | None, *, is_fraction: bool) -> str:
    if is_fraction:
        return wording.percent_interval_cell(interval)
    return wording.NONE if interval is None else " to ".join(map(wording.metric_text, interval))


def _configuration(row: ConfigurationRow, words: Callable[[float], str], *, is_fraction: bool) -> _Row:
    whole = f"{row.title}: {row.count}, mean {words(row.estimate)}"
    interval = _interval_words(row.interval, is_fraction=is_fraction)
    return _Row(
        label=row.title,
        sublabel=row.subtitle,
        right=row.count,
        estimate=row.estimate,
        interval=row.interval,
        points=row.points if len(row.points) > 1 else (),
        mark="o" if row.is_tied else "d",
        is_square=False,
        class_="best" if row.is_best else None,
        hover=whole if row.interval is None else f"{whole}, 95% interval {interval}",
    )


def _headline_axis(rows: Sequence[ConfigurationRow], baseline: Baseline | None, *, is_fraction: bool) -> _Axis:
    values = [value for row in rows for value in (*(row.interval or ()), *row.points, row.estimate)]
    values += [baseline.value] if baseline else []
    low, high = min(values), max(values)
    room = 0.04 * (high - low) or 0.05 * abs(high) or 0.5
    if is_fraction and low >= 0 and high <= 1:
        return _Axis(max(0.0, low - 0.03), 1.0, lambda value: f"{number_text(round(100 * value, 1))}%", baseline)
    # as many digits as tell ticks apart, which are about a tenth of the axis from each other
    axes = max(abs(low), abs(high)) / (high - low + 2 * room)  # how many lengths of the axis the values are from 0
    digits = max(wording.SIGNIFICANT, math.ceil(math.log10(axes or 1.0)) + 2)
    return _Axis(low - room, high + room, lambda value: f"{value:.{digits}g}".replace("-", wording.MINUS), baseline)


def title_of_configurations(rows: Sequence[ConfigurationRow]) -> str:
    """Return what is seen in the headline figure at once: that every interval has room for the best, or the finding."""
    best = next((row for row in rows if row.is_best), rows[0])
    intervals = [row.interval for row in rows if row.interval is not None and (row.is_tied or row is best)]
    has_room = all(low <= best.estimate <= high for low, high in intervals)
    if not has_room or len(intervals) < max(2, len(rows)):
        return finding_of_configurations(rows)
    which = "Both" if len(rows) == 2 else f"All {wording.number_word(len(rows))}"
    return f"{which} 95% intervals contain the best result"


def finding_of_configurations(rows: Sequence[ConfigurationRow]) -> str:
    """Return which configuration is best, and how many others could be, in a line."""
    best = next((row for row in rows if row.is_best), rows[0])
    others = len(rows) - 1
    is_shared = best.subtitle and sum(row.title == best.title for row in rows) > 1
    called = f"{best.title}, {best.subtitle}" if is_shared else best.title
    run, _, words = style.label(called, 80).partition(": ")
    name = f"{run} ({words})" if words else run
    tied, untested = sum(row.is_tied for row in rows), sum(not row.is_tested for row in rows)
    shared = sum(row.estimate == best.estimate for row in rows) - 1
    if not others:
        return f"{name} has {best.count}"
    if shared:
        return f"{name} and {_of_others(shared, others)} share the best result ({best.count})"
    if untested:
        over = "" if untested == others else f" over {_of_others(untested, others)}"
        return f"{name} leads ({best.count}); its lead{over} could not be tested"
    if not tied:
        return f"{name} is best ({best.count})"
    verb = "is" if tied == 1 else "are"
    return f"{name} leads ({best.count}), but {_of_others(tied, others)} {verb} not statistically different"


def _of_others(number: int, others: int) -> str:
    if number == others:
        return "the other" if others == 1 else f"the other {others}"
    return f"{number} of the other {others}"


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
    shown = rows[:MOST_DIFFERENCES]
    header = ("difference", "estimate", "95% interval", "adjusted p", "verdict")
    table = []
    for row in rows:
        p_value = wording.NONE if row.p_value is None else wording.p_number(row.p_value, alpha)
        interval = f"{wording.points_interval(row.interval)} points"
        table.append((row.name, wording.points_cell(row.estimate), interval, p_value, _words(row.verdict)))
    reach = max(margin, *(abs(end) for row in shown for end in (*row.interval, row.estimate))) * 1.06
    axis = _Axis(-reach, reach, _points, margin=margin)
    alt, title = finding_of_differences(rows)
    panel = _panel([_difference(row, alpha) for row in shown], axis, alt)
    verdicts = {row.verdict for row in shown}
    known = {
        "supported": "filled: supported",
        "equivalent": "square: equivalent, the 90% interval lies within the band",
        "inconclusive": "open: inconclusive",
    }
    more = [f"{len(rows) - len(shown):,} more are not drawn"] if len(rows) > len(shown) else []
    note = [
        "difference in validation accuracy, in points, with 95% confidence intervals",
        *(words for verdict, words in known.items() if verdict in verdicts),
        f"band: within the margin of ±{wording.points(margin)}",
        *more,
    ]
    ids = tuple(dict.fromkeys(run for row in rows for run in row.runs))
    return svg.picture("differences", (title, note, alt), [panel], (header, table), ids)


def _points(value: float) -> str:
    return f"{wording.sign(value)}{number_text(round(abs(100 * value), 2))}" if value else "0"


def _difference(row: Difference, alpha: float) -> _Row:
    p_value = "" if row.p_value is None else wording.p_text(row.p_value, alpha)
    interval = f"{wording.points_interval(row.interval)} points"
    return _Row(
        label=row.name,
        sublabel="",
        right=p_value,
        estimate=row.estimate,
        interval=row.interval,
        points=(),
        mark="d" if row.verdict in _DECIDED else "o",
        is_square=row.verdict == "equivalent",
        class_="best" if row.verdict in _DECIDED else None,
        hover=f"{row.name}: {wording.points_cell(row.estimate)}, 95% interval {interval}; {_words(row.verdict)}",
    )


def _words(verdict: Verdict) -> str:
    """Return a verdict as it is read in a table; what is counted rather than inferred is observed."""
    return "observed" if verdict == "exact" else verdict.replace("_", " ")


_DECIDED: frozenset[Verdict] = frozenset({"supported", "equivalent"})


def finding_of_differences(rows: Sequence[Difference]) -> tuple[str, str]:
    """Return the finding of differences in a sentence and in a line."""
    supported = [row for row in rows if row.verdict == "supported"]
    if not supported:
        largest = max(rows, key=lambda row: abs(row.estimate))
        size = f"{wording.points_cell(largest.estimate)}, interval {wording.points_interval(largest.interval)} points"
        title = (
            f"None of {len(rows)} differences is significant" if len(rows) > 1 else "The difference isn't significant"
        )
        return f"{title}; the largest, {largest.name}, is {size}.", title
    names = ", ".join(f"{row.name} by {wording.points_cell(row.estimate)}" for row in supported[:3])
    more = f" and {len(supported) - 3} more" if len(supported) > 3 else ""
    are = "is" if len(supported) == 1 else "are"
    title = f"{len(supported)} of {wording.counted(len(rows), 'difference')} {are} significant"
    return f"{title}: {names}{more}.", title


def _panel(rows: Sequence[_Row], axis: _Axis, alt: str) -> Panel:
    return Panel(_wide(rows, axis, alt), _narrow(rows, axis, alt))


def _wide(rows: Sequence[_Row], axis: _Axis, alt: str) -> str:
    """Draw rows with their names at the left."""
    is_compact, has_sublabels = _look(rows)
    pitch = 22.0 if is_compact else 46.0 if has_sublabels else 30.0
    names = style.distinct_labels(_labels(rows, is_compact=is_compact), 52 if is_compact else 40)
    subs = [style.label(row.sublabel, 48) if has_sublabels else "" for row in rows]
    size = SMALL if is_compact else LABEL
    widest = max(
        *(style.text_width(name, size) for name in names), *(style.text_width(sub, SMALL) for sub in subs), 120.0
    )
    left = min(widest + 18, 430.0)
    scale = svg.Scale(axis.low, axis.high, left, WIDE - _RIGHT - 14)
    top = _BASELINE if axis.baseline else 6.0
    bottom = top + pitch * len(rows)
    parts = [*_frame(scale, axis, [(top, bottom)], ticks=7)]
    for i, (row, name, sub) in enumerate(zip(rows, names, subs, strict=True)):
        y = top + pitch * (i + 0.5)
        base = y - 3 if sub else y + 0.36 * size
        inside = [svg.text(0, base, name, None if is_compact else "lab")]
        inside += [svg.text(0, base + 16.5, sub, "mut")] if sub else []
        inside += [*_estimate(row, scale, y, room=pitch), svg.text(WIDE, y + 5, row.right, anchor="end")]
        parts.append(svg.group(inside, row.class_, row.hover))
    return svg.drawing(WIDE, bottom + _AXIS, parts, alt)


def _narrow(rows: Sequence[_Row], axis: _Axis, alt: str) -> str:
    """Draw rows with their names above."""
    is_compact, has_sublabels = _look(rows)
    head = 34.0 if has_sublabels else 18.0
    pitch = head + (18.0 if is_compact else 26.0)
    beside = max(style.text_width(row.right, SMALL) for row in rows) + 10
    names = style.distinct_labels(_labels(rows, is_compact=is_compact), int((NARROW - beside) / (0.65 * SMALL)))
    scale = svg.Scale(axis.low, axis.high, 18, NARROW - 20)
    top = _BASELINE if axis.baseline else 2.0
    bottom = top + pitch * len(rows)
    below_names = [(top + pitch * i + head - 10, top + pitch * (i + 1)) for i in range(len(rows))]
    parts = [*_frame(scale, axis, below_names, ticks=5)]
    for i, (row, name) in enumerate(zip(rows, names, strict=True)):
        y = top + pitch * i + 14
        inside = [svg.text(0, y, name, "bld halo"), svg.text(NARROW, y, row.right, "halo", "end")]
        if has_sublabels:
            inside.append(svg.text(0, y + 16, style.label(row.sublabel, 46), "mut halo"))
        inside += _estimate(row, scale, top + pitch * i + head + 8, room=pitch - head)
        parts.append(svg.group(inside, row.class_, row.hover))
    return svg.drawing(NARROW, bottom + _AXIS, parts, alt)


def _labels(rows: Sequence[_Row], *, is_compact: bool) -> list[str]:
    """Return the rows' names, with their subtitles if these have no line of their own."""
    return [f"{row.label}, {row.sublabel}" if is_compact and row.sublabel else row.label for row in rows]


def _look(rows: Sequence[_Row]) -> tuple[bool, bool]:
    """Return whether rows are compact, and whether they have subtitles."""
    is_compact = len(rows) > _MANY
    return is_compact, not is_compact and any(row.sublabel for row in rows)


def _frame(scale: svg.Scale, axis: _Axis, strips: Sequence[tuple[float, float]], *, ticks: int) -> Iterator[str]:
    """Draw what lies behind the rows: the grid with its numbers, the band of the margin, the baseline.

    Lines and band are drawn in strips from a top to a bottom, so that they don't cross the names between these.
    """
    bottom = strips[-1][1]
    for start, end in strips:
        if axis.margin is not None:
            yield svg.rect(scale(-axis.margin), start, scale(axis.margin) - scale(-axis.margin), end - start, "band")
        for value in scale.ticks(ticks):
            yield svg.line(scale(value), start, scale(value), end, "axis" if axis.margin and value == 0 else "grid")
    for value in scale.ticks(ticks):
        yield svg.text(scale(value), bottom + 17, axis.words(value), "mut", "middle")
    if axis.baseline:
        x, name = scale(axis.baseline.value), style.label(axis.baseline.name, 48)
        for start, end in strips:
            yield svg.line(x, start, x, end, "base", name)
        is_left = x + style.text_width(name, SMALL) > scale.end + _RIGHT
        yield svg.text(x, _BASELINE - 7, name, "wrm", "end" if is_left else None)


def _estimate(row: _Row, scale: svg.Scale, y: float, *, room: float) -> Iterator[str]:
    """Draw a row's whisker, its dot and the small dots of its single runs."""
    if row.interval is not None:
        yield svg.line(scale(row.interval[0]), y, scale(row.interval[1]), y, "w")
    x = scale(row.estimate)
    if row.is_square:
        yield svg.rect(x - _DOT, y - _DOT, 2 * _DOT, 2 * _DOT, row.mark)
    else:
        yield svg.circle(x, y, _DOT if row.mark == "d" else _DOT - 1, row.mark)
    below: Counter[int] = Counter()
    drawn: set[tuple[int, float]] = set()
    for point in sorted(row.points):
        place = round(scale(point) / (2 * _SEED))
        at = round(scale(point)), y + min(9 + 5 * below[place], room / 2 - _SEED)
        if at not in drawn:  # else it would cover another
            yield svg.circle(scale(point), at[1], _SEED, "s")
        drawn.add(at)
        below[place] += 1
