"""Which epoch each logged value belongs to, and until which epoch two runs went the same way.

A step is an epoch for tracker and Keras, a batch for Lightning and Hugging Face, which log a metric ``epoch`` beside
it. Epochs are counted from 1 here, wherever a run counted them from. If neither steps nor such a metric say which epoch
a value belongs to, a history isn't one by epoch, and nothing is said about its epochs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracker.runs import Curve
from tracker.study.metrics import ACCURACY, LOSS, role_of
from tracker.study.options import as_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracker.runs import Run

# The metric that says in which epoch a step was: from 0 if whole (Lightning), else how many are done.
EPOCH = "epoch"

# Params that ask for a number of epochs: tracker's and Keras', Lightning's, Hugging Face's, other people's.
_LIMITS = ("epochs", "max_epochs", "num_train_epochs", "num_epochs", "n_epochs")

# Epochs: Hugging Face logs 0.996 at an epoch's last batch if batches do not divide it.
_NEARLY = 0.05


def epoch_limit(run: Run) -> int | None:
    """Return the most epochs that a run was asked for, None if that was not logged as a whole number."""
    for name in _LIMITS:
        number = as_number(run.params.get(name, ""))
        if number is not None and number == int(number) and number > 0:
            return int(number)
    return None


def by_epoch(run: Run, name: str) -> Curve | None:
    """Return the history of a metric by epoch; None if it has none, or its epochs are not known."""
    history = run.curves.get(name)
    if history is None or not len(history.values):
        return None
    stopped = run.metrics.get("stopped_epoch")
    if stopped is not None and "restored_epoch" in run.metrics and len(history.steps) > 1:
        # Keras' autologging writes the restored epoch's values past the end, as one epoch more.
        trained = history.steps <= stopped
        history = Curve(history.steps[trained], history.values[trained])
    if EPOCH in run.curves and name != EPOCH:
        translated = _translated(run.curves[EPOCH], history)
        if translated is not None:
            return translated
    return _plain(run, history, validated=role_of(name)[1] == "validation")


def _translated(epochs: Curve, history: Curve) -> Curve | None:
    """Return a history with its epochs for steps, None if they are not all known or one has several values."""
    if not np.isfinite(epochs.values).all() or not np.isin(history.steps, epochs.steps).all():
        return None
    logged = epochs.values[np.searchsorted(epochs.steps, history.steps)]
    whole = np.rint(logged)
    if (np.diff(whole) <= 0).any() or (np.abs(logged - whole) > _NEARLY).any():
        return None
    from_zero = bool((epochs.values == np.rint(epochs.values)).all()) and epochs.values.min() == 0
    return Curve(whole.astype(np.int64) + int(from_zero), history.values)


def _plain(run: Run, history: Curve, *, validated: bool) -> Curve | None:
    """Return a history whose steps are epochs; None if they are batches or nothing says what they are."""
    steps, limit = history.steps, epoch_limit(run)
    roles = ((role_of(name), curve) for name, curve in run.curves.items())
    judged = [(part, curve.steps) for (quantity, part), curve in roles if quantity in (LOSS, ACCURACY)]
    if _gapless(steps):
        epochs = [len(other) for part, other in judged if part == "validation" and len(other) > 1]
        are_batches = len(steps) > max(2 * max(epochs, default=len(steps)), limit or 0)
        return history if validated or not are_batches else None
    mostly_there = steps[0] in (0, 1) and 2 * len(steps) > steps[-1] - steps[0] + 1
    if not mostly_there and (limit is None or steps[-1] > limit):
        return None
    whole = [other for _, other in judged if len(other) > 1 and _gapless(other)]
    from_zero = steps[0] > 0 and any(other[0] == 0 and other[-1] >= steps[-1] for other in whole)
    return Curve(steps + 1, history.values) if from_zero else history


def _gapless(steps: NDArray[np.int64]) -> bool:
    """Return whether steps are 0, 1, 2, … or 1, 2, 3, …."""
    first, last = int(steps[0]), int(steps[-1])
    return first in (0, 1) and last - first + 1 == len(steps)


def identical(a: Run, b: Run) -> bool:
    """Return whether two runs have the same curves from the first epoch to the last.

    As they must under one seed until something differs. False too if no loss or accuracy by epoch was logged for both.
    """
    shared = _shared(a, b)
    return bool(shared) and all(
        np.array_equal(of_a.epochs, of_b.epochs) and np.array_equal(of_a.values, of_b.values, equal_nan=True)
        for of_a, of_b in shared
    )


def same_until(a: Run, b: Run) -> int | None:
    """Return the last epoch until which two runs are identical.

    0 if they differ from the first one on; None if no loss or accuracy by epoch was logged for both.
    """
    return min((_common_start(of_a, of_b) for of_a, of_b in _shared(a, b)), default=None)


def _shared(a: Run, b: Run) -> list[tuple[Curve, Curve]]:
    """Return the curves of both that training determines and that every epoch has: a final value is not of an epoch."""
    epochs = max((len(curve.values) for curve in a.curves.values()), default=0)
    return [
        (curve, b.curves[name])
        for name, curve in sorted(a.curves.items())
        if (LOSS in name.lower() or ACCURACY in name.lower() or name.lower().endswith("acc"))
        and len(curve.values) == epochs
        and name in b.curves
    ]


def _common_start(a: Curve, b: Curve) -> int:
    """Return the epoch up to which two curves have the same values."""
    shorter = min(len(a.values), len(b.values))
    of_a, of_b = a.values[:shorter], b.values[:shorter]
    same = ((of_a == of_b) | (np.isnan(of_a) & np.isnan(of_b))) & (a.epochs[:shorter] == b.epochs[:shorter])
    length = shorter if same.all() else int(same.argmin())
    return int(a.epochs[length - 1]) if length else 0
