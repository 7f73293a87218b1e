"""What happens at the end of an epoch, in order: validation by clip, Keras' own callbacks, the record of the epoch.

`Validation` comes first, so that Keras' ReduceLROnPlateau and EarlyStopping find `val_loss` in the logs; `Record` last,
so that whoever listens sees the state that they leave behind.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import TrainingError
from tracker.training.backend import keras
from tracker.training.judge import accuracy, clip_probabilities, log_loss
from tracker.training.outcome import Epoch
from tracker.training.segments import consecutive_segments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tracker.training.images import Image

Logs = dict[str, float]


class Validation(keras.callbacks.Callback):  # type: ignore[misc]
    """Judges the validation clips after each epoch.

    Parameters
    ----------
    images : sequence of ndarray, each of shape (n_mels, n_frames), dB
    targets : ndarray of int, shape (n_clips,)
    frames : int
        Length of a segment.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (n_clips, n_classes)
        After the latest epoch.
    """

    def __init__(self, images: Sequence[Image], targets: NDArray[np.int64], frames: int) -> None:
        super().__init__()
        self._images = images
        self._targets = targets
        self._segments = consecutive_segments(images, frames)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Add `val_loss` and `val_accuracy` to the logs."""
        self.probabilities = clip_probabilities(self.model, self._images, self._segments)
        logs["val_loss"] = log_loss(self.probabilities, self._targets)
        logs["val_accuracy"] = accuracy(self.probabilities, self._targets)
        check_finite("val_loss", logs["val_loss"], epoch)


class Record(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps what came of each epoch and the weights of the best, and tells of it.

    Parameters
    ----------
    validation : Validation
    on_epoch : callable
        Called with each finished `Epoch`.

    Attributes
    ----------
    validation : Validation
    epochs : list of Epoch
        Those that were told of.
    probabilities : list of ndarray of float32, shape (n_clips, n_classes)
        What was said of the validation clips after each.
    best_weights : list of ndarray
        Of the epoch of the lowest validation loss.
    """

    def __init__(self, validation: Validation, on_epoch: Callable[[Epoch], None]) -> None:
        super().__init__()
        self.validation = validation
        self._on_epoch = on_epoch
        self.epochs: list[Epoch] = []
        self.probabilities: list[NDArray[np.float32]] = []
        self.best_weights: list[NDArray[np.float32]] = []

    @property
    def best(self) -> int:
        """Index of the epoch of the lowest validation loss, of equals the first."""
        return int(np.argmin([epoch.metrics["val_loss"] for epoch in self.epochs]))

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:  # noqa: ARG002  (Keras' signature)
        """Note when the epoch begins, and at which rate."""
        self._began = time.perf_counter()
        self._rate = _learning_rate(self.model)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Keep what came of the epoch, then tell of it."""
        metrics = {name: float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        metrics |= {"learning_rate": self._rate, "epoch_seconds": time.perf_counter() - self._began}
        improved = not self.epochs or metrics["val_loss"] < self.epochs[self.best].metrics["val_loss"]
        weights = self.model.get_weights() if improved else self.best_weights
        # What takes time is done: an interrupt finds the epoch in all three of these or in none.
        self.epochs.append(Epoch(epoch + 1, metrics))
        self.probabilities.append(self.validation.probabilities)
        self.best_weights = weights
        self._on_epoch(self.epochs[-1])


def _learning_rate(model: keras.Model) -> float:
    """Return the optimizer's rate in the shortest digits of its float32: 0.001, not 0.0010000000474974513."""
    return float(str(np.float32(model.optimizer.learning_rate)))


def check_finite(name: str, value: float, epoch: int) -> None:
    """Refuse a loss that is no finite number.

    Parameters
    ----------
    name : str
    value : float
    epoch : int
        Counted from 0, as in Keras' callbacks.

    Raises
    ------
    TrainingError
        If it is none.
    """
    if not math.isfinite(value):
        raise TrainingError(f"training diverged: {name} became {value} in epoch {epoch + 1}; try a lower learning rate")
