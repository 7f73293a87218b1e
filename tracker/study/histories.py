"""The history of a metric by epoch, whoever logged it, and which runs went the same way.

A step is an epoch for tracker and Keras, a batch for Lightning and Hugging Face, which log a metric ``epoch`` beside
it. Epochs are counted from 1 here, wherever a run counted them from. If neither steps nor such a metric say which epoch
a value belongs to, a history isn't one by epoch, and nothing is said about its epochs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tracker.runs import Curve
from tracker.study.metric_roles import ACCURACY, LOSS, all_named, lower_is_better, named, role_of
from tracker.study.options import LARGEST, as_whole

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from tracker.runs import Run
    from tracker.study.metric_roles import Part

_EPOCH = "epoch"  # the metric that says in which epoch a step was: from 0 if whole (Lightning), else how many are done
# Params that ask for a number of epochs: tracker's and Keras', Lightning's, Hugging Face's, other people's.
_LIMITS = ("epochs", "max_epochs", "num_train_epochs", "num_epochs", "n_epochs")
# What autologging logs if training was stopped early: the last step and the best one. It logs the best one's values
# again, so many steps after the last. LightGBM's best is counted from 1.
_REPEATED = (("stopped_epoch", "restored_epoch", (1,), (0,)), ("stopped_iteration", "best_iteration", (0, 1), (0, -1)))
_OF_KERAS = frozenset({"steps_per_epoch", "validation_freq"})  # params that its autologging always logs
_OF_SET = re.compile(r"valid(ation)?_\d+-")  # how metrics of boosting begin that name no set of samples
_MINIMISED = re.compile(r"loss|(^|_)r?mse$|(^|_)l2$")  # quantities that boosting minimises itself
_NEARLY = 0.05  # epochs: Hugging Face logs 0.996 at an epoch's last batch if batches do not divide it


def epoch_limit(run: Run) -> int | None:
    """Return the most epochs that a run was asked for, None if that was not logged as a whole number."""
    limits = (as_whole(run.params.get(name), least=1) for name in _LIMITS)
    return next((limit for limit in limits if limit is not None), None)


def by_epoch(run: Run, name: str) -> Curve | None:
    """Return the history of a metric by epoch; None if it has none, or its epochs are not known."""
    history = None if counts_rounds(run) else _as_trained(run, name)
    if history is None:
        return None
    translated = None
    if _EPOCH in run.curves and name != _EPOCH and len(run.curves[_EPOCH].values):
        translated = _translated(run.curves[_EPOCH], history) or _at_starts(run.curves[_EPOCH], history)
    return translated or _plain(run, history, validated=role_of(name)[1] == "validation")


@dataclass(frozen=True, slots=True, eq=False)
class Rounds:
    """What a run of boosting was judged by after each round, counted from 1: the metrics' names and their values."""

    metric: str
    validation: Curve
    training_metric: str | None = None
    training: Curve | None = None


def rounds_of(run: Run) -> Rounds | None:
    """Return the loss, or else the error, of each round of boosting; None if the run boosted nothing or logged none.

    A loss that boosting minimises is preferred to other errors, samples that were called validation to those of a test.
    """
    judged = [(name, *role_of(name)) for name in run.curves if counts_rounds(run) and lower_is_better(name)]
    judged = [role for role in judged if role[2] in ("validation", "test")]
    for _, quantity, part in sorted(
        judged, key=lambda role: (role[2] != "validation", not _MINIMISED.search(role[1]), role)
    ):
        name, training = named(run.curves, quantity, part), named(run.curves, quantity, "training")
        validation = None if name is None else _by_round(run, name)
        if name is not None and validation is not None:
            fitted = None if training is None else _by_round(run, training)
            return Rounds(name, validation, None if fitted is None else training, fitted)
    return None


def _by_round(run: Run, name: str) -> Curve | None:
    """Return a metric's values by round, None if any is missing."""
    history = _as_trained(run, name)
    return history if history is not None and len(history.steps) > 1 and _gapless(history.steps) else None


def counts_rounds(run: Run) -> bool:
    """Return whether a run's steps are rounds of boosting: XGBoost's and LightGBM's autologging say so."""
    return "num_boost_round" in run.params or ("n_estimators" in run.params and any(map(_OF_SET.match, run.curves)))


