"""Whether runs beat the majority-class baseline: the classifier that gives every clip the most common label.

How many clips have that label is known before any model is trained. So a run's accuracy is tested against a fixed
share, as its own interval does, corrected for the number of runs. The test on the same clips, as against another run,
is given beside it: it finds less if all clips of a group have one label.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.comparisons import p_values_on
from tracker.conclusions.conclusion import Conclusion, Details, Kind, Method, Table
from tracker.statistics.error_rates import holm
from tracker.statistics.paired import agreeing
from tracker.statistics.proportions import Interval, grouped_proportion_p, proportion_p, wilson
from tracker.wording import (
    NONE,
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
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tracker.conclusions.conclusion import Verdict
    from tracker.study.clip_sets import ClipSet
    from tracker.study.run_results import Accuracy
    from tracker.study.study import Study
    from tracker.wording import Wording

BINOMIAL = Method(
    "exact binomial test of the accuracy",
    "Accuracy is tested against the majority-class baseline, the share of the most common label, by the exact binomial "
    "test (doi:10.1093/biomet/26.4.404), corrected by Holm's method for the number of runs.",
)
SCORE = Method(
    "score test of the accuracy over groups",
    "Accuracy is tested against the majority-class baseline, the share of the most common label, by the score test "
    "that its interval over groups inverts (doi:10.1093/jssam/smv024), corrected "
    "by Holm's method for the number of runs.",
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
    paired_p: float | None  # of the test on the same clips, as against another run; None without predictions
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
        who, answer = capitalised(wording.run(best.run)), "one class" if self.also else f"“{self.majority}”"
        always = f"Answering {answer} for every clip gets {self.correct} of {counted(n, 'validation clip')} correct"
        always = f"{always} ({percent(self.correct / n)})"
        if best.one_class:
            return f"{always}, and that is all {wording.run(best.run)} does."
        has = f"{best.correct} ({percent(best.correct / n)}, 95% interval {percent_interval(best.interval)})"
        if best.run in self.not_better:
            verdict = "is not significantly better"
            if best.p_value <= self.alpha:
                verdict += f" after correcting for {counted(len(self.runs), 'run')}"
            if best.difference < 0:
                verdict = "does worse" if best.p_adjusted <= self.alpha else "does no better"
            return f"{always}. {who} gets {has} and {verdict}."
        gets = f"{self.correct} of {counted(n, 'validation clip')} correct ({percent(self.correct / n)})"
        head = f"{who} beats the majority-class baseline, which answers {answer} for every clip and gets {gets}."
        rest = [run for run in self.not_better if run != best.run]
        verb = "does" if len(rest) == 1 else "do"
        return f"{head} {capitalised(wording.runs(rest))} {verb} not beat it significantly." if rest else head

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
                NONE if run.paired_p is None else p_number(run.paired_p, self.alpha),
            )
            for run in self.runs[:_MOST_SHOWN]
        )
        header = ("run", "correct", "95% interval", "minus the baseline", "p", "p corrected", "p on the same clips")
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
    most, n = max(sizes.values()), len(clips.labels)
    majority, *also = sorted(name for name, size in sizes.items() if size == most)
    answers = np.array([label == majority for label in clips.labels])
    accuracies = {run: found for run in clips.members if (found := _tested_accuracy(study, clips, run)) is not None}
    if not accuracies or len(sizes) < 2:
        return
    runs = sorted(accuracies, key=lambda run: (-accuracies[run].correct, run))
    p_values = [_p_value(clips, run, accuracies[run].correct, most / n) for run in runs]
    paired, beside = _paired(clips, answers), []
    for run, p_value, p_adjusted in zip(runs, p_values, holm(np.array(p_values), len(runs)).tolist(), strict=True):
        result, correct = study.results[run], accuracies[run].correct
        same = run in clips.row_of and np.array_equal(clips.correct[clips.row_of[run]], answers)
        one_class, difference = same and set(result.predicted_names) == {majority}, (correct - most) / n
        of_run, tested = (result.run_id, result.number, correct, accuracies[run].interval), (p_value, p_adjusted)
        beside.append(AgainstBaseline(*of_run, difference, *tested, paired.get(run), one_class))
    best = beside[0]
    ends = best.interval[0] - most / n, best.interval[1] - most / n
    details = Baseline(majority, tuple(also), len(sizes), most, wilson(most, n), tuple(beside), study.alpha)
    verdict: Verdict = "supported" if best.p_adjusted <= study.alpha else "inconclusive"
    yield Conclusion(
        "baseline",
        verdict,
        study.ids(runs),
        details,
        best.difference,
        agreeing(ends, best.difference, best.p_value),
        best.p_value,
        best.p_adjusted,
        n,
        SCORE if clips.groups else BINOMIAL,
    )


def _tested_accuracy(study: Study, clips: ClipSet, run: int) -> Accuracy | None:
    """Return a run's accuracy; None if it can't be tested: not known, or by its count alone if clips share groups."""
    return study.results[run].accuracy if run in clips.row_of or not clips.groups else None


def _p_value(clips: ClipSet, run: int, correct: int, fraction: float) -> float:
    if not clips.groups:
        return proportion_p(correct, len(clips.labels), fraction)
    return grouped_proportion_p(clips.correct[clips.row_of[run]], clips.group_codes, fraction)


def _paired(clips: ClipSet, answers: NDArray[np.bool_]) -> dict[int, float]:
    """Return the p-value of each run with predictions against which clips the baseline has correct."""
    p_values = p_values_on(clips, clips.correct, np.broadcast_to(answers, clips.correct.shape))
    return dict(zip(clips.with_predictions, p_values, strict=True))


KIND = Kind(
    name="baseline",
    title="Majority-class baseline",
    conclude=baselines,
    estimates="difference to the baseline",
    tests=(BINOMIAL, SCORE),
)
