"""A tracking store: where runs are uploaded to and read back from. This module is the only door of the room.

`store_at` turns a tracking URI into a `Store` without opening anything; everything else is a method of that interface.
MLflow, on a SQLite file or behind a server, is one implementation (`tracker.store.mlflow_store`). The other, its file
stores, is only read (`tracker.store.file_store`). MLflow's tags, schema and URIs are known in this folder only, and
it is imported only for a server, and for what `tracker.store.database_client` leaves to it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from tracker.errors import StoreError
from tracker.store.location import public_text as public_text
from tracker.store.run_files import DATASET as DATASET
from tracker.store.run_files import MODEL as MODEL
from tracker.store.run_files import REPORT as REPORT
from tracker.store.run_files import VALIDATION as VALIDATION
from tracker.store.run_files import VALIDATION_BY_EPOCH as VALIDATION_BY_EPOCH
from tracker.store.run_files import epoch_predictions_npz as epoch_predictions_npz
from tracker.store.run_files import predictions_csv as predictions_csv

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tracker.runs import Run, RunStatus
    from tracker.runs.events import Change, Event, Started, UploadState

# Default number of runs whose by-epoch predictions are read: with a few hundred clips each, 50 MB together.
BY_EPOCH_RUNS = 50

ByEpoch = (
    int | frozenset[str]
)  # the runs whose by-epoch predictions are read: so many of the latest, or those of some ids

PROGRAMS_TAGS = ("mlflow.", "tracker.")  # what the names of tags begin with that no person sets

TAG_LENGTH = 8_000  # characters that a tag, and so a run's description, may have; MLflow silently cuts longer ones


class UnreachableError(StoreError):
    """The store is away, locked or full. Nothing was refused: the same call may succeed later."""


class BusyError(UnreachableError):
    """Another process wrote the same rows at the same moment: the same call may succeed at once."""


class GoneError(StoreError):
    """The store is reachable, but the run or experiment doesn't exist (any more)."""


class FilterError(StoreError):
    """A filter of runs isn't of the syntax that the store takes."""


class BrokenError(StoreError):
    """The store's file is damaged or isn't a database: only setting it aside helps."""


class StoreState(Enum):
    """What is found at the path of a store that is a file."""

    READY = "ready"
    ABSENT = "absent"
    EMPTY = "empty"  # a file of no bytes
    UPGRADABLE = "upgradable"  # made by an earlier MLflow that tracker supports: migrated before the first upload
    OLDER = "older"  # than the MLflow that tracker supports
    NEWER = "newer"  # than the installed MLflow
    HALF_MADE = "half-made"  # its creation was interrupted, or is going on right now
    FOREIGN = "foreign"  # not a store


@dataclass(frozen=True, slots=True)
class UnreadableArtifact:
    """An artifact that was logged but can't be read, and why."""

    run_id: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnreadableRows:
    """Rows of a run whose values are of a wrong type, no UTF-8 or out of range; they are left out."""

    run_id: str | None  # None: the experiment's own
    tables: tuple[tuple[str, int], ...]  # how many rows of each table

    @property
    def loses_run(self) -> bool:
        """Whether the whole run is left out."""
        return any(table == "runs" for table, _ in self.tables)


@dataclass(frozen=True, slots=True)
class RunName:
    """How a person may refer to a run: by its id or its name, in an experiment."""

    experiment: str
    run_id: str
    name: str


@dataclass(frozen=True, slots=True)
class DeletedRun:
    """A run that was deleted in its store, which keeps it."""

    run_id: str
    name: str
    time: int | None  # ms since 1970; None if the store doesn't say when

    @property
    def ids(self) -> tuple[str, ...]:
        """Its id."""
        return (self.run_id,)


@dataclass(frozen=True, slots=True, eq=False)
class Experiment:
    """An experiment as a store holds it."""

    name: str
    tags: Mapping[str, str]
    runs: tuple[Run, ...]  # by start time, then by id, without deleted ones
    unreadable: tuple[UnreadableArtifact, ...] = ()  # what the runs logged and lack here
    unreadable_rows: tuple[UnreadableRows, ...] = ()
    deleted_runs: int = 0  # a server is asked for them only if there are no others

    @property
    def metric(self) -> str | None:
        """Name of the experiment's primary metric, if it has one."""
        return self.tags.get("tracker.metric")


@dataclass(frozen=True, slots=True)
class ClipFunction:
    """What makes a model of segments a function of audio files: a module with ``_load_pyfunc``, and its settings."""

    code: str
    settings: str  # a JSON document
    packages: tuple[str, ...]  # that the module imports, beside Keras


