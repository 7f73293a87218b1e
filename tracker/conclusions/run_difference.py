"""How two trained models differ on the same clips: about these models, never about their configurations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.comparisons import family_of, printed_pairs
from tracker.conclusions.conclusion import (
    Conclusion,
    Details,
    Difference,
    Kind,
    Method,
    PlannedRun,
    RunSpec,
    Verdict,
    seeds_of,
)
from tracker.statistics import paired
from tracker.statistics.proportions import group_codes, group_sums
from tracker.study.clip_sets import by_clip
from tracker.study.metrics import identical
from tracker.study.study import Obstacle
from tracker.wording import (
    MINUS,
    capitalised,
    count,
    listing,
    number_word,
    option_words,
    percent,
    points,
    points_interval,
    round_number,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracker.conclusions.comparisons import Family
    from tracker.statistics.proportions import Interval
    from tracker.study.study import Pair, Study
    from tracker.wording import Wording

MCNEMAR = Method(
    "exact McNemar",
    "Two models on the same clips are compared by McNemar's exact test, with Tango's score interval "
    "(doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B).",
)
SIGN_FLIP = Method(
    "sign-flip over groups",
    "Where clips share groups, two models are compared by an exact sign-flip test over the groups' net "
    "differences (Fisher 1935; doi:10.1080/01621459.1983.10477990); the interval is the wider of that over groups and "
    "Tango's.",
)
COUNTS = Method(
    "exact McNemar over every pairing that the counts allow",
    "With counts alone, every pairing of the clips that they allow is tried; the largest p-value decides.",
)

FEWEST_GROUPS = 6  # informative groups below which no sign-flip test reaches 0.05


@dataclass(frozen=True, slots=True)
class RunDifference(Details):
    """The evidence of a difference between two models."""

    correct: tuple[int | None, int | None] = (None, None)  # clips that each classifies correctly
    # clips that only one of them classifies correctly; None without predictions
    only_first: int | None = None
    only_second: int | None = None
    differs_in: tuple[str, ...] = ()  # options in which the two differ
    matched: bool = False  # whether seed and split are equal and one option differs
    family: int = 0  # pairs of runs that the correction counts
    interval_90: Interval | None = None
    within_margin: bool | None = None  # whether it lies strictly inside the margin
    # roughly how many clips would show the observed difference four times in five; None if there is no difference, or
    # if it is not known how often the two disagree
    clips_needed: int | None = None
    mid_p: float | None = None  # McNemar's mid-p-value
    p_range: Interval | None = None  # with counts alone: the smallest and the largest p-value that they allow
    # if clips share groups: those in which one model has more correct clips than the other
    informative_groups: int | None = None
    p_if_independent: float | None = None  # if clips share groups: exact McNemar's p-value as if they did not
    log_loss: paired.LossDifference | None = None
    why: Obstacle | None = None

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return how two models differ on the same clips, or why they are not compared."""
        first, second = (wording.run(run_id) for run_id in conclusion.runs)
        both = f"{capitalised(first)} and {second}"
        if self.why is Obstacle.OTHER_METRIC:
            tested = f"cannot be tested against each other on {wording.metric.name}"
            return f"{both} {tested}: only validation accuracy is known clip by clip."
        if self.why is not None:
            return f"{both} {_REASONS[self.why]}."
        if conclusion.verdict == "exact":
            return f"{both} are the same, epoch by epoch and clip by clip."
        return " ".join([_lead_text(first, second, conclusion, self), _meaning_text(conclusion, self, wording)])

    def differences(self, conclusion: Conclusion, numbers: Mapping[str, int]) -> tuple[Difference, ...]:
        """Return the difference if it has an interval."""
        if conclusion.estimate is None or conclusion.interval is None:
            return ()
        first, second = (numbers[run_id] for run_id in conclusion.runs)
        p_value = conclusion.p_value if conclusion.p_adjusted is None else conclusion.p_adjusted
        ends, verdict = conclusion.interval, conclusion.verdict
        name = f"run {first} {MINUS} run {second}"
        return (Difference(name, conclusion.estimate, ends, p_value, verdict, conclusion.runs),)


def run_differences(study: Study, printed: Sequence[Pair], family: Family) -> tuple[Conclusion, ...]:
    """Conclude on each printed pair, which has the better run first."""
    return tuple(_difference(study, pair, family) for pair in printed)


