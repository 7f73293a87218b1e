"""An experiment and all its runs, read in bulk; reading never creates, migrates or changes a store.

A SQLite store is read without MLflow: in a few statements, whatever the number of runs. A server is read by
`tracker.store.server_reader`, which is imported only then.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from types import NoneType
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from tracker.errors import StoreError
from tracker.store import BY_EPOCH_RUNS, DeletedRun, Experiment, GoneError, RunName, UnreadableRows
from tracker.store.client_errors import NOT_THERE, Ignored, one_line_errors
from tracker.store.database import columns_of, is_in_wal_mode, reading, require_readable, text_or_bytes
from tracker.store.location import find_artifacts, parents_below
from tracker.store.mlflow_run import (
    NAME_TAG,
    Record,
    assemble,
    curves_of,
    unknown_experiment,
    used_dataset,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from tracker.runs import Curve
    from tracker.store import ByEpoch
    from tracker.store.location import ArtifactFolder, Location
    from tracker.store.mlflow_run import Fetch

    _Types = tuple[frozenset[type], ...]  # of each column

_RUN_NAMES = """
    SELECT experiments.name, run_uuid, coalesce(
        nullif(runs.name, ''), (SELECT value FROM tags WHERE tags.run_uuid = runs.run_uuid AND key = ?), ''
    ) FROM runs JOIN experiments USING (experiment_id)
    WHERE runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active' ORDER BY start_time DESC
"""

_DELETED = """
    SELECT run_uuid, coalesce(
        nullif(runs.name, ''), (SELECT value FROM tags WHERE tags.run_uuid = runs.run_uuid AND key = ?), ''
    ), deleted_time FROM runs JOIN experiments USING (experiment_id)
    WHERE experiments.name = ? AND runs.lifecycle_stage = 'deleted' ORDER BY start_time
"""


def read_experiment(
    location: Location,
    name: str,
    *,
    by_epoch: ByEpoch = BY_EPOCH_RUNS,
    results_of: AbstractSet[str] | None = None,
) -> Experiment:
    """Read an experiment with everything its runs logged; see `tracker.store.Store.read`."""
    if location.database:
        experiment = _read_database(location, location.database, name, by_epoch, results_of)
    else:
        from tracker.store.server_reader import read_server  # which imports MLflow

        experiment = read_server(location, name, by_epoch)
    return check_has_runs(experiment, location.shown)


def check_has_runs(experiment: Experiment, shown: str) -> Experiment:
    """Return an experiment that was read from a store; raise `StoreError` with the reason if it has no runs."""
    name = experiment.name
    if not experiment.runs and experiment.unreadable_rows:
        raise StoreError(
            f"the runs of the experiment {name!r} in {shown} are all of wrong types or no UTF-8, which MLflow "
            "never writes: give another --experiment or --tracking-uri"
        )
    if not experiment.runs and experiment.deleted_runs:
        raise StoreError(
            f"the runs of the experiment {name!r} in {shown} were all deleted: restore some with `mlflow runs "
            "restore`, or give another --experiment"
        )
    if not experiment.runs:
        raise StoreError(f"the experiment {name!r} in {shown} has no runs yet: `tracker run` adds one")
    return experiment


def experiment_name(location: Location, experiment_id: str) -> str | None:
    """Return the name of an experiment; see `tracker.store.Store.experiment_name`."""
    if location.database:
        require_readable(location.database)
        with reading(location.database) as connection:
            statement = "SELECT name FROM experiments WHERE experiment_id = ?"
            row = connection.execute(statement, (experiment_id,)).fetchone()
        return row[0] if row and isinstance(row[0], str) else None
    from tracker.store.server import server_client

    client = server_client(location)
    with one_line_errors(f"cannot read from {location.shown}"), Ignored(NOT_THERE):
        return client.get_experiment(experiment_id).name
    return None


def read_artifact(location: Location, run_id: str, path: str) -> bytes:
    """Return a file that a run logged; see `tracker.store.Store.read_artifact`."""
    if location.database:
        data = _read_local(location.database, run_id, path)
    else:
        from tracker.store.server_reader import read_served  # which imports MLflow

        data = read_served(location, run_id, path)
    if data is None:
        raise GoneError(f"run {run_id} has no {path} in {location.shown}")
    return data


def _read_local(database: Path, run_id: str, path: str) -> bytes | None:
    require_readable(database)
    with reading(database) as connection:
        row = connection.execute("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run_id,)).fetchone()
    if not row:
        return None
    uri = row[0] if isinstance(row[0], str) else ""
    try:
        found = find_artifacts(uri, database.parent, run_id)
        return found.read(path) if found else None
    except OSError as error:
        raise StoreError(f"cannot read {path} of run {run_id}: {error}") from error


def deleted_runs(location: Location, name: str) -> tuple[DeletedRun, ...]:
    """Return the deleted runs of an experiment; see `tracker.store.Store.deleted_runs`."""
    with suppress(StoreError):
        if location.database is None:
            from tracker.store.server_reader import deleted_on_server  # which imports MLflow

            return deleted_on_server(location, name)
        require_readable(location.database)
        with reading(location.database) as connection:
            connection.text_factory = text_or_bytes
            rows = connection.execute(_DELETED, (NAME_TAG, name)).fetchall()
        return tuple(DeletedRun(run_id, run, time if isinstance(time, int) else None) for run_id, run, time in rows)
    return ()


def is_time(ms: int | None) -> bool:
    """Return whether a time in ms since 1970, if there is one, is of the years 1 to 9999."""
    return _FIRST_MS <= (ms or 0) <= _LAST_MS


def run_names(database: Path) -> tuple[RunName, ...]:
    """Return the experiment, id and name of every run, most recent first; none if the file can't be read at once."""
    if is_in_wal_mode(database):
        return ()
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=0.1)) as connection:
            connection.text_factory = text_or_bytes
            rows = connection.execute(_RUN_NAMES, (NAME_TAG,)).fetchall()
    except (sqlite3.Error, UnicodeDecodeError):
        return ()
    return tuple(RunName(*row) for row in rows if all(isinstance(text, str) for text in row))


