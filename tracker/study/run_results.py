"""What each run came to: its kept weights and their results, its stop, its count of clips classified right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.runs.logged import DEFAULT_METRIC
from tracker.study.metrics import (
    ACCURACY,
    LOSS,
    Part,
    all_named,
    by_epoch,
    epoch_limit,
    lower_is_better,
    named,
    role_of,
)
from tracker.study.options import as_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.runs import Curve, Run

_COUNT_TOLERANCE = 2e-6
"""An accuracy in float32 is this close, relatively, to the count it stands for over the clips."""


@dataclass(frozen=True, slots=True)
class Metric:
    """The primary metric.

    Parameters
    ----------
    name : str
    lower_is_better : bool
        Whether lower is better.
    assumed : bool
        Whether that is a guess: neither the name nor anybody said it.
    is_fraction : bool
        Whether an accuracy is a fraction; False where it was logged in per cent or otherwise above 1.
    """

    name: str
    lower_is_better: bool = False
    assumed: bool = False
    is_fraction: bool = True

    @property
    def is_accuracy(self) -> bool:
        """Whether it is the share of validation clips classified right."""
        return self.is_fraction and role_of(self.name) == (ACCURACY, "validation")


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """What one run came to.

    Parameters
    ----------
    number : int
        Counted from 1 in the report's order.
    run : Run
    best_epoch : int or None
        Of the lowest validation loss; the first of equals.
    kept_epoch : int or None
        Whose weights were kept: the best or the last epoch's, in tracker's format never one's whose validation loss is
        no finite number. None where that was not logged: the results are then those of `best_epoch`.
    stop_epoch : int or None
        The last one trained.
    limit : int or None, epochs
    val_loss, val_accuracy : float or None
        With the kept weights; finite.
    correct, n : int or None
        Validation clips classified right, and how many there are.
    score : float or None
        The primary metric with the kept weights; finite.
    seconds : float or None
        Spent in training epochs.
    """

    number: int
    run: Run
    best_epoch: int | None
    kept_epoch: int | None
    stop_epoch: int | None
    limit: int | None
    val_loss: float | None
    val_accuracy: float | None
    correct: int | None
    n: int | None
    score: float | None
    seconds: float | None

    @property
    def run_id(self) -> str:
        """The id of its run."""
        return self.run.run_id

    @property
    def keeps_last(self) -> bool:
        """Whether the last epoch's weights are kept rather than the best one's."""
        return keeps_last(self.run)

    @property
    def keeps_numbers(self) -> bool:
        """Whether no epoch is kept whose validation loss is no finite number."""
        return keeps_numbers(self.run)

    def curve(self, quantity: str, part: Part = "validation") -> Curve | None:
        """Return the history of a quantity."""
        return curve(self.run, quantity, part)


def curve(run: Run, quantity: str, part: Part = "validation") -> Curve | None:
    """Return the history of a quantity in a run, by the role that its metrics play.

    Parameters
    ----------
    run : Run
    quantity : str
        As `role_of` writes it.
    part : {"training", "validation"}

    Returns
    -------
    Curve or None
        None where it has no history by epoch: a single value says nothing of epochs, unless only one was asked for.
    """
    for name in all_named(run.curves, quantity, part):
        found = by_epoch(run, name)
        if found is not None and (len(found.values) > 1 or epoch_limit(run) == 1):
            return found
    return None


def every_epoch(found: RunResult, quantity: str, part: Part = "validation") -> NDArray[np.float64] | None:
    """Return a quantity's value at every epoch from the first on, None where any is missing."""
    history = found.curve(quantity, part)
    if history is None or not np.array_equal(history.epochs, np.arange(1, len(history.values) + 1)):
        return None
    return history.values


