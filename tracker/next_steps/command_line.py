"""Command lines that people will paste: allow-listed options, typed values, quoted for a POSIX shell.

A run that cannot be said so, because a param is no option of ``tracker run`` or a value is not what its option takes,
has no command line; nor has one that another program trained: ``tracker run`` would train something else.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.runs import Configuration, Spectrogram, SplitPlan
from tracker.study.options import OFF, PLATEAU, as_number, terms_of
from tracker.study.run_results import in_format

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracker.runs import Run

DEMO = "demo"
DEFAULT_EXPERIMENT = "tracker"

_NETWORK_OPTION = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_RESERVED = frozenset([
    "assets", "batch_size", "data", "early_stop", "experiment", "fold", "format", "help", "kernel", "lr", "name",
    "note", "output", "reuse", "segment", "seeds", "tracking_uri", "validation_fraction", "version",
])  # fmt: skip
"""What ``tracker run`` or another command takes for itself: no option of a network."""


class _UnsayableError(ValueError):
    """A value is not what its option takes."""


def _whole(least: int) -> Callable[[str], str]:
    def say(level: str) -> str:
        number = as_number(level)
        if number is None or number != int(number) or number < least:
            raise _UnsayableError(level)
        return str(int(number))

    return say


def _above_zero(level: str) -> str:
    number = as_number(level)
    if number is None or number <= 0:
        raise _UnsayableError(level)
    return level


def _fraction(level: str) -> str:
    number = as_number(level)
    if number is None or not 0 <= number < 1:
        raise _UnsayableError(level)
    return level


def _plateau(level: str) -> str:
    factor, _, patience = level.partition("x")
    if not 0 < float(_fraction(factor)) < 1:
        raise _UnsayableError(level)
    return f"{factor},{_whole(1)(patience)}"


def _fold(level: str) -> str:
    number, _, folds = level.partition("/")
    if not 1 <= int(_whole(1)(number)) <= int(_whole(2)(folds)):
        raise _UnsayableError(level)
    return f"{int(number)}/{int(folds)}"


def _keep(level: str) -> str:
    if level not in ("best", "last"):
        raise _UnsayableError(level)
    return level


def _model(level: str) -> str:
    if not _NAME.fullmatch(level):
        raise _UnsayableError(level)
    return level


def _network_value(level: str) -> str:
    if as_number(level) is None and not _WORD.fullmatch(level):
        raise _UnsayableError(level)
    return level


@dataclass(frozen=True, slots=True)
class _Option:
    """An option of ``tracker run``, how its value is said, and the level that need not be."""

    flag: str
    say: Callable[[str], str]
    default: str


def _defaults() -> dict[str, str]:
    return dict(terms_of(Configuration().params()).levels) | SplitPlan().params()


_D = _defaults()
_OPTIONS = {
    "model": _Option("--model", _model, _D["model"]),
    "kernel_size": _Option("--kernel", _whole(1), ""),
    "learning_rate": _Option("--lr", _above_zero, ""),
    PLATEAU: _Option("--plateau", _plateau, OFF),
    "early_stopping_patience": _Option("--early-stop", _whole(1), OFF),
    "epochs": _Option("--epochs", _whole(1), _D["epochs"]),
    "batch_size": _Option("--batch-size", _whole(1), _D["batch_size"]),
    "keep": _Option("--keep", _keep, _D["keep"]),
    "segment_s": _Option("--segment", _above_zero, _D["segment_s"]),
}
_SPLIT = {
    "split_seed": _Option("--split-seed", _whole(0), _D["split_seed"]),
    "validation_fraction": _Option("--validation-fraction", _fraction, _D["validation_fraction"]),
    "test_fraction": _Option("--test-fraction", _fraction, _D["test_fraction"]),
    "fold": _Option("--fold", _fold, OFF),
}
_NEEDED = ("kernel_size", "learning_rate")
"""A run without these was not made by ``tracker run`` or anything like it."""

_SOUND = Spectrogram().params()


def command_line(
    run: Run,
    experiment: str,
    changes: Mapping[str, str],
    seed: int,
    seeds: int = 1,
    *,
    data: str | None = None,
    split: Mapping[str, str] | None = None,
) -> str | None:
    """Return the command that trains as a run was trained, but for some changes, under one seed or several.

    Parameters
    ----------
    run : Run
    experiment : str
        Its experiment's name.
    changes : mapping of option or part of the split to level
    seed, seeds : int
        The first seed, at least 0, and how many in a row, at least 1.
    data : str, optional
        The data, if not the run's own.
    split : mapping of part of the split to level, optional
        The split, if not the run's own.

    Returns
    -------
    str or None
        None where it cannot be said.
    """
    if not in_format(run):
        return None
    terms = terms_of(run.params)
    parts = {**(dict(terms.split) if split is None else split)} | {k: v for k, v in changes.items() if k in _SPLIT}
    levels = dict(terms.levels) | {k: v for k, v in changes.items() if k not in _SPLIT}
    try:
        words = [
            *_data(data or run.tags.get("tracker.data", DEMO)),
            *_said({name: levels.get(name, OFF) for name in _OPTIONS}, _OPTIONS),
            *_network({name: level for name, level in levels.items() if name not in _OPTIONS}, run),
            *_said({name: parts.get(name, OFF) for name in _SPLIT}, _SPLIT),
            *_seeds(seed, seeds),
            *_experiment(experiment),
        ]
    except _UnsayableError:
        return None
    return " ".join(["tracker run", *words])


def _said(levels: Mapping[str, str], options: Mapping[str, _Option]) -> list[str]:
    """Say the options that are not at their defaults."""
    words = []
    for name, level in levels.items():
        if name in _NEEDED and level == OFF:
            raise _UnsayableError(name)
        if level not in (options[name].default, OFF):
            words += _words(options[name].flag, options[name].say(level))
    return words


def _network(levels: Mapping[str, str], run: Run) -> list[str]:
    """Say the network's own options; what else was logged of the sound must be as it is by default."""
    words = []
    for name, level in sorted(levels.items()):
        if name in _SOUND:
            if level != _SOUND[name]:
                raise _UnsayableError(level)
        elif level != OFF:
            words += _words(f"--{_network_option(name, run)}", _network_value(level))
    return words


def _network_option(name: str, run: Run) -> str:
    """Return a param's name where it can be an option of the network: tracker logs no other."""
    if "tracker.version" not in run.tags or name in _RESERVED or not _NETWORK_OPTION.fullmatch(name):
        raise _UnsayableError(name)
    return name


def _data(data: str) -> list[str]:
    return [] if data == DEMO else _words("--data", data)


def _seeds(seed: int, seeds: int) -> list[str]:
    first = ["--seed", str(seed)] if seed else []
    return [*first, "--seeds", str(seeds)] if seeds > 1 else first


def _experiment(experiment: str) -> list[str]:
    return [] if experiment == DEFAULT_EXPERIMENT else _words("--experiment", experiment)


def _words(flag: str, value: str) -> list[str]:
    """Quote an option and its value; a value that begins like an option is tied to its own."""
    if not value or not value.isprintable():
        raise _UnsayableError(value)
    return [shlex.quote(f"{flag}={value}")] if value.startswith("-") else [flag, shlex.quote(value)]
