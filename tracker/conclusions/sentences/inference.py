"""Sentences on two trained models and on the best of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.conclusions.best_run import NO_METRIC
from tracker.conclusions.run_difference import COUNTS, SIGN_FLIP
from tracker.runs import number_text
from tracker.wording import (
    Wording,
    capitalised,
    count,
    listing,
    losses,
    number_word,
    option_words,
    percent,
    points,
    points_interval,
    round_number,
)

if TYPE_CHECKING:
    from tracker.conclusions.best_run import BestRun
    from tracker.conclusions.conclusion import Conclusion
    from tracker.conclusions.run_difference import RunDifference

FEWEST_GROUPS = 6
"""Informative groups below which no sign-flip test reaches 0.05."""

_REASONS = {
    "clips": "were judged on different validation clips and are not compared",
    "unlogged clips": "cannot be compared: which validation clips they were judged on was not logged",
    "counts": "cannot be compared: how many validation clips they have right was not logged",
    "predictions": "cannot be compared: clips share groups, and which of them each has right was not logged",
}


_UNLOGGED = {
    "clips": "which validation clips the runs were judged on",
    "unlogged clips": "which validation clips the runs were judged on",
    "counts": "how many clips each run has right",
    "predictions": "which clips each run has right",
}


def best_run(conclusion: Conclusion, details: BestRun, wording: Wording) -> str:
    """Say which run or configuration is best, and what cannot be told from it."""
    if details.why == NO_METRIC:
        return _no_metric(conclusion, details, wording)
    if details.folds:
        return _best_configuration(conclusion, details, wording)
    parts = [_most(conclusion, details, wording), _standing(conclusion, details, wording)]
    if details.probability is not None and details.probability < 1 and conclusion.verdict != "supported":
        parts.append(
            f"On other clips like these it would be the best in {percent(details.probability)} of draws (bootstrap)."
        )
    return " ".join(parts)


def run_difference(conclusion: Conclusion, details: RunDifference, wording: Wording) -> str:
    """Say how two models differ on the same clips."""
    first, second = (wording.run(run_id) for run_id in conclusion.runs)
    if details.why == "metric":
        return (
            f"{capitalised(first)} and {second} cannot be tested against each other on {wording.metric}: "
            "only validation accuracy is known clip by clip."
        )
    if details.why is not None:
        return f"{capitalised(first)} and {second} {_REASONS[details.why]}."
    if conclusion.verdict == "exact":
        return f"{capitalised(first)} and {second} are the same, epoch by epoch and clip by clip."
    return " ".join([_lead(first, second, conclusion, details), _meaning(conclusion, details, wording)])


def _most(conclusion: Conclusion, details: BestRun, wording: Wording) -> str:
    """Say how good the best is."""
    best = capitalised(wording.run(conclusion.runs[0]))
    everyone = capitalised(wording.runs([conclusion.runs[0], *details.tied]))
    order = "for its lower validation loss" if details.tie_break == "loss" else "by its id alone"
    first = f"; {wording.run(conclusion.runs[0])} goes first {order}" if details.tied else ""
    if details.correct is None:
        have = f"{everyone} have" if details.tied else f"{best} has"
        extreme = "lowest" if wording.lower_is_better else "highest"
        return f"{have} the {extreme} {wording.metric}{_among(details)}, {_score(details)}{first}."
    right = f"right on {details.correct} of {conclusion.n} validation clips"
    if not details.tied:
        return f"{best} is {right}, the most{_among(details)}."
    return f"{everyone} are {right}, the most{_among(details)}{first}."


def _among(details: BestRun) -> str:
    """Say among which runs, where there are others on other clips."""
    if not details.elsewhere:
        return ""
    clips = "whose clips were not logged" if details.why == "unlogged clips" else "on its clips"
    return f" of the {number_word(details.others + 1)} runs {clips}"


def _score(details: BestRun) -> str:
    """Say the best run's metric, with the digits that set it apart from the second's."""
    if details.score is None:
        return "unknown"
    text = losses(details.score, *([details.runner_up_score] if details.runner_up_score is not None else []))[0]
    return number_text(details.score) if float(text) == details.score else text


def _no_metric(conclusion: Conclusion, details: BestRun, wording: Wording) -> str:
    """Say that the runs do not have the metric that they are to be compared by."""
    having = [run_id for run_id in conclusion.runs if run_id not in details.indistinguishable]
    who = f"only {wording.run(having[0])}" if having else "no run"
    return f"Which run is best cannot be said: {who} logged a number for {wording.metric}."


def _standing(conclusion: Conclusion, details: BestRun, wording: Wording) -> str:
    """Say what the best run's tests against the others give."""
    if details.why == "metric":
        return f"Whether another differs from it cannot be tested: {wording.metric} is not known clip by clip."
    if details.why is not None:
        return f"Whether another differs from it is not known: {_UNLOGGED[details.why]} was not logged for all."
    others = "the other" if details.others == 1 else f"the other {number_word(details.others)}"
    if conclusion.verdict == "supported" and conclusion.p_value is not None:
        return f"It is better than {others} ({conclusion.method}, {wording.p(conclusion.p_value, '≤')} against each)."
    if len(details.indistinguishable) == details.others:
        none = f"None of {others}" if details.others > 1 else _not_even(details)
        return f"{none} can be told from it: {_clearest(conclusion, details, wording)}."
    worse = details.others - len(details.indistinguishable)
    are_worse = "one is" if worse == 1 else f"{number_word(worse)} are"
    alike = wording.runs(details.indistinguishable) if details.indistinguishable else "none"
    test = f"{conclusion.method}, corrected for all pairs"
    return f"Of {others}, {are_worse} worse ({test}) and {alike} cannot be told from it."


