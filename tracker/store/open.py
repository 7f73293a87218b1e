"""A store opened for writing: made if it is not there, and never migrated."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.errors import StoreError
from tracker.store.client import MlflowClient, MlflowException, client_of, one_line_errors
from tracker.store.failures import UnreachableError
from tracker.store.files import found_below, written_to
from tracker.store.schema import MAKING_S, State, make, making_lock, now_ms, refusal, state_of

if TYPE_CHECKING:
    from mlflow.entities import Experiment

    from tracker.store.location import Location

Clock = Callable[[], int]

DEFAULT_METRIC = "val_accuracy"

_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Tells MLflow's UI that these are trainings, not chats with a language model."""

_RUN = re.compile("[0-9a-f]{32}")
"""A run's id, by which its folder is called."""

_NOTHING = {State.ABSENT, State.EMPTY}
_UNFINISHED = {State.EMPTY, State.HALF_MADE, State.OLDER}
"""What a store looks like while MLflow makes it, version by version."""

_QUIET_S = 3.0
"""Seconds without a change after which such a store is taken for what it is: MLflow commits several times a second."""


@dataclass(frozen=True)
class Store:
    """An open store.

    Parameters
    ----------
    location : Location
    client : MlflowClient
    """

    location: Location
    client: MlflowClient

    def ensure_experiment(self, name: str, metric: str = DEFAULT_METRIC) -> str:
        """Return the id of the experiment of that name, made if it is not there.

        Parameters
        ----------
        name : str
        metric : str
            The experiment's primary metric, which a new one is tagged with.

        Raises
        ------
        StoreError
            If an experiment of that name was deleted, belongs to a tracking server, or cannot be made.
        """
        with one_line_errors(f"cannot open the experiment {name!r} in {self.location.shown}"):
            experiment = self.client.get_experiment_by_name(name)
            if not experiment:
                self._make_experiment(name, metric)
                experiment = self.client.get_experiment_by_name(name)
        self._check_writable(experiment)
        return str(experiment.experiment_id)

    def check_run(self, run_id: str) -> None:
        """See that a run is there, and that what is sent to it ends up where the store is.

        Raises
        ------
        GoneError
            If it is not there.
        StoreError
            If the store was moved and still has the old places of its artifacts.
        """
        with one_line_errors(f"cannot go on with run {run_id} in {self.location.shown}"):
            experiment = self.client.get_experiment(self.client.get_run(run_id).info.experiment_id)
        self._check_in_place(experiment)

    def _check_writable(self, experiment: Experiment) -> None:
        if experiment.lifecycle_stage != "active":
            raise StoreError(
                f"the experiment {experiment.name!r} was deleted: bring it back with `mlflow experiments restore "
                f"--experiment-id {experiment.experiment_id}`, or give another --experiment"
            )
        if self.location.database and experiment.artifact_location.startswith("mlflow-artifacts:"):
            raise StoreError(
                f"the experiment {experiment.name!r} was made by a tracking server, which alone can write its "
                "artifacts: give its address as --tracking-uri, or another --experiment"
            )
        self._check_in_place(experiment)

    def _check_in_place(self, experiment: Experiment) -> None:
        database, place = self.location.database, written_to(experiment.artifact_location)
        if not (database and place) or (place.is_relative_to(database.parent) and place.exists()):
            return
        here = found_below(database.parent, place)
        if here and (not place.exists() or _have_runs_in_common(here, place)):
            raise StoreError(
                f"the store {database} was {'copied' if place.exists() else 'moved'}, and the artifacts of its "
                f"experiment {experiment.name!r} would be written to {place}, where they were: run `tracker repair` "
                "first"
            )

    def _make_experiment(self, name: str, metric: str) -> None:
        place = f"{self.location.artifacts}/{_folder_name(name)}" if self.location.artifacts else None
        try:
            self.client.create_experiment(name, artifact_location=place, tags={"tracker.metric": metric, **_KIND})
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise  # anything but another process that was faster


def open_store(location: Location, clock: Clock = now_ms) -> Store:
    """Open a store to write to; make it first if it is a SQLite file that is not there.

    Parameters
    ----------
    location : Location
    clock : callable
        Returns milliseconds since 1970.

    Raises
    ------
    StoreError
        If it was made by another version of MLflow or half-made.
    UnreachableError
        If it is locked, cannot be made or does not answer.
    """
    if location.database:
        state = _settled_state(location.database)
        if state in _NOTHING:
            state = _made(location.database, location.artifacts, clock)
        if state is not State.READY:
            raise StoreError(refusal(location.database, state))
    return Store(location, client_of(location))


def _have_runs_in_common(folder: Path, other: Path) -> bool:
    """Tell whether one folder of an experiment is a copy of another: runs are called alike nowhere else."""
    return any(_RUN.fullmatch(run.name) and (other / run.name).exists() for run in folder.iterdir())


def _made(database: Path, artifacts: str, clock: Clock) -> State:
    """Make a store unless another process was faster, and return its state; two that make it would break it."""
    lock = making_lock(database)
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        with lock:
            if state_of(database) in _NOTHING:
                make(database, artifacts, clock())
            state = state_of(database)
        Path(lock.lock_file).unlink(missing_ok=True)  # whoever still waits for it finds the store made
    except (OSError, sqlite3.Error) as error:
        raise UnreachableError(f"cannot make a store at {database}: {error}") from error
    return state


def _settled_state(database: Path) -> State:
    """Return the state of a store once no other program, such as a UI just started, is at work on making it."""
    deadline = time.monotonic() + MAKING_S
    while (state := state_of(database)) in _UNFINISHED and time.monotonic() < deadline:
        if time.time() - database.stat().st_mtime > _QUIET_S:
            break
        time.sleep(0.1)
    return state


def _folder_name(experiment: str) -> str:
    """Return a name for an experiment's folder; two may share one, as runs have folders of their own."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", experiment).strip("-")[:64] or "experiment"
