"""Which logged metric plays which part, whoever logged it.

A metric's *quantity* is what it measures (``loss``, ``accuracy``, ``f1``), its *part* the clips it was measured on. The
validation metric of a quantity X is named ``val_X``, ``validation_X``, ``valid_X`` or ``eval_X``, the training metric
``X``, ``train_X`` or ``training_X``, with ``_``, ``/`` or ``.`` between; ``X/val`` and ``X/train`` are read too. What
Lightning adds to the mean over an epoch (``train_loss_epoch``) and boosting libraries to their sets of clips
(``validation_0-logloss``) isn't part of the quantity. The primary metric is chosen here as well.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from tracker.runs import Curve
from tracker.runs.logged import DEFAULT_METRIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
_MOST_NAMED = 6  # metrics that a message names
_NEAR = 0.6  # likeness from which a name may have been meant


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
