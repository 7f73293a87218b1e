"""Which run is best on the primary metric, and which others cannot be told from it.

Where an experiment was cross-validated, or run on several splits, no run is the best: folds differ in their clips. Then
it is the configuration that is, by the clips that its runs have right over all folds together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details
from tracker.conclusions.contrast_analysis import FOLDS, SPLITS
from tracker.conclusions.folds import Folded, folded
from tracker.conclusions.run_difference import COUNTS, MCNEMAR, SIGN_FLIP, why_not_comparable
from tracker.statistics.multiple_comparisons import is_best
from tracker.statistics.paired import from_aggregates
from tracker.statistics.resampling import probability_best

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.conclusions.run_pairs import Family
    from tracker.study.run_results import RunResult
    from tracker.study.study import Study


NO_METRIC = "no metric"

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
    why : str or None
        What keeps it from being tested (see `run_difference.why_not_comparable`), or from being found: ``no metric``.
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
    why: str | None = None


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
        details = BestRun(indistinguishable=tuple(one for one in everything if one not in only), why=NO_METRIC)
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


def _method(study: Study, runs: Sequence[int]) -> str:
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
