"""How an option's effect is estimated from a contrast's runs: over folds, matched pairs or repetitions.

Entries are correct (1 or 0) at the second level minus correct at the first: a row for each matched pair, a column for
each clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Method
from tracker.statistics.error_rates import holm
from tracker.statistics.matched_pairs import Effect, by_group, crossed, nested
from tracker.statistics.repetitions import FEWEST_FOLDS, FEWEST_PAIRS, columns_needed, nadeau_bengio, pairs_needed
from tracker.statistics.resampling import probability_better
from tracker.study.options import OFF, as_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.conclusions.conclusion import Verdict
    from tracker.statistics.proportions import Interval
    from tracker.study.clip_sets import ClipSet
    from tracker.study.study import Contrast, Pair, Study

CROSSED = Method(
    "crossed analysis of matched pairs and clips",
    "An option's effect over matched pairs is estimated with pairs and clips both taken as samples "
    "(Dorfman, Berbaum and Metz 1992; Hillis 2007, doi:10.1002/sim.2532).",
)
NESTED = Method(
    "nested analysis of repetitions and clips",
    "Runs of two levels that share too few seeds are compared as nested in their level and crossed with "
    "clips (Hillis 2007, doi:10.1002/sim.2532).",
)
FOLDS = Method(
    "corrected resampled t-test over folds",
    "Over folds the corrected resampled t-test is used (Nadeau and Bengio 2003, doi:10.1023/A:1024068626366).",
)
SPLITS = Method(
    "corrected resampled t-test over splits",
    "Over splits of one dataset, whose validation clips may overlap, the corrected resampled t-test is used "
    "(Nadeau and Bengio 2003, doi:10.1023/A:1024068626366).",
)


@dataclass(frozen=True, slots=True)
class InnerEffect:
    """Over folds or splits: the crossed analysis on the one with most matched pairs."""

    estimate: float
    interval: Interval
    p_value: float


@dataclass(frozen=True, slots=True)
class Analysis:
    """An effect and how it was estimated."""

    effect: Effect  # from the first level to the second
    method: Method
    n: int
    repetitions: int  # matched pairs, runs of the level with fewer runs, folds or splits
    inner: InnerEffect | None = None  # over folds or splits: the crossed analysis on the one with most pairs


@dataclass(frozen=True, slots=True)
class Need:
    """What it takes to find an effect as large as the observed one, or as the margin if that is larger."""

    effect: float  # above 0
    pairs: int | None  # matched pairs in all; None if no number of them is enough on these clips
    clips: int | None = None  # the least number of clips, roughly, if no number of pairs is enough


@dataclass(frozen=True, slots=True)
class ContrastEffect:
    """The effect of going from one level to another."""

    from_: str
    to: str
    pairs: int  # matched
    # as in `Conclusion`: *to* minus *from*
    estimate: float | None
    interval: Interval | None
    p_value: float | None
    p_adjusted: float | None
    verdict: Verdict
    repetitions: tuple[int, int]  # runs of each level that differ only in the seed, in the setting with most of them
    method: Method | None
    n: int | None
    folds: int  # folds, or splits, that the effect is estimated over; 0 if it isn't. The method says which they are
    within_margin: bool | None  # whether the 90 % interval lies strictly inside the margin
    detectable: float | None  # the smallest effect that these runs would have shown four times in five
    crossed: InnerEffect | None
    # estimated probability that *to* beats *from* on other clips and seeds, for the clearest contrasts
    probability: float | None = None
    need: Need | None = None  # what would settle it, if matched pairs leave it open


def analyse_contrast(study: Study, contrast: Contrast) -> Analysis | None:
    """Estimate an effect over folds or splits if possible, else over matched pairs, else over repetitions.

    None with fewer than three repetitions whose predictions were logged.
    """
    by_set = _pairs_by_set(study, contrast)
    clips, pairs = largest_set(study, contrast)
    inner = crossed_effect(clips, pairs)
    over_folds = fold_effect(study, {index: float(_entries(*of_set).mean()) for index, of_set in by_set.items()})
    if over_folds is not None:
        n = sum(len(of_set.clips) for of_set, _ in by_set.values())
        firsts = [of_set.members[0] for of_set, _ in by_set.values()]
        folds = [dict(study.design.terms[run].split).get("fold", OFF) for run in firsts]
        on_largest = InnerEffect(inner.estimate, inner.interval, inner.p_value) if inner else None
        return Analysis(over_folds, SPLITS if OFF in folds else FOLDS, n, len(by_set), on_largest)
    if inner is not None:
        return Analysis(inner, CROSSED, len(clips.clips), len(pairs))
    return _over_repetitions(study, contrast)


def crossed_effect(clips: ClipSet, pairs: Sequence[Pair]) -> Effect | None:
    """Analyse matched pairs, all with predictions of these clips, crossed with clips or with groups of clips.

    None for fewer than three pairs, or fewer than two clips or groups.
    """
    if len(pairs) < FEWEST_PAIRS or not _several(clips):
        return None
    return crossed(_by_column(clips, _entries(clips, pairs)))


def fold_effect(study: Study, differences: Mapping[int, float]) -> Effect | None:
    """Test a mean difference over folds or splits of one dataset, given the difference on each clip set by its index.

    None for fewer than three clip sets, or if they are not known to come from one dataset.
    """
    if len(differences) < FEWEST_FOLDS or not one_dataset(study, differences):
        return None
    sets = [study.clip_sets[index] for index in differences]
    n_validation = float(np.mean([len(clips.clips) or clips.n or 0 for clips in sets]))
    n_train = float(np.mean([_training_clips(study, clips, n_validation) for clips in sets]))
    return nadeau_bengio(np.array(list(differences.values())), n_train, n_validation)


def adjusted_p_values(family: Sequence[Effect]) -> list[float]:
    """Correct the p-values of the contrasts of all options.

    A single test keeps its own p-value. Several are compared with smaller levels: Holm's method corrects their strict
    p-values.
    """
    p_values = [effect.p_value if len(family) == 1 else effect.strict_p_value for effect in family]
    return [float(p) for p in holm(np.array(p_values))]


def chance_of_better(study: Study, contrast: Contrast) -> float | None:
    """Estimate by the bootstrap the chance that the second level beats the first on other clips and seeds.

    None for fewer than three matched pairs on one set of clips.
    """
    clips, pairs = largest_set(study, contrast)
    if len(pairs) < FEWEST_PAIRS:
        return None
    seed = study.random_seed(run for pair in pairs for run in pair)
    return probability_better(_entries(clips, pairs), seed, clips.groups or None)


def one_dataset(study: Study, indices: Iterable[int]) -> bool:
    """Return whether clip sets, given by index, are known to be parts of one dataset."""
    firsts = [study.results[study.clip_sets[index].members[0]].run for index in indices]
    datasets = {run.tags.get("tracker.dataset") for run in firsts}
    return len(datasets) == 1 and None not in datasets


def largest_set(study: Study, contrast: Contrast) -> tuple[ClipSet, list[Pair]]:
    """Return the clip set with most matched pairs whose predictions were logged, and these pairs; maybe none."""
    first = study.clip_set_of[contrast.repetitions[0][0][0]]
    return max(_pairs_by_set(study, contrast).values(), key=lambda of_set: len(of_set[1]), default=(first, []))


def _pairs_by_set(study: Study, contrast: Contrast) -> dict[int, tuple[ClipSet, list[Pair]]]:
    """Return each clip set with its matched pairs whose predictions were logged, by its index."""
    by_set: dict[int, tuple[ClipSet, list[Pair]]] = {}
    for pair in contrast.pairs:
        index = study.clip_set_index[pair[0]]
        clips = study.clip_sets[index]
        if all(run in clips.row_of for run in pair):
            by_set.setdefault(index, (clips, []))[1].append(pair)
    return by_set


def sample_size_for(study: Study, contrast: Contrast, analysis: Analysis) -> Need | None:
    """Return what it takes to settle a contrast with this analysis; None if it isn't of matched pairs."""
    if analysis.method != CROSSED:
        return None
    clips, pairs_on_clips = largest_set(study, contrast)
    entries = _by_column(clips, _entries(clips, pairs_on_clips))
    effect = max(abs(analysis.effect.estimate), study.margin)
    pairs = pairs_needed(entries, effect, alpha=study.alpha)
    if pairs is not None:
        return Need(effect, max(pairs, len(entries) + 1))
    columns = columns_needed(entries, effect, alpha=study.alpha)
    return Need(effect, None, math.ceil(columns * len(clips.clips) / entries.shape[1]))


