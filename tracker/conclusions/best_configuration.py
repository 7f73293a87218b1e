"""Which configuration is best, over all its trainings, and which others are not significantly worse.

A configuration trained under several seeds is a row of its own here: its mean, how far it varies, and whether the best
one is better than chance explains. Configurations are compared if each was trained three times or more on the same
clips: as nested in their level, with the training noise of all of them pooled, since a few seeds of two alone tell
little of it. If every configuration was trained once, `best_run` has said it all.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.comparisons import FOLDS, SPLITS, cross_validation, family_of
from tracker.conclusions.conclusion import Conclusion, Details, Kind, Method, Scope, Verdict
from tracker.conclusions.contrasts import Analysis, analyse_contrast, nested_effect, training_noise
from tracker.conclusions.trainings import (
    PAIRED,
    UNPAIRED,
    mean_over_trainings,
    over_shared_splits,
    p_over_repetitions,
)
from tracker.statistics.error_rates import holm, is_best
from tracker.statistics.repetitions import FEWEST_PAIRS, accuracy_over_seeds
from tracker.statistics.trainings import counted_accuracy_interval
from tracker.study.param_roles import FOLD
from tracker.wording import capitalised, counted, metric_text, metric_words, percent, points

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tracker.conclusions.comparisons import Configuration
    from tracker.statistics.proportions import Interval
    from tracker.study.study import Study
    from tracker.wording import Wording

BY_CLIP = Method(
    "nested analysis of configurations and clips",
    "Configurations are compared as nested in their level, with the variance of trainings pooled over all of them, and "
    "corrected for every pair (Hillis 2007, doi:10.1002/sim.2532).",
)
OVER_TRAININGS = Method(
    "Behrens-Fisher test of configurations over trainings",
    "Configurations are compared over trainings by the larger p-value of Behrens' and Fisher's and of Student's test, "
    "corrected for every pair (Fisher 1935, doi:10.1111/j.1469-1809.1935.tb02120.x; Student 1908, "
    "doi:10.1093/biomet/6.1.1).",
)
_INTERVALS = (
    "Means over trainings have Student's 95% interval, on the same clips; those of accuracies on a known number of "
    "clips have Wilson's, at as many clips as leave the mean equally uncertain (Dean and Pagano 2015, "
    "doi:10.1093/jssam/smv024)."
)
MOST_COMPARED = 60  # configurations up to which every pair is tested; above, only pairs with the best one


@dataclass(frozen=True, slots=True)
class Standing:
    """One configuration among the others; accuracies and their differences are fractions."""

    runs: tuple[str, ...]  # ids of its runs, the best first
    mean: float | None  # of the primary metric over its runs; None if none of them has it
    deviation: float | None = None  # standard deviation from run to run; None for a single one
    # at 95% confidence: of an accuracy on other clips too if it can be said, else of the mean over other trainings
    interval: Interval | None = None
    correct: int | None = None  # clips classified correctly, all runs together
    n: int | None = None  # clips, all runs together
    # the best configuration against this one, raw and adjusted for all pairs; None if they cannot be tested
    p_value: float | None = None
    p_adjusted: float | None = None
    p_of_looks: float | None = None  # the raw one, corrected for how often seeds were added and looked at
    # whether it is not significantly worse than the best, which is itself; None if it was judged on other clips
    tied: bool | None = None


@dataclass(frozen=True, slots=True)
class _Test:
    """The p-values of the best configuration against another one, as in `Standing`."""

    p_value: float
    p_adjusted: float
    p_of_looks: float


def not_tested(best: Standing, other: Standing) -> str:
    """Return why a configuration has no p-value, in a table's words: ``too few seeds`` or ``not tested``."""
    sizes = (len(best.runs), len(other.runs))
    return "too few seeds" if max(sizes) > 1 and min(sizes) < FEWEST_PAIRS else "not tested"


