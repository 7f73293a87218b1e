from __future__ import annotations

import math
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from mlflow import MlflowClient

from tests.builders import (
    MANIFEST,
    START,
    STARTED,
    USED,
    epochs,
    mlflow_inputs,
    random_epoch_predictions,
    random_predictions,
    same_curves,
    send_run,
)
from tracker.errors import StoreError
from tracker.report import build_report
from tracker.runs.events import Ended, EpochDone, Measured
from tracker.store import DATASET, VALIDATION, VALIDATION_BY_EPOCH, GoneError, epoch_predictions_npz, predictions_csv
from tracker.store.client import open_store
from tracker.store.location import Location, locate
from tracker.store.reader import read_experiment, run_names
from tracker.store.upload import JournalUpload

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.runs import Curve


FILES = {
    VALIDATION: predictions_csv(random_predictions()).encode(),
    VALIDATION_BY_EPOCH: epoch_predictions_npz(random_epoch_predictions()),
    DATASET: MANIFEST.encode(),
}


def write_whole(location: Location, start: int = START) -> str:
    """Write a run as `tracker run` does."""
    once = Measured(start + 4_000, {"best_epoch": 2, "best_val_loss": 0.5})
    events = [*epochs(1.0, 0.5, 0.75, start=start), once, Ended(start + 5_000, "FINISHED")]
    return send_run(location, *events, started=replace(STARTED, time=start), files=FILES)


