from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING

import pytest
from mlflow.utils.uri import append_to_uri_path

from tests.builders import START, STARTED, send_run, whole_journal
from tracker.errors import StoreError
from tracker.runs import RunStatus
from tracker.runs.events import (
    NOTE_TAG,
    PROGRAM_TAG,
    USER_TAG,
    Ended,
    EpochDone,
    Measured,
    Renamed,
    Resumed,
    Tagged,
)
from tracker.runs.facts import PLAN_TAG, SWEEP_TAG
from tracker.store import GoneError, UnreachableError, client, database_client
from tracker.store.client import open_store
from tracker.store.client_errors import MUST_BE_ACTIVE
from tracker.store.database import make
from tracker.store.database_client import DatabaseClient, writes_as_mlflow
from tracker.store.location import locate, uri_below
from tracker.store.mlflow_run import Value
from tracker.store.upload import JournalUpload, RunWriter, add_to_run, change_run, log_report, tag_experiment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tracker.runs.events import Event
    from tracker.store.location import Location

_ID = re.compile(r"\b(?:m-)?[0-9a-f]{32}\b")
_CLOCK = re.compile("creation|last_update|deleted_time")
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"


def rows_of(database: Path) -> dict[str, list[str]]:
    """Return all rows of all tables, without the folder and the clock, ids numbered in the order of runs and models."""
    found: dict[str, list[str]] = {}
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory, connection.text_factory = sqlite3.Row, partial(str, encoding="utf-8", errors="replace")
        tables = [table for (table,) in connection.execute(_TABLES)]
        rows = {table: [dict(row) for row in connection.execute(f'SELECT * FROM "{table}"')] for table in tables}  # noqa: S608
    ids: dict[str, str] = {}
    for table, own, order in (("runs", "run_uuid", "start_time"), ("logged_models", "model_id", "name")):
        for number, row in enumerate(sorted(rows[table], key=itemgetter(order))):
            ids[row[own]] = f"{table} {number}"
    for table in tables:
        texts = [str({key: value for key, value in row.items() if not _CLOCK.search(key)}) for row in rows[table]]
        texts = [text.replace(str(database.parent), "HERE") for text in texts]
        found[table] = sorted(_ID.sub(lambda match: ids.get(match[0], "an id"), text) for text in texts)
    return found


def refused(call: Callable[[], object], said: str | None = None) -> type[Exception]:
    with pytest.raises(StoreError, match=said) as raised:
        call()
    return raised.type


WRITTEN = {
    *("experiments", "experiment_tags", "runs", "params", "tags", "metrics", "latest_metrics"),
    *("datasets", "inputs", "input_tags"),
    *("logged_models", "logged_model_metrics", "logged_model_params", "logged_model_tags"),
}
EXTREME = {"loss": float("nan"), "val_loss": float("inf"), "grad": float("-inf"), "tiny": 5e-324, "n": 3}


SLOW_TRIGGER = """
CREATE TRIGGER slow AFTER INSERT ON tags BEGIN
  SELECT count(*) FROM (
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i FROM n
  );
END
"""

SWEEP = "sweep-1"  # the journal of a sweep, and so its plan


def story(folder: Path, number: int) -> list[Event]:
    """A journal in which everything happens that can: of a run that fails, is resumed, renamed and finished."""
    started = replace(
        STARTED,
        name=f"k7 «ü» {number}%",
        time=START + number,
        params={f"param {i}": f"{i} 'quoted' \"{i}\"" for i in range(130)} | {"empty": ""},
        tags={PLAN_TAG: SWEEP, USER_TAG: "ann", PROGRAM_TAG: "tracker", NOTE_TAG: "line\nline", "empty": ""},
    )
    _, *others, end = whole_journal(folder / "artifacts")
    return [
        started,
        EpochDone(START + 100, 1, {"loss": 1.5, "val_loss": 2.0}),
        EpochDone(START + 50, 2, EXTREME),
        EpochDone(START + 50, 2, EXTREME),
        Tagged({NOTE_TAG: "what came out", "seen": "once"}),
        Ended(START + 200, RunStatus.FAILED, "loss: nan"),
        Resumed(START + 300, 2),
        *others,
        Renamed(f"k7 renamed {number}"),
        Measured(START + 400, {"fit_loss": 0.25, "val_accuracy": 0.5}),
        Tagged({"seen": "twice"}),
        end,
    ]


