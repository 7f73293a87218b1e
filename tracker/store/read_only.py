"""Stores that are only read, each as a `tracker.store.Store`: what they have in common.

They are MLflow's file stores, its stores in databases other than SQLite, and what its own client or a plug-in of it
reaches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from tracker.errors import StoreError
from tracker.store import BY_EPOCH_RUNS, Condition, GoneError, StoreState
from tracker.store.location import Access, restore_artifacts
from tracker.store.mlflow_run import check_keys, check_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from tracker.runs.events import Started
    from tracker.store import ByEpoch, DeletedRun, Experiment, RunName, Store
    from tracker.store.location import Location


@dataclass(frozen=True, slots=True)
class Reader:
    """How one kind of store is read; see the methods of `tracker.store.Store` of the same names."""

    kind: str  # as in "it is …"
    read: Callable[[str, ByEpoch], Experiment]
    experiment_name: Callable[[str], str | None]
    matching_runs: Callable[[str, str], frozenset[str]] | None = None  # None if it has no syntax of filters
    root: Path | None = None  # of one in a folder


def read_only_store(location: Location, reader: Reader) -> Store:
    """Return a store that is read as a reader does."""
    return _ReadOnlyStore(location, reader)


def elsewhere(location: Location, folder: Path) -> Store:
    """Return a store in a database, or that MLflow's client reaches; a folder is what artifacts' paths start from."""
    return _ReadOnlyStore(location, _sql(location, folder) if location.access is Access.SQL else _plug_in(location))


def _sql(location: Location, folder: Path) -> Reader:
    def read(experiment: str, by_epoch: ByEpoch) -> Experiment:
        from tracker.store.sql_reader import read_sql

        return read_sql(location, folder, experiment, by_epoch)

    def experiment_name(experiment_id: str) -> str | None:
        from tracker.store.sql_reader import sql_experiment_name

        return sql_experiment_name(location, experiment_id)

    return Reader("a database", read, experiment_name)


def _plug_in(location: Location) -> Reader:
    def read(experiment: str, by_epoch: ByEpoch) -> Experiment:
        from tracker.store.plug_in import read_through_client

        return read_through_client(location, experiment, by_epoch)

    def experiment_name(experiment_id: str) -> str | None:
        from tracker.store.plug_in import experiment_name

        return experiment_name(location, experiment_id)

    def matching(experiment: str, filter_string: str) -> frozenset[str]:
        from tracker.store.client import matching_runs

        return matching_runs(location, experiment, filter_string)

    return Reader("reached through MLflow's own client", read, experiment_name, matching)


@dataclass(frozen=True, slots=True)
class _ReadOnlyStore:
    """See `tracker.store.Store`, which documents each method."""

    location: Location
    reader: Reader

    @property
    def uri(self) -> str:
        return self.location.public

    @property
    def has_login(self) -> bool:
        return self.location.uri != self.location.public

    @property
    def shown(self) -> str:
        return self.location.shown

    @property
    def folder(self) -> Path | None:
        return self.reader.root and self.reader.root.parent

    @property
    def has_no_file(self) -> bool:
        return self.reader.root is not None and not self.reader.root.exists()

    def check_start(self, started: Started) -> None:
        check_start(started)

    def check_metrics(self, names: Iterable[str]) -> None:
        check_keys("metric", names)

    def read(
        self, experiment: str, *, by_epoch: ByEpoch = BY_EPOCH_RUNS, results_of: AbstractSet[str] | None = None
    ) -> Experiment:
        del results_of  # everything is read
        if self.has_no_file:
            raise StoreError(f"the store {self.shown} does not exist: give another --tracking-uri")
        return self.reader.read(experiment, by_epoch)

    def matching_runs(self, experiment: str, filter_string: str) -> frozenset[str]:
        if self.reader.matching_runs:
            return self.reader.matching_runs(experiment, filter_string)
        raise StoreError(f"--filter {filter_string!r} can't be used in {experiment!r}: {self._refusal}")

    def experiment_name(self, experiment_id: str) -> str | None:
        return self.reader.experiment_name(experiment_id)

    def run_names(self) -> tuple[RunName, ...]:
        return ()  # which would take too long

    def deleted_runs(self, *_experiment: object) -> tuple[DeletedRun, ...]:
        return ()  # nobody deletes them by tracker

    def has_run(self, *_run: object, **_named: object) -> bool:
        return False  # no journal is ever uploaded to one

    def examine(self, **_options: object) -> Condition:
        return Condition(StoreState.FOREIGN, refusal=self._refusal)

    def restore_artifacts(self, uri: str | None, paths: Iterable[str], into: Path, folder: Path) -> tuple[str, ...]:
        return restore_artifacts(uri, paths, into, folder)

    def read_artifact(self, run_id: str, path: str) -> bytes:
        raise GoneError(f"{self.shown} is {self.reader.kind}, of which no {path} is read (run {run_id})")

    @property
    def _refusal(self) -> str:
        return (
            f"{self.shown} is {self.reader.kind}, which tracker only reads: to write, give another one, such as "
            "--tracking-uri sqlite:///mlflow.db"
        )

    def _refuse(self, *_arguments: object, **_named: object) -> NoReturn:
        raise StoreError(self._refusal)

    check_usable = check_change = change_run = add_to_run = register_model = tag_experiment = open_upload = (
        log_report
    ) = _refuse
    save_model = set_aside = relocate = serve_ui = _refuse
