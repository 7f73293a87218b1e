"""An experiment and all its runs, read in bulk; a store is never made, migrated or changed by it.

A SQLite store is read without MLflow: in five statements, whatever the number of runs. A server is asked through
MLflow's client.
"""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tracker.errors import StoreError
from tracker.store import BY_EPOCH_RUNS, Experiment, RunName
from tracker.store.experiment import Fetch, Record, assemble, curves_by_run, unknown_experiment
from tracker.store.location import fetch_from
from tracker.store.sqlite_state import reading, require_readable

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.store.location import Location

_RUN_NAMES = """
    SELECT experiments.name, run_uuid, coalesce(runs.name, '')
    FROM runs JOIN experiments USING (experiment_id)
    WHERE runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active' ORDER BY start_time DESC
"""
_RUNS = """
    SELECT run_uuid, coalesce(name, ''), status, start_time, end_time, coalesce(artifact_uri, '')
    FROM runs WHERE experiment_id = ? AND lifecycle_stage = 'active'
"""
_PARAMS = """
    SELECT run_uuid, key, value
    FROM params JOIN runs USING (run_uuid) WHERE experiment_id = ? AND lifecycle_stage = 'active'
"""
_TAGS = """
    SELECT run_uuid, key, coalesce(value, '')
    FROM tags JOIN runs USING (run_uuid) WHERE experiment_id = ? AND lifecycle_stage = 'active'
"""
_LATEST = """
    SELECT run_uuid, key, CASE WHEN is_nan THEN NULL ELSE value END
    FROM latest_metrics JOIN runs USING (run_uuid) WHERE experiment_id = ? AND lifecycle_stage = 'active'
"""
_METRICS = """
    SELECT run_uuid, key, step, CASE WHEN is_nan THEN NULL ELSE value END, timestamp, metrics.rowid
    FROM metrics JOIN runs USING (run_uuid) WHERE experiment_id = ? AND lifecycle_stage = 'active'
"""


def read_experiment(location: Location, name: str, *, by_epoch: int = BY_EPOCH_RUNS) -> Experiment:
    """Read an experiment with all that its runs logged.

    Parameters
    ----------
    location : Location
    name : str
    by_epoch : int
        The most runs whose by-epoch predictions are read: those started last.

    Raises
    ------
    StoreError
        If there is no store that can be read, no such experiment, or it has no runs.
    """
    if location.database:
        experiment = _read_database(location, location.database, name, by_epoch)
    else:
        from tracker.store.server_reader import read_server

        experiment = read_server(location, name, by_epoch)
    if not experiment.runs:
        raise StoreError(f"the experiment {name!r} in {location.shown} has no runs yet: `tracker run` adds one")
    return experiment


def run_names(database: Path) -> tuple[RunName, ...]:
    """Return the experiment, id and name of every run, most recent first; none if the file can't be read at once."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=0.1)) as connection:
            return tuple(RunName(*row) for row in connection.execute(_RUN_NAMES))
    except sqlite3.Error:
        return ()


def _read_database(location: Location, database: Path, name: str, by_epoch: int) -> Experiment:
    require_readable(database)
    with reading(database) as connection:
        found = connection.execute(
            "SELECT experiment_id FROM experiments WHERE name = ? AND lifecycle_stage = 'active'", (name,)
        ).fetchone()
        if not found:
            raise unknown_experiment(location, name, _names(connection))
        tags = connection.execute("SELECT key, value FROM experiment_tags WHERE experiment_id = ?", found).fetchall()
        records = _records(connection, found[0])

    def fetch_of(record: Record) -> Fetch:
        return fetch_from(record.artifact_uri, database.parent)

    return assemble(name, dict(tags), records, fetch_of, by_epoch)


def _names(connection: sqlite3.Connection) -> tuple[str, ...]:
    rows = connection.execute("SELECT name FROM experiments WHERE lifecycle_stage = 'active' ORDER BY name")
    return tuple(name for (name,) in rows)


def _records(connection: sqlite3.Connection, experiment_id: int) -> tuple[Record, ...]:
    """Read every row of an experiment's runs; all are fetched at once, as an open cursor blocks writers."""

    def rows(statement: str) -> list[Any]:
        return connection.execute(statement, (experiment_id,)).fetchall()

    records = {row[0]: Record(*row) for row in rows(_RUNS)}
    for run_id, key, value in rows(_PARAMS):
        records[run_id].params[key] = value
    for run_id, key, value in rows(_TAGS):
        records[run_id].tags[key] = value
    for run_id, key, value in rows(_LATEST):
        records[run_id].metrics[key] = math.nan if value is None else value
    for run_id, curves in curves_by_run(connection.execute(_METRICS, (experiment_id,))).items():
        records[run_id].curves.update(curves)
    return tuple(records.values())
