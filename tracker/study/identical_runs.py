"""Whether two runs went the same way, epoch by epoch: as they must under one seed until something differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracker.study.metrics import ACCURACY, LOSS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.runs import Curve, Run

_TIMED = ("epoch_seconds",)


def identical(a: Run, b: Run) -> bool:
    """Return whether two runs have the same curves from the first epoch to the last.

    Parameters
    ----------
    a, b : Run

    Returns
    -------
    bool
        False too where no loss or accuracy by epoch was logged for both.
    """
    shared = _shared(a, b)
    return bool(shared) and all(
        np.array_equal(one.epochs, other.epochs) and np.array_equal(one.values, other.values, equal_nan=True)
        for one, other in shared
    )


def same_until(a: Run, b: Run) -> int | None:
    """Return the last epoch until which two runs are identical.

    Parameters
    ----------
    a, b : Run

    Returns
    -------
    int or None, epochs
        0 where they differ from the first one on; None where no loss or accuracy by epoch was logged for both.
    """
    return min((_common_start(one, other) for one, other in _shared(a, b)), default=None)


def _shared(a: Run, b: Run) -> list[tuple[Curve, Curve]]:
    return [(a.curves[name], b.curves[name]) for name in _trained(a) if name in b.curves]


def _trained(run: Run) -> Iterator[str]:
    """Yield the metrics that training determines and that every epoch has: a final value is not of an epoch."""
    epochs = max((len(curve.values) for curve in run.curves.values()), default=0)
    for name, curve in sorted(run.curves.items()):
        words = name.lower()
        of_training = words not in _TIMED and (LOSS in words or ACCURACY in words or words.endswith("acc"))
        if of_training and len(curve.values) == epochs:
            yield name


def _common_start(one: Curve, other: Curve) -> int:
    """Return the epoch up to which two curves have the same values."""
    shorter = min(len(one.values), len(other.values))
    a, b = one.values[:shorter], other.values[:shorter]
    same = ((a == b) | (np.isnan(a) & np.isnan(b))) & (one.epochs[:shorter] == other.epochs[:shorter])
    length = shorter if same.all() else int(same.argmin())
    return int(one.epochs[length - 1]) if length else 0
