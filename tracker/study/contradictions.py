"""Where what a run logged contradicts itself, and which of the two is used.

Predictions are the evidence, clip by clip: they are used rather than the accuracy or the number of clips that was
logged beside them, and predictions by epoch only if they fit those of the kept weights. Little differences are none:
accuracies are rounded, averaged over batches, or computed on another device.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from tracker.study.metrics import is_fraction
from tracker.study.options import as_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from tracker.runs import Run

_ROUNDING = 0.005001  # an accuracy may be logged in whole per cent
_BATCHES = 0.05  # other programs average over batches, or over windows of a clip
_TIES = 0.02  # clips whose two likeliest classes change places when predicted again


class Contradiction(Enum):
    """What contradicts a run's predictions of its validation clips."""

    ACCURACY = "the accuracy that it logged"
    CLIPS = "the number of validation clips that it logged"
    BY_EPOCH = "its predictions by epoch"


def contradictions(
    run: Run, correct: NDArray[np.bool_], accuracies: Iterable[float | None], kept: int | None, stop: int | None
) -> Iterator[Contradiction]:
    """Yield what contradicts the predictions of a run that has them.

    Parameters
    ----------
    run : Run
    correct : ndarray of bool, shape (n_clips,)
        Which clips, sorted, they have correct.
    accuracies : iterable of float or None
        The logged accuracies of which any may be that of the predictions; only fractions are compared.
    kept, stop : int or None
        The epoch whose weights were kept, and the last one, if known.
    """
    predictions = run.validation
    if predictions is None:
        return
    n, counted = len(correct), float(correct.mean())
    tolerance = 0.5 / n + (_ROUNDING if "tracker.data" in run.tags else _BATCHES)
    logged = [accuracy for accuracy in accuracies if accuracy is not None]
    has_classes = predictions.probabilities is None or predictions.has_finite_probabilities
    comparable = all(map(is_fraction, logged)) and has_classes
    if logged and comparable and min(abs(accuracy - counted) for accuracy in logged) > tolerance:
        yield Contradiction.ACCURACY
    if as_whole(run.tags.get("tracker.validation_clips"), least=1) not in (None, n):
        yield Contradiction.CLIPS
    if not _fits_by_epoch(run, correct, kept, stop):
        yield Contradiction.BY_EPOCH


def _fits_by_epoch(run: Run, correct: NDArray[np.bool_], kept: int | None, stop: int | None) -> bool:
    """Return whether predictions by epoch, if there are any, are of the same clips, labels, epochs and weights."""
    predictions, by_epoch = run.validation, run.validation_by_epoch
    if predictions is None or by_epoch is None:
        return True
    labels = dict(zip(by_epoch.clips, by_epoch.labels, strict=True))
    if labels != dict(zip(predictions.clips, predictions.labels, strict=True)):
        return False
    epochs = len(by_epoch.probabilities)
    if stop is not None and epochs != stop:
        return False
    if kept is None or kept > epochs:
        return True
    order = sorted(range(len(by_epoch.clips)), key=by_epoch.clips.__getitem__)
    differing = int((by_epoch.correct[kept - 1, order] != correct).sum())
    return differing <= 1 + _TIES * len(correct)
