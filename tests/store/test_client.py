from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import ErrorCode
from requests import HTTPError, Response

from bench.at_once import first_opens
from tests.builders import START, STARTED, send_run
from tracker.errors import StoreError
from tracker.runs.events import Ended
from tracker.store import BusyError, FilterError, GoneError, StoreState, UnreachableError
from tracker.store import database as database_module
from tracker.store.client import matching_runs, open_store
from tracker.store.client_errors import one_line_errors
from tracker.store.database import make, reading, state_of, supported_revisions
from tracker.store.location import Location, locate
from tracker.store.mlflow_run import JOURNAL_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import Server


def answered(status: int) -> HTTPError:
    response = Response()
    response.status_code = status
    return HTTPError("no", response=response)


def kind_of(error: Exception) -> type[Exception]:
    with pytest.raises(StoreError, match=r"^cannot write: ") as raised, one_line_errors("cannot write"):
        raise error
    return raised.type


class TestOneLineErrors:
    @pytest.mark.parametrize(
        "error",
        [
            OSError("No space left on device"),
            MlflowException("API request to http://127.0.0.1:9 failed with exception refused"),
            RestException({"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "later"}),
            answered(429),
            answered(502),
        ],
    )
    def test_one_line_errors_tell_that_another_try_may_do(self, error: Exception) -> None:
        assert kind_of(error) is UnreachableError

    def test_one_line_errors_hide_the_login_in_the_stores_uri(self) -> None:
        uri = "databricks://me:s3cret@h"
        with pytest.raises(StoreError, match=r"of \[hidden\] at h$"), one_line_errors("cannot read", uri):
            raise MlflowException("of s3cret at h")

    @pytest.mark.parametrize(
        ("said", "code"),
        [
            ("(sqlite3.OperationalError) database is locked", "TEMPORARILY_UNAVAILABLE"),
            ("(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.name", "BAD_REQUEST"),
            ("(psycopg2.errors.UniqueViolation) duplicate key value violates unique constraint", "BAD_REQUEST"),
            ("(pymysql.err.IntegrityError) (1062, \"Duplicate entry 'demo' for key 'datasets.name'\")", "BAD_REQUEST"),
        ],
    )
    def test_one_line_errors_tell_that_another_wrote_at_the_same_moment(self, said: str, code: str) -> None:
        assert kind_of(MlflowException(said, ErrorCode.Value(code))) is BusyError

    def test_one_line_errors_tell_that_something_is_not_there(self) -> None:
        assert kind_of(RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no run"})) is GoneError

    @pytest.mark.parametrize(
        "error",
        [
            RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}),
            RestException({"error_code": "PERMISSION_DENIED", "message": "no"}),
            MlflowException("file is not a database", ErrorCode.Value("BAD_REQUEST")),
            answered(403),
        ],
    )
    def test_one_line_errors_tell_that_it_was_refused(self, error: Exception) -> None:
        assert kind_of(error) is StoreError

    def test_one_line_errors_are_of_one_line_without_the_statement(self) -> None:
        advice, kind = "(raised as a result of a flush; use a block)", "(sqlite3.OperationalError)"
        statement = "[SQL: INSERT INTO metrics]\n(Background on this error at: https://sqlalche.me)"
        said = f"{advice} {kind} database is locked\n{statement}"
        with pytest.raises(StoreError, match=r"^cannot write: database is locked$"), one_line_errors("cannot write"):
            raise MlflowException(said)

    def test_one_line_errors_say_of_a_connection_what_was_wrong_with_it_alone(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        said = r"^cannot write: Failed to establish a new connection: \[Errno \d+\] Connection refused$"
        with pytest.raises(UnreachableError, match=said), one_line_errors("cannot write"):
            MlflowClient("http://127.0.0.1:9").get_run("ab" * 16)


def abandon(database: Path) -> None:
    """Let a file look as if it had not been written to for long."""
    os.utime(database, (0, 0))


class TestOpenStore:
    def test_open_store_makes_a_store_and_nothing_else(self, location: Location, tmp_path: Path) -> None:
        open_store(location, clock=lambda: 5)
        assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]
        with reading(tmp_path / "mlflow.db") as connection:
            assert connection.execute("SELECT creation_time FROM experiments").fetchall() == [(5,)]

    def test_open_store_makes_the_folder_too(self, tmp_path: Path) -> None:
        open_store(locate("new/folder/mlflow.db", tmp_path))
        assert state_of(tmp_path / "new/folder/mlflow.db") is StoreState.READY

    def test_open_store_opens_what_is_there(self, location: Location) -> None:
        made = open_store(location).ensure_experiment("mine")
        assert open_store(location).ensure_experiment("mine") == made

    def test_open_store_makes_a_store_of_an_empty_file(self, location: Location, tmp_path: Path) -> None:
        (tmp_path / "mlflow.db").touch()
        abandon(tmp_path / "mlflow.db")
        open_store(location)
        assert state_of(tmp_path / "mlflow.db") is StoreState.READY

    @pytest.mark.parametrize(
        ("statements", "said"),
        [
            (["UPDATE alembic_version SET version_num = '181f10493468'"], "made by an older MLflow"),
            (["UPDATE alembic_version SET version_num = 'ffffffffffff'"], "made by a newer MLflow"),
            (
                ["DELETE FROM experiments", "DELETE FROM alembic_version"],
                "only partly created and holds no run: `tracker repair` sets it aside",
            ),
        ],
    )
    def test_open_store_never_migrates_nor_mends(
        self, location: Location, tmp_path: Path, statements: list[str], said: str
    ) -> None:
        make(tmp_path / "mlflow.db", location.artifacts, now=1)
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
        abandon(tmp_path / "mlflow.db")
        before = (tmp_path / "mlflow.db").read_bytes()
        with pytest.raises(StoreError, match=said):
            open_store(location)
        assert (tmp_path / "mlflow.db").read_bytes() == before
        assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]

    def test_open_store_waits_for_another_program_that_is_making_it(self, location: Location, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")

        def finish() -> None:
            time.sleep(0.5)
            make(tmp_path / "mlflow.db", location.artifacts, now=7)

        other = threading.Thread(target=finish)
        other.start()
        open_store(location, clock=lambda: 8)
        other.join()
        with reading(tmp_path / "mlflow.db") as connection:
            assert connection.execute("SELECT creation_time FROM experiments").fetchall() == [(7,)]

    def test_open_store_says_that_a_folder_cannot_be_written_to(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StoreError, match=r"cannot make a store at .*file/mlflow\.db: "):
            open_store(Location("", tmp_path / "file/mlflow.db", ""))

    def test_open_store_says_that_a_server_is_away(self) -> None:
        with pytest.raises(StoreError, match=r"no tracking server answers at http://127\.0\.0\.1:9"):
            open_store(Location("http://127.0.0.1:9", None, ""))

    def test_open_store_lets_eight_processes_make_it_at_the_same_time(self, tmp_path: Path) -> None:
        assert first_opens(tmp_path, openers=8) == []


@pytest.fixture
def another_mlflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the installed MLflow another one than schema.sql is taken from, and its last schema but one supported."""
    before = database_module._migrations()[supported_revisions()[0]]
    monkeypatch.setattr(database_module, "SCHEMA_VERSION", "3.0.0")
    monkeypatch.setattr(database_module, "SCHEMA_REVISION", before)
    supported_revisions.cache_clear()
    yield
    supported_revisions.cache_clear()


def made_before_the_last_migration(database: Path) -> None:
    """Make a store with one experiment as the MLflow before the last change of the schema did."""
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base
    from sqlalchemy import create_engine

    url = f"sqlite:///{database}"
    Base.metadata.create_all(create_engine(url))
    command.upgrade(_get_alembic_config(url), database_module.SCHEMA_REVISION)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'old', 'active')")
        connection.commit()


def written_by_command(folder: Path, variable: str) -> None:
    """Have the next Python that starts with a folder on its path write a variable of its environment there."""
    folder.mkdir()
    code = f"import os\nopen({str(folder / variable)!r}, 'w').write(os.environ.get({variable!r}, ''))\n"
    (folder / "sitecustomize.py").write_text(code)


@pytest.mark.usefixtures("another_mlflow")
class TestOpenStoreWithAnotherMlflow:
    def test_mlflow_itself_makes_the_store(self, location: Location, tmp_path: Path) -> None:
        store = open_store(location)
        assert state_of(tmp_path / "mlflow.db") is StoreState.READY
        assert isinstance(store.client, MlflowClient)  # which alone knows what its version writes
        assert store.client.get_experiment("0").artifact_location == f"{tmp_path.as_uri()}/mlruns/0"
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(("mlflow.db.", "."))]

    def test_a_store_of_a_supported_schema_is_readable_then_migrated_and_a_copy_kept(
        self, location: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = tmp_path / "mlflow.db"
        made_before_the_last_migration(database)
        assert state_of(database) is StoreState.UPGRADABLE
        database_module.require_readable(database)
        monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "first"))
        written_by_command(tmp_path / "first", "MLFLOW_DISABLE_TELEMETRY")
        store = open_store(location)
        assert (tmp_path / "first/MLFLOW_DISABLE_TELEMETRY").read_text() == "true"  # MLflow's command calls nobody
        assert state_of(database) is StoreState.READY
        assert store.client.get_experiment_by_name("old").experiment_id == "7"
        assert state_of(tmp_path / "mlflow.db.before-migration-1") is StoreState.UPGRADABLE

    def test_a_store_of_a_schema_before_the_supported_ones_is_refused(self, location: Location, tmp_path: Path) -> None:
        made_before_the_last_migration(tmp_path / "mlflow.db")
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '181f10493468'")
            connection.commit()
        abandon(tmp_path / "mlflow.db")
        with pytest.raises(StoreError, match="made by an older MLflow"):
            open_store(location)


class TestEnsureExperiment:
    def test_ensure_experiment_makes_it_with_its_metric_and_a_place_beside_the_store(
        self, location: Location, tmp_path: Path
    ) -> None:
        store = open_store(location)
        made = store.client.get_experiment(store.ensure_experiment("My songs/2", metric="val_f1"))
        assert made.artifact_location == f"{tmp_path.as_uri()}/mlruns/My-songs-2"
        assert made.tags["tracker.metric"] == "val_f1"

    def test_ensure_experiment_leaves_one_that_is_there_as_it_is(self, location: Location) -> None:
        store = open_store(location)
        theirs = store.full_client.create_experiment("theirs", artifact_location=f"{location.artifacts}/elsewhere")
        assert store.ensure_experiment("theirs") == theirs
        assert "tracker.metric" not in store.client.get_experiment(theirs).tags

    def test_ensure_experiment_says_how_to_bring_a_deleted_one_back(self, location: Location) -> None:
        store = open_store(location)
        store.full_client.delete_experiment(store.ensure_experiment("gone"))
        with pytest.raises(StoreError, match="deleted: bring it back with `mlflow experiments restore"):
            store.ensure_experiment("gone")

    def test_ensure_experiment_leaves_an_experiment_to_the_server_that_keeps_its_artifacts(
        self, location: Location
    ) -> None:
        store = open_store(location)
        store.full_client.create_experiment("served", artifact_location="mlflow-artifacts:/1")
        with pytest.raises(StoreError, match=r"made by a tracking server.*give its address as --tracking-uri"):
            store.ensure_experiment("served")

    @pytest.mark.parametrize(("name", "folder"), [("../up", "up"), ("..", "experiment"), ("日本", "experiment")])
    def test_ensure_experiment_keeps_artifacts_under_the_store_whatever_its_name(
        self, location: Location, name: str, folder: str
    ) -> None:
        store = open_store(location)
        made = store.client.get_experiment(store.ensure_experiment(name))
        assert made.artifact_location == f"{location.artifacts}/{folder}"


class TestCheckRun:
    @pytest.mark.parametrize("journal", [None, "a1-b2"])
    def test_check_run_returns_the_journal_that_a_run_was_uploaded_from(
        self, location: Location, journal: str | None
    ) -> None:
        store = open_store(location)
        tags = {JOURNAL_TAG: journal} if journal else {}
        run = store.full_client.create_run(store.ensure_experiment("tracker"), tags=tags)
        assert store.check_run(run.info.run_id) == journal

    def test_check_run_says_that_a_run_is_not_there(self, location: Location) -> None:
        with pytest.raises(GoneError, match="cannot continue run abab"):
            open_store(location).check_run("ab" * 16)


class TestMatchingRuns:
    @pytest.fixture(scope="class")
    def three(self, one_server: Server) -> list[str]:
        """The ids of runs with kernels 3, 5 and 7 in a store that is also served."""
        one_server.start()
        begun = [replace(STARTED, experiment="matching", params={"kernel_size": kernel}) for kernel in "357"]
        return [send_run(one_server.store, Ended(START + 9, "FINISHED"), started=start) for start in begun]

    @pytest.mark.parametrize(
        ("filter_string", "matching"),
        [("params.kernel_size != '5'", [0, 2]), ("attributes.status = 'FINISHED'", [0, 1, 2]), ("metrics.x > 0", [])],
    )
    def test_matching_runs_are_the_same_of_a_file_and_of_a_server(
        self, one_server: Server, three: list[str], filter_string: str, matching: list[int]
    ) -> None:
        expected = {three[number] for number in matching}
        for place in one_server.ways:
            assert matching_runs(place, "matching", filter_string) == expected

    def test_a_filter_of_another_syntax_is_refused_by_both(self, one_server: Server, three: list[str]) -> None:
        assert three
        for place in one_server.ways:
            with pytest.raises(FilterError, match=r"of MLflow's syntax: write a param as params\.kernel_size = '9', "):
                matching_runs(place, "matching", "kernel = 9")

    def test_a_store_that_is_not_there_is_not_made(self, location: Location) -> None:
        with pytest.raises(StoreError, match="does not exist"):
            matching_runs(location, "tracker", "metrics.x > 0")
        assert location.database
        assert not location.database.exists()
