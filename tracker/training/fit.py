"""Training: a plan and the images of its clips in, the kept network and its metrics out.

In every epoch a network sees four random segments of each training clip. What is drawn, and in which order, depends on
the seed and the number of the epoch alone, not on what was drawn before: an epoch can be repeated by itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import TrainingError
from tracker.runs import Configuration, EpochPredictions, Predictions, RunPlan
from tracker.training.backend import keras
from tracker.training.callbacks import Record, Validation
from tracker.training.images import LabelledImages, TrainingData, short_clips
from tracker.training.judge import accuracy, clip_probabilities, log_loss
from tracker.training.networks import load_builder
from tracker.training.outcome import Epoch, Outcome
from tracker.training.segments import Segments, consecutive_segments, random_segments

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Epoch", "LabelledImages", "Outcome", "TrainingData", "short_clips", "train"]


class Crops(keras.utils.PyDataset):  # type: ignore[misc]
    """The batches of an epoch: random segments of the training clips, drawn from the seed and the epoch.

    Parameters
    ----------
    part : LabelledImages
    targets : ndarray of int, shape (n_clips,)
    plan : RunPlan
    """

    def __init__(self, part: LabelledImages, targets: NDArray[np.int64], plan: RunPlan) -> None:
        super().__init__()
        self._images = part.images
        self._targets = targets
        self.frames = plan.spectrogram.frames(plan.configuration.segment_s)
        self._batch_size = plan.configuration.batch_size
        self._seed = plan.seed
        self._epoch = 1
        self._segments = self._draw()

    def __len__(self) -> int:
        return math.ceil(len(self._segments) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        which = slice(index * self._batch_size, (index + 1) * self._batch_size)
        return self._segments.cut(self._images, which), self._targets[self._segments.clips[which]]

    def on_epoch_end(self) -> None:
        """Draw the next epoch's segments."""
        self._epoch += 1
        self._segments = self._draw()

    def _draw(self) -> Segments:
        return random_segments(self._images, self.frames, np.random.default_rng([self._seed, self._epoch]))


def train(
    plan: RunPlan,
    data: TrainingData,
    *,
    on_epoch: Callable[[Epoch], None],
    on_batch: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Train one configuration under one seed.

    Parameters
    ----------
    plan : RunPlan
    data : TrainingData
    on_epoch : callable
        Called with each finished `Epoch`, in order.
    on_batch : callable or None
        Called with the number of batches done in this epoch and of all its batches.

    Returns
    -------
    Outcome
        Of all epochs, or, if interrupted, of those that were finished.

    Raises
    ------
    TrainingError
        If the network cannot be built, or the loss stops being a number.
    KeyboardInterrupt
        If interrupted before the first epoch was finished.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(plan.seed)
    configuration = plan.configuration
    held_out = data.validation.sorted()
    crops = Crops(data.training, data.targets(data.training), plan)
    validation = Validation(held_out, data.targets(held_out), crops.frames)
    record = Record(validation, on_epoch, on_batch)
    model = _compiled(configuration, crops[0][0].shape[1:], len(data.classes))
    callbacks = [validation, *_keras_callbacks(configuration), record]
    interrupted = _fit(model, crops, configuration.epochs, callbacks)
    if not record.epochs:
        raise KeyboardInterrupt
    kept = record.best if configuration.keep == "best" else len(record.epochs) - 1
    if configuration.keep == "best":
        model.set_weights(record.best_weights)
    clips = (held_out.clips, held_out.labels, data.classes)
    return Outcome(
        metrics=_summary(record) | _fit_metrics(model, data, crops.frames),
        validation=Predictions(*clips, record.probabilities[kept].astype(np.float64)),
        validation_by_epoch=EpochPredictions(*clips, np.stack(record.probabilities)),
        model=model,
        example=crops[0][0][:1],
        interrupted=interrupted,
    )


def _compiled(configuration: Configuration, input_shape: tuple[int, int, int], n_classes: int) -> keras.Model:
    """Build the network and give it its loss and optimizer."""
    build, options = load_builder(configuration.model), dict(configuration.options)
    try:
        model = build(input_shape, n_classes, kernel_size=configuration.kernel_size, **options)
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(f"the network {configuration.model} cannot be built: {reason}") from error
    optimizer = keras.optimizers.Adam(configuration.learning_rate)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _keras_callbacks(configuration: Configuration) -> list[keras.callbacks.Callback]:
    """Return Keras' own callbacks that the configuration asks for."""
    callbacks = []
    if configuration.plateau:
        factor, patience = configuration.plateau.factor, configuration.plateau.patience
        callbacks.append(keras.callbacks.ReduceLROnPlateau(factor=factor, patience=patience))
    if configuration.early_stopping_patience is not None:
        callbacks.append(keras.callbacks.EarlyStopping(patience=configuration.early_stopping_patience))
    return callbacks


def _fit(model: keras.Model, crops: Crops, epochs: int, callbacks: list[keras.callbacks.Callback]) -> bool:
    """Train to the end and return whether it was cut short."""
    try:
        model.fit(crops, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=0)
    except KeyboardInterrupt:
        return True
    return False


def _summary(record: Record) -> dict[str, float]:
    """Return the metrics that are logged once."""
    best, last = record.epochs[record.best], record.epochs[-1]
    return {
        "best_epoch": best.number,
        "best_val_loss": best.metrics["val_loss"],
        "best_val_accuracy": best.metrics["val_accuracy"],
        "last_val_loss": last.metrics["val_loss"],
        "last_val_accuracy": last.metrics["val_accuracy"],
        "stop_epoch": last.number,
    }


def _fit_metrics(model: keras.Model, data: TrainingData, frames: int) -> dict[str, float]:
    """Judge the training clips as the validation clips are judged."""
    images, targets = data.training.images, data.targets(data.training)
    probabilities = clip_probabilities(model, images, consecutive_segments(images, frames))
    return {"fit_loss": log_loss(probabilities, targets), "fit_accuracy": accuracy(probabilities, targets)}
