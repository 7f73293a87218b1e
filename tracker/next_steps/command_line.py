"""Commands that train further runs, as lists of arguments; whoever prints one quotes it for a shell.

A run of another program has no command, nor has one with a param that isn't an option of ``tracker run`` or a value
that its option doesn't take: ``tracker run`` would train something else. Nor has one of more than `MOST_PARAMS` params.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tracker.runs import (
    DEFAULT_EXPERIMENT,
    LOGGED_OPTIONS,
    OFF,
    RUN_OPTIONS,
    Configuration,
    OfNetwork,
    Role,
    as_number,
    is_of_library,
    option_named,
    plan_with,
    plans_under,
    reserved_for,
    value_text,
)
from tracker.study.options import NETWORK, level_text, terms_of
from tracker.study.param_roles import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from tracker.runs import Run, RunPlan
    from tracker.runs.planned import ParseOptions

Argv = tuple[str, ...]

DEMO = "demo"  # the tag ``tracker.data`` of a run on the built-in demo set

MOST_PARAMS = 200  # of a run that has a command: nobody reads, and few shells take, a longer one

_DATA_VARIABLE = option_named("data").environment

_MODEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MODEL_FILE = re.compile(r".+\.py")
_NETWORK_OPTION = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True, slots=True)
class Where:
    """What a command has to name so that it reaches the same store and data from the current folder."""

    tracking_uri: str | None = None  # the store's; None if it is the default one here
    experiment: str = DEFAULT_EXPERIMENT  # the one of a command that names none; empty if the environment decides it
    folder: str | None = None  # absolute, that relative paths of data and networks start from; None for the current one
    data_in_environment: bool = False  # whether the environment names data, which would replace the demo set
    set_by_environment: frozenset[str] = frozenset()  # options that it sets: a command names them at their default too
    networks: Mapping[str, str] = field(default_factory=dict)  # that only `folder` has, with their paths from there
    # what each built-in network adds to a plan: a command need not repeat its options' defaults, and keeps to the rest
    built_in: Mapping[str, OfNetwork] = field(default_factory=dict)


HERE = Where()  # the default store and data of the current folder


@dataclass(frozen=True, slots=True)
class CommandWriter:
    """Writes the commands that train runs of one experiment."""

    experiment: str
    where: Where = HERE

    def train_again(
        self,
        run: Run,
        changes: Mapping[str, str],
        seed: int,
        seeds: int = 1,
        *,
        data: str | None = None,
        split: Mapping[str, str] | None = None,
    ) -> Argv | None:
        """Return the command that trains as a run was trained but for some changes; None if there is none.

        Changes and the split are levels by option or part of the split; `data` and `split` are the run's own if not
        given. Seeds are `seeds` consecutive ones from `seed` on, which is at least 0.
        """
        if len(run.params) > MOST_PARAMS:
            return None
        own = (level for name, level in changes.items() if name not in LOGGED_OPTIONS)
        # off would be at its default in this network
        if not run.is_in_format or (NETWORK not in changes and OFF in own):
            return None
        # what is named as another program's bookkeeping is an option of this network
        if any(BY_NAME.of(name) is Role.COMMAND for name in run.params.keys() - LOGGED_OPTIONS.keys()):
            return None
        terms = terms_of(run.params)
        levels = {**dict(terms.levels), **(dict(terms.split) if split is None else split), **changes}
        model = levels.get("model", "")
        network = self.where.built_in.get(model, OfNetwork())
        defaults = {name: level_text(value_text(value)) for name, value in network.options}
        own_levels = {name: level for name, level in levels.items() if name not in LOGGED_OPTIONS}
        if self.where.folder and model in self.where.networks:
            levels["model"] = self._path(self.where.networks[model])
        elif _MODEL_FILE.fullmatch(model):
            levels["model"] = self._path(model)
        try:
            _check(levels, network)
            return (
                *self._start(data or run.tags.get("tracker.data", DEMO)),
                *_common(levels, Role.CONFIGURATION, self.where.set_by_environment),
                *_of_network({name: level for name, level in own_levels.items() if defaults.get(name) != level}, run),
                *_common(levels, Role.SPLIT),
                *(_pair("--seed", str(seed)) if seed else ()),
                *(_pair("--seeds", str(seeds)) if seeds > 1 else ()),
                *(_pair("--experiment", self.experiment) if self.experiment != self.where.experiment else ()),
                *(_pair("--tracking-uri", self.where.tracking_uri) if self.where.tracking_uri else ()),
            )
        except ValueError:
            return None

    def _start(self, data: str) -> Argv:
        """Return the command's name and its data."""
        if data == DEMO:
            unset = ("env", f"{_DATA_VARIABLE}=") if self.where.data_in_environment else ()
            return (*unset, "tracker", "run")
        return ("tracker", "run", *_pair("--data", self._path(data)))

    def _path(self, path: str) -> str:
        """Return a path from the current folder, without ``.`` and leading ``..`` if it is from another one."""
        if self.where.folder is None or path.startswith("/") or is_of_library(path):
            return path
        folder, steps = self.where.folder.rstrip("/"), [step for step in path.split("/") if step not in {"", "."}]
        while steps[:1] == [".."]:
            folder, steps = folder.rpartition("/")[0], steps[1:]
        return "/".join([folder, *steps])


