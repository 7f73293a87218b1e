"""What early stopping and a plateau would have done to a curve that was logged, as Keras 3 does it.

Conventions: `values` are the monitored metric by epoch, shape (n_epochs,); NaN and infinities are allowed. Epochs are
counted from 1, the first value is epoch 1. A value improves if it is better, by `mode` lower or higher, by more than
`min_delta`, whose sign is ignored. Keras compares the floats of its logs as float32, so a value that is lower only
beyond float32's precision is no improvement. NaN never improves and is never improved upon: a first monitored value of
NaN locks the best at NaN. Learning rates are float32, as the optimizer keeps them.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

Mode = Literal["min", "max"]


@dataclass(frozen=True, slots=True)
class Stop:
    """When training would have ended, and with whose weights."""

    stop_epoch: int | None  # the last epoch trained; None: the curve ends before it would stop
    kept_epoch: int | None  # the best epoch until then, whose weights are kept; None if `stop_epoch` is

    @property
    def censored(self) -> bool:
        """Whether the curve is too short to tell."""
        return self.stop_epoch is None


_NEVER = Stop(None, None)


@dataclass(frozen=True, slots=True)
class Drop:
    """A fall of the learning rate."""

    epoch: int  # the epoch at whose end it fell; the first one trained at the lower rate is `epoch` + 1
    before: float
    after: float


def early_stopping(
    values: NDArray[np.float64],
    patience: int,
    *,
    min_delta: float = 0.0,
    start_from_epoch: int = 0,
    mode: Mode = "min",
) -> Stop:
    """Replay Keras' EarlyStopping with the best weights restored.

    `patience` is in epochs, at least 0; the first `start_from_epoch` epochs are not looked at.

    Raises
    ------
    ValueError
        If `patience` or `start_from_epoch` is negative.

    References
    ----------
    keras.callbacks.EarlyStopping, Keras 3.15.
    """
    return early_stoppings(values, [patience], min_delta=min_delta, start_from_epoch=start_from_epoch, mode=mode)[0]


def early_stoppings(
    values: NDArray[np.float64],
    patiences: Sequence[int],
    *,
    min_delta: float = 0.0,
    start_from_epoch: int = 0,
    mode: Mode = "min",
) -> tuple[Stop, ...]:
    """Replay `early_stopping` for many patiences in one pass over the curve; the answers are in their order."""
    if min([start_from_epoch, *patiences]) < 0:
        raise ValueError(f"patience and start_from_epoch must be at least 0, got {patiences} and {start_from_epoch}")
    best, waited = start_from_epoch, 0
    best_until, waited_until = [], []  # each epoch: the best so far, and the longest time without a better one
    for epoch, improves in enumerate(_improvements(values[start_from_epoch:], min_delta, mode), start_from_epoch + 1):
        if improves:
            best = epoch
        elif epoch - best > waited:
            waited = epoch - best
        best_until.append(best)
        waited_until.append(waited)
    stops = [bisect_left(waited_until, max(patience, 1)) for patience in patiences]
    answers = {at: Stop(start_from_epoch + at + 1, best_until[at]) for at in {*stops} - {len(waited_until)}}
    return tuple(answers.get(at, _NEVER) for at in stops)


def can_act(patience: int, epochs: int) -> bool:
    """Return whether early stopping or a plateau of this patience can change any of so many epochs.

    The first epoch always improves: early stopping ends training after epoch 1 + patience at the earliest, and a
    plateau's lower rate begins with the epoch after that.
    """
    return max(patience, 1) + 1 < epochs


def plateau(
    values: NDArray[np.float64],
    factor: float,
    patience: int,
    *,
    learning_rate: float,
    min_delta: float = 1e-4,
    cooldown: int = 0,
    min_lr: float = 0.0,
    mode: Mode = "min",
) -> tuple[Drop, ...]:
    """Replay Keras' ReduceLROnPlateau.

    Parameters
    ----------
    factor : float, below 1
        What the rate is multiplied by.
    patience : int, epochs
    learning_rate : float
        At the first epoch.
    cooldown : int, epochs
        How long nothing is counted after a drop.
    min_lr : float
        Below which the rate does not fall.

    Raises
    ------
    ValueError
        If `factor` is not below 1.

    References
    ----------
    keras.callbacks.ReduceLROnPlateau, Keras 3.15.
    """
    if factor >= 1:
        raise ValueError(f"a plateau's factor must be below 1, got {factor}")
    rate, drops = float(np.float32(learning_rate)), []
    wait = cooling = 0
    for epoch, improves in enumerate(_improvements(values, min_delta, mode), start=1):
        if cooling:
            cooling, wait = cooling - 1, 0
        if improves:
            wait = 0
        elif not cooling:
            wait += 1
            if wait >= patience and rate > np.float32(min_lr):
                lower = float(np.float32(max(rate * factor, min_lr)))
                drops.append(Drop(epoch, rate, lower))
                rate, wait, cooling = lower, 0, cooldown
    return tuple(drops)


def _improvements(values: NDArray[np.float64], min_delta: float, mode: Mode) -> Iterator[bool]:
    """Yield whether each value improves on the best so far; the first always does."""
    sign = 1.0 if mode == "min" else -1.0
    with np.errstate(over="ignore"):  # a float64 may exceed float32: it is then infinite, as in Keras
        references = (sign * values).astype(np.float32).tolist()
        shifted = (sign * values + abs(min_delta)).astype(np.float32).tolist()
    best = None
    for reference, value in zip(references, shifted, strict=True):
        improves = best is None or value < best
        if improves:
            best = reference
        yield improves
