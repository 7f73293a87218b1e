"""What an experiment varied: its options, their levels, and the level of each run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tracker.design.aliasing import mixing
from tracker.design.levels import OFF, level_order
from tracker.design.terms import CHOOSERS, PLATEAU, Terms, terms_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_ESTIMATOR = "estimator_name"
"""What scikit-learn's autologging calls the estimator; all its params are the estimator's own."""

_FIRST = ("model", "kernel_size", "learning_rate", PLATEAU, "early_stopping_patience", "epochs", "batch_size", "keep")


@dataclass(frozen=True, eq=False)
class Design:
    """Levels of every option that varies, by run.

    Parameters
    ----------
    terms : tuple of Terms
        One per run.
    options : tuple of str
        Those that vary, the best known first.
    levels : mapping of option to its levels
        ``off`` first, then by number, then by name.
    codes : ndarray of int, shape (n_runs, n_options)
        The position of each run's level in `levels`.
    blocks : tuple of hashable
        Runs can only be set against each other where this is equal: the validation clips.
    """

    terms: tuple[Terms, ...]
    options: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    codes: NDArray[np.int64]
    blocks: tuple[object, ...]

    def level(self, run: int, option: str) -> str:
        """Return the level of `option` in `run`."""
        return self.levels[option][int(self.codes[run, self.options.index(option)])]

    def differing(self, a: int, b: int) -> tuple[str, ...]:
        """Return the options in which two runs differ."""
        return tuple(o for o, d in zip(self.options, self.codes[a] != self.codes[b], strict=True) if d)

    @cached_property
    def configurations(self) -> tuple[tuple[int, ...], ...]:
        """Runs of equal options, in the order of their first runs."""
        found: dict[object, list[int]] = defaultdict(list)
        for run, term in enumerate(self.terms):
            found[term.levels].append(run)
        return tuple(map(tuple, found.values()))

    @cached_property
    def mixing(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """How far each column of the design matrix is mixed with each other one, and the option of each: `mixing`."""
        return mixing(self.codes, [len(self.levels[option]) for option in self.options])

    @cached_property
    def repeats(self) -> NDArray[np.int64]:
        """A number for everything but options and seeds: split and validation clips."""
        return _numbered([(term.split, block) for term, block in zip(self.terms, self.blocks, strict=True)])


def design_of(params: Sequence[Mapping[str, str]], blocks: Sequence[object] | None = None) -> Design:
    """Find the options that vary among runs.

    Parameters
    ----------
    params : sequence of mapping of str to str
        One per run.
    blocks : sequence of hashable, optional
        One per run: runs of equal block were judged on the same validation clips. By default all were.

    Returns
    -------
    Design
    """
    terms = tuple(terms_of(p) for p in params)
    tables = _chosen([dict(term.levels) for term in terms])
    names = {name for table in tables for name in table}
    levels: dict[str, tuple[str, ...]] = {}
    for name in sorted(names, key=_option_order):
        found = tuple(sorted({table.get(name, OFF) for table in tables}, key=level_order))
        if len(found) > 1:
            levels[name] = found
    places = {name: {level: i for i, level in enumerate(found)} for name, found in levels.items()}
    codes = np.array([[places[o][table.get(o, OFF)] for o in levels] for table in tables], dtype=np.int64)
    blocks = tuple(blocks) if blocks is not None else (None,) * len(terms)
    return Design(terms, tuple(levels), levels, codes.reshape(len(terms), len(levels)), blocks)


def _chosen(tables: list[dict[str, str]]) -> list[dict[str, str]]:
    """Drop what goes with a choice: an optimizer's or an estimator's own params where they are the same whenever it is.

    Momentum comes with one optimizer and betas with another: that is one option, not many that changed together.
    """
    for chooser in (*CHOOSERS, _ESTIMATOR):
        choices = [table.get(chooser, OFF) for table in tables]
        if len(set(choices)) > 1:
            scope = chooser.removesuffix("name") if chooser in CHOOSERS else ""
            own = {name for table in tables for name in table if name.startswith(scope) and name != chooser}
            gone = {name for name in own if _goes_with(tables, choices, name, everywhere=chooser == _ESTIMATOR)}
            tables = [{name: level for name, level in table.items() if name not in gone} for table in tables]
    return tables


def _goes_with(tables: Sequence[Mapping[str, str]], choices: Sequence[str], name: str, *, everywhere: bool) -> bool:
    """Tell whether an option is at one level for each choice, and for one of them off, unless `everywhere`."""
    levels: dict[str, set[str]] = defaultdict(set)
    for table, choice in zip(tables, choices, strict=True):
        levels[choice].add(table.get(name, OFF))
    return all(len(found) == 1 for found in levels.values()) and (everywhere or {OFF} in levels.values())


def _numbered(keys: Sequence[object]) -> NDArray[np.int64]:
    """Return a number per key, equal for equal keys."""
    places: dict[object, int] = {}
    return np.array([places.setdefault(key, len(places)) for key in keys], dtype=np.int64)


def _option_order(name: str) -> tuple[int, str]:
    return (_FIRST.index(name) if name in _FIRST else len(_FIRST)), name
