"""What each param of a run decides: the configuration, the repetition, the split, or nothing that a result depends on.

Other programs log whatever they like under whatever name. The name says most of it, in any case and spelling:
``SEED``, ``cv_fold``, ``git_sha``, ``ckptPath``. If it leaves it open, the values of all runs decide: a ``trial`` that
several runs share is a repetition, one that no two do is a number that the runs got. Whoever reads the runs may
overrule both.

Only what cannot be an option is set aside. A number that each run has of its own may come from a random search, and a
word from a list of networks, so both stay options.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from tracker.runs import LOGGED_OPTIONS, Role, as_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

FOLD = "fold"
_VARYING = (Role.CONFIGURATION, Role.SEED, Role.SPLIT)

_SPLIT = frozenset(entry.name for entry in LOGGED_OPTIONS.values() if entry.role is Role.SPLIT)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")  # of ``numFolds``
_BETWEEN_WORDS = re.compile(r"[\W_]+")

_SEEDS = (("seed", "everything"), ("seed", "value"))
_JOINED_SEEDS = frozenset({"seed", "randomstate", "randomseed", "rngseed"})
_REPETITIONS = frozenset({"seed", "rep", "repeat", "repetition", "replicate", "replication", "replica"})
_FOLDS = frozenset({"fold", "kfold", "cvfold"})
_INDEX = frozenset({"id", "idx", "index", "i", "no", "nr", "num", "number"})
_BEFORE_A_FOLD = frozenset({"cv", "k", "outer", "inner", "val", "validation", "test", "current"})
# Names of what repeats if runs share its values, and else of what merely numbers them.
_NUMBERED = frozenset({"trial", "run", "attempt"})

_CODE = frozenset({"commit", "sha", "sha1", "sha256", "md5", "hash", "checksum", "githash", "uuid", "guid"})
_OF_GIT = _CODE | {"rev", "revision", "describe", "diff", "dirty", "url", "remote", "repo", "message", "author"}
_AT_THE_END = _CODE | {"hostname", "timestamp", "datetime", "date", "pid"}
_MEASURED = _AT_THE_END | {
    "version", "host", "deterministic", "now", "runtime", "walltime", "user", "username", "jobid", "runid", "id", "gpu",
    "device", "note", "notes", "comment", "comments", "description", "desc",
}  # fmt: skip
_WHEN = frozenset({
    "start", "started", "end", "stop", "begin", "run", "train", "training", "fit", "wall", "elapsed", "total",
    "creation", "current", "launch", "job",
})  # fmt: skip
_WHOSE_ID = frozenset({
    "job", "run", "trial", "exp", "experiment", "process", "proc", "worker", "gpu", "device", "machine", "node", "host",
    "session", "user", "wandb", "mlflow", "sweep", "study", "ci", "request", "array", "cluster", "parent",
})  # fmt: skip
_PLACE = frozenset({"path", "dir", "directory", "folder", "file", "filename", "uri", "url"})
_OF_OUTPUT = frozenset({
    "output", "out", "save", "saved", "log", "logs", "logging", "ckpt", "checkpoint", "checkpoints", "run", "runs",
    "exp", "experiment", "work", "working", "project", "result", "results", "artifact", "artifacts", "tensorboard",
    "tb", "wandb", "mlflow", "tracking", "cache", "tmp", "temp", "root", "export", "dest", "destination",
})  # fmt: skip
_OF_INPUT = frozenset({"data", "dataset", "datasets", "max", "min", "limit"})
_CANDIDATES = frozenset({"param_grid", "param_distributions"})
_NAMED = frozenset({"exp", "experiment", "run", "job", "trial", "project", "sweep", "wandb"})

_LEAST_RUNS = 4  # from which on a text that each run has of its own is set aside if it looks like none of an option
_CHOICES = frozenset({
    "model", "arch", "architecture", "network", "net", "backbone", "encoder", "decoder", "optimizer", "optimiser",
    "loss", "activation", "dataset", "data", "method", "algorithm", "estimator", "classifier", "kernel", "scheduler",
    "features", "pretrained", "checkpoint", "weights", "tokenizer", "prompt", "layers", "sizes", "shape", "units",
})  # fmt: skip
# What a program makes up for one run: digits of a hash, a date or time, ``brave-owl-12``, ``exp3``, a place of a file.
_MADE_UP = re.compile(
    r"(?=[0-9a-f-]*\d)(?=[0-9a-f-]*[a-f])[0-9a-f][0-9a-f-]{5,}[0-9a-f]"
    r"|.*(?:19|20)\d\d[-_/.]?[01]\d[-_/.]?[0-3]\d.*"
    r"|[a-z]+-[a-z]+-\d+"
    r"|(?:exp|experiment|run|trial|train|test|job|try|attempt)[-_ ]?\d*"
    r"|(?:[a-z]:)?[/\\].+|[^/\s]+/[^/\s]+/.+|.+\.(?:pt|pth|ckpt|h5|keras|onnx|log)",
    re.IGNORECASE | re.DOTALL,
)
_MOST_WORDS = 3  # of a level: what has more is a sentence

_NEAR, _MOST_NAMED = 0.6, 3  # similarity from which a name may have been meant; names that an error lists


_WHAT_IT_IS = {"seed_params": "a seed", "option_params": "an option", "ignore": "ignored"}


class UnknownParamError(ValueError):
    """No run logged a param that was named, or it was named as two things.

    `argument` is what it was given as: ``seed_params``.
    """

    def __init__(self, message: str, argument: str) -> None:
        super().__init__(message)
        self.argument = argument


@dataclass(frozen=True, slots=True)
class NamedParams:
    """What whoever reads the runs says of params by name."""

    seed_params: tuple[str, ...] = ()  # repeat the training
    option_params: tuple[str, ...] = ()  # are options, though they look like something else
    ignore: tuple[str, ...] = ()  # decide nothing

    def check(self, runs: Iterable[Mapping[str, str]]) -> None:
        """Check that each name is a param that some run logged, and is given once.

        Raises
        ------
        UnknownParamError
            If one is not; the message names the nearest ones.
        """
        logged = {name for params in runs for name in params}
        given: dict[str, str] = {}
        for argument, what in _WHAT_IT_IS.items():
            for name in getattr(self, argument):
                if logged and name not in logged:
                    raise UnknownParamError(_unknown(name, logged), argument)
                if given.setdefault(name, argument) != argument:
                    both = f"{_WHAT_IT_IS[given[name]]} and {what}"
                    raise UnknownParamError(f"the param {name!r} cannot be both {both}", argument)


def _unknown(name: str, logged: Iterable[str]) -> str:
    by_lower = {other.lower(): other for other in sorted(logged, reverse=True)}
    near = difflib.get_close_matches(name.lower(), by_lower, _MOST_NAMED, _NEAR)
    shown = sorted(by_lower.values(), key=lambda other: (len(other), other))[:_MOST_NAMED]
    hint = f"did you mean {' or '.join(by_lower[n] for n in near)}?" if near else f"logged are {', '.join(shown)}"
    return f"no run logged a param {name!r}; {hint}"


@dataclass(frozen=True, slots=True)
class ParamRoles:
    """What the params of some runs decide."""

    named: NamedParams = NamedParams()
    by_values: Mapping[str, Role] = field(default_factory=dict)  # of params whose names leave it open
    of_data: frozenset[str] = frozenset()  # params that say which of several data sets it is, or go with it

    def of(self, param: str) -> Role:
        """Return what a param decides; one that was measured, names a place or was ignored decides nothing."""
        named = self.named
        if param in named.seed_params:
            return Role.SEED
        if param in named.ignore:
            return Role.COMMAND
        if param in self.of_data:
            return Role.SPLIT
        if param in named.option_params:
            return Role.CONFIGURATION
        return self.by_values.get(param) or role_by_name(param)


BY_NAME = ParamRoles()  # for a run by itself


def param_roles(runs: Sequence[Mapping[str, str]], named: NamedParams | None = None) -> ParamRoles:
    """Return what the params of runs decide, each run's params by name."""
    values: dict[str, list[str]] = {}
    for params in runs:
        for param, value in params.items():
            values.setdefault(param, []).append(value)
    decided = {param: role for param, of_runs in values.items() if (role := _role_by_values(param, of_runs))}
    decided |= dict.fromkeys(_of_searches(runs), Role.COMMAND)
    roles = ParamRoles(named or NamedParams(), decided)
    names = [param for param in values if _is_name_of_run(_words(param))]
    return replace(roles, by_values=decided | _roles_of_names(runs, names, roles)) if names else roles


