"""The one door to MLflow: its client, quiet and bounded, its errors in one line, and stores opened for writing.

Importing this module imports MLflow (2 to 5 s), so only what writes, or reads from a server, imports it.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.atomic_files import replace_path
from tracker.contained_files import UnsafePathError, check_place, open_folder
from tracker.errors import StoreError
from tracker.printable import with_command
from tracker.runs import RUN_OPTIONS
from tracker.runs.logged import DEFAULT_METRIC
from tracker.store import BusyError, FilterError, GoneError, StoreState, UnreachableError, now_ms
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
from tracker.store.location import (
    Access,
    folder_below,
    path_of,
    public_text,
    public_uri,
    root_above,
    secrets_of,
    sqlite_uri,
    written_to,
)
from tracker.store.mlflow_run import JOURNAL_TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlflow.entities import Experiment

    from tracker.store.location import Location
    from tracker.store.server import ServedExperiment

# Environment that MLflow reads, some of it when it is imported; what the user has set goes before.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing here talks to anybody
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # which is for results
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # the default, 7, blocks each call to a dead server for four minutes
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "12",  # seconds that one call may take with its retries
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # a database moved aside is never written to any more
    "GIT_PYTHON_REFRESH": "quiet",
}

_GREETING_S = 10
_TOO_MANY, _SERVERS_FAULT = 429, 500

# What databases say where two wrote at once: SQLite, PostgreSQL and MySQL. MLflow looks whether a dataset is there
# before it adds it, and another run on the same data may come between.
_BUSY = re.compile(r"database is locked|unique constraint|duplicate (key|entry)", re.IGNORECASE)

for _name, _value in SETTINGS.items():
    os.environ.setdefault(_name, _value)
try:
    Path.home()
except RuntimeError:  # an account without a name: MLflow builds a path from the home when it is imported
    os.environ["HOME"] = "/nonexistent"  # as Debian has it for accounts that have none

from mlflow import MlflowClient, entities  # noqa: E402 -- after its settings
from mlflow.exceptions import MlflowException  # noqa: E402
from requests import HTTPError, RequestException  # noqa: E402

from tracker.store.connection import NotServedError, ServerError, TooLongError  # noqa: E402
from tracker.store.server import ServerClient  # noqa: E402

for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # errors are raised, and printed once

__all__ = [
    "MlflowClient",
    "MlflowException",
    "NotServedError",
    "ServerClient",
    "ServerError",
    "Store",
    "TooLongError",
    "client_of",
    "entities",
    "in_one_line",
    "matching_runs",
    "one_line_errors",
    "open_store",
    "own_place",
]


def client_of(location: Location) -> MlflowClient | ServerClient:
    """Return a client of a store: MLflow's, or ours of a server, which has the same methods as far as they are needed.

    A SQLite file must be ready, or MLflow would create or migrate it. Raises `StoreError` if the store can't be opened,
    `UnreachableError` if the server doesn't answer.
    """
    with one_line_errors(f"cannot open the store {location.shown}"):
        if location.access is Access.SERVER:
            return server_client(location)
        from sqlalchemy.exc import OperationalError  # which a client of a server does without

        try:
            return MlflowClient(location.uri)
        except OperationalError as error:  # if it is locked; later calls raise MLflow's own error
            raise OSError(str(error)) from error


def server_client(location: Location) -> ServerClient:
    """Return a client of a server that answers; raises as `client_of`."""
    client = ServerClient(location)
    with one_line_errors(f"cannot open the store {location.shown}"):
        try:  # whatever it answers: the first real call would be tried several times
            client.ask("GET", "/health", max_retries=0, within_s=_GREETING_S)
        except ServerError:
            raise
        except (MlflowException, OSError) as error:
            raise UnreachableError(
                f"no tracking server answers at {location.shown}: start it, or give another --tracking-uri"
            ) from error
    return client


def matching_runs(location: Location, experiment: str, filter_string: str) -> frozenset[str]:
    """Return the ids of an experiment's runs that match a filter; see `tracker.store.Store.matching_runs`."""
    if location.database:
        state = state_of(location.database)
        if state is not StoreState.READY:  # MLflow would create or migrate it
            raise StoreError(refusal(location.database, state))
    client = client_of(location)
    with one_line_errors(f"cannot search {location.shown}"):
        found = client.get_experiment_by_name(experiment)
        try:
            return frozenset(_matching(client, str(found.experiment_id), filter_string) if found else ())
        except MlflowException as error:
            if error.error_code != "INVALID_PARAMETER_VALUE":
                raise
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


