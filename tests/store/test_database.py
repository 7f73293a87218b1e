from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

from tests.builders import STARTED, copy_store, epochs, whole_journal
from tests.store.make_schema import SCHEMA, dump
from tracker.errors import StoreError
from tracker.runs.events import Attached
from tracker.store import DATASET, VALIDATION, BrokenError, Condition, StoreState, UnreachableError
from tracker.store.client import open_store
from tracker.store.database import (
    SCHEMA_REVISION,
    SCHEMA_VERSION,
    check_current,
    examine,
    lacks,
    make,
    reading,
    relocate,
    require_readable,
    set_aside,
    state_of,
)
from tracker.store.location import Location, locate, restore_artifacts
from tracker.store.reader import read_experiment
from tracker.store.upload import JournalUpload

if TYPE_CHECKING:
    from tracker.runs.events import Event, UploadState

TO_OLDER = "UPDATE alembic_version SET version_num = '181f10493468'"
"""A migration of the pinned MLflow before its last."""

VERSION_TABLE = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"

FOREIGN = [
    ("CREATE TABLE songs (title)",),
    (VERSION_TABLE,),
    (VERSION_TABLE, "INSERT INTO alembic_version VALUES ('1975ea83b712')", "CREATE TABLE users (id, name)"),
    ("CREATE TABLE experiments (id, title)",),
    ("CREATE TABLE experiments (id, title)", "CREATE TABLE runs (id)", VERSION_TABLE),
    (VERSION_TABLE, "INSERT INTO alembic_version VALUES (x'ff00')"),
]
"""Databases of other programs; Alembic is used by many."""

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

    @pytest.mark.parametrize(
        ("revision", "state"), [("451aebb31d03", StoreState.HALF_MADE), ("1975ea83b712", StoreState.FOREIGN)]
    )
    def test_state_of_of_nothing_but_a_version_table_depends_on_whose_revision_it_is(
        self, tmp_path: Path, revision: str, state: StoreState
    ) -> None:
        change(tmp_path / "a.db", VERSION_TABLE, f"INSERT INTO alembic_version VALUES ('{revision}')")  # noqa: S608
        assert state_of(tmp_path / "a.db") is state

    @pytest.mark.parametrize("statements", FOREIGN)
    def test_another_programs_database_is_foreign_and_never_broken(
        self, location: Location, tmp_path: Path, statements: tuple[str, ...]
    ) -> None:
        change(tmp_path / "mlflow.db", *statements)
        before = (tmp_path / "mlflow.db").read_bytes()
        assert state_of(tmp_path / "mlflow.db") is StoreState.FOREIGN
        for has_uploads in (False, True):
            condition = examine(location, has_uploads=has_uploads)
            assert (condition.state, condition.is_broken) == (StoreState.FOREIGN, False)
            assert "is another program's file, not an MLflow store" in str(condition.refusal)
            with pytest.raises(StoreError, match="isn't broken"):
                set_aside(location, has_uploads=has_uploads)
        assert (tmp_path / "mlflow.db").read_bytes() == before

    @pytest.mark.parametrize("table", ["metrics", "logged_models"])
    def test_a_store_in_which_a_view_takes_a_tables_place_is_foreign(self, database: Path, table: str) -> None:
        """What is read from it would be computed, for ever if the view likes."""
        change(database, f"DROP TABLE {table}", f"CREATE VIEW {table} AS SELECT 1")
        assert state_of(database) is StoreState.FOREIGN

    @pytest.mark.parametrize("ending", ["", "-journal", "-wal", "-shm"])
    def test_state_of_waits_for_no_pipe(self, database: Path, ending: str) -> None:
        Path(f"{database}{ending}").unlink(missing_ok=True)
        os.mkfifo(f"{database}{ending}")
        with pytest.raises(UnreachableError, match=f"mlflow.db{ending} is (a named pipe|not a regular file)"):
            state_of(database)

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
            (
                TO_OLDER,
                r"older MLflow than 3\.17\.2, of about 2019, which alone can write .* give another --tracking-uri",
            ),
            (TO_NEWER, r"newer MLflow than 3\.17\.2, which alone can write .* install that MLflow"),
            ("DELETE FROM alembic_version", r"older MLflow than 3\.17\.2, which alone can write"),
        ],
    )
    def test_another_revision_is_read_and_writing_names_the_version_and_the_way_out_in_one_line(
        self, database: Path, statement: str, said: str
    ) -> None:
        change(database, statement)
        require_readable(database)
        with pytest.raises(StoreError, match=said) as error:
            check_current(database)
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

    @pytest.mark.parametrize("sign", [b"\xff", b"\xc3", b"\x80"])
    @pytest.mark.parametrize("at", [0, 3, 5])
    def test_reading_says_that_a_schema_is_damaged_that_is_no_text_any_more(
        self, database: Path, at: int, sign: bytes
    ) -> None:
        word = b"CREATE TABLE"
        database.write_bytes(database.read_bytes().replace(word, word[:at] + sign + word[at + 1 :]))
        with pytest.raises(BrokenError, match=r"cannot read the store .*mlflow.db: "):
            state_of(database)
        condition = examine(locate(str(database), database.parent), has_uploads=True)
        assert condition.is_broken
        assert "codec" not in str(condition.damage)
        assert set_aside(locate(str(database), database.parent), has_uploads=True).exists()

    def test_reading_says_that_a_text_is_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "a.db").write_text("a text as long as this one is no database\n" * 100)
        with pytest.raises(StoreError, match=r"it is not an SQLite database but a text: give another --tracking-uri$"):
            state_of(tmp_path / "a.db")
        (tmp_path / "results.csv").write_text("lr,accuracy\n0.1,0.8\n")
        with pytest.raises(StoreError, match="it is not an SQLite database but a text: give another"):
            state_of(tmp_path / "results.csv")

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
        before = digest(database)
        with reading(database) as connection:
            assert connection.execute("SELECT count(*) FROM experiment_tags").fetchone() == (0,)
        assert digest(database) == before
        assert database.with_name("mlflow.db-journal").stat().st_size > 0
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


