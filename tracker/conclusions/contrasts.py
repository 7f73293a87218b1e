"""The effect of going from one level of an option to another, and what further runs would show of it.

It is estimated from a contrast's runs. Entries are what a clip adds to the primary metric at the second level (1
if it is correct, or its log-loss) minus what it adds at the first: a row for each matched pair, a column for each clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.comparisons import FOLDS, SPLITS, fold_effect
from tracker.conclusions.conclusion import Chance, Method
from tracker.conclusions.trainings import over_trainings
from tracker.runs import OFF
from tracker.statistics.error_rates import holm
from tracker.statistics.matched_pairs import Effect, by_group, crossed, nested, pooled_noise
from tracker.statistics.repetitions import (
    FEWEST_PAIRS,
    PairVariance,
    columns_needed,
    crossed_power,
    detectable_by_pairs,
    detectable_effect,
    pairs_needed,
)
from tracker.statistics.resampling import probability_better

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.conclusions.conclusion import Scope, Verdict
    from tracker.statistics.matched_pairs import TrainingNoise
    from tracker.statistics.proportions import Interval
    from tracker.study.clip_sets import ClipSet
    from tracker.study.looks import Looks
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


TRAINING_NOISE = 0.04  # standard deviation of accuracy over seeds, assumed until a configuration is repeated


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
    n: int | None
    population: Effect | None  # the effect if it is one on other clips too: it may then be less sure
    looks: Looks  # at the repetitions that it was estimated from
    folds: int = 0  # folds or splits, if it was estimated over them
    inner: InnerEffect | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """What it takes to detect an effect as large as the observed one, or as the margin if that is larger."""

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
    interval_90: Interval | None  # at 90% confidence: what equivalence goes by
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
    need: Need | None = None  # what it takes to decide it, if matched pairs leave it open
    scope: Scope = "population"  # of what is inferred, if it was tested
    constant: bool = False  # whether every one of at least three matched pairs differs by the same
    settings: int = 1  # of everything else in which both levels have runs
    # repetitions at each look from the first three on, the last of which decided; of levels that are not paired their
    # harmonic mean; empty if it was not tested
    looks: tuple[float, ...] = ()
    # what a p-value is held to at that look, before other contrasts are corrected for; alpha if the plan was fixed
    level: float | None = None
    is_final: bool = False  # whether a plan decided it that was declared final
    later_runs: int = 0  # runs of these levels that such a plan leaves out


def analyse_contrast(study: Study, contrast: Contrast) -> Analysis | None:
    """Estimate an effect over folds or splits if possible, else over matched pairs, else over three repetitions.

    From what each clip adds to the metric if that is known, else from the metric of each training.
    """
    found = _analyse_by_clip(study, contrast) if study.metric.is_known_by_clip else None
    over = over_trainings(study, contrast) if found is None else None
    if over is None:
        return found
    return Analysis(over.effect, over.method, over.n, over.population, over.looks, over.folds)


def _analyse_by_clip(study: Study, contrast: Contrast) -> Analysis | None:
    by_set = _pairs_by_set(study, contrast)
    clips, pairs = largest_set(study, contrast)
    inner = crossed_effect(study, clips, pairs)
    over_folds = fold_effect(
        study, {index: float(_entries(study, of_set).mean()) for index, (_, of_set) in by_set.items()}
    )
    if over_folds is not None:
        sets = [of_set for of_set, _ in by_set.values()]
        folds = [dict(study.design.terms[of_set.members[0]].split).get("fold", OFF) for of_set in sets]
        on_largest = InnerEffect(inner.estimate, inner.interval, inner.p_value) if inner else None
        n = sum(len(of_set.clips) for of_set in sets)
        looks = study.looks_at_pairs([pair for of_set in by_set.values() for pair in of_set[1]])
        return Analysis(over_folds, SPLITS if OFF in folds else FOLDS, n, over_folds, looks, len(sets), on_largest)
    if inner is not None:
        return Analysis(inner, CROSSED, len(clips.clips), inner, study.looks_at_pairs(pairs))
    # repetitions that share too few seeds, in the setting with most of them
    settings = [
        [[run for run in runs if study.by_clip(run) is not None] for runs in setting]
        for setting in contrast.repetitions
    ]
    start, end = max(settings, key=lambda setting: min(map(len, setting)))
    clips = study.results[(start or contrast.repetitions[0][0])[0]].clip_set
    effect = nested_effect(study, clips, start, end)
    looks = study.looks_at_levels(start, end)
    return Analysis(effect, NESTED, len(clips.clips), effect, looks) if effect else None


def crossed_effect(study: Study, clips: ClipSet, pairs: Sequence[Pair]) -> Effect | None:
    """Analyse matched pairs on these clips, crossed with clips or groups of them; None for too few of either."""
    if len(pairs) < FEWEST_PAIRS or not _several(clips):
        return None
    return _varied(study, crossed(_by_column(clips, _entries(study, pairs))))


def nested_effect(
    study: Study, clips: ClipSet, start: Sequence[int], end: Sequence[int], noise: TrainingNoise | None = None
) -> Effect | None:
    """Analyse repetitions as nested in their level, from `start` to `end`; None for too few of them, or of clips."""
    if min(len(start), len(end)) < FEWEST_PAIRS or not _several(clips):
        return None
    after, before = (_table(study, clips, tuple(runs)) for runs in (end, start))
    return _varied(study, nested(after, before, noise))


def training_noise(study: Study, clips: ClipSet, configurations: Iterable[Sequence[int]]) -> TrainingNoise | None:
    """Return how repetitions scatter in all of these configurations together; None if none was trained three times."""
    several = [runs for runs in configurations if len(runs) >= FEWEST_PAIRS]
    if not several or not _several(clips):
        return None
    return pooled_noise([_table(study, clips, tuple(runs)) for runs in several])


def _varied(study: Study, effect: Effect) -> Effect | None:
    """Return an effect, None if it is of a loss that never varied: only counts of clips bound such an effect."""
    return effect if effect.standard_error or study.metric.is_accuracy else None


def adjusted_p_values(family: Sequence[tuple[Effect | None, Looks]]) -> list[float]:
    """Correct the p-values of all contrasts for how often each was looked at, and by Holm's method for each other.

    Of several contrasts, or at one of several looks, they are the strict ones, which hold at every level. A contrast
    that has no effect counts as having a p-value of 1.
    """
    alone, p_values = len(family) == 1, []
    for effect, looks in family:
        if effect is None:
            p_values.append(1.0)
        else:
            p_values.append(looks.adjusted(effect.p_value if alone and looks.is_fixed else effect.strict_p_value))
    return [float(p) for p in holm(np.array(p_values))]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the tests of a contrast come to."""

    effect: Effect  # of that scope
    verdict: Verdict
    scope: Scope
    p_adjusted: float
    within_margin: bool | None  # None if the metric isn't an accuracy