def _as_trained(run: Run, name: str) -> Curve | None:
    """Return the history of a metric without what autologging adds when training was stopped early.

    That is the values of the best step once more, one step after the last; or over those of a step, if Keras didn't
    stop by its own early stopping, whose ``stopped_epoch`` then is 0.
    """
    history = run.curves.get(name)
    if history is None or not len(history.values):
        return None
    steps, values = history.steps, history.values
    for stopped_name, best_name, ends, origins in _REPEATED:
        stopped, best = (as_whole(run.metrics.get(metric)) for metric in (stopped_name, best_name))
        if stopped is None or best is None or len(steps) < 2:
            continue
        for at in np.flatnonzero(np.isin(steps, stopped + np.array(ends))):
            is_last, of_best = at == len(steps) - 1, values[np.isin(steps[:at], best + np.array(origins)).nonzero()]
            repeated = np.isnan(values[at]) or values[at] in of_best if len(of_best) else steps[0] < best
            if repeated and (is_last or (not stopped and history.overwritten)):
                return Curve(np.delete(steps, at), np.delete(values, at), history.overwritten)
    return history


def history_of(run: Run, quantity: str, part: Part) -> Curve | None:
    """Return the history of a quantity; None if it has none: a single value is one only if one epoch was asked for."""
    for name in all_named(run.curves, quantity, part):
        curve = by_epoch(run, name)
        if curve is not None and (len(curve.values) > 1 or epoch_limit(run) == 1):
            return curve
    return None


@dataclass(frozen=True, slots=True)
class LoggedSteps:
    """The steps of a metric's values if they don't say which epoch each is of."""

    metric: str
    values: int
    first: int
    last: int  # the first again if all values were logged at one step


def steps_without_epochs(run: Run, quantity: str, part: Part) -> LoggedSteps | None:
    """Return at which steps several values of a quantity were logged if no history by epoch can be made of them."""
    names = all_named(run.curves, quantity, part)
    if counts_rounds(run) or history_of(run, quantity, part) is not None:
        return None
    logged = [LoggedSteps(name, len(curve.values) + curve.overwritten, int(curve.steps[0]), int(curve.steps[-1]))
              for name in names if len((curve := run.curves[name]).values)]  # fmt: skip
    return next((steps for steps in logged if steps.values > 1), None)


def _translated(epochs: Curve, history: Curve) -> Curve | None:
    """Return a history with its epochs for steps, None if they are not all known or one has several values."""
    if not (np.abs(epochs.values) < LARGEST).all() or not np.isin(history.steps, epochs.steps).all():
        return None
    logged = epochs.values[np.searchsorted(epochs.steps, history.steps)]
    whole = np.rint(logged)
    if (np.diff(whole) <= 0).any() or (np.abs(logged - whole) > _NEARLY).any():
        return None
    from_zero = bool((epochs.values == np.rint(epochs.values)).all()) and epochs.values.min() == 0
    return Curve(whole.astype(np.int64) + int(from_zero), history.values)


def _at_starts(epochs: Curve, history: Curve) -> Curve | None:
    """Return a history of one value at the start of each epoch with its epochs, as Lightning logs learning rates.

    None unless exactly one value lies between the last step of each epoch and that of the next. A test is logged one
    step after the last epoch.
    """
    if not (np.abs(epochs.values) < LARGEST).all() or (epochs.values != np.rint(epochs.values)).any():
        return None
    is_last = np.append(np.diff(epochs.values) != 0, True)
    numbers, ends, starts = epochs.values[is_last].astype(np.int64), epochs.steps[is_last], history.steps
    if len(ends) == len(starts) + 1 and ends[-1] == ends[-2] + 1:
        numbers, ends = numbers[:-1], ends[:-1]
    if len(starts) != len(ends) or starts[0] != 0 or (np.diff(numbers) != 1).any():
        return None
    is_interleaved = (starts <= ends).all() and (starts[1:] > ends[:-1]).all()
    return Curve(numbers + int(numbers[0] == 0), history.values) if is_interleaved else None


def _plain(run: Run, history: Curve, *, validated: bool) -> Curve | None:
    """Return a history whose steps are epochs; None if they are batches or nothing says what they are."""
    steps, logged = history.steps, _logged_steps(run)
    first, last, n = int(steps[0]), int(steps[-1]), len(steps)
    if first == logged.start > 0 and last - first + 1 == n:  # Keras continued a training
        return Curve(steps + 1, history.values)
    if _gapless(steps):
        return history if validated or n <= max(2 * (logged.validations or n), logged.limit or 0) else None
    if n == logged.limit and _counts_batches(steps):
        return Curve(np.arange(1, n + 1), history.values)  # batches, counted on, at the end of each epoch
    mostly_there = first in (0, 1) and 2 * n > last - first + 1
    if not mostly_there and (logged.limit is None or last > logged.limit):
        return None
    from_zero = first > 0 and logged.last_from_zero >= last
    return Curve(steps + 1, history.values) if from_zero else history


