"""Whether the best configuration lies at the edge of the numbers that were tried of an option."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tracker.conclusions.comparisons import cross_validation, pooled
from tracker.conclusions.conclusion import Conclusion, Details, Kind
from tracker.runs import as_number
from tracker.wording import level_words, listing, option_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.study.study import Study
    from tracker.wording import Wording

FEWEST_LEVELS = 3  # of two numbers each is an edge, which says nothing


_MOST_NAMED = 3  # options that the sentence names


@dataclass(frozen=True, slots=True)
class Edge:
    """An option whose best level is the lowest or the highest."""

    option: str
    best: str  # the level of the best configuration
    edge: Literal["lowest", "highest"]
    levels: tuple[str, ...]  # all that were tried, ascending


@dataclass(frozen=True, slots=True)
class RangeEdge(Details):
    """The evidence."""

    edges: tuple[Edge, ...] = ()  # in the design's order

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return that the best level is the lowest or the highest one, so that the best may lie beyond."""
        del conclusion, wording
        found = [
            f"the {edge.edge} {option_words(edge.option)} tried ({level_words(edge.option, edge.best)})"
            for edge in self.edges[: _MOST_NAMED if len(self.edges) > _MOST_NAMED + 1 else None]
        ]
        rest = len(self.edges) - len(found)
        found += [f"the lowest or highest of {rest:,} other options"] if rest else []
        return f"Better values may lie beyond those tried: the best configuration has {listing(found)}."


def range_edges(study: Study) -> Iterator[Conclusion]:
    """Conclude on the options of at least three numbers whose best one is the lowest or the highest.

    The best configuration is that of the highest mean of the primary metric among the runs that can be ranked; of
    several equally good ones, all must be at the same edge. Options that are off in some runs are left out: where off
    lies among numbers, their name does not say.
    """
    best, runs = _best_configurations(study)
    of_best = sorted(run for members in best for run in members)
    edges = tuple(filter(None, (_edge(study, option, of_best, runs) for option in study.design.options)))
    if edges:
        yield Conclusion("range_edge", "exact", study.ids(of_best), RangeEdge(edges))


def _edge(study: Study, option: str, best: Sequence[int], runs: Sequence[int]) -> Edge | None:
    numbers = {level: as_number(level) for level in {study.design.level(run, option) for run in runs}}
    found = {study.design.level(run, option) for run in best}
    if len(numbers) < FEWEST_LEVELS or None in numbers.values() or len(found) > 1:
        return None
    levels, level = sorted(numbers, key=lambda level: numbers[level] or 0.0), found.pop()
    if level not in (levels[0], levels[-1]):
        return None
    return Edge(option, level, "lowest" if level == levels[0] else "highest", tuple(levels))


def _best_configurations(study: Study) -> tuple[list[Sequence[int]], list[int]]:
    """Return the best configurations, several if they are equally good, and the runs that they are the best of."""
    folds = cross_validation(study)
    if folds is not None:
        scores = {runs: float(np.divide(*pooled(study, runs))) for runs in folds.configurations}
    else:
        groups = map(study.ranked, study.rankable_groups)
        among = set(max(groups, key=len, default=()))
        by_configuration: dict[Sequence[int], list[float]] = defaultdict(list)
        for members in study.design.configurations:
            by_configuration[members] += [study.results[run].score or 0.0 for run in members if run in among]
        sign = -1.0 if study.metric.lower_is_better else 1.0
        scores = {tuple(r for r in members if r in among): sign * float(np.mean(own))
                  for members, own in by_configuration.items() if own}  # fmt: skip
    best = max(scores.values(), default=0.0)
    is_tied = np.isclose(list(scores.values()), best, rtol=1e-12, atol=0.0)
    best_ones: list[Sequence[int]] = [members for members, tied in zip(scores, is_tied, strict=True) if tied]
    return best_ones, [run for members in scores for run in members]


KIND = Kind(name="range_edge", title="Edge of what was tried", conclude=range_edges)