class TestReadExperiment:
    def test_read_experiment_brings_back_all_that_was_written(self, location: Location) -> None:
        run_id = write_whole(location)
        held = read_experiment(location, "tracker")
        (run,) = held.runs
        assert (held.name, held.tags["tracker.metric"], held.unreadable) == ("tracker", "val_accuracy", ())
        assert (run.run_id, run.name, run.status) == (run_id, "a run", "FINISHED")
        assert (run.started, run.ended) == (START, START + 5_000)
        assert run.params == {"kernel_size": "7", "learning_rate": "0.0001"}
        assert run.tags["tracker.data"] == "demo"
        assert run.metrics == {"loss": 0.375, "val_loss": 0.75, "best_epoch": 2.0, "best_val_loss": 0.5}
        assert run.curves["val_loss"].steps.tolist() == [1, 2, 3]
        assert run.curves["val_loss"].values.tolist() == [1.0, 0.5, 0.75]
        assert run.validation is not None
        assert run.validation.predicted == random_predictions().predicted
        assert run.validation_by_epoch is not None
        assert np.array_equal(run.validation_by_epoch.probabilities, random_epoch_predictions().probabilities)
        assert run.groups == {"blues/000.wav": "artist 1"}

    def test_read_experiment_reads_curves_and_files_of_the_runs_asked_for_alone(self, location: Location) -> None:
        run_id = write_whole(location)
        (whole,) = read_experiment(location, "tracker", results_of={run_id}).runs
        (bare,) = read_experiment(location, "tracker", results_of=frozenset()).runs
        assert whole.curves.keys() == {"loss", "val_loss", "best_epoch", "best_val_loss"}
        assert whole.validation is not None
        assert (bare.curves, bare.validation, bare.groups) == ({}, None, {})
        assert (bare.params, bare.tags, bare.metrics) == (whole.params, whole.tags, whole.metrics)

    def test_read_experiment_brings_back_what_is_no_number_or_infinite(self, location: Location) -> None:
        send_run(location, EpochDone(START, 1, {"a": math.nan, "b": math.inf, "c": -math.inf}))
        (run,) = read_experiment(location, "tracker").runs
        assert math.isnan(run.metrics["a"])
        assert (run.metrics["b"], run.metrics["c"]) == (math.inf, -math.inf)
        assert math.isnan(run.curves["a"].values[0])
        assert (run.curves["b"].values[0], run.curves["c"].values[0]) == (math.inf, -math.inf)

    def test_read_experiment_takes_the_last_written_of_several_values_at_a_step(self, location: Location) -> None:
        run_id = send_run(location)
        for value in (0.5, 0.9, 0.1):
            MlflowClient(location.uri).log_metric(run_id, "loss", value, timestamp=START, step=1)
        assert read_experiment(location, "tracker").runs[0].curves["loss"].values.tolist() == [0.1]

    def test_read_experiment_reads_what_a_plain_mlflow_script_logged(self, location: Location) -> None:
        open_store(location)
        client = MlflowClient(location.uri)
        theirs = client.create_experiment("theirs", artifact_location=f"{location.artifacts}/theirs")
        run_id = client.create_run(theirs).info.run_id
        client.log_param(run_id, "lr", 0.1)
        for step in (2, 0, 1):
            client.log_metric(run_id, "train/loss", step * 1.5, step=step)
        client.log_text(run_id, "<html>", "predictions/validation.csv")
        client.log_inputs(run_id, mlflow_inputs())
        held = read_experiment(location, "theirs")
        (run,) = held.runs
        assert (run.status, run.ended, run.params) == ("RUNNING", None, {"lr": "0.1"})
        assert run.curves["train/loss"].steps.tolist() == [0, 1, 2]
        assert run.curves["train/loss"].epochs.tolist() == [1, 2, 3]
        assert run.validation is None
        assert run.datasets == USED
        assert held.unreadable[0].path == "predictions/validation.csv"

    def test_read_experiment_leaves_deleted_runs_out(self, location: Location) -> None:
        gone, kept = write_whole(location), write_whole(location, start=START + 60_000)
        MlflowClient(location.uri).delete_run(gone)
        assert [run.run_id for run in read_experiment(location, "tracker").runs] == [kept]

    def test_read_experiment_keeps_experiments_apart(self, location: Location) -> None:
        run_id = send_run(location)
        send_run(location, *epochs(1.0), started=replace(STARTED, experiment="other", params={"a": "1"}))
        assert [run.run_id for run in read_experiment(location, "tracker").runs] == [run_id]

    def test_read_experiment_reads_a_folder_that_was_moved(self, tmp_path: Path) -> None:
        write_whole(locate(None, tmp_path / "here"))
        shutil.move(tmp_path / "here", tmp_path / "there")
        (run,) = read_experiment(locate(None, tmp_path / "there"), "tracker").runs
        assert run.validation is not None
        assert run.groups

    def test_read_experiment_reads_while_others_write(self, location: Location, tmp_path: Path) -> None:
        done = threading.Event()
        sender = JournalUpload(location, "a-journal", None, lambda _delivery: None)
        sender.send([STARTED], tmp_path)

        def write() -> None:
            for last in range(1, 61):
                sender.send([STARTED, *epochs(*[1.0] * last)], tmp_path)
            done.set()

        other = threading.Thread(target=write)
        other.start()
        lengths = []
        while not done.is_set():
            (run,) = read_experiment(location, "tracker").runs
            assert len({len(curve.steps) for curve in run.curves.values()}) <= 1
            lengths.append(len(run.curves["loss"].steps) if run.curves else 0)
        other.join()
        assert lengths == sorted(lengths)
        assert len(read_experiment(location, "tracker").runs[0].curves["loss"].steps) == 60

    def test_read_experiment_waits_for_a_writers_lock(self, location: Location) -> None:
        run_id = send_run(location)
        other = sqlite3.connect(location.database, check_same_thread=False)
        other.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(0.3, other.rollback)
        release.start()
        assert read_experiment(location, "tracker").runs[0].run_id == run_id
        release.join()
        other.close()

    def test_a_store_that_stays_locked_is_answered_with_what_to_do(
        self, location: Location, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tracker.store.database.BUSY_S", 0.05)
        send_run(location)
        with closing(sqlite3.connect(location.database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StoreError, match=r"mlflow.db: another program has it locked; end that program, or try"):
                read_experiment(location, "tracker")

    def test_read_experiment_changes_nothing_and_leaves_nothing(self, location: Location, tmp_path: Path) -> None:
        write_whole(location)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        read_experiment(location, "tracker")
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before

    def test_read_experiment_makes_no_store(self, location: Location, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="does not exist: `tracker run`"):
            read_experiment(location, "tracker")
        assert not list(tmp_path.iterdir())

    def test_read_experiment_migrates_no_store(self, location: Location, tmp_path: Path) -> None:
        run_id = send_run(location)
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '181f10493468'")
            connection.execute("DROP TABLE guardrails")
            connection.commit()
        before = (tmp_path / "mlflow.db").read_bytes()
        assert [run.run_id for run in read_experiment(location, "tracker").runs] == [run_id]
        assert (tmp_path / "mlflow.db").read_bytes() == before

    def test_read_experiment_names_the_experiments_that_are_there(self, location: Location) -> None:
        send_run(location)
        with pytest.raises(
            StoreError, match=r"no experiment 'nope' in .*mlflow.db; choose 'Default' or 'tracker' with --experiment"
        ):
            read_experiment(location, "nope")

    def test_read_experiment_says_that_an_experiment_was_deleted(self, location: Location) -> None:
        send_run(location)
        client = MlflowClient(location.uri)
        client.delete_experiment(client.get_experiment_by_name("tracker").experiment_id)
        with pytest.raises(GoneError, match=r"'tracker' .* was deleted: restore it with `mlflow experiments"):
            read_experiment(location, "tracker")

    def test_read_experiment_says_that_all_runs_were_deleted(self, location: Location) -> None:
        MlflowClient(location.uri).delete_run(send_run(location))
        with pytest.raises(StoreError, match="were all deleted: restore some"):
            read_experiment(location, "tracker")

    def test_read_experiment_says_that_an_experiment_has_no_runs(self, location: Location) -> None:
        open_store(location).ensure_experiment("tracker")
        with pytest.raises(StoreError, match="has no runs yet: `tracker run` adds one"):
            read_experiment(location, "tracker")

    def test_imports_neither_mlflow_nor_what_it_brings(self, location: Location) -> None:
        write_whole(location)
        reading = """
import sys
from pathlib import Path
from tracker.store import store_at
from tracker.runs.logged import find_run
runs = store_at(sys.argv[1], Path()).read("tracker").runs
assert find_run(runs, "a run").validation_by_epoch is not None
print(*{"mlflow", "sqlalchemy", "alembic", "pandas", "tensorflow", "keras", "scipy"} & set(sys.modules))
"""
        told = subprocess.run([sys.executable, "-c", reading, location.uri], capture_output=True, text=True, check=True)
        assert told.stdout.strip() == ""


@cache
def without_types(database: Path, table: str) -> Path:
    """Return a copy whose table was made again without its types, which another program need not have."""
    loose = database.with_name(f"{table}.db")
    shutil.copy(database, loose)
    with closing(sqlite3.connect(loose)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(f"CREATE TABLE loose AS SELECT * FROM {table}")  # noqa: S608 -- of the names below
        connection.execute(f"DROP TABLE {table}")
        connection.execute(f"ALTER TABLE loose RENAME TO {table}")
        connection.commit()
    return loose


def with_value(database: Path, changed: Path, table: str, column: str, value: str, where: str) -> None:
    """Copy a database with another value, given as SQL, in a table without types."""
    shutil.copy(without_types(database, table), changed)
    with closing(sqlite3.connect(changed)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        assert connection.execute(f"UPDATE {table} SET {column} = {value} WHERE {where}").rowcount  # noqa: S608
        connection.commit()


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two runs, of which the second is the one that is changed."""
    location = locate(None, tmp_path_factory.mktemp("two"))
    for name in ("good", "odd"):
        events = [*epochs(1.0, 0.5), Ended(START + 5_000, "FINISHED")]
        send_run(location, *events, started=replace(STARTED, name=name), files=FILES)
    assert location.database is not None
    return location.database


VALUES = (
    "x'ff00fe'", "7", "0.5", "NULL", "9e999", "-9223372036854775808", "9223372036854775807", "'x'", "''",
    "CAST(x'c328ff' AS TEXT)", "char(27) || ']0;x' || char(7) || char(8238)", "printf('%.100000c', 'x')",
)  # fmt: skip
COLUMNS = {
    "runs": ("run_uuid", "name", "status", "start_time", "end_time", "artifact_uri", "lifecycle_stage", "user_id"),
    "params": ("key", "value", "run_uuid"),
    "tags": ("key", "value", "run_uuid"),
    "metrics": ("key", "value", "step", "timestamp", "is_nan", "run_uuid"),
    "latest_metrics": ("key", "value", "step", "timestamp", "is_nan", "run_uuid"),
    "experiment_tags": ("key", "value"),
    "experiments": ("artifact_location", "last_update_time"),
}


class TestRowsOfOtherTypes:
    """A row that MLflow would never write costs itself, not the other rows and runs."""

    @pytest.mark.parametrize(
        ("table", "column"), [(table, column) for table, columns in COLUMNS.items() for column in columns]
    )
    def test_read_experiment_reads_the_other_rows_and_runs(
        self, two_runs: Path, tmp_path: Path, table: str, column: str
    ) -> None:
        where = "run_uuid = (SELECT run_uuid FROM runs WHERE name = 'odd')"
        where = "name = 'odd'" if table == "runs" else "1" if table.startswith("experiment") else where
        good = curves_of(two_runs)["good"]
        for number, value in enumerate(VALUES):
            database = tmp_path / f"{number}.db"
            with_value(two_runs, database, table, column, value, where)
            held = read_experiment(locate(str(database), tmp_path), "tracker")
            named = {run.name: run for run in held.runs}
            assert same_curves(named["good"].curves, good)
            assert named["good"].params == STARTED.params
            assert all(
                isinstance(text, str) for run in held.runs for text in (*run.params.values(), *run.tags.values())
            )
            assert table != "runs" or build_report("tracker", held.runs).entries
            assert run_names(database) or table in {"runs", "experiments"}

    @pytest.mark.parametrize(
        ("table", "column", "value", "lost"),
        [
            ("params", "value", "x'ff00'", (("params", 2),)),
            ("params", "value", "CAST(x'c328ff' AS TEXT)", (("params", 2),)),
            ("metrics", "value", "'x'", (("metrics", 4),)),
            ("metrics", "step", "0.5", (("metrics", 4),)),
            ("latest_metrics", "value", "NULL", (("latest_metrics", 2),)),
            ("runs", "name", "x'ff'", (("runs", 1),)),
            ("runs", "start_time", "9223372036854775807", (("runs", 1),)),
        ],
    )
    def test_read_experiment_counts_the_rows_that_it_leaves_out(
        self, two_runs: Path, tmp_path: Path, table: str, column: str, value: str, lost: tuple[tuple[str, int], ...]
    ) -> None:
        database = tmp_path / "mlflow.db"
        where = "name = 'odd'" if table == "runs" else "run_uuid = (SELECT run_uuid FROM runs WHERE name = 'odd')"
        with_value(two_runs, database, table, column, value, where)
        held = read_experiment(locate(str(database), tmp_path), "tracker")
        (wrong,) = held.unreadable_rows
        assert (wrong.tables, wrong.loses_run) == (lost, table == "runs")
        assert (wrong.run_id in {run.run_id for run in held.runs}) == (table != "runs")

    def test_read_experiment_of_runs_that_are_all_of_wrong_types_says_so(self, two_runs: Path, tmp_path: Path) -> None:
        database = tmp_path / "mlflow.db"
        with_value(two_runs, database, "runs", "status", "x'ff'", "1")
        with pytest.raises(StoreError, match="are all of wrong types or no UTF-8"):
            read_experiment(locate(str(database), tmp_path), "tracker")

    @pytest.mark.parametrize("table", ["runs", "metrics", "params"])
    def test_read_experiment_computes_no_view_in_the_place_of_a_table(
        self, two_runs: Path, tmp_path: Path, table: str
    ) -> None:
        database = tmp_path / "mlflow.db"
        shutil.copy(two_runs, database)
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT held.* FROM n, held"
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA legacy_alter_table = ON")
            connection.execute(f"ALTER TABLE {table} RENAME TO held")
            connection.execute(f"CREATE VIEW {table} AS {endless}")
            connection.commit()
        with pytest.raises(StoreError, match="not an MLflow store"):
            read_experiment(locate(str(database), tmp_path), "tracker")


def curves_of(database: Path) -> dict[str, dict[str, Curve]]:
    return {
        run.name: dict(run.curves) for run in read_experiment(locate(str(database), database.parent), "tracker").runs
    }
