"""Which logged metric plays which part, whoever logged it, and its history by epoch.

A metric's *quantity* is what it measures (``loss``, ``accuracy``, ``f1``), its *part* the clips it was measured on. The
validation metric of a quantity X is named ``val_X``, ``validation_X``, ``valid_X`` or ``eval_X``, the training metric
``X``, ``train_X`` or ``training_X``, with ``_``, ``/`` or ``.`` between; ``X/val`` and ``X/train`` are read too. What
Lightning adds to the mean over an epoch (``train_loss_epoch``) and boosting libraries to their sets of clips
(``validation_0-logloss``) isn't part of the quantity. The primary metric is chosen here as well.

A step is an epoch for tracker and Keras, a batch for Lightning and Hugging Face, which log a metric ``epoch`` beside
it. Epochs are counted from 1 here, wherever a run counted them from. If neither steps nor such a metric say which epoch
a value belongs to, a history isn't one by epoch, and nothing is said about its epochs.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from tracker.runs import Curve
from tracker.runs.logged import DEFAULT_METRIC
from tracker.study.options import LARGEST, as_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from tracker.runs import Run

Part = Literal["training", "validation"]

ACCURACY = "accuracy"
LOSS = "loss"
RATE = "learning_rate"

_PREFIXES: dict[str, Part] = dict.fromkeys(("val", "validation", "valid", "eval"), "validation")
_PREFIXES |= dict.fromkeys(("train", "training"), "training")
_SAME = {"lr": RATE} | dict.fromkeys(
    ("acc", "accuracy_score", "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy"), ACCURACY
)
_FALLS = frozenset({
    "loss", "error", "mae", "mse", "rmse", "perplexity", "logloss", "mlogloss", "merror", "mape", "msle", "rmsle",
    "wer", "cer", "eer",
})  # fmt: skip
_RISES = frozenset({"accuracy", "acc", "f1", "auc", "precision", "recall", "r2", "aucpr", "ndcg"})
_SHARES = frozenset({"accuracy", "acc", "f1", "auc", "precision", "recall"})  # from 0 to 1, or to 100 percent
_PERCENT = 100.0
_ROUNDING = 1e-6
_EPOCH = "epoch"  # the metric that says in which epoch a step was: from 0 if whole (Lightning), else how many are done
# Params that ask for a number of epochs: tracker's and Keras', Lightning's, Hugging Face's, other people's.
_LIMITS = ("epochs", "max_epochs", "num_train_epochs", "num_epochs", "n_epochs")
_MOST_NAMED = 6  # metrics that a message names
_NEAR = 0.6  # likeness from which a name may have been meant
_NEARLY = 0.05  # epochs: Hugging Face logs 0.996 at an epoch's last batch if batches do not divide it


@lru_cache(maxsize=4096)
def role_of(name: str) -> tuple[str, Part]:
    """Return the quantity that a metric measures and the part, by its name as it was logged."""
    words = _words(name)
    part = _PREFIXES.get(words[0]) if len(words) > 1 else None
    if part is not None:
        words = words[1:]
    elif len(words) > 1 and words[-1] in _PREFIXES:
        part, words = _PREFIXES[words[-1]], words[:-1]
    if part == "validation" and len(words) > 1 and words[0].isdigit():  # the number of a set of clips
        words = words[1:]
    if len(words) > 1 and words[-1] == "epoch":  # Lightning's mark
        words = words[:-1]
    quantity = RATE if words[:1] == ["lr"] else "_".join(words)
    return _SAME.get(quantity, quantity), part or "training"


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.lower())


def named(names: Iterable[str], quantity: str, part: Part) -> str | None:
    """Return the first of `all_named`, None if there is none."""
    return next(iter(all_named(names, quantity, part)), None)


def all_named(names: Iterable[str], quantity: str, part: Part) -> list[str]:
    """Return those of `names` that measure `quantity`, as `role_of` writes it, on the clips of `part`.

    tracker's own name is before any other, of several sets of clips the last (the one that boosting stops by), then the
    shortest, then the first by alphabet.
    """
    fitting = [name for name in dict.fromkeys(names) if role_of(name) == (quantity, part)]
    if len(fitting) < 2:
        return fitting
    usual = quantity if part == "training" else f"val_{quantity}"

    def order(name: str) -> tuple[bool, int, int, str]:
        words = _words(name)
        of_clips = int(words[1]) if len(words) > 2 and words[0] in _PREFIXES and words[1].isdigit() else 0
        return name != usual, -of_clips, len(name), name

    return sorted(fitting, key=order)


def lower_is_better(name: str) -> bool | None:
    """Return by a metric's name whether lower is better; None if the name does not say."""
    words = set(_words(name))
    if words & _FALLS:
        return True
    return False if words & _RISES else None


