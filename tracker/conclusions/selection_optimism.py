"""Selection bias: by how much the best run's accuracy is inflated because it was picked on the same clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.comparisons import cross_validation
from tracker.conclusions.conclusion import Conclusion, Details, Kind, Method
from tracker.runs.logged import correct
from tracker.statistics.paired import log_losses
from tracker.statistics.resampling import optimism_of_best, optimism_of_best_epoch
from tracker.study.run_results import keeps_last
from tracker.study.study import Obstacle
from tracker.wording import capitalised, counted, is_informative, percent, percent_interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tracker.statistics.proportions import Interval
    from tracker.study.clip_sets import ClipSet
    from tracker.study.study import Study
    from tracker.wording import Wording

MOST_RUNS_BY_EPOCH = 50  # runs above which the selection of their best epochs is not resampled
_SOURCE = (
    "Selection bias is estimated by the bootstrap over clips, selecting again in each resample (Efron 1983, "
    "doi:10.1080/01621459.1983.10477973); its interval is a studentised Wilson interval of the accuracy on new clips."
)
METHOD = Method("bootstrap over clips, selecting again in each resample")
METHOD_GROUPS = Method("bootstrap over groups of clips, selecting again in each resample")


@dataclass(frozen=True, slots=True)
class SelectionOptimism(Details):
    """The evidence."""

    best: str | None = None  # id of the best run
    runs: int = 0  # runs that it was picked from
    over_epochs: bool = False  # whether the selection of each run's best epoch on the same clips is included
    accuracy: float | None = None  # of the best run on these clips
    # its accuracy on new clips, with its 95% interval: what it is here less the selection bias
    expected: float | None = None
    expected_interval: Interval | None = None
    why: Obstacle | None = None

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return by how much the best run's accuracy is inflated by its selection."""
        del conclusion
        if self.accuracy is None or self.expected is None or self.expected_interval is None or self.best is None:
            other_metric = f"it is estimated for accuracy, but runs are ranked by {wording.metric.name}"
            why = _REASONS.get(self.why or Obstacle.UNLOGGED_PREDICTIONS, other_metric)
            return f"How much picking the best of {counted(self.runs, 'run')} flatters its score is unknown: {why}."
        best, epochs = capitalised(wording.run(self.best)), " and its best epoch were" if self.over_epochs else " was"
        picked = f"{best}{epochs} picked using these same clips"
        here, there = percent(self.accuracy), f"about {percent(self.expected)}".replace("about over", "over")
        informative = is_informative(self.expected_interval)
        interval = f" (95% interval {percent_interval(self.expected_interval)})" if informative else ""
        if percent(self.expected) == here:
            return f"{picked}, but that hardly flatters it: expect {there} on new clips{interval}."
        return f"{picked}, so {here} is optimistic. On new clips, expect {there}{interval}."


def selection_optimism(study: Study) -> Iterator[Conclusion]:
    """Conclude on each set of clips with several runs' predictions; on none over folds, where no run is picked.

    On none of a single group either: drawn again, it is the same clips, which would say that nothing flatters the best.
    One `unknown` conclusion if several runs have no predictions to resample, or are not ranked by accuracy.
    """
    if cross_validation(study) is not None:
        return
    several = [clips for clips in study.clip_sets if len(clips.with_predictions) > 1]
    if len(study.results) > 1 and not (several and study.metric.is_accuracy):
        why = _obstacle(study) if study.metric.is_accuracy else Obstacle.OTHER_METRIC
        details = SelectionOptimism(runs=len(study.results), why=why)
        yield Conclusion("selection_optimism", "unknown", study.run_ids, details)
        return
    for clips in several:
        runs, groups = clips.with_predictions, clips.groups or None
        if groups and len(set(groups)) == 1:
            continue
        best = min(runs, key=lambda run: study.rank_of.get(run, len(study.results)))
        by_epoch, seed = _by_epoch(study, clips) if len(runs) <= MOST_RUNS_BY_EPOCH else None, study.random_seed(runs)
        if by_epoch is None:
            optimism = optimism_of_best(clips.correct, seed, groups)
        else:
            optimism = optimism_of_best_epoch(*by_epoch, seed, groups)
        accuracy = float(clips.correct[clips.row_of[best]].mean())
        low, high = optimism.interval
        details = SelectionOptimism(
            best=study.results[best].run_id,
            runs=len(runs),
            over_epochs=by_epoch is not None,
            accuracy=accuracy,
            expected=min(1.0, max(0.0, accuracy - optimism.estimate)),
            expected_interval=(max(0.0, accuracy - high), min(1.0, accuracy - low)),
        )
        estimate, interval, method = optimism.estimate, optimism.interval, METHOD_GROUPS if groups else METHOD
        ids, n = study.ids(runs), len(clips.clips)
        yield Conclusion("selection_optimism", "estimate", ids, details, estimate, interval, n=n, method=method)


_REASONS = {
    Obstacle.OTHER_CLIPS: "no two were evaluated on the same clips",
    Obstacle.UNLOGGED_CLIPS: "the clips they were evaluated on are not known",
    Obstacle.UNLOGGED_PREDICTIONS: "their predictions clip by clip are not known",
}


def _obstacle(study: Study) -> Obstacle:
    """Return why there are no two runs whose predictions of the same clips are known."""
    if any(len(clips.members) > 1 for clips in study.clip_sets):
        return Obstacle.UNLOGGED_PREDICTIONS
    return Obstacle.OTHER_CLIPS if all(clips.known for clips in study.clip_sets) else Obstacle.UNLOGGED_CLIPS


def _by_epoch(study: Study, clips: ClipSet) -> tuple[list[NDArray[np.bool_]], list[NDArray[np.float64]]] | None:
    """Return correctness and log-loss of each run by epoch and clip; None if a run didn't select an epoch."""
    correctness, losses = [], []
    for run in clips.with_predictions:
        result = study.results[run]
        predictions = result.by_epoch
        if predictions is None or keeps_last(result.run):
            return None
        same_clips = (predictions.clips, predictions.labels) == (clips.clips, clips.labels)
        if not same_clips or not set(predictions.labels) <= set(predictions.classes):
            return None
        probabilities = predictions.probabilities
        if result.run.is_in_format:  # tracker never keeps weights that predict NaN
            probabilities = probabilities[np.isfinite(probabilities).all(axis=(1, 2))]
        if not len(probabilities) or not np.isfinite(probabilities).all():
            return None
        truth = [predictions.classes.index(label) for label in predictions.labels]
        correctness.append(correct(probabilities, predictions.labels, predictions.classes))
        losses.append(log_losses(probabilities[:, np.arange(len(truth)), truth].astype(np.float64)))
    return correctness, losses


KIND = Kind(
    name="selection_optimism",
    title="Selection bias",
    conclude=selection_optimism,
    methods=lambda _, found: {_SOURCE for conclusion in found if conclusion.verdict == "estimate"},
)
