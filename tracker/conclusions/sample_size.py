"""Which differences between two models a validation set can show."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.conclusions.comparisons import cross_validation
from tracker.conclusions.conclusion import Conclusion, Details, Kind
from tracker.wording import capitalised, count, percent, points, points_number, round_number, round_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.study.study import Study
    from tracker.wording import Wording


_SOURCE = "What the clips can show is the power of McNemar's exact test (doi:10.2307/2531151)."


@dataclass(frozen=True, slots=True)
class SampleSize(Details):
    """The evidence."""

    one_clip: float = 0.0  # one clip as a difference of accuracy
    n_groups: int = 0  # 0 if no clips share one
    design_effect: float = 1.0  # at least 1; how many clips are worth one independent clip, if they share groups
    # the mean fraction of clips that exactly one of two runs classifies correctly; None without predictions of two runs
    discordance: float | None = None
    # the smallest true difference with 80% power: if one model is never worse on any clip, and if the two disagree as
    # observed, or often. None if not even a difference of 1 has it
    detectable: tuple[float | None, float | None] = (None, None)
    # clips that give a true difference of `one_clip` the same power, under the same two assumptions
    clips_for_one: tuple[int, int] = (0, 0)
    best_correct: int | None = None  # clips that the best run classifies correctly
    # the smallest possible p-value of a run with every clip correct against the best; None if the best has them all
    ceiling_p: float | None = None

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return which differences the validation set can show."""
        clips = count(conclusion.n or 0, "validation clip")
        groups = f" from {count(self.n_groups, 'group')}" if self.n_groups else ""
        if self.n_groups and round(self.design_effect, 1) > 1:
            groups += f", which count for about {round((conclusion.n or 0) / self.design_effect)} independent ones,"
        parts = [f"With {clips}{groups} one clip is {points(self.one_clip)}.", _detectable_text(self)]
        if self.detectable[1] is not None and self.ceiling_p is not None and self.ceiling_p > wording.alpha:
            even_all = f"even all {conclusion.n} right gives {wording.p(self.ceiling_p)} at best"
            parts.append(f"Nothing can significantly beat {self.best_correct} of {conclusion.n}: {even_all}.")
        return " ".join(parts)


def sample_sizes(study: Study) -> Iterator[Conclusion]:
    """Conclude on each set of clips, and on each number of clips if the clips themselves were not logged."""
    by_set: dict[object, list[int]] = defaultdict(list)
    for clips in sorted(study.clip_sets, key=lambda clips: not clips.known):
        if clips.n:
            by_set[clips if clips.known else clips.n] += clips.members
    for runs in by_set.values():
        clips, best = study.results[runs[0]].clip_set, study.most_correct(runs)
        detectable = study.detectable_differences[clips]
        n = detectable.n
        details = SampleSize(
            one_clip=1 / n,
            n_groups=clips.n_groups,
            design_effect=detectable.design_effect,
            discordance=detectable.discordance,
            detectable=detectable.detectable(),
            clips_for_one=detectable.clips_for_one(),
            best_correct=best,
            ceiling_p=None if best is None or best == n else min(1.0, 2.0 ** (1 - (n - best))),  # exact McNemar's
        )
        yield Conclusion("sample_size", "estimate", study.ids(runs), details, n=n)


def _detectable_text(details: SampleSize) -> str:
    low, high = details.detectable
    if high is None:
        return "So few show no difference reliably, however large."
    fewest, most = details.clips_for_one
    if details.discordance is not None:
        disagree = f"Two of these models disagree on {percent(details.discordance)} of clips"
        found = f"a true difference of {points(high)} would be found about four times in five, smaller ones less often"
        return f"{disagree}; then {found}, and one of a single clip would take {round_number(most)} clips."
    span = _points_span(high if low is None else low, high)
    found = f"A true difference of {span}, depending on how often two models disagree, would be found"
    single = f"one of a single clip would take {round_number(fewest)} to {round_up(most)} clips"
    return f"{found} about four times in five, and {single}."


def _limits(study: Study, conclusions: Sequence[Conclusion], wording: Wording) -> Iterator[str]:
    """Yield what the clips can show, once for all sets of as many clips."""
    runs: dict[tuple[int, int], list[str]] = defaultdict(list)
    smallest: dict[tuple[int, int], list[float | None]] = defaultdict(list)
    for conclusion in conclusions:
        if isinstance(conclusion.details, SampleSize):
            size = (conclusion.n or 0, conclusion.details.n_groups)
            runs[size] += conclusion.runs
            smallest[size].append(conclusion.details.detectable[1])
    for (n, groups), differences in smallest.items():
        clips = count(n, "validation clip") + (f" from {count(groups, 'group')}" if groups else "")
        which = f" ({wording.runs(runs[n, groups])})" if len(smallest) > 1 else ""
        shown = sorted(difference for difference in differences if difference is not None)
        what = "cannot show any difference between two models reliably"
        if len(shown) == len(differences):
            by_set = ", set by set" if points(shown[0]) != points(shown[-1]) else ""
            below = f"{_points_span(shown[0], shown[-1])}{by_set}"
            what = f"cannot reliably show a difference between two models below {below}"
        yield f"{capitalised(clips)} {what}{which}."
    joined = cross_validation(study)
    if sum(clips.known for clips in study.clip_sets) > 1 and (joined is None or joined.splits):
        over = f": configurations are, over all {len(joined.folds)} splits" if joined else ""
        yield f"Runs judged on different validation clips are not compared with each other{over}."


def _points_span(low: float, high: float) -> str:
    """Return ``4 to 16 points``, or what both ends are rounded to."""
    return points(high) if points(low) == points(high) else f"{points_number(low)} to {points(high)}"


KIND = Kind(
    name="sample_size",
    title="What these clips can show",
    conclude=sample_sizes,
    methods=lambda _, found: {_SOURCE for _ in found},
    limits=_limits,
    headlines=lambda conclusions, _: conclusions[:1],
    headline_rank=3,
)
