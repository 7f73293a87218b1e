"""The effect of going from one level of an option to another, and what further runs would show of it.

It is estimated from a contrast's runs. Entries are correct (1 or 0) at the second level minus correct at the first: a
row for each matched pair, a column for each clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.comparisons import FOLDS, SPLITS, fold_effect
from tracker.conclusions.conclusion import Method
from tracker.statistics.error_rates import holm
from tracker.statistics.matched_pairs import Effect, by_group, crossed, nested
from tracker.statistics.repetitions import FEWEST_PAIRS, columns_needed, pairs_needed
from tracker.statistics.resampling import probability_better
from tracker.study.options import OFF

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    folds: int = 0  # folds or splits, if it was estimated over them
    inner: InnerEffect | None = None


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
    """Estimate an effect over folds or splits if possible, else over matched pairs, else over three repetitions."""
    by_set = _pairs_by_set(study, contrast)
    clips, pairs = largest_set(study, contrast)
    inner = crossed_effect(clips, pairs)
    over_folds = fold_effect(study, {index: float(_entries(*of_set).mean()) for index, of_set in by_set.items()})
    if over_folds is not None:
        sets = [of_set for of_set, _ in by_set.values()]
        folds = [dict(study.design.terms[of_set.members[0]].split).get("fold", OFF) for of_set in sets]
        on_largest = InnerEffect(inner.estimate, inner.interval, inner.p_value) if inner else None
        n = sum(len(of_set.clips) for of_set in sets)
        return Analysis(over_folds, SPLITS if OFF in folds else FOLDS, n, len(sets), on_largest)
    if inner is not None:
        return Analysis(inner, CROSSED, len(clips.clips))
    # repetitions that share too few seeds, in the setting with most of them
    settings = [
        [[run for run in runs if run in study.results[run].clip_set.row_of] for runs in setting]
        for setting in contrast.repetitions
    ]
    start, end = max(settings, key=lambda setting: min(map(len, setting)))
    clips = study.results[(start or contrast.repetitions[0][0])[0]].clip_set
    effect = nested_effect(clips, start, end)
    return Analysis(effect, NESTED, len(clips.clips)) if effect else None


def crossed_effect(clips: ClipSet, pairs: Sequence[Pair]) -> Effect | None:
    """Analyse matched pairs on these clips, crossed with clips or groups of them; None for too few of either."""
    if len(pairs) < FEWEST_PAIRS or not _several(clips):
        return None
    return crossed(_by_column(clips, _entries(clips, pairs)))


def nested_effect(clips: ClipSet, start: Sequence[int], end: Sequence[int]) -> Effect | None:
    """Analyse repetitions that share too few seeds, from `start` to `end`; None for too few of them, or of clips."""
    if min(len(start), len(end)) < FEWEST_PAIRS or not _several(clips):
        return None
    return nested(*(_by_column(clips, _correct(clips, runs)) for runs in (end, start)))


def adjusted_p_values(family: Sequence[Effect]) -> list[float]:
    """Correct the p-values of all contrasts by Holm's method; of several the strict ones, which hold at every level."""
    p_values = [effect.p_value if len(family) == 1 else effect.strict_p_value for effect in family]
    return [float(p) for p in holm(np.array(p_values))]


def chance_of_better(study: Study, contrast: Contrast) -> float | None:
    """Estimate the chance that the second level beats the first on other clips and seeds; None for too few pairs."""
    clips, pairs = largest_set(study, contrast)
    if len(pairs) < FEWEST_PAIRS:
        return None
    seed = study.random_seed(run for pair in pairs for run in pair)
    return probability_better(_entries(clips, pairs), seed, clips.groups or None)


def largest_set(study: Study, contrast: Contrast) -> tuple[ClipSet, list[Pair]]:
    """Return the clip set with most matched pairs whose predictions were logged, and these pairs; maybe none."""
    first = study.results[contrast.repetitions[0][0][0]].clip_set
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


def _several(clips: ClipSet) -> bool:
    return (clips.n_groups or len(clips.clips)) > 1


def _by_column(clips: ClipSet, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values by clip, or by group if clips share them."""
    return by_group(values, clips.groups) if clips.groups else values


def _entries(clips: ClipSet, pairs: Sequence[Pair]) -> NDArray[np.float64]:
    return _correct(clips, [b for _, b in pairs]) - _correct(clips, [a for a, _ in pairs])


def _correct(clips: ClipSet, runs: Sequence[int]) -> NDArray[np.float64]:
    return clips.correct[[clips.row_of[run] for run in runs]].astype(np.float64)
