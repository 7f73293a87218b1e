"""The runs of a SQLite file, written as MLflow writes them and without it: its client takes two seconds to be imported.

That holds of one schema, that of ``schema.sql``, and of the version of MLflow that it was taken from; any other file is
written to by MLflow's client. What both write is compared table by table. Methods have the names and arguments of
MLflow's client, as far as they are used, and each is one transaction: all of it is written, or nothing.

The file is opened for each call, and never made: one that was moved aside is not written to any more. Connections wait
for each other as long as MLflow's do.
"""

from __future__ import annotations

import math
import os
import sqlite3
import sys
import time
import uuid
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from tracker.store import now_ms
from tracker.store.client_errors import INVALID, IS_THERE, MUST_BE_ACTIVE, NOT_THERE, ClientError
from tracker.store.database import BUSY_S, damage_of, has_own_schema, reading
from tracker.store.location import uri_below
from tracker.store.mlflow_run import ACCOUNT_TAG, NAME_TAG
from tracker.store.rows import LoggedModel, Output, Outputs, RunData, RunInfo, StoredExperiment, StoredRun, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from tracker.store.rows import Dataset, DatasetInput, Metric, ModelOutput, Text

_WORKSPACES = "MLFLOW_ENABLE_WORKSPACES"  # with which MLflow keeps experiments apart
_NO = {"", "0", "false"}
_LONGEST_S = 20.0  # of a processor that one call may take: triggers of a stranger's file may run for ever
_STEPS = 1_000_000  # of SQLite's, which take some hundredths of a second, after which that is looked at
_REFUSED, _AWAY = 400, 503  # status of what can't be written at all, and of what can't now
_STATUS = {1: "PENDING", 2: "READY", 3: "UPLOAD_FAILED"}  # of a logged model