def _counts_batches(steps: NDArray[np.int64]) -> bool:
    """Return whether steps are the batches until the end of the first of something, of the second, the third, …."""
    spacings = set(np.diff(steps).tolist())
    return len(spacings) == 1 and int(steps[0]) + 1 in {(spacing := spacings.pop()), spacing + 1}


@dataclass(frozen=True, slots=True)
class _LoggedSteps:
    """How often and at which steps a run logged its losses and accuracies, which tells epochs from batches."""

    limit: int | None  # the most epochs that it was asked for
    validations: int  # the most values of one validation metric; 0 if none has several
    start: int  # the step of the first epoch if it is counted from 0: Keras' ``initial_epoch`` if training went on
    last_from_zero: int  # the last step of those that go from there on without a gap; -1 if there are none


@lru_cache(maxsize=1)
def _logged_steps(run: Run) -> _LoggedSteps:
    """Return the steps of a run's losses and accuracies, cached because each of its histories asks for them."""
    roles = ((*role_of(name), curve.steps) for name, curve in run.curves.items() if len(curve.steps) > 1)
    judged = [(part, steps) for quantity, part, steps in roles if quantity in (LOSS, ACCURACY)]
    validations = max((len(steps) for part, steps in judged if part == "validation"), default=0)
    start = (as_whole(run.params.get("initial_epoch")) or 0) if run.params.keys() >= _OF_KERAS else 0
    whole = (int(steps[-1]) for _, steps in judged if steps[0] == start and steps[-1] - start + 1 == len(steps))
    return _LoggedSteps(epoch_limit(run), validations, start, max(whole, default=-1))


def _gapless(steps: NDArray[np.int64]) -> bool:
    """Return whether steps are 0, 1, 2, … or 1, 2, 3, …."""
    first, last = int(steps[0]), int(steps[-1])
    return first in (0, 1) and last - first + 1 == len(steps)


def identical(a: Run, b: Run) -> bool:
    """Return whether two runs have the same curves throughout, as they must under one seed until something differs.

    False too if no loss or accuracy was logged for both at more than one epoch: equal ends may be chance.
    """
    shared = _shared(a, b)
    return any(len(of_a.values) > 1 for of_a, _ in shared) and all(
        np.array_equal(of_a.epochs, of_b.epochs) and np.array_equal(of_a.values, of_b.values, equal_nan=True)
        for of_a, of_b in shared
    )


def same_until(a: Run, b: Run) -> int | None:
    """Return the last epoch until which two runs are identical, 0 if they differ from the first one on.

    None if no loss or accuracy by epoch was logged for both.
    """
    ends = []
    for of_a, of_b in _shared(a, b):
        n = min(len(of_a.values), len(of_b.values))
        equal = (of_a.values[:n] == of_b.values[:n]) | (np.isnan(of_a.values[:n]) & np.isnan(of_b.values[:n]))
        same = equal & (of_a.epochs[:n] == of_b.epochs[:n])
        length = n if same.all() else int(same.argmin())
        ends.append(int(of_a.epochs[length - 1]) if length else 0)
    return min(ends, default=None)


def logged_numbers(run: Run) -> Hashable:
    """Return every number that a run logged, equal for two runs if all are; None without a history of two steps."""
    if all(len(curve.values) < 2 for curve in run.curves.values()):
        return None
    curves = tuple((name, curve.steps.tobytes(), _bytes(curve.values)) for name, curve in sorted(run.curves.items()))
    return curves, tuple((name, _bytes(np.array(value))) for name, value in sorted(run.metrics.items()))


def _bytes(values: NDArray[np.float64]) -> bytes:
    """Return the bytes of numbers: NaN equals NaN there and 0 equals -0."""
    return (np.where(np.isnan(values), np.nan, values) + 0.0).tobytes()


def _shared(a: Run, b: Run) -> list[tuple[Curve, Curve]]:
    """Return the curves that training determines and that both runs have."""
    of_a, of_b = _determined(a), _determined(b)
    return [(curve, of_b[name]) for name, curve in of_a.items() if name in of_b]


@lru_cache(maxsize=2)  # of the best run, say, which is compared with one after another
def _determined(run: Run) -> dict[str, Curve]:
    """Return the curves that training determines and that every epoch has: a final value is not of an epoch."""
    epochs = max((len(curve.values) for curve in run.curves.values()), default=0)
    return {
        name: curve
        for name, curve in sorted(run.curves.items())
        if len(curve.values) == epochs and _is_of_training(name)
    }


@lru_cache(maxsize=4096)
def _is_of_training(name: str) -> bool:
    return LOSS in name.lower() or ACCURACY in name.lower() or name.lower().endswith("acc")
