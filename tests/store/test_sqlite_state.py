from __future__ import annotations

import hashlib
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from tests.store.make_schema import SCHEMA, dump
from tracker.errors import StoreError
from tracker.store import StoreState, UnreachableError
from tracker.store.sqlite_state import SCHEMA_REVISION, SCHEMA_VERSION, lacks, make, reading, require_readable, state_of

if TYPE_CHECKING:
    from pathlib import Path

TO_OLDER = "UPDATE alembic_version SET version_num = '181f10493468'"
"""A migration of the pinned MLflow before its last."""

TO_NEWER = "UPDATE alembic_version SET version_num = 'ffffffffffff'"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "mlflow.db"
    make(path, (tmp_path / "mlruns").as_uri(), now=1)
    return path


def change(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def columns(database: Path) -> list[tuple[object, ...]]:
    """Every column of every table: its place, name, type, default and whether it is a key."""
    statement = """
        SELECT tables.name, fields.* FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS fields
        WHERE tables.type = 'table' ORDER BY tables.name, fields.cid
    """
    with reading(database) as connection:
        return connection.execute(statement).fetchall()


def parts(sql: str) -> list[str]:
    """The lines of a schema in order; MLflow makes indices, and checks within a table, in a different one each time."""
    return sorted(line.strip().removesuffix(",") for line in sql.splitlines())


class TestMake:
    def test_make_makes_what_the_pinned_mlflow_makes(
        self, database: Path, made_by_mlflow: Path, tmp_path: Path
    ) -> None:
        copy = tmp_path / "copy.db"
        copy.write_bytes(made_by_mlflow.read_bytes())
        assert columns(database) == columns(copy)
        assert parts(SCHEMA.read_text(encoding="utf-8")) == parts(dump(copy))

    def test_make_is_of_the_schema_of_the_installed_mlflow(self, made_by_mlflow: Path) -> None:
        assert version("mlflow") == SCHEMA_VERSION
        assert state_of(made_by_mlflow) is StoreState.READY

    def test_make_has_the_default_experiment_where_clients_can_write_to_it(self, database: Path) -> None:
        with reading(database) as connection:
            row = connection.execute("SELECT experiment_id, name, artifact_location FROM experiments").fetchall()
        assert row == [(0, "Default", f"{database.parent.as_uri()}/mlruns/0")]

    def test_make_is_opened_by_mlflow_without_a_change(self, database: Path) -> None:
        from mlflow import MlflowClient

        before = digest(database)
        assert [experiment.name for experiment in MlflowClient(f"sqlite:///{database}").search_experiments()] == [
            "Default"
        ]
        assert digest(database) == before

    def test_make_leaves_nothing_behind_when_it_fails(self, tmp_path: Path) -> None:
        (tmp_path / "mlflow.db").mkdir()
        with pytest.raises(OSError, match="directory"):
            make(tmp_path / "mlflow.db", "", now=1)
        assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


class TestStateOf:
    def test_state_of_of_a_whole_store_is_ready(self, database: Path) -> None:
        assert state_of(database) is StoreState.READY

    def test_state_of_of_no_file_is_absent_and_makes_none(self, tmp_path: Path) -> None:
        assert state_of(tmp_path / "mlflow.db") is StoreState.ABSENT
        assert not list(tmp_path.iterdir())

    def test_state_of_of_what_cannot_be_looked_at_is_not_told(self, tmp_path: Path) -> None:
        with pytest.raises(UnreachableError, match=r"cannot read the store .*: .*too long"):
            state_of(tmp_path / ("long" * 100))

    def test_state_of_of_no_bytes_is_empty(self, tmp_path: Path) -> None:
        (tmp_path / "mlflow.db").touch()
        assert state_of(tmp_path / "mlflow.db") is StoreState.EMPTY

    def test_state_of_of_a_revision_that_mlflow_has_a_migration_from_is_older(self, database: Path) -> None:
        change(database, TO_OLDER)
        assert state_of(database) is StoreState.OLDER

    def test_state_of_of_a_store_from_before_revisions_is_older(self, database: Path) -> None:
        change(database, "DROP TABLE alembic_version")
        assert state_of(database) is StoreState.OLDER

    def test_state_of_of_a_revision_that_mlflow_does_not_know_is_newer(self, database: Path) -> None:
        change(database, TO_NEWER)
        assert state_of(database) is StoreState.NEWER

    @pytest.mark.parametrize(
        "statements",
        [
            ["DELETE FROM experiments", TO_OLDER],
            ["DELETE FROM experiments", "DELETE FROM alembic_version"],
            ["PRAGMA foreign_keys = OFF", "DROP TABLE experiments", "DELETE FROM alembic_version"],
        ],
    )
    def test_state_of_of_a_making_that_was_broken_off_is_half_made(self, database: Path, statements: list[str]) -> None:
        change(database, *statements)
        assert state_of(database) is StoreState.HALF_MADE

    def test_state_of_of_nothing_but_a_version_table_is_half_made(self, tmp_path: Path) -> None:
        change(tmp_path / "a.db", "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        assert state_of(tmp_path / "a.db") is StoreState.HALF_MADE

    def test_state_of_of_another_programs_database_is_foreign(self, tmp_path: Path) -> None:
        change(tmp_path / "a.db", "CREATE TABLE songs (title)")
        assert state_of(tmp_path / "a.db") is StoreState.FOREIGN

    def test_state_of_changes_nothing(self, database: Path) -> None:
        change(database, TO_OLDER)
        before = digest(database)
        state_of(database)
        assert digest(database) == before
        assert [path.name for path in database.parent.iterdir()] == ["mlflow.db"]


class TestRequireReadable:
    def test_require_readable_takes_a_whole_store(self, database: Path) -> None:
        require_readable(database)

    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            (TO_OLDER, "older MLflow than 3.17.2, which tracker can't use: give another --tracking-uri"),
            (TO_NEWER, "newer MLflow than 3.17.2.*upgrade MLflow"),
            ("DELETE FROM alembic_version", "older MLflow"),
        ],
    )
    def test_require_readable_names_the_version_and_the_way_out_in_one_line(
        self, database: Path, statement: str, said: str
    ) -> None:
        change(database, statement)
        with pytest.raises(StoreError, match=said) as error:
            require_readable(database)
        assert str(database) in str(error.value)
        assert "\n" not in str(error.value)

    def test_require_readable_says_which_path_was_looked_at_and_who_makes_a_store(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="does not exist: `tracker run`") as error:
            require_readable(tmp_path / "mlflow.db")
        assert str(tmp_path / "mlflow.db") in str(error.value)


