"""What an experiment varied: its options, their levels, the level of each run, and which effects are aliased.

A param's value is a level: text that is equal if the values are, so that numbers that parse equal are one level, and
what is not set is at the level ``off``. Params are options, seeds or parts of the split; the rest says nothing about
what was trained. A plateau's factor and patience are one option. Seeds, splits and folds repeat an experiment and are
never options.

Networks have options of their own. One is a factor only among runs of networks that have it: for the others it has no
level, not even ``off``.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tracker.runs import LOGGED_OPTIONS, Role, number_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

OFF = "off"
NOT_APPLICABLE = "–"  # shown instead of a level for a run whose network does not have the option
NETWORK = "model"
_NO_LEVEL = ""  # `level_text` never returns it

_UNSET = ("", "none", "null", OFF)
_SMALLEST, _LARGEST = 1e-12, 1e15  # numbers beyond are kept as they were logged rather than written digit by digit
_FLOAT32_DIGITS = 7  # decimal digits that a float32 has: more are of its binary form


@lru_cache(maxsize=65_536)
def level_text(value: str) -> str:
    """Return a param's value, as it was logged, so that equal values are equal text.

    ``0.0001`` for ``1e-4`` and for the float32 ``9.999999747378752e-05``, ``off`` for ``None``, ``true`` for ``True``;
    other text as it is.
    """
    text = value.strip()
    if text.lower() in _UNSET:
        return OFF
    number = as_number(text)
    if number is None:
        return text.lower() if text.lower() in ("true", "false") else text
    if number == int(number) and abs(number) < _LARGEST:
        return str(int(number))
    if not _SMALLEST < abs(number) < _LARGEST:
        return repr(number)
    short = float(f"{number:.{_FLOAT32_DIGITS}g}")  # what a float32 of many digits stands for
    return number_text(short if float(np.float32(short)) == number else number)


def level_order(level: str) -> tuple[int, tuple[float, ...], str]:
    """Return the key that sorts levels: ``off``, then numbers (a plateau by factor, then patience), then text."""
    numbers = [as_number(part) for part in level.split("x")]
    if level == OFF:
        return 0, (), ""
    if all(number is not None for number in numbers):
        return 1, tuple(number for number in numbers if number is not None), ""
    return 2, (), level


def as_number(text: str) -> float | None:
    """Return the finite number that `text` says, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


PLATEAU = "plateau"

_SEVERAL_PARAMS = tuple(entry for entry in LOGGED_OPTIONS.values() if len(entry.params) > 1)
_SPLIT = frozenset(entry.name for entry in LOGGED_OPTIONS.values() if entry.role is Role.SPLIT)
_SEEDS = ("seed", "random_seed", "random_state", "rng_seed", "seed_everything")
_SEED_ENDS = tuple(mark + name for mark in ("_", ".", "/") for name in ("seed", "random_state"))
_MEASURED = ("version", "host", "hostname", "pid", "commit", "timestamp", "deterministic")
_PLACES = (
    "run_name", "run_id", "output_dir", "logging_dir", "log_dir", "save_dir", "checkpoint_dir", "default_root_dir",
)  # fmt: skip
# What Keras' autologging calls the optimizer; the params that begin so are the optimizer's own.
CHOOSERS = ("optimizer_name", "opt_name")
_COUNTER = re.compile(r"_\d+$")  # Keras numbers the optimizers that one program makes: ``adam``, ``adam_1``


@dataclass(frozen=True, slots=True)
class Terms:
    """The params of one run, sorted by what they are.

    Parameters
    ----------
    levels : tuple of (option, level)
        Sorted; without the options that are off.
    seed : tuple of (name, value)
        What repeats the training; empty if no seed was logged.
    split : tuple of (name, value)
        What decides the validation clips.
    """

    levels: tuple[tuple[str, str], ...]
    seed: tuple[tuple[str, str], ...]
    split: tuple[tuple[str, str], ...]


