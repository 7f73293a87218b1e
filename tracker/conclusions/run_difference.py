"""How two trained models differ on the same clips: about these models, never about their configurations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from tracker.conclusions.comparisons import family_of, loss_difference, net_by_group, printed_pairs
from tracker.conclusions.conclusion import (
    Chance,
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
from tracker.statistics.grouped import fewest_groups, grouped_sign_flip, informative_groups, sign_flip_interval
from tracker.study.histories import identical
from tracker.study.study import Obstacle
from tracker.wording import (
    MINUS,
    capitalised,
    counted,
    listing,
    losses,
    option_words,
    percent,
    points,
    points_interval,
    round_number,
    sign,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracker.conclusions.comparisons import Family
    from tracker.statistics.proportions import Interval
    from tracker.study.study import Pair, Study
    from tracker.wording import Wording

UNCONDITIONAL = Method(
    "exact unconditional test",
    "Two models on the same clips are compared by the exact unconditional test (Suissa and Shuster 1991, "
    "doi:10.2307/2532131). The interval is Tango's "
    "(doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B), made to agree with the test about 0.",
)
SIGN_FLIP = Method(
    "sign-flip test over groups",
    "If clips share groups, two models are compared by an exact sign-flip test over the groups' net differences "
    "(Fisher 1935; doi:10.1080/01621459.1983.10477990). The interval is its inversion (Hartigan 1969, "
    "doi:10.1080/01621459.1969.10501057), no narrower than Tango's.",
)
COUNTS = Method(
    "exact unconditional test over every pairing that the counts allow",
    "With counts alone, every pairing of the clips that they allow is tried, and the largest p-value decides.",
)


LOSSES = Method(
    "sign-flip test of the clips' log-losses",
    "If runs are ranked by validation loss, the log-losses of their clips, or groups, are compared by a sign-flip "
    "permutation test (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585) with a symmetric bootstrap-t interval "
    "(Hall 1988, doi:10.1214/aos/1176350933).",
)

EASILY = 0.3  # p-values above are called easily explained by chance
_SAYS_NOTHING = 0.6  # width above which the interval of a difference is not worth a sentence
_MOST_SAID = 50  # more clips than so many times those at hand are no use to anybody


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
    mcnemar_p: float | None = None  # of McNemar's exact test, which is better known and finds less
    mid_p: float | None = None  # McNemar's mid-p-value
    p_range: Interval | None = None  # with counts alone: the smallest and the largest p-value that they allow
    # if clips share groups: those in which one model has more correct clips than the other
    informative_groups: int | None = None
    fewest_groups: int | None = None  # of these, that the test needs at least to decide
    p_if_independent: float | None = None  # if clips share groups: McNemar's exact p-value as if they did not
    log_loss: paired.LossDifference | None = None
    why: Obstacle | None = None

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return how two models differ on the same clips, or why they are not compared."""
        first, second = (wording.run(run_id) for run_id in conclusion.runs)
        both = f"{capitalised(first)} and {second}"
        if self.why is Obstacle.OTHER_METRIC:
            tested = f"cannot be tested against each other on {wording.metric.name}"
            return f"{both} {tested}: it is not known clip by clip."
        if self.why is not None:
            return f"{both} {_REASONS[self.why]}."
        if conclusion.verdict == "exact":
            return f"{both} are the same, epoch by epoch and clip by clip."
        if conclusion.method == LOSSES:
            return " ".join(_loss_text(first, second, conclusion, self, wording))
        return " ".join([*_lead_text(first, second, conclusion, self), *_meaning_text(conclusion, self, wording)])

    def differences(self, conclusion: Conclusion, numbers: Mapping[str, int]) -> tuple[Difference, ...]:
        """Return the difference if it is one of accuracy and has an interval."""
        if conclusion.estimate is None or conclusion.interval is None or conclusion.method == LOSSES:
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
    compared = _compared_losses if study.metric.is_loss else _estimated
    estimate, interval, method, details = compared(study, pair, details)
    n, p_adjusted = first.n or 1, family.p_adjusted(*pair)
    clips_needed, within = None, details.interval_90 is not None and study.within_margin(details.interval_90)
    if details.only_first is not None and method != LOSSES:
        clips_needed = study.detectable_between(pair).clips_for(estimate)
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
    if clips is not other and clips.known and other.known:
        return Obstacle.OTHER_CLIPS
    if not study.metric.is_known_by_clip:
        return Obstacle.OTHER_METRIC
    if clips is not other:
        return Obstacle.UNLOGGED_CLIPS
    if study.metric.is_loss:
        known = all(study.by_clip(run) is not None for run in pair)
        return None if known else Obstacle.UNLOGGED_PREDICTIONS
    if any(study.results[run].correct is None for run in pair):
        return Obstacle.UNLOGGED_COUNTS
    unknown = clips.groups and any(run not in clips.row_of for run in pair)
    return Obstacle.UNLOGGED_PREDICTIONS if unknown else None