@dataclass(frozen=True, slots=True)
class BestConfiguration(Details):
    """The evidence."""

    standings: tuple[Standing, ...] = ()  # the best first

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return which configuration is best, and whether its lead is more than chance explains."""
        best, *others = self.standings
        who = f"the configuration of {wording.runs(best.runs)}"
        by_clip, mean, difference = wording.metric.is_accuracy, best.mean or 0.0, conclusion.estimate or 0.0
        value = percent(mean) if by_clip else f"{metric_words(wording.metric)} {metric_text(mean)}"
        score = f"{value} on average over {counted(len(best.runs), 'run')}"
        lead = f"{points(difference) if by_clip else metric_text(abs(difference))} ahead of the next"
        if conclusion.verdict == "supported":
            where = "" if conclusion.scope == "population" else f" {wording.on_these}"
            return f"{capitalised(who)} is best{where}: {score}, {lead}, which is more than chance explains."
        tied = sum(other.tied is not False for other in others)
        which = "the next" if tied == 1 else f"{tied} others"
        extreme = "lowest" if wording.metric.lower_is_better else "highest"
        return f"{capitalised(who)} has the {extreme} mean, {score}, but {which} could be as good."


def best_configuration(study: Study) -> tuple[Conclusion, ...]:
    """Conclude on the configurations if one of them was trained more than once; over folds, `best_run` has done so."""
    table = standings(study)
    ranked = [standing for standing in table if standing.tied is not None]
    repeated = any(len(standing.runs) > 1 for standing in ranked)
    if len(ranked) < 2 or not repeated or cross_validation(study) is not None:
        return ()
    best, *others = ranked
    p_values = [standing.p_value for standing in others]
    known = [p for p in p_values if p is not None]
    complete = len(known) == len(others)
    verified = complete and is_best(np.array([standing.p_of_looks for standing in others]), study.alpha)
    verdict: Verdict = "supported" if verified else "inconclusive"
    lead = None if best.mean is None or others[0].mean is None else best.mean - others[0].mean
    n = study.results[study.index_of[best.runs[0]]].n
    configurations = [tuple(study.index_of[run] for run in one.runs) for one in ranked]
    own = _contrast_of(study, configurations)
    method = own.method if own else _method(study, configurations)
    details, p_value = BestConfiguration(tuple(ranked)), max(known) if complete else None
    scope: Scope = "these_clips" if method in (OVER_TRAININGS, PAIRED, UNPAIRED) else "population"
    found = Conclusion("best_configuration", verdict, best.runs, details, lead, p_value=p_value, n=n)
    return (replace(found, method=method if known else None, scope=scope),)


@lru_cache(maxsize=1)
def standings(study: Study) -> tuple[Standing, ...]:
    """Return every configuration with its mean, the best first; those judged on other clips, or without a score, last.

    The clips are those that most runs were judged on. Over folds, all folds of a configuration count together. Several
    data sets come one after the other, each with its own best.
    """
    if study.data is not None:
        return tuple(standing for part in study.parts for standing in standings(part))
    folds = cross_validation(study)
    if folds is not None:
        found = {runs: folds.tests[folds.configurations[0], runs] for runs in folds.configurations[1:]}
        tests = {runs: _Test(raw, adjusted, raw) for runs, (raw, adjusted) in found.items()}
        return _ranked(study, folds.configurations, tests, _rest(study, folds.configurations))
    group = max(study.rankable_groups, key=lambda runs: len(study.ranked(runs)), default=())
    among = set(study.ranked(group))
    configurations = [tuple(run for run in runs if run in among) for runs in study.design.configurations]
    ranked = sorted(filter(None, configurations), key=lambda runs: _rank(study, runs))
    return _ranked(study, ranked, _tests(study, ranked), _rest(study, ranked))


def _ranked(
    study: Study,
    ranked: Sequence[Configuration],
    tests: Mapping[Configuration, _Test],
    rest: Sequence[Configuration],
) -> tuple[Standing, ...]:
    found = []
    verified = set(tests) >= set(ranked[1:]) and is_best(
        np.array([test.p_of_looks for test in tests.values()]), study.alpha
    )
    for position, runs in enumerate(ranked):
        test = tests.get(runs)
        tied = position == 0 or (not verified and (test is None or test.p_adjusted > study.alpha))
        found.append(_standing(study, runs, test, tied=tied))
    return (*found, *(_standing(study, runs) for runs in rest))


def _rest(study: Study, ranked: Sequence[Configuration]) -> list[Configuration]:
    """Return the runs that are not ranked, by configuration, in the report's order."""
    there = {run for runs in ranked for run in runs}
    rest = (tuple(run for run in runs if run not in there) for runs in study.design.configurations)
    return [runs for runs in rest if runs]


def _rank(study: Study, runs: Configuration) -> tuple[float, float, str]:
    mean, losses = _mean(study, runs), [study.results[run].val_loss for run in runs]
    known = [loss for loss in losses if loss is not None]
    sign = 1.0 if study.metric.lower_is_better else -1.0
    return sign * (mean or 0.0), float(np.mean(known)) if known else np.inf, min(study.ids(runs))


def _mean(study: Study, runs: Configuration) -> float | None:
    scores = [score for run in runs if (score := study.results[run].score) is not None]
    return float(np.mean(scores)) if scores else None


