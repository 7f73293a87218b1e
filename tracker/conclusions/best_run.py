"""Which run is best on the primary metric, and which others cannot be told from it.

Where an experiment was cross-validated, or run on several splits, no run is the best: folds differ in their clips. Then
it is the configuration that is, by the clips that its runs have right over all folds together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details, Kind
from tracker.conclusions.contrast_analysis import FOLDS, SPLITS
from tracker.conclusions.families import Folded, family_of, folded
from tracker.conclusions.run_difference import COUNTS, MCNEMAR, SIGN_FLIP, on_enough_clips, why_not_comparable
from tracker.runs import number_text
from tracker.statistics.multiple_comparisons import is_best
from tracker.statistics.paired import from_aggregates
from tracker.statistics.resampling import probability_best
from tracker.study.study import Obstacle
from tracker.wording import capitalised, count, losses, number_word, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracker.conclusions.conclusion import Method
    from tracker.conclusions.families import Family
    from tracker.conclusions.planned_runs import PlannedRun
    from tracker.study.run_results import RunResult
    from tracker.study.study import Study
    from tracker.wording import Wording


FEWEST_COLUMNS = 5
"""Clips, or groups of them, below which drawing them again tells nothing of others."""


@dataclass(frozen=True, slots=True)
class BestRun(Details):
    """The evidence.

    Parameters
    ----------
    indistinguishable : tuple of str
        Ids of the runs that cannot be told from the best.
    score, runner_up_score : float or None
        The primary metric of the best and of the second.
    correct : int or None
        Clips that the best has right; over all folds where there are any. None where accuracy is not the metric.
    runner_up : str or None
        Id of the second.
    others : int
        Runs (or configurations) it was held against.
    tied : tuple of str
        Ids of runs with the same score.
    clearest_gap : int or None
        Clips between the best and the run with the smallest p-value.
    lowest_p : float or None
        The smallest p-value of the best against another.
    least_p : float or None
        With counts alone: the smallest p-value that any pairing of the clips would allow against any other.
    tie_break : str or None
        What puts the best before those tied: ``loss`` or ``id``.
    probability : float or None
        How likely it is to be the best on other clips of the same kind; an estimate.
    folds : int
        How many folds, or splits, the configurations are compared over; 0 where it is runs that are compared.
    splits : bool
        Whether these are splits under several split seeds.
    elsewhere : bool
        Whether further runs were judged on other clips.
    why : Obstacle or None
        Why it could not be tested or found.
    """

    indistinguishable: tuple[str, ...] = ()
    score: float | None = None
    runner_up_score: float | None = None
    correct: int | None = None
    runner_up: str | None = None
    others: int = 0
    tied: tuple[str, ...] = ()
    clearest_gap: int | None = None
    lowest_p: float | None = None
    least_p: float | None = None
    tie_break: str | None = None
    probability: float | None = None
    folds: int = 0
    splits: bool = False
    elsewhere: bool = False
    why: Obstacle | None = None

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return which run or configuration is best, and which others are not significantly worse."""
        if self.why == Obstacle.NO_METRIC:
            return _no_metric_text(conclusion, self, wording)
        if self.folds:
            return _configuration_text(conclusion, self, wording)
        parts = [_score_text(conclusion, self, wording), _standing_text(conclusion, self, wording)]
        if self.probability is not None and self.probability < 1 and conclusion.verdict != "supported":
            parts.append(
                f"On other clips like these it would be the best in {percent(self.probability)} of draws (bootstrap)."
            )
        return " ".join(parts)


def best_runs(study: Study, family: Family) -> tuple[Conclusion, ...]:
    """Conclude on the best of each set of runs that can be ranked.

    Parameters
    ----------
    study : Study
    family : Family
        The tests of all pairs of runs.

    Returns
    -------
    tuple of Conclusion
        None where there is no second run to rank; one that is `unknown` where none of several runs, or only one, has
        the primary metric.
    """
    configurations = folded(study)
    if configurations is not None:
        return _best_configuration(study, configurations)
    if len(study.results) > 1 and len(study.ranking) < 2:
        everything, only = study.ids(range(len(study.results))), study.ids(study.ranking)
        details = BestRun(indistinguishable=tuple(one for one in everything if one not in only), why=Obstacle.NO_METRIC)
        return (Conclusion("best_run", "unknown", everything, details),)
    ranked = map(study.ranked, study.rankable_groups)
    return tuple(_best(study, runs, family) for runs in ranked if len(runs) > 1)


