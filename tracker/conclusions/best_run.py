"""Which run is best on the primary metric, and which others are not significantly worse.

If an experiment was cross-validated, or run on several splits, runs are not ranked, since folds differ in their clips.
Then configurations are, by the clips that their runs classify correctly over all folds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from tracker.conclusions.comparisons import FOLDS, SPLITS, CrossValidation, cross_validation, family_of, pooled
from tracker.conclusions.conclusion import Conclusion, Details, Kind, Verdict
from tracker.conclusions.run_difference import (
    COUNTS,
    EASILY,
    LOSSES,
    SIGN_FLIP,
    UNCONDITIONAL,
    why_not_comparable,
)
from tracker.statistics.error_rates import is_best
from tracker.statistics.grouped import fewest_groups
from tracker.statistics.paired import aggregate_p_range
from tracker.statistics.resampling import probability_best
from tracker.study.histories import identical
from tracker.study.study import Obstacle
from tracker.wording import (
    capitalised,
    correct_of,
    counted,
    level_of_option,
    listing,
    losses,
    metric_text,
    metric_words,
    number_for,
    number_word,
    percent,
    percent_cell,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.conclusions.comparisons import Family
    from tracker.conclusions.conclusion import Method
    from tracker.statistics.resampling import Chances
    from tracker.study.study import Study
    from tracker.wording import Wording


_SOURCE = (
    "A run is called best only if its uncorrected test against every other run is significant (Hung and Fithian 2019, "
    "doi:10.1214/17-AOS1634)."
)
_MOST_LEVELS = 4  # options that a configuration is named by; if more vary, by its runs
FEWEST_COLUMNS = 5  # clips, or groups of them, below which resampling them says nothing about other clips


@dataclass(frozen=True, slots=True)
class BestRun(Details):
    """The evidence."""

    indistinguishable: tuple[str, ...] = ()  # ids of the runs that are not significantly worse than the best
    score: float | None = None  # the primary metric
    runner_up_score: float | None = None
    # clips that the best classifies correctly, over all folds if there are any. None if the metric isn't accuracy
    correct: int | None = None
    runner_up: str | None = None  # id of the second
    runner_up_correct: int | None = None  # clips that it classifies correctly
    runner_up_p: float | None = None  # the p-value of the best against it, uncorrected
    worst_correct: int | None = None  # clips that the last of the others classifies correctly
    others: int = 0  # runs (or configurations) that it was compared with
    tied: tuple[str, ...] = ()  # ids of runs with the same score
    family: int = 0  # pairs of runs that the correction counts
    clearest_gap: int | None = None  # difference in clips between the best and the run with the smallest p-value
    lowest_p: float | None = None  # the smallest p-value of the best against another
    # with counts alone: the smallest p-value that any pairing of the clips would give against any other
    least_p: float | None = None
    tie_break: Literal["loss", "id"] | None = None  # what puts the best before runs with the same score
    # estimated probability that it is the best on other clips of the same kind: a tie of m counting 1/m, alone, and
    # alone or tied
    probability: float | None = None
    probability_alone: float | None = None
    probability_alone_or_tied: float | None = None
    # groups that the clips come from and that no test can do without, if they are too few for any to be significant
    groups: tuple[int, int] | None = None
    folds: int = 0  # folds, or splits, that configurations are compared over; 0 if runs are compared
    splits: bool = False  # whether these are splits under several split seeds
    levels: tuple[tuple[str, str], ...] = ()  # the best configuration's, by option, of those that vary
    elsewhere: bool = False  # whether further runs were judged on other clips
    why: Obstacle | None = None  # why it could not be tested or found

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return which run or configuration is best, and which others are not significantly worse."""
        if self.why == Obstacle.NO_METRIC:
            having = [run_id for run_id in conclusion.runs if run_id not in self.indistinguishable]
            who = f"only {wording.run(having[0])}" if having else "no run"
            return f"The best run is unknown: {who} logged {number_for(wording.metric)}."
        if self.folds:
            return _configuration_text(conclusion, self, wording)
        parts = [_score_text(conclusion, self, wording)]
        if len(self.tied) < self.others or self.why is not None:  # of equal scores none is worse
            parts.append(_tests_text(conclusion, self, wording))
        alone = self.probability_alone
        if alone is not None and 0 < alone < 1 and conclusion.verdict != "supported" and self.groups is None:
            parts.append(f"On a new sample of clips it would be the sole winner about {percent(alone)} of the time.")
        return " ".join(parts)