def _standing(
    study: Study,
    runs: Configuration,
    test: _Test | None = None,
    *,
    tied: bool | None = None,
) -> Standing:
    results = [study.results[run] for run in runs]
    scores = [result.score for result in results if result.score is not None]
    counts = [(result.correct, result.n) for result in results if result.correct is not None and result.n]
    counted_all = len(counts) == len(runs) and study.metric.is_accuracy
    ranked = sorted(runs, key=lambda run: study.rank_of.get(run, len(study.results)))
    return Standing(
        runs=study.ids(ranked),
        mean=_mean(study, runs),
        deviation=float(np.std(scores, ddof=1)) if len(scores) > 1 else None,
        interval=(_interval(study, runs) if counted_all else None) or _interval_over_trainings(study, runs),
        correct=sum(correct for correct, _ in counts) if counted_all else None,
        n=sum(n for _, n in counts) if counted_all else None,
        p_value=test.p_value if test else None,
        p_adjusted=test.p_adjusted if test else None,
        p_of_looks=test.p_of_looks if test else None,
        tied=tied,
    )


def _interval(study: Study, runs: Configuration) -> Interval | None:
    """Return the interval of a configuration's accuracy on other clips under other seeds; None without predictions."""
    if len(runs) == 1:
        accuracy = study.results[runs[0]].accuracy
        return accuracy.interval if accuracy else None
    by_set: dict[int, list[int]] = defaultdict(list)
    for run in runs:
        by_set[study.clip_set_index[run]].append(run)
    sets = [(study.clip_sets[index], members) for index, members in sorted(by_set.items())]
    seeds = {len(members) for _, members in sets}
    if len(seeds) > 1 or any(run not in clips.row_of for clips, members in sets for run in members):
        return None
    correct = np.hstack([clips.correct[[clips.row_of[run] for run in members]] for clips, members in sets])
    groups = [group for clips, _ in sets for group in clips.groups or clips.clips]
    if len(set(groups)) == len(groups):
        groups = []
    return accuracy_over_seeds(correct, groups or None) if seeds != {1} else None


def _interval_over_trainings(study: Study, runs: Configuration) -> Interval | None:
    """Return the interval of a mean over other trainings on the same clips; None for too few trainings, or on several.

    Of an accuracy on a known number of clips it is one on other clips too.
    """
    results = [study.results[run] for run in runs]
    scores = np.array([result.score for result in results if result.score is not None])
    if len({int(study.design.repeats[run]) for run in runs}) > 1 or len(scores) < FEWEST_PAIRS:
        return None
    clips = results[0].clip_set
    if study.metric.is_accuracy and clips.known and clips.n and all(result.correct is not None for result in results):
        return None if clips.groups else counted_accuracy_interval(scores, clips.n)
    return mean_over_trainings(study, scores) if np.ptp(scores) else None  # equal scores don't show how they vary


