"""What is compared with what, and how the p-values are corrected: pairs of runs, and configurations over folds.

The test of two runs whose predictions were logged is exact McNemar's, or the sign-flip test over groups if clips share
them. With counts alone it is the least favourable pairing of the clips, and nothing if clips share groups.

Cross-validated configurations are runs on the folds of one dataset, joined by their options. Splits of one dataset
under several split seeds are joined in the same way if every configuration was run on all of them: that is repeated
random subsampling, for which the test over folds is valid as well. Their validation clips may overlap.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.contrast_analysis import fold_effect, one_dataset
from tracker.statistics.groups import group_codes, group_sums
from tracker.statistics.multiple_comparisons import holm
from tracker.statistics.paired import from_aggregates, grouped_sign_flip, mcnemar_many
from tracker.statistics.repetitions import FEWEST_FOLDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.study.clip_sets import ClipSet
    from tracker.study.contrasts import Pair
    from tracker.study.study import Study

MOST_PRINTED = 50
"""Pairs that are printed in full."""

MOST_AGAINST_BEST = 25
"""Of these, pairs of the best run and another, as long as matched pairs want the rest."""

MOST_RUNS_PAIRED = 60
"""Up to so many runs on the same clips every pair is tested; above, those of the best run and the printed ones."""

_CHUNK = 2_048
"""Pairs whose clips are held in memory at once."""


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


@lru_cache(maxsize=1)
def family_of(study: Study) -> Family:
    """Return the tests of all pairs of runs, the printed ones among them: kept for the kinds that share it."""
    return run_family(study, printed_pairs(study))


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


Configuration = tuple[int, ...]

MOST_COMPARED = 60
"""Up to so many configurations every pair is tested; above, those of the best one."""


@dataclass(frozen=True, eq=False)
class Folded:
    """Configurations that were run on every fold.

    Parameters
    ----------
    study : Study
    places : tuple of int
        The folds, as places among the study's clip sets.
    configurations : tuple of Configuration
        The runs of each, the configuration with the most clips right first.
    splits: bool
        Whether they are splits under several split seeds rather than folds.
    """

    study: Study
    places: tuple[int, ...]
    configurations: tuple[Configuration, ...]
    splits: bool = False

    def share(self, configuration: Configuration) -> float:
        """Return the share of clips that a configuration's runs have right, over all folds."""
        correct, n = self.pooled(configuration)
        return correct / n

    def pooled(self, configuration: Configuration) -> tuple[int, int]:
        """Return the clips that a configuration's runs have right and those judged, over all folds."""
        return _pooled(self.study, configuration)

    def p_value(self, a: Configuration, b: Configuration) -> float:
        """Return the raw p-value of two configurations; 1 where they were not tested."""
        return self._tests.get((a, b), self._tests.get((b, a), (1.0, 1.0)))[0]

    def separated(self, a: Configuration, b: Configuration) -> bool:
        """Tell whether two configurations differ after correction for all pairs of them."""
        return self._tests.get((a, b), self._tests.get((b, a), (1.0, 1.0)))[1] <= self.study.alpha

    @cached_property
    def _tests(self) -> Mapping[tuple[Configuration, Configuration], tuple[float, float]]:
        """The raw and the adjusted p-value of each tested pair."""
        found = self.configurations
        pairs = list(combinations(found, 2)) if len(found) <= MOST_COMPARED else [(found[0], b) for b in found[1:]]
        p_values = np.array([self._test(a, b) for a, b in pairs])
        adjusted = holm(p_values, len(found) * (len(found) - 1) // 2)
        return dict(zip(pairs, zip(p_values.tolist(), adjusted.tolist(), strict=True), strict=True))

    def _test(self, a: Configuration, b: Configuration) -> float:
        of_a, of_b = self._by_fold(a), self._by_fold(b)
        effect = fold_effect(self.study, {place: of_a[place] - of_b[place] for place in self.places})
        return 1.0 if effect is None else effect.p_value

    def _by_fold(self, configuration: Configuration) -> dict[int, float]:
        shares = defaultdict(list)
        for run in configuration:
            correct, n = _pooled(self.study, (run,))
            shares[self.study.clip_set_index[run]].append(correct / n)
        return {place: float(np.mean(found)) for place, found in shares.items()}


def folded(study: Study) -> Folded | None:
    """Find the folds of an experiment and the configurations that were run on all of them.

    Parameters
    ----------
    study : Study

    Returns
    -------
    Folded or None
        None where there are not at least three folds or splits of one dataset, or accuracy is not the metric.
    """
    if not study.metric.is_accuracy:
        return None
    return _joined(study, splits=False) or _joined(study, splits=True)


def _joined(study: Study, *, splits: bool) -> Folded | None:
    """Join configurations over folds, or over splits, which all of at least two have to share."""
    found = {run: _place(study, run, "split_seed" if splits else "fold") for run in range(len(study.results))}
    places = tuple(sorted({place for place in found.values() if place is not None}))
    if len(places) < FEWEST_FOLDS or not one_dataset(study, places):
        return None
    complete = []
    for runs in study.design.configurations:
        mine = tuple(run for run in runs if found[run] is not None)
        if {found[run] for run in mine} == set(places):
            complete.append(mine)
    if splits and (len(complete) < 2 or sum(map(len, complete)) < len(found)):
        return None
    ranked = sorted(complete, key=lambda runs: (-np.divide(*_pooled(study, runs)), min(study.ids(runs))))
    return Folded(study, places, tuple(ranked), splits) if ranked else None


def _place(study: Study, run: int, param: str) -> int | None:
    """Return the clip set of a run that was asked for a fold, or a split, and whose clips are counted."""
    outcome = study.results[run]
    asked = param in dict(study.design.terms[run].split)
    return study.clip_set_index[run] if asked and study.clip_set_of[run].known and outcome.correct is not None else None


def _pooled(study: Study, runs: Configuration) -> tuple[int, int]:
    counts = [(study.results[run].correct or 0, study.results[run].n or 0) for run in runs]
    return sum(correct for correct, _ in counts), sum(n for _, n in counts)