@dataclass(frozen=True, slots=True)
class Metric:
    """The primary metric: what runs are ranked by."""

    name: str  # as it was logged
    lower_is_better: bool = False
    assumed: bool = False  # whether the direction is a guess, since neither the name nor the user says it
    is_fraction: bool = True  # False if an accuracy was logged in per cent or otherwise above 1

    @property
    def measures_accuracy(self) -> bool:
        """Whether it is the validation accuracy, in whatever unit."""
        return role_of(self.name) == (ACCURACY, "validation")

    @property
    def is_accuracy(self) -> bool:
        """Whether it is the fraction of validation clips classified correctly."""
        return self.is_fraction and self.measures_accuracy

    @property
    def is_loss(self) -> bool:
        """Whether it is the validation loss."""
        return role_of(self.name) == (LOSS, "validation")

    @property
    def is_known_by_clip(self) -> bool:
        """Whether predictions say what each clip adds to it: one that is correct, or its log-loss."""
        return self.is_accuracy or self.is_loss

    @property
    def is_standard(self) -> bool:
        """Whether it is the validation loss or accuracy, in whatever unit: what every report shows in any case."""
        return self.is_loss or self.measures_accuracy


def primary_metric(runs: Sequence[Run], name: str | None, *, minimise: bool | None = None) -> Metric:
    """Choose the metric that runs are ranked by.

    Without a `name`, the validation accuracy, or whatever validation metric of known direction was logged. `minimise`
    says whether lower is better, if the name does not say it or says it wrongly.
    """
    logged = {metric for run in runs for metric in (*run.metrics, *run.curves)}
    judged = any(run.validation for run in runs)
    chosen = name or named(logged, ACCURACY, "validation")
    if chosen is None:
        directed = [m for m in sorted(logged) if role_of(m)[1] == "validation" and lower_is_better(m) is not None]
        others = [] if judged else directed
        first = min(others, key=lambda other: (bool(lower_is_better(other)), other), default=DEFAULT_METRIC)
        chosen = named(others, *role_of(first)) or first
    lower = lower_is_better(chosen) if minimise is None else minimise
    accuracies = (v for run in runs for name, v in run.metrics.items() if role_of(name) == (ACCURACY, "validation"))
    above_one = any(value > 1 + _ROUNDING for value in accuracies)
    return Metric(chosen, bool(lower), assumed=lower is None, is_fraction=judged or not above_one)


class UnknownMetricError(ValueError):
    """No run logged the metric that was asked for."""


def check_logged(runs: Sequence[Run], name: str) -> None:
    """Check that some run logged a metric; validation loss and accuracy count under any of their names.

    Raises
    ------
    UnknownMetricError
        If no run did, although some metric was logged; its message names the nearest ones.
    """
    logged, (quantity, part) = {metric for run in runs for metric in (*run.metrics, *run.curves)}, role_of(name)
    if not logged or name in logged:
        return
    if part == "validation" and quantity in (LOSS, ACCURACY):
        final = {f"best_val_{quantity}", f"last_val_{quantity}"}
        predicted = quantity == ACCURACY and any(run.validation for run in runs)
        if predicted or not final.isdisjoint(logged) or named(logged, quantity, part):
            return
    near = difflib.get_close_matches(name.lower(), sorted(logged, key=len), _MOST_NAMED, _NEAR)
    within = [metric for metric in sorted(logged) if set(_words(name)) <= set(_words(metric))]
    nearest = list(dict.fromkeys([*within, *near]))[:_MOST_NAMED]
    others = sorted(
        logged, key=lambda metric: (lower_is_better(metric) is None, role_of(metric)[1] == "training", metric)
    )
    hint = f"did you mean {' or '.join(nearest)}?" if nearest else f"logged are {', '.join(others[:_MOST_NAMED])}"
    raise UnknownMetricError(f"no run logged the metric {name!r}; {hint}")


def is_fraction(value: float | None) -> bool:
    """Return whether a value can be a share of clips; an accuracy in per cent cannot."""
    return value is not None and -_ROUNDING <= value <= 1 + _ROUNDING


def in_one_unit(runs: Sequence[Run]) -> tuple[Run, ...]:
    """Return runs with fractions where a share (an accuracy, an F1, …) was logged in percent and as a fraction.

    A metric whose last value in a run is above 1 is in percent there. If it is in percent everywhere, or above 100
    somewhere, all stay as they are: then the values are in one unit, or nothing says in which.
    """
    values: dict[str, list[tuple[int, str, float]]] = defaultdict(list)
    for index, run in enumerate(runs):
        for name, value in _last_shares(run).items():
            values[role_of(name)[0]].append((index, name, value))
    in_percent: dict[int, list[str]] = defaultdict(list)
    for quantity, found in values.items():
        above = [(index, name) for index, name, value in found if value > 1 + _ROUNDING]
        judged = quantity == ACCURACY and any(run.validation for run in runs)
        if above and (judged or len(above) < len(found)) and max(value for *_, value in found) <= _PERCENT + _ROUNDING:
            for index, name in above:
                in_percent[index].append(name)
    return tuple(_divided(run, in_percent[index]) if index in in_percent else run for index, run in enumerate(runs))