def _of_searches(runs: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield the params of scikit-learn's searches that are no options: what they found, and what goes with a model.

    A search logs its candidates under `_CANDIDATES` and the best values as ``best_C``. The candidates stay an option if
    one model was searched among several.
    """
    searches = [params for params in runs if not _CANDIDATES.isdisjoint(params)]
    names = {name for params in searches for name in params}
    for name in names & _CANDIDATES:
        models = {params.get("estimator") for params in searches}
        if len({(params.get("estimator"), params.get(name)) for params in searches}) == len(models):
            yield name
    yield from (name for name in names if name.startswith("best_"))


def _role_by_values(param: str, values: Sequence[str]) -> Role | None:
    """Return what a param decides whose name leaves it open, None if it doesn't."""
    words, is_shared = _words(param), len(set(values)) < len(values)
    stem = words[:-1] if len(words) > 1 and words[-1] in _INDEX else words
    if len(stem) == 1 and stem[0] in _NUMBERED and len(values) > 1:
        return Role.SEED if is_shared and all(map(_is_whole, values)) else Role.COMMAND
    if words == ("split",) and all(map(_is_whole, values)):
        return Role.SPLIT
    if is_shared or len(values) < _LEAST_RUNS or not _CHOICES.isdisjoint(words):
        return None
    return Role.COMMAND if role_by_name(param) is Role.CONFIGURATION and all(map(_is_of_one_run, values)) else None


def _is_whole(value: str) -> bool:
    number = as_number(value)
    return number is not None and number == int(number)


def _roles_of_names(runs: Sequence[Mapping[str, str]], names: Sequence[str], roles: ParamRoles) -> dict[str, Role]:
    """Return whether names that somebody gave to runs are options.

    They are unless the runs differ in something else and each has a name of its own, or one of its configuration.
    """
    others = [
        {param: value for param, value in params.items() if param not in names and roles.of(param) in _VARYING}
        for params in runs
    ]
    options = [_frozen({p: v for p, v in of_run.items() if roles.of(p) is Role.CONFIGURATION}) for of_run in others]
    differ, found = len(set(map(_frozen, others))) > 1, {}
    for name in names:
        given = [params[name] for params in runs if name in params]
        of_configuration = {(option, params.get(name)) for option, params in zip(options, runs, strict=True)}
        is_own = differ and len(set(given)) == len(given)
        is_told = len(set(options)) > 1 and len(of_configuration) == len(set(options))
        found[name] = Role.COMMAND if is_own or is_told else Role.CONFIGURATION
    return found


def _frozen(params: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(params.items())


def _is_name_of_run(words: tuple[str, ...]) -> bool:
    return words in {("name",), ("exp",), ("experiment",)} or (words[-1:] == ("name",) and words[0] in _NAMED)


def _is_of_one_run(value: str) -> bool:
    """Return whether a text looks as if it was made up, or written, for one run."""
    if as_number(value) is not None or value.startswith(("[", "(", "{")):
        return False
    return bool(_MADE_UP.fullmatch(value.strip())) or len(value.split()) > _MOST_WORDS


@lru_cache(maxsize=65_536)
def role_by_name(param: str) -> Role:
    """Return what a param decides as far as its name says, whoever logged it."""
    if param in _SPLIT or is_fold(param):
        return Role.SPLIT
    if param in LOGGED_OPTIONS:
        return LOGGED_OPTIONS[param].role
    words = _words(param)
    if _is_seed(words):
        return Role.SEED
    return Role.COMMAND if _is_bookkeeping(words) else Role.CONFIGURATION


@lru_cache(maxsize=65_536)
def is_fold(param: str) -> bool:
    """Return whether a param says by its name which fold a run was validated on."""
    words = list(_words(param))
    while len(words) > 1 and words[-1] in _INDEX:
        words.pop()
    while len(words) > 1 and words[0] in _BEFORE_A_FOLD:
        words.pop(0)
    return len(words) == 1 and (words[0] in _FOLDS or (words[0] == "split" and len(_words(param)) > 1))


def _is_seed(words: tuple[str, ...]) -> bool:
    if words[-1] in _JOINED_SEEDS or words[-2:] == ("random", "state") or words in _SEEDS:
        return True
    stem = words[:-1] if len(words) > 1 and words[-1] in _INDEX else words
    return len(stem) == 1 and stem[0] in _REPETITIONS


def _is_bookkeeping(words: tuple[str, ...]) -> bool:
    first, last, others = words[0], words[-1], frozenset(words[:-1])
    if not others:
        return first in _MEASURED
    if first == "slurm" or last in _AT_THE_END or (first == "git" and last in _OF_GIT):
        return True
    if last in _PLACE or last == "time":
        whose = _OF_OUTPUT if last in _PLACE else _WHEN
        return not others.isdisjoint(whose) and others.isdisjoint(_OF_INPUT)
    whose = {"id": _WHOSE_ID, "name": _NAMED, "at": _WHEN | {"created"}}.get(last, frozenset())
    return not others.isdisjoint(whose)


@lru_cache(maxsize=65_536)
def _words(name: str) -> tuple[str, ...]:
    """Return the words of a name: ``("cv", "fold")`` of ``cv_fold``, ``cvFold`` and ``CV.Fold``."""
    return tuple(_BETWEEN_WORDS.split(_HUMP.sub("_", name.strip("_")).lower()))
