"""The store of a run and the journals beside it: where they are, how they are named, and the runs that they hold.

Data, and a network's file, are named relative to the folder of the store if a run was started there, so that a store
can be moved together with them; else by an absolute path. Suggested commands name the store unless it is the current
folder's own.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, overload

from tracker.data.manifest import MANIFEST
from tracker.errors import StoreError, TrackerError
from tracker.journal.reader import ARTIFACTS, UPLOAD_STATE, Journals, journals, unsettled
from tracker.next_steps.command_line import DEMO, Where
from tracker.printable import command_text, with_command
from tracker.runs import (
    DEFAULT_EXPERIMENT,
    LOGGED_OPTIONS,
    UNSENT_TAG,
    Run,
    RunStatus,
    is_of_library,
    option_named,
)
from tracker.runs.facts import is_sweep
from tracker.runs.logged import SHORT_ID, find_run
from tracker.store import BY_EPOCH_RUNS, Experiment, GoneError, RunName, run_of_journal, store_at, store_beside
from tracker.training.networks import (
    USER_FOLDER,
    canonical_name,
    expanded,
    is_built_in,
    is_path,
    network_names,
    parse_options,
    user_networks,
)
from tracker.wording import counted, some

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from tracker.journal.reader import Journal
    from tracker.runs import DataPlan, OfNetwork
    from tracker.store import ByEpoch, Store, UnreadableRows
    from tracker.table import TableRuns

HOST_TAG = "tracker.elsewhere"  # the host of a run whose process cannot be checked from this machine
STORE_VARIABLE = option_named("tracking_uri").environment
_DATA_VARIABLE = option_named("data").environment
_JOURNALS = ".tracker"
_EXPERIMENT_NAME, _EXPERIMENT_ID = "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"


def find_store(tracking_uri: str | None) -> Store:
    """Return the store of a tracking URI, relative to the working directory; None is ``mlflow.db`` there."""
    return store_at(tracking_uri, Path.cwd())


def experiment_or_default(experiment: str | None, store: Store, environment: Mapping[str, str] = os.environ) -> str:
    """Return the name of an experiment; if none is given, that of the environment's or else the usual one.

    As for MLflow, a name in the environment counts before an id, which the store knows by name. Raises `TrackerError`
    if the environment's isn't a name, or the store has no experiment of that id.
    """
    if experiment is not None:
        return experiment
    if name := environment.get(_EXPERIMENT_NAME):
        try:
            return str(option_named("experiment").parse(name))
        except ValueError as error:
            raise TrackerError(f"{_EXPERIMENT_NAME}: {error}") from error
    if number := environment.get(_EXPERIMENT_ID):
        found = store.experiment_name(number)
        if found is None:
            raise TrackerError(f"{_EXPERIMENT_ID} is {number!r}, and {store.shown} has no experiment of that id")
        return found
    return DEFAULT_EXPERIMENT


def journals_folder(store: Store) -> Path:
    """Return the folder of the journals of a store's runs: beside its database, else in the working directory."""
    return store.folder / _JOURNALS if store.folder else journals_here()


def journals_here() -> Path:
    """Return the folder of the journals of runs that are logged from the working directory."""
    return Path.cwd() / _JOURNALS


def store_of(journal: Journal) -> Store:
    """Return the store that a journal is for; one in a file lies beside the journals, wherever they were moved."""
    return store_beside(journal.started.uri, journal.folder.parent.parent)


def journals_for(store: Store, read: Callable[[Path], Journals] = journals) -> Journals:
    """Return the journals of a store's runs, all of them or those that another reader of a folder finds.

    One whose store can't be used is among the problems.
    """
    return divide_journals(read(journals_folder(store)), store)[0]


def divide_journals(found: Journals, store: Store) -> tuple[Journals, tuple[tuple[Journal, Store], ...]]:
    """Return the journals of a store's runs, and those of other stores with these.

    One whose store can't be used is among the problems of the former.
    """
    own: list[Journal] = []
    others: list[tuple[Journal, Store]] = []
    problems = [*found.problems]
    for journal in found:
        try:
            named = store_of(journal)
        except StoreError as error:
            problems.append(f"run {journal.name} in {journal.folder} is left out: {error}")
            continue
        if named.uri == store.uri:
            own.append(journal)
        else:
            others.append((journal, named))
    return Journals(tuple(own), tuple(problems)), tuple(others)


