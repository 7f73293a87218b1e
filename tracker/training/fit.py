"""Training: a plan and the images of its clips in, the kept network and its metrics out.

In every epoch the network sees four random segments of each training clip; afterwards each validation clip is evaluated
by the mean over its consecutive segments. What follows a frozen part of a network is trained on what that makes of the
consecutive segments (see `tracker.training.frozen`). The training step, early stopping and the plateau are Keras' own.
The loop around them does what `keras.Model.fit` does, without the threads through which `fit` hands every batch: an
epoch of the default network takes a tenth less processor time and a fifth less time (``bench/epochs.py``).
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import TrainingError
from tracker.runs import EpochPredictions, Predictions
from tracker.runs.facts import Layer, NetworkShape
from tracker.training.augment import Augmentation, has_soft_targets
from tracker.training.backend import keras, seed_epoch, seeded, use_fused_normalization
from tracker.training.batches import Batches, TrainingData, consecutive_segments, segment_frames
from tracker.training.build import build_network
from tracker.training.callbacks import EpochRecorder, Validation, check_finite, clip_probabilities
from tracker.training.checkpoint import CheckpointFolder
from tracker.training.frozen import FRAMES, FrozenPart
from tracker.training.networks import find_network
from tracker.training.result import TrainingResult, accuracy, log_loss

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tracker.runs import Configuration, RunPlan
    from tracker.training.batches import Image, Segments
    from tracker.training.callbacks import Logs
    from tracker.training.result import Epoch, History

    OnBatch = Callable[[int, int], None]


def train(
    plan: RunPlan,
    data: TrainingData,
    *,
    on_build: Callable[[NetworkShape], None] | None = None,
    on_start: Callable[[], None] | None = None,
    on_epoch: Callable[[Epoch], None],
    on_batch: OnBatch | None = None,
    on_interrupt: Callable[[], None] | None = None,
    on_describe: Callable[[int], None] | None = None,
    checkpoints: Path | None = None,
    keep_going: bool = False,
    built: BuiltNetwork | None = None,
) -> TrainingResult:
    """Train one configuration under one seed.

    Parameters
    ----------
    on_build : callable or None
        Called with the network's layers and number of parameters, once it has been built.
    on_start : callable or None
        Called once the network has been built, before anything is trained.
    on_epoch : callable
        Called with each finished `Epoch`, in order, once its checkpoint is safe.
    on_batch : callable or None
        Called with the number of batches done in this epoch and of all its batches.
    on_interrupt : callable or None
        Called when training was interrupted, before the finished epochs are evaluated.
    on_describe : callable or None
        Called with the number of clips, before the frozen part of the network describes them.
    checkpoints : Path or None
        Folder for this run's checkpoints. If it has any, training continues after the newest undamaged one, with the
        same plan and data; otherwise it starts from the beginning. None: nothing is saved.
    keep_going : bool
        Whether to continue if the loss isn't finite. Such epochs are recorded as they are, but never kept.
    built : BuiltNetwork or None
        The network of this plan, if it was built before. It is built again if its code has been edited since.

    Returns
    -------
    TrainingResult
        Of all finished epochs, including those trained before.

    Raises
    ------
    TrainingError
        If the network cannot be built, the loss or all validation losses aren't finite, or checkpoints cannot be saved,
        cannot be read, or do not belong to this plan and data.
    KeyboardInterrupt
        If interrupted before there was an epoch to keep.
    """
    data, configuration = data.sorted(), plan.configuration
    targets = data.targets(data.training)
    augmentation = Augmentation.of(configuration, targets, len(data.classes))
    if built is None or built.was_edited(plan):
        built = BuiltNetwork.of(plan, len(data.classes))
    model, watched = built.model, _keras_callbacks(configuration)
    with seeded(plan.seed):  # layers may draw from it, whatever happened since the network was built
        if on_build:
            layers = tuple(Layer(type(layer).__name__, layer.count_params()) for layer in model.layers)
            on_build(NetworkShape(model.count_params(), layers))
        part = _part_to_train(plan, data, built, augmentation, on_describe)
        held_out = part.consecutive(part.validation)
        validation = Validation(part.validation, data.targets(data.validation), held_out, keep_going=keep_going)
        folder = CheckpointFolder(checkpoints) if checkpoints else None
        recorder = EpochRecorder(configuration.keep, validation, watched, folder, on_epoch)
        recorder.resume(part.model, len(data.classes))
        batches = Batches(part.training, targets, part.frames, configuration.batch_size, plan.seed, part.silence)
        if on_start:
            on_start()
        interrupted = False
        try:
            callbacks = [validation, *_schedules(configuration), *watched, recorder]
            epochs = recorder.epochs_left(configuration.epochs)
            train_epochs(
                part.model, batches, epochs, callbacks, on_batch, augmentation=augmentation, keep_going=keep_going
            )
        except KeyboardInterrupt:
            if recorder.history.kept is None:
                raise
            interrupted = True
            if on_interrupt:
                on_interrupt()
    return _result(model, part, data, recorder.history, interrupted=interrupted)


@dataclass(frozen=True, eq=False)
class _PartToTrain:
    """What is trained of a network, and what it sees of the clips."""

    model: keras.Model
    training: Sequence[Image]
    validation: Sequence[Image]
    frames: int  # of a segment
    silence: Sequence[float]

    def consecutive(self, images: Sequence[Image]) -> Segments:
        return consecutive_segments(images, self.frames, self.silence)


def _part_to_train(
    plan: RunPlan,
    data: TrainingData,
    built: BuiltNetwork,
    augmentation: Augmentation,
    on_describe: Callable[[int], None] | None,
) -> _PartToTrain:
    """Return the whole network and its images; or what follows a frozen part, and what that makes of the images."""
    training, validation = data.training.images, data.validation.images
    frames, silence = segment_frames(plan), plan.spectrogram.silence
    frozen = None if augmentation.changes_images else FrozenPart.of(built.model, built.digest)
    if frozen is None:
        return _PartToTrain(built.model, training, validation, frames, silence)
    described = frozen.describe([*training, *validation], frames, silence, on_describe)
    first, others = described[: len(training)], described[len(training) :]
    return _PartToTrain(frozen.head, first, others, FRAMES, (0.0,))


@dataclass(frozen=True, eq=False)
class BuiltNetwork:
    """A compiled network that isn't trained yet: building it takes a tenth of a short run."""

    model: keras.Model
    digest: str  # of its code

    @classmethod
    def of(cls, plan: RunPlan, n_classes: int) -> BuiltNetwork:
        """Build a plan's network under its seed and give it its loss and optimizer.

        Raises
        ------
        TrainingError
            If the network cannot be built.
        """
        keras.utils.clear_session(free_memory=False)  # or layer names would depend on earlier runs
        with seeded(plan.seed):
            model = build_network(plan.configuration, (plan.spectrogram.height, segment_frames(plan), 1), n_classes)
            use_fused_normalization(model)
            # With all variables built before, the first training step is traced once, not twice, in half the time.
            optimizer = _optimizer(plan.configuration)
            optimizer.build(model.trainable_variables)
            if has_soft_targets(plan.configuration):
                loss = keras.losses.CategoricalCrossentropy(label_smoothing=plan.configuration.label_smoothing or 0.0)
                accuracy_metric = keras.metrics.CategoricalAccuracy(name="accuracy")
            else:
                loss = "sparse_categorical_crossentropy"
                accuracy_metric = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
            model.compile(optimizer, loss=loss, metrics=[accuracy_metric])
        return cls(model, find_network(plan.configuration.model).digest)

    def was_edited(self, plan: RunPlan) -> bool:
        """Return whether the code has been edited, or removed, since the network was built."""
        try:
            return find_network(plan.configuration.model).digest != self.digest
        except (ValueError, TrainingError):
            return True


