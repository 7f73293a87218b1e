"""Which logged metric plays which part, whoever logged it.

A metric's *quantity* is what it measures (``loss``, ``accuracy``, ``f1``), its *part* the clips it was measured on. The
validation metric of a quantity X is named ``val_X``, ``validation_X``, ``valid_X`` or ``eval_X``, the training metric
``X``, ``train_X`` or ``training_X``, with ``_``, ``/`` or ``.`` between; ``X/val`` and ``X/train`` are read too. What
Lightning adds to the mean over an epoch (``train_loss_epoch``) and boosting libraries to their sets of clips
(``validation_0-logloss``) isn't part of the quantity. The primary metric is chosen here as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

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
_ROUNDING = 1e-6


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
    """Return the first of `all_named`, if any."""
    return next(iter(all_named(names, quantity, part)), None)


def all_named(names: Iterable[str], quantity: str, part: Part) -> list[str]:
    """Return those of `names` that measure `quantity`, as `role_of` writes it, on the clips of `part`.

    tracker's own name is before any other, of several sets of clips the last (the one that boosting stops by), then the
    shortest, then the first by alphabet.
    """
    fitting = [name for name in names if role_of(name) == (quantity, part)]
    if len(fitting) < 2:
        return fitting
    usual = quantity if part == "training" else f"val_{quantity}"
    return sorted(fitting, key=lambda name: (name != usual, -_set_number(name), len(name), name))


def _set_number(name: str) -> int:
    """Return the number of the set of clips in a boosting library's name, 0 if it has none."""
    words = _words(name)
    return int(words[1]) if len(words) > 2 and words[0] in _PREFIXES and words[1].isdigit() else 0


def lower_is_better(name: str) -> bool | None:
    """Return by a metric's name whether lower is better; None if the name does not say."""
    words = set(_words(name))
    if words & _FALLS:
        return True
    return False if words & _RISES else None


@dataclass(frozen=True, slots=True)
class Metric:
    """The primary metric: what runs are ranked by.

    Parameters
    ----------
    name : str
        As it was logged.
    lower_is_better : bool
    assumed : bool
        Whether the direction is a guess, since neither the name nor the user says it.
    is_fraction : bool
        Whether an accuracy is a fraction; False if it was logged in per cent or otherwise above 1.
    """

    name: str
    lower_is_better: bool = False
    assumed: bool = False
    is_fraction: bool = True

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
    def is_standard(self) -> bool:
        """Whether it is the validation loss or accuracy, in whatever unit: what every report shows in any case."""
        return self.is_loss or self.measures_accuracy


def primary_metric(runs: Sequence[Run], name: str | None, *, minimise: bool | None = None) -> Metric:
    """Choose the metric that runs are ranked by.

    Parameters
    ----------
    runs : sequence of Run
    name : str or None
        The one asked for; None: the validation accuracy, or whatever validation metric of known direction was logged.
    minimise : bool, optional
        Whether lower is better, if the name does not say it or says it wrongly.
    """
    logged = {metric for run in runs for metric in (*run.metrics, *run.curves)}
    judged = any(run.validation for run in runs)
    chosen = name or _default_metric(logged, judged=judged)
    lower = lower_is_better(chosen) if minimise is None else minimise
    logged_accuracies = (
        value for run in runs for name, value in run.metrics.items() if role_of(name) == (ACCURACY, "validation")
    )
    above_one = any(value > 1 + _ROUNDING for value in logged_accuracies)
    return Metric(chosen, bool(lower), assumed=lower is None, is_fraction=judged or not above_one)


def is_fraction(value: float | None) -> bool:
    """Return whether a value can be a share of clips; an accuracy in per cent cannot."""
    return value is not None and -_ROUNDING <= value <= 1 + _ROUNDING


def _default_metric(logged: set[str], *, judged: bool) -> str:
    """Return the validation accuracy's name, else another validation metric of known direction, else the usual name."""
    accuracy = named(logged, ACCURACY, "validation")
    if accuracy is not None or judged or not logged:
        return accuracy or DEFAULT_METRIC
    others = [name for name in sorted(logged) if role_of(name)[1] == "validation" and lower_is_better(name) is not None]
    first = min(others, key=lambda name: (bool(lower_is_better(name)), name), default=DEFAULT_METRIC)
    return named(others, *role_of(first)) or first
