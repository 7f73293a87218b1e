"""The params of a run, sorted by what they are: options, seeds, the split; the rest says nothing of what was trained.

A plateau's factor and patience are one option. Seeds, splits and folds repeat an experiment; they are never options.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.design.levels import OFF, level_text

if TYPE_CHECKING:
    from collections.abc import Mapping

PLATEAU = "plateau"

_SPLIT = ("split_seed", "fold", "validation_fraction", "test_fraction")
_SEEDS = ("seed", "random_seed", "random_state", "rng_seed", "seed_everything")
_SEED_ENDS = tuple(mark + name for mark in ("_", ".", "/") for name in ("seed", "random_state"))
_MEASURED = ("version", "host", "hostname", "pid", "commit", "timestamp", "deterministic")
_PLACES = (
    "run_name", "run_id", "output_dir", "logging_dir", "log_dir", "save_dir", "checkpoint_dir", "default_root_dir",
)  # fmt: skip
"""Where a run was put and what it was called: it says nothing of what was trained."""
CHOOSERS = ("optimizer_name", "opt_name")
"""What Keras' autologging calls the optimizer; the params that begin so are the optimizer's own."""
_COUNTER = re.compile(r"_\d+$")
"""Keras numbers the optimizers that one program makes: ``adam``, ``adam_1``."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The params of one run, sorted by what they are.

    Parameters
    ----------
    levels : tuple of (option, level)
        Sorted; without the options that are off.
    seed : tuple of (name, value)
        What repeats the training; empty where no seed was logged.
    split : tuple of (name, value)
        What decides the validation clips.
    """

    levels: tuple[tuple[str, str], ...]
    seed: tuple[tuple[str, str], ...]
    split: tuple[tuple[str, str], ...]


def terms_of(params: Mapping[str, str]) -> Terms:
    """Sort a run's params into options, seed and split.

    Parameters
    ----------
    params : mapping of str to str
        As they were logged.

    Returns
    -------
    Terms
    """
    levels: dict[str, str] = {}
    seed, split = [], []
    for name, value in sorted(params.items()):
        level = level_text(_COUNTER.sub("", value) if name in CHOOSERS else value)
        if _is_seed(name):
            seed += [(name, level)] if level != OFF else []
        elif name in _SPLIT:
            split.append((name, level))
        elif level != OFF and name not in _MEASURED + _PLACES:
            levels[name] = level
    return Terms(tuple(sorted(_with_plateau(levels).items())), tuple(seed), tuple(split))


def _with_plateau(levels: dict[str, str]) -> dict[str, str]:
    """Join a plateau's two params into one option."""
    parts = [levels.pop(f"{PLATEAU}_{part}", None) for part in ("factor", "patience")]
    if any(parts):
        levels[PLATEAU] = "x".join(part or "?" for part in parts)
    return levels


def _is_seed(name: str) -> bool:
    return name in _SEEDS or (name.endswith(_SEED_ENDS) and name not in _SPLIT)