def _last_shares(run: Run) -> dict[str, float]:
    """Return the last value of each metric that is a share by its name, if it is finite."""
    last = {
        name: float(curve.values[-1]) for name, curve in run.curves.items() if _is_share(name) and len(curve.values)
    }
    last |= {name: value for name, value in run.metrics.items() if _is_share(name)}
    return {name: value for name, value in last.items() if math.isfinite(value)}


@lru_cache(maxsize=4096)
def _is_share(name: str) -> bool:
    return not _SHARES.isdisjoint(_words(name))


def _divided(run: Run, names: Sequence[str]) -> Run:
    """Return a run with some metrics divided by 100."""
    metrics = {name: run.metrics[name] / _PERCENT for name in names if name in run.metrics}
    curves = {n: Curve(run.curves[n].steps, run.curves[n].values / _PERCENT) for n in names if n in run.curves}
    return replace(run, metrics={**run.metrics, **metrics}, curves={**run.curves, **curves}, in_percent=tuple(names))


def epoch_limit(run: Run) -> int | None:
    """Return the most epochs that a run was asked for, None if that was not logged as a whole number."""
    limits = (as_whole(run.params.get(name), least=1) for name in _LIMITS)
    return next((limit for limit in limits if limit is not None), None)


def by_epoch(run: Run, name: str) -> Curve | None:
    """Return the history of a metric by epoch; None if it has none, or its epochs are not known."""
    history = run.curves.get(name)
    if history is None or not len(history.values):
        return None
    stopped = run.metrics.get("stopped_epoch")
    if stopped is not None and "restored_epoch" in run.metrics and len(history.steps) > 1:
        # Keras' autologging writes the restored epoch's values past the end, as one epoch more.
        trained = history.steps <= stopped
        if trained.any():  # another program may mean something else by these names
            history = Curve(history.steps[trained], history.values[trained])
    translated = _translated(run.curves[_EPOCH], history) if _EPOCH in run.curves and name != _EPOCH else None
    return translated or _plain(run, history, validated=role_of(name)[1] == "validation")


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
    if history_of(run, quantity, part) is not None:
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


def _plain(run: Run, history: Curve, *, validated: bool) -> Curve | None:
    """Return a history whose steps are epochs; None if they are batches or nothing says what they are."""
    steps, logged = history.steps, _logged_steps(run)
    first, last, n = int(steps[0]), int(steps[-1]), len(steps)
    if _gapless(steps):
        return history if validated or n <= max(2 * (logged.validations or n), logged.limit or 0) else None
    mostly_there = first in (0, 1) and 2 * n > last - first + 1
    if not mostly_there and (logged.limit is None or last > logged.limit):
        return None
    from_zero = first > 0 and logged.last_from_zero >= last
    return Curve(steps + 1, history.values) if from_zero else history


@dataclass(frozen=True, slots=True)
class _LoggedSteps:
    """How often and at which steps a run logged its losses and accuracies, which tells epochs from batches."""

    limit: int | None  # the most epochs that it was asked for
    validations: int  # the most values of one validation metric; 0 if none has several
    last_from_zero: int  # the last step of those that go from 0 on without a gap; -1 if there are none


@lru_cache(maxsize=1)
def _logged_steps(run: Run) -> _LoggedSteps:
    """Return the steps of a run's losses and accuracies, cached because each of its histories asks for them."""
    roles = ((*role_of(name), curve.steps) for name, curve in run.curves.items() if len(curve.steps) > 1)
    judged = [(part, steps) for quantity, part, steps in roles if quantity in (LOSS, ACCURACY)]
    validations = max((len(steps) for part, steps in judged if part == "validation"), default=0)
    last = max((int(steps[-1]) for _, steps in judged if steps[0] == 0 and _gapless(steps)), default=-1)
    return _LoggedSteps(epoch_limit(run), validations, last)


def _gapless(steps: NDArray[np.int64]) -> bool:
    """Return whether steps are 0, 1, 2, … or 1, 2, 3, …."""
    first, last = int(steps[0]), int(steps[-1])
    return first in (0, 1) and last - first + 1 == len(steps)


def identical(a: Run, b: Run) -> bool:
    """Return whether two runs have the same curves throughout, as they must under one seed until something differs.

    False too if no loss or accuracy by epoch was logged for both.
    """
    shared = _shared(a, b)
    return bool(shared) and all(
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


def curves_key(run: Run) -> tuple[tuple[str, ...], int]:
    """Return the names of the curves that training determines, and a hash of these.

    Runs of the same names are only `identical` if the hashes are equal.
    """
    curves = _determined(run)
    epochs = (curve.epochs.tobytes() for curve in curves.values())
    # NaN equals NaN there and 0 equals -0, whatever their bytes
    values = (np.where(np.isnan(curve.values), np.nan, curve.values) + 0.0 for curve in curves.values())
    return tuple(curves), hash((*epochs, *(of_curve.tobytes() for of_curve in values)))


def _shared(a: Run, b: Run) -> list[tuple[Curve, Curve]]:
    """Return the curves that training determines and that both runs have."""
    of_a, of_b = _determined(a), _determined(b)
    return [(curve, of_b[name]) for name, curve in of_a.items() if name in of_b]


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