_EXPERIMENT = "SELECT experiment_id, name, artifact_location, lifecycle_stage FROM experiments"
_RUN = (
    "SELECT run_uuid, name, status, start_time, end_time, artifact_uri, lifecycle_stage, CAST(experiment_id AS TEXT) "
    "FROM runs"
)
_METRIC = (
    "INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO NOTHING"
)
_LATEST = (
    "INSERT INTO latest_metrics (run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (key, run_uuid) DO UPDATE SET "
    "value = excluded.value, timestamp = excluded.timestamp, step = excluded.step, is_nan = excluded.is_nan "
    "WHERE (excluded.step, excluded.timestamp, excluded.value) > (step, timestamp, value)"
)
_MODEL_METRIC = (
    "INSERT INTO logged_model_metrics (model_id, metric_name, metric_timestamp_ms, metric_step, metric_value, "
    "experiment_id, run_id, dataset_name, dataset_digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_TAG = (
    "INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?) "
    "ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value"
)
_INPUT = (
    "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id, step) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


def writes_as_mlflow(database: Path) -> bool:
    """Return whether what this client writes to a store that is ready is what the installed MLflow would write."""
    if not has_own_schema() or os.environ.get(_WORKSPACES, "").lower() not in _NO:
        return False
    with reading(database) as connection:
        other = connection.execute("SELECT 1 FROM experiments WHERE workspace <> 'default' LIMIT 1").fetchone()
    return other is None


class DatabaseClient:
    """Writes to a SQLite file and reads what writing needs.

    Every method raises `ClientError`.
    """

    def __init__(self, database: Path) -> None:
        self._database = database

    # ---- experiments ----

    def get_experiment_by_name(self, name: str) -> StoredExperiment | None:
        """Return an experiment, deleted ones included; None if there isn't any of that name."""
        with self._transaction(writes=False) as connection:
            return _experiment(connection, "name = ?", name)

    def get_experiment(self, experiment_id: str) -> StoredExperiment:
        """Return an experiment by its id, deleted ones included."""
        with self._transaction(writes=False) as connection:
            found = _experiment(connection, "experiment_id = ?", experiment_id)
        if not found:
            raise _no_experiment(experiment_id)
        return found

    def create_experiment(self, name: str, artifact_location: str | None, tags: Mapping[str, str]) -> str:
        """Create an experiment and return its id."""
        now = now_ms()
        with self._transaction() as connection:
            if _experiment(connection, "name = ?", name):
                raise ClientError(f"the experiment {name!r} is there already", _REFUSED, IS_THERE)
            made = connection.execute(
                "INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time, last_update_time) "
                "VALUES (?, ?, 'active', ?, ?)",
                (name, artifact_location, now, now),
            )
            rows = [(made.lastrowid, *tag) for tag in tags.items()]
            connection.executemany("INSERT INTO experiment_tags (experiment_id, key, value) VALUES (?, ?, ?)", rows)
        return str(made.lastrowid)

    def set_experiment_tag(self, experiment_id: str, key: str, value: str) -> None:
        """Set a tag of an experiment that isn't deleted."""
        with self._transaction() as connection:
            _active_experiment(connection, experiment_id)
            connection.execute(
                "INSERT INTO experiment_tags (experiment_id, key, value) VALUES (?, ?, ?) "
                "ON CONFLICT (key, experiment_id) DO UPDATE SET value = excluded.value",
                (experiment_id, key, value),
            )

    # ---- runs ----

    def get_run(self, run_id: str) -> StoredRun:
        """Return a run, deleted ones included."""
        with self._transaction(writes=False) as connection:
            found = list(_runs(connection, "run_uuid = ?", run_id))
        if not found:
            raise _no_run(run_id)
        return found[0]

    def runs_tagged(self, experiment_id: str, key: str, value: str, view: View) -> list[StoredRun]:
        """Return an experiment's runs that have a value of a tag."""
        stages = {View.ACTIVE_ONLY: "= 'active'", View.DELETED_ONLY: "= 'deleted'", View.ALL: "IS NOT NULL"}
        tagged = "run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)"
        with self._transaction(writes=False) as connection:
            condition = f"experiment_id = ? AND lifecycle_stage {stages[view]} AND {tagged}"
            return list(_runs(connection, condition, experiment_id, key, value))

    def create_run(self, experiment_id: str, start_time: int, tags: Mapping[str, str], run_name: str) -> StoredRun:
        """Create a run."""
        run_id = uuid.uuid4().hex
        with self._transaction() as connection:
            place = _active_experiment(connection, experiment_id).artifact_location
            connection.execute(
                "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, "
                "start_time, source_version, lifecycle_stage, artifact_uri, experiment_id) "
                "VALUES (?, ?, 'UNKNOWN', '', '', ?, 'RUNNING', ?, '', 'active', ?, ?)",
                (
                    *(run_id, run_name, tags.get(ACCOUNT_TAG, "unknown"), start_time),
                    *(uri_below(place, f"{run_id}/artifacts"), experiment_id),
                ),
            )
            named = {**tags, NAME_TAG: run_name}
            connection.executemany(_TAG, [(run_id, *tag) for tag in named.items()])
            (run,) = _runs(connection, "run_uuid = ?", run_id)
        return run

    def update_run(self, run_id: str, status: str) -> None:
        """Set a run's status."""
        with self._writing(run_id) as connection:
            connection.execute("UPDATE runs SET status = ? WHERE run_uuid = ?", (status, run_id))

    def set_terminated(self, run_id: str, status: str, end_time: int) -> None:
        """End a run."""
        with self._writing(run_id) as connection:
            statement = "UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?"
            connection.execute(statement, (status, end_time, run_id))

    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove a tag from a run."""
        with self._writing(run_id) as connection:
            if not connection.execute("DELETE FROM tags WHERE run_uuid = ? AND key = ?", (run_id, key)).rowcount:
                raise ClientError(f"run {run_id} has no tag {key}", 404, NOT_THERE)

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Text] = (),
        tags: Sequence[Text] = (),
        *,
        synchronous: bool = True,
    ) -> None:
        """Write metrics, params and tags, however many; always `synchronous`.

        A value of a metric that is there already is left; a param can't be changed.
        """
        assert synchronous  # noqa: S101
        with self._writing(run_id) as connection:
            _log_params(connection, run_id, params)
            _log_metrics(connection, run_id, metrics)
            for tag in tags:
                connection.execute(_TAG, (run_id, *tag))
                if tag.key == NAME_TAG:
                    connection.execute("UPDATE runs SET name = ? WHERE run_uuid = ?", (tag.value, run_id))

    def log_inputs(self, run_id: str, datasets: Iterable[DatasetInput]) -> None:
        """Write which datasets a run used; one of the same name and digest is the same for the whole experiment."""
        with self._writing(run_id) as connection:
            for dataset, tags in datasets:
                used = _dataset_id(connection, run_id, dataset)
                input_id = uuid.uuid4().hex
                if connection.execute(_INPUT, (input_id, "DATASET", used, "RUN", run_id, 0)).rowcount:
                    connection.executemany(
                        "INSERT INTO input_tags (input_uuid, name, value) VALUES (?, ?, ?)",
                        [(input_id, *tag) for tag in tags],
                    )

    def log_outputs(self, run_id: str, models: Iterable[ModelOutput]) -> None:
        """Write which logged models a run has made."""
        with self._writing(run_id) as connection:
            connection.executemany(
                _INPUT, [(uuid.uuid4().hex, "RUN_OUTPUT", run_id, "MODEL_OUTPUT", *model) for model in models]
            )

    # ---- logged models ----

    def models_of(self, experiment_id: str, run_id: str) -> list[LoggedModel]:
        """Return the logged models of a run that aren't deleted."""
        statement = (
            "SELECT model_id, artifact_location, status FROM logged_models "
            "WHERE experiment_id = ? AND source_run_id = ? AND lifecycle_stage <> 'deleted'"
        )
        with self._transaction(writes=False) as connection:
            found = connection.execute(statement, (experiment_id, run_id)).fetchall()
        return [LoggedModel(model_id, place, _STATUS.get(status, ""), run_id) for model_id, place, status in found]

    def create_logged_model(
        self, experiment_id: str, name: str, source_run_id: str, tags: Mapping[str, str], params: Mapping[str, str]
    ) -> LoggedModel:
        """Create a logged model, which is pending."""
        model_id, now = f"m-{uuid.uuid4().hex}", now_ms()
        with self._transaction() as connection:
            place = _active_experiment(connection, experiment_id).artifact_location
            uri = uri_below(place, f"models/{model_id}/artifacts")
            connection.execute(
                "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location, creation_timestamp_ms, "
                "last_updated_timestamp_ms, status, lifecycle_stage, source_run_id) "
                "VALUES (?, ?, ?, ?, ?, ?, 1, 'active', ?)",
                (model_id, experiment_id, name, uri, now, now, source_run_id),
            )
            for kind, texts in (("param", params), ("tag", tags)):
                connection.executemany(
                    f"INSERT INTO logged_model_{kind}s (model_id, experiment_id, {kind}_key, {kind}_value) "  # noqa: S608
                    "VALUES (?, ?, ?, ?)",
                    [(model_id, experiment_id, *text) for text in texts.items()],
                )
        return LoggedModel(model_id, uri, _STATUS[1], source_run_id)

    def finalize_logged_model(self, model_id: str, status: str) -> None:
        """Say that a logged model is ready."""
        assert status == "READY"  # noqa: S101
        self._update_model(model_id, "status = 2")

    def delete_logged_model(self, model_id: str) -> None:
        """Mark a logged model as deleted."""
        self._update_model(model_id, "lifecycle_stage = 'deleted'")

    def _update_model(self, model_id: str, change: str) -> None:
        statement = f"UPDATE logged_models SET {change}, last_updated_timestamp_ms = ? WHERE model_id = ?"  # noqa: S608
        with self._transaction() as connection:
            if not connection.execute(statement, (now_ms(), model_id)).rowcount:
                raise ClientError(f"no logged model has the id {model_id}", 404, NOT_THERE)

    # ---- the file ----

    @contextmanager
    def _writing(self, run_id: str) -> Iterator[sqlite3.Connection]:
        """Open a transaction that writes to a run which isn't deleted."""
        with self._transaction() as connection:
            found = connection.execute("SELECT lifecycle_stage FROM runs WHERE run_uuid = ?", (run_id,)).fetchone()
            if not found:
                raise _no_run(run_id)
            if found[0] != "active":
                raise ClientError(f"the run {run_id} {MUST_BE_ACTIVE}, it is {found[0]}", _REFUSED, INVALID)
            yield connection

    @contextmanager
    def _transaction(self, *, writes: bool = True) -> Iterator[sqlite3.Connection]:
        """Open the file for a transaction, which is undone if anything goes wrong in it."""
        try:
            uri = f"{self._database.as_uri()}?mode=rw"
            with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)) as connection:
                connection.text_factory = partial(str, encoding="utf-8", errors="replace")
                deadline = time.thread_time() + _LONGEST_S
                connection.set_progress_handler(lambda: time.thread_time() > deadline, _STEPS)
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
                yield connection
                connection.execute("COMMIT")
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            is_away, said = isinstance(error, sqlite3.OperationalError), damage_of(error)
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
                said = f"a trigger in the file takes more than {_LONGEST_S:.0f} s: remove it"
            raise ClientError(said, _AWAY if is_away else _REFUSED) from error