def check_not_gone(store: Store) -> None:
    """Raise `StoreError` if a store that runs were uploaded to isn't there any more."""
    if store.has_no_file and any(journal.upload_state for journal in journals_for(store)):
        raise StoreError(
            f"the store {store.shown} is gone, and runs were uploaded to it: restore it, or rebuild it from the "
            "journals with `tracker repair`"
        )


@dataclass(frozen=True)
class LogTarget:
    """Where a run is logged; if `offline`, the store is left alone until `tracker sync`."""

    store: Store
    experiment: str
    offline: bool = False


@dataclass(frozen=True, eq=False)
class ExperimentRuns(Sequence[Run]):
    """The runs of one or more experiments, in the order in which they were started, then by id."""

    experiments: tuple[str, ...]  # their names: one, or several that are reported on together
    tags: Mapping[str, str]  # the first experiment's; ``tracker.metric`` is its primary metric
    runs: tuple[Run, ...]
    problems: tuple[str, ...]  # what could not be read, in sentences of one line
    store: Store | None  # where they were read from; None if from a table
    selection: str = ""  # how many of the experiments' runs these are, and by which options; empty: all
    table: TableRuns | None = None  # what the columns of the table were taken as

    @property
    def name(self) -> str:
        """What the experiments are called together."""
        return ", ".join(self.experiments)

    def __len__(self) -> int:
        return len(self.runs)

    def __repr__(self) -> str:
        names = some([run.name for run in self.runs])
        return f"<ExperimentRuns {self.name!r}, {counted(len(self), 'run')}{': ' if names else ''}{names}>"

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Run, ...]: ...
    def __getitem__(self, index: int | slice) -> Run | tuple[Run, ...]:
        return self.runs[index]

    def find(self, text: str) -> Run:
        """Return the run with an id, a unique prefix of one, or a name; raise `TrackerError` if there is none."""
        return find_run(self.runs, text)


def run_names(store: Store) -> tuple[RunName, ...]:
    """Return the names of the runs in a store and in the journals beside it, quickly and as far as they can be read."""
    waiting = journals_for(store, unsettled).where(counts)
    names = {journal.id: RunName(journal.started.experiment, journal.id, journal.name) for journal in waiting}
    uploaded = {journal.upload_state.run_id for journal in waiting if journal.upload_state}
    return (*names.values(), *(name for name in store.run_names() if name.run_id not in uploaded))


def counts(journal: Journal) -> bool:
    """Return whether a journal is a run's that is listed: it wasn't deleted, nor does it only hold others together."""
    return not (journal.is_deleted or is_sweep(journal.started.tags))


def load_runs(
    store: Store, experiment: str, *, by_epoch: ByEpoch = BY_EPOCH_RUNS, results_of: AbstractSet[str] | None = None
) -> ExperimentRuns:
    """Read an experiment's runs from its store, as `Store.read` does, and from the journals beside it.

    Raises `StoreError` if the store cannot be read and no journal has a run that it lacks, or it is gone with its runs.
    """
    found = journals_for(store, unsettled)
    waiting = [journal for journal in found if journal.started.experiment == experiment and counts(journal)]
    problems = list(found.problems)
    try:
        stored = store.read(experiment, by_epoch=by_epoch, results_of=results_of)
    except StoreError as error:
        check_not_gone(store)
        if not waiting:
            elsewhere = sorted({repr(journal.started.experiment) for journal in found if journal.unsent})
            hint = f"; runs that were not uploaded yet: see --experiment {some(elsewhere)}" if elsewhere else ""
            raise StoreError("; ".join([f"{error}{hint}", *problems])) from error
        if not (isinstance(error, GoneError) or store.has_no_file):
            problems.append(f"{error}; only runs that were not uploaded yet are shown")
        stored = Experiment(experiment, {"tracker.metric": waiting[0].started.metric}, ())
    if stored.unreadable:
        names = [f"{one.path} of run {one.run_id[:SHORT_ID]} ({one.reason})" for one in stored.unreadable]
        what = f"{counted(len(names), 'artifact')} cannot be read and {'is' if len(names) == 1 else 'are'}"
        problems.append(f"{what} left out: {some(names)}")
    if stored.unreadable_rows:
        rows = [_named_rows(of_run) for of_run in stored.unreadable_rows]
        problems.append(f"rows of a wrong type, no UTF-8 or out of range are left out: {some(rows)}")
    strange = _with_strange_state(waiting, stored.runs)
    problems += [
        f"{journal.folder / UPLOAD_STATE} names a run of the store that isn't this journal's: `tracker repair` uploads "
        f"run {journal.name} as a run of its own"
        for journal in strange
    ]
    by_journal = {run.journal_id: run for run in stored.runs}
    from_journals = [
        _with_predictions_of(
            by_journal.get(journal.id),
            run_from_journal(replace(journal, upload_state=None) if journal in strange else journal),
        )
        for journal in waiting
    ]
    ids = {run.run_id for run in from_journals}
    deleted = {run_id for journal in found if journal.is_deleted for run_id in journal.ids}
    others = [run for run in stored.runs if not {run.run_id, run.journal_id} & (ids | deleted)]
    runs = sorted((*others, *from_journals), key=lambda run: (run.started or 0, run.run_id))
    return ExperimentRuns((stored.name,), stored.tags, tuple(runs), tuple(problems), store)