def _read_database(
    location: Location, database: Path, name: str, by_epoch: ByEpoch, results_of: AbstractSet[str] | None
) -> Experiment:
    require_readable(database)
    with reading(database) as connection:
        experiment_id = id_of_experiment(connection, location, name)
        connection.text_factory = str  # the fastest
        try:
            rows = Rows(connection, experiment_id, columns_of(connection), results_of=results_of).read()
        except sqlite3.OperationalError as error:
            if "UTF-8" not in str(error):
                raise
            connection.text_factory = text_or_bytes
            rows = Rows(connection, experiment_id, columns_of(connection), results_of=results_of).read()

    parents = cache(parents_below)

    @lru_cache(maxsize=1)  # one run's files are asked for after another's
    def folder_of(artifact_uri: str, run_id: str) -> ArtifactFolder | None:
        return find_artifacts(artifact_uri, database.parent, run_id, parents)

    def fetch(record: Record, path: str) -> bytes | None:
        if results_of is not None and record.run_id not in results_of:
            return None
        found = folder_of(record.artifact_uri, record.run_id)
        return found.read(path) if found else None

    return rows.experiment(name, fetch, by_epoch)


class Connection(Protocol):
    """A connection to a database, as far as it is needed to read from it."""

    def execute(self, statement: str, parameters: tuple[object, ...] = (), /) -> Cursor:
        """Execute a statement with ``?`` in the place of each parameter."""


class Cursor(Protocol):
    """The rows that a statement gives."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows."""

    def fetchone(self) -> Any:
        """Return the next row, None after the last one."""

    def fetchmany(self, size: int, /) -> Sequence[Any]:
        """Return the next rows, none after the last one."""


def id_of_experiment(connection: Connection, location: Location, name: str) -> int:
    """Return the id of an experiment; raise `GoneError` if it isn't there, or was deleted."""
    row = connection.execute(
        "SELECT experiment_id, lifecycle_stage FROM experiments WHERE name = ? ORDER BY lifecycle_stage", (name,)
    ).fetchone()
    if row and row[1] == "active":
        return cast("int", row[0])
    names = connection.execute("SELECT name FROM experiments WHERE lifecycle_stage = 'active' ORDER BY name")
    there = tuple(name for (name,) in names if isinstance(name, str))
    deleted = str(row[0]) if row and isinstance(row[0], int) else None
    raise unknown_experiment(location, name, there, deleted_id=deleted)


