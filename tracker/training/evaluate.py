"""How well a network does on whole clips: a clip's class probabilities are the mean over its segments."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import TrainingError
from tracker.statistics.paired import log_losses
from tracker.training.backend import keras
from tracker.training.batches import consecutive_segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.training.batches import Image, Segments

Logs = dict[str, float]
Check = Callable[[str, float, int], None]

BATCH = 64
"""Segments predicted at once; it changes the time that takes, and the result by rounding alone."""


def clip_probabilities(model: keras.Model, images: Sequence[Image], segments: Segments) -> NDArray[np.float32]:
    """Return the class probabilities of each clip.

    Parameters
    ----------
    model : keras.Model
        From segments to class probabilities.
    images : sequence of ndarray, each of shape (n_mels, n_frames), dB
    segments : Segments
        Clip by clip, at least one of each.

    Returns
    -------
    ndarray of float32, shape (n_clips, n_classes)
    """
    batches = [slice(start, start + BATCH) for start in range(0, len(segments), BATCH)]
    by_segment = np.concatenate([model.predict_on_batch(segments.cut(images, batch)) for batch in batches])
    counts = np.bincount(segments.clips)
    sums = np.add.reduceat(by_segment.astype(np.float64), np.cumsum(counts) - counts)
    return (sums / counts[:, None]).astype(np.float32)


def log_loss(probabilities: NDArray[np.floating], targets: NDArray[np.int64]) -> float:
    """Return the mean negative log-probability of the true classes, in nats.

    Rounded to float32, as Keras compares losses, so that both call the same epoch the best.
    """
    true = probabilities[np.arange(len(targets)), targets].astype(np.float64)
    return float(np.float32(log_losses(true).mean())) + 0.0  # −0 becomes 0


def accuracy(probabilities: NDArray[np.floating], targets: NDArray[np.int64]) -> float:
    """Return the fraction of clips whose most probable class is the true one; NaN if any probability isn't finite."""
    if not np.isfinite(probabilities).all():
        return math.nan  # argmax would pick NaN
    return float((probabilities.argmax(axis=1) == targets).mean())


def check_finite(name: str, value: float, epoch: int) -> None:
    """Refuse a loss that isn't a finite number.

    Parameters
    ----------
    name : str
    value : float
    epoch : int
        Counted from 0, as in Keras' callbacks.

    Raises
    ------
    TrainingError
        If it isn't finite.
    """
    if not math.isfinite(value):
        raise TrainingError(f"training diverged: {name} became {value} in epoch {epoch + 1}; try a lower learning rate")


def let_pass(name: str, value: float, epoch: int) -> None:
    """Replace `check_finite` if training is to continue whatever the loss."""


class Validation(keras.callbacks.Callback):  # type: ignore[misc]
    """Evaluates the validation clips after each epoch.

    Comes first among the callbacks, so that Keras' ReduceLROnPlateau and EarlyStopping find `val_loss` in the logs.

    Parameters
    ----------
    images : sequence of ndarray, each of shape (n_mels, n_frames), dB
    targets : ndarray of int, shape (n_clips,)
    frames : int
        Length of a segment.
    check : callable
        As `check_finite`: called with the name, the value and the epoch of each validation loss.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (n_clips, n_classes)
        After the latest epoch.
    """

    def __init__(self, images: Sequence[Image], targets: NDArray[np.int64], frames: int, *, check: Check) -> None:
        super().__init__()
        self._images = images
        self._targets = targets
        self._segments = consecutive_segments(images, frames)
        self._check = check

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Add `val_loss` and `val_accuracy` to the logs."""
        self.probabilities = clip_probabilities(self.model, self._images, self._segments)
        logs["val_loss"] = log_loss(self.probabilities, self._targets)
        logs["val_accuracy"] = accuracy(self.probabilities, self._targets)
        self._check("val_loss", logs["val_loss"], epoch)
