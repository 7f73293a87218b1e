"""What a sweep trains: every combination of the levels of some options, each under several seeds and folds.

Levels are given in words, as on the command line (``3,5,7`` or ``off,0.3,10``), or as values. They are checked option
by option, so that an error can say where; `SweepPlan.runs` puts them together.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, cast

from tracker.runs.options import (
    OFF,
    Compound,
    OptionValue,
    Range,
    Role,
    RunOption,
    Value,
    check_range,
    shown,
    value_text,
    with_type,
)
from tracker.runs.planned import (
    KINDS,
    LOGGED_OPTIONS,
    RUN_OPTIONS,
    SEEDS,
    Configuration,
    Fold,
    Plateau,
    RunPlan,
    plan_with,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracker.runs.planned import ParseOptions

BACKENDS = ("loky", "dask", "ray")  # what runs the worker processes: joblib's own here, or those of a cluster
MOST_RUNS = 10_000
FOLDS = Range(least=2, most=MOST_RUNS)
COUNTS = Range(least=1, most=MOST_RUNS)  # of seeds

Levels = tuple[Value, ...]  # of one option

WRITEUP: tuple[Mapping[str, Value], ...] = (
    {"kernel_size": 7, "learning_rate": 1e-4, "plateau": Plateau(0.3, 10), "early_stopping_patience": 15},
    {"kernel_size": 7, "learning_rate": 1e-4},
    {"kernel_size": 3, "learning_rate": 1e-3, "plateau": Plateau(0.5, 15), "early_stopping_patience": 20},
    {"kernel_size": 5, "learning_rate": 1e-4, "plateau": Plateau(0.1, 5), "early_stopping_patience": 10},
)
"""The four configurations of the writeup that `make demo` trains."""


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """What a sweep was asked for: configurations, each with every combination of the grid's levels.

    Options are by their name in Python, a network's own by theirs; those that aren't given are at their defaults.
    """

    configurations: tuple[Mapping[str, Value], ...] = ({},)
    grid: Mapping[str, Levels] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    folds: int | None = None  # train on each of so many
    is_final: bool = False
    places: tuple[str, ...] = ()  # where each configuration stands, ``sweep.toml, line 4``, if it was read from a file

    def __post_init__(self) -> None:
        for name in self.grid:
            if any(name in configuration for configuration in self.configurations):
                raise ValueError(f"{_called(name)} is set by the configurations already: leave its levels out")
        if self.folds is not None and any("fold" in given for given in (self.grid, *self.configurations)):
            raise ValueError("give the number of folds or the fold, not both")
        size = math.prod(map(len, self.grid.values())) * len(self.configurations) * self.repetitions
        if size > MOST_RUNS:
            raise ValueError(f"a sweep may have at most {MOST_RUNS:,} runs, got {size:,}")

    @property
    def repetitions(self) -> int:
        """How often each configuration is trained: under so many seeds, on so many folds and other splits."""
        splits = (len(levels) for name, levels in self.grid.items() if _role(name) is Role.SPLIT)
        return len(self.seeds) * (self.folds or 1) * math.prod(splits)

    @property
    def varied(self) -> tuple[str, ...]:
        """The options of several levels, in their order in the table, a network's own last."""
        levels = {name: set(values) for name, values in self.grid.items() if _role(name) is Role.CONFIGURATION}
        for name in {name for configuration in self.configurations for name in configuration}:
            levels[name] = {configuration.get(name) for configuration in self.configurations}
        order = [*LOGGED_OPTIONS]
        names = (name for name, values in levels.items() if len(values) > 1)
        return tuple(sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name)))

    def based_on(self, values: Mapping[str, Value]) -> SweepPlan:
        """Return the plan with values for the options that it doesn't set."""
        free = {name: value for name, value in values.items() if name not in self.grid}
        return replace(self, configurations=tuple({**free, **configuration} for configuration in self.configurations))

    def runs(self, parse_options: ParseOptions) -> tuple[RunPlan, ...]:
        """Return a plan for each run; all configurations come under one seed and on one fold before the next.

        `parse_options` takes a network's name and its options as texts, and returns them as values. Of several
        networks or features, those that lack an option that another one has are trained once without it.

        Raises
        ------
        ValueError
            If values don't go together, a network lacks an option, or two configurations are the same.
        """
        by_role = {role: _combinations(self.grid, role) for role in (Role.CONFIGURATION, Role.SPLIT)}
        folds = [{"fold": Fold(k + 1, self.folds)} for k in range(self.folds)] if self.folds else [{}]
        plans: dict[tuple[tuple[str, str], ...], RunPlan] = {}
        first: dict[tuple[tuple[str, str], ...], int] = {}
        try:
            lacking = self._lacking(parse_options)
        except ValueError as error:
            raise ValueError(f"{self._at(0)}{error}") from error
        for seed, split, fold, (place, base), levels in product(
            self.seeds, by_role[Role.SPLIT], folds, enumerate(self.configurations), by_role[Role.CONFIGURATION]
        ):
            given = {**base, **levels, **split, **fold, "seed": seed}
            idle = _idle(given, lacking)
            try:
                plan = _plan({name: value for name, value in given.items() if name not in idle}, parse_options)
            except ValueError as error:
                raise ValueError(f"{self._at(place)}{error}") from error
            key, name = tuple(sorted(plan.params().items())), plan.run_name()
            if key in plans and idle:
                continue
            if key in plans:
                raise ValueError(
                    f"{self._at(place)}a configuration is given twice{self._since(first[key], place)}: {name}"
                )
            plans[key], first[key] = plan, place
        return tuple(plans.values())

    def _lacking(self, parse_options: ParseOptions) -> dict[tuple[str, Value], frozenset[str]]:
        """Return what each of several networks or features lacks of the options that others of them have."""
        networks = {model: parse_options(str(model), {}) for model in self.grid.get("model", ())}
        own = frozenset(name for network in networks.values() for name, _ in network.options)
        lacked = {
            "model": {
                model: network.lacked | own.difference(dict(network.options)) for model, network in networks.items()
            },
            "features": {kind: frozenset(KINDS[str(kind)].ignores) for kind in self.grid.get("features", ())},
        }
        return {
            (name, level): options - frozenset.intersection(*of_levels.values())
            for name, of_levels in lacked.items()
            for level, options in of_levels.items()
        }

    def _at(self, place: int) -> str:
        """Return what an error about a configuration begins with."""
        return f"{self.places[place]}: " if self.places else ""

    def _since(self, first: int, place: int) -> str:
        """Return where a configuration stands already, if that is another line."""
        if not self.places or self.places[first] == self.places[place]:
            return ""
        return f", in {self.places[first].rpartition(', ')[2]} already"