def tell(location: Location, folder: Path) -> None:
    """Write to a store all that commands write: runs of a sweep, before and after it, step by step and again."""
    first, last = story(folder, 1), story(folder, 3)
    sweep = [replace(STARTED, name="a sweep", time=START + 2, tags={SWEEP_TAG: "2", PLAN_TAG: SWEEP}), last[-1]]
    for journal, events in (("run-1", first), (SWEEP, sweep), ("run-3", last)):
        upload = JournalUpload(location, journal, None, lambda _: None)
        for length in range(1, len(events) + 1):
            run_id = upload.send(events[:length], folder / "artifacts").run_id
        JournalUpload(location, journal, None, lambda _: None).send(events, folder / "artifacts")
    add_to_run(location, run_id, [Measured(START + 9_000, {"test_accuracy": 0.5, "n": float("nan")})], folder)
    log_report(location, STARTED.experiment, run_id, b"<html>", "The verdict.")
    tag_experiment(location, STARTED.experiment, {"tracker.margin": "0.1"})
    change_run(location, run_id, Tagged({"mine": "yes"}))


class TestWritesAsMlflow:
    @pytest.mark.parametrize(("enabled", "writes"), [("1", False), ("TRUE", False), ("0", True), ("False", True)])
    def test_mlflows_client_writes_if_workspaces_are_enabled(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enabled: str, *, writes: bool
    ) -> None:
        make(tmp_path / "mlflow.db", "", START)
        monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", enabled)
        assert writes_as_mlflow(tmp_path / "mlflow.db") is writes

    def test_mlflows_client_writes_to_a_store_that_has_workspaces(self, tmp_path: Path) -> None:
        make(tmp_path / "mlflow.db", "", START)
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
            connection.execute("INSERT INTO experiments (name, workspace) VALUES ('Default', 'team')")
            connection.commit()
        assert not writes_as_mlflow(tmp_path / "mlflow.db")


