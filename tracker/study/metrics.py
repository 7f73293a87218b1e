"""Which logged metric plays which part, whoever logged it.

A metric's *quantity* is what it measures (``loss``, ``accuracy``, ``f1``), its *part* the clips it was measured on. The
validation metric of a quantity X is named ``val_X``, ``validation_X``, ``valid_X`` or ``eval_X``, the training metric
``X``, ``train_X`` or ``training_X``, with ``_``, ``/`` or ``.`` between; ``X/val`` and ``X/train`` are read too. What
Lightning adds to the mean over an epoch (``train_loss_epoch``) and boosting libraries to their sets of clips
(``validation_0-logloss``) is no part of the quantity.

The primary metric is chosen here as well, and it is found out which epoch each logged value belongs to. A step is an
epoch for tracker and Keras, a batch for Lightning and Hugging Face, which log a metric ``epoch`` beside it. Epochs are
counted from 1 here, wherever a run counted them from. If neither steps nor such a metric say which epoch a value
belongs to, a history isn't one by epoch, and nothing is said about its epochs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from tracker.runs import Curve
from tracker.runs.logged import DEFAULT_METRIC
from tracker.study.options import as_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from tracker.runs import Run

Part = Literal["training", "validation"]

ACCURACY = "accuracy"
LOSS = "loss"
RATE = "learning_rate"

_PREFIXES = {"val": "validation", "validation": "validation", "valid": "validation", "eval": "validation"} | {
    "train": "training",
    "training": "training",
}
_SAME = {
    "acc": ACCURACY,
    "accuracy_score": ACCURACY,
    "categorical_accuracy": ACCURACY,
    "sparse_categorical_accuracy": ACCURACY,
    "binary_accuracy": ACCURACY,
    "lr": RATE,
}
_FALLS = frozenset({"loss", "error", "mae", "mse", "rmse", "perplexity"}) | {
    "logloss", "mlogloss", "merror", "mape", "msle", "rmsle", "wer", "cer", "eer",
}  # fmt: skip
_RISES = frozenset({"accuracy", "acc", "f1", "auc", "precision", "recall", "r2", "aucpr", "ndcg"})


@lru_cache(maxsize=4096)
def role_of(name: str) -> tuple[str, Part]:
    """Return what a metric measures and on which clips.

    Parameters
    ----------
    name : str
        As it was logged.

    Returns
    -------
    tuple of (quantity, part)
    """
    words = _words(name)
    part = _PREFIXES.get(words[0]) if len(words) > 1 else None
    if part is not None:
        words = words[1:]
    elif len(words) > 1 and words[-1] in _PREFIXES:
        part, words = _PREFIXES[words[-1]], words[:-1]
    return _quantity(words, part), "validation" if part == "validation" else "training"


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.lower())


def _quantity(words: list[str], part: str | None) -> str:
    """Return what is measured, without the number of a set of clips and without Lightning's mark."""
    if part == "validation" and len(words) > 1 and words[0].isdigit():
        words = words[1:]
    if len(words) > 1 and words[-1] == "epoch":
        words = words[:-1]
    if words[:1] == ["lr"]:
        return RATE
    quantity = "_".join(words)
    return _SAME.get(quantity, quantity)


def named(names: Iterable[str], quantity: str, part: Part) -> str | None:
    """Find the metric that measures `quantity` on the clips of `part`.

    Parameters
    ----------
    names : iterable of str
        The metrics there are.
    quantity : str
        As `role_of` writes it.
    part : {"training", "validation"}

    Returns
    -------
    str or None
        The first of `all_named`.
    """
    return next(iter(all_named(names, quantity, part)), None)


def all_named(names: Iterable[str], quantity: str, part: Part) -> list[str]:
    """Find all metrics that measure `quantity` on the clips of `part`.

    Parameters
    ----------
    names, quantity, part
        As for `named`.

    Returns
    -------
    list of str
        tracker's own name before any other, of several sets of clips the last (the one that boosting stops by), then
        the shortest, then the first by alphabet.
    """
    fitting = [name for name in names if role_of(name) == (quantity, part)]
    if len(fitting) < 2:
        return fitting
    usual = quantity if part == "training" else f"val_{quantity}"
    return sorted(fitting, key=lambda name: (name != usual, -_set_number(name), len(name), name))


def _set_number(name: str) -> int:
    """Return the number of the set of clips in a boosting library's name, 0 where it has none."""
    words = _words(name)
    return int(words[1]) if len(words) > 2 and words[0] in _PREFIXES and words[1].isdigit() else 0


def lower_is_better(name: str) -> bool | None:
    """Return by a metric's name whether lower is better; None if the name does not say.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool or None
    """
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
    """Return whether a value can be a share of clips; an accuracy in per cent cannot."""
    return value is not None and -_ROUNDING <= value <= 1 + _ROUNDING