def decide(study: Study, family: Sequence[Analysis]) -> list[Decision]:
    """Return what is claimed of each contrast, and of what: of other clips if the effect stands for those too."""
    of_these = adjusted_p_values([(analysis.effect, analysis.looks) for analysis in family])
    of_others = adjusted_p_values([(analysis.population, analysis.looks) for analysis in family])
    return [_decision(study, *of_one) for of_one in zip(family, of_these, of_others, strict=True)]


def _decision(study: Study, analysis: Analysis, p_these: float, p_others: float) -> Decision:
    whole = analysis.population
    if whole is not None:
        within = study.within_margin(whole.interval_90) if study.metric.is_accuracy else None
        if p_others <= study.alpha or (within and p_these > study.alpha) or whole is analysis.effect:
            verdict: Verdict = "supported" if p_others <= study.alpha else "equivalent" if within else "inconclusive"
            return Decision(whole, verdict, "population", p_others, within)
    within = study.within_margin(analysis.effect.interval_90) if study.metric.is_accuracy else None
    verdict = "supported" if p_these <= study.alpha else "equivalent" if within else "inconclusive"
    return Decision(analysis.effect, verdict, "these_clips", p_these, within)


def chance_of_better(study: Study, contrast: Contrast) -> float | None:
    """Estimate the chance that the second level beats the first on other clips and seeds; None for too few pairs."""
    clips, pairs = largest_set(study, contrast)
    if len(pairs) < FEWEST_PAIRS:
        return None
    seed = study.random_seed(run for pair in pairs for run in pair)
    better = _entries(study, pairs) * (-1 if study.metric.lower_is_better else 1)
    return probability_better(better, seed, clips.groups or None)


