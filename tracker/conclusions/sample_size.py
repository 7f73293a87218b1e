"""Which differences between two models a validation set can show."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.comparisons import cross_validation, net_by_group
from tracker.conclusions.conclusion import Conclusion, Details, Kind, Method
from tracker.statistics.grouped import design_effect, fewest_groups, grouped_sign_flip
from tracker.statistics.paired import unconditional
from tracker.statistics.repetitions import detectable_effect
from tracker.wording import counted, percent, points, points_span, round_number, round_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.conclusions.comparisons import CrossValidation
    from tracker.statistics.proportions import Interval
    from tracker.study.study import Study
    from tracker.wording import Wording


MOST_SAID = 100  # more clips than so many times those at hand are no use to anybody
_POWER = Method(
    "power of the exact unconditional test",
    "Which differences the clips can show is the exact power of the test that compares two runs, at 80% "
    "(Suissa and Shuster 1991, doi:10.2307/2532131).",
)
_SIMULATED_POWER = Method(
    "power of the sign-flip test over groups, simulated",
    "Which differences clips in groups can show is the power of the sign-flip test, at 80%, simulated with the "
    "intra-class correlation of the differences between these runs.",
)


_POWER_OVER_FOLDS = Method(
    "power of the corrected resampled t-test",
    "Which differences folds can show is the power of the corrected resampled t-test, at 80%, with the variance of the "
    "best two configurations' difference.",
)


@dataclass(frozen=True, slots=True)
class SampleSize(Details):
    """The evidence."""

    one_clip: float = 0.0  # one clip as a difference of accuracy
    n_groups: int = 0  # 0 if no clips share one
    # at most how many clips count for one independent clip: if all clips of a group go the same way
    design_effect: float = 1.0
    # intra-class correlation, within groups, of the differences between these runs; None if no clips share one
    correlation: float | None = None
    # the mean fraction of clips that exactly one of two runs classifies correctly; None without predictions of two runs
    discordance: float | None = None
    # the smallest true difference with 80% power: if one model is never worse on any clip, and if the two disagree as
    # observed, or often. None if not even a difference of 1 has it
    detectable: tuple[float | None, float | None] = (None, None)
    # clips that give a true difference of `one_clip` the same power, under the same two assumptions
    clips_for_one: tuple[int, int] = (0, 0)
    best_correct: int | None = None  # clips that the best run classifies correctly
    # the p-value, by the test that would decide, of a run with every clip correct against the best; None if the best
    # has them all, or if clips share groups and it isn't known which of them the best has
    ceiling_p: float | None = None
    folds: int = 0  # folds, or splits, that configurations are compared over; 0 if models are
    splits: bool = False

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return which differences the validation set can show."""
        if self.folds:
            what, smallest = f"{self.folds} {'splits' if self.splits else 'folds'}", self.detectable[1]
            if smallest is None:
                return f"Over {what}, no difference between two configurations would be detected reliably."
            least = f"only differences of about {points(smallest)} or more between two configurations"
            return f"Over {what}, {least} would be detected reliably."
        clips = counted(conclusion.n or 0, "validation clip")
        groups = f", which come from {counted(self.n_groups, 'group')}," if self.n_groups else ""
        one = f"One of the {clips}{groups} is {points(self.one_clip)}."
        parts = [one, _detectable_text(conclusion, self, wording)]
        if self.detectable[1] is not None and self.ceiling_p is not None and self.ceiling_p > wording.alpha:
            perfect = f"Even a perfect score of {conclusion.n} would not be significantly better than"
            parts.append(f"{perfect} {self.best_correct} ({wording.p(self.ceiling_p)}).")
        return " ".join(parts)


def sample_sizes(study: Study) -> Iterator[Conclusion]:
    """Conclude on each set of clips, and on each number of clips if the clips themselves were not logged."""
    joined = cross_validation(study)
    if joined is not None and len(joined.configurations) > 1:
        yield _over_folds(study, joined)
        return
    by_set: dict[object, list[int]] = defaultdict(list)
    for clips in sorted(study.clip_sets, key=lambda clips: not clips.known):
        if clips.n:
            by_set[clips if clips.known else clips.n] += clips.members
    for runs in by_set.values():
        clips, best = study.results[runs[0]].clip_set, study.most_correct(runs)
        detectable = study.detectable_between(runs)
        n = detectable.n
        details = SampleSize(
            one_clip=1 / n,
            n_groups=clips.n_groups,
            design_effect=design_effect(clips.group_sizes, 1.0) if clips.groups else 1.0,
            correlation=detectable.correlation if clips.groups else None,
            discordance=detectable.discordance,
            detectable=detectable.detectable(),
            clips_for_one=detectable.clips_for_one(),
            best_correct=best,
            ceiling_p=None if best is None or best >= n else _ceiling_p(study, runs, best, n),
        )
        method = _SIMULATED_POWER if clips.groups else _POWER
        yield Conclusion("sample_size", "estimate", study.ids(runs), details, n=n, method=method)


