"""Selection bias: by how much the best run's accuracy is inflated because it was picked on the same clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details, Kind, Method
from tracker.runs.logged import correct
from tracker.statistics.paired import log_losses
from tracker.statistics.resampling import optimism_of_best, optimism_of_best_epoch
from tracker.study.run_results import keeps_last, keeps_numbers
from tracker.study.study import Obstacle
from tracker.wording import capitalised, count, percent, points, points_interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tracker.study.clip_sets import ClipSet
    from tracker.study.study import Study
    from tracker.wording import Wording

MOST_RUNS_BY_EPOCH = 50  # runs above which the selection of their best epochs is not resampled
_SOURCE = (
    "What the best owes to having been chosen is estimated by the bootstrap over clips "
    "(Efron 1983, doi:10.1080/01621459.1983.10477973)."
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
    why: Obstacle | None = None

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return by how much the best run's accuracy is inflated by its selection."""
        if conclusion.estimate is None or conclusion.interval is None or self.accuracy is None or self.best is None:
            why = "what each run says of each clip was not logged"
            if self.why is Obstacle.OTHER_METRIC:
                why = f"that is done for accuracy, and the runs are ranked by {wording.metric.name}"
            return f"By how much the best of {count(self.runs, 'run')} flatters itself cannot be estimated: {why}."
        best, among = capitalised(wording.run(self.best)), count(self.runs, "run")
        epochs = ", and its epoch among its own," if self.over_epochs else ""
        nearer, here = percent(max(0.0, self.accuracy - conclusion.estimate)), percent(self.accuracy)
        evidence = f"bootstrap, 95% interval {points_interval(conclusion.interval)} points"
        expect = f": on new clips expect nearer to {nearer} than to {here}" if nearer != here else ""
        return (
            f"{best} was chosen among {among}{epochs} on the clips that its accuracy is said of. That flatters it by "
            f"an estimated {points(conclusion.estimate)} ({evidence}){expect}."
        )


def selection_optimism(study: Study) -> Iterator[Conclusion]:
    """Conclude on each set of clips with several runs' predictions.

    One `unknown` conclusion if several runs have no predictions to resample, or are not ranked by accuracy.
    """
    several = [clips for clips in study.clip_sets if len(clips.with_predictions) > 1]
    if len(study.results) > 1 and not (several and study.metric.is_accuracy):
        why = Obstacle.UNLOGGED_PREDICTIONS if study.metric.is_accuracy else Obstacle.OTHER_METRIC
        details = SelectionOptimism(runs=len(study.results), why=why)
        yield Conclusion("selection_optimism", "unknown", study.run_ids, details)
        return
    for clips in several:
        runs, groups = clips.with_predictions, clips.groups or None
        best = min(runs, key=lambda run: study.rank_of.get(run, len(study.results)))
        by_epoch, seed = _by_epoch(study, clips) if len(runs) <= MOST_RUNS_BY_EPOCH else None, study.random_seed(runs)
        if by_epoch is None:
            optimism = optimism_of_best(clips.correct, seed, groups)
        else:
            optimism = optimism_of_best_epoch(*by_epoch, seed, groups)
        accuracy = float(clips.correct[clips.row_of[best]].mean())
        details = SelectionOptimism(study.results[best].run_id, len(runs), by_epoch is not None, accuracy)
        estimate, interval, method = optimism.estimate, optimism.interval, METHOD_GROUPS if groups else METHOD
        ids, n = study.ids(runs), len(clips.clips)
        yield Conclusion("selection_optimism", "estimate", ids, details, estimate, interval, n=n, method=method)


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
        if keeps_numbers(result.run):  # tracker never keeps weights that predict NaN
            probabilities = probabilities[np.isfinite(probabilities).all(axis=(1, 2))]
        if not len(probabilities) or not np.isfinite(probabilities).all():
            return None
        truth = [predictions.classes.index(label) for label in predictions.labels]
        correctness.append(correct(probabilities, predictions.labels, predictions.classes))
        losses.append(log_losses(probabilities[:, np.arange(len(truth)), truth].astype(np.float64)))
    return correctness, losses


KIND = Kind(
    name="selection_optimism",
    title="What choosing the best costs",
    conclude=selection_optimism,
    methods=lambda _, found: {_SOURCE for conclusion in found if conclusion.verdict == "estimate"},
)