def _optimizer(configuration: Configuration) -> keras.optimizers.Optimizer:
    decay = {} if configuration.weight_decay is None else {"weight_decay": configuration.weight_decay}
    kinds = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD}
    momentum = {"momentum": 0.9} if configuration.optimizer == "sgd" else {}
    optimizer = kinds[configuration.optimizer](configuration.learning_rate, **decay, **momentum)
    if optimizer.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _schedules(configuration: Configuration) -> list[keras.callbacks.Callback]:
    """Return what sets the learning rate by the number of the epoch alone, which needs no state."""
    if configuration.schedule is None:
        return []

    def cosine(epoch: int, _rate: float) -> float:
        return configuration.learning_rate / 2 * (1 + math.cos(math.pi * epoch / configuration.epochs))

    return [keras.callbacks.LearningRateScheduler(cosine)]


def _keras_callbacks(configuration: Configuration) -> list[keras.callbacks.Callback]:
    """Return Keras' own callbacks of the configuration."""
    mode = "max" if configuration.monitor == "val_accuracy" else "min"
    watched: dict[str, str | float] = {"monitor": configuration.monitor, "mode": mode}
    if configuration.min_delta is not None:
        watched["min_delta"] = configuration.min_delta
    callbacks = []
    if configuration.plateau:
        factor, patience = configuration.plateau.factor, configuration.plateau.patience
        callbacks.append(keras.callbacks.ReduceLROnPlateau(factor=factor, patience=patience, **watched))
    if configuration.early_stopping_patience is not None:
        patience = configuration.early_stopping_patience
        callbacks.append(keras.callbacks.EarlyStopping(patience=patience, **watched))
    return callbacks