def are_numbers(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which values are finite; MLflow gives an infinite one back as the largest finite one."""
    return np.isfinite(values) & (np.abs(values) < _INFINITE)


_INFINITE = 1.79e308


def keeps_last(run: Run) -> bool:
    """Tell whether a run kept its last weights rather than its best; Keras' autologging calls it otherwise."""
    if "keep" in run.params:
        return run.params["keep"].strip().lower() == "last"
    return run.params.get("restore_best_weights", "").strip().lower() == "false"


def keeps_numbers(run: Run) -> bool:
    """Tell whether a run keeps no epoch whose loss is no finite number: so in tracker's format; Keras does keep one."""
    return in_format(run) or "keep" in run.params


def says_kept(run: Run) -> bool:
    """Tell whether it is known whose epoch's weights a run kept: it says so, or is in tracker's format."""
    return in_format(run) or bool({"keep", "restore_best_weights"} & run.params.keys())


def in_format(run: Run) -> bool:
    """Tell whether a run is in tracker's format, whoever logged it: by any of its tags or by its final metrics."""
    return any(tag.startswith("tracker.") for tag in run.tags) or not _FINAL.isdisjoint(run.metrics)


_FINAL = frozenset(f"{which}_val_{quantity}" for which in ("best", "last") for quantity in (LOSS, ACCURACY))


def whole_param(run: Run, name: str) -> int | None:
    """Return a param that is a whole number, else None."""
    return _whole(as_number(run.params.get(name, "")))


def count_tag(run: Run, name: str) -> int | None:
    """Return a tag that is a whole number of at least 1, else None."""
    return _whole(as_number(run.tags.get(name, "")), least=1)


def count_correct(accuracy: float | None, n: int | None) -> int | None:
    """Return how many of `n` clips an accuracy stands for.

    Parameters
    ----------
    accuracy : float or None
        A fraction, possibly rounded to float32.
    n : int or None

    Returns
    -------
    int or None
        None where accuracy × n is no whole number to float32 precision.
    """
    if accuracy is None or not n or not is_fraction(accuracy):
        return None
    count = round(accuracy * n)
    return count if abs(accuracy * n - count) <= _COUNT_TOLERANCE * n else None


def run_result(number: int, run: Run, metric: Metric, correct: int | None, n: int | None) -> RunResult:
    """Work out what a run came to.

    Parameters
    ----------
    number : int
        The run's place in the report, from 1.
    run : Run
    metric : Metric
        The primary one.
    correct : int or None
        Clips classified right, where the run's predictions are there.
    n : int or None
        Clips judged.

    Returns
    -------
    RunResult
    """
    best, stop = _best_epoch(run), _stop_epoch(run)
    kept = _last_kept(run, stop) if keeps_last(run) else _restored(run) or best
    accuracy = _kept(run, ACCURACY, kept, stop)
    if correct is None:
        correct = count_correct(accuracy, n)
    fraction = correct / n if correct is not None and n else accuracy
    return RunResult(
        number=number,
        run=run,
        best_epoch=best,
        kept_epoch=kept if says_kept(run) else None,
        stop_epoch=stop,
        limit=epoch_limit(run),
        val_loss=_kept(run, LOSS, kept, stop),
        val_accuracy=accuracy,
        correct=correct,
        n=n,
        score=fraction if metric.is_accuracy else _score(run, metric, kept, stop),
        seconds=_seconds(run),
    )


def primary_metric(runs: Sequence[Run], name: str | None, *, minimise: bool | None = None) -> Metric:
    """Choose the metric that runs are ranked by.

    Parameters
    ----------
    runs : sequence of Run
    name : str or None
        The one asked for; None: the validation accuracy, or whatever validation metric of known direction was logged.
    minimise : bool, optional
        Whether lower is better, where the name does not say it or says it wrongly.

    Returns
    -------
    Metric
    """
    logged = {metric for run in runs for metric in (*run.metrics, *run.curves)}
    judged = any(run.validation for run in runs)
    chosen = name or _default_metric(logged, judged=judged)
    said = lower_is_better(chosen) if minimise is None else minimise
    return Metric(chosen, bool(said), assumed=said is None, is_fraction=judged or not _above_one(runs))


def is_fraction(value: float | None) -> bool:
    """Tell whether a value can be a share of clips; an accuracy in per cent cannot."""
    return value is not None and -_ROUNDING <= value <= 1 + _ROUNDING


_ROUNDING = 1e-6


def _above_one(runs: Sequence[Run]) -> bool:
    """Tell whether any validation accuracy was logged as more than 1."""
    names = {name for run in runs for name in run.metrics if role_of(name) == (ACCURACY, "validation")}
    return any(run.metrics[name] > 1 + _ROUNDING for name in names for run in runs if name in run.metrics)


def _default_metric(logged: set[str], *, judged: bool) -> str:
    """Return the validation accuracy's name, else another validation metric of known direction, else the usual name."""
    accuracy = named(logged, ACCURACY, "validation")
    if accuracy is not None or judged or not logged:
        return accuracy or DEFAULT_METRIC
    others = [name for name in sorted(logged) if role_of(name)[1] == "validation" and lower_is_better(name) is not None]
    first = min(others, key=lambda name: (bool(lower_is_better(name)), name), default=DEFAULT_METRIC)
    return named(others, *role_of(first)) or first


def _best_epoch(run: Run) -> int | None:
    """Return the epoch of the lowest validation loss: as logged, if the curve has it, else from the curve."""
    logged = _whole(run.metrics.get("best_epoch"), least=1)
    losses = curve(run, LOSS)
    if losses is None or logged in losses.epochs:
        return logged
    good = are_numbers(losses.values)
    return int(losses.epochs[np.where(good, losses.values, np.inf).argmin()]) if good.any() else None


def _last_kept(run: Run, stop: int | None) -> int | None:
    """Return the last epoch that could be kept; None where none could."""
    losses = curve(run, LOSS) if keeps_numbers(run) else None
    good = np.array([True]) if losses is None else are_numbers(losses.values)
    if losses is None or good[-1]:
        return stop
    return int(losses.epochs[good][-1]) if good.any() else None


def _restored(run: Run) -> int | None:
    """Return the epoch whose weights Keras restored, by its autologging, which counts from 0."""
    restored = _whole(run.metrics.get("restored_epoch"))
    return None if restored is None else restored + 1


def _stop_epoch(run: Run) -> int | None:
    """Return the last epoch trained, as logged or from the curves."""
    logged = _whole(run.metrics.get("stop_epoch"), least=1)
    if logged is not None:
        return logged
    curves = [curve(run, quantity, part) for quantity in (LOSS, ACCURACY) for part in _PARTS]
    return max((int(found.epochs[-1]) for found in curves if found is not None), default=None)


_PARTS: tuple[Part, Part] = ("validation", "training")


def _kept(run: Run, quantity: str, kept: int | None, stop: int | None) -> float | None:
    """Return a validation metric with the kept weights: as logged at the end, at that epoch, or the only value."""
    logged = run.metrics.get(f"{'last' if keeps_last(run) else 'best'}_val_{quantity}")
    if logged is not None and (kept == stop or not keeps_last(run)):
        return _finite(logged)
    return _at(run, named((*run.curves, *run.metrics), quantity, "validation"), curve(run, quantity), kept)


def _score(run: Run, metric: Metric, kept: int | None, stop: int | None) -> float | None:
    """Return the primary metric with the kept weights."""
    quantity, part = role_of(metric.name)
    if part == "validation" and quantity in (LOSS, ACCURACY):
        return _kept(run, quantity, kept, stop)
    history = by_epoch(run, metric.name)
    return _at(run, metric.name, history if history is not None and len(history.values) > 1 else None, kept)


def _at(run: Run, name: str | None, history: Curve | None, epoch: int | None) -> float | None:
    """Return the value of a metric at an epoch of its history; without a history, or an epoch, its last one."""
    if history is not None and epoch is not None:
        place = np.flatnonzero(history.epochs == epoch)
        return _finite(float(history.values[place[0]])) if len(place) else None
    last = float(history.values[-1]) if history is not None else _last_logged(run, name)
    return _finite(last)


def _last_logged(run: Run, name: str | None) -> float | None:
    """Return the last value of a metric, with or without a history."""
    logged = run.curves.get(name or "")
    return run.metrics.get(name or "", float(logged.values[-1]) if logged is not None and len(logged.values) else None)


def _seconds(run: Run) -> float | None:
    """Return the seconds of all epochs together."""
    seconds = run.curves.get("epoch_seconds")
    known = seconds is not None and len(seconds.values) and are_numbers(seconds.values).all()
    return float(seconds.values.sum()) if seconds is not None and known else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and are_numbers(np.array(value)) else None


def _whole(value: float | None, least: int = 0) -> int | None:
    whole = value is not None and math.isfinite(value) and value == int(value) and value >= least
    return int(value) if value is not None and whole else None
