"""Which logged metric plays which part, whoever logged it.

A metric's *quantity* is what it measures (``loss``, ``accuracy``, ``f1``), its *part* the clips it was measured on. The
validation metric of a quantity X is named ``val_X``, ``validation_X``, ``valid_X`` or ``eval_X``, the training metric
``X``, ``train_X`` or ``training_X``, with ``_``, ``/`` or ``.`` between; ``X/val`` and ``X/train`` are read too. What
Lightning adds to the mean over an epoch (``train_loss_epoch``) and boosting libraries to their sets of clips
(``validation_0-logloss``) is no part of the quantity.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def falls(name: str) -> bool | None:
    """Tell by a metric's name whether lower is better; None where the name does not say.

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
