"""What training reports epoch by epoch, and what it returns.

An epoch whose validation loss isn't finite is recorded as it is, but is never the best one or the one kept. Imports
nothing heavy; a script that is logged has its Keras left as it has set it up.
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

Arrays = tuple[NDArray[np.generic], ...]


@dataclass(frozen=True)
class Epoch:
    """One finished epoch.

    Its metrics are `loss` and `accuracy` of the segments trained on, `val_loss` and `val_accuracy` per clip,
    `learning_rate` (that it was trained at), `epoch_seconds`.
    """

    number: int  # counted from 1
    metrics: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What training returns; if it was interrupted, of the finished epochs.

    Its metrics are `best_epoch`, `best_val_loss`, `best_val_accuracy`, `last_val_loss`, `last_val_accuracy`,
    `stop_epoch`, `fit_loss` and `fit_accuracy` (the last two per training clip, in inference mode, with the kept
    weights).
    """

    metrics: Mapping[str, float]
    kept_epoch: int  # counted from 1: the best or, if the last is kept, the last whose validation loss is finite
    validation: Predictions  # with the kept weights, as the model has
    validation_by_epoch: EpochPredictions
    model: keras.Model
    example: NDArray[np.float32]  # one input of the model, shape (1, n_mels, n_frames, 1), dB
    interrupted: bool


@dataclass(frozen=True, eq=False)
class History:
    """The finished epochs of a run; each epoch makes a new one, so that an interrupt finds all of it or nothing."""

    keep: Keep  # whose epoch's weights are kept
    epochs: tuple[Epoch, ...] = ()
    probabilities: tuple[NDArray[np.float32], ...] = ()  # of the validation clips, each of shape (n_clips, n_classes)
    weights: Arrays = ()  # of the epoch that is kept, as the network's `get_weights` gives them

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
        """Return the history with one more epoch; `weights_now` is called only if its weights are to be kept."""
        longer = replace(self, epochs=(*self.epochs, epoch), probabilities=(*self.probabilities, probabilities))
        is_kept = longer.kept == len(self.epochs)
        return replace(longer, weights=tuple(weights_now())) if is_kept else longer


def log_loss(probabilities: NDArray[np.floating], targets: NDArray[np.int64]) -> float:
    """Return the mean negative log-probability of the true classes, in nats.

    Rounded to float32, as Keras compares losses, so that both call the same epoch the best.
    """
    from tracker.statistics.paired import PROBABILITY_FLOOR  # imports scipy

    true = probabilities[np.arange(len(targets)), targets].astype(np.float64)
    return float(np.float32(0 - np.log(np.maximum(true, PROBABILITY_FLOOR)).mean()))  # a bare minus makes −0 of 0


def accuracy(probabilities: NDArray[np.floating], targets: NDArray[np.int64]) -> float:
    """Return the fraction of clips whose most probable class is the true one; NaN if any probability isn't finite."""
    if not np.isfinite(probabilities).all():
        return math.nan  # argmax would pick NaN
    return float((probabilities.argmax(axis=1) == targets).mean())


def learning_rate(model: keras.Model) -> float:
    """Return the optimizer's rate in the shortest digits of its float32: 0.001, not 0.0010000000474974513."""
    return float(str(np.float32(model.optimizer.learning_rate)))


def epoch_logger(log_epoch: Callable[[Mapping[str, float]], None]) -> keras.callbacks.Callback:
    """Return a callback for anybody's `fit` that calls `log_epoch` after each epoch.

    It passes on Keras' logs, with the `learning_rate` that the epoch was trained at.
    """
    import keras

    class EpochLogger(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002
            has_rate = hasattr(getattr(self.model, "optimizer", None), "learning_rate")
            self._rate = {"learning_rate": learning_rate(self.model)} if has_rate else {}

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002
            log_epoch({**(logs or {}), **self._rate})

    return EpochLogger()
