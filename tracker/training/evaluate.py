"""How well a network does on whole clips: a clip's class probabilities are the mean over its segments."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import TrainingError
from tracker.training.backend import keras
from tracker.training.batches import consecutive_segments
from tracker.training.result import accuracy, log_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.training.batches import Image, Segments

Logs = dict[str, float]

# Called with the name and the value of a loss and its epoch, counted from 0 as Keras does.
Check = Callable[[str, float, int], None]

BATCH = 64  # segments predicted at once; it changes the result by rounding alone


def clip_probabilities(model: keras.Model, images: Sequence[Image], segments: Segments) -> NDArray[np.float32]:
    """Return the class probabilities of each clip, shape (n_clips, n_classes).

    Parameters
    ----------
    model : keras.Model
        From segments to class probabilities.
    images : sequence of ndarray, each of shape (n_mels, n_frames), dB
    segments : Segments
        Clip by clip, at least one of each.
    """
    batches = [slice(start, start + BATCH) for start in range(0, len(segments), BATCH)]
    by_segment = np.concatenate([model.predict_on_batch(segments.cut(images, batch)) for batch in batches])
    counts = np.bincount(segments.clips)
    sums = np.add.reduceat(by_segment.astype(np.float64), np.cumsum(counts) - counts)
    return (sums / counts[:, None]).astype(np.float32)


def check_finite(name: str, value: float, epoch: int) -> None:
    """Raise a TrainingError if a loss isn't a finite number."""
    if not math.isfinite(value):
        raise TrainingError(f"training diverged: {name} became {value} in epoch {epoch + 1}; try a lower learning rate")


def let_pass(name: str, value: float, epoch: int) -> None:
    """Replace `check_finite` if training is to continue whatever the loss."""


class Validation(keras.callbacks.Callback):  # type: ignore[misc]
    """Evaluates the validation clips after each epoch.

    Comes first among the callbacks, so that Keras' ReduceLROnPlateau and EarlyStopping find `val_loss` in the logs.

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
