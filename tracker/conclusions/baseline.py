"""Whether runs beat the majority-class baseline: the classifier that gives every clip the most common label.

Each run with predictions is tested against it on the same clips, corrected for the number of runs. Where only the count
of a run's correct clips is known, every pairing of the clips that the two counts allow is tried.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.comparisons import net_by_group, p_values_on
from tracker.conclusions.conclusion import Conclusion, Details, Kind, Method, Table
from tracker.conclusions.run_difference import COUNTS, SIGN_FLIP, UNCONDITIONAL
from tracker.statistics.error_rates import holm
from tracker.statistics.grouped import sign_flip_interval
from tracker.statistics.paired import discordant, from_aggregates, paired_interval
from tracker.statistics.proportions import Interval, wilson
from tracker.wording import (
    capitalised,
    counted,
    p_number,
    percent,
    percent_interval,
    percent_interval_cell,
    points_cell,
    whole_cell,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tracker.conclusions.conclusion import Verdict
    from tracker.study.clip_sets import ClipSet
    from tracker.study.study import Study
    from tracker.wording import Wording

_SOURCE = (
    "The majority-class baseline gives every clip the most common label of the validation clips. Runs are tested "
    "against it on these clips as against another run, corrected by Holm's method for the number of runs."
)
_MOST_SHOWN = 50  # runs that have a row in the table


@dataclass(frozen=True, slots=True)
class AgainstBaseline:
    """A run beside the baseline."""

    run: str  # id
    number: int  # in the report
    correct: int
    interval: Interval  # of its accuracy, at 95%
    difference: float  # its accuracy minus the baseline's, a fraction
    p_value: float
    p_adjusted: float
    one_class: bool  # whether it predicts the baseline's class for every clip


@dataclass(frozen=True, slots=True)
class Baseline(Details):
    """The evidence."""

    majority: str | None = None  # the most common label, the first by name of several
    also: tuple[str, ...] = ()  # labels that are equally common
    classes: int = 0  # labels in all
    correct: int = 0  # clips of that label: what the baseline gets right
    interval: Interval | None = None  # of its accuracy, Wilson's at 95%
    runs: tuple[AgainstBaseline, ...] = ()  # the best first
    alpha: float = 0.05

    @property
    def not_better(self) -> tuple[str, ...]:
        """The ids of the runs that are not significantly better."""
        return tuple(run.run for run in self.runs if run.difference <= 0 or run.p_adjusted > self.alpha)

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return whether the best run beats the baseline, and which runs do not."""
        if conclusion.verdict == "unknown" or self.interval is None or not self.runs or conclusion.n is None:
            return "Whether the runs beat the majority-class baseline is unknown, because no predictions were logged."
        best, n = self.runs[0], conclusion.n
        who, answer = capitalised(wording.run(best.run)), "the same class" if self.also else f"“{self.majority}”"
        always = f"Answering {answer} every time gets {self.correct} of {counted(n, 'validation clip')} correct"
        always = f"{always} ({percent(self.correct / n)})"
        if best.one_class:
            return (
                f"{always}, and that is all {wording.run(best.run)} does: it predicts “{self.majority}” for every clip."
            )
        has = f"{best.correct} ({percent(best.correct / n)}, 95% interval {percent_interval(best.interval)})"
        if best.run in self.not_better:
            verdict = "is not significantly better"
            if best.difference < 0:
                verdict = "does worse" if best.p_adjusted <= self.alpha else "does no better"
            return f"{always}. {who} gets {has} and {verdict}."
        rest = [run for run in self.not_better if run != best.run]
        others = f" {capitalised(wording.runs(rest))} {'is' if len(rest) == 1 else 'are'} not significantly better."
        return f"{who} beats the majority-class baseline: it gets {has}. {always}.{others if rest else ''}"

    def tables(self, *, in_points: bool) -> tuple[Table, ...]:
        """Return each run beside the baseline."""
        del in_points
        if not self.runs:
            return ()
        rows = tuple(
            (
                f"Run {run.number}",
                whole_cell(run.correct),
                percent_interval_cell(run.interval),
                points_cell(run.difference),
                p_number(run.p_value, self.alpha),
                p_number(run.p_adjusted, self.alpha),
            )
            for run in self.runs[:_MOST_SHOWN]
        )
        header = ("run", "correct", "95% interval", "minus the baseline", "p", "p corrected")
        return (Table("Runs and the majority-class baseline", header, rows),)