def _matching(client: MlflowClient | ServerClient, experiment_id: str, filter_string: str) -> Iterator[str]:
    if isinstance(client, ServerClient):
        yield from (run.info.run_id for run in client.search_runs([experiment_id], filter_string))
        return
    token = None
    while True:
        page = client.search_runs([experiment_id], filter_string, page_token=token)
        yield from (run.info.run_id for run in page)
        token = page.token
        if not token:
            return


@contextmanager
def one_line_errors(what: str, uri: str = "") -> Iterator[None]:
    """Turn what MLflow, the network or the disk raises into a `StoreError` of one line that begins with `what`.

    Credentials in `uri`, that of the store, are hidden in it.

    It is an `UnreachableError` if the store didn't answer or couldn't do it now, a `BusyError` if another process wrote
    at the same moment, a `GoneError` if the run or experiment isn't there, and a plain one if it was refused.
    """
    try:
        yield
    except (MlflowException, OSError) as error:
        raise _kind(error)(f"{what}: {in_one_line(error, uri)}") from error


def _kind(error: MlflowException | OSError) -> type[StoreError]:
    if _BUSY.search(str(error)):
        return BusyError
    if isinstance(error, MlflowException):
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return GoneError
        status = error.get_http_status_code()
    elif isinstance(error, HTTPError) and error.response is not None:
        status = error.response.status_code
    else:
        return StoreError if isinstance(error, UnsafePathError) else UnreachableError
    return UnreachableError if status == _TOO_MANY or status >= _SERVERS_FAULT else StoreError


def in_one_line(error: Exception, uri: str = "") -> str:
    """Return the part of an error that says something: not SQLAlchemy's statement, background, advice and classes."""
    text = str(error)
    wrapped = error if isinstance(error, RequestException) else error.__context__
    if isinstance(wrapped, RequestException) and wrapped.args:  # twice, in the address and in the request
        reason = getattr(wrapped.args[0], "reason", wrapped.args[0])
        inner = reason.args[-1] if isinstance(reason, Exception) and reason.args else reason
        text = str(inner if isinstance(inner, Exception) else reason).rpartition("): ")[2] or str(inner) or text
    text = re.split(r"\n\[SQL|\(Background on", text)[0]
    text = re.sub(r"\((raised as a result of [^)]*|sqlite3\.\w+)\)", "", text)
    text = public_text(text[:10_000], secrets_of(os.environ, uri))
    return " ".join(text.split())[:500] or type(error).__name__


# Tells MLflow's UI that these are trainings, not chats with a language model.
_KIND = {"mlflow.experimentKind": "custom_model_development"}

_RUN = re.compile("[0-9a-f]{32}")  # a run's id, by which its folder is called

_NOTHING = {StoreState.ABSENT, StoreState.EMPTY}


@dataclass(frozen=True)
class Store:
    """An open store."""

    location: Location
    client: MlflowClient | ServerClient

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
        return own_place(str(uri), self.location.database, f"run {run_id}")

    def _check_in_place(self, experiment: Experiment | ServedExperiment) -> None:
        database, place = self.location.database, written_to(experiment.artifact_location)
        if not database:
            return
        if place:
            self._check_not_moved(experiment, database, place)
        own_place(experiment.artifact_location, database, f"the experiment {experiment.name!r}")

    def _check_not_moved(self, experiment: Experiment | ServedExperiment, database: Path, place: Path) -> None:
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
        try:
            self.client.create_experiment(name, artifact_location=place, tags={"tracker.metric": metric, **_KIND})
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise  # anything but another process that was faster


def own_place(uri: str, database: Path, whose: str) -> tuple[Path, Path]:
    """Return the folder that a store says artifacts are written to, and the one that it is beneath.

    That is the store's own, or one in which runs of the store already are: only MLflow can have put them there.
    """
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
            elif state in _NOTHING:  # MLflow makes a store of its own schema in 4 s
                from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

                replace_path(database, lambda path: SqlAlchemyStore(sqlite_uri(path), artifacts))
            elif state is StoreState.UPGRADABLE:
                _migrate(database)
            state = state_of(database)
        Path(lock.lock_file).unlink(missing_ok=True)  # a process that still waits for it finds the store made
    except (OSError, sqlite3.Error) as error:
        raise UnreachableError(f"cannot make a store at {database}: {error}") from error
    return state


def _migrate(database: Path) -> None:
    """Have MLflow migrate a store to its own schema, and keep a copy of the store as it was."""
    copy_database(database, "before-migration")
    command = [sys.executable, "-m", "mlflow", "db", "upgrade", sqlite_uri(database)]
    environment = os.environ | {"PYTHONSAFEPATH": "1"}  # no module of the working folder stands in for MLflow's
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        last_line = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise StoreError(f"MLflow {version('mlflow')} cannot migrate the store {database}: {last_line}")
