"""Stores opened for writing.

What writes is a client: ours of a SQLite file (`tracker.store.database_client`) or of a server
(`tracker.store.server`), or MLflow's own, of a file of another schema and for what ours leaves to it.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tracker.atomic_files import replace_path
from tracker.contained_files import UnsafePathError, check_place, open_folder
from tracker.errors import StoreError
from tracker.printable import with_command
from tracker.runs import RUN_OPTIONS
from tracker.runs.logged import DEFAULT_METRIC
from tracker.store import FilterError, StoreState, UnreachableError, now_ms
from tracker.store.client_errors import INVALID, IS_THERE, Ignored, one_line_errors
from tracker.store.database import (
    check_own,
    copy_database,
    has_own_schema,
    has_run,
    make,
    making_lock,
    refusal,
    settled_state,
    state_of,
)
from tracker.store.database_client import DatabaseClient, writes_as_mlflow
from tracker.store.location import (
    Access,
    folder_below,
    path_of,
    public_uri,
    root_above,
    sqlite_uri,
    written_to,
)
from tracker.store.mlflow_run import JOURNAL_TAG
from tracker.store.rows import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeAlias

    from mlflow import MlflowClient
    from mlflow.entities import Experiment

    from tracker.store.location import Location
    from tracker.store.rows import StoredExperiment
    from tracker.store.server import ServerClient

    Client: TypeAlias = DatabaseClient | MlflowClient | ServerClient


def client_of(location: Location) -> Client:
    """Return the client that writes to a store.

    A SQLite file must be ready, or MLflow would create or migrate it. Raises `StoreError` if the store can't be opened,
    `UnreachableError` if the server doesn't answer.
    """
    if location.database and writes_as_mlflow(location.database):
        return DatabaseClient(location.database)
    return full_client_of(location)


def full_client_of(location: Location) -> MlflowClient | ServerClient:
    """Return the client that can do all that is done with a store, which is MLflow's own of a file; see `client_of`."""
    with one_line_errors(f"cannot open the store {location.shown}"):
        if location.access is Access.SERVER:
            from tracker.store.server import server_client

            return server_client(location)
        from tracker.store.mlflow_client import mlflow_client

        return mlflow_client(location)


def matching_runs(location: Location, experiment: str, filter_string: str) -> frozenset[str]:
    """Return the ids of an experiment's runs that match a filter; see `tracker.store.Store.matching_runs`."""
    if location.database:
        state = state_of(location.database)
        if state is not StoreState.READY:  # MLflow would create or migrate it
            raise StoreError(refusal(location.database, state))
    client = full_client_of(location)
    with one_line_errors(f"cannot search {location.shown}"):
        found = client.get_experiment_by_name(experiment)
        with Ignored(INVALID):
            return frozenset(_matching(client, str(found.experiment_id), filter_string) if found else ())
    raise FilterError(
        f"the filter {filter_string!r} isn't of MLflow's syntax: write a param as {_param_meant(filter_string)}, a "
        "metric as metrics.val_accuracy > 0.8, a tag as tags.NAME = 'text', and join them by AND"
    )


_COMPARISON = re.compile(r"""\s*(?:params?\.)?(\w+)\s*=+\s*['"]?([\w.+-]+)['"]?\s*""")


def _param_meant(filter_string: str) -> str:
    """Return the condition on a param that a filter seems to mean, or that of an example."""
    name, value = found.groups() if (found := _COMPARISON.fullmatch(filter_string)) else ("kernel", "7")
    param = next((option.params[0] for option in RUN_OPTIONS if option.params and name in option.spellings), name)
    return f"params.{param} = '{value}'"


def _matching(client: Any, experiment_id: str, filter_string: str) -> Iterator[str]:
    """Yield the runs of every page, of which a client of a server has but one."""
    token: dict[str, str] = {}
    while True:
        page = client.search_runs([experiment_id], filter_string, **token)
        yield from (run.info.run_id for run in page)
        token = {"page_token": page.token} if getattr(page, "token", None) else {}
        if not token:
            return


# Tells MLflow's UI that these are trainings, not chats with a language model.
_KIND = {"mlflow.experimentKind": "custom_model_development"}

_RUN = re.compile("[0-9a-f]{32}")  # a run's id, by which its folder is called

_NOTHING = {StoreState.ABSENT, StoreState.EMPTY}