def _named_rows(rows: UnreadableRows) -> str:
    """Return ``run 1234abcd (2 in params, 1 in tags)``."""
    tables = ", ".join(f"{number:,} in {table}" for table, number in rows.tables)
    whose = "the experiment" if rows.run_id is None else f"run {rows.run_id[:SHORT_ID]}"
    return f"{whose}, all of it ({tables})" if rows.loses_run else f"{whose} ({tables})"


def _with_strange_state(waiting: Sequence[Journal], stored: Sequence[Run]) -> list[Journal]:
    """Return the journals whose upload state names a run of another one, or of another program."""
    owners = {run.run_id: run.journal_id for run in stored}
    named = [(journal, journal.upload_state.run_id) for journal in waiting if journal.upload_state]
    counts = Counter(run_id for _, run_id in named)
    return [
        journal
        for journal, run_id in named
        if (owners[run_id] != journal.id if run_id in owners else counts[run_id] > 1)
    ]


def _with_predictions_of(stored: Run | None, run: Run) -> Run:
    """Return a run of a journal with the predictions that only its store has: here they are deleted once uploaded."""
    if stored is None or run.validation:
        return run
    by_epoch = stored.validation_by_epoch
    return replace(run, validation=stored.validation, validation_by_epoch=by_epoch, groups=stored.groups)


def run_from_journal(journal: Journal) -> Run:
    """Return a run as its journal has it, with tags that say what is particular to that."""
    run_id = journal.upload_state.run_id if journal.upload_state else journal.id
    is_elsewhere = journal.status is RunStatus.UNKNOWN
    status = RunStatus.RUNNING if is_elsewhere else journal.status
    run = run_of_journal(journal.events, journal.folder / ARTIFACTS, run_id, status)
    unsent = {UNSENT_TAG: "true"} if journal.unsent else {}
    host = {HOST_TAG: journal.owner.host} if is_elsewhere and journal.owner else {}
    return replace(run, tags={**run.tags, **unsent, **host}, journal_id=journal.id)


def interrupted_message(
    name: str, run_id: str, store: Store, *, resumable: bool = True, host: str | None = None
) -> str:
    """Return that a run was interrupted, or may still be running on another host, and how to continue or close it."""
    uri = where_from(store).tracking_uri
    further = [*(["--tracking-uri", uri] if uri else []), *(["--gone"] if host else [])]
    resume, close = (with_command(("tracker", verb, run_id[:SHORT_ID], *further)) for verb in ("resume", "close"))
    if host:
        return (
            f"run {name} was started on {host} and may still be running there. If it isn't, continue it{resume} or "
            f"close it{close}"
        )
    if not resumable:
        return f"run {name} was interrupted: start its script again, and close this run{close}"
    return f"run {name} was interrupted: continue it{resume} or close it{close}"


def command_on(store: Store, folder: Path, *words: str) -> str:
    """Return what to type here for a `tracker` command on a store whose journals are beside a folder's other files.

    Credentials are left out: they are the user's to give. So is all but the command if nobody could copy the rest.
    """
    uri = where_from(store).tracking_uri
    line = command_text(["tracker", *words, *(["--tracking-uri", uri] if uri else [])])
    is_here = store.folder is not None or folder.resolve() == Path.cwd().resolve()
    there = command_text(["cd", str(folder)])
    if line and (is_here or there):
        return line if is_here else f"{there} && {line}"
    return f"tracker {words[0]}"


