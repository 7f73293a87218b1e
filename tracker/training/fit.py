"""Training: a plan and the images of its clips in, the kept network and its metrics out.

In every epoch the network sees four random segments of each training clip; after it, each validation clip is judged by
the mean over its consecutive segments. The training step, early stopping and the plateau are Keras' own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import TrainingError
from tracker.runs import EpochPredictions, Predictions
from tracker.training.backend import keras
from tracker.training.callbacks import Record, Validation
from tracker.training.crops import Crops
from tracker.training.images import LabelledImages, TrainingData, short_clips
from tracker.training.judge import accuracy, clip_probabilities, log_loss
from tracker.training.loop import train_epochs
from tracker.training.networks import load_builder
from tracker.training.outcome import Epoch, Outcome
from tracker.training.segments import consecutive_segments

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.runs import Configuration, RunPlan

__all__ = ["Epoch", "LabelledImages", "Outcome", "TrainingData", "short_clips", "train"]


def train(
    plan: RunPlan,
    data: TrainingData,
    *,
    on_start: Callable[[], None] | None = None,
    on_epoch: Callable[[Epoch], None],
    on_batch: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Train one configuration under one seed.

    Parameters
    ----------
    plan : RunPlan
    data : TrainingData
    on_start : callable or None
        Called once the network has been built with its options, before anything is trained.
    on_epoch : callable
        Called with each finished `Epoch`, in order.
    on_batch : callable or None
        Called with the number of batches done in this epoch and of all its batches.

    Returns
    -------
    Outcome
        Of all epochs or, if interrupted, of those that were finished.

    Raises
    ------
    TrainingError
        If the network cannot be built, or the loss stops being a number.
    KeyboardInterrupt
        If interrupted before the first epoch was finished.
    """
    data, frames = data.sorted(), _frames(plan)
    keras.utils.clear_session(free_memory=False)  # or a second run in this process would number its layers on
    keras.utils.set_random_seed(plan.seed)
    model = _compiled(plan.configuration, (data.n_mels, frames, 1), len(data.classes))
    record = Record(Validation(data.validation.images, data.targets(data.validation), frames), on_epoch)
    if on_start:
        on_start()
    interrupted = _fit(model, plan, data, record, on_batch)
    return _outcome(model, plan, data, record, interrupted=interrupted)


def _frames(plan: RunPlan) -> int:
    """Return the length of a segment."""
    return plan.spectrogram.frames(plan.configuration.segment_s)


def _compiled(configuration: Configuration, input_shape: tuple[int, int, int], n_classes: int) -> keras.Model:
    """Build the network and give it its loss and optimizer."""
    try:
        build = load_builder(configuration.model)
        model = build(input_shape, n_classes, kernel_size=configuration.kernel_size, **dict(configuration.options))
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(f"the network {configuration.model} cannot be built: {reason}") from error
    # With all variables made beforehand the first training step is traced once rather than twice, in half the time.
    optimizer = keras.optimizers.Adam(configuration.learning_rate)
    optimizer.build(model.trainable_variables)
    share_right = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=[share_right])
    return model


def _fit(
    model: keras.Model, plan: RunPlan, data: TrainingData, record: Record, on_batch: Callable[[int, int], None] | None
) -> bool:
    """Train to the end and return whether it was interrupted."""
    crops = Crops(
        data.training.images,
        data.targets(data.training),
        frames=_frames(plan),
        batch_size=plan.configuration.batch_size,
        seed=plan.seed,
    )
    callbacks = [record.validation, *_keras_callbacks(plan.configuration), record]
    try:
        train_epochs(model, crops, plan.configuration.epochs, callbacks, on_batch)
    except KeyboardInterrupt:
        if not record.epochs:
            raise
        return True
    return False


def _keras_callbacks(configuration: Configuration) -> list[keras.callbacks.Callback]:
    """Return Keras' own callbacks that the configuration asks for; both watch `val_loss`."""
    callbacks = []
    if configuration.plateau:
        factor, patience = configuration.plateau.factor, configuration.plateau.patience
        callbacks.append(keras.callbacks.ReduceLROnPlateau(factor=factor, patience=patience))
    if configuration.early_stopping_patience is not None:
        callbacks.append(keras.callbacks.EarlyStopping(patience=configuration.early_stopping_patience))
    return callbacks


def _outcome(model: keras.Model, plan: RunPlan, data: TrainingData, record: Record, *, interrupted: bool) -> Outcome:
    """Put the kept weights back and say what came of the training."""
    kept = len(record.epochs) - 1
    if plan.configuration.keep == "best":
        kept = record.best
        model.set_weights(record.best_weights)
    clips = (data.validation.clips, data.validation.labels, data.classes)
    images = data.training.images
    segments = consecutive_segments(images, _frames(plan))
    fitted, targets = clip_probabilities(model, images, segments), data.targets(data.training)
    return Outcome(
        metrics=_summary(record) | {"fit_loss": log_loss(fitted, targets), "fit_accuracy": accuracy(fitted, targets)},
        validation=Predictions(*clips, record.probabilities[kept].astype(np.float64)),
        validation_by_epoch=EpochPredictions(*clips, np.stack(record.probabilities)),
        model=model,
        example=segments.cut(images, slice(1)).astype(np.float32),
        interrupted=interrupted,
    )


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