def train_epochs(
    model: keras.Model,
    batches: Batches,
    epochs: range,
    callbacks: list[keras.callbacks.Callback],
    on_batch: OnBatch | None = None,
    *,
    augmentation: Augmentation | None = None,
    keep_going: bool = False,
) -> None:
    """Train a model that is compiled with the metric `accuracy`, until a callback sets its `stop_training`.

    The epochs are counted from 0, as Keras does. Callbacks are called in this order for the training and its epochs,
    not for batches.

    Raises
    ------
    TrainingError
        As soon as the loss isn't finite, unless it is to keep going.
    """
    listeners = keras.callbacks.CallbackList(callbacks, model=model)
    model.stop_training = False
    listeners.on_train_begin()
    for epoch in epochs:
        listeners.on_epoch_begin(epoch)
        logs = _train_epoch(model, batches, epoch, on_batch, augmentation, keep_going=keep_going)
        listeners.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    listeners.on_train_end()


def _train_epoch(
    model: keras.Model,
    batches: Batches,
    epoch: int,
    on_batch: OnBatch | None,
    augmentation: Augmentation | None,
    *,
    keep_going: bool,
) -> Logs:
    """Train one epoch and return its mean loss and accuracy."""
    sums: dict[str, float] = defaultdict(float)
    segments = 0
    seed_epoch(batches.seed, epoch + 1)
    rng = np.random.default_rng([batches.seed, epoch + 1, 1])  # not the stream that the batches are drawn from
    for done, (images, targets) in enumerate(batches.of_epoch(epoch + 1), start=1):
        batch = augmentation.applied(images, targets, rng) if augmentation else (images, targets)
        logs = model.train_on_batch(*batch, return_dict=True)  # of this batch alone: Keras resets its metrics
        if not keep_going:
            check_finite("loss", logs["loss"], epoch)
        segments += len(targets)
        for name, value in logs.items():
            sums[name] += value * len(targets)
        if on_batch:
            on_batch(done, len(batches))
    return {name: value / segments for name, value in sums.items()}


def _result(
    model: keras.Model, part: _PartToTrain, data: TrainingData, history: History, *, interrupted: bool
) -> TrainingResult:
    """Put the kept weights back and evaluate them; what was trained is part of the model."""
    if history.best is None or history.kept is None:
        raise TrainingError("training diverged: val_loss was not finite in any epoch; try a lower learning rate")
    part.model.set_weights(history.weights)
    clips = (data.validation.clips, data.validation.labels, data.classes)
    targets = data.targets(data.training)
    fitted = clip_probabilities(part.model, part.training, part.consecutive(part.training))
    best, last = history.epochs[history.best], history.epochs[-1]
    return TrainingResult(
        metrics={
            "best_epoch": best.number,
            "best_val_loss": best.metrics["val_loss"],
            "best_val_accuracy": best.metrics["val_accuracy"],
            "last_val_loss": last.metrics["val_loss"],
            "last_val_accuracy": last.metrics["val_accuracy"],
            "stop_epoch": last.number,
            "fit_loss": log_loss(fitted, targets),
            "fit_accuracy": accuracy(fitted, targets),
        },
        kept_epoch=history.epochs[history.kept].number,
        validation=Predictions(*clips, history.probabilities[history.kept].astype(np.float64)),
        validation_by_epoch=EpochPredictions(*clips, np.stack(history.probabilities)),
        model=model,
        interrupted=interrupted,
    )