def where_from(store: Store, folder: Path | None = None, environment: Mapping[str, str] = os.environ) -> Where:
    """Return what commands run in a folder, by default this one, must name to reach a store and its data.

    A server that the environment names with credentials is not named, for commands must not repeat them.
    """
    folder = folder or Path.cwd()
    start = store.folder.resolve() if store.folder else None
    uri, named = _resolved_uri(store), environment.get(STORE_VARIABLE)
    if named:
        is_known = not start and _is_login_for(named, uri, folder)
    else:
        is_known = _resolved_uri(store_at(None, folder)) == uri
    return Where(
        tracking_uri=None if is_known else uri,
        experiment="" if any(map(environment.get, (_EXPERIMENT_NAME, _EXPERIMENT_ID))) else DEFAULT_EXPERIMENT,
        folder=str(start) if start and start != folder.resolve() else None,
        networks={name: f"{USER_FOLDER}/{name}.py" for name in user_networks(start)} if start else {},
        data_in_environment=bool(environment.get(_DATA_VARIABLE)),
        set_by_environment=frozenset(e.name for e in LOGGED_OPTIONS.values() if environment.get(e.environment)),
        built_in=_built_in(),
    )


@cache
def _built_in() -> dict[str, OfNetwork]:
    """Return what each built-in network adds to a plan, its own options at their defaults."""
    return {name: parse_options(name, {}) for name in filter(is_built_in, network_names())}


def _is_login_for(named: str, uri: str, folder: Path) -> bool:
    """Return whether a tracking URI names a server with credentials, and is that of another URI, which has none."""
    with suppress(StoreError):
        store = store_at(named, folder)
        return store.has_login and store.uri == uri
    return False


def _resolved_uri(store: Store) -> str:
    """Return the URI of a store without ``..`` and links in the path of its folder."""
    if store.folder is None:
        return store.uri
    return store_at(str(store.folder.resolve() / Path(store.shown).name), store.folder).uri


def data_tag(data: Path | None, store: Store, folder: Path) -> str:
    """Return how a run that is started in a folder names its data: ``demo`` for the built-in set."""
    if data is None:
        return DEMO
    if _is_elsewhere(store, folder) and not is_of_library(str(data)):
        return str((folder / data).absolute())
    return f"./{data}" if str(data) == DEMO else str(data)


def data_path(tag: str, folder: Path) -> Path | None:
    """Return the data that a run's tag names, relative to the folder of its store; None for the built-in set.

    Earlier runs named data relative to the working directory, wherever the store was.
    """
    if tag == DEMO:
        return None
    return folder / tag if (folder / tag).exists() else Path(tag)


def moved_data(tag: str, folder: Path, plan: DataPlan, given: Path | None) -> tuple[Path | None, DataPlan]:
    """Return a run's data and how it is read, if it was moved to the place given; None is where it was.

    Of a data set that a library knows by its name, that place is the folder of the local copy; of a table whose audio
    lies elsewhere, it may be the folder of the audio.
    """
    place = data_path(tag, folder)
    if given is None or place is None or is_of_library(str(given)):
        return given or place, plan
    if is_of_library(str(place)) or (plan.audio_root and given.is_dir() and not (given / MANIFEST).is_file()):
        return place, replace(plan, audio_root=given.absolute().as_posix())
    return given, plan


def unread_data(error: Exception, place: Path | None, plan: DataPlan, given: Path | None) -> str:
    """Return an error about a run's data in the words of commands that take its new place as ``--data``."""
    if is_of_library(str(place)):
        return str(error).replace("--audio-root", "--data")
    if given or place is None:
        return str(error)
    audio = ", or if its audio alone was, that of the audio's folder" if plan.audio_root else ""
    return f"{error}; if the data was moved, give its new path with --data{audio}"


def model_param(model: str, store: Store, folder: Path) -> str:
    """Return how a run that is started in a folder names its network, given by its name or the path of its file.

    A file has one name however it was given: that of a module in ``models``, or its absolute path if the store is in
    another folder.
    """
    name = canonical_name(model, folder)
    if name in user_networks(folder) and store.folder and _is_elsewhere(store, folder):
        return str((folder / USER_FOLDER / f"{name}.py").absolute())
    if not is_path(name) or not (name.startswith("~") or _is_elsewhere(store, folder)):
        return name
    return str((folder / expanded(name)).absolute())


def model_path(param: str, folder: Path) -> str:
    """Return the network that a run's param names; a path is relative to the folder of its store, as data is.

    So is a name, unless the network is built in or also in the working directory.
    """
    if is_path(param):
        return str(folder / param) if (folder / param).is_file() else param
    is_there = param in user_networks(folder) - user_networks(Path.cwd())
    return str(folder / USER_FOLDER / f"{param}.py") if is_there else param


def _is_elsewhere(store: Store, folder: Path) -> bool:
    return store.folder is None or store.folder.resolve() != folder.resolve()