def terms_of(params: Mapping[str, str]) -> Terms:
    """Sort a run's params, as they were logged, into options, seed and split."""
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
    return Terms(tuple(sorted(_joined(levels).items())), tuple(seed), tuple(split))


def _joined(levels: dict[str, str]) -> dict[str, str]:
    """Join the params of one option, such as a plateau's two, into one level."""
    for entry in _SEVERAL_PARAMS:
        parts = [levels.pop(name, None) for name in entry.params]
        if any(parts):
            levels[entry.name] = "x".join(part or "?" for part in parts)
    return levels


def _is_seed(name: str) -> bool:
    return name in _SEEDS or (name.endswith(_SEED_ENDS) and name not in _SPLIT)


_ALIASED = 1e-8  # entries of the projection below this are rounding of zero
_MOST_COLUMNS = 300  # a design matrix with more codes an option by its level's position, not by a column a level


def aliases(design: Design, option: str) -> tuple[str, ...]:
    """Return the options, in the design's order, whose effects cannot be separated from that of one that varies.

    If effects simply add up, those that share the option's part of the null space of the design matrix. If none does,
    the option was still never varied alone if it has no contrast: then every other option that varies.
    """
    others = tuple(name for name in design.options if name != option)
    mixed_by, owners = design.alias_matrix
    mine = owners == design.options.index(option)
    mixed = mixed_by[mine].max(axis=0) > _ALIASED
    aliased = {design.options[owner] for owner in owners[mixed & ~mine] if owner >= 0}
    return tuple(name for name in others if name in aliased) or others


