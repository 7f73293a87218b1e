"""What is compared with what, and how: pairs of runs, and configurations over folds.

The test of two runs whose predictions were logged is the exact unconditional one, or the sign-flip test over groups if
clips share them. With counts alone it is the least favourable pairing of the clips, and nothing if clips share groups.
If the metric is the validation loss, the losses of the clips are tested.

Cross-validated configurations are runs on the folds of one dataset, joined by their options. Splits of one dataset
under several split seeds are joined in the same way if every configuration was run on all of them: that is repeated
random subsampling, for which the test over folds is valid as well. Their validation clips may overlap.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Method
from tracker.runs import as_number
from tracker.statistics.error_rates import holm
from tracker.statistics.grouped import grouped_sign_flip
from tracker.statistics.paired import aggregate_p_range, log_loss_difference, unconditional_many
from tracker.statistics.proportions import group_sums
from tracker.statistics.repetitions import FEWEST_FOLDS, nadeau_bengio

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.statistics.matched_pairs import Effect
    from tracker.statistics.paired import LossDifference
    from tracker.study.clip_sets import ClipSet
    from tracker.study.study import Pair, Study

FOLDS = Method(
    "corrected resampled t-test over folds",
    "Over folds the corrected resampled t-test is used (Nadeau and Bengio 2003, doi:10.1023/A:1024068626366).",
)
SPLITS = Method(
    "corrected resampled t-test over splits",
    "Over splits of one dataset, whose validation clips may overlap, the corrected resampled t-test is used "
    "(Nadeau and Bengio 2003, doi:10.1023/A:1024068626366).",
)

MOST_PRINTED = 50  # pairs that the report prints in full
MOST_AGAINST_BEST = 25  # of these, pairs with the best run, if matched pairs need the rest
# runs on the same clips up to which every pair is tested; above, only pairs with the best run and printed ones
MOST_RUNS_PAIRED = 60
MOST_COMPARED = 60  # configurations up to which every pair is tested; above, only pairs with the best one
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
    groups = sorted(filter(None, map(study.ranked, study.rankable_groups)), key=len, reverse=True)
    against: list[Pair] = []
    if groups and cross_validation(study) is None:
        (best, *others), *elsewhere = groups
        against = [(best, run) for run in [*others, *(ranked[0] for ranked in elsewhere)]]
    matched = sorted({better_first(study, pair) for pair in study.matched} - set(against))
    return tuple([*against[: max(MOST_AGAINST_BEST, MOST_PRINTED - len(matched))], *matched][:MOST_PRINTED])


def better_first(study: Study, pair: Pair) -> Pair:
    """Return two runs, the one with the better rank first; runs without a rank come last, by position."""
    a, b = sorted(pair, key=lambda run: (study.rank_of.get(run, len(study.rank_of)), run))
    return a, b


def run_family(study: Study, printed: Sequence[Pair]) -> Family:
    """Test pairs of runs on the same clips, `printed` ones however many runs there are, and correct for all pairs."""
    p_values: dict[Pair, float] = {}
    size = 0
    for clips in study.clip_sets:
        if study.metric.is_accuracy:
            counted = [run for run in clips.members if clips.known and study.results[run].correct is not None]
            p_values |= _tested(study, clips, counted, printed)
        else:
            counted = [run for run in clips.members if study.metric.is_loss and study.by_clip(run) is not None]
            p_values |= _tested_losses(study, counted, printed)
        size += len(counted) * (len(counted) - 1) // 2
    keys = sorted(p_values)
    adjusted = holm(np.array([p_values[key] for key in keys]), size)
    return Family(size, p_values, dict(zip(keys, adjusted.tolist(), strict=True)))


@lru_cache(maxsize=1)
def family_of(study: Study) -> Family:
    """Return the tests of all pairs of runs, cached because two kinds of conclusion share them."""
    return run_family(study, printed_pairs(study))


@lru_cache(maxsize=128)
def loss_difference(study: Study, pair: Pair) -> LossDifference | None:
    """Compare the log-losses of two runs on the same clips; None if they are not known clip by clip."""
    first, second = (study.results[run].losses_by_clip for run in pair)
    if first is None or second is None:
        return None
    groups = study.results[pair[0]].clip_set.groups or None
    return log_loss_difference(first, second, study.random_seed(pair), groups)


def _tested_losses(study: Study, counted: Sequence[int], printed: Sequence[Pair]) -> dict[Pair, float]:
    """Test the losses of printed pairs, and of the best run against the others if they are not too many."""
    among, ranked = set(counted), study.ranked(counted)[:MOST_RUNS_PAIRED]
    against = [(ranked[0], run) for run in ranked[1:]]
    pairs = {pair for pair in [*against, *printed] if set(pair) <= among}
    tested = {(min(pair), max(pair)): loss_difference(study, pair) for pair in sorted(pairs)}
    return {pair: found.p_value for pair, found in tested.items() if found is not None}


def _tested(study: Study, clips: ClipSet, counted: Sequence[int], printed: Sequence[Pair]) -> dict[Pair, float]:
    if len(counted) <= MOST_RUNS_PAIRED:
        pairs = set(combinations(counted, 2))
    else:
        among, best = set(counted), study.ranked(counted)[0]
        against = [(best, run) for run in counted if run != best]
        pairs = {(min(a, b), max(a, b)) for a, b in [*against, *printed] if a in among and b in among}
    judged = sorted(pair for pair in pairs if pair[0] in clips.row_of and pair[1] in clips.row_of)
    rows = np.array([[clips.row_of[a] for a, _ in judged], [clips.row_of[b] for _, b in judged]], dtype=np.int64)
    p_values: dict[Pair, float] = {}
    for start in range(0, len(judged), _CHUNK):
        a, b = clips.correct[rows[:, start : start + _CHUNK]]
        p_values |= zip(judged[start : start + _CHUNK], p_values_on(clips, a, b), strict=True)
    if clips.groups:
        return p_values
    of_counts = cache(lambda *counts: aggregate_p_range(*counts)[1])  # the safe one
    for first, second in sorted(pairs - set(judged)):
        n, counts = study.results[first].n, sorted(study.results[run].correct or 0 for run in (first, second))
        if n is not None:
            p_values[first, second] = of_counts(*counts, n)
    return p_values


def p_values_on(clips: ClipSet, a: NDArray[np.bool_], b: NDArray[np.bool_]) -> list[float]:
    """Return the p-value of each row of `a` against the same row of `b`, both of shape (pairs, clips)."""
    if not clips.groups:
        found = unconditional_many((a & ~b).sum(axis=1), (b & ~a).sum(axis=1), a.shape[1])
        return [float(p) for p in found]
    net = net_by_group(clips, a, b)
    # the p-value is the same whichever run comes first, and in any order of the groups
    net *= np.where(net.sum(axis=1, keepdims=True) < 0, -1, 1)
    distinct, inverse = np.unique(np.sort(net), axis=0, return_inverse=True)
    p_values = [grouped_sign_flip(row) for row in distinct]
    return [p_values[row] for row in inverse.ravel()]


def net_by_group(clips: ClipSet, a: NDArray[np.bool_], b: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many more clips `a` has correct than `b` in each group, given which clips they have correct."""
    return group_sums(a.astype(np.float64) - b, clips.group_codes).astype(np.int64)