def _estimated(
    study: Study, pair: Pair, details: RunDifference
) -> tuple[float, Interval | None, Method, RunDifference]:
    """Return the difference, its 95% interval, the method of its test, and the evidence by clip."""
    clips, (first, second) = study.results[pair[0]].clip_set, [study.results[run] for run in pair]
    if pair[0] not in clips.row_of or pair[1] not in clips.row_of:
        test = paired.from_aggregates(first.correct or 0, second.correct or 0, first.n or 1)
        details = replace(details, p_range=test.p_range, interval_90=test.interval_90)
        return test.estimate, test.interval, COUNTS, details
    a, b = (clips.correct[clips.row_of[run]] for run in pair)
    only = paired.discordant(a, b)
    details = replace(details, only_first=only[0], only_second=only[1], log_loss=loss_difference(study, pair))
    if not clips.groups:
        interval, interval_90 = (paired.paired_interval(*only, len(a), confidence) for confidence in (0.95, 0.90))
        mcnemar_p, mid_p = paired.mcnemar(*only), paired.mcnemar_mid_p(*only)
        details = replace(details, interval_90=interval_90, mcnemar_p=mcnemar_p, mid_p=mid_p)
        return (only[0] - only[1]) / len(a), interval, UNCONDITIONAL, details
    net = net_by_group(clips, a, b)
    p_value = grouped_sign_flip(net)
    interval, interval_90 = (sign_flip_interval(net, clips.group_sizes, p_value, level) for level in (0.95, 0.90))
    details = replace(
        details,
        interval_90=interval_90,
        informative_groups=informative_groups(net),
        fewest_groups=fewest_groups(study.alpha),
        p_if_independent=paired.mcnemar(*only),
    )
    return (only[0] - only[1]) / len(a), interval, SIGN_FLIP, details


def _compared_losses(
    study: Study, pair: Pair, details: RunDifference
) -> tuple[float, Interval | None, Method, RunDifference]:
    """Return the same for the log-losses of two runs, which are known clip by clip."""
    found, (a, b) = loss_difference(study, pair), (study.results[run].correct_by_clip for run in pair)
    if found is None or a is None or b is None:
        raise ValueError("losses can be compared only if they are known clip by clip")
    only = paired.discordant(a, b)
    interval = found.interval and paired.agreeing(found.interval, found.estimate, found.p_value)
    details = replace(details, only_first=only[0], only_second=only[1], log_loss=found)
    return found.estimate, interval, LOSSES, details


_REASONS = {
    Obstacle.OTHER_CLIPS: "were evaluated on different validation clips, so they are not compared",
    Obstacle.UNLOGGED_CLIPS: "cannot be compared: their validation clips are unknown",
    Obstacle.UNLOGGED_COUNTS: "cannot be compared: how many validation clips they have correct is unknown",
    Obstacle.UNLOGGED_PREDICTIONS: "cannot be compared: clips share groups, and which of them each has correct is "
    "unknown",
}


def _lead_text(first: str, second: str, conclusion: Conclusion, details: RunDifference) -> Iterator[str]:
    correct, other = details.correct
    gap, n, only = (correct or 0) - (other or 0), conclusion.n, (details.only_first, details.only_second)
    same = ", the same ones" if only == (0, 0) else ""
    if gap:
        behind = f"{counted(gap, 'clip')} fewer ({points(conclusion.estimate or 0.0)})"
        yield f"{capitalised(first)} has {correct}/{n} validation clips correct and {second} {other}/{n}, {behind}."
    else:
        yield f"{capitalised(first)} and {second} both have {correct}/{n} validation clips correct{same}."
    if only[0] is None or only[1] is None or only == (0, 0):
        return
    if only[1] == 0:
        yield f"{capitalised(first)} has every clip correct that {second} has."
    else:
        yield f"On {counted(only[0], 'clip')} only {first} is correct, on {only[1]} only {second}."


