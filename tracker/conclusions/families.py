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
from tracker.statistics.error_rates import holm
from tracker.statistics.paired import from_aggregates, grouped_sign_flip, mcnemar_many
from tracker.statistics.proportions import group_codes, group_sums
from tracker.statistics.repetitions import FEWEST_FOLDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.study.clip_sets import ClipSet
    from tracker.study.study import Pair, Study

MOST_PRINTED = 50  # pairs that the report prints in full
MOST_AGAINST_BEST = 25  # of these, pairs with the best run, if matched pairs need the rest
# runs on the same clips up to which every pair is tested; above, only pairs with the best run and printed ones
MOST_RUNS_PAIRED = 60
_CHUNK = 2_048  # pairs whose clips are in memory at once


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """The tests of pairs of runs, corrected for how many pairs there are."""

    size: int  # comparable pairs, tested or not
    # of the tested ones, the lower index first; adjusted by Holm's method for `size`
    p_values: dict[Pair, float]
    adjusted: dict[Pair, float]

    def p_value(self, a: int, b: int) -> float | None:
        """Return the raw p-value of two runs in either order, None if they were not tested."""
        return self.p_values.get((min(a, b), max(a, b)))

    def p_adjusted(self, a: int, b: int) -> float | None:
        """Return the adjusted p-value of two runs in either order, None if they were not tested."""
        return self.adjusted.get((min(a, b), max(a, b)))


def printed_pairs(study: Study) -> tuple[Pair, ...]:
    """Return the pairs that the report prints in full: the best run against the others, and the matched pairs.

    At most `MOST_PRINTED`, the better run first. Over folds no run is the best; with several sets of clips the best run
    of each represents the others.
    """
    against = [] if cross_validation(study) is not None else _against_best(study)
    matched = sorted({better_first(study, pair) for pair in study.matched} - set(against))
    head, tail = against[:MOST_AGAINST_BEST], against[MOST_AGAINST_BEST:]
    room = max(MOST_PRINTED - len(head) - len(matched), 0)
    return tuple([*head, *tail[:room], *matched][:MOST_PRINTED])


def run_family(study: Study, printed: Sequence[Pair]) -> Family:
    """Test pairs of runs on the same clips, `printed` ones however many runs there are, and correct for all pairs."""
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
    """Return the tests of all pairs of runs, cached because two kinds of conclusion share them."""
    return run_family(study, printed_pairs(study))


def _tested(study: Study, clips: ClipSet, counted: Sequence[int], printed: Sequence[Pair]) -> dict[Pair, float]:
    if len(counted) <= MOST_RUNS_PAIRED:
        pairs = set(combinations(counted, 2))
    else:
        among = set(counted)
        best = study.ranked(counted)[0]
        pairs = {(min(best, run), max(best, run)) for run in counted if run != best}
        pairs |= {(min(a, b), max(a, b)) for a, b in printed if a in among and b in among}
    judged = sorted(pair for pair in pairs if pair[0] in clips.row_of and pair[1] in clips.row_of)
    p_values = dict(zip(judged, _clip_by_clip(clips, judged), strict=True))
    return p_values if clips.groups else p_values | _by_counts(study, sorted(pairs - set(judged)))


def _clip_by_clip(clips: ClipSet, pairs: Sequence[Pair]) -> list[float]:
    """Return the p-value of each pair of runs with predictions."""
    rows = np.array([[clips.row_of[a], clips.row_of[b]] for a, b in pairs], dtype=np.int64).reshape(-1, 2)
    codes = group_codes(clips.groups, len(clips.clips)) if clips.groups else None
    parts = (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))
    return [p for part in parts for p in _p_values(clips.correct[part[:, 0]], clips.correct[part[:, 1]], codes)]


def _p_values(a: NDArray[np.bool_], b: NDArray[np.bool_], codes: NDArray[np.int64] | None) -> list[float]:
    """Return the p-value of each row of `a` against the same row of `b`, both of shape (pairs, clips)."""
    if codes is None:
        return [float(p) for p in mcnemar_many((a & ~b).sum(axis=1), (b & ~a).sum(axis=1))]
    net = group_sums(a.astype(np.float64) - b, codes).astype(np.int64)
    distinct, inverse = np.unique(np.sort(net * np.where(net.sum(axis=1, keepdims=True) < 0, -1, 1)), axis=0,
                                 return_inverse=True)  # fmt: skip
    p_values = [grouped_sign_flip(row) for row in distinct]
    return [p_values[row] for row in inverse.ravel()]


def _by_counts(study: Study, pairs: Sequence[Pair]) -> dict[Pair, float]:
    """Return the p-value of each pair of runs of which at least one logged only a count."""
    by_counts: dict[tuple[int, int, int], float] = {}
    p_values = {}
    for a, b in pairs:
        first, second = study.results[a], study.results[b]
        if first.correct is None or second.correct is None or first.n is None:
            continue
        counts = (min(first.correct, second.correct), max(first.correct, second.correct), first.n)
        if counts not in by_counts:
            by_counts[counts] = from_aggregates(*counts).p_value
        p_values[a, b] = by_counts[counts]
    return p_values