def best_runs(study: Study, family: Family) -> tuple[Conclusion, ...]:
    """Conclude on the best run of each group that can be ranked, or on the best configuration over folds.

    Empty with fewer than two runs; one `unknown` conclusion if at most one of several runs has the primary metric.
    """
    folds = cross_validation(study)
    if folds is not None:
        return (_best_configuration(study, folds),) if len(folds.configurations) > 1 else ()
    if len(study.results) > 1 and len(study.ranking) < 2:
        unranked = tuple(result.run_id for result in study.results if result.index not in study.rank_of)
        return (Conclusion("best_run", "unknown", study.run_ids, BestRun(unranked, why=Obstacle.NO_METRIC)),)
    ranked = map(study.ranked, study.rankable_groups)
    return tuple(_best(study, runs, family) for runs in ranked if len(runs) > 1)


def _best(study: Study, ranked: Sequence[int], family: Family) -> Conclusion:
    """Conclude on the runs of one group, the best first."""
    best, *others = ranked
    tests = {run: p for run in others if (p := family.p_value(best, run)) is not None}
    complete = len(tests) == len(others)
    lead, scores = None, [study.results[run].score for run in ranked[:2]]
    if study.metric.is_known_by_clip and scores[0] is not None and scores[1] is not None:
        lead = scores[0] - scores[1]
    verified = complete and is_best(np.array(list(tests.values())), study.alpha)
    verdict: Verdict = "supported" if verified else "inconclusive"
    details, n = _details(study, ranked, family, tests), study.results[best].n
    details = replace(details, indistinguishable=()) if verified else details
    p_value, method = (max(tests.values()), _method(study, ranked)) if complete else (None, None)
    return Conclusion("best_run", verdict, study.ids([best]), details, lead, p_value=p_value, n=n, method=method)


def _details(study: Study, ranked: Sequence[int], family: Family, tests: Mapping[int, float]) -> BestRun:
    best, *others = ranked
    result = study.results[best]
    clearest = min(tests, key=tests.__getitem__, default=None)  # of equals the best: tests are in the order of ranks
    worse = {run for run in tests if (family.p_adjusted(best, run) or 0.0) <= study.alpha}
    tied = [run for run in others if study.results[run].score == result.score]
    clips, chances = result.clip_set, _chances(study, best)
    fewest = fewest_groups(study.alpha)
    tie_break: Literal["loss", "id"] | None = None
    if tied:
        loss, other_loss = result.val_loss, study.results[tied[0]].val_loss
        tie_break = "loss" if loss is not None and (other_loss is None or loss < other_loss) else "id"
    least = []  # with counts alone: the smallest p-value that they allow against each of the others
    if result.correct is not None and result.n and result.clip_set.known and _method(study, ranked) == COUNTS:
        counts = {count for count in (study.results[run].correct for run in others) if count is not None}
        least = [aggregate_p_range(result.correct, count, result.n)[0] for count in counts]
    untested = [run for run in others if run not in tests and not identical(result.run, study.results[run].run)]
    obstacles = [why for run in untested if (why := why_not_comparable(study, (best, run)))]
    return BestRun(
        indistinguishable=study.ids(run for run in others if run not in worse),
        score=result.score,
        runner_up_score=study.results[others[0]].score,
        correct=result.correct if study.metric.is_accuracy else None,
        runner_up=study.results[others[0]].run_id,
        runner_up_correct=study.results[others[0]].correct if study.metric.is_accuracy else None,
        runner_up_p=tests.get(others[0]),
        worst_correct=study.results[others[-1]].correct if study.metric.is_accuracy else None,
        others=len(others),
        tied=study.ids(tied),
        family=family.size,
        clearest_gap=None
        if clearest is None or not study.metric.is_accuracy
        else (result.correct or 0) - (study.results[clearest].correct or 0),
        lowest_p=min(tests.values(), default=None),
        least_p=min(least, default=None),
        tie_break=tie_break,
        probability=None if chances is None else float(chances.shared[clips.row_of[best]]),
        probability_alone=None if chances is None else float(chances.alone[clips.row_of[best]]),
        probability_alone_or_tied=None if chances is None else float(chances.alone_or_tied[clips.row_of[best]]),
        groups=(clips.n_groups, fewest) if tests and 0 < clips.n_groups < fewest else None,
        elsewhere=len(ranked) < len(study.ranking),
        why=obstacles[0] if obstacles else None,
    )


