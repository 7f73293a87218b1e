"""What training reports epoch by epoch, and what it returns.

An epoch whose validation loss isn't finite is recorded as it is, but is never the best one or the one kept.
Imports nothing heavy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import keras

    from tracker.runs import EpochPredictions, Keep, Predictions


@dataclass(frozen=True)
class Epoch:
    """One finished epoch.

    Parameters
    ----------
    number : int
        Counted from 1.
    metrics : mapping of str to float
        `loss` and `accuracy` of the segments trained on, `val_loss` and `val_accuracy` per clip, `learning_rate` (that
        it was trained at), `epoch_seconds`.
    """

    number: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What training returns.

    Parameters
    ----------
    metrics : mapping of str to float
        `best_epoch`, `best_val_loss`, `best_val_accuracy`, `last_val_loss`, `last_val_accuracy`, `stop_epoch`,
        `fit_loss` and `fit_accuracy` (the last two per training clip, in inference mode, with the kept weights).
    kept_epoch : int
        Whose weights are kept, counted from 1: the best epoch or, where the last is kept, the last one whose validation
        loss is a finite number.
    validation : Predictions
        The kept weights on the validation clips.
    validation_by_epoch : EpochPredictions
    model : keras.Model
        With the kept weights.
    example : ndarray of float32, shape (1, n_mels, n_frames, 1), dB
        One input of the model.
    interrupted : bool
        Whether training was cut short; all values are then those of the finished epochs.
    """

    metrics: Mapping[str, float]
    kept_epoch: int
    validation: Predictions
    validation_by_epoch: EpochPredictions
    model: keras.Model
    example: NDArray[np.float32]
    interrupted: bool


Arrays = tuple[NDArray[np.generic], ...]


@dataclass(frozen=True, eq=False)
class History:
    """The finished epochs of a run. Each epoch makes a new one, so that an interrupt finds all of an epoch or nothing.

    Parameters
    ----------
    keep : {"best", "last"}
        Whose epoch's weights are kept.
    epochs : tuple of Epoch
    probabilities : tuple of ndarray of float32, each of shape (n_clips, n_classes)
        Class probabilities of the validation clips after each epoch.
    weights : tuple of ndarray
        Of the epoch that is kept, as the network's `get_weights` gives them; empty as long as none is.
    """

    keep: Keep
    epochs: tuple[Epoch, ...] = ()
    probabilities: tuple[NDArray[np.float32], ...] = ()
    weights: Arrays = ()

    @property
    def best(self) -> int | None:
        """Index of the epoch of the lowest finite validation loss, of equals the first."""
        finite = self._finite
        return min(finite, key=lambda index: self.epochs[index].metrics["val_loss"]) if finite else None

    @property
    def kept(self) -> int | None:
        """Index of the epoch whose weights are kept: the best, or the last whose validation loss is finite."""
        finite = self._finite
        return self.best if self.keep == "best" or not finite else finite[-1]

    @property
    def _finite(self) -> list[int]:
        losses = (epoch.metrics["val_loss"] for epoch in self.epochs)
        return [index for index, loss in enumerate(losses) if math.isfinite(loss)]

    def after(
        self,
        epoch: Epoch,
        probabilities: NDArray[np.float32],
        weights_now: Callable[[], Sequence[NDArray[np.generic]]],
    ) -> History:
        """Return the history with one more epoch.

        Parameters
        ----------
        epoch : Epoch
        probabilities : ndarray of float32, shape (n_clips, n_classes)
        weights_now : callable
            Returns the weights after that epoch; called only if they are to be kept.
        """
        longer = replace(self, epochs=(*self.epochs, epoch), probabilities=(*self.probabilities, probabilities))
        is_kept = longer.kept == len(self.epochs)
        return replace(longer, weights=tuple(weights_now())) if is_kept else longer
