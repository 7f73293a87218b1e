"""Continues an interrupted training as if nothing had happened, to the same weights and metrics, bit by bit.

Saved after each epoch and restored: all variables of the network (Dropout's random state is among its `variables`,
not among its `weights`) and of the optimizer (iteration, learning rate, moments), what Keras' ReduceLROnPlateau and
EarlyStopping have counted, and the history of the run. The order of the data needs no state (`Batches`), and training
draws from no global random generator. The result is the same on one machine with one number of threads.

Keras' own BackupAndRestore keeps weights, optimizer and epoch, but forgets Dropout's random state, what the callbacks
have counted and the best weights: a run resumed from it stops later and drops its learning rate later.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import TrainingError
from tracker.training.backend import keras
from tracker.training.checkpoint import Checkpoint, CheckpointFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.training.evaluate import Logs
    from tracker.training.result import Arrays, History

# The attributes that a callback changes. Not EarlyStopping's `best_weights`: they are in `History`.
COUNTED = {
    keras.callbacks.ReduceLROnPlateau: ("best", "wait", "cooldown_counter"),
    keras.callbacks.EarlyStopping: ("best", "wait", "best_epoch", "stopped_epoch"),
}


class Resumption(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves the state of training and restores it; among the callbacks it comes after those it watches.

    Without a folder nothing is saved and training starts from the beginning.
    """

    def __init__(self, folder: CheckpointFolder | None, watched: Sequence[keras.callbacks.Callback]) -> None:
        super().__init__()
        self._folder = folder
        self._watched = watched
        self._resumed: Checkpoint | None = None

    def resume(self, model: keras.Model, shape: tuple[int, int]) -> History | None:
        """Restore a model, and return the history so far, None if there is no checkpoint.

        Parameters
        ----------
        model : keras.Model
            Compiled, with its optimizer built.
        shape : tuple of int, (n_clips, n_classes)
            Of the probabilities of the validation clips.

        Raises
        ------
        TrainingError
            If the checkpoints cannot be read, or the newest belongs to another network or other clips.
        """
        checkpoint = self._resumed = self._folder.load() if self._folder else None
        if checkpoint is None:
            return None
        _check_fit("the number of validation clips and classes", shape, checkpoint.history.probabilities[-1].shape)
        _check_fit("the list of callbacks", [_name(one) for one in self._watched], [*checkpoint.counters])
        _restore(model.variables, checkpoint.model, "network")
        _restore(model.optimizer.variables, checkpoint.optimizer, "optimizer")
        return replace(checkpoint.history, weights=_kept_weights(checkpoint.history, tuple(model.get_weights())))

    def epochs_left(self, limit: int) -> range:
        """Return the epochs still to be trained, counted from 0: none if a callback had ended the training."""
        if self._resumed is None:
            return range(limit)
        done = len(self._resumed.history.epochs)
        return range(done, done if self._resumed.ended else limit)

    def on_train_begin(self, logs: Logs | None = None) -> None:  # noqa: ARG002  (Keras' signature)
        """Restore what the callbacks had counted, which their own `on_train_begin` has just reset."""
        if self._resumed:
            for callback in self._watched:
                for name, value in self._resumed.counters[_name(callback)].items():
                    setattr(callback, name, value)

    def save(self, history: History) -> None:
        """Save a checkpoint of the epoch that has just ended.

        Raises
        ------
        TrainingError
            If it cannot be written.
        """
        if self._folder:
            self._folder.save(
                Checkpoint(
                    history,
                    model=_values(self.model.variables),
                    optimizer=_values(self.model.optimizer.variables),
                    counters={_name(one): _counters(one) for one in self._watched},
                    ended=self.model.stop_training,
                )
            )


def _name(callback: keras.callbacks.Callback) -> str:
    return type(callback).__name__


def _counters(callback: keras.callbacks.Callback) -> dict[str, float | None]:
    return {name: getattr(callback, name) for name in COUNTED[type(callback)]}


def _values(variables: Sequence[keras.Variable]) -> Arrays:
    return tuple(np.asarray(variable.numpy()) for variable in variables)


def _restore(variables: Sequence[keras.Variable], arrays: Arrays, whose: str) -> None:
    _check_fit(f"the number of the {whose}'s variables", len(variables), len(arrays))
    for variable, array in zip(variables, arrays, strict=True):
        _check_fit(f"the shape of {variable.path}", tuple(variable.shape), array.shape)
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(_as_type_of(array, variable.numpy()))


def _kept_weights(history: History, now: Arrays) -> Arrays:
    """Return the kept weights of a loaded history: if its last epoch is kept, they are saved as the model's only."""
    if history.kept == len(history.epochs) - 1:
        return now
    return tuple(map(_as_type_of, history.weights, now))


def _as_type_of(array: NDArray[np.generic], example: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return a saved array in the type of another: bfloat16 comes back from a file as plain bytes."""
    return array.view(example.dtype)


def _check_fit(what: str, here: object, saved: object) -> None:
    if here != saved:
        raise TrainingError(
            f"the checkpoint does not belong to this run: {what} is {here} now, but {saved} in the checkpoint; "
            "resume with the options and data that the run was started with"
        )