@dataclass(frozen=True)
class Store:
    """An open store."""

    location: Location
    client: Client

    @cached_property
    def full_client(self) -> MlflowClient | ServerClient:
        """What deletes runs and registers models, too; raises as `client_of`."""
        return full_client_of(self.location) if isinstance(self.client, DatabaseClient) else self.client

    @property
    def server(self) -> ServerClient | None:
        """The client of a server; None of a file."""
        return None if self.location.database else cast("ServerClient", self.client)

    def runs_tagged(
        self, experiment_id: str, tag: str, value: str, view: View = View.ACTIVE_ONLY, most: int = 1_000
    ) -> list[Any]:
        """Return an experiment's runs that have a value of a tag; there aren't more than `most`."""
        if isinstance(self.client, DatabaseClient):
            return self.client.runs_tagged(experiment_id, tag, value, view)
        query = f"tags.`{tag}` = '{value}'"
        return [*self.client.search_runs([experiment_id], query, view, max_results=most)]

    def models_of(self, experiment_id: str, run_id: str) -> list[Any] | None:
        """Return the logged models of a run that aren't deleted; None of a server that has none of any run."""
        if isinstance(self.client, DatabaseClient):
            return self.client.models_of(experiment_id, run_id)
        found = self.client.search_logged_models([experiment_id], filter_string=f"source_run_id = '{run_id}'")
        return found and [model for model in found if model.source_run_id == run_id]  # whatever a server finds

    def ensure_experiment(self, name: str, metric: str = DEFAULT_METRIC) -> str:
        """Return the id of an experiment, created if it is missing and tagged with its primary metric.

        Raises `StoreError` if it was deleted, belongs to a tracking server, or can't be created.
        """
        with one_line_errors(f"cannot open the experiment {name!r} in {self.location.shown}"):
            experiment = self.client.get_experiment_by_name(name)
            if not experiment:
                self._make_experiment(name, metric)
                experiment = self.client.get_experiment_by_name(name)
        if not experiment:
            raise StoreError(
                f"{self.location.shown} has made no experiment {name!r}: check that it is a tracking server"
            )
        if experiment.lifecycle_stage != "active":
            restore = ("mlflow", "experiments", "restore", "--experiment-id", str(experiment.experiment_id))
            raise StoreError(
                f"the experiment {name!r} was deleted: bring it back{with_command(restore)}, or give another "
                "--experiment"
            )
        if self.location.database and experiment.artifact_location.startswith("mlflow-artifacts:"):
            raise StoreError(
                f"the experiment {name!r} was made by a tracking server, which alone can write its artifacts: give its "
                "address as --tracking-uri, or another --experiment"
            )
        self._check_in_place(experiment)
        return str(experiment.experiment_id)

    def check_run(self, run_id: str) -> str | None:
        """Return the id of the journal that a run was uploaded from, if it was uploaded from one.

        Raises `GoneError` if the run is missing, `StoreError` if its artifacts would go to where the store was.
        """
        with one_line_errors(f"cannot continue run {run_id} in {self.location.shown}"):
            run = self.client.get_run(run_id)
            experiment = self.client.get_experiment(run.info.experiment_id)
        self._check_in_place(experiment)
        journal: str | None = run.data.tags.get(JOURNAL_TAG)
        return journal

    def artifact_folder(self, run_id: str) -> tuple[Path, Path] | None:
        """Return the folder that a run's artifacts are written to, and the one that it is beneath; None of a server.

        Raises `StoreError` if that isn't the store's own or is behind a link: the store may be a stranger's.
        """
        if not self.location.database:
            return None
        with one_line_errors(f"cannot continue run {run_id} in {self.location.shown}"):
            uri = self.client.get_run(run_id).info.artifact_uri
        return own_place(str(uri or ""), self.location.database, f"run {run_id}")

    def _check_in_place(self, experiment: Experiment | StoredExperiment) -> None:
        database, place = self.location.database, written_to(experiment.artifact_location)
        if not database:
            return
        if place:
            self._check_not_moved(experiment, database, place)
        own_place(experiment.artifact_location, database, f"the experiment {experiment.name!r}")

    def _check_not_moved(self, experiment: Experiment | StoredExperiment, database: Path, place: Path) -> None:
        if place.is_relative_to(database.parent) and place.exists():
            return
        here, is_copy = folder_below(database.parent, place), place.exists()
        runs = [run.name for run in here.iterdir() if _RUN.fullmatch(run.name)] if here else []
        # Of two folders that exist, one is a copy of the other only if they have a run in common: ids are unique.
        if here and (not is_copy or any((place / run).exists() for run in runs)):
            raise StoreError(
                f"the store {database} was {'copied' if is_copy else 'moved'}, and the artifacts of its "
                f"experiment {experiment.name!r} would be written to {place}, where they were: run `tracker repair` "
                "first"
            )

    def _make_experiment(self, name: str, metric: str) -> None:
        folder = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:64] or "experiment"  # two may share one
        place = f"{self.location.artifacts}/{folder}" if self.location.artifacts else None
        with Ignored(IS_THERE):  # another process was faster
            self.client.create_experiment(name, artifact_location=place, tags={"tracker.metric": metric, **_KIND})