def send(location: Location, events: list[Event], artifacts: Path, journal: str = "a-journal") -> UploadState:
    return JournalUpload(location, journal, None, lambda _delivery: None).send(events, artifacts)


def half_made(database: Path) -> None:
    """A store whose making was broken off."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('451aebb31d03')")
        connection.commit()
    os.utime(database, (0, 0))


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of one whole run, to be copied."""
    folder, journal = tmp_path_factory.mktemp("sent"), tmp_path_factory.mktemp("journal")
    send(locate(None, folder), whole_journal(journal), journal)
    return folder


@pytest.fixture
def project(tmp_path: Path, sent: Path) -> Path:
    """A folder with a store of one whole run, that can be moved."""
    copy_store(sent, tmp_path / "old")
    return tmp_path / "old"


class TestExamine:
    def test_examine_finds_nothing_wrong_with_a_store(self, location: Location) -> None:
        open_store(location)
        assert examine(location) == Condition(StoreState.READY)
        assert not examine(location).is_broken

    def test_examine_finds_nothing_where_nothing_is(self, location: Location, tmp_path: Path) -> None:
        assert examine(location).state is StoreState.ABSENT
        assert not list(tmp_path.iterdir())

    def test_examine_finds_one_that_is_half_made(self, location: Location, tmp_path: Path) -> None:
        half_made(tmp_path / "mlflow.db")
        assert examine(location).state is StoreState.HALF_MADE
        assert examine(location).is_broken

    def test_examine_finds_what_is_no_database(self, location: Location, tmp_path: Path) -> None:
        (tmp_path / "mlflow.db").write_bytes(b"no longer a database" * 1_000)
        condition = examine(location, has_uploads=True)
        assert condition.is_broken
        assert condition.damage == "file is not a database"

    @pytest.mark.parametrize("content", [b"a text", b"\xff\xd8\xff\xe0" * 99, b"SQLite format 3\0" + bytes(9_999)])
    def test_examine_takes_what_was_never_a_store_for_another_programs(
        self, location: Location, tmp_path: Path, content: bytes
    ) -> None:
        (tmp_path / "mlflow.db").write_bytes(content)
        condition = examine(location)
        assert (condition.state, condition.is_broken) == (StoreState.FOREIGN, False)

    def test_examine_recognises_a_store_by_what_is_left_of_its_schema(self, project: Path) -> None:
        with (project / "mlflow.db").open("r+b") as file:
            file.write(b"\xff" * 100)
        condition = examine(locate(None, project))
        assert (condition.is_broken, condition.damage) == (True, "file is not a database")

    def test_set_aside_and_relocate_leave_a_link_alone(self, project: Path, tmp_path: Path) -> None:
        (tmp_path / "mlflow.db").symlink_to(project / "mlflow.db")
        for change_it in (set_aside, relocate, open_store):
            with pytest.raises(
                StoreError, match=r"is a link to .*old/mlflow\.db, and nothing is written through links"
            ):
                change_it(locate(None, tmp_path))

    def test_examine_finds_a_damaged_page(self, project: Path) -> None:
        with (project / "mlflow.db").open("r+b") as file:
            file.seek(4_096 * 20)
            file.write(b"\xff" * 4_096 * 40)
        assert examine(locate(None, project)).is_broken

    def test_examine_finds_a_table_and_a_column_that_are_missing(self, location: Location, tmp_path: Path) -> None:
        open_store(location)
        change(tmp_path / "mlflow.db", "DROP TABLE tags", "ALTER TABLE params DROP COLUMN value")
        assert examine(location).damage == "it lacks params.value, tags.key, tags.run_uuid, tags.value"

    def test_examine_finds_that_the_very_runs_are_missing(self, location: Location, tmp_path: Path) -> None:
        open_store(location)
        change(tmp_path / "mlflow.db", "DROP TABLE runs")
        assert examine(location).is_broken

    def test_examine_takes_one_of_another_version_for_whole(self, location: Location, tmp_path: Path) -> None:
        open_store(location)
        change(tmp_path / "mlflow.db", TO_NEWER)
        assert examine(location).state is StoreState.NEWER
        assert not examine(location).is_broken

    def test_examine_finds_that_it_was_moved_and_changes_nothing(self, project: Path, tmp_path: Path) -> None:
        project.rename(tmp_path / "new")
        before = (tmp_path / "new/mlflow.db").read_bytes()
        moved = examine(locate(None, tmp_path / "new")).moved
        assert sorted(place.table for place in moved) == ["experiments", "experiments", "logged_models", "runs"]
        assert (tmp_path / "new/mlflow.db").read_bytes() == before

    def test_examine_takes_one_that_cannot_be_opened_now_for_neither(self, location: Location, tmp_path: Path) -> None:
        (tmp_path / "mlflow.db").mkdir()
        with pytest.raises(UnreachableError, match="is a folder: move it away"):
            examine(location)

    def test_examine_leaves_a_server_to_itself(self) -> None:
        with pytest.raises(StoreError, match="is a tracking server, which is repaired where it runs"):
            examine(Location("http://127.0.0.1:9", None, ""))


