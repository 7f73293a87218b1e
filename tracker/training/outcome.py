"""What training tells while it goes on, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras
    import numpy as np
    from numpy.typing import NDArray

    from tracker.runs import EpochPredictions, Predictions


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
class Outcome:
    """What comes of training.

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
        Whether training was cut short; everything is then that of the finished epochs.
    """

    metrics: Mapping[str, float]
    kept_epoch: int
    validation: Predictions
    validation_by_epoch: EpochPredictions
    model: keras.Model
    example: NDArray[np.float32]
    interrupted: bool