def pairs_for(study: Study, contrast: Contrast, most: int) -> int | None:
    """Return how many matched pairs would decide a contrast.

    Three if there are fewer, then as many as are needed. None if no number is enough, if it takes more than `most`, or
    if the contrast isn't of matched pairs.
    """
    analysis = analyse_contrast(study, contrast)
    if analysis is None:
        return FEWEST_PAIRS if study.metric.is_accuracy and len(contrast.pairs) < FEWEST_PAIRS else None
    need = sample_size_for(study, contrast, analysis)
    return need.pairs if need is not None and need.pairs is not None and need.pairs <= most else None


def _over_repetitions(study: Study, contrast: Contrast) -> Analysis | None:
    """Analyse repetitions that share too few seeds, in the setting with most of them."""
    settings = [
        tuple([run for run in runs if run in study.clip_set_of[run].row_of] for runs in setting)
        for setting in contrast.repetitions
    ]
    start, end = max(settings, key=lambda setting: min(map(len, setting)))
    fewer = min(len(start), len(end))
    if fewer < FEWEST_PAIRS or not _several(study.clip_set_of[start[0]]):
        return None
    clips = study.clip_set_of[start[0]]
    a, b = (_by_column(clips, _correct(clips, runs)) for runs in (end, start))
    return Analysis(nested(a, b), NESTED, len(clips.clips), fewer)


def _by_column(clips: ClipSet, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values by clip, or by group if clips share them."""
    return by_group(values, clips.groups) if clips.groups else values


def _several(clips: ClipSet) -> bool:
    return (clips.n_groups if clips.groups else len(clips.clips)) > 1


def _entries(clips: ClipSet, pairs: Sequence[Pair]) -> NDArray[np.float64]:
    return _correct(clips, [b for _, b in pairs]) - _correct(clips, [a for a, _ in pairs])


def _correct(clips: ClipSet, runs: Sequence[int]) -> NDArray[np.float64]:
    return clips.correct[[clips.row_of[run] for run in runs]].astype(np.float64)


def _training_clips(study: Study, clips: ClipSet, n_validation: float) -> float:
    """Return how many clips a fold was trained on: as logged, else by the number of folds, else `n_validation`."""
    result = study.results[clips.members[0]]
    if result.training_clips:
        return result.training_clips
    folds = as_number(result.run.params.get("fold", "").partition("/")[2])
    return n_validation * (folds - 1 if folds and folds > 1 else 1)