def _best(study: Study, ranked: Sequence[int], family: Family) -> Conclusion:
    """Conclude on runs in the order of their scores."""
    best, *others = ranked
    tests = {run: p for run in others if (p := family.p_value(best, run)) is not None}
    complete = len(tests) == len(others)
    verified = complete and is_best(np.array(list(tests.values())), study.alpha)
    return Conclusion(
        kind="best_run",
        verdict="supported" if verified else "inconclusive",
        runs=study.ids([best]),
        details=_details(study, ranked, family, tests),
        estimate=_lead(study, best, others[0]),
        p_value=max(tests.values()) if complete else None,
        n=study.results[best].n,
        method=_method(study, ranked) if complete else None,
    )


def _details(study: Study, ranked: Sequence[int], family: Family, tests: Mapping[int, float]) -> BestRun:
    best, *others = ranked
    found = study.results[best]
    clearest = min(tests, key=lambda run: (tests[run], ranked.index(run)), default=None)
    far = {run for run in tests if (family.p_adjusted(best, run) or 0.0) <= study.alpha}
    tied = [run for run in others if study.results[run].score == found.score]
    obstacles = [why for run in others if run not in tests and (why := why_not_comparable(study, (best, run)))]
    return BestRun(
        indistinguishable=study.ids(run for run in others if run not in far),
        score=found.score,
        runner_up_score=study.results[others[0]].score,
        correct=found.correct if study.metric.is_accuracy else None,
        runner_up=study.results[others[0]].run_id,
        others=len(others),
        tied=study.ids(tied),
        clearest_gap=None if clearest is None else (found.correct or 0) - (study.results[clearest].correct or 0),
        lowest_p=min(tests.values(), default=None),
        least_p=_least_p(study, ranked),
        tie_break=_tie_break(found, study.results[tied[0]]) if tied else None,
        probability=_probability(study, best),
        elsewhere=len(ranked) < len(study.ranking),
        why=obstacles[0] if obstacles else None,
    )


def _tie_break(best: RunResult, other: RunResult) -> str:
    known = best.val_loss is not None and (other.val_loss is None or best.val_loss < other.val_loss)
    return "loss" if known else "id"


def _least_p(study: Study, ranked: Sequence[int]) -> float | None:
    """Return the smallest p-value that counts alone allow the best against any other; None with predictions."""
    best, *others = (study.results[run] for run in ranked)
    if best.correct is None or not best.n or _method(study, ranked) != COUNTS or not study.clip_set_of[ranked[0]].known:
        return None
    counts = {found.correct for found in others if found.correct is not None}
    return min((from_aggregates(best.correct, count, best.n).p_range[0] for count in counts), default=None)


def _lead(study: Study, best: int, second: int) -> float | None:
    """Return by how much the best leads, in accuracy."""
    first, other = study.results[best], study.results[second]
    if not study.metric.is_accuracy or first.score is None or other.score is None:
        return None
    return first.score - other.score


def _method(study: Study, runs: Sequence[int]) -> Method:
    clips = study.clip_set_of[runs[0]]
    if any(run not in clips.row_of for run in runs):
        return COUNTS
    return SIGN_FLIP if clips.groups else MCNEMAR


def _probability(study: Study, best: int) -> float | None:
    """Estimate how likely the best is to be it on other clips, among the runs whose predictions were logged."""
    clips = study.clip_set_of[best]
    columns = clips.n_groups if clips.groups else len(clips.clips)
    if (
        best not in clips.row_of
        or len(clips.with_predictions) < 2
        or columns < FEWEST_COLUMNS
        or not study.metric.is_accuracy
    ):
        return None
    seed = study.random_seed(clips.with_predictions)
    return float(probability_best(clips.correct, seed, clips.groups or None)[clips.row_of[best]])