_ROUNDING = 1e-6


def _above_one(runs: Sequence[Run]) -> bool:
    """Return whether any validation accuracy was logged as more than 1."""
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


EPOCH = "epoch"
"""The metric that says in which epoch a step was: from 0 where whole (Lightning), how many are done where not."""

_LIMITS = ("epochs", "max_epochs", "num_train_epochs", "num_epochs", "n_epochs")
"""Params that ask for a number of epochs: tracker's and Keras', Lightning's, Hugging Face's, other people's."""

_NEARLY = 0.05
"""Epochs: Hugging Face logs 0.996 at an epoch's last batch where batches do not divide it."""


def epoch_limit(run: Run) -> int | None:
    """Return the most epochs that a run was asked for, None where that was not logged as a whole number."""
    for name in _LIMITS:
        number = as_number(run.params.get(name, ""))
        if number is not None and number == int(number) and number > 0:
            return int(number)
    return None


def by_epoch(run: Run, name: str) -> Curve | None:
    """Return the history of a metric by epoch.

    Parameters
    ----------
    run : Run
    name : str

    Returns
    -------
    Curve or None
        None where it has no history, or its epochs are not known.
    """
    logged = run.curves.get(name)
    if logged is None or not len(logged.values):
        return None
    history = _as_trained(run, logged)
    if EPOCH in run.curves and name != EPOCH:
        translated = _translated(run.curves[EPOCH], history)
        if translated is not None:
            return translated
    return _plain(run, history, validated=role_of(name)[1] == "validation")


def _as_trained(run: Run, history: Curve) -> Curve:
    """Drop what Keras' autologging writes past the end: the restored epoch's values once more, as one epoch more."""
    stopped = run.metrics.get("stopped_epoch")
    if stopped is None or "restored_epoch" not in run.metrics or len(history.steps) < 2:
        return history
    real = history.steps <= stopped
    return history if real.all() else Curve(history.steps[real], history.values[real])


def _translated(epochs: Curve, history: Curve) -> Curve | None:
    """Return a history with its epochs for steps, None where they are not all known or one has several values."""
    places = np.searchsorted(epochs.steps, history.steps)
    if not np.isfinite(epochs.values).all() or not np.isin(history.steps, epochs.steps).all():
        return None
    found = epochs.values[places]
    whole = np.rint(found)
    if len(found) > 1 and (np.diff(whole) <= 0).any():
        return None
    if (np.abs(found - whole) > _NEARLY).any():
        return None
    begun = bool((epochs.values == np.rint(epochs.values)).all()) and epochs.values.min() == 0
    return Curve(whole.astype(np.int64) + int(begun), history.values)


def _plain(run: Run, history: Curve, *, validated: bool) -> Curve | None:
    """Return a history whose steps are epochs; None where they are batches or it cannot be told."""
    steps = history.steps
    if _gapless(steps):
        return history if validated or not _are_batches(run, len(steps)) else None
    limit = epoch_limit(run)
    if not _mostly_there(steps) and (limit is None or steps[-1] > limit):
        return None
    whole = [curve.steps for curve in _judged(run) if _gapless(curve.steps)]
    from_zero = steps[0] > 0 and any(other[0] == 0 and other[-1] >= steps[-1] for other in whole)
    return Curve(steps + 1, history.values) if from_zero else history


def _mostly_there(steps: NDArray[np.int64]) -> bool:
    """Return whether steps begin at 0 or 1 and more than half of those up to the last are there."""
    return bool(steps[0] in (0, 1) and 2 * len(steps) > steps[-1] - steps[0] + 1)


def _gapless(steps: NDArray[np.int64]) -> bool:
    """Return whether steps are 0, 1, 2, … or 1, 2, 3, …."""
    first, last = int(steps[0]), int(steps[-1])
    return first in (0, 1) and last - first + 1 == len(steps)


def _judged(run: Run) -> list[Curve]:
    """Return the losses and accuracies that have a history."""
    named = ((role_of(name), curve) for name, curve in run.curves.items())
    return [curve for (quantity, _), curve in named if quantity in (LOSS, ACCURACY) and len(curve.values) > 1]


def _are_batches(run: Run, steps: int) -> bool:
    """Return whether so many gapless steps of training are batches: far more than there are epochs of validation."""
    validated = [
        len(history.steps)
        for name, history in run.curves.items()
        if role_of(name) in ((LOSS, "validation"), (ACCURACY, "validation")) and len(history.steps) > 1
    ]
    epochs = max(validated, default=steps)
    return steps > max(2 * epochs, epoch_limit(run) or 0)
