"""The loop over epochs and batches, around Keras' own training step and callbacks.

It does what `keras.Model.fit` does, without the threads through which `fit` hands every batch: an epoch of the default
network takes a tenth less of the processor and a fifth less time (``bench/epochs.py``).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tracker.training.backend import keras
from tracker.training.callbacks import check_finite

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.training.callbacks import Check, Logs
    from tracker.training.crops import Crops


def train_epochs(
    model: keras.Model,
    crops: Crops,
    epochs: range,
    callbacks: list[keras.callbacks.Callback],
    on_batch: Callable[[int, int], None] | None = None,
    *,
    check: Check = check_finite,
) -> None:
    """Train a compiled model until the limit, or until a callback sets its `stop_training`.

    Parameters
    ----------
    model : keras.Model
        Compiled with the metric `accuracy`.
    crops : Crops
    epochs : range
        Those to train, counted from 0 as Keras does.
    callbacks : list of keras.callbacks.Callback
        Told of the training and of its epochs, in this order; not of batches.
    on_batch : callable or None
        Called with the number of batches done in this epoch and of all its batches.
    check : callable
        Called with the name, the value and the epoch of each batch's loss.

    Raises
    ------
    TrainingError
        As `check` does: as soon as the loss stops being a finite number.
    """
    listeners = keras.callbacks.CallbackList(callbacks, model=model)
    model.stop_training = False
    listeners.on_train_begin()
    for epoch in epochs:
        listeners.on_epoch_begin(epoch)
        listeners.on_epoch_end(epoch, _train_epoch(model, crops, epoch, on_batch, check))
        if model.stop_training:
            break
    listeners.on_train_end()


def _train_epoch(
    model: keras.Model,
    crops: Crops,
    epoch: int,
    on_batch: Callable[[int, int], None] | None,
    check: Check,
) -> Logs:
    """Train one epoch, counted from 0 as Keras does, and return its mean loss and accuracy."""
    sums: dict[str, float] = defaultdict(float)
    segments = 0
    for done, (images, targets) in enumerate(crops.batches(epoch + 1), start=1):
        logs = model.train_on_batch(images, targets, return_dict=True)  # of this batch alone: Keras resets its metrics
        check("loss", logs["loss"], epoch)
        segments += len(targets)
        for name, value in logs.items():
            sums[name] += value * len(targets)
        if on_batch:
            on_batch(done, len(crops))
    return {name: value / segments for name, value in sums.items()}