# What columns hold if MLflow wrote them, the run first. A metric's NaN is selected as NULL, no number as text.
_VALUE = "CASE WHEN is_nan THEN NULL WHEN typeof(value) IN ('real', 'integer') THEN value ELSE '' END"
_VALUE_BEFORE_NAN = "CASE WHEN typeof(value) IN ('real', 'integer') THEN value ELSE '' END"  # of MLflow 1.0
_TYPED_VALUE = "CASE WHEN is_nan = {true} THEN NULL ELSE value END"  # of a database whose columns have types
_RUN: frozenset[type] = frozenset({int, str})
_TEXT: frozenset[type] = frozenset({str})
_WHOLE: frozenset[type] = frozenset({int})
_TIME: frozenset[type] = frozenset({int, NoneType})
_NUMBER: frozenset[type] = frozenset({int, float, NoneType})
_RUNS = (_TEXT, _TEXT, _TEXT, _TIME, _TIME, _TEXT)
_TEXTS = (_RUN, _TEXT, _TEXT)
_LATEST = (_RUN, _TEXT, _NUMBER)
_METRICS = (_RUN, _TEXT, _WHOLE, _NUMBER, _WHOLE, _WHOLE)
_USED = (_RUN, _TEXT, _TEXT, _TEXT, _TEXT)

_USED_TABLES = ("inputs", "datasets", "input_tags")  # since MLflow 2.4
_USED_ROWS = """(
    SELECT destination_id AS run_uuid, datasets.name AS dataset, digest, coalesce(value, '') AS context,
        coalesce(dataset_profile, '') AS profile
    FROM inputs JOIN datasets ON dataset_uuid = source_id
    LEFT JOIN input_tags ON input_tags.input_uuid = inputs.input_uuid AND input_tags.name = 'mlflow.data.context'
    WHERE source_type = 'DATASET' AND destination_type = 'RUN'
)"""

_CHUNK = 10_000  # rows looked at together: column by column that takes a fifth of the time

_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999