def _best_configuration(study: Study, found: Folded) -> tuple[Conclusion, ...]:
    """Conclude on cross-validated configurations by the clips that they have right over all folds."""
    if len(found.configurations) < 2:
        return ()
    best, *others = found.configurations
    p_values = np.array([found.p_value(best, other) for other in others])
    correct, n = found.pooled(best)
    details = BestRun(
        indistinguishable=study.ids(run for other in others if not found.separated(best, other) for run in other),
        score=correct / n,
        correct=correct,
        runner_up=study.results[others[0][0]].run_id,
        others=len(others),
        tied=study.ids(run for other in others if found.share(other) == found.share(best) for run in other),
        lowest_p=float(p_values.min()),
        folds=len(found.places),
        splits=found.splits,
    )
    return (
        Conclusion(
            kind="best_run",
            verdict="supported" if is_best(p_values, study.alpha) else "inconclusive",
            runs=study.ids(best),
            details=details,
            estimate=found.share(best) - found.share(others[0]),
            p_value=float(p_values.max()),
            n=n,
            method=SPLITS if found.splits else FOLDS,
        ),
    )


_UNLOGGED = {
    Obstacle.OTHER_CLIPS: "which validation clips the runs were judged on",
    Obstacle.UNLOGGED_CLIPS: "which validation clips the runs were judged on",
    Obstacle.UNLOGGED_COUNTS: "how many clips each run has right",
    Obstacle.UNLOGGED_PREDICTIONS: "which clips each run has right",
}


def _score_text(conclusion: Conclusion, details: BestRun, wording: Wording) -> str:
    """Say how good the best is."""
    best = capitalised(wording.run(conclusion.runs[0]))
    everyone = capitalised(wording.runs([conclusion.runs[0], *details.tied]))
    order = "for its lower validation loss" if details.tie_break == "loss" else "by its id alone"
    first = f"; {wording.run(conclusion.runs[0])} goes first {order}" if details.tied else ""
    if details.correct is None:
        have = f"{everyone} have" if details.tied else f"{best} has"
        extreme = "lowest" if wording.lower_is_better else "highest"
        return f"{have} the {extreme} {wording.metric}{_among(details)}, {_score_value(details)}{first}."
    right = f"right on {details.correct} of {conclusion.n} validation clips"
    if not details.tied:
        return f"{best} is {right}, the most{_among(details)}."
    return f"{everyone} are {right}, the most{_among(details)}{first}."


def _among(details: BestRun) -> str:
    """Say among which runs, where there are others on other clips."""
    if not details.elsewhere:
        return ""
    clips = "whose clips were not logged" if details.why == Obstacle.UNLOGGED_CLIPS else "on its clips"
    return f" of the {number_word(details.others + 1)} runs {clips}"


def _score_value(details: BestRun) -> str:
    """Say the best run's metric, with the digits that set it apart from the second's."""
    if details.score is None:
        return "unknown"
    text = losses(details.score, *([details.runner_up_score] if details.runner_up_score is not None else []))[0]
    return number_text(details.score) if float(text) == details.score else text


def _no_metric_text(conclusion: Conclusion, details: BestRun, wording: Wording) -> str:
    """Say that the runs do not have the metric that they are to be compared by."""
    having = [run_id for run_id in conclusion.runs if run_id not in details.indistinguishable]
    who = f"only {wording.run(having[0])}" if having else "no run"
    return f"Which run is best cannot be said: {who} logged a number for {wording.metric}."


