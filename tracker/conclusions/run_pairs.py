"""The family of all pairs of comparable runs: what each pair's test says, corrected for how many there are.

A pair is two positions of runs. The test of two runs whose predictions are there is exact McNemar's, or the sign-flip
test over groups where clips share one; with counts alone it is the least favourable pairing of the clips,
and nothing where clips share groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.folds import folded
from tracker.statistics.groups import group_codes, group_sums
from tracker.statistics.multiple_comparisons import holm
from tracker.statistics.paired import from_aggregates, grouped_sign_flip, mcnemar_many

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.study.clip_sets import ClipSet
    from tracker.study.study import Study

MOST_PRINTED = 50
"""Pairs that are printed in full."""

MOST_AGAINST_BEST = 25
"""Of these, pairs of the best run and another, as long as matched pairs want the rest."""

MOST_RUNS_PAIRED = 60
"""Up to so many runs on the same clips every pair is tested; above, those of the best run and the printed ones."""

_CHUNK = 2_048
"""Pairs whose clips are held in memory at once."""

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Tested pairs and how many there are in all.

    Parameters
    ----------
    size : int
        Comparable pairs, tested or not.
    p_values, adjusted : mapping of pair to float
        Of the tested ones, the lower position first; adjusted by Holm for `size`.
    """

    size: int
    p_values: dict[Pair, float]
    adjusted: dict[Pair, float]

    def p_value(self, a: int, b: int) -> float | None:
        """Return the raw p-value of two runs in either order, None where they were not tested."""
        return self.p_values.get((min(a, b), max(a, b)))

    def p_adjusted(self, a: int, b: int) -> float | None:
        """Return the adjusted p-value of two runs in either order, None where they were not tested."""
        return self.adjusted.get((min(a, b), max(a, b)))


def printed_pairs(study: Study) -> tuple[Pair, ...]:
    """Choose the pairs that are printed in full.

    Parameters
    ----------
    study : Study

    Returns
    -------
    tuple of pair
        The best run against the others and the matched pairs, at most `MOST_PRINTED`, the better run first. Where folds
        are joined no run is the best, and where clips differ the best of each set stands for the others.
    """
    against = [] if folded(study) is not None else _against_best(study)
    matched = sorted({_better_first(pair, study.rank_of) for pair in study.matched} - set(against))
    head, tail = against[:MOST_AGAINST_BEST], against[MOST_AGAINST_BEST:]
    room = max(MOST_PRINTED - len(head) - len(matched), 0)
    return tuple([*head, *tail[:room], *matched][:MOST_PRINTED])


def run_family(study: Study, printed: Sequence[Pair]) -> Family:
    """Test pairs of runs on the same clips and correct for all there are.

    Parameters
    ----------
    study : Study
    printed : sequence of pair
        Those that need a p-value in any case.

    Returns
    -------
    Family
    """
    p_values: dict[Pair, float] = {}
    size = 0
    for clips in study.clip_sets:
        if study.metric.is_accuracy:
            counted = [run for run in clips.members if clips.known and study.results[run].correct is not None]
            size += len(counted) * (len(counted) - 1) // 2
            p_values |= _tested(study, clips, counted, printed)
    keys = sorted(p_values)
    adjusted = holm(np.array([p_values[key] for key in keys]), size)
    return Family(size, p_values, dict(zip(keys, adjusted.tolist(), strict=True)))


def _tested(study: Study, clips: ClipSet, counted: Sequence[int], printed: Sequence[Pair]) -> dict[Pair, float]:
    """Return the p-values of the pairs that are tested among runs on the same clips."""
    if len(counted) <= MOST_RUNS_PAIRED:
        pairs = set(combinations(counted, 2))
    else:
        among = set(counted)
        best = study.ranked(counted)[0]
        pairs = {_ordered(best, run) for run in counted if run != best}
        pairs |= {_ordered(a, b) for a, b in printed if a in among and b in among}
    judged = sorted(pair for pair in pairs if pair[0] in clips.row_of and pair[1] in clips.row_of)
    p_values = dict(zip(judged, _clip_by_clip(clips, judged), strict=True))
    return p_values if clips.groups else p_values | _by_counts(study, sorted(pairs - set(judged)))


def _clip_by_clip(clips: ClipSet, pairs: Sequence[Pair]) -> list[float]:
    """Return the p-value of each pair of runs whose predictions are there."""
    rows = np.array([[clips.row_of[a], clips.row_of[b]] for a, b in pairs], dtype=np.int64).reshape(-1, 2)
    codes = group_codes(clips.groups, len(clips.clips)) if clips.groups else None
    p_values: list[float] = []
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        p_values += _p_values(clips.correct[part[:, 0]], clips.correct[part[:, 1]], codes)
    return p_values


def _p_values(a: NDArray[np.bool_], b: NDArray[np.bool_], codes: NDArray[np.int64] | None) -> list[float]:
    """Return the p-value of each row of `a` against that of `b`, shape (m, n) both."""
    if codes is None:
        return [float(p) for p in mcnemar_many((a & ~b).sum(axis=1), (b & ~a).sum(axis=1))]
    net = group_sums(a.astype(np.float64) - b, codes).astype(np.int64)
    distinct, places = np.unique(np.sort(net * np.where(net.sum(axis=1, keepdims=True) < 0, -1, 1)), axis=0,
                                 return_inverse=True)  # fmt: skip
    p_values = [grouped_sign_flip(row) for row in distinct]
    return [p_values[place] for place in places.ravel()]


def _by_counts(study: Study, pairs: Sequence[Pair]) -> dict[Pair, float]:
    """Return the p-value of each pair of runs of which at least one logged its count alone."""
    known: dict[tuple[int, int, int], float] = {}
    found = {}
    for a, b in pairs:
        one, other = study.results[a], study.results[b]
        if one.correct is None or other.correct is None or one.n is None:
            continue
        key = (min(one.correct, other.correct), max(one.correct, other.correct), one.n)
        if key not in known:
            known[key] = from_aggregates(*key).p_value
        found[a, b] = known[key]
    return found


def _against_best(study: Study) -> list[Pair]:
    """Return the best of the largest rankable group against its others, then against the best of each other group."""
    ranked = sorted(filter(None, map(study.ranked, study.rankable_groups)), key=len, reverse=True)
    if not ranked:
        return []
    best, *others = ranked[0]
    return [(best, run) for run in [*others, *[runs[0] for runs in ranked[1:]]]]


def _ordered(a: int, b: int) -> Pair:
    return (a, b) if a < b else (b, a)


def _better_first(pair: Pair, rank: Mapping[int, int]) -> Pair:
    a, b = sorted(pair, key=lambda run: (rank.get(run, len(rank)), run))
    return a, b