def alias_matrix(codes: NDArray[np.int64], sizes: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return how strongly the columns of the design matrix are aliased with each other, and the option of each column.

    Parameters
    ----------
    codes : ndarray of int, shape (n_runs, n_options)
        As in `Design`.
    sizes : sequence of int, length n_options
        The number of levels of each option.

    Returns
    -------
    mixed : ndarray, shape (n_columns, n_columns)
        How far the projection on the row space is from leaving each column fixed; 0 if it can be estimated apart.
    owners : ndarray of int, shape (n_columns,)
        The place of the option that each column codes, -1 for the constant.
    """
    matrix, owners = _design_matrix(codes, sizes)
    return np.abs(np.linalg.pinv(matrix) @ matrix - np.eye(matrix.shape[1])), owners


def _design_matrix(codes: NDArray[np.int64], sizes: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distinct rows of coded levels with a constant, and the option of each column (-1: the constant)."""
    codes = np.unique(np.maximum(codes, 0), axis=0)  # an option nested in some networks adds nothing in the others
    if sum(sizes) > _MOST_COLUMNS:
        columns = [codes[:, [i]].astype(float) for i in range(len(sizes))]
    else:
        columns = [np.equal(codes[:, [i]], np.arange(1, size)).astype(float) for i, size in enumerate(sizes)]
    owners = np.repeat(np.arange(len(columns)), [column.shape[1] for column in columns])
    constant = np.ones((len(codes), 1))
    return np.hstack([constant, *columns]), np.concatenate([[-1], owners])


_ESTIMATOR = "estimator_name"  # what scikit-learn's autologging calls it; all its params are the estimator's own

_ORDER = {name: place for place, name in enumerate(LOGGED_OPTIONS)}


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
        The position of each run's level in `levels`, -1 if its network does not have the option.
    blocks : tuple of hashable
        Runs can only be set against each other where this is equal: the validation clips.
    """

    terms: tuple[Terms, ...]
    options: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    codes: NDArray[np.int64]
    blocks: tuple[object, ...]

    def level(self, run: int, option: str) -> str:
        """Return the level of `option` in `run`, `NOT_APPLICABLE` if its network does not have it."""
        code = int(self.codes[run, self.options.index(option)])
        return self.levels[option][code] if code >= 0 else NOT_APPLICABLE

    def has(self, run: int, option: str) -> bool:
        """Return whether an option that varies is one of the run's network."""
        return bool(self.codes[run, self.options.index(option)] >= 0)

    def differing(self, a: int, b: int) -> tuple[str, ...]:
        """Return the options in which two runs differ, of those that the networks of both have."""
        differ = (self.codes[a] != self.codes[b]) & (np.minimum(self.codes[a], self.codes[b]) >= 0)
        return tuple(o for o, d in zip(self.options, differ, strict=True) if d)

    @cached_property
    def nested(self) -> NDArray[np.intp]:
        """The columns of options that only some of the networks have."""
        return np.flatnonzero((self.codes < 0).any(axis=0))

    @cached_property
    def configurations(self) -> tuple[tuple[int, ...], ...]:
        """Runs of equal options, in the order of their first runs."""
        runs_of: dict[object, list[int]] = defaultdict(list)
        for run, term in enumerate(self.terms):
            runs_of[term.levels].append(run)
        return tuple(map(tuple, runs_of.values()))

    @cached_property
    def alias_matrix(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """How far each column of the design matrix is aliased with each other one, and the option of each column."""
        return alias_matrix(self.codes, [len(self.levels[option]) for option in self.options])

    @cached_property
    def repeats(self) -> NDArray[np.int64]:
        """A number for everything but options and seeds: split and validation clips."""
        numbers: dict[object, int] = {}
        keys = [(term.split, block) for term, block in zip(self.terms, self.blocks, strict=True)]
        return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def design_of(params: Sequence[Mapping[str, str]], blocks: Sequence[object] | None = None) -> Design:
    """Return the options that vary among runs, given their params.

    Runs of equal block were judged on the same validation clips; by default all were.
    """
    terms = tuple(terms_of(p) for p in params)
    tables = [
        dict.fromkeys(lacking, _NO_LEVEL) | table
        for lacking, table in zip(
            _lacking(params, terms), _without_dependents([dict(term.levels) for term in terms]), strict=True
        )
    ]
    names = {name for table in tables for name in table}
    levels: dict[str, tuple[str, ...]] = {}
    for name in sorted(names, key=lambda name: (_ORDER.get(name, len(_ORDER)), name)):
        of_option = tuple(sorted({table.get(name, OFF) for table in tables} - {_NO_LEVEL}, key=level_order))
        if len(of_option) > 1:
            levels[name] = of_option
    code_of = {
        name: {_NO_LEVEL: -1} | {level: i for i, level in enumerate(of_option)} for name, of_option in levels.items()
    }
    codes = np.array([[code_of[o][table.get(o, OFF)] for o in levels] for table in tables], dtype=np.int64)
    blocks = tuple(blocks) if blocks is not None else (None,) * len(terms)
    return Design(terms, tuple(levels), levels, codes.reshape(len(terms), len(levels)), blocks)


def _lacking(params: Sequence[Mapping[str, str]], terms: Sequence[Terms]) -> list[frozenset[str]]:
    """Return the options of other networks that each run's network does not have: no run of it logged them.

    A run that doesn't log its network may have any.
    """
    networks = [dict(term.levels).get(NETWORK, OFF) for term in terms]
    owned: dict[str, set[str]] = defaultdict(set)
    for network, of_run in zip(networks, params, strict=True):
        owned[network] |= of_run.keys() - LOGGED_OPTIONS.keys()
    own = {name for term in terms for name, _ in term.levels if name not in LOGGED_OPTIONS}
    return [frozenset(own - owned[network]) if network != OFF else frozenset() for network in networks]


def _without_dependents(tables: list[dict[str, str]]) -> list[dict[str, str]]:
    """Drop an optimizer's or an estimator's own params if they are the same whenever it is chosen.

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
    """Return whether an option is at one level for each choice, and for one of them off, unless `everywhere`."""
    levels: dict[str, set[str]] = defaultdict(set)
    for table, choice in zip(tables, choices, strict=True):
        levels[choice].add(table.get(name, OFF))
    return all(len(of_choice) == 1 for of_choice in levels.values()) and (everywhere or {OFF} in levels.values())