def largest_set(study: Study, contrast: Contrast) -> tuple[ClipSet, list[Pair]]:
    """Return the clip set with most matched pairs whose predictions were logged, and these pairs; maybe none."""
    first = study.results[contrast.repetitions[0][0][0]].clip_set
    return max(_pairs_by_set(study, contrast).values(), key=lambda of_set: len(of_set[1]), default=(first, []))


@lru_cache(maxsize=512)
def _pairs_by_set(study: Study, contrast: Contrast) -> Mapping[int, tuple[ClipSet, list[Pair]]]:
    """Return each clip set with its matched pairs whose predictions were logged, by its index.

    Cached because an effect, its power and what it needs are each computed from them.
    """
    by_set: dict[int, tuple[ClipSet, list[Pair]]] = {}
    for pair in contrast.pairs:
        if all(study.by_clip(run) is not None for run in pair):
            index = study.clip_set_index[pair[0]]
            by_set.setdefault(index, (study.clip_sets[index], []))[1].append(pair)
    return by_set


def sample_size_for(study: Study, contrast: Contrast, analysis: Analysis, tests: int) -> Need | None:
    """Return what it takes to decide a contrast, given how many are tested; None if it isn't one of matched pairs."""
    effect = worthwhile(study, analysis.effect.estimate)
    if analysis.method != CROSSED or not effect or contrast.is_final:
        return None
    clips, pairs_on_clips = largest_set(study, contrast)
    entries = _by_column(clips, _entries(study, pairs_on_clips))
    before = None if analysis.looks.is_fixed else analysis.looks.sizes
    pairs = pairs_needed(entries, effect, alpha=study.alpha, tests=tests, before=before)
    if pairs is not None:
        return Need(effect, max(pairs, len(entries) + 1))
    columns = columns_needed(entries, effect, alpha=study.alpha / tests)
    return Need(effect, None, math.ceil(columns * len(clips.clips) / entries.shape[1]))


def worthwhile(study: Study, estimate: float | None) -> float:
    """Return the size of an effect worth looking for: the observed one; of accuracy the margin if that is larger."""
    return max(abs(estimate or 0.0), study.margin if study.metric.is_accuracy else 0.0)


def detectable_on(study: Study, contrast: Contrast, analysis: Analysis, tests: int) -> float | None:
    """Return the smallest effect that an analysis as precise as this one detects four times in five."""
    if analysis.method != CROSSED:
        return detectable_effect(analysis.effect, alpha=analysis.looks.level(study.alpha / tests))
    clips, pairs = largest_set(study, contrast)
    variance = PairVariance.of(_by_column(clips, _entries(study, pairs)))
    return detectable_by_pairs(variance, len(pairs), alpha=study.alpha, tests=tests, before=analysis.looks.before)