def baselines(study: Study) -> Iterator[Conclusion]:
    """Conclude on each set of clips whose labels are known; one `unknown` conclusion if there is none."""
    known = [clips for clips in study.clip_sets if clips.labels]
    if study.results and not known:
        yield Conclusion("baseline", "unknown", study.run_ids, Baseline())
    for clips in known:
        yield from _on_clips(study, clips)


def _on_clips(study: Study, clips: ClipSet) -> Iterator[Conclusion]:
    sizes = Counter(clips.labels)
    most = max(sizes.values())
    majority, *also = sorted(name for name, size in sizes.items() if size == most)
    runs = sorted(_counted(study, clips), key=lambda run: (-(study.results[run].correct or 0), run))
    if not runs or len(sizes) < 2:
        return
    answers = np.array([label == majority for label in clips.labels])
    p_values = _p_values(study, clips, runs, answers)
    adjusted = holm(np.array(p_values), len(runs)).tolist()
    beside = []
    for run, p_value, p_adjusted in zip(runs, p_values, adjusted, strict=True):
        result = study.results[run]
        if result.accuracy is not None:
            correct, interval = result.accuracy.correct, result.accuracy.interval
            same = run in clips.row_of and np.array_equal(clips.correct[clips.row_of[run]], answers)
            only = same and set(result.predicted_names) == {majority}
            beside.append(AgainstBaseline(result.run_id, result.number, correct, interval,
                                          (correct - most) / len(answers), p_value, p_adjusted, only))  # fmt: skip
    best = beside[0]
    details = Baseline(majority, tuple(also), len(sizes), most, wilson(most, len(answers)), tuple(beside), study.alpha)
    interval, method = _interval(study, clips, study.index_of[best.run], answers, best.p_value)
    verdict: Verdict = "supported" if best.p_adjusted <= study.alpha and best.difference else "inconclusive"
    yield Conclusion(
        "baseline",
        verdict,
        study.ids(runs),
        details,
        best.difference,
        interval,
        p_value=best.p_value,
        p_adjusted=best.p_adjusted,
        n=len(answers),
        method=method,
    )


def _counted(study: Study, clips: ClipSet) -> list[int]:
    """Return the runs that can be tested: with counts alone only if clips share no groups."""
    return [
        run
        for run in clips.members
        if study.results[run].correct is not None and (run in clips.row_of or not clips.groups)
    ]


def _p_values(study: Study, clips: ClipSet, runs: Sequence[int], answers: NDArray[np.bool_]) -> list[float]:
    """Return the p-value of each run against the baseline, given which clips that has correct."""
    judged = [run for run in runs if run in clips.row_of]
    own = clips.correct[[clips.row_of[run] for run in judged]]
    tested = dict(zip(judged, p_values_on(clips, own, np.broadcast_to(answers, own.shape)), strict=True))
    for run in runs:
        if run not in tested:
            counts = (study.results[run].correct or 0, int(answers.sum()), len(answers))
            tested[run] = from_aggregates(*counts).p_value
    return [tested[run] for run in runs]


def _interval(
    study: Study, clips: ClipSet, run: int, answers: NDArray[np.bool_], p_value: float
) -> tuple[Interval, Method]:
    """Return the 95% interval of the difference to the baseline, and the test that it agrees with."""
    if run not in clips.row_of:
        counts = (study.results[run].correct or 0, int(answers.sum()), len(answers))
        return from_aggregates(*counts).interval, COUNTS
    own = clips.correct[clips.row_of[run]]
    if clips.groups:
        return sign_flip_interval(net_by_group(clips, own, answers), clips.group_sizes, p_value), SIGN_FLIP
    return paired_interval(*discordant(own, answers), len(own)), UNCONDITIONAL


KIND = Kind(
    name="baseline",
    title="Majority-class baseline",
    conclude=baselines,
    estimates="difference to the baseline",
    methods=lambda _, found: {_SOURCE for conclusion in found if conclusion.verdict != "unknown"},
)