class TestSetAside:
    def test_set_aside_makes_room_for_another_and_deletes_nothing(self, location: Location, tmp_path: Path) -> None:
        half_made(tmp_path / "mlflow.db")
        before = (tmp_path / "mlflow.db").read_bytes()
        aside = set_aside(location)
        assert aside == tmp_path / "mlflow.db.broken-1"
        assert aside.read_bytes() == before
        send(location, [STARTED, *epochs(1.0)], tmp_path)
        assert len(read_experiment(location, "tracker").runs) == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db", "mlflow.db.broken-1"]

    def test_set_aside_leaves_nothing_behind_that_would_be_played_into_the_next(
        self, location: Location, tmp_path: Path
    ) -> None:
        for _ in range(2):
            (tmp_path / "mlflow.db").write_bytes(b"no longer a database" * 1_000)
            for ending in ("-journal", "-wal", "-shm"):
                (tmp_path / f"mlflow.db{ending}").write_bytes(b"half a transaction")
            set_aside(location, has_uploads=True)
        assert (tmp_path / "mlflow.db.broken-2").exists()
        assert not list(tmp_path.glob("mlflow.db-*"))

    @pytest.mark.parametrize("statements", [(), (TO_NEWER,)])
    def test_set_aside_leaves_a_store_that_is_not_broken(
        self, location: Location, tmp_path: Path, statements: tuple[str, ...]
    ) -> None:
        open_store(location)
        change(tmp_path / "mlflow.db", *statements)
        with pytest.raises(StoreError, match="isn't broken"):
            set_aside(location)
        assert (tmp_path / "mlflow.db").exists()