def _standing_text(conclusion: Conclusion, details: BestRun, wording: Wording) -> str:
    """Say what the best run's tests against the others give."""
    if details.why == Obstacle.OTHER_METRIC:
        return f"Whether another differs from it cannot be tested: {wording.metric} is not known clip by clip."
    if details.why is not None:
        return f"Whether another differs from it is not known: {_UNLOGGED[details.why]} was not logged for all."
    others = "the other" if details.others == 1 else f"the other {number_word(details.others)}"
    if conclusion.verdict == "supported" and conclusion.p_value is not None:
        return f"It is better than {others} ({conclusion.method}, {wording.p(conclusion.p_value, '≤')} against each)."
    if len(details.indistinguishable) == details.others:
        none = f"None of {others}" if details.others > 1 else _not_even(details)
        return f"{none} can be told from it: {_clearest_text(conclusion, details, wording)}."
    worse = details.others - len(details.indistinguishable)
    are_worse = "one is" if worse == 1 else f"{number_word(worse)} are"
    alike = wording.runs(details.indistinguishable) if details.indistinguishable else "none"
    test = f"{conclusion.method}, corrected for all pairs"
    return f"Of {others}, {are_worse} worse ({test}) and {alike} cannot be told from it."


def _not_even(details: BestRun) -> str:
    return "Not even the other of these two" if details.elsewhere else "Not even the other run"


def _clearest_text(conclusion: Conclusion, details: BestRun, wording: Wording) -> str:
    clips = abs(details.clearest_gap or 0)
    gap = f"the clearest gap is {count(clips, 'clip')}" if clips else "even the clearest has as many right"
    if conclusion.method == COUNTS and details.least_p is not None:
        return f"{gap}, and whichever clips these are, exact McNemar gives {wording.p(details.least_p, '≥')}"
    lowest = details.lowest_p if details.lowest_p is not None else 1.0
    if lowest > wording.alpha:
        return f"{gap}, within chance ({conclusion.method}, {wording.p(lowest, '≥')})"
    alone = f"{gap}, which alone would count ({conclusion.method}, {wording.p(lowest)})"
    return f"{alone}, but not among all the pairs that could have been the clearest"


def _configuration_text(conclusion: Conclusion, details: BestRun, wording: Wording) -> str:
    lead = "as many as any other" if details.tied else "the most"
    what, test = "splits" if details.splits else "folds", conclusion.method
    head = (
        f"Over {details.folds} {what} the configuration of {wording.runs(conclusion.runs)} is right on "
        f"{details.correct} of {conclusion.n} validation clips, {lead}."
    )
    if details.splits:
        head = f"{head} A clip counts as often as it was judged."
    if conclusion.verdict == "supported" and conclusion.p_value is not None:
        others = "the other one" if details.others == 1 else f"each of the other {number_word(details.others)}"
        return f"{head} It is better than {others} ({test}, {wording.p(conclusion.p_value, '≤')})."
    lowest = wording.p(details.lowest_p, "≥") if details.lowest_p is not None else "untested"
    if details.others == 1:
        return f"{head} The other one cannot be told from it ({test}, {lowest})."
    return f"{head} Not all of the others can be told from it ({test}, {lowest} against the clearest)."


def _methods(study: Study, conclusions: Sequence[Conclusion]) -> Iterator[str]:
    del study
    if any(conclusion.p_value is not None for conclusion in conclusions):
        yield (
            "The best run is called so only if its uncorrected test against every other run says it (Hung and Fithian "
            "2019, doi:10.1214/17-AOS1634)."
        )


def _planned_runs(study: Study, conclusion: Conclusion, conclusions: Sequence[Conclusion]) -> list[PlannedRun]:
    """Train the best and the runner-up again on more validation clips."""
    details = conclusion.details
    if conclusion.verdict != "inconclusive" or not isinstance(details, BestRun) or details.runner_up is None:
        return []
    pair = (conclusion.runs[0], details.runner_up)
    difference = next((c for c in conclusions if c.kind == "run_difference" and c.runs == pair), None)
    return [] if difference is None else on_enough_clips(study, difference)


KIND = Kind(
    name="best_run",
    title="Which run is best",
    conclude=lambda study: best_runs(study, family_of(study)),
    estimates="difference",
    methods=_methods,
    planned_runs=_planned_runs,
    headlines=lambda conclusions, _: conclusions[:1],
    headline_rank=1,
)
