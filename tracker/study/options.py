"""What an experiment varied: its options, their levels, the level of each run, and which effects are aliased.

A param's value is a level: text that is equal if the values are, so that numbers that parse equal are one level, and
what is not set is at the level ``off``. Params are options, seeds or parts of the split; the rest says nothing about
what was trained. A plateau's factor and patience are one option. Seeds, splits and folds repeat an experiment and are
never options.

Networks have options of their own. One is a factor only among runs of networks that have it: for the others it has no
level, not even ``off``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tracker.runs import FEATURE_OPTIONS, LOGGED_OPTIONS, OFF, Role, as_number, has_features_of_network, number_text
from tracker.study.param_roles import BY_NAME, FOLD, ParamRoles, is_fold, param_roles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

NOT_APPLICABLE = "–"  # shown instead of a level for a run whose network does not have the option
NETWORK = "model"
PLATEAU = "plateau"
_NO_LEVEL = ""  # `level_text` never returns it

_UNSET = ("", "none", "null", OFF)
_SMALLEST, LARGEST = 1e-12, 1e15  # numbers beyond are kept as they were logged rather than written digit by digit
MOST_COUNTED = 10**9  # clips, epochs or anything else of a run: more is a mistake, and takes for ever to analyse
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
        is_truth = text.lower() in ("true", "false")
        return text.lower() if is_truth else _in_order(text) or _OBJECT.sub(r"\1\2", text)
    if number == int(number) and abs(number) < LARGEST:
        return str(int(number))
    if not _SMALLEST < abs(number) < LARGEST:
        return repr(number)
    short = float(f"{number:.{_FLOAT32_DIGITS}g}")  # what a float32 of many digits stands for
    return number_text(short if float(np.float32(short)) == number else number)


def _in_order(text: str) -> str | None:
    """Return a flat dictionary, as Python prints it, with its keys in order; None for other text."""
    items = _ITEM.findall(text) if text.startswith("{") else []
    return f"{{{', '.join(sorted(items))}}}" if f"{{{', '.join(items)}}}" == text else None


def level_order(level: str) -> tuple[int, tuple[float, ...], str]:
    """Return the key that sorts levels: ``off``, then numbers (a plateau by factor, then patience), then text."""
    parts = level.split("x")
    numbers = tuple(number for part in parts if (number := as_number(part)) is not None)
    if level == OFF:
        return 0, (), ""
    return (1, numbers, "") if len(numbers) == len(parts) else (2, (), level)


def as_whole(text: str | float | None, least: int = 0) -> int | None:
    """Return the whole number of at least `least`, and at most `MOST_COUNTED`, that `text` says, or None."""
    number = None if text is None else as_number(text)
    return int(number) if number is not None and number == int(number) and least <= number <= MOST_COUNTED else None


_SPLIT = tuple(entry.name for entry in LOGGED_OPTIONS.values() if entry.role is Role.SPLIT)
# What Keras' autologging calls the optimizer; the params that begin so are the optimizer's own.
CHOOSERS = ("optimizer_name", "opt_name")
_ITEM = re.compile(r"'[^'\\]*': (?:'[^'\\]*'|\[[^][]*\]|[\w.+-]+)")  # of a dictionary
_COUNTER = re.compile(r"_\d+$")  # Keras numbers the optimizers that one program makes: ``adam``, ``adam_1``
_OBJECT = re.compile(r"<(?:function )?([\w.]+)[^<>]* at 0x[0-9a-fA-F]+>|<class '([\w.]+)'>")  # as Python prints one
_ARGUMENTS = re.compile(r"(?<=\w)\([^()]*\)")  # of the innermost calls in a text
_PART = re.compile(r"\(['\"][^'\"]*['\"], ([\w.]+)")  # of a pipeline: its name and what it is
_PARTS = ("steps", "transformers", "transformer_list", "estimators")  # which scikit-learn logs as such lists
_ESTIMATOR = "estimator_name"  # what scikit-learn's autologging calls it; all its params are the estimator's own
_ALIASED = 1e-8  # entries of the projection below this are rounding of zero
_MOST_COLUMNS = 300  # a design matrix with more codes an option by its level's position, not by a column a level
_NAMEABLE = re.compile(r"[\w.+/-]{1,40}", re.ASCII)  # levels that name a run
_MOST_COMPARED = 30  # options up to which it is tried whether one says the same as another
_MOST_NAMED = 4  # options that name a run of another program if none of those that vary does
MOST_ALIASES = 100  # options that are named as aliased with one
_COMPOUND = {entry.name: entry.params for entry in LOGGED_OPTIONS.values() if len(entry.params) > 1}
_ALWAYS = frozenset(name for name, entry in LOGGED_OPTIONS.items() if entry.always)
# Those that are no other program's too.
_OWN = frozenset(name for name, entry in LOGGED_OPTIONS.items() if not entry.implied) - FEATURE_OPTIONS
_CAN_BE_OFF = frozenset(name for name in _OWN if LOGGED_OPTIONS[name].default is None)
_IMPLIED = {e.name: str(e.default) for e in LOGGED_OPTIONS.values() if e.implied and e.default is not None}
# Those that a run of tracker lacks if its network does.
_OF_SOME = frozenset(name for name, entry in LOGGED_OPTIONS.items() if entry.of_some)
# The params of every run that tracker trained.
_LOGGED = frozenset(name for name in _OWN if LOGGED_OPTIONS[name].default is not None) - _OF_SOME
_ORDER = {name: place for place, name in enumerate(LOGGED_OPTIONS)}


@dataclass(frozen=True, slots=True)
class Terms:
    """The params of one run, as (name, value), sorted by what they are."""

    levels: tuple[tuple[str, str], ...]  # by option, without those that are off
    seed: tuple[tuple[str, str], ...]  # what repeats the training; empty if no seed was logged
    split: tuple[tuple[str, str], ...]  # what decides the validation clips
    unset: frozenset[str] = field(default=frozenset(), compare=False)  # options that were logged as off

    @property
    def single_seed(self) -> str | None:
        """The seed, whatever its param is called; None if there is none, or several differ."""
        values = {value for _, value in self.seed}
        return values.pop() if len(values) == 1 else None


def terms_of(params: Mapping[str, str], roles: ParamRoles = BY_NAME) -> Terms:
    """Sort a run's params, as they were logged, into options, seed and split."""
    levels: dict[str, str] = {}
    seed, split, unset = [], [], []
    owners = frozenset(name.rpartition("__")[0] for name in params if "__" in name)
    folds = [name for name in params if is_fold(name)]
    without = FEATURE_OPTIONS if has_features_of_network(params) else frozenset()
    for name, value in sorted(params.items()):
        if name in without:
            continue
        role, level = roles.of(name), level_text(_COUNTER.sub("", value) if name in CHOOSERS else value)
        if role is Role.SPLIT:
            split.append((FOLD if folds == [name] else name, level))
        elif role is Role.SEED:
            seed += [(name, level)] if level != OFF else []
        elif role is Role.CONFIGURATION and level == OFF:
            unset.append(name)
        elif role is Role.CONFIGURATION:
            levels[name] = _own_part(name, level, owners) if owners else level
    for name, parts in _COMPOUND.items():
        if not levels.keys().isdisjoint(parts):
            levels[name] = "x".join(levels.pop(part, "?") for part in parts)
    return Terms(tuple(sorted(levels.items())), tuple(seed), tuple(sorted(split)), frozenset(unset))