@dataclass(slots=True)
class Rows:
    """The rows of an experiment, read statement by statement to the end: an open cursor blocks writers.

    This is the door to what anybody may have written: behind it every value is of its type. `true` is how a database
    other than SQLite, whose columns have types, writes a true value. Statements give a run by its row in SQLite, which
    takes a fifth less time than its id in each of a million rows.
    """

    connection: Connection
    experiment_id: int
    columns: Mapping[str, AbstractSet[str]]  # that there are, by table
    true: str | None = None
    results_of: AbstractSet[str] | None = None  # as in `tracker.store.Store.read`
    tags: dict[str, str] = field(default_factory=dict)
    records: dict[int | str, Record] = field(default_factory=dict)  # by what statements give for the run
    wrong: dict[str | None, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    deleted: int = 0  # runs

    @property
    def _run(self) -> str:
        return "runs.run_uuid" if self.true else "runs.rowid"

    def read(self) -> Self:
        """Read everything."""
        self._read_runs()
        same: dict[str, str] = {}  # a text that many runs have is in memory once
        for run, key, text in self._of_runs("params", "key, value", _TEXTS):
            self.records[run].params[same.setdefault(key, key)] = same.setdefault(text, text)
        for run, key, text in self._of_runs("tags", "key, coalesce(value, '')", _TEXTS):
            self.records[run].tags[same.setdefault(key, key)] = same.setdefault(text, text)
        self._read_metrics()
        if self.columns["experiment_tags"]:
            self._read_experiment_tags()
        if all(self.columns[table] for table in _USED_TABLES):
            for run, *used in self._of_runs(_USED_ROWS, "dataset, digest, context, profile", _USED, "inputs"):
                self.records[run].datasets.append(used_dataset(*used))
        return self

    def _read_metrics(self) -> None:
        has_nan, has_latest = "is_nan" in self.columns["metrics"], self.columns["latest_metrics"]  # since MLflow 1.3
        if self.true:
            value = _TYPED_VALUE.format(true=self.true) if has_nan else "value"
        else:
            value = _VALUE if has_nan else _VALUE_BEFORE_NAN
        of_runs = self.results_of if has_latest else None
        for run, curves in self._curves(value, of_runs).items():
            self.records[run].curves.update(curves)
            if not has_latest:
                self.records[run].metrics = {key: curve.values[-1].item() for key, curve in curves.items()}
        if has_latest:
            same: dict[str, str] = {}
            for run, key, latest in self._of_runs("latest_metrics", f"key, {value}", _LATEST):
                self.records[run].metrics[same.setdefault(key, key)] = math.nan if latest is None else float(latest)

    def _curves(self, value: str, of_runs: AbstractSet[str] | None) -> dict[int | str, dict[str, Curve]]:
        """Return the curves of all runs, or of some.

        Most of them can do without the times, which take as long to read again.
        """
        checked = value if self.true else f"CASE WHEN typeof(timestamp) != 'integer' THEN '' ELSE {value} END"
        columns = f"key, step, {checked}"
        curves = curves_of(self._chunks("metrics", columns, _METRICS[:4], of_runs=of_runs))
        if curves is None:
            for of_run in self.wrong.values():
                del of_run["metrics"]  # which are counted again
            columns = f"key, step, {value}, timestamp, {'0' if self.true else 'source.rowid'}"
            curves = curves_of(self._chunks("metrics", columns, _METRICS, of_runs=of_runs)) or {}
        return curves

    def _read_experiment_tags(self) -> None:
        for key, text in self._select("key, value FROM experiment_tags WHERE experiment_id = ?"):
            if isinstance(key, str) and isinstance(text, str):
                self.tags[key] = text
            else:
                self.wrong[None]["experiment_tags"] += 1

    def _read_runs(self) -> None:
        (self.deleted,) = self._select(
            "count(*) FROM runs WHERE experiment_id = ? AND lifecycle_stage = 'deleted'"
        ).fetchone()
        columns = "run_uuid, coalesce(name, ''), coalesce(status, ''), start_time, end_time, coalesce(artifact_uri, '')"
        active = "FROM runs WHERE experiment_id = ? AND lifecycle_stage = 'active'"
        for run, *row in self._select(f"{self._run}, {columns} {active}"):
            if _are_of([(value,) for value in row], _RUNS) and all(map(is_time, row[3:5])):
                self.records[run] = Record(*row)
            else:
                self.wrong[row[0] if isinstance(row[0], str) else repr(row[0])]["runs"] += 1

    def _of_runs(self, table: str, columns: str, types: _Types, called: str = "") -> Iterator[tuple[Any, ...]]:
        """Yield the rows of the runs that were read; those of wrong types count as of the table `called` so."""
        for chunk in self._chunks(table, columns, types, called):
            yield from zip(*chunk, strict=True)

    def _chunks(
        self, table: str, columns: str, types: _Types, called: str = "", of_runs: AbstractSet[str] | None = None
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the columns of some rows at a time, at least of one; those of all runs, or of some by their ids."""
        join = "JOIN runs ON runs.run_uuid = source.run_uuid WHERE experiment_id = ? AND lifecycle_stage = 'active'"
        if of_runs is not None:
            join += f" AND runs.run_uuid IN ({','.join('?' * len(of_runs))})"
        cursor = self._select(f"{self._run}, {columns} FROM {table} AS source {join}", *(of_runs or ()))
        while rows := cursor.fetchmany(_CHUNK):
            chunk = list(zip(*rows, strict=True))
            if not (self.records.keys() >= set(chunk[0]) and _are_of(chunk, types)):
                good = [row for row in rows if row[0] in self.records and self._is_of(row, called or table, types)]
                chunk = list(zip(*good, strict=True))
            if chunk:
                yield chunk

    def _is_of(self, row: tuple[Any, ...], table: str, types: _Types) -> bool:
        """Return whether a row has values of the right types; one that has not is counted."""
        if _are_of([(value,) for value in row], types):
            return True
        self.wrong[self.records[row[0]].run_id][table] += 1
        return False

    def experiment(self, name: str, fetch: Fetch, by_epoch: ByEpoch) -> Experiment:
        """Put together what was read."""
        experiment = assemble(name, self.tags, self.records.values(), fetch, by_epoch)
        wrong = tuple(UnreadableRows(run_id, tuple(tables.items())) for run_id, tables in self.wrong.items())
        return replace(experiment, unreadable_rows=wrong, deleted_runs=self.deleted)

    def _select(self, rest: str, *parameters: str) -> Cursor:
        return self.connection.execute(f"SELECT {rest}", (self.experiment_id, *parameters))


def _are_of(columns: Sequence[tuple[object, ...]], types: _Types) -> bool:
    """Return whether every value of some rows is of a type that its column may have."""
    return all(set(map(type, column)) <= kinds for column, kinds in zip(columns, types, strict=True))