def _difference(study: Study, pair: Pair, family: Family) -> Conclusion:
    first, second = (study.results[run] for run in pair)
    details = RunDifference(
        correct=(first.correct, second.correct),
        differs_in=study.design.differing(*pair),
        matched=bool({pair, pair[::-1]} & study.matched),
    )
    why = why_not_comparable(study, pair)
    if why is not None:
        verdict: Verdict = "not_comparable" if why is Obstacle.OTHER_CLIPS else "unknown"
        return Conclusion("run_difference", verdict, study.ids(pair), replace(details, why=why))
    estimate, interval, method, details = _estimated(study, pair, details)
    n, p_adjusted = first.n or 1, family.p_adjusted(*pair)
    clips_needed, within = None, details.interval_90 is not None and study.within_margin(details.interval_90)
    if details.only_first is not None and details.only_second is not None:
        discordance = (details.only_first + details.only_second) / n
        clips_needed = study.detectable_differences[first.clip_set].clips_for(estimate, discordance)
    verdict = "equivalent" if within else "inconclusive"
    if p_adjusted is not None and p_adjusted <= study.alpha:
        verdict = "supported"
    if first.correct == second.correct and not details.only_first and identical(first.run, second.run):
        verdict = "exact"
    details = replace(details, family=family.size, within_margin=within, clips_needed=clips_needed)
    evidence = (details, estimate, interval, family.p_value(*pair), p_adjusted, n, method)
    return Conclusion("run_difference", verdict, study.ids(pair), *evidence)


def why_not_comparable(study: Study, pair: Pair) -> Obstacle | None:
    """Return why two runs cannot be compared; None if they can, by counts alone only if clips share no groups."""
    clips, other = study.results[pair[0]].clip_set, study.results[pair[1]].clip_set
    if clips is not other:
        return Obstacle.OTHER_CLIPS if clips.known and other.known else Obstacle.UNLOGGED_CLIPS
    if not study.metric.is_accuracy:
        return Obstacle.OTHER_METRIC
    if any(study.results[run].correct is None for run in pair):
        return Obstacle.UNLOGGED_COUNTS
    unknown = clips.groups and any(run not in clips.row_of for run in pair)
    return Obstacle.UNLOGGED_PREDICTIONS if unknown else None


def _estimated(study: Study, pair: Pair, details: RunDifference) -> tuple[float, Interval, Method, RunDifference]:
    """Return the difference, its 95% interval, the method of its test, and the evidence by clip."""
    clips, (first, second) = study.results[pair[0]].clip_set, [study.results[run] for run in pair]
    if pair[0] not in clips.row_of or pair[1] not in clips.row_of:
        test = paired.from_aggregates(first.correct or 0, second.correct or 0, first.n or 1)
        details = replace(details, p_range=test.p_range, interval_90=test.interval_90)
        return test.estimate, test.interval, COUNTS, details
    a, b = (clips.correct[clips.row_of[run]] for run in pair)
    only = paired.discordant(a, b)
    details = replace(details, only_first=only[0], only_second=only[1], log_loss=_log_loss(study, pair))
    interval, interval_90 = paired.tango(*only, len(a)), paired.tango(*only, len(a), 0.90)
    if not clips.groups:
        details = replace(details, interval_90=interval_90, mid_p=paired.mcnemar_mid_p(*only))
        return (only[0] - only[1]) / len(a), interval, MCNEMAR, details
    difference, codes = a.astype(float) - b, group_codes(clips.groups, len(a))
    effect = paired.grouped_difference(difference, codes)
    details = replace(
        details,
        interval_90=_wider(effect.interval_90, interval_90),
        informative_groups=paired.informative_groups(group_sums(difference, codes).astype(np.int64)),
        p_if_independent=paired.mcnemar(*only),
    )
    return effect.estimate, _wider(effect.interval, interval), SIGN_FLIP, details


def _wider(of_groups: Interval, of_clips: Interval) -> Interval:
    """Return the interval that holds both: grouping clips must not make it narrower."""
    return max(-1.0, min(of_groups[0], of_clips[0])), min(1.0, max(of_groups[1], of_clips[1]))


def _log_loss(study: Study, pair: Pair) -> paired.LossDifference | None:
    """Compare the log-losses of two runs; None if a label isn't one of their classes or a probability isn't finite."""
    losses = []
    for predictions in (study.results[run].run.validation for run in pair):
        if predictions is None or not set(predictions.labels) <= set(predictions.classes):
            return None
        columns = [predictions.classes.index(label) for label in predictions.labels]
        chances = predictions.probabilities[np.arange(len(columns)), columns][by_clip(predictions)]
        if not np.isfinite(chances).all():
            return None
        losses.append(paired.log_losses(chances))
    groups = study.results[pair[0]].clip_set.groups or None
    return paired.log_loss_difference(losses[0], losses[1], study.random_seed(pair), groups)


_REASONS = {
    Obstacle.OTHER_CLIPS: "were judged on different validation clips and are not compared",
    Obstacle.UNLOGGED_CLIPS: "cannot be compared: which validation clips they were judged on was not logged",
    Obstacle.UNLOGGED_COUNTS: "cannot be compared: how many validation clips they have right was not logged",
    Obstacle.UNLOGGED_PREDICTIONS: "cannot be compared: clips share groups, and which of them each has right was not "
    "logged",
}


