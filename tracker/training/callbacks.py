"""What happens at the end of an epoch, in order: validation by clip, Keras' own callbacks, the record of the epoch.

`Validation` comes first, so that Keras' ReduceLROnPlateau and EarlyStopping find `val_loss` in the logs; `Record` last,
so that what is saved, and whoever listens, has the state that they leave behind.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import TrainingError
from tracker.training.backend import keras
from tracker.training.batches import consecutive_segments
from tracker.training.evaluate import accuracy, clip_probabilities, log_loss
from tracker.training.result import Epoch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.training.batches import Image
    from tracker.training.result import History

Logs = dict[str, float]
Check = Callable[[str, float, int], None]


class Validation(keras.callbacks.Callback):  # type: ignore[misc]
    """Judges the validation clips after each epoch.

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


class Record(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps what came of each epoch, has it saved, and only then tells of it.

    Parameters
    ----------
    validation : Validation
    history : History
        Of the epochs trained before, if any.
    save : callable
        Called with the history of an epoch more; when it returns, that is safe.
    on_epoch : callable
        Called with each `Epoch` finished now.

    Attributes
    ----------
    history : History
        Of the epochs that are safe.
    """

    def __init__(
        self,
        validation: Validation,
        history: History,
        save: Callable[[History], None],
        on_epoch: Callable[[Epoch], None],
    ) -> None:
        super().__init__()
        self.history = history
        self._validation = validation
        self._save = save
        self._on_epoch = on_epoch

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:  # noqa: ARG002  (Keras' signature)
        """Note when the epoch begins, and at which rate."""
        self._began = time.perf_counter()
        self._rate = _learning_rate(self.model)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Keep what came of the epoch, then tell of it."""
        metrics = {name: float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        metrics |= {"learning_rate": self._rate, "epoch_seconds": time.perf_counter() - self._began}
        finished = Epoch(epoch + 1, metrics)
        longer = self.history.after(finished, self._validation.probabilities, self.model.get_weights)
        self._save(longer)
        self.history = longer
        self._on_epoch(finished)


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


def let_pass(name: str, value: float, epoch: int) -> None:
    """Stand in for `check_finite` where training goes on whatever the loss."""
