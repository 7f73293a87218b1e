"""How often each kind of interval holds the truth, over the grid of truths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.truth.counts import CountsAlone
from bench.truth.folds import Folds
from bench.truth.grouped import GroupedOption
from bench.truth.intervals import Chosen, OneModel, Seeds, TwoModels
from bench.truth.least_favourable import CorrelatedFolds, ExclusiveErrors
from bench.truth.one_option import OneOption

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.truth.measure import Measured
    from bench.truth.settings import Setting
    from bench.truth.shares import Share

MEAN = (0.93, 0.97)
"""Where the mean coverage of intervals at nominally 95% should lie."""

LOWEST = 0.90
"""No point of the grid should lie below it."""

COUNTS, FOLDS = "difference from counts alone", "option effect, folds"
LEAST_FAVOURABLE = ", least favourable"
"""Ends the name of a kind in the world that its interval has to hold in as well: it is too wide if it is so there."""

_OF_EFFECTS = {
    CountsAlone: COUNTS,
    ExclusiveErrors: f"{COUNTS}{LEAST_FAVOURABLE}",
    Folds: FOLDS,
    CorrelatedFolds: f"{FOLDS}{LEAST_FAVOURABLE}",
}


@dataclass(frozen=True, slots=True)
class Point:
    """The coverage of one kind of interval at one truth."""

    kind: str
    setting: Setting
    share: Share


@dataclass(frozen=True, slots=True)
class Coverage:
    """The coverage of one kind of interval over the grid."""

    kind: str
    points: tuple[Point, ...]

    @property
    def mean(self) -> float:
        """Over the points of the grid, each counting the same."""
        return sum(point.share.rate for point in self.points) / len(self.points)

    @property
    def lowest(self) -> Point:
        """The point of the grid where it is lowest."""
        return min(self.points, key=lambda point: point.share.rate)

    @property
    def holds(self) -> bool:
        """Tell whether mean and lowest point are where they should be."""
        return MEAN[0] <= self.mean <= MEAN[1] and self.lowest.share.rate >= LOWEST


def coverages(measured: Mapping[str, Sequence[Measured]]) -> list[Coverage]:
    """Sort every interval that was looked at by its kind."""
    found: dict[str, list[Point]] = {}
    for point in _points(measured):
        found.setdefault(point.kind, []).append(point)
    return [Coverage(kind, tuple(points)) for kind, points in found.items()]


def _points(measured: Mapping[str, Sequence[Measured]]) -> Iterator[Point]:
    for name in ("plain intervals", "resampled intervals"):
        for one in measured[name]:
            for what, share in one.tally.items():
                if what not in {"gap above max(.03, .10 · train)", "interval above 0"}:
                    yield Point(_kind(what, one.setting), one.setting, share)
    for name in ("one option", "other worlds", "unmatched", "grouped option", "counts", "folds", "least favourable"):
        for one in measured[name]:
            if "covered" in one.tally:
                yield Point(_kind("effect", one.setting), one.setting, one.tally["covered"])


def _kind(what: str, setting: Setting) -> str:
    """Name the kind of an interval by what it is of and how it is made."""
    match setting:
        case Chosen() | OneModel() | TwoModels():
            return f"{what}, clips in groups" if setting.groups else what
        case Seeds():
            return f"{what}, {setting.seeds} seeds"
        case OneOption():
            return f"option effect, {setting.seeds} {'matched pairs' if setting.shared else 'unmatched seeds'}"
        case GroupedOption():
            return f"option effect, {setting.seeds} pairs, clips in groups"
    return _OF_EFFECTS.get(type(setting), what)