def own_place(uri: str, database: Path, whose: str) -> tuple[Path, Path]:
    """Return the folder that a store says artifacts are written to, and the one that it is beneath.

    That is the store's own, or one in which runs of the store already are: only MLflow can have put them there.
    """
    if not uri:
        raise StoreError(f"the store names no place for the artifacts of {whose}: give another --experiment")
    path = path_of(uri)
    place = path.absolute() if path else None  # MLflow writes relative ones to the working folder
    root = place and (root_above(place, database.parent) or _known_root(place, database))
    if not place or not root:
        raise StoreError(
            f"the artifacts of {whose} would be written to {public_uri(uri)[:200]}, which is not below the store's "
            f"folder {database.parent}: give another --experiment"
        )
    try:
        check_place(place, root)
    except UnsafePathError as error:
        raise StoreError(
            f"the artifacts of {whose} would be written to {place}, and {error.strerror}: nothing is written through "
            "links; put the store itself on that disk and give it as --tracking-uri"
        ) from error
    return place, root


def _known_root(place: Path, database: Path) -> Path | None:
    """Return the folder outside of a store's own in which its runs are, for the place of an experiment or a run."""
    for above in (place, place.parent.parent):
        with suppress(OSError), open_folder(above, above) as folder:
            if has_run(database, *filter(_RUN.fullmatch, folder.names())):
                return above
    return None


def open_store(location: Location, clock: Callable[[], int] = now_ms) -> Store:
    """Open a store to write to; a SQLite file is created first if it is missing, or migrated if it must be.

    Raises `StoreError` if it was made by another version of MLflow or only half, and `UnreachableError` if it is
    locked, can't be created or doesn't answer.
    """
    if location.database:
        check_own(location.database)
        state = settled_state(location.database)
        if state in _NOTHING | {StoreState.UPGRADABLE}:
            state = _prepared(location.database, location.artifacts, clock)
        if state is not StoreState.READY:
            raise StoreError(refusal(location.database, state))
    return Store(location, client_of(location))


def _prepared(database: Path, artifacts: str, clock: Callable[[], int]) -> StoreState:
    """Create or migrate a store unless another process was faster, and return its state; two at once would break it."""
    lock = making_lock(database)
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        with lock:
            state = state_of(database)
            if state in _NOTHING and has_own_schema():
                make(database, artifacts, clock())
            elif state in _NOTHING:  # MLflow makes one of its own schema
                from tracker.store.mlflow_client import make_database

                replace_path(database, lambda path: make_database(sqlite_uri(path), artifacts))
            elif state is StoreState.UPGRADABLE:
                _migrate(database)
            state = state_of(database)
        Path(lock.lock_file).unlink(missing_ok=True)  # a process that still waits for it finds the store made
    except (OSError, sqlite3.Error) as error:
        raise UnreachableError(f"cannot make a store at {database}: {error}") from error
    return state


def _migrate(database: Path) -> None:
    """Have MLflow migrate a store to its own schema, and keep a copy of the store as it was."""
    from tracker.store.mlflow_client import SETTINGS

    copy_database(database, "before-migration")
    command = [sys.executable, "-m", "mlflow", "db", "upgrade", sqlite_uri(database)]
    environment = SETTINGS | os.environ | {"PYTHONSAFEPATH": "1"}  # the working folder's modules aren't MLflow's
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        last_line = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise StoreError(f"MLflow {version('mlflow')} cannot migrate the store {database}: {last_line}")