def _tests(study: Study, ranked: Sequence[Configuration]) -> dict[Configuration, _Test]:
    """Return the p-values of the best configuration against each other one that it can be tested against."""
    if len(ranked) < 2:
        return {}
    best, *others = ranked
    tests: dict[Configuration, _Test] = {}
    if all(len(runs) == 1 for runs in ranked):
        family = family_of(study)
        for runs in others:
            raw, adjusted = family.p_value(best[0], runs[0]), family.p_adjusted(best[0], runs[0])
            if raw is not None and adjusted is not None:
                tests[runs] = _Test(raw, adjusted, raw)
        return tests
    deciding = _deciding(study, ranked)
    pairs = combinations(ranked, 2) if len(ranked) <= MOST_COMPARED else ((best, other) for other in others)
    found = _raw_tests(study, deciding, pairs)
    all_adjusted = holm(np.array([strict for *_, strict in found.values()]), len(ranked) * (len(ranked) - 1) // 2)
    for ((first, runs), (raw, of_looks, _)), adjusted in zip(found.items(), all_adjusted, strict=True):
        if first == best:
            is_ahead = _is_ahead(study, deciding[best], deciding[runs])
            tests[runs] = _Test(raw, float(adjusted), of_looks) if is_ahead else _Test(1.0, 1.0, 1.0)
    return tests


def _raw_tests(
    study: Study,
    deciding: Mapping[Configuration, Configuration],
    pairs: Iterable[tuple[Configuration, Configuration]],
) -> dict[tuple[Configuration, Configuration], tuple[float, float, float]]:
    """Return p-values of pairs of configurations: raw, corrected for looks, and a corrected one that keeps every level.

    They are compared by the runs that decide.
    """
    clips = study.results[next(iter(deciding))[0]].clip_set
    by_clip = _is_known_by_clip(study, deciding)
    judged = {runs: [run for run in own if run in clips.row_of] for runs, own in deciding.items()}
    noise = training_noise(study, clips, judged.values())
    found: dict[tuple[Configuration, Configuration], tuple[float, float, float]] = {}
    for a, b in pairs:
        if by_clip:
            effect = nested_effect(study, clips, judged[b], judged[a], noise)
            p_value, strict = (effect.p_value, effect.strict_p_value) if effect else (None, None)
            looks = study.looks_at_levels(judged[b], judged[a])
        else:
            p_value = strict = _p_over_trainings(study, deciding[b], deciding[a])
            looks = study.looks_at_levels(deciding[b], deciding[a])
        if p_value is not None and strict is not None:
            of_looks = p_value if looks.is_fixed else looks.adjusted(strict)
            found[a, b] = p_value, of_looks, looks.adjusted(strict)
    return found


def _deciding(study: Study, ranked: Sequence[Configuration]) -> dict[Configuration, Configuration]:
    """Return the runs that configurations are compared by: those of plans declared final if every one has three."""
    final = {runs: tuple(run for run in runs if run in study.final_runs) for runs in ranked}
    return final if all(len(runs) >= FEWEST_PAIRS for runs in final.values()) else {runs: runs for runs in ranked}


def _is_ahead(study: Study, first: Configuration, other: Configuration) -> bool:
    """Return whether the best configuration of all runs is that of those that decide too."""
    of_first, of_other = _mean(study, first), _mean(study, other)
    if of_first is None or of_other is None:
        return False
    return of_first <= of_other if study.metric.lower_is_better else of_first >= of_other


def _contrast_of(study: Study, configurations: Sequence[Configuration]) -> Analysis | None:
    """Return the effect of the one option in which two configurations differ, if there are no others, over trainings.

    Which of them is best is what the option does, so that both are decided by the same test.
    """
    if len(study.design.configurations) != 2 or _is_known_by_clip(study, configurations):
        return None
    contrasts = [contrast for of_option in study.contrasts.values() for contrast in of_option]
    if len(contrasts) != 1 or len(contrasts[0].repetitions) != 1:
        return None
    runs = {frozenset(side) for side in contrasts[0].repetitions[0]}
    return analyse_contrast(study, contrasts[0]) if runs == set(map(frozenset, configurations)) else None


def _method(study: Study, configurations: Sequence[Configuration]) -> Method:
    """Return how configurations that were trained several times are compared."""
    if _is_known_by_clip(study, configurations):
        return BY_CLIP
    runs = [run for of_one in configurations for run in of_one]
    if len({int(study.design.repeats[run]) for run in runs}) == 1:
        return OVER_TRAININGS
    return FOLDS if all(FOLD in dict(study.design.terms[run].split) for run in runs) else SPLITS


def _is_known_by_clip(study: Study, configurations: Iterable[Configuration]) -> bool:
    """Return whether what each clip adds to the metric is known of three runs of a configuration, or more."""
    known = (sum(study.by_clip(run) is not None for run in runs) for runs in configurations)
    return any(number >= FEWEST_PAIRS for number in known)


def _p_over_trainings(study: Study, start: Configuration, end: Configuration) -> float | None:
    """Return the p-value of training as one configuration rather than another, of which no clip is known."""
    if own := _contrast_of(study, (start, end)):
        return own.effect.p_value
    if len({int(study.design.repeats[run]) for run in (*start, *end)}) == 1:
        return p_over_repetitions(study, start, end)
    over = over_shared_splits(study, start, end)
    return None if over is None else over.effect.p_value


def _methods(_study: Study, conclusions: Sequence[Conclusion]) -> Iterator[str]:
    for method in dict.fromkeys(found.method for found in conclusions if found.method):
        if any(found.p_value is not None for found in conclusions if found.method == method):
            yield method.source
    if any(_has_intervals_over_trainings(found) for found in conclusions):
        yield _INTERVALS


def _has_intervals_over_trainings(found: Conclusion) -> bool:
    """Return whether any configuration's mean has an interval over its trainings."""
    details = found.details
    known = isinstance(details, BestConfiguration) and any(one.interval for one in details.standings)
    return known and found.scope == "these_clips"


KIND = Kind(
    name="best_configuration",
    title="Configurations",
    conclude=best_configuration,
    estimates="difference",
    in_metric_unit=True,
    methods=_methods,
)
