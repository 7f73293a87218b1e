"""Which logged metric plays which part, whoever logged it.

A metric's *quantity* is what it measures (``loss``, ``accuracy``, ``f1``), its *part* the clips it was measured on. The
validation metric of a quantity X is named ``val_X``, ``validation_X``, ``valid_X`` or ``eval_X``, the training metric
``X``, ``train_X`` or ``training_X``, with ``_``, ``/`` or ``.`` between.
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
    "categorical_accuracy": ACCURACY,
    "sparse_categorical_accuracy": ACCURACY,
    "binary_accuracy": ACCURACY,
    "lr": RATE,
}
_FALLS = frozenset({"loss", "error", "mae", "mse", "rmse", "perplexity"})
_RISES = frozenset({"accuracy", "acc", "f1", "auc", "precision", "recall", "r2"})


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
    words = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    prefix, _, rest = words.partition("_")
    part = _PREFIXES.get(prefix) if rest else None
    quantity = rest if part else words
    return _SAME.get(quantity, quantity), "validation" if part == "validation" else "training"


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
        tracker's own name before any other, then the shortest, then the first by alphabet.
    """
    usual = quantity if part == "training" else f"val_{quantity}"
    fitting = [name for name in names if role_of(name) == (quantity, part)]
    return min(fitting, key=lambda name: (name != usual, len(name), name), default=None)


def falls(name: str) -> bool | None:
    """Tell by a metric's name whether lower is better; None where the name does not say.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool or None
    """
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    if words & _FALLS:
        return True
    return False if words & _RISES else None