class TestReading:
    def test_reading_says_what_is_wrong_with_a_broken_file(self, database: Path) -> None:
        data = bytearray(database.read_bytes())
        data[100:4_000] = b"\xff" * 3_900
        database.write_bytes(data)
        with pytest.raises(StoreError, match=r"cannot read the store .*mlflow.db: "):
            state_of(database)

    def test_reading_says_that_a_text_is_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "a.db").write_text("a text as long as this one is no database\n" * 100)
        with pytest.raises(StoreError, match="file is not a database"):
            state_of(tmp_path / "a.db")

    def test_reading_says_that_a_folder_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="is a folder: move it away"):
            state_of(tmp_path)

    def test_reading_sees_one_moment_while_another_program_writes(self, database: Path) -> None:
        with reading(database) as connection, closing(sqlite3.connect(database, timeout=0)) as other:
            other.execute("DELETE FROM experiments")
            assert connection.execute("SELECT count(*) FROM experiments").fetchone() == (1,)
            other.rollback()

    def test_reading_undoes_what_a_killed_writer_left_half_done(self, database: Path) -> None:
        writing = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
for i in range(1, 3_000):
    connection.execute("INSERT INTO experiment_tags VALUES (?, ?, 0)", (str(i), "x" * 200))
os.kill(os.getpid(), signal.SIGKILL)
"""
        killed = subprocess.run([sys.executable, "-c", writing, database], check=False)
        assert killed.returncode == -signal.SIGKILL
        assert database.with_name("mlflow.db-journal").stat().st_size > 0
        with reading(database) as connection:
            assert connection.execute("SELECT count(*) FROM experiment_tags").fetchone() == (0,)
        assert state_of(database) is StoreState.READY


def test_the_revision_is_the_one_in_the_schema() -> None:
    assert f"'{SCHEMA_REVISION}'" in SCHEMA.read_text(encoding="utf-8")


class TestLacks:
    def test_lacks_names_nothing_in_a_store_that_is_whole(self, database: Path) -> None:
        with reading(database) as connection:
            assert lacks(connection) == []

    def test_lacks_names_columns_of_tables_that_are_there_and_that_are_not(self, database: Path) -> None:
        change(database, "ALTER TABLE params DROP COLUMN value", "DROP TABLE latest_metrics", "CREATE TABLE more (a)")
        with reading(database) as connection:
            missing = lacks(connection)
        assert missing[0] == "latest_metrics.is_nan"
        assert missing[-1] == "params.value"