def _loss_text(
    first: str, second: str, conclusion: Conclusion, details: RunDifference, wording: Wording
) -> Iterator[str]:
    """Yield how two models' losses differ, the difference being the first's minus the second's."""
    size, is_lower = conclusion.estimate or 0.0, (conclusion.estimate or 0.0) <= 0
    than = f"{losses(abs(size))[0]} {'lower' if is_lower else 'higher'} than {second}'s"
    ends = [f"{sign(end)}{losses(abs(end))[0]}" for end in conclusion.interval or ()]
    interval = f" (95% interval {' to '.join(ends)})" if ends else ""
    yield f"{capitalised(first)}'s {wording.metric.name} is {than}, averaged over the clips' predictions{interval}."
    if conclusion.verdict == "supported":
        yield "Chance does not explain the difference."
        yield _cause_text(details)
    else:
        yield _chance_text(conclusion, details, wording, "")


def _cause_text(details: RunDifference) -> str:
    if not details.differs_in:
        return "Both have the same configuration, so the difference is training noise or another split."
    options = listing([option_words(option) for option in details.differs_in], "or")
    return f"It holds for these two models: one training each cannot separate {options} from training noise."


def _meaning_text(conclusion: Conclusion, details: RunDifference, wording: Wording) -> Iterator[str]:
    low, high = conclusion.interval or (-1.0, 1.0)
    interval = f" (95% interval {points_interval((low, high))} points)" if high - low <= _SAYS_NOTHING else ""
    if conclusion.verdict == "supported":
        yield f"Chance does not explain the difference{interval}."
        yield _cause_text(details)
    elif conclusion.verdict == "equivalent" and details.interval_90 is not None:
        inside = f"the 90% interval, {points_interval(details.interval_90)} points, lies inside"
        yield f"In practice the two are equally accurate: {inside} ±{points(wording.margin)}."
    else:
        yield _chance_text(conclusion, details, wording, interval)
        n = conclusion.n or 0
        if details.clips_needed is not None and n < details.clips_needed <= _MOST_SAID * n:
            clips = f"{round_number(details.clips_needed)} clips"
            yield f"Detecting a difference of {points(conclusion.estimate or 0.0)} would take {clips}."


def _chance_text(conclusion: Conclusion, details: RunDifference, wording: Wording, interval: str) -> str:
    p_value, informative = conclusion.p_value or 0.0, details.informative_groups
    if details.p_range is not None and details.p_range[0] <= wording.alpha < details.p_range[1]:
        spread = f"{wording.p(details.p_range[0])} to {wording.p_again(details.p_range[1])}"
        return f"Whether chance explains it depends on which clips these are ({spread}); predictions would tell."
    if informative and details.fewest_groups and informative < details.fewest_groups:
        ahead = f"In only {counted(informative, 'group')} does one model have more clips correct than the other"
        return f"{ahead}; significance at {percent(wording.alpha)} takes at least {details.fewest_groups}."
    if p_value <= wording.alpha:
        pairs = f"{details.family:,} pairs"
        return f"The difference is significant on its own ({wording.p(p_value)}), but not after correcting for {pairs}."
    if not conclusion.estimate:
        return f"They are not statistically different{interval}."
    return f"Chance {'easily explains' if p_value > EASILY else 'can explain'} the difference{interval}."


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
    return [PlannedRun(RunSpec(second, (), first), seeds, why, _chance(study, first, second))]


@lru_cache(maxsize=64)
def _chance(study: Study, first: int, second: int) -> Chance | None:
    """Return how often the clips of the first run would show a difference as large as that of their accuracies.

    Or as the margin, if that is larger; None if the accuracies are not known.
    """
    accuracies = [study.results[run].accuracy for run in (first, second)]
    if not study.metric.is_accuracy or accuracies[0] is None or accuracies[1] is None:
        return None
    effect = max(study.margin, abs(accuracies[0].fraction - accuracies[1].fraction))
    shown = study.detectable_between(study.results[first].clip_set.members)
    return Chance(effect, shown.power(effect))


def _methods(study: Study, conclusions: Sequence[Conclusion]) -> Iterator[str]:
    for size in sorted({c.details.family for c in conclusions if isinstance(c.details, RunDifference)} - {0, 1}):
        yield (
            f"All {counted(size, 'pair')} of runs on the same clips form one family, corrected by Holm's method at "
            f"{percent(study.alpha)}, whether printed or not."
        )


KIND = Kind(
    name="run_difference",
    in_metric_unit=True,
    title="Pairwise comparisons",
    conclude=lambda study: run_differences(study, printed_pairs(study), family_of(study)),
    estimates="difference",
    tests=(UNCONDITIONAL, SIGN_FLIP, COUNTS, LOSSES),
    methods=_methods,
    planned_runs=_planned_runs,
)
