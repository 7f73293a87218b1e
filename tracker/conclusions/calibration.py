"""Whether the best run's probabilities fit its accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tracker.conclusions.conclusion import Conclusion, Details, Kind, Method, Table
from tracker.statistics.calibration import ConfidenceBin, calibration_error, confidence_bins
from tracker.study.clip_sets import by_clip
from tracker.wording import (
    capitalised,
    counted,
    percent,
    percent_cell,
    percent_interval_cell,
    points,
    points_number,
    whole_cell,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.statistics.proportions import Interval
    from tracker.study.clip_sets import ClipSet
    from tracker.study.study import Study
    from tracker.wording import Wording

FEWEST_CLIPS = 20  # below which nothing can be said about calibration

METHOD = Method(
    "adaptive expected calibration error with a bootstrap interval",
    "The expected calibration error is over bins of equally many clips (Nguyen and O'Connor 2015, "
    "doi:10.18653/v1/D15-1182); its interval is the bootstrap's, less its bias, and begins at 0 unless the error is "
    "larger than a calibrated classifier's would be (Bröcker and Smith 2007, doi:10.1175/WAF993.1).",
)


@dataclass(frozen=True, slots=True)
class Calibration(Details):
    """The evidence, of the best run."""

    best: str | None = None  # its id
    confidence: float | None = None  # the probability that it gives its predictions, on average
    accuracy: float | None = None
    gap_interval: Interval | None = None  # of confidence minus accuracy, at 95%
    by_chance: float | None = None  # the error that a calibrated classifier would have on these clips, on average
    direction: Literal["over", "under"] | None = None  # whether it is confident too often or not often enough
    bins: tuple[ConfidenceBin, ...] = ()  # of a reliability diagram, the lowest confidence first

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return whether the run is overconfident, and its calibration error."""
        if self.best is None or conclusion.estimate is None or conclusion.interval is None:
            return "Whether the probabilities can be trusted is unknown, because no predictions were logged."
        who, (low, high) = capitalised(wording.run(self.best)), conclusion.interval
        error = f"{points(conclusion.estimate)} (95% interval {points_number(low)} to {points_number(high)})"
        by_chance = f"a calibrated model would have about {points_number(self.by_chance or 0.0)} here"
        if self.direction is not None:
            too = "too confident" if self.direction == "over" else "not confident enough"
            means = f"its confidence is {percent(self.confidence or 0.0)} on average"
            correct = f"{percent(self.accuracy or 0.0)} of its predictions are correct"
            return f"{who} is {too}: {means}, but {correct}. Its expected calibration error is {error}; {by_chance}."
        head = f"{who}'s expected calibration error is {error}"
        if low > 0:
            fits = f"{who}'s confidence fits its accuracy on average, but not at every level"
            return f"{fits}: its expected calibration error is {error}; {by_chance}."
        clips = counted(conclusion.n or 0, "clip")
        return f"{head}. That could be chance on {clips}: {by_chance}."

    def tables(self, *, in_points: bool) -> tuple[Table, ...]:
        """Return the bins of the reliability diagram."""
        del in_points
        rows = tuple(
            (
                f"{percent_cell(one.lowest)} to {percent_cell(one.highest)}",
                whole_cell(one.n),
                percent_cell(one.confidence),
                percent_cell(one.accuracy),
                percent_interval_cell(one.interval),
            )
            for one in self.bins
        )
        header = ("confidence", "clips", "mean confidence", "correct", "95% interval")
        return (Table("Confidence and accuracy of the best run", header, rows),) if rows else ()


def calibrations(study: Study) -> Iterator[Conclusion]:
    """Conclude on the best run of each set of enough clips; one `unknown` conclusion if no run has predictions."""
    known = [clips for clips in study.clip_sets if clips.with_predictions]
    if study.results and not known:
        yield Conclusion("calibration", "unknown", study.run_ids, Calibration())
    for clips in known:
        best = min(clips.with_predictions, key=lambda run: study.rank_of.get(run, len(study.results)))
        conclusion = _of_run(study, clips, best) if len(clips.clips) >= FEWEST_CLIPS else None
        if conclusion is not None:
            yield conclusion


def _of_run(study: Study, clips: ClipSet, run: int) -> Conclusion | None:
    """Conclude on one run; None if it logged no probabilities, or one isn't a number."""
    predictions = study.results[run].run.validation
    if predictions is None or predictions.probabilities is None or not predictions.has_finite_probabilities:
        return None
    confidence = predictions.probabilities.max(axis=1)[by_clip(predictions)]
    correct, groups = clips.correct[clips.row_of[run]], clips.groups or None
    error = calibration_error(confidence, correct, study.random_seed([run]), groups)
    direction: Literal["over", "under"] | None = None
    if error.gap_interval[0] > 0 or error.gap_interval[1] < 0:
        direction = "over" if error.gap > 0 else "under"
    details = Calibration(
        best=study.results[run].run_id,
        confidence=float(confidence.mean()),
        accuracy=float(correct.mean()),
        gap_interval=error.gap_interval,
        by_chance=error.by_chance,
        direction=direction,
        bins=confidence_bins(confidence, correct, groups),
    )
    ids, n = study.ids([run]), len(correct)
    return Conclusion("calibration", "estimate", ids, details, error.estimate, error.interval, n=n, method=METHOD)


KIND = Kind(name="calibration", title="Calibration", conclude=calibrations, estimates="expected calibration error",
            tests=(METHOD,))  # fmt: skip