@dataclass(frozen=True, slots=True)
class RunList:
    """Runs that were listed one by one, to be trained as a sweep."""

    plans: tuple[RunPlan, ...]
    varied: tuple[str, ...] = ()
    is_final: bool = False

    @property
    def repetitions(self) -> int:
        """How often the configuration is trained that is trained most often."""
        return max(Counter(plan.trained for plan in {*self.plans}).values())

    def runs(self, _parse_options: ParseOptions) -> tuple[RunPlan, ...]:
        """Return the runs, each once."""
        return tuple(dict.fromkeys(self.plans))


def _combinations(grid: Mapping[str, Levels], role: Role) -> list[dict[str, Value]]:
    names = [name for name in grid if _role(name) is role]
    return [dict(zip(names, levels, strict=True)) for levels in product(*(grid[name] for name in names))]


def _idle(given: Mapping[str, Value], lacking: Mapping[tuple[str, Value], frozenset[str]]) -> set[str]:
    """Return what is given that changes nothing with the network or the features that are given."""
    idle: set[str] = set()
    for name in ("model", "features"):  # in this order, as a network may bring its own features
        if name in given and name not in idle:
            idle |= lacking.get((name, given[name]), frozenset()) & given.keys()
    return idle


def _plan(values: Mapping[str, Value], parse_options: ParseOptions) -> RunPlan:
    model = str(values.get("model", Configuration().model))
    own = {name: value_text(cast("OptionValue", value)) for name, value in values.items() if name not in LOGGED_OPTIONS}
    return plan_with(values, parse_options(model, own))


def _role(name: str) -> Role:
    return LOGGED_OPTIONS[name].role if name in LOGGED_OPTIONS else Role.CONFIGURATION


def _called(name: str) -> str:
    return f"the {LOGGED_OPTIONS[name].words}" if name in LOGGED_OPTIONS else f"option {name}"