def _against_best(study: Study) -> list[Pair]:
    """Return the best run of the largest group with each of its others, then with the best run of each other group."""
    ranked = sorted(filter(None, map(study.ranked, study.rankable_groups)), key=len, reverse=True)
    if not ranked:
        return []
    best, *others = ranked[0]
    return [(best, run) for run in [*others, *[runs[0] for runs in ranked[1:]]]]


def better_first(study: Study, pair: Pair) -> Pair:
    """Return two runs, the one with the better rank first; runs without a rank come last, by position."""
    a, b = sorted(pair, key=lambda run: (study.rank_of.get(run, len(study.rank_of)), run))
    return a, b


Configuration = tuple[int, ...]

MOST_COMPARED = 60  # configurations up to which every pair is tested; above, only pairs with the best one


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Configurations that were run on every fold."""

    study: Study
    folds: tuple[int, ...]  # indices of the folds among the study's clip sets
    configurations: tuple[Configuration, ...]  # the runs of each, the most accurate configuration first
    splits: bool = False  # whether the folds are splits under several split seeds

    def accuracy(self, configuration: Configuration) -> float:
        """Return the fraction of clips that a configuration's runs classify correctly over all folds."""
        correct, n = self.pooled(configuration)
        return correct / n

    def pooled(self, configuration: Configuration) -> tuple[int, int]:
        """Return how many clips a configuration's runs classify correctly over all folds, and how many there are."""
        return _pooled(self.study, configuration)

    def p_value(self, a: Configuration, b: Configuration) -> float:
        """Return the raw p-value of two configurations, 1 if they were not tested."""
        return self._tests.get((a, b), self._tests.get((b, a), (1.0, 1.0)))[0]

    def is_different(self, a: Configuration, b: Configuration) -> bool:
        """Return whether two configurations differ significantly after correction for all pairs of them."""
        return self._tests.get((a, b), self._tests.get((b, a), (1.0, 1.0)))[1] <= self.study.alpha

    @cached_property
    def _tests(self) -> Mapping[tuple[Configuration, Configuration], tuple[float, float]]:
        """The raw and the adjusted p-value of each tested pair."""
        best, *others = self.configurations
        n = len(self.configurations)
        pairs = list(combinations(self.configurations, 2)) if n <= MOST_COMPARED else [(best, b) for b in others]
        p_values = np.array([self._test(a, b) for a, b in pairs])
        adjusted = holm(p_values, n * (n - 1) // 2)
        return dict(zip(pairs, zip(p_values.tolist(), adjusted.tolist(), strict=True), strict=True))

    def _test(self, a: Configuration, b: Configuration) -> float:
        of_a, of_b = self._by_fold(a), self._by_fold(b)
        effect = fold_effect(self.study, {fold: of_a[fold] - of_b[fold] for fold in self.folds})
        return 1.0 if effect is None else effect.p_value

    def _by_fold(self, configuration: Configuration) -> dict[int, float]:
        accuracies = defaultdict(list)
        for run in configuration:
            correct, n = _pooled(self.study, (run,))
            accuracies[self.study.clip_set_index[run]].append(correct / n)
        return {fold: float(np.mean(values)) for fold, values in accuracies.items()}


def cross_validation(study: Study) -> CrossValidation | None:
    """Return the configurations that were run on every fold, or on every split, of one dataset.

    None if there are fewer than three folds or splits, or the metric isn't accuracy.
    """
    if not study.metric.is_accuracy:
        return None
    return _joined(study, splits=False) or _joined(study, splits=True)


def _joined(study: Study, *, splits: bool) -> CrossValidation | None:
    """Join configurations over folds, or over splits if at least two configurations, and all of them, share these."""
    part, fold_of = "split_seed" if splits else "fold", {}
    for run, result in enumerate(study.results):
        if study.clip_set_of[run].known and result.correct is not None and part in dict(study.design.terms[run].split):
            fold_of[run] = study.clip_set_index[run]
    folds = tuple(sorted(set(fold_of.values())))
    if len(folds) < FEWEST_FOLDS or not one_dataset(study, folds):
        return None
    complete = []
    for runs in study.design.configurations:
        on_folds = tuple(run for run in runs if run in fold_of)
        if {fold_of[run] for run in on_folds} == set(folds):
            complete.append(on_folds)
    if splits and (len(complete) < 2 or sum(map(len, complete)) < len(study.results)):
        return None
    ranked = sorted(complete, key=lambda runs: (-np.divide(*_pooled(study, runs)), min(study.ids(runs))))
    return CrossValidation(study, folds, tuple(ranked), splits) if ranked else None


def _pooled(study: Study, runs: Configuration) -> tuple[int, int]:
    counts = [(study.results[run].correct or 0, study.results[run].n or 0) for run in runs]
    return sum(correct for correct, _ in counts), sum(n for _, n in counts)