def _over_folds(study: Study, folds: CrossValidation) -> Conclusion:
    """Conclude on all folds together: what they can show of the best configuration and the next."""
    effect = folds.effect(*folds.configurations[:2])
    smallest = detectable_effect(effect, alpha=study.alpha) if effect else None
    shown = smallest if smallest is not None and smallest < 1 else None
    details = SampleSize(one_clip=1 / folds.n, detectable=(None, shown), folds=len(folds.folds), splits=folds.splits)
    runs = study.ids(run for runs in folds.configurations for run in runs)
    return Conclusion("sample_size", "estimate", runs, details, n=folds.n, method=_POWER_OVER_FOLDS)


def _ceiling_p(study: Study, runs: Sequence[int], best_correct: int, n: int) -> float | None:
    """Return the p-value of a run with all `n` clips correct against the best, of equally good ones the largest."""
    clips = study.results[runs[0]].clip_set
    if not clips.groups:
        return unconditional(n - best_correct, 0, n)
    tied = [clips.correct[clips.row_of[run]] for run in runs if run in clips.row_of]
    tied = [correct for correct in tied if correct.sum() == best_correct]
    perfect = np.ones(n, dtype=bool)
    return max((grouped_sign_flip(net_by_group(clips, perfect, correct)) for correct in tied), default=None)


def _detectable_text(conclusion: Conclusion, details: SampleSize, wording: Wording) -> str:
    low, high = details.detectable
    if high is None:
        fewest = fewest_groups(wording.alpha)
        reason = ": significance takes at least " + counted(fewest, "group") if 0 < details.n_groups < fewest else ""
        return f"So few cannot reliably show any difference between two models, however large{reason}."
    if details.discordance is not None:
        who = "The two models" if len(conclusion.runs) == 2 else "On average, two of these models"
        disagree = f"{who} disagree on {percent(details.discordance)} of the clips"
        return f"{disagree}; only differences of about {points(high)} or more would be detected reliably."
    span = points_span(high if low is None else low, high)
    depending = ", depending on how often they disagree," if " to " in span else ""
    found = f"A difference of {span} between two models{depending} would be detected"
    fewest_clips, most = details.clips_for_one
    if most > MOST_SAID * (conclusion.n or 0):
        return f"{found} 4 times in 5."
    return (
        f"{found} 4 times in 5; one of a single clip would take {round_number(fewest_clips)} to {round_up(most)} clips."
    )


def _limits(study: Study, conclusions: Sequence[Conclusion], wording: Wording) -> Iterator[str]:
    """Yield what each set of clips can show if there are several, once for all of as many clips."""
    runs: dict[tuple[int, int], list[str]] = defaultdict(list)
    smallest: dict[tuple[int, int], list[float | None]] = defaultdict(list)
    for conclusion in conclusions:
        if isinstance(conclusion.details, SampleSize):
            size = (conclusion.n or 0, conclusion.details.n_groups)
            runs[size] += conclusion.runs
            smallest[size].append(conclusion.details.detectable[1])
    most = max(runs, key=lambda size: len(runs[size]), default=None)  # the report's answer has what these can show
    for (n, groups), differences in smallest.items() if len(conclusions) > 1 else ():
        if (n, groups) == most and len({points(difference or 0.0) for difference in differences}) == 1:
            continue
        clips = counted(n, "validation clip") + (f" from {counted(groups, 'group')}" if groups else "")
        which = f" ({wording.runs(runs[n, groups])})" if len(smallest) > 1 else ""
        shown = sorted(difference for difference in differences if difference is not None)
        what = "cannot show any difference between two models reliably"
        if len(shown) == len(differences):
            by_set = ", set by set" if points(shown[0]) != points(shown[-1]) else ""
            below = f"{points_span(shown[0], shown[-1])}{by_set}"
            what = f"cannot reliably show a difference between two models below {below}"
        yield f"{clips} {what}{which}."
    joined = cross_validation(study)
    known = [clips for clips in study.clip_sets if clips.known]
    several = len(known) > 1 and any(len(clips.members) > 1 for clips in known)
    if several and (joined is None or joined.splits):
        over = f": configurations are, over all {len(joined.folds)} splits" if joined else ""
        yield f"Runs evaluated on different validation clips are not compared with each other{over}."


def _methods(study: Study, _: Sequence[Conclusion]) -> Iterator[str]:
    """Explain why equally many correct clips may have different intervals, if they have."""
    intervals: dict[tuple[int, int], set[Interval]] = defaultdict(set)
    for result in study.results:
        if result.accuracy is not None and result.clip_set.groups:
            intervals[result.accuracy.correct, result.accuracy.n].add(result.accuracy.interval)
    if any(len(found) > 1 for found in intervals.values()):
        yield (
            "Runs with equally many correct clips can have different intervals: mistakes that come together, in few "
            "groups, say less about other groups than mistakes spread over many."
        )


KIND = Kind(
    name="sample_size",
    title="What the clips can detect",
    conclude=sample_sizes,
    tests=(_POWER, _SIMULATED_POWER, _POWER_OVER_FOLDS),
    methods=_methods,
    limits=_limits,
)