def _method(study: Study, runs: Sequence[int]) -> Method:
    if study.metric.is_loss:
        return LOSSES
    clips = study.results[runs[0]].clip_set
    if any(run not in clips.row_of for run in runs):
        return COUNTS
    return SIGN_FLIP if clips.groups else UNCONDITIONAL


def _chances(study: Study, best: int) -> Chances | None:
    """Estimate the probability of each run with predictions to be the best on other clips like those of the best."""
    clips, runs = study.results[best].clip_set, study.results[best].clip_set.with_predictions
    comparable = best in runs and len(runs) > 1 and study.metric.is_accuracy
    if not comparable or (clips.n_groups or len(clips.clips)) < FEWEST_COLUMNS:
        return None
    return probability_best(clips.correct, study.random_seed(runs), clips.groups or None)


def _best_configuration(study: Study, folds: CrossValidation) -> Conclusion:
    best, *others = folds.configurations
    tests = {other: folds.tests[best, other] for other in others}
    p_values = np.array([raw for raw, _ in tests.values()])
    (correct, n), accuracy = pooled(study, best), {runs: np.divide(*pooled(study, runs)) for runs in others}
    details = BestRun(
        indistinguishable=()
        if is_best(p_values, study.alpha)
        else study.ids(run for runs in others if tests[runs][1] > study.alpha for run in runs),
        score=correct / n,
        correct=correct,
        runner_up=study.results[others[0][0]].run_id,
        others=len(others),
        tied=study.ids(run for runs in others if accuracy[runs] == correct / n for run in runs),
        lowest_p=float(p_values.min()),
        folds=len(folds.folds),
        splits=folds.splits,
        levels=tuple((o, study.design.level(best[0], o)) for o in study.design.options if study.design.has(best[0], o)),
    )
    lead, method = correct / n - float(accuracy[others[0]]), SPLITS if folds.splits else FOLDS
    verdict: Verdict = "supported" if is_best(p_values, study.alpha) else "inconclusive"
    p_value = float(p_values.max())
    return Conclusion("best_run", verdict, study.ids(best), details, lead, p_value=p_value, n=n, method=method)


_UNLOGGED = {
    Obstacle.OTHER_CLIPS: "it is not known of every run which validation clips it was evaluated on",
    Obstacle.UNLOGGED_CLIPS: "the clips they were evaluated on are not known",
    Obstacle.UNLOGGED_COUNTS: "it is not known of every run how many clips it has correct",
    Obstacle.UNLOGGED_PREDICTIONS: "it is not known of every run which clips it has correct",
}


def _score_text(conclusion: Conclusion, details: BestRun, wording: Wording) -> str:
    best = capitalised(wording.run(conclusion.runs[0]))
    everyone = capitalised(wording.runs([conclusion.runs[0], *details.tied]))
    order = "for its lower validation loss" if details.tie_break == "loss" else "by its id alone"
    first = f"; {wording.run(conclusion.runs[0])} is listed first {order}" if details.tied else ""
    among = ""
    if details.elsewhere:
        clips = "whose clips are unknown" if details.why == Obstacle.UNLOGGED_CLIPS else "on its clips"
        among = f" of the {number_word(details.others + 1)} runs {clips}"
    if details.correct is None:
        scores = [score for score in (details.score, details.runner_up_score) if score is not None]
        value = metric_text(scores[0])
        if len({*scores}) > 1 and value == metric_text(scores[1]):
            value = losses(*scores)[0]  # with the digits that separate it from the runner-up's
        if wording.metric.is_accuracy:
            value = percent_cell(scores[0])
        have = f"{everyone} share" if details.tied else f"{best} has"
        extreme = "lowest" if wording.metric.lower_is_better else "highest"
        return f"{have} the {extreme} {metric_words(wording.metric)}{among}, {value}{first}."
    have = f"{everyone} share" if details.tied else f"{best} has"
    score = correct_of(details.correct, conclusion.n or 1)
    return f"{have} the most validation clips correct{among}, {score}{first}."