def _experiment(connection: sqlite3.Connection, condition: str, value: str) -> StoredExperiment | None:
    row = connection.execute(f"{_EXPERIMENT} WHERE {condition}", (value,)).fetchone()
    if not row:
        return None
    tags = connection.execute("SELECT key, value FROM experiment_tags WHERE experiment_id = ?", (row[0],))
    experiment_id, name, place, stage = row
    return StoredExperiment(str(experiment_id), _text(name), _text(place), _text(stage), _texts(tags))


def _active_experiment(connection: sqlite3.Connection, experiment_id: str) -> StoredExperiment:
    found = _experiment(connection, "experiment_id = ?", experiment_id)
    if not found:
        raise _no_experiment(experiment_id)
    if found.lifecycle_stage != "active":
        raise ClientError(
            f"the experiment {found.name!r} is {found.lifecycle_stage or 'not active'}", _REFUSED, INVALID
        )
    return found


def _runs(connection: sqlite3.Connection, condition: str, *values: str) -> Iterator[StoredRun]:
    made = "SELECT destination_id FROM inputs WHERE source_type = 'RUN_OUTPUT' AND source_id = ?"
    for row in connection.execute(f"{_RUN} WHERE {condition} ORDER BY start_time DESC, run_uuid", values).fetchall():
        info = RunInfo(*row)
        tags = connection.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (info.run_id,))
        data = RunData({}, _texts(tags), {})
        outputs = Outputs([Output(model_id) for (model_id,) in connection.execute(made, (info.run_id,))])
        yield StoredRun(info, data, outputs=outputs)


