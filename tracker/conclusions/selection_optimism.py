"""By how much the best of several runs flatters itself on the clips that it was chosen on; an estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details
from tracker.runs.logged import correct
from tracker.statistics.paired import log_losses
from tracker.statistics.resampling import Optimism, optimism_of_best, optimism_of_best_epoch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.runs import EpochPredictions
    from tracker.study.clip_sets import ClipSet
    from tracker.study.run_results import RunResult
    from tracker.study.study import Study

MOST_RUNS_BY_EPOCH = 50
"""Above so many runs the choice of their epochs is not resampled."""

METHOD = "bootstrap over clips, selecting again in each resample"
METHOD_GROUPS = "bootstrap over groups of clips, selecting again in each resample"


@dataclass(frozen=True, slots=True)
class SelectionOptimism(Details):
    """The evidence.

    Parameters
    ----------
    best : str or None
        Id of the best run.
    runs : int
        Runs chosen from.
    over_epochs : bool
        Whether the choice of each run's epoch on the same clips is counted too.
    accuracy : float or None
        Of the best run on these clips.
    why : str or None
        Where it is not known: ``metric``, as runs are ranked by another one than accuracy, or ``predictions``.
    """

    best: str | None = None
    runs: int = 0
    over_epochs: bool = False
    accuracy: float | None = None
    why: str | None = None


def selection_optimism(study: Study) -> tuple[Conclusion, ...]:
    """Conclude on each set of clips that several runs were judged on.

    Parameters
    ----------
    study : Study

    Returns
    -------
    tuple of Conclusion
        One that is `unknown` where several runs are not ranked by accuracy or logged no predictions to resample.
    """
    judged = [clips for clips in study.clip_sets if len(clips.with_predictions) > 1]
    if judged and study.metric.is_accuracy:
        return tuple(_conclusion(study, clips) for clips in judged)
    if len(study.results) < 2:
        return ()
    details = SelectionOptimism(runs=len(study.results), why="predictions" if study.metric.is_accuracy else "metric")
    return (Conclusion("selection_optimism", "unknown", study.ids(range(len(study.results))), details),)


def _conclusion(study: Study, clips: ClipSet) -> Conclusion:
    best = min(clips.with_predictions, key=lambda run: study.rank_of.get(run, len(study.results)))
    seed, groups = study.random_seed(clips.with_predictions), clips.groups or None
    by_epoch = _by_epoch(study, clips) if len(clips.with_predictions) <= MOST_RUNS_BY_EPOCH else None
    optimism: Optimism
    if by_epoch is not None:
        optimism = optimism_of_best_epoch(*by_epoch, seed, groups)
    else:
        optimism = optimism_of_best(clips.correct, seed, groups)
    accuracy = float(clips.correct[clips.row_of[best]].mean())
    return Conclusion(
        kind="selection_optimism",
        verdict="exact",
        runs=study.ids(clips.with_predictions),
        details=SelectionOptimism(
            study.results[best].run_id, len(clips.with_predictions), by_epoch is not None, accuracy
        ),
        estimate=optimism.estimate,
        interval=optimism.interval,
        n=len(clips.clips),
        method=METHOD_GROUPS if groups else METHOD,
    )


def _by_epoch(study: Study, clips: ClipSet) -> tuple[list[NDArray[np.bool_]], list[NDArray[np.float64]]] | None:
    """Return right or wrong and the log-loss of each run by epoch and clip; None where a run keeps no best epoch."""
    right, losses = [], []
    for run in clips.with_predictions:
        found = study.results[run]
        predictions = found.run.validation_by_epoch
        if predictions is None or found.keeps_last or not _of(clips, predictions):
            return None
        truth, probabilities = _truth(predictions), _that_could_be_kept(found, predictions)
        if truth is None or not len(probabilities) or not np.isfinite(probabilities).all():
            return None
        right.append(correct(probabilities, predictions.labels, predictions.classes))
        losses.append(log_losses(probabilities[:, np.arange(len(truth)), truth].astype(np.float64)))
    return right, losses


def _that_could_be_kept(found: RunResult, predictions: EpochPredictions) -> NDArray[np.float32]:
    """Return the probabilities of the epochs whose weights may be kept: tracker keeps none that are no numbers."""
    numbers = np.isfinite(predictions.probabilities).all(axis=(1, 2))
    return predictions.probabilities[numbers] if found.keeps_numbers else predictions.probabilities


def _of(clips: ClipSet, predictions: EpochPredictions) -> bool:
    return (
        predictions.clips == clips.clips and predictions.labels == clips.labels and len(predictions.probabilities) > 0
    )


def _truth(predictions: EpochPredictions) -> NDArray[np.int64] | None:
    """Return the column of each clip's label, None where one has none."""
    columns = {name: column for column, name in enumerate(predictions.classes)}
    truth: Sequence[int | None] = [columns.get(label) for label in predictions.labels]
    return None if None in truth else np.array(truth, dtype=np.int64)