@dataclass(frozen=True, slots=True)
class ArtifactPath:
    """A path or URI of artifacts that a store holds, and the one that it should hold; `row` is SQLite's rowid."""

    table: str
    column: str
    row: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Condition:
    """What is wrong with a store, if anything.

    `moved` are artifacts that are gone from where the store looks for them, or belong to the project that this one was
    copied from, and were found below the store's folder.
    """

    state: StoreState | None  # None if the file can't be read at all
    damage: str | None = None  # what is damaged or missing, in one line
    moved: tuple[ArtifactPath, ...] = ()
    refusal: str | None = None  # why the store can't be used as it is, and what to do, in one line

    @property
    def is_broken(self) -> bool:
        """Whether the store can only be set aside; one made by another version of MLflow isn't broken."""
        return self.damage is not None or self.state is StoreState.HALF_MADE


@dataclass(frozen=True, slots=True)
class UiServer:
    """A web UI on a store that answers requests, in a process of its own."""

    address: str  # URL to open in a browser
    port: int  # another than the one asked for if that was taken
    process: subprocess.Popen[bytes]

    def wait(self) -> int:
        """Wait until it ends and return its exit status; an interrupt ends the wait with 0."""
        with suppress(KeyboardInterrupt):
            return self.process.wait()
        return 0


class KerasModel(Protocol):
    """A `keras.Model`, which this room does not import."""

    def save(self, filepath: Path, /) -> None:
        """Write the network and its weights to a new file."""


class Upload(Protocol):
    """Uploads one journal, as it grows, to one store."""

    def send(self, events: Sequence[Event], artifacts: Path) -> UploadState:
        """Upload what the store lacks, and return how much it has then: everything.

        `events` is the whole journal, from its first event on; `artifacts` is the folder of the attached files.

        Raises `UnreachableError` if the store is away, locked or full: what was uploaded stays, and the rest may be
        sent later. Raises `GoneError` if the run was uploaded before, but the store no longer has it, and `StoreError`
        if it can't be used or refuses an event: sending it again won't help.
        """


class Store(Protocol):
    """Where runs are kept. Nothing is opened, made or changed until a method needs it."""

    @property
    def uri(self) -> str:
        """Absolute tracking URI, without credentials: what is written and suggested, and what names the same store."""

    @property
    def has_login(self) -> bool:
        """Whether the store was given with credentials, which `uri` lacks."""

    @property
    def shown(self) -> str:
        """Path or address as a person would write it, without credentials."""

    @property
    def folder(self) -> Path | None:
        """Folder in which the store's file lies; None for a server."""

    @property
    def has_no_file(self) -> bool:
        """Whether the store is a file that isn't there: not made yet, or gone."""

    def check_usable(self) -> None:
        """Raise `StoreError` if no run could ever be uploaded, so that none is trained; a locked store passes."""

    def check_start(self, started: Started) -> None:
        """Raise `StoreError` if the store would cut or refuse a name, param or tag of a new run."""

    def check_metrics(self, names: Iterable[str]) -> None:
        """Raise `StoreError` if the store would refuse the name of a metric."""

    def read(
        self, experiment: str, *, by_epoch: ByEpoch = BY_EPOCH_RUNS, results_of: AbstractSet[str] | None = None
    ) -> Experiment:
        """Read an experiment with everything its runs logged; by-epoch predictions of the runs of `by_epoch` alone.

        If it is enough to have the curves and files of some runs, `results_of` are their ids: those of the others,
        which take longest, may be left out.

        Raises `GoneError` if there is no such experiment, and `StoreError` if it has no runs or can't be read.
        """

    def deleted_runs(self, experiment: str) -> tuple[DeletedRun, ...]:
        """Return the runs of an experiment that were deleted; none if it isn't there, or the store can't say."""

    def matching_runs(self, experiment: str, filter_string: str) -> frozenset[str]:
        """Return the ids of an experiment's runs that match a filter in the store's own syntax.

        Raises `FilterError` if it isn't of that syntax, and `StoreError` if the store can't be searched.
        """

    def experiment_name(self, experiment_id: str) -> str | None:
        """Return the name of an experiment by the store's id of it, None if there isn't any.

        Raises `StoreError` if the store can't be read.
        """

    def run_names(self) -> tuple[RunName, ...]:
        """Return the names of all runs, if that takes milliseconds; else none, as for a server or a busy store."""

    def open_upload(
        self, journal: str, known: UploadState | None, on_uploaded: Callable[[UploadState], None]
    ) -> Upload:
        """Return the upload of one journal, whose id must be letters, digits, ``.``, ``_`` and ``-``.

        `known` is what the store is known to have, if anything; `on_uploaded` is called after each step with what it
        has then, to be saved for the next time.
        """

    def check_change(self, change: Change) -> None:
        """Raise `StoreError` if the store would cut or refuse the new name or a tag of a run."""

    def change_run(self, run_id: str, change: Change) -> None:
        """Rename, tag or delete a run that no journal here is of.

        Raises `GoneError` if there is no such run, `StoreError` if the store refuses or is away.
        """

    def add_to_run(self, run_id: str, events: Sequence[Event], artifacts: Path) -> None:
        """Write more to a run that no journal here is of; `artifacts` is the folder of the attached files.

        Raises as `change_run`.
        """

    def register_model(
        self, run_id: str, path: str, name: str, alias: str, description: str, tags: Mapping[str, str]
    ) -> str:
        """Register the model that a run logged at a path under a name, give it an alias, and return its version.

        A run that has a version already keeps it. Raises `StoreError` if the store refuses or is away.
        """

    def tag_experiment(self, experiment: str, tags: Mapping[str, str]) -> Mapping[str, str]:
        """Set tags of an experiment, over those of the same name, and return all that it has then.

        Raises `GoneError` if there is no such experiment, `StoreError` if the store refuses or is away.
        """

    def log_report(self, experiment: str, run_id: str, page: bytes, verdict: str) -> None:
        """Keep an HTML page as the artifact `REPORT` of a run, and a line as the description of its experiment.

        A person's own description stays above the line; an earlier line is replaced. Raises `StoreError` if the store
        refuses or is away.
        """

    def has_run(self, run_id: str, journal: str) -> bool:
        """Return whether a run is there, a deleted one included, and was uploaded from a journal.

        Raises `StoreError` if the store can't be read.
        """

    def read_artifact(self, run_id: str, path: str) -> bytes:
        """Return a file that a run logged.

        Raises `GoneError` if it isn't there, `StoreError` if it can't be read or the store is away.
        """

    def save_model(self, folder: Path, model: KerasModel, clips: ClipFunction, backend: str) -> None:
        """Save a Keras model as a new folder that the store's own tools can load.

        `clips` makes it a function of audio; `backend` is the package that Keras trained it with.
        """

    def examine(self, *, has_uploads: bool = False) -> Condition:
        """Return what is wrong with the store, once no other program is making it; nothing is changed.

        A damaged file that no longer shows whose it was counts as a store only if runs were uploaded to it.
        """

    def set_aside(self, *, has_uploads: bool = False) -> Path:
        """Move a broken store out of the way and return where it is now; raise `StoreError` if it isn't broken."""

    def relocate(self) -> tuple[tuple[ArtifactPath, ...], Path | None]:
        """Update the artifact paths of a store that was moved or copied (all or nothing).

        Returns what was rewritten, and a copy of the store as it was; nothing and None if nothing had to be.
        """

    def restore_artifacts(self, uri: str | None, paths: Iterable[str], into: Path, folder: Path) -> tuple[str, ...]:
        """Copy uploaded artifacts back into their journal, and return the paths that could not be found.

        `uri` is `UploadState.artifacts`, or None if nothing was uploaded. `paths` are the attached files and folders;
        those that are still in the journal's folder of them, `into`, stay as they are. `folder` is searched if the
        artifacts aren't where they were.
        """

    def serve_ui(
        self, port: int = 5000, on_start: Callable[[str], None] = lambda _: None
    ) -> AbstractContextManager[UiServer]:
        """Run the store's web UI while the context lasts, on another port if that one is taken.

        `on_start` is told the address at once; the context begins when the UI answers there, seconds later.

        Raises `StoreError` if the store can't be shown or the UI doesn't start.
        """


