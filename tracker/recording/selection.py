"""Which runs a report is about: those of one experiment or several, all of them or a selection.

Times are in milliseconds since 1970; a date without a time zone is this machine's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import TYPE_CHECKING

from tracker.errors import TrackerError
from tracker.printable import command_text
from tracker.recording.arguments import checked_line
from tracker.recording.stores import ExperimentRuns, load_runs
from tracker.runs import UNSENT_TAG, Run
from tracker.runs.logged import find_run
from tracker.store import BY_EPOCH_RUNS
from tracker.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.store import Store

_UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_AGO = re.compile(rf"([0-9]{{1,5}})([{''.join(_UNITS_MS)}])")


@dataclass(frozen=True, slots=True)
class Since:
    """The moment from which on runs count, and how it was given."""

    text: str
    ms: int


def since_of(text: str, now_ms: int) -> Since:
    """Return the moment that a date (``2026-11-25``, ``2026-11-25T14:00``) or an age (``3d``, ``12h``) names.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if ago := _AGO.fullmatch(text):
        return Since(text, now_ms - int(ago[1]) * _UNITS_MS[ago[2]])
    try:
        return Since(text, int(datetime.fromisoformat(text).astimezone().timestamp() * 1_000))
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"must be a date such as 2026-11-25 or an age such as 3d, got {text[:80]!r}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which of the runs that were read are kept; those that a report leaves out on its own are left out anyway."""

    runs: tuple[str, ...] = ()  # names, ids or unique prefixes of ids; several may be in one, divided by commas
    exclude: tuple[str, ...] = ()  # as `runs`
    filter_string: str | None = None  # in the store's own syntax
    since: Since | None = None

    @property
    def text(self) -> str:
        """The options of the command line that make this selection, quoted for a shell; empty if all runs are kept."""
        since = ["--since", self.since.text] if self.since else []
        matching = ["--filter", self.filter_string] if self.filter_string else []
        named = [word for flag in ("runs", "exclude") for text in getattr(self, flag) for word in (f"--{flag}", text)]
        words = [*named, *matching, *since]
        return (command_text(words) or " ".join(words)) if words else ""


ALL_RUNS = Selection()


def load_selected(
    store: Store, experiments: Sequence[str], selection: Selection = ALL_RUNS, *, by_epoch: int = BY_EPOCH_RUNS
) -> ExperimentRuns:
    """Read the runs of one experiment or several, and keep those that are selected.

    Raises
    ------
    FilterError
        If the filter isn't of the store's syntax.
    TrackerError
        If an experiment can't be read, a name matches no run or several, or no run is left.
    """
    names = tuple(dict.fromkeys(experiments))
    parts = [load_runs(store, name, by_epoch=by_epoch) for name in names]
    if selection == ALL_RUNS:
        return _joined(parts)
    found = select_runs_of(_joined(parts), selection)
    latest = frozenset(run.run_id for run in found[len(found) - min(by_epoch, len(found)) :])
    if latest <= {run.run_id for part in parts for run in part[len(part) - min(by_epoch, len(part)) :]}:
        return found
    again = {run.run_id: run for name in names for run in load_runs(store, name, by_epoch=latest)}
    return replace(found, runs=tuple(replace(again.get(run.run_id, run), experiment=run.experiment) for run in found))


def _joined(parts: Sequence[ExperimentRuns]) -> ExperimentRuns:
    """Return the runs of several experiments as of one; they are ranked by the first one's metric."""
    first, *others = parts
    if not others:
        return first
    problems = dict.fromkeys(problem for part in parts for problem in part.problems)
    metrics = {part.name: part.tags.get("tracker.metric") for part in parts}
    if len(set(metrics.values())) > 1:
        logged = ", ".join(f"{metric} in {name!r}" for name, metric in metrics.items())
        problems[f"the experiments have different metrics ({logged}); runs are ranked by {metrics[first.name]}"] = None
    of_all = (replace(run, experiment=part.name) for part in parts for run in part)
    runs = sorted(of_all, key=lambda run: (run.started or 0, run.run_id))
    experiments = tuple(part.name for part in parts)
    return replace(first, experiments=experiments, runs=tuple(runs), problems=tuple(problems))


def select_runs_of(found: ExperimentRuns, selection: Selection) -> ExperimentRuns:
    """Return those of some runs that are selected; raises as `load_selected`."""
    wanted, unwanted = (_named(found.runs, names) for names in (selection.runs, selection.exclude))
    ids = {run.run_id for run in found} - unwanted
    if selection.runs:
        ids &= wanted
    if selection.since:
        ids &= {run.run_id for run in found if run.started is not None and run.started >= selection.since.ms}
    problems = [*found.problems]
    if selection.filter_string and found.store:
        unsent = [run for run in found if UNSENT_TAG in run.tags and run.run_id in ids]
        if unsent:
            what = "1 run is" if len(unsent) == 1 else f"{counted(len(unsent), 'run')} are"
            problems.append(f"{what} not wholly in the store, and --filter sees only what is: run `tracker sync` first")
        ids &= {each for name in found.experiments for each in found.store.matching_runs(name, selection.filter_string)}
    kept = tuple(run for run in found if run.run_id in ids)
    if not kept:
        raise TrackerError(f"no run is left: none of {counted(len(found), 'run')} matches {selection.text}")
    text = f"{len(kept)} of {counted(len(found), 'run')} ({selection.text})"
    return replace(found, runs=kept, problems=tuple(problems), selection=text)


def _named(runs: Sequence[Run], names: Iterable[str]) -> set[str]:
    return {run.run_id for text in names for run in _runs_of(runs, text)}


def _runs_of(runs: Sequence[Run], text: str) -> list[Run]:
    """Return the run that a text names, or those of a list with commas, which a run's name may have too."""
    try:
        return [find_run(runs, text)]
    except TrackerError:
        if "," not in text:
            raise
    return [find_run(runs, part.strip()) for part in text.split(",") if part.strip()]


def selection_of(
    runs: Iterable[str | Run] | None,
    exclude: Iterable[str | Run],
    filter_string: str | None,
    since: str | date | None,
    now_ms: int,
) -> Selection:
    """Return the selection that a caller in Python describes; a date without a time begins at midnight.

    Raises
    ------
    ValueError
        If any of it isn't what it must be.
    """
    moment = None
    if isinstance(since, date):
        since = (since if isinstance(since, datetime) else datetime.combine(since, time())).isoformat()
    if since is not None:
        try:
            moment = since_of(checked_line("since", since), now_ms)
        except ValueError as error:
            raise ValueError(f"since {str(error).removeprefix('since ')}") from error
    if runs is not None and not isinstance(runs, str) and not tuple(runs):
        raise ValueError("runs must name at least one run, got none; leave it out for all of them")
    return Selection(
        runs=_ids("runs", () if runs is None else runs),
        exclude=_ids("exclude", exclude),
        filter_string=None if filter_string is None else checked_line("filter_string", filter_string),
        since=moment,
    )


def _ids(what: str, runs: object) -> tuple[str, ...]:
    given = (runs,) if isinstance(runs, str | Run) or not isinstance(runs, Iterable) else tuple(runs)
    ids = tuple(run.run_id if isinstance(run, Run) else run for run in given)
    for text in ids:
        if not isinstance(text, str) or not text:
            raise ValueError(f"{what} must be runs, their names or ids, got {text!r}")
    return ids