def shell_line(commands: Iterable[Sequence[str]]) -> str:
    """Return commands as one line for a POSIX shell, each run only if the one before succeeds; empty for none."""
    return " && ".join(map(shlex.join, commands))


@dataclass(frozen=True, slots=True)
class TrainCommand:
    """What a command trains, and where; None for what it doesn't name."""

    plans: tuple[RunPlan, ...]
    data: str | None  # the demo set if None, whatever the environment names
    experiment: str | None
    tracking_uri: str | None


def read_command(words: Sequence[str], parse_options: ParseOptions) -> TrainCommand:
    """Return what a command of a `CommandWriter` trains.

    `parse_options` takes a network's name and its options as texts, and returns them as values.
    """
    given = dict(_given(words[words.index("run") + 1 :]))
    values: dict[str, object] = {}
    for entry in RUN_OPTIONS:
        if (text := given.pop(entry.flag, None)) is not None:
            values[entry.name] = entry.parse(text)
    own = {flag.removeprefix("--").replace("-", "_"): text for flag, text in given.items()}
    plan = plan_with(values, parse_options(str(values.get("model", Configuration().model)), own))
    place = (values.get(name) for name in ("data", "experiment", "tracking_uri"))
    seeds = values.get("seeds", 1)
    assert isinstance(seeds, int)  # noqa: S101  (as the table has it)
    return TrainCommand(plans_under(plan, seeds), *(None if name is None else str(name) for name in place))


def _given(words: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Yield each option of a command with its value, which is tied to it or the next word."""
    following = iter(words)
    for word in following:
        flag, equals, value = word.partition("=")
        yield flag, value if equals else next(following)


def _common(levels: Mapping[str, str], role: Role, named: Container[str] = ()) -> Iterable[str]:
    """Yield the options that every network has, without those at their defaults but for those that are to be named.

    Raises ValueError for a bad level.
    """
    for entry in (entry for entry in LOGGED_OPTIONS.values() if entry.role is role):
        level = levels.get(entry.name, entry.text(entry.default) if entry.implied else OFF)
        if level != OFF:
            if entry.name == "model" and not (_MODEL.fullmatch(level) or _MODEL_FILE.fullmatch(level)):
                raise ValueError(f"the {entry.words} must be a name, got {level!r}")
            value = entry.from_level(level)
            if entry.always or value != entry.default or entry.name in named:
                yield from _pair(entry.flag, entry.text(value))
        elif entry.always and not (entry.of_some and NETWORK in levels):
            raise ValueError(f"the {entry.words} is missing")


def _check(levels: Mapping[str, str], network: OfNetwork) -> None:
    """Raise ValueError if options don't go together, or the network doesn't take one."""
    given = {name: level for name, level in levels.items() if name in LOGGED_OPTIONS and level != OFF}
    plan_with({name: LOGGED_OPTIONS[name].from_level(level) for name, level in given.items()}, network)


def _of_network(levels: Mapping[str, str], run: Run) -> Iterable[str]:
    """Yield the network's own options; raise ValueError for what can be none."""
    for name, level in sorted(levels.items()):
        if level != OFF:
            known = "tracker.version" in run.tags and _NETWORK_OPTION.fullmatch(name) and not reserved_for(name)
            if not known or (as_number(level) is None and not _WORD.fullmatch(level)):
                raise ValueError(f"no option of a network: {name} at {level!r}")
            yield from _pair(f"--{name.replace('_', '-')}", level)


def _pair(flag: str, value: str) -> Argv:
    """Return an option and its value; a value that begins like an option is tied to its own."""
    if not value or not value.isprintable():
        raise ValueError(f"{flag} cannot be {value!r}")
    return (f"{flag}={value}",) if value.startswith("-") else (flag, value)