def _own_part(name: str, level: str, owners: frozenset[str]) -> str:
    """Return what an object's text says beyond its params, which are logged one by one: its class.

    ``LogisticRegression`` of ``LogisticRegression(C=0.1)``, ``StandardScaler+SVC`` of a pipeline's steps.
    """
    if "(" not in level or (name not in owners and name.rpartition("__")[2] not in _PARTS):
        return level
    short = level
    while (shorter := _ARGUMENTS.sub("", short)) != short:
        short = shorter
    return (name not in owners and "+".join(_PART.findall(short))) or short.partition("(")[0]


@dataclass(frozen=True, eq=False)
class Design:
    """Levels of every option that varies, by run."""

    terms: tuple[Terms, ...]  # one per run
    options: tuple[str, ...]  # those that vary, the best known first
    levels: Mapping[str, tuple[str, ...]]  # of each of those: ``off`` first, then by number, then by name
    codes: NDArray[np.int64]  # (n_runs, n_options): place of the run's level in `levels`, -1 if its network has none
    blocks: tuple[object, ...]  # the validation clips: runs can only be compared if this is equal
    roles: ParamRoles = BY_NAME

    @cached_property
    def column_of(self) -> Mapping[str, int]:
        """The column of each option that varies in `codes`."""
        return {option: column for column, option in enumerate(self.options)}

    def level(self, run: int, option: str) -> str:
        """Return the level of `option` in `run`, `NOT_APPLICABLE` if its network does not have it."""
        code = int(self.codes[run, self.column_of[option]])
        return self.levels[option][code] if code >= 0 else NOT_APPLICABLE

    def shown_level(self, run: int, option: str) -> str:
        """Return the level of an option that varies as a table of runs has it.

        A param that another program logged as None is none, and one that it did not log may be of another method.
        """
        level, terms = self.level(run, option), self.terms[run]
        if level != OFF or option in _OWN or self.is_usual(run):
            return level
        return "none" if option in terms.unset else NOT_APPLICABLE

    def is_usual(self, run: int) -> bool:
        """Return whether a run logged what every run of `tracker run` does."""
        return any(name in _ALWAYS for name, _ in self.terms[run].levels)

    def has(self, run: int, option: str) -> bool:
        """Return whether an option that varies is one of the run's network."""
        return bool(self.codes[run, self.column_of[option]] >= 0)

    @cached_property
    def split_parts(self) -> tuple[str, ...]:
        """The parts of the split that vary, such as the fold, but for which data set it is."""
        others = {part for term in self.terms for part, _ in term.split} - {*_SPLIT} - self.roles.of_data
        return tuple(
            part
            for part in (*_SPLIT, *sorted(others))
            if len({self.split_level(run, part) for run in range(len(self.terms))}) > 1
        )

    def split_level(self, run: int, part: str) -> str:
        """Return what a run has of a part of the split, `OFF` if it was not logged."""
        return dict(self.terms[run].split).get(part, OFF)

    def naming(self, run: int) -> tuple[str, ...]:
        """Return the options that set a run apart: those that vary.

        An option that a run of another program did not log is not among them: it is unknown, or of another method. If
        none is left of such a run, the first that it logged.
        """
        is_usual, own = self.is_usual(run), [name for name, _ in self.terms[run].levels]
        known = _CAN_BE_OFF.union(own, self.terms[run].unset)
        varying = [
            option
            for option, code in zip(self.options, self.codes[run].tolist(), strict=True)
            if code >= 0 and (option in known or (is_usual and option not in _OWN))
        ]
        if self._said_by:
            varying = [o for o in varying if self._said_by.get(o, frozenset()).isdisjoint(varying)]
        return tuple(varying or ([] if is_usual else own[:_MOST_NAMED]))

    @cached_property
    def _said_by(self) -> Mapping[str, frozenset[str]]:
        """The options that say the same as one whose levels are too long to name it by.

        So an estimator's own text repeats the params that it was made of.
        """
        if len(self.options) > _MOST_COMPARED:
            return {}
        short = [option for option in self.options if all(map(_NAMEABLE.fullmatch, self.levels[option]))]
        codes = {option: self.codes[:, column] for option, column in self.column_of.items()}
        return {
            long: frozenset(o for o in short if len(np.unique(np.column_stack([codes[o], codes[long]]), axis=0))
                            == len(np.unique(codes[o])))
            for long in self.options if long not in short
        }  # fmt: skip

    def differing(self, a: int, b: int) -> tuple[str, ...]:
        """Return the options in which two runs differ, of those that the networks of both have."""
        differ = (self.codes[a] != self.codes[b]) & (np.minimum(self.codes[a], self.codes[b]) >= 0)
        return tuple(o for o, d in zip(self.options, differ, strict=True) if d)

    @property
    def chooser(self) -> str:
        """The option that decides which others a run has: its network, or its estimator."""
        return NETWORK if NETWORK in self.options else _ESTIMATOR

    @cached_property
    def nested(self) -> NDArray[np.intp]:
        """The columns of options that only some of the networks have."""
        return np.flatnonzero((self.codes < 0).any(axis=0))

    @cached_property
    def configurations(self) -> tuple[tuple[int, ...], ...]:
        """Runs of equal options, in the order of their first runs; a run without any param is one by itself."""
        runs_of: dict[object, list[int]] = defaultdict(list)
        for run, term in enumerate(self.terms):
            runs_of[term.levels if self.is_known(run) else run].append(run)
        return tuple(map(tuple, runs_of.values()))

    def is_known(self, run: int) -> bool:
        """Return whether a run logged any param that says how it was trained."""
        term = self.terms[run]
        return bool(term.levels or term.seed or term.split or term.unset)

    def aliases(self, option: str) -> tuple[str, ...]:
        """Return the options, in the design's order, whose effects cannot be separated from that of one that varies.

        If effects simply add up, those that share the option's part of the null space of the design matrix. If none
        does, the option was still never varied alone if it has no contrast: then every other option that varies. Of
        more than `MOST_ALIASES`, the first.
        """
        column = self.column_of[option]
        aliased = [other for other in self._aliased_with(self.codes[:, column].tobytes(), column) if other != column]
        if not aliased:
            aliased = [other for other in range(min(len(self.options), MOST_ALIASES + 1)) if other != column]
        return tuple(self.options[other] for other in aliased[:MOST_ALIASES])

    def _aliased_with(self, codes: bytes, column: int) -> Sequence[int]:
        """Return the first columns aliased with one, maybe itself: the same for all of equal codes."""
        row_space, owners = self._row_space
        if codes not in self._aliased:
            mixed = np.abs(row_space[owners == column] @ row_space.T).max(axis=0) > _ALIASED
            mixed &= owners >= 0
            self._aliased[codes] = np.unique(owners[mixed])[: MOST_ALIASES + 1].tolist()
        return self._aliased[codes]

    @cached_property
    def _aliased(self) -> dict[bytes, list[int]]:
        return {}

    @cached_property
    def _row_space(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """A basis of the design matrix's row space, shape (n_columns, rank), and the option of each column.

        Columns whose rows in it are not orthogonal cannot be estimated apart. An option is given by its place, the
        constant by -1.
        """
        codes = np.unique(np.maximum(self.codes, 0), axis=0)  # an option of some networks adds nothing in the others
        sizes = [len(self.levels[option]) for option in self.options]
        columns = [codes[:, [i]].astype(float) for i in range(len(sizes))]
        if sum(sizes) <= _MOST_COLUMNS:
            columns = [np.equal(codes[:, [i]], np.arange(1, size)).astype(float) for i, size in enumerate(sizes)]
        matrix = np.hstack([np.ones((len(codes), 1)), *columns])
        owners = np.repeat(np.arange(-1, len(columns)), [1, *(column.shape[1] for column in columns)])
        _, sizes_of, rows = np.linalg.svd(matrix, full_matrices=False)
        rank = int((sizes_of > sizes_of[0] * max(matrix.shape) * np.finfo(float).eps).sum())
        return rows[:rank].T, owners

    @cached_property
    def ranks_without(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The settings on either side of each option, by which runs are sorted that differ in nothing else.

        Two arrays of the shape (n_options + 1, n_runs): the rank of each run by `repeats` and the options before a
        place, and by those from it on. They make the time that all options take linear in their number.
        """
        before, after = [_ranks(self.repeats)], [np.zeros(len(self.terms), dtype=np.int64)]
        for column in range(len(self.options)):
            before.append(_ranks(before[-1], self.codes[:, column]))
            after.append(_ranks(self.codes[:, -1 - column], after[-1]))
        return np.array(before), np.array(after[::-1])

    @cached_property
    def repeats(self) -> NDArray[np.int64]:
        """A number for everything but options and seeds: split and validation clips."""
        numbers: dict[object, int] = {}
        keys = [(term.split, block) for term, block in zip(self.terms, self.blocks, strict=True)]
        return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def _ranks(*keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each run's rank by one key, or by two, the first before the second; equal runs have equal ranks."""
    joined = keys[0] if len(keys) == 1 else keys[0] * (int(keys[1].max(initial=0)) + 2) + keys[1] + 1
    ranks: NDArray[np.int64] = np.unique(joined, return_inverse=True)[1].astype(np.int64)
    return ranks


def design_of(
    params: Sequence[Mapping[str, str]], blocks: Sequence[object] | None = None, roles: ParamRoles | None = None
) -> Design:
    """Return the options that vary among runs, given their params and what these decide, by default by themselves.

    Runs of equal block were judged on the same validation clips; by default all were.
    """
    roles = roles or param_roles(params)
    terms = _with_implied(params, _without_lacked(params, [terms_of(p, roles) for p in params]))
    logged = zip(_lacking(params, terms), _without_dependents([dict(term.levels) for term in terms]), strict=True)
    tables = [dict.fromkeys(lacking, _NO_LEVEL) | table for lacking, table in logged]
    levels: dict[str, tuple[str, ...]] = {}
    columns: list[list[int]] = []
    names = {name for table in tables for name in table}
    for name in sorted(names, key=lambda name: (_ORDER.get(name, len(_ORDER)), name)):
        of_run = [table.get(name, OFF) for table in tables]
        of_option = sorted(set(of_run) - {_NO_LEVEL}, key=level_order)
        if len(of_option) > 1:
            levels[name] = tuple(of_option)
            code = {_NO_LEVEL: -1} | {level: i for i, level in enumerate(of_option)}
            columns.append([code[level] for level in of_run])
    codes = np.array(columns, dtype=np.int64).reshape(len(levels), len(terms)).T
    blocks = tuple(blocks) if blocks is not None else (None,) * len(terms)
    return Design(terms, tuple(levels), levels, codes, blocks, roles)


def _without_lacked(params: Sequence[Mapping[str, str]], terms: Sequence[Terms]) -> list[Terms]:
    """Return the terms without an option's default if another run of tracker shows that the network lacks the option.

    Earlier versions logged it for every network.
    """
    had: dict[tuple[str, str], set[str | None]] = defaultdict(set)
    for of_run in filter(_is_by_tracker, params):
        for name in _OF_SOME:
            had[of_run[NETWORK], name].add(of_run.get(name))
    gone = {key for key, values in had.items() if values == {None, str(LOGGED_OPTIONS[key[1]].default)}}

    def kept(term: Terms, of_run: Mapping[str, str]) -> Terms:
        if not _is_by_tracker(of_run):
            return term
        return replace(term, levels=tuple(level for level in term.levels if (of_run[NETWORK], level[0]) not in gone))

    return [*map(kept, terms, params)] if gone else [*terms]


def _with_implied(params: Sequence[Mapping[str, str]], terms: Sequence[Terms]) -> tuple[Terms, ...]:
    """Return the terms, those of runs that tracker trained with the implied defaults of options that others logged."""
    logged = {name for term in terms for name, _ in term.levels}
    implied = {name: level for name, level in _IMPLIED.items() if name in logged}

    def added(term: Terms, of_run: Mapping[str, str]) -> Terms:
        if not _is_by_tracker(of_run):
            return term
        without = FEATURE_OPTIONS if has_features_of_network(of_run) else frozenset()
        own = {name: level for name, level in implied.items() if name not in without}
        return replace(term, levels=tuple(sorted({**own, **dict(term.levels)}.items())))

    return tuple(map(added, terms, params) if implied else terms)


def _is_by_tracker(params: Mapping[str, str]) -> bool:
    """Return whether these are the params of a run that tracker trained."""
    return params.keys() >= _LOGGED


def _lacking(params: Sequence[Mapping[str, str]], terms: Sequence[Terms]) -> list[frozenset[str]]:
    """Return the options of other networks that each run's network does not have: no run of it logged them.

    So of other estimators. A run that doesn't log its network may have any.
    """
    levels = [dict(term.levels) for term in terms]
    networks = [of_run.get(NETWORK) or of_run.get(_ESTIMATOR, OFF) for of_run in levels]
    owned: dict[str, set[str]] = defaultdict(set)
    for network, of_run in zip(networks, params, strict=True):
        owned[network] |= of_run.keys() - _OWN
    own = {name for term in terms for name, _ in term.levels if name not in _OWN}
    lacking = {network: frozenset(own - names) for network, names in owned.items()} | {OFF: frozenset()}

    def lacked(network: str, of_run: Mapping[str, str], had: Mapping[str, str]) -> frozenset[str]:
        features = FEATURE_OPTIONS & own if has_features_of_network(of_run) else frozenset()
        if features or _is_by_tracker(of_run):
            return features | (lacking[network] - LOGGED_OPTIONS.keys()) | (_OF_SOME - had.keys())
        return lacking[network]

    return list(map(lacked, networks, params, levels))


def _without_dependents(tables: list[dict[str, str]]) -> list[dict[str, str]]:
    """Drop an optimizer's or an estimator's own params if they are the same whenever it is chosen.

    Momentum comes with one optimizer and betas with another: that is one option, not many that changed together.
    """
    for chooser in (*CHOOSERS, _ESTIMATOR):
        choices = [table.get(chooser, OFF) for table in tables]
        if len(set(choices)) > 1:
            scope = chooser.removesuffix("name") if chooser in CHOOSERS else ""
            own = {name for table in tables for name in table if name.startswith(scope) and name != chooser}
            gone = set()
            for name in own:
                levels = {(choice, table.get(name, OFF)) for choice, table in zip(choices, tables, strict=True)}
                one_a_choice = len(levels) == len(set(choices))
                if one_a_choice and (chooser == _ESTIMATOR or any(level == OFF for _, level in levels)):
                    gone.add(name)
            tables = [{name: level for name, level in table.items() if name not in gone} for table in tables]
    return tables