def _lead_text(first: str, second: str, conclusion: Conclusion, details: RunDifference) -> str:
    gap = (details.correct[0] or 0) - (details.correct[1] or 0)
    lead = f"a lead of {count(gap, 'clip')}, {points(conclusion.estimate or 0.0)}" if gap else "no difference"
    alone = ""
    if details.only_first == details.only_second == 0:
        alone = ", on the same clips"
    elif details.only_first is not None and details.only_second is not None:
        only = [number_word(n) if n else "none" for n in (details.only_first, details.only_second)]
        alone = f" ({only[0]} that only {first} has right, {only[1]} that only {second} has)"
    of_first = f"{capitalised(first)} is right on {details.correct[0]} of {conclusion.n} validation clips"
    return f"{of_first}, {second} on {details.correct[1]}: {lead}{alone}."


def _meaning_text(conclusion: Conclusion, details: RunDifference, wording: Wording) -> str:
    evidence = _evidence_text(conclusion, details, wording)
    if conclusion.verdict == "supported":
        cause = "The two were asked for the same: it is the luck of training, or of the split, that differs."
        if details.differs_in:
            options = listing([option_words(option) for option in details.differs_in], "or")
            cause = f"whether {options} or the luck of one training did it, one training each cannot say."
            cause = f"It holds for these two models: {cause}"
        return f"That is more than chance gives ({evidence}). {cause}"
    if conclusion.verdict == "equivalent" and details.interval_90 is not None:
        interval = f"the 90% interval, {points_interval(details.interval_90)} points, lies inside"
        return f"For practical purposes these two models are equally accurate: {interval} ±{points(wording.margin)}."
    chance = f"{_chance_text(conclusion, details, wording)} ({evidence})."
    if details.clips_needed is None or details.clips_needed <= (conclusion.n or 0):
        return chance
    clips = round_number(details.clips_needed)
    return f"{chance} To show a difference of {points(conclusion.estimate or 0.0)} takes {clips} clips."


def _evidence_text(conclusion: Conclusion, details: RunDifference, wording: Wording) -> str:
    interval = f"95% interval {points_interval(conclusion.interval)} points" if conclusion.interval else ""
    if conclusion.p_value is None:
        return interval
    if details.p_range is not None:
        low, high = details.p_range
        p_values = f"{wording.p(low)} to {wording.p_again(high)}, by which clips it is"
        p_values = f"{wording.p(high)}, whichever clips it is" if low == high else p_values
        return f"{interval}; exact McNemar {p_values}"
    corrected = wording.corrected(conclusion.p_value, conclusion.p_adjusted, f"the {details.family:,} pairs of runs")
    return f"{interval}; {conclusion.method} {corrected}"


def _chance_text(conclusion: Conclusion, details: RunDifference, wording: Wording) -> str:
    if details.p_range is not None and details.p_range[0] <= wording.alpha < details.p_range[1]:
        return "The counts alone do not decide it; the predictions would"
    informative = details.informative_groups
    if conclusion.method == SIGN_FLIP and informative is not None and 0 < informative < FEWEST_GROUPS:
        only = "only one group tells" if informative == 1 else f"only {count(informative, 'group')} tell"
        return f"Clips share groups, and {only} the two apart: below six no test can decide"
    if conclusion.p_value is not None and conclusion.p_value <= wording.alpha:
        return "Alone that would count, among all pairs of runs it does not"
    return "That is well within chance" if (conclusion.p_value or 1.0) > 0.3 else "That is within chance"


def _planned_runs(study: Study, conclusion: Conclusion, _conclusions: Sequence[Conclusion]) -> list[PlannedRun]:
    """Bring two models onto the same clips."""
    if conclusion.verdict != "not_comparable":
        return []
    first, second = (study.index_of[run_id] for run_id in conclusion.runs)
    seeds, asked = seeds_of(study, [second]), [(terms.levels, terms.seed) for terms in study.design.terms]
    done = any(asked[run] == asked[second] for run in study.results[first].clip_set.members)
    if not seeds or done or "tracker.data" not in study.results[first].run.tags:
        return []
    why = f"the configuration of run {second + 1} on the clips of run {first + 1}"
    return [PlannedRun(RunSpec(second, (), first), seeds, why)]


def _methods(study: Study, conclusions: Sequence[Conclusion]) -> Iterator[str]:
    for size in sorted({c.details.family for c in conclusions if isinstance(c.details, RunDifference)} - {0}):
        yield (
            f"All pairs of runs on the same clips, {number_word(size)}, are one family, corrected by Holm's method at "
            f"{percent(study.alpha)} whether printed or not."
        )


KIND = Kind(
    name="run_difference",
    title="Run against run",
    conclude=lambda study: run_differences(study, printed_pairs(study), family_of(study)),
    estimates="difference",
    tests=(MCNEMAR, SIGN_FLIP, COUNTS),
    methods=_methods,
    planned_runs=_planned_runs,
)