def _not_even(details: BestRun) -> str:
    return "Not even the other of these two" if details.elsewhere else "Not even the other run"


def _clearest(conclusion: Conclusion, details: BestRun, wording: Wording) -> str:
    clips = abs(details.clearest_gap or 0)
    gap = f"the clearest gap is {count(clips, 'clip')}" if clips else "even the clearest has as many right"
    if conclusion.method == COUNTS and details.least_p is not None:
        return f"{gap}, and whichever clips these are, exact McNemar gives {wording.p(details.least_p, '≥')}"
    lowest = details.lowest_p if details.lowest_p is not None else 1.0
    if lowest > wording.alpha:
        return f"{gap}, within chance ({conclusion.method}, {wording.p(lowest, '≥')})"
    alone = f"{gap}, which alone would count ({conclusion.method}, {wording.p(lowest)})"
    return f"{alone}, but not among all the pairs that could have been the clearest"


def _best_configuration(conclusion: Conclusion, details: BestRun, wording: Wording) -> str:
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


def _lead(first: str, second: str, conclusion: Conclusion, details: RunDifference) -> str:
    """Say the two counts and their difference."""
    one, other = details.correct
    gap = (one or 0) - (other or 0)
    lead = f"a lead of {count(gap, 'clip')}, {points(conclusion.estimate or 0.0)}" if gap else "no difference"
    right = f"{capitalised(first)} is right on {one} of {conclusion.n} validation clips, {second} on {other}"
    return f"{right}: {lead}{_alone(first, second, details)}."


def _alone(first: str, second: str, details: RunDifference) -> str:
    """Say how many clips only one of the two has right."""
    if details.only_first is None or details.only_second is None:
        return ""
    if not details.only_first + details.only_second:
        return ", on the same clips"
    of_first, of_second = (number_word(n) if n else "none" for n in (details.only_first, details.only_second))
    return f" ({of_first} that only {first} has right, {of_second} that only {second} has)"


def _meaning(conclusion: Conclusion, details: RunDifference, wording: Wording) -> str:
    """Say what the test makes of the difference."""
    evidence = _evidence(conclusion, details, wording)
    if conclusion.verdict == "supported":
        return f"That is more than chance gives ({evidence}). {_cause(details)}"
    if conclusion.verdict == "equivalent" and details.interval_90 is not None:
        return (
            f"For practical purposes these two models are equally accurate: the 90 % interval, "
            f"{points_interval(details.interval_90)} points, lies inside ±{points(wording.margin)}."
        )
    return " ".join([f"{_chance(conclusion, details, wording)} ({evidence}).", *_takes(conclusion, details)])


def _cause(details: RunDifference) -> str:
    """Say what a difference of two models leaves open."""
    if not details.differs_in:
        return "The two were asked for the same: it is the luck of training, or of the split, that differs."
    options = listing([option_words(option) for option in details.differs_in], "or")
    holds = "It holds for these two models"
    return f"{holds}: whether {options} or the luck of one training did it, one training each cannot say."


def _evidence(conclusion: Conclusion, details: RunDifference, wording: Wording) -> str:
    """Say the interval and the test."""
    interval = f"95 % interval {points_interval(conclusion.interval)} points" if conclusion.interval else ""
    if conclusion.p_value is None:
        return interval
    if details.p_range is not None:
        low, high = details.p_range
        if low == high:
            return f"{interval}; exact McNemar {wording.p(high)}, whichever clips it is"
        p_values = f"{wording.p(low)} to {wording.p(high).removeprefix('p = ')}"
        return f"{interval}; exact McNemar {p_values}, by which clips it is"
    corrected = wording.corrected(conclusion.p_value, conclusion.p_adjusted, f"the {details.family:,} pairs of runs")
    return f"{interval}; {conclusion.method} {corrected}"


def _chance(conclusion: Conclusion, details: RunDifference, wording: Wording) -> str:
    if details.p_range is not None and details.p_range[0] <= wording.alpha < details.p_range[1]:
        return "The counts alone do not decide it; the predictions would"
    informative = details.informative_groups
    if conclusion.method == SIGN_FLIP and informative is not None and 0 < informative < FEWEST_GROUPS:
        only = "only one group tells" if informative == 1 else f"only {count(informative, 'group')} tell"
        return f"Clips share groups, and {only} the two apart: below six no test can decide"
    if conclusion.p_value is not None and conclusion.p_value <= wording.alpha:
        return "Alone that would count, among all pairs of runs it does not"
    return "That is well within chance" if (conclusion.p_value or 1.0) > 0.3 else "That is within chance"


def _takes(conclusion: Conclusion, details: RunDifference) -> list[str]:
    """Say what it would take to show the observed difference."""
    if details.clips_needed is None or details.clips_needed <= (conclusion.n or 0):
        return []
    clips = round_number(details.clips_needed)
    return [f"To show a difference of {points(conclusion.estimate or 0.0)} takes {clips} clips."]