def swept_option(name: str) -> str:
    """Return the name of an option that a sweep takes levels of, given any of its names; a network's own as it is.

    Raises
    ------
    ValueError
        If it is one that a whole sweep has once, such as the seed.
    """
    plain = name.removeprefix("--").replace("-", "_")
    for entry in RUN_OPTIONS:
        if plain in entry.spellings:
            if entry.role in {Role.SEED, Role.COMMAND}:
                raise ValueError(f"{name} is no option of a configuration")
            return entry.name
    return plain


def levels_of(name: str, given: object) -> Levels:
    """Return the levels of an option: those of a text, divided by commas, of a list, or a single value.

    Raises
    ------
    ValueError
        If there is none, one is given twice, or one is not of the option's type or out of its range.
    """
    entry = LOGGED_OPTIONS.get(name)
    if entry and entry.whole:
        items: Iterable[object] = [entry.joined(given)]
    elif isinstance(given, str):
        items = _divided(entry, given)
    elif isinstance(given, list | range) or (isinstance(given, tuple) and not _is_compound(entry)):
        items = given
    else:
        items = [given]
    levels = tuple(level_of(name, item) for item in items)
    if not levels:
        raise ValueError(f"{_called(name)} must have at least one level, got none")
    twice = next((level for place, level in enumerate(levels) if level in levels[:place]), None)
    if len({*levels}) < len(levels):
        text = entry.text(twice) if entry else shown(twice)
        raise ValueError(f"each level of {_called(name)} must be given once, got {text} twice")
    return levels


def level_of(name: str, given: object) -> Value:
    """Return one level of an option, given as a value or as a text; raise ValueError if it can't be one."""
    entry = LOGGED_OPTIONS.get(name)
    if entry is None:
        if not isinstance(given, int | float | str | bool) or given == "":
            raise ValueError(f"{_called(name)} must be a number, a text or a truth value, got {shown(given)}")
        return given
    if given is None or given == OFF:
        if entry.default is not None:
            raise ValueError(f"{_called(name)} cannot be off")
        return None
    if issubclass(entry.type, Compound) and isinstance(given, tuple | list):
        return entry.type.from_numbers(given)
    if isinstance(given, str) and entry.type is not str:
        return entry.parse(given)
    entry.check(given)
    return cast("Value", given)


def seeds_of(given: object, first: int = 0) -> tuple[int, ...]:
    """Return the seeds that are asked for: so many from the first on, or a list of them.

    Raises
    ------
    ValueError
        If there is none, one is given twice, or one is out of range.
    """
    if isinstance(given, list | tuple | range):
        seeds = tuple(_whole("a seed", seed, SEEDS) for seed in given)
        if not seeds:
            raise ValueError("there must be at least one seed, got none")
        if len({*seeds}) < len(seeds):
            raise ValueError(f"each seed must be given once, got {', '.join(map(str, seeds))}")
        return seeds
    count = _whole("the number of seeds", given, COUNTS)
    check_range(f"the last of {count} seeds that start at {first}", first + count - 1, SEEDS)
    return tuple(range(first, first + count))


def folds_of(given: object) -> int | None:
    """Return the number of folds; None for none. Raises ValueError if it isn't one."""
    return None if given is None else _whole("the number of folds", given, FOLDS)


def _whole(what: str, value: object, within: Range) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{what} must be a whole number, got {with_type(value)}")  # noqa: TRY004  (one kind of error)
    check_range(what, value, within)
    return value


def _is_compound(entry: RunOption | None) -> bool:
    return entry is not None and issubclass(entry.type, Compound)


def _divided(entry: RunOption | None, text: str) -> Sequence[str]:
    """Divide levels at commas; of numbers that a comma joins, as in a plateau, so many make one level."""
    parts = [part.strip() for part in text.split(",")]
    if "" in parts:
        raise ValueError(f"a level is empty in {shown(text)}")
    kind = entry.type if entry else None
    if kind is None or not issubclass(kind, Compound) or kind.separator != ",":
        return parts
    size, levels = len(kind.part_types), []
    while parts:
        taken = 1 if parts[0] == OFF else size
        levels.append(",".join(parts[:taken]))
        parts = parts[taken:]
    return levels
