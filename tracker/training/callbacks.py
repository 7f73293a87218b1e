"""What follows each epoch: the validation clips are evaluated, and the epoch is recorded, saved and notified.

A clip's class probabilities are the mean over its segments.

An interrupted training continues as if nothing had happened, to the same weights and metrics, bit by bit, on one
machine with one number of threads. Saved after each epoch and restored: all variables of the network (Dropout's random
state is among its `variables`, not among its `weights`) and of the optimizer (iteration, learning rate, moments), what
Keras' ReduceLROnPlateau and EarlyStopping have counted, and the history of the run. The order of the data needs no
state (`Batches`), and training draws from no global random generator. Keras' own BackupAndRestore forgets Dropout's
random state, what the callbacks have counted and the best weights: a run resumed from it stops later and drops its
learning rate later.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import TrainingError
from tracker.training.backend import keras
from tracker.training.checkpoint import Checkpoint, CheckpointFolder
from tracker.training.result import Epoch, History, accuracy, learning_rate, log_loss

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.runs import Keep
    from tracker.training.batches import Image, Segments
    from tracker.training.result import Arrays

Logs = dict[str, float]

BATCH = 64  # segments predicted at once; it changes the result by rounding alone

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "epoch_seconds")  # of each epoch

# The attributes that a callback changes. Not EarlyStopping's `best_weights`: they are in `History`.
COUNTED = {
    keras.callbacks.ReduceLROnPlateau: ("best", "wait", "cooldown_counter"),
    keras.callbacks.EarlyStopping: ("best", "wait", "best_epoch", "stopped_epoch"),
}


def clip_probabilities(model: keras.Model, images: Sequence[Image], segments: Segments) -> NDArray[np.float32]:
    """Return the class probabilities of each clip, shape (n_clips, n_classes).

    `segments` are clip by clip, at least one of each.
    """
    return clip_means(segment_probabilities(model, images, segments), segments)


def segment_probabilities(model: keras.Model, images: Sequence[Image], segments: Segments) -> NDArray[np.float32]:
    """Return the class probabilities of each segment, shape (n_segments, n_classes)."""
    batches = [slice(start, start + BATCH) for start in range(0, len(segments), BATCH)]
    return np.concatenate([np.asarray(model.predict_on_batch(segments.cut(images, batch))) for batch in batches])


def clip_means(by_segment: NDArray[np.float32], segments: Segments) -> NDArray[np.float32]:
    """Return the mean of each clip's segments, shape (n_clips, n_classes); arguments as in `clip_probabilities`."""
    counts = np.bincount(segments.clips)
    sums = np.add.reduceat(by_segment.astype(np.float64), np.cumsum(counts) - counts)
    return (sums / counts[:, None]).astype(np.float32)


def check_finite(name: str, value: float, epoch: int) -> None:
    """Raise a TrainingError if a loss isn't a finite number; the epoch is counted from 0, as Keras does."""
    if not math.isfinite(value):
        raise TrainingError(f"training diverged: {name} became {value} in epoch {epoch + 1}; try a lower learning rate")