def _tests_text(conclusion: Conclusion, details: BestRun, wording: Wording) -> str:
    """Return what the best run's tests against the others show."""
    others = "the other run differs" if details.others == 1 else "the others differ"
    if details.why == Obstacle.OTHER_METRIC:
        unknown = f"{metric_words(wording.metric)} is not known clip by clip"
        return f"Whether {others} from it cannot be tested: {unknown}."
    if details.why is not None:
        return f"Whether {others} from it is unknown: {_UNLOGGED[details.why]}."
    if conclusion.verdict == "supported":
        others = "the other" if details.others == 1 else f"each of the other {number_word(details.others)}"
        return f"It is significantly better than {others}."
    if len(details.indistinguishable) == details.others:
        by_loss = details.correct is None
        return _loss_chance_text(details, wording) if by_loss else _chance_text(conclusion, details, wording)
    worse = details.others - len(details.indistinguishable)
    are_worse = f"{capitalised(number_word(worse))} of the other {number_word(details.others)} "
    are_worse += "is significantly worse" if worse == 1 else "are significantly worse"
    rest = details.indistinguishable
    if not rest:
        return f"{are_worse}, but not every test is significant without the correction."
    is_not = "is" if len(rest) == 1 else "are"
    return f"{are_worse}; {wording.runs(rest)} {is_not} not statistically different from it."


def _chance_text(conclusion: Conclusion, details: BestRun, wording: Wording) -> str:
    """Return by how much the others are behind, and whether that could be chance."""
    gap, lowest = (details.correct or 0) - (details.runner_up_correct or 0), details.lowest_p
    others = "The other run" if details.others == 1 else f"The other {number_word(details.others)}"
    if not gap:
        behind = "No other run is significantly worse"
    elif details.runner_up_correct == details.worst_correct:
        has = "has" if details.others == 1 else "have"
        behind = f"{others} {has} {details.runner_up_correct}, {counted(gap, 'clip')} fewer"
    else:
        behind = f"The next best has {details.runner_up_correct}, {counted(gap, 'clip')} fewer"
    if details.groups is not None:
        have, need = details.groups
        enough = f"significance at {percent(wording.alpha)} takes at least {need}"
        return f"{behind}. The clips come from only {counted(have, 'group')}; {enough}."
    largest = counted(abs(details.clearest_gap or 0), "clip")
    if lowest is not None and lowest <= wording.alpha:
        alone = f"would be significant on its own ({wording.p(lowest)})"
        return f"{behind}. The clearest gap, {largest}, {alone}, but not after correcting for {details.family:,} pairs."
    if conclusion.method == COUNTS and details.least_p is not None:
        if details.least_p <= wording.alpha:
            return f"{behind}. The counts alone do not show whether that is more than chance; predictions would."
        return f"{behind}, which chance can explain whichever clips these are."
    if not gap:
        return f"{behind}."
    alike = details.runner_up_correct == details.worst_correct
    return f"{behind}, which chance {_explains(lowest if alike else details.runner_up_p)}."


def _explains(p_value: float | None) -> str:
    return "easily explains" if (p_value or 1.0) > EASILY else "can explain"


def _loss_chance_text(details: BestRun, wording: Wording) -> str:
    """Return the same for another metric than accuracy: what the next best has, and whether that could be chance."""
    if details.tied or details.score is None or details.runner_up_score is None:
        return "No other run is significantly worse."
    next_best = f"{'The other' if details.others == 1 else 'The next'} has"
    behind = f"{next_best} {losses(details.score, details.runner_up_score)[1]}"
    if details.lowest_p is not None and details.lowest_p <= wording.alpha:
        alone = f"the clearest difference is significant on its own ({wording.p(details.lowest_p)})"
        return f"{behind}; {alone}, but not after correcting for {details.family:,} pairs."
    return f"{behind}, which chance {_explains(details.runner_up_p)}."


def _configuration_text(conclusion: Conclusion, details: BestRun, wording: Wording) -> str:
    what, best = "splits" if details.splits else "folds", "shares the lead" if details.tied else "leads"
    best = "is best" if conclusion.verdict == "supported" else best
    score = f"{correct_of(details.correct or 0, conclusion.n or 1)} predictions correct"
    who = f"the configuration of {wording.runs(conclusion.runs)}"
    if 0 < len(details.levels) <= _MOST_LEVELS:
        who = listing([level_of_option(option, level) for option, level in details.levels])
    head = f"Over {details.folds} {what}, {who} {best}: {score}."
    if conclusion.verdict == "supported":
        others = "the other one" if details.others == 1 else f"each of the other {number_word(details.others)}"
        return f"{head} It is significantly better than {others}."
    if details.others == 1:
        return f"{head} The other one is not statistically different."
    return f"{head} Not all of the other {number_word(details.others)} are significantly worse."


KIND = Kind(
    name="best_run",
    title="Which run is best",
    conclude=lambda study: best_runs(study, family_of(study)),
    estimates="lead",
    in_metric_unit=True,
    p_is="against the closest",
    methods=lambda _, found: {_SOURCE for conclusion in found if conclusion.p_value is not None},
)