def _texts(rows: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    return {_text(key): _text(value) for key, value in rows}


def _text(value: Any) -> str:
    """Return what is stored in the place of a text, which another program may have written, as a text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def _log_params(connection: sqlite3.Connection, run_id: str, params: Sequence[Text]) -> None:
    known = dict(connection.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run_id,))) if params else {}
    for key, value in params:
        if known.setdefault(key, value) != value:
            raise ClientError(f"the param {key} is {known[key]!r} and can't become {value!r}", _REFUSED, INVALID)
    statement = "INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
    connection.executemany(statement, [(run_id, *param) for param in params])


def _log_metrics(connection: sqlite3.Connection, run_id: str, metrics: Sequence[Metric]) -> None:
    rows = [
        (run_id, each.key, _number(each.value), each.timestamp, each.step, math.isnan(each.value)) for each in metrics
    ]
    connection.executemany(_METRIC, rows)
    connection.executemany(_LATEST, rows)
    of_models = [each for each in metrics if each.model_id]
    experiment_id = _experiment_of(connection, run_id) if of_models else None
    rows_of_models = [
        (each.model_id, each.key, each.timestamp, each.step, _number(each.value), experiment_id, run_id,
         each.dataset_name, each.dataset_digest)
        for each in of_models
    ]  # fmt: skip
    connection.executemany(_MODEL_METRIC, rows_of_models)


def _number(value: float) -> float:
    """Return a number as SQL has one: 0 for NaN, the largest finite ones for the infinite."""
    if math.isnan(value):
        return 0.0
    return math.copysign(sys.float_info.max, value) if math.isinf(value) else float(value)


def _dataset_id(connection: sqlite3.Connection, run_id: str, dataset: Dataset) -> str:
    """Return the id of a dataset in the run's experiment, which is added if it isn't there."""
    experiment_id = _experiment_of(connection, run_id)
    same = "SELECT dataset_uuid FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?"
    found = connection.execute(same, (experiment_id, dataset.name, dataset.digest)).fetchone()
    if found:
        return str(found[0])
    made = uuid.uuid4().hex
    connection.execute(
        "INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source, "
        "dataset_schema, dataset_profile) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (made, experiment_id, *dataset),
    )
    return made


def _experiment_of(connection: sqlite3.Connection, run_id: str) -> int | None:
    experiment_id: int | None
    (experiment_id,) = connection.execute("SELECT experiment_id FROM runs WHERE run_uuid = ?", (run_id,)).fetchone()
    return experiment_id


def _no_run(run_id: str) -> ClientError:
    return ClientError(f"no run has the id {run_id}", 404, NOT_THERE)


def _no_experiment(experiment_id: str) -> ClientError:
    return ClientError(f"no experiment has the id {experiment_id}", 404, NOT_THERE)