class TestRelocate:
    def test_relocate_lets_mlflow_find_what_was_moved(self, project: Path, tmp_path: Path) -> None:
        (before,) = read_experiment(locate(None, project), "tracker").runs
        project.rename(tmp_path / "new")
        location = locate(None, tmp_path / "new")
        client = MlflowClient(location.uri)
        assert not client.list_artifacts(before.run_id)
        moved, copy = relocate(location)
        assert {place.table for place in moved} == {"experiments", "logged_models", "runs"}
        assert [found.path for found in client.list_artifacts(before.run_id)] == ["dataset.csv", "model", "predictions"]
        assert client.get_experiment_by_name("tracker").artifact_location == (tmp_path / "new/mlruns/tracker").as_uri()
        (after,) = read_experiment(location, "tracker").runs
        assert (after.params, after.tags, after.groups) == (before.params, before.tags, before.groups)
        assert copy == tmp_path / "new/mlflow.db.before-repair-1"
        with reading(copy) as connection:
            (place,) = connection.execute("SELECT artifact_uri FROM runs").fetchone()
        assert place == f"{project.as_uri()}/mlruns/tracker/{before.run_id}/artifacts"

    def test_done_again_changes_nothing(self, project: Path, tmp_path: Path) -> None:
        project.rename(tmp_path / "new")
        relocate(locate(None, tmp_path / "new"))
        before = sorted(path.name for path in (tmp_path / "new").iterdir())
        assert relocate(locate(None, tmp_path / "new")) == ((), None)
        assert sorted(path.name for path in (tmp_path / "new").iterdir()) == before

    def test_relocate_lets_runs_of_later_be_written_where_the_store_is(self, project: Path, tmp_path: Path) -> None:
        events: list[Event] = [replace(STARTED, experiment="still empty")]
        send(locate(None, project), events, tmp_path, "another")
        project.rename(tmp_path / "new")
        location = locate(None, tmp_path / "new")
        relocate(location)
        (tmp_path / "a.txt").touch()
        for journal in ("another", "third"):
            send(location, [*events, Attached("a.txt")], tmp_path, journal)
        assert len(list((tmp_path / "new/mlruns/still-empty").glob("*/artifacts/a.txt"))) == 2
        assert not project.exists()

    def test_relocate_gives_a_copy_places_of_its_own(self, project: Path, tmp_path: Path) -> None:
        shutil.copytree(project, tmp_path / "copy")
        location = locate(None, tmp_path / "copy")
        (tmp_path / "a.txt").touch()
        with pytest.raises(
            StoreError, match=r"copy/mlflow\.db was copied, .* would be written to .*/old/mlruns/tracker"
        ):
            send(location, [STARTED, Attached("a.txt")], tmp_path, "another")
        assert relocate(locate(None, project)) == ((), None)
        moved, _copy = relocate(location)
        assert {place.table for place in moved} == {"experiments", "logged_models", "runs"}
        send(location, [STARTED, Attached("a.txt")], tmp_path, "another")
        assert len(list((tmp_path / "copy/mlruns").rglob("a.txt"))) == 1
        assert not list(project.rglob("a.txt"))
        assert relocate(location) == ((), None)

    def test_relocate_leaves_a_place_that_is_reached_in_another_way(self, project: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(project)
        location = locate(None, tmp_path / "link")
        assert relocate(location) == ((), None)
        assert send(location, [STARTED], tmp_path, "another").events == 1

    def test_relocate_leaves_an_experiment_that_goes_on_elsewhere(self, project: Path, tmp_path: Path) -> None:
        elsewhere = tmp_path / "disk/mlruns/tracker"
        (elsewhere / ("ab" * 16)).mkdir(parents=True)
        moved_to = f"UPDATE experiments SET artifact_location = '{elsewhere}' WHERE name = 'tracker'"  # noqa: S608
        change(project / "mlflow.db", moved_to)
        assert relocate(locate(None, project)) == ((), None)
        (tmp_path / "a.txt").touch()
        with pytest.raises(StoreError, match=r"disk/mlruns/tracker, which is not below the store's folder"):
            send(locate(None, project), [STARTED, Attached("a.txt")], tmp_path, "another")
        (own,) = (path for path in (project / "mlruns/tracker").iterdir() if path.name != "models")
        own.rename(elsewhere / own.name)  # where MLflow put one of its runs, it may put others
        delivery = send(locate(None, project), [STARTED, Attached("a.txt")], tmp_path, "another")
        assert delivery.artifacts.startswith(str(elsewhere))
        assert Path(delivery.artifacts, "a.txt").exists()

    def test_relocate_leaves_what_is_not_found(self, project: Path, tmp_path: Path) -> None:
        (tmp_path / "new").mkdir()
        (project / "mlflow.db").rename(tmp_path / "new/mlflow.db")
        (project / "mlruns").rename(tmp_path / "elsewhere")
        assert relocate(locate(None, tmp_path / "new")) == ((), None)

    def test_relocate_leaves_other_places_than_those_of_the_project(self, project: Path, tmp_path: Path) -> None:
        others = ["s3://bucket/1", "mlflow-artifacts:/1", "./mlruns/1", (tmp_path / "disk/away").as_uri()]
        for number, other in enumerate(others, 10):
            change(
                project / "mlflow.db",
                f"INSERT INTO experiments VALUES ({number}, '{number}', '{other}', 'active', 1, 1, 'default')",  # noqa: S608
            )
        project.rename(tmp_path / "new")
        moved, _copy = relocate(locate(None, tmp_path / "new"))
        assert not {place.old for place in moved} & set(others)

    def test_rewrites_models_too(self, project: Path, tmp_path: Path) -> None:
        client = MlflowClient(locate(None, project).uri)
        (run,) = read_experiment(locate(None, project), "tracker").runs
        client.create_registered_model("kept")
        source = f"{client.get_run(run.run_id).info.artifact_uri}/model"
        client.create_model_version("kept", source, run.run_id)
        project.rename(tmp_path / "new")
        location = locate(None, tmp_path / "new")
        relocate(location)
        expected = (tmp_path / f"new/mlruns/tracker/{run.run_id}/artifacts/model").as_uri()
        assert MlflowClient(location.uri).get_model_version("kept", "1").source == expected

    def test_relocate_keeps_a_plain_path_plain(self, project: Path, tmp_path: Path) -> None:
        change(project / "mlflow.db", "UPDATE runs SET artifact_uri = replace(artifact_uri, 'file://', '')")
        project.rename(tmp_path / "new")
        moved, _copy = relocate(locate(None, tmp_path / "new"))
        (new,) = (place.new for place in moved if place.table == "runs")
        assert new.startswith(str(tmp_path / "new/mlruns/tracker/"))

    def test_relocate_says_that_there_is_no_store(self, location: Location) -> None:
        with pytest.raises(StoreError, match=r"mlflow\.db does not exist"):
            relocate(location)


class TestRestoreArtifacts:
    def test_restore_artifacts_brings_back_what_was_removed_and_leaves_what_is_there(
        self, location: Location, tmp_path: Path
    ) -> None:
        journal = tmp_path / "journal"
        events = whole_journal(journal)
        before = {path: path.read_bytes() for path in journal.rglob("*") if path.is_file()}
        delivery = send(location, events, journal)
        shutil.rmtree(journal)
        (journal).mkdir()
        (journal / DATASET).write_text("still here")
        attached = [event.path for event in events if isinstance(event, Attached)]
        assert restore_artifacts(delivery.artifacts, attached, journal, tmp_path) == ()
        after = {path: path.read_bytes() for path in journal.rglob("*") if path.is_file()}
        assert after == before | {journal / DATASET: b"still here"}

    def test_restore_artifacts_finds_them_where_the_project_was_moved(self, project: Path, tmp_path: Path) -> None:
        with reading(project / "mlflow.db") as connection:
            (uri,) = connection.execute("SELECT artifact_uri FROM runs").fetchone()
        project.rename(tmp_path / "new")
        whole_journal(tmp_path / "journal")
        assert restore_artifacts(uri, [VALIDATION], tmp_path / "empty", tmp_path / "new") == ()
        assert (tmp_path / "empty" / VALIDATION).read_bytes() == (tmp_path / "journal" / VALIDATION).read_bytes()

    @pytest.mark.parametrize("uri", ["file:///nowhere/run/artifacts", "s3://bucket/run/artifacts"])
    def test_restore_artifacts_names_what_is_found_nowhere(self, tmp_path: Path, uri: str) -> None:
        (tmp_path / "here.txt").touch()
        assert restore_artifacts(uri, ["here.txt", "lost.txt"], tmp_path, tmp_path) == ("lost.txt",)

    def test_restore_artifacts_copies_nothing_from_or_to_elsewhere(self, tmp_path: Path) -> None:
        (tmp_path / "run/artifacts").mkdir(parents=True)
        (tmp_path / "run/secret.txt").touch()
        uri = (tmp_path / "run/artifacts").as_uri()
        assert restore_artifacts(uri, ["../secret.txt"], tmp_path / "new/artifacts", tmp_path) == ("../secret.txt",)
        assert not (tmp_path / "new").exists()


class TestRebuilding:
    def test_rebuilding_from_journals_gives_the_same_runs(self, location: Location, tmp_path: Path) -> None:
        events = whole_journal(tmp_path / "journal")
        old = send(location, events, tmp_path / "journal")
        (before,) = read_experiment(location, "tracker").runs
        shutil.rmtree(tmp_path / "journal")
        (tmp_path / "mlflow.db").write_bytes(b"no longer a database" * 1_000)
        set_aside(location, has_uploads=True)
        attached = [event.path for event in events if isinstance(event, Attached)]
        assert not restore_artifacts(old.artifacts, attached, tmp_path / "journal", tmp_path)
        send(location, events, tmp_path / "journal")
        (after,) = read_experiment(location, "tracker").runs
        assert (after.params, after.tags, str(after.metrics)) == (before.params, before.tags, str(before.metrics))
        assert (after.status, after.started, after.ended) == (before.status, before.started, before.ended)
        assert after.validation is not None
        assert after.validation_by_epoch is not None