class TestDatabaseClient:
    def test_it_writes_row_by_row_what_mlflows_client_writes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written = {}
        for name in ("ours", "mlflows"):
            monkeypatch.setattr(client, "writes_as_mlflow", lambda _, name=name: name == "ours")
            location = locate(None, tmp_path / name)
            assert isinstance(open_store(location).client, DatabaseClient) is (name == "ours")
            tell(location, tmp_path / name)
            written[name] = rows_of(tmp_path / name / "mlflow.db")
        assert written["ours"] == written["mlflows"]
        assert {table for table, rows in written["ours"].items() if rows} >= WRITTEN

    @pytest.mark.parametrize("is_ours", [True, False])
    def test_it_refuses_what_mlflows_client_refuses(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_ours: bool
    ) -> None:
        monkeypatch.setattr(client, "writes_as_mlflow", lambda _: is_ours)
        location = locate(None, tmp_path)
        store, run_id = open_store(location), send_run(location)
        run = RunWriter(store, run_id)
        for params in (STARTED.params, {**STARTED.params, "new": "1"}):
            run.write(replace(STARTED, params=params), tmp_path)
        changed = replace(STARTED, params={"other": "2", "new": "2"})
        assert refused(lambda: run.write(changed, tmp_path)) is StoreError
        changed = replace(STARTED, params={"new": "database is locked"})  # which must not be taken for the reason
        assert refused(lambda: run.write(changed, tmp_path)) is StoreError
        assert refused(lambda: RunWriter(store, "0" * 32).write(Tagged({"a": "b"}), tmp_path)) is GoneError
        assert refused(lambda: store.check_run("0" * 32)) is GoneError
        store.full_client.delete_run(run_id)
        for event in (Tagged({"a": "b"}), Ended(START, RunStatus.FINISHED), STARTED, Renamed("x")):
            assert refused(lambda event=event: run.write(event, tmp_path), MUST_BE_ACTIVE) is StoreError
        assert refused(lambda: run.log_values([Value("loss", 1.0, START, 2**70)])) is StoreError
        (tmp_path / "mlflow.db").write_bytes(b"no database" * 1_000)
        assert refused(lambda: run.write(Tagged({"a": "b"}), tmp_path)) is StoreError
        (tmp_path / "mlflow.db").unlink()
        assert refused(lambda: run.write(Tagged({"a": "b"}), tmp_path)) is UnreachableError

    def test_what_another_program_stored_in_the_place_of_texts_is_read_as_text(self, tmp_path: Path) -> None:
        location = locate(None, tmp_path)
        run_id = send_run(location)
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
            connection.execute("UPDATE experiments SET artifact_location = CAST(artifact_location AS BLOB)")
            note = "INSERT INTO experiment_tags VALUES ('mlflow.note.content', ?, ?)"
            connection.executemany(note, [(b"\xffmine", number) for number in (0, 1)])
            connection.execute("INSERT INTO tags VALUES ('not UTF-8', CAST(x'ff' AS TEXT), ?)", (run_id,))
            connection.commit()
        log_report(location, STARTED.experiment, run_id, b"<html>", "The verdict.")
        send_run(location, *whole_journal(tmp_path / "unused")[2:5])
        written = rows_of(tmp_path / "mlflow.db")
        assert any("\ufffdmine\\n\\nThe verdict." in row for row in written["experiment_tags"])
        assert len(written["runs"]) == 2

    @pytest.mark.parametrize(
        "uri",
        [
            *("/a b/c", "/a/", "/a//", "a", "./a", "/a?b#c%", "file:///a/", "file:///a//", "file:/a", "file:a/b"),
            *("FILE:///a", "file://localhost/a", "file:///a?b=c", "file:///a#b", "file:///a%3Fb%23c", "file:///a;b=c"),
        ],
    )
    def test_a_run_is_put_where_mlflow_puts_it(self, uri: str) -> None:
        assert uri_below(uri, "run/artifacts") == append_to_uri_path(uri, "run", "artifacts")

    @pytest.mark.parametrize("place", [None, ""])
    def test_a_run_or_an_experiment_without_a_place_is_given_no_files(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str | None
    ) -> None:
        location = locate(None, tmp_path)
        run_id = send_run(location)
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
            connection.execute("UPDATE runs SET artifact_uri = ?", (place,))
            connection.commit()
        monkeypatch.chdir(tmp_path)  # which relative places are below
        report = partial(log_report, location, STARTED.experiment, run_id, b"<html>", "The verdict.")
        assert refused(report, "names no place for the artifacts of run") is StoreError
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
            connection.execute("UPDATE experiments SET artifact_location = ?", (place,))
            connection.commit()
        assert refused(partial(send_run, location), "names no place for the artifacts of the experiment") is StoreError

    def test_runs_of_an_experiment_whose_place_has_a_fragment_keep_their_files_apart(self, tmp_path: Path) -> None:
        location = locate(None, tmp_path)
        send_run(location)
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
            connection.execute("UPDATE experiments SET artifact_location = artifact_location || '/a#b?c'")
            connection.commit()
        for text in (b"1", b"2"):
            send_run(location, files={"a.txt": text})
        assert sorted(file.read_bytes() for file in tmp_path.rglob("a.txt")) == [b"1", b"2"]

    def test_a_trigger_that_takes_too_long_is_stopped(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        location = locate(None, tmp_path)
        run_id = send_run(location)
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
            connection.execute(SLOW_TRIGGER)
            connection.commit()
        monkeypatch.setattr(database_client, "_LONGEST_S", 0.0)
        tag = partial(change_run, location, run_id, Tagged({"a": "b"}))
        assert refused(tag, "a trigger in the file takes more than") is UnreachableError
        assert not any("'a'" in row for row in rows_of(tmp_path / "mlflow.db")["tags"])

    def test_neither_an_upload_to_a_file_nor_a_model_saved_imports_mlflow(self, tmp_path: Path) -> None:
        """Which takes 2 s of every command that trains."""
        code = """
import sys
from pathlib import Path
import tracker.store.keras_model
from tests.builders import send_run
from tracker.store.location import locate
send_run(locate(None, Path(sys.argv[1])))
print({"mlflow", "sqlalchemy", "tensorflow"} & {*sys.modules})
"""
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "set()", done.stderr
