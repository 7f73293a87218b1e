"""What a run said of clips, under the name that the report calls it by: what the clip grid and the confusions show.

What a run's curves show, before anything is drawn: its curves by role, and the epochs that matter in them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.study.metrics import ACCURACY, LOSS, RATE
from tracker.study.run_results import primary_metric, run_result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from tracker.report import RunEntry
    from tracker.runs import Curve, Predictions, Run


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A run's predictions on the validation clips.

    Parameters
    ----------
    run_id, name : str
        The name is what the report calls it: ``Run 3``.
    predictions : Predictions
    """

    run_id: str
    name: str
    predictions: Predictions


def judged(entries: Iterable[RunEntry]) -> tuple[Judged, ...]:
    """Return the runs whose predictions are there."""
    return tuple(
        Judged(entry.run.run_id, f"Run {entry.number}", entry.run.validation)
        for entry in entries
        if entry.run.validation is not None and len(entry.run.validation.clips)
    )


def comparable(runs: Sequence[Judged]) -> tuple[Judged, ...]:
    """Return the largest group of runs that judged the same clips with the same labels; of equals the first."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Judged]] = defaultdict(list)
    for run in runs:
        groups[run.predictions.clips, run.predictions.labels].append(run)
    most = max(map(len, groups.values()), default=0)
    return next((tuple(group) for group in groups.values() if len(group) == most), ())


_INFINITE = 1.79e308
"""MLflow gives an infinite value back as the largest finite one."""
_SAME_RATE = 1e-6
"""Relative difference below which two learning rates are one: they went through float32."""
_OUTLYING = 3.0
"""A loss this many times the 95th percentile would squash all the rest, and is cut off."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A run's curves and the epochs to mark in them.

    Parameters
    ----------
    run_id, name : str
        The name is what the report calls it: ``Run 3``.
    title : str
    loss, val_loss, accuracy, val_accuracy, rate : Curve or None
    best_epoch, stop_epoch : int or None
    """

    run_id: str
    name: str
    title: str
    loss: Curve | None
    val_loss: Curve | None
    accuracy: Curve | None
    val_accuracy: Curve | None
    rate: Curve | None
    best_epoch: int | None
    stop_epoch: int | None

    @property
    def losses(self) -> tuple[Curve | None, Curve | None]:
        """Training and validation."""
        return self.loss, self.val_loss

    @property
    def accuracies(self) -> tuple[Curve | None, Curve | None]:
        """Training and validation."""
        return self.accuracy, self.val_accuracy

    @property
    def drawable(self) -> bool:
        """Whether anything was logged by epoch."""
        return any(found is not None for found in (*self.losses, *self.accuracies))

    @property
    def drops(self) -> tuple[int, ...]:
        """The epochs after which the learning rate was lower."""
        if self.rate is None:
            return ()
        before, after = self.rate.values[:-1], self.rate.values[1:]
        return tuple(int(epoch) for epoch in self.rate.epochs[:-1][after < before * (1 - _SAME_RATE)])


def trace_of(run: Run, name: str = "", title: str = "") -> Trace:
    """Return what a run's curves show."""
    came_to = run_result(0, run, primary_metric([run], None), None, None)
    return Trace(
        run_id=run.run_id,
        name=name,
        title=title,
        loss=came_to.curve(LOSS, "training"),
        val_loss=came_to.curve(LOSS),
        accuracy=came_to.curve(ACCURACY, "training"),
        val_accuracy=came_to.curve(ACCURACY),
        rate=came_to.curve(RATE, "training"),
        best_epoch=came_to.best_epoch,
        stop_epoch=came_to.stop_epoch,
    )


def trace_of_entry(entry: RunEntry) -> Trace:
    """Return what the curves of a report's run show."""
    return trace_of(entry.run, f"Run {entry.number}", entry.title)


def finite(curve: Curve | None) -> NDArray[np.float64]:
    """Return a curve's values with NaN for what is infinite; empty without a curve."""
    values = np.empty(0) if curve is None else curve.values
    return np.where(np.abs(values) < _INFINITE, values, np.nan)


def at(curve: Curve | None, epoch: int | None) -> float | None:
    """Return a curve's value at an epoch; None where there is none or it is not finite."""
    if curve is None or epoch is None:
        return None
    values = finite(curve)[curve.epochs == epoch]
    return float(values[0]) if len(values) and np.isfinite(values[0]) else None


def first_lost(trace: Trace) -> int | None:
    """Return the first epoch at which a loss is not finite."""
    lost = [int(c.epochs[i]) for c in trace.losses if c is not None for i in np.flatnonzero(np.isnan(finite(c)))[:1]]
    return min(lost, default=None)


def loss_limits(traces: Sequence[Trace]) -> tuple[float, float]:
    """Return the lowest and highest loss that the axes show, shared by all `traces`.

    A loss that is several times the 95th percentile is beyond them: it would press every curve flat.
    """
    values = np.concatenate([finite(curve) for trace in traces for curve in trace.losses] or [np.empty(0)])
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    usual = float(np.quantile(values, 0.95))
    high = 1.5 * usual if values.max() > _OUTLYING * usual > 0 else float(values.max())
    low = min(0.0, 1.05 * float(values.min()))
    return (low, high + 0.05 * (high - low)) if high > low else (low, low + 1.0)


def accuracy_limits(traces: Sequence[Trace]) -> tuple[float, float]:
    """Return the limits of the accuracy axes: 0 to 1, or further where accuracies were logged in other units."""
    values = np.concatenate([finite(curve) for trace in traces for curve in trace.accuracies] or [np.empty(0)])
    high = float(np.nanmax(values)) if np.isfinite(values).any() else 1.0
    return 0.0, 1.03 * max(1.0, high)
