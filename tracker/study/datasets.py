"""Several data sets in one experiment: which one each run was evaluated on, and which configurations share them.

Runs say it by a param (``dataset``, ``task``, ``corpus``), by the tags of their data, or by the dataset that they were
evaluated on. Scores on different data sets are never compared with each other. What is compared are configurations, by
their scores on each of the data sets.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.runs import Role
from tracker.study.clip_sets import evaluated_on
from tracker.study.options import level_order, terms_of
from tracker.study.param_roles import FOLD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracker.runs import Run
    from tracker.study.clip_sets import ClipSet
    from tracker.study.options import Terms
    from tracker.study.param_roles import ParamRoles

_NAMES = frozenset({
    "dataset", "datasetname", "dataname", "data", "task", "taskname", "corpus", "corpusname",
})  # fmt: skip
_SURE = _NAMES - {"data", "dataname"}  # names of nothing else; data may be prepared in several ways
_NUMBER = re.compile(r"\d+")
_DIGITS = 8  # of a fingerprint that stands for a data set without a name

Levels = tuple[tuple[str, str], ...]  # a configuration, by its options


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set and the runs on it, by position."""

    name: str  # other people's text
    runs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DataSets:
    """At least two data sets."""

    sets: tuple[DataSet, ...]  # by name
    params: frozenset[str]  # params that say which data set it is, or that have one value on each of them


def data_sets(runs: Sequence[Run], clip_sets: Sequence[ClipSet], roles: ParamRoles) -> DataSets | None:
    """Return the data sets that runs were evaluated on.

    None unless configurations can be compared across them, or a param has a name that is given to nothing else.
    """
    alone = None
    for param, names in _candidates(runs, clip_sets, roles):
        by_name: dict[str, list[int]] = defaultdict(list)
        for run, name in enumerate(names):
            by_name[name].append(run)
        if len(by_name) < 2:
            continue
        sets = tuple(DataSet(name, tuple(by_name[name])) for name in sorted(by_name, key=level_order))
        terms = [terms_of(run.settings, roles) for run in runs]
        params = _own_params(sets, terms) | ({param} if param else set()) | roles.of_data
        found = DataSets(sets, frozenset(params))
        if _shared_by_two([_levels(term, found.params) for term in terms], names):
            return found
        if param and _words(param) in _SURE:  # scores on different data sets are not compared in any case
            alone = alone or DataSets(sets, frozenset({param}))
    return alone


def _candidates(
    runs: Sequence[Run], clip_sets: Sequence[ClipSet], roles: ParamRoles
) -> Iterator[tuple[str | None, list[str]]]:
    """Yield the name of each run's data set, by each source that names one for every run, with its param if it is."""
    params = sorted(
        (name for name in {name for run in runs for name in run.settings} if _words(name) in _NAMES), key=len
    )
    for param in params:
        values = [run.settings.get(param, "") for run in runs]
        same = [
            clips for clips in clip_sets if clips.known and not (_words(param) in _SURE and _is_numbered(clips, runs))
        ]
        known = ({values[run] for run in clips.members} for clips in same)
        is_open = roles.of(param) is Role.CONFIGURATION or param in roles.of_data
        is_option = param in roles.named.option_params or not is_open
        if all(values) and not is_option and all(len(levels) == 1 for levels in known):
            yield param, values
    tagged = _by_tags(runs)
    if tagged:
        yield None, tagged
    used = [" and ".join(sorted(dict.fromkeys(one.name or one.digest for one in evaluated_on(run)))) for run in runs]
    # each fold may be a dataset of its own for the program that logged it
    if all(used) and not any(part == FOLD for run in runs for part, _ in terms_of(run.settings, roles).split):
        yield None, used


def _words(param: str) -> str:
    return "".join(sign for sign in param.lower() if sign.isalnum())


def _is_numbered(clips: ClipSet, runs: Sequence[Run]) -> bool:
    """Return whether samples are told apart by numbers alone, and nothing says that their data are the same."""
    first = runs[clips.members[0]]
    is_told = "tracker.dataset" in first.tags or bool(evaluated_on(first))
    return bool(clips.clips) and not is_told and len({_NUMBER.sub("", name) for name in clips.clips}) == 1


def _by_tags(runs: Sequence[Run]) -> list[str] | None:
    """Return the name of each run's data set, given by its tags; None if any run lacks them.

    Data that changed under one name, or have several names, are one data set.
    """
    tags = [(run.tags.get("tracker.dataset", ""), run.tags.get("tracker.data", "")) for run in runs]
    if not all(fingerprint for fingerprint, _ in tags):
        return None
    name_of: dict[str, str] = {}
    for fingerprint, name in tags:
        name_of.setdefault(fingerprint, name or fingerprint[:_DIGITS])
    names = set(name_of.values())
    last = {name: re.split(r"[/\\]", name.rstrip("/\\"))[-1] or name for name in names}  # of a path
    shown = last if len(set(last.values())) == len(names) else {name: name for name in names}
    return [shown[name_of[fingerprint]] for fingerprint, _ in tags]


def _own_params(sets: Sequence[DataSet], terms: Sequence[Terms]) -> set[str]:
    """Return the options that have one level on each data set but not on all: how many classes there are, a path."""
    found: dict[str, dict[str, str | None]] = {}
    for data in sets:
        levels = [dict(terms[run].levels) for run in data.runs]
        for name in {name for of_run in levels for name in of_run}:
            of_set = {of_run.get(name) for of_run in levels}
            found.setdefault(name, {})[data.name] = next(iter(of_set)) if len(of_set) == 1 else None
    return {
        name
        for name, by_set in found.items()
        if len(by_set) == len(sets) and None not in by_set.values() and len(set(by_set.values())) > 1
    }


def _levels(terms: Terms, params: frozenset[str]) -> Levels:
    return tuple((name, level) for name, level in terms.levels if name not in params)


def _shared_by_two(configurations: Sequence[Levels], names: Sequence[str]) -> bool:
    """Return whether at least two configurations were run on two data sets or more that they have in common."""
    sets_of: dict[Levels, set[str]] = defaultdict(set)
    for configuration, name in zip(configurations, names, strict=True):
        sets_of[configuration].add(name)
    several = list(sets_of.values())
    return any(len(a & b) > 1 for place, a in enumerate(several) for b in several[:place])


def complete_block(sets_of: Mapping[int, frozenset[str]]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return configurations and data sets of which each of the first has a score on each of the second.

    The data sets that the fewest configurations have are left out one by one, until two configurations have all that
    remain; of these, the configurations that lack any are left out. Both empty if there is no such block of two by two.

    Parameters
    ----------
    sets_of : mapping of int to frozenset of str
        The data sets that each configuration has a score on.
    """
    counts = Counter(name for names in sets_of.values() for name in names)
    kept = [name for name, count in counts.items() if count > 1]
    while len(kept) > 1:
        whole = tuple(configuration for configuration, names in sets_of.items() if names.issuperset(kept))
        if len(whole) > 1:
            return whole, tuple(sorted(kept))
        kept.remove(min(kept, key=lambda name: (counts[name], name)))
    return (), ()