def store_at(tracking_uri: str | None, folder: Path) -> Store:
    """Return the store of a tracking URI, without opening it.

    It is ``sqlite:///`` with a relative or absolute path, a path to a database or to its folder, or the address of a
    tracking server; None or empty: MLflow's default, ``sqlite:///mlflow.db``. Relative paths are relative to `folder`.
    One of MLflow's file stores, which is only read, is a ``file:`` URI, a path to its folder or to the one that it is
    in, or what is in ``./mlruns`` if there is no ``mlflow.db``. PostgreSQL, MySQL and SQL Server are only read, too, as
    is what MLflow's own client reaches: ``databricks``, and what plug-ins of it are installed for. Raises `StoreError`
    if it is of a kind that can't be used safely.
    """
    from tracker.store.location import locate
    from tracker.store.mlflow_store import store_of

    return store_of(locate(tracking_uri, folder), folder)


def store_beside(tracking_uri: str, folder: Path) -> Store:
    """Return the store of a journal; if that is a file, it lies in `folder` now, wherever it was when the run began."""
    from tracker.store.location import locate

    database = locate(tracking_uri, folder).database
    return store_at(str(folder / database.name) if database else tracking_uri, folder)


def run_of_journal(events: Sequence[Event], artifacts: Path, run_id: str, status: RunStatus) -> Run:
    """Return the run of a journal, with the id and status that it lacks, as a store gives it back after the upload."""
    from tracker.store.mlflow_run import experiment_of

    return experiment_of(events, artifacts, run_id, status).runs[0]


def note_of(started: Started) -> str | None:
    """Return the note that a run was started with; old journals hold it under MLflow's name."""
    from tracker.store.mlflow_run import description

    return description(started.tags)


def now_ms() -> int:
    """Return the time in milliseconds since 1970, as events have it."""
    return time.time_ns() // 1_000_000