def chance_with(
    study: Study, contrast: Contrast | None, run: int, pairs: int, tests: int, effect: float | None = None
) -> Chance | None:
    """Return how often so many matched pairs, `run` in one of them, would detect an effect, or one worth looking for.

    More of them than there are, they would be one more look, held to its own level.
    Three existing pairs say how much pairs vary. Before there are so many, of accuracy, it is taken from the runs at
    hand: how often two of them disagree on a clip, and how far repeated trainings of a configuration differ.
    """
    clips, on_clips = (study.results[run].clip_set, []) if contrast is None else largest_set(study, contrast)
    entries = _by_column(clips, _entries(study, on_clips)) if on_clips else np.empty((0, 0))
    effect = effect or worthwhile(study, float(entries.mean()) if on_clips else None)
    enough = len(on_clips) >= FEWEST_PAIRS and _several(clips)
    variance = PairVariance.of(entries) if enough else _usual_variance(study, clips)
    if not effect or variance is None:
        return None
    before = study.looks_at_pairs(on_clips).sizes
    detectable = detectable_by_pairs(variance, pairs, alpha=study.alpha, tests=tests, before=before)
    return Chance(effect, crossed_power(variance, pairs, effect, study.alpha, tests, before), detectable)


def pairs_worth_running(study: Study, contrast: Contrast | None, run: int, most: int, tests: int) -> int | None:
    """Return how many matched pairs in all, at most `most`, have the most chance of a verdict for each new one.

    Among those with at least an even chance; None if none have it.
    """
    have = len(largest_set(study, contrast)[1]) if contrast else 0
    numbers = range(max(FEWEST_PAIRS, have + 1), most + 1)
    chances = {pairs: chance_with(study, contrast, run, pairs, tests) for pairs in numbers}
    each = {pairs: chance.power / (pairs - have) for pairs, chance in chances.items() if chance and chance.power >= 0.5}
    return max(each, key=each.__getitem__, default=None)


def _usual_variance(study: Study, clips: ClipSet) -> PairVariance | None:
    """Return how much matched pairs on some clips may vary; None for a loss, or if too little is known of the clips.

    Half of what two models disagree on is taken to be the option's doing, the same in every pair.
    """
    columns = clips.n_groups or clips.n
    if not study.metric.is_accuracy or not clips.n or not columns or columns < 2:
        return None
    shown = study.detectable_between(clips.members)
    discordance = shown.discordance
    if discordance is None:
        accuracy = shown.best_fraction or 0.5
        discordance = 2 * accuracy * (1 - accuracy)
    together = max(1.0, 1 + (clips.n / columns - 1) * shown.correlation)  # the design effect of groups
    by_column = discordance * columns / clips.n * together
    if not by_column:
        return None
    noise = _training_noise(study, clips)
    rows = 2 * columns * TRAINING_NOISE**2 + by_column / 2 if noise is None else max(2 * columns * noise, by_column / 2)
    return PairVariance(rows, by_column / 2, columns)


def _training_noise(study: Study, clips: ClipSet) -> float | None:
    """Return the variance of accuracy over trainings of one configuration on these clips; None without repetitions."""
    of_run = {run: score for run in clips.members if (score := study.results[run].score) is not None}
    by_configuration = [[of_run[run] for run in runs if run in of_run] for runs in study.design.configurations]
    repeated = [scores for scores in by_configuration if len(scores) > 1]
    squares = sum(float(np.var(scores)) * len(scores) for scores in repeated)
    return squares / sum(len(scores) - 1 for scores in repeated) if repeated else None


def _several(clips: ClipSet) -> bool:
    return (clips.n_groups or len(clips.clips)) > 1


@lru_cache(maxsize=128)
def _table(study: Study, clips: ClipSet, runs: tuple[int, ...]) -> NDArray[np.float64]:
    """Return what repetitions get by clip or group, cached because each is set against many others."""
    return _by_column(clips, _values(study, runs))


def _by_column(clips: ClipSet, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values by clip, or by group if clips share them."""
    return by_group(values, clips.group_codes) if clips.groups else values


def _entries(study: Study, pairs: Sequence[Pair]) -> NDArray[np.float64]:
    return _values(study, [b for _, b in pairs]) - _values(study, [a for a, _ in pairs])


def _values(study: Study, runs: Sequence[int]) -> NDArray[np.float64]:
    return np.array([study.by_clip(run) for run in runs])