Configuration = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Configurations that were run on every fold."""

    study: Study
    folds: tuple[int, ...]  # indices of the folds among the study's clip sets
    configurations: tuple[Configuration, ...]  # the runs of each, the most accurate configuration first
    splits: bool = False  # whether the folds are splits under several split seeds

    @cached_property
    def tests(self) -> Mapping[tuple[Configuration, Configuration], tuple[float, float]]:
        """The raw and the adjusted p-value of each tested pair; of those with the best configuration in any case."""
        best, *others = self.configurations
        n = len(self.configurations)
        pairs = list(combinations(self.configurations, 2)) if n <= MOST_COMPARED else [(best, b) for b in others]
        effects = [self.effect(a, b) for a, b in pairs]
        p_values = np.array([1.0 if effect is None else effect.p_value for effect in effects])
        adjusted = holm(p_values, n * (n - 1) // 2)
        return dict(zip(pairs, zip(p_values.tolist(), adjusted.tolist(), strict=True), strict=True))

    def effect(self, a: Configuration, b: Configuration) -> Effect | None:
        """Return the effect over folds of training as `a` rather than as `b`; None for too few folds."""
        of_a, of_b = self._by_fold[a], self._by_fold[b]
        return fold_effect(self.study, {fold: of_a[fold] - of_b[fold] for fold in self.folds})

    @cached_property
    def _by_fold(self) -> dict[Configuration, dict[int, float]]:
        """The mean accuracy of each configuration on each fold."""
        means = {}
        for configuration in self.configurations:
            accuracies = defaultdict(list)
            for run in configuration:
                accuracies[self.study.clip_set_index[run]].append(float(np.divide(*pooled(self.study, (run,)))))
            means[configuration] = {fold: float(np.mean(values)) for fold, values in accuracies.items()}
        return means

    @property
    def n(self) -> int:
        """How many clips the folds have, all together."""
        return sum(self.study.clip_sets[fold].n or 0 for fold in self.folds)


@lru_cache(maxsize=1)
def cross_validation(study: Study) -> CrossValidation | None:
    """Return the configurations that were run on every fold or split of one dataset; None for fewer than three.

    Cached because several kinds of conclusion and the next steps ask for it.
    """
    if not study.metric.is_accuracy:
        return None
    return _joined(study, splits=False) or _joined(study, splits=True)


def _joined(study: Study, *, splits: bool) -> CrossValidation | None:
    """Join configurations over folds, or over splits if at least two configurations, and all of them, share these."""
    part, fold_of = "split_seed" if splits else "fold", {}
    for run, result in enumerate(study.results):
        if result.clip_set.known and result.correct is not None and part in dict(study.design.terms[run].split):
            fold_of[run] = study.clip_set_index[run]
    folds = tuple(sorted(set(fold_of.values())))
    if len(folds) < FEWEST_FOLDS or not one_dataset(study, folds):
        return None
    on_folds = [tuple(run for run in runs if run in fold_of) for runs in study.design.configurations]
    complete = [runs for runs in on_folds if {fold_of[run] for run in runs} == set(folds)]
    if splits and (len(complete) < 2 or sum(map(len, complete)) < len(study.results)):
        return None
    ranked = sorted(complete, key=lambda runs: (-np.divide(*pooled(study, runs)), min(study.ids(runs))))
    return CrossValidation(study, folds, tuple(ranked), splits) if ranked else None


def pooled(study: Study, runs: Configuration) -> tuple[int, int]:
    """Return how many clips runs classify correctly, all in all, and how many there are."""
    results = [study.results[run] for run in runs]
    return sum(result.correct or 0 for result in results), sum(result.n or 0 for result in results)


def one_dataset(study: Study, indices: Iterable[int]) -> bool:
    """Return whether clip sets, given by index, are known to be parts of one dataset."""
    firsts = [study.results[study.clip_sets[index].members[0]].run for index in indices]
    datasets = {run.tags.get("tracker.dataset") for run in firsts}
    return len(datasets) == 1 and None not in datasets


def fold_effect(study: Study, differences: Mapping[int, float]) -> Effect | None:
    """Test a mean difference over folds or splits, by clip set; None for fewer than three, or not of one dataset."""
    if len(differences) < FEWEST_FOLDS or not one_dataset(study, differences):
        return None
    sets = [study.clip_sets[index] for index in differences]
    n_validation = float(np.mean([len(clips.clips) or clips.n or 0 for clips in sets]))
    n_train = []
    for first in (study.results[clips.members[0]] for clips in sets):
        folds = as_number(first.run.params.get("fold", "").partition("/")[2])
        n_train.append(first.training_clips or n_validation * (folds - 1 if folds and folds > 1 else 1))
    return nadeau_bengio(np.array(list(differences.values())), float(np.mean(n_train)), n_validation)