class Validation(keras.callbacks.Callback):  # type: ignore[misc]
    """Evaluates the validation clips after each epoch.

    Comes first among the callbacks, so that Keras' ReduceLROnPlateau and EarlyStopping find `val_loss` in the logs.
    """

    probabilities: NDArray[np.float32]  # after the latest epoch, shape (n_clips, n_classes)

    def __init__(
        self, images: Sequence[Image], targets: NDArray[np.int64], segments: Segments, *, keep_going: bool
    ) -> None:
        super().__init__()
        self.targets = targets
        self._images = images
        self._segments = segments
        self._keep_going = keep_going

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Add `val_loss` and `val_accuracy` to the logs."""
        self.probabilities = clip_probabilities(self.model, self._images, self._segments)
        logs["val_loss"] = log_loss(self.probabilities, self.targets)
        logs["val_accuracy"] = accuracy(self.probabilities, self.targets)
        if not self._keep_going:
            check_finite("val_loss", logs["val_loss"], epoch)


class EpochRecorder(keras.callbacks.Callback):  # type: ignore[misc]
    """Records each epoch, saves a checkpoint, then notifies the listener; restores all of it to continue a training.

    Comes last among the callbacks, so that what is saved includes the state that they leave behind, and that their own
    `on_train_begin` does not reset what is restored.
    """

    def __init__(
        self,
        keep: Keep,  # whose epoch's weights are kept
        validation: Validation,
        watched: Sequence[keras.callbacks.Callback],  # those whose counts are saved
        folder: CheckpointFolder | None,  # None: nothing is saved, and training starts from the beginning
        on_epoch: Callable[[Epoch], None],  # called with each epoch finished now, once its checkpoint is safe
    ) -> None:
        super().__init__()
        self.history = History(keep)  # of the epochs that are safe, also of those trained before
        self._validation = validation
        self._watched = {type(callback).__name__: callback for callback in watched}
        self._folder = folder
        self._on_epoch = on_epoch
        self._resumed: Checkpoint | None = None

    def resume(self, model: keras.Model, n_classes: int) -> None:
        """Restore the state of a compiled model, with its optimizer built, and the history, if there is a checkpoint.

        Raises
        ------
        TrainingError
            If the checkpoints cannot be read, or the newest belongs to another network or other clips.
        """
        self._resumed = checkpoint = self._folder.load() if self._folder else None
        if checkpoint is None:
            return
        saved, shape = checkpoint.history, (len(self._validation.targets), n_classes)
        _check_fit("the number of validation clips and classes", shape, saved.probabilities[-1].shape)
        _check_fit("the list of metrics", METRICS, tuple(saved.epochs[-1].metrics))
        _check_fit("the list of callbacks", [*self._watched], [*checkpoint.counters])
        for name, counters in checkpoint.counters.items():
            _check_counters(name, COUNTED[type(self._watched[name])], counters)
        _restore(model.variables, checkpoint.model, "network")
        _restore(model.optimizer.variables, checkpoint.optimizer, "optimizer")
        weights = tuple(model.get_weights())
        if saved.kept is None:  # no epoch's validation loss was a number yet
            weights = ()
        elif saved.kept != len(saved.epochs) - 1:  # otherwise they are saved as the model's only
            weights = _like(saved.weights, weights, [f"weight {i}" for i in range(len(weights))], "kept network")
        self.history = replace(saved, weights=weights)

    def epochs_left(self, limit: int) -> range:
        """Return the epochs still to be trained, counted from 0: none if a callback had ended the training."""
        done = len(self.history.epochs)
        return range(done, done if self._resumed and self._resumed.ended else limit)

    def on_train_begin(self, logs: Logs | None = None) -> None:  # noqa: ARG002  (Keras' signature)
        """Restore what the callbacks had counted, which their own `on_train_begin` has just reset."""
        if self._resumed:
            for watched, counters in self._resumed.counters.items():
                for name, value in counters.items():
                    setattr(self._watched[watched], name, value)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:  # noqa: ARG002
        """Store when the epoch begins, and its learning rate."""
        self._began = time.perf_counter()
        self._rate = learning_rate(self.model)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Record the epoch's metrics, probabilities and, if they are to be kept, weights."""
        more = {"learning_rate": self._rate, "epoch_seconds": time.perf_counter() - self._began}
        metrics = {name: float(more[name] if name in more else logs[name]) for name in METRICS}
        finished = Epoch(epoch + 1, metrics)
        longer = self.history.after(finished, self._validation.probabilities, self._weights)
        if self._folder:
            self._folder.save(
                Checkpoint(
                    longer,
                    model=_values(self.model.variables),
                    optimizer=_values(self.model.optimizer.variables),
                    counters={
                        name: {counted: getattr(callback, counted) for counted in COUNTED[type(callback)]}
                        for name, callback in self._watched.items()
                    },
                    ended=self.model.stop_training,
                )
            )
        self.history = longer
        self._on_epoch(finished)

    def _weights(self) -> list[NDArray[np.generic]]:
        return [np.array(weight) for weight in self.model.get_weights()]  # PyTorch's arrays change as training goes on


def _values(variables: Sequence[keras.Variable]) -> Arrays:
    return tuple(np.asarray(variable.numpy()) for variable in variables)


def _restore(variables: Sequence[keras.Variable], arrays: Arrays, whose: str) -> None:
    now, paths = [np.asarray(variable.numpy()) for variable in variables], [variable.path for variable in variables]
    for variable, array in zip(variables, _like(arrays, now, paths, whose), strict=True):
        variable.assign(array)


def _like(arrays: Arrays, examples: Sequence[NDArray[np.generic]], names: Sequence[str], whose: str) -> Arrays:
    """Return saved arrays in the types of others: bfloat16 comes back from a file as plain bytes.

    Raises a TrainingError unless they have the same shapes and types.
    """
    _check_fit(f"the number of the {whose}'s variables", len(examples), len(arrays))
    for name, example, array in zip(names, examples, arrays, strict=True):
        _check_fit(f"the shape of {name}", example.shape, array.shape)
        saved = example.dtype if array.dtype == f"V{example.dtype.itemsize}" else array.dtype
        _check_fit(f"the type of {name}", str(example.dtype), str(saved))
    return tuple(array.view(example.dtype) for array, example in zip(arrays, examples, strict=True))


def _check_counters(callback: str, names: Sequence[str], counters: Mapping[str, float | None]) -> None:
    """Refuse what a callback can't have counted; the best value so far may be missing or a fraction."""
    _check_fit(f"the list of what {callback} counts", [*names], [*counters])
    for name, value in counters.items():
        if name != "best" and not isinstance(value, int):
            raise TrainingError(f"the checkpoint is damaged: {name} of {callback} must be a whole number, got {value}")


def _check_fit(what: str, here: object, saved: object) -> None:
    if here != saved:
        raise TrainingError(
            f"the checkpoint does not belong to this run: {what} is {here} now, but {saved} in the checkpoint; "
            "resume with the options and data that the run was started with"
        )
