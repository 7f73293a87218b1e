from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import send_run
from tracker.errors import StoreError
from tracker.store.location import Location, locate
from tracker.store.sqlite_reader import read_experiment

FOLDER = Path("/somewhere/work")


class TestLocate:
    @pytest.mark.parametrize("uri", [None, "", "  ", "sqlite:///mlflow.db", "mlflow.db", "."])
    def test_is_mlflows_own_default_in_the_folder(self, uri: str | None) -> None:
        assert locate(uri, FOLDER) == Location(
            "sqlite:////somewhere/work/mlflow.db", FOLDER / "mlflow.db", "file:///somewhere/work/mlruns"
        )

    @pytest.mark.parametrize(
        ("uri", "database"),
        [
            ("sqlite:///sub/a.db", FOLDER / "sub/a.db"),
            ("sqlite:////other/a.db", Path("/other/a.db")),
            ("sqlite:////other/a.db?timeout=3", Path("/other/a.db")),
            ("sqlite+pysqlite:///a.db", FOLDER / "a.db"),
            ("sqlite:///a%20b%25c.db", FOLDER / "a b%c.db"),
            ("/other/a.sqlite3", Path("/other/a.sqlite3")),
            ("/other", Path("/other/mlflow.db")),
            ("v1.2", FOLDER / "v1.2/mlflow.db"),
            ("./a:b/c", FOLDER / "a:b/c/mlflow.db"),
        ],
    )
    def test_finds_the_file_of_a_uri_or_path(self, uri: str, database: Path) -> None:
        assert locate(uri, FOLDER).database == database

    def test_takes_a_file_of_any_name_for_a_database(self, tmp_path: Path) -> None:
        (tmp_path / "runs").touch()
        assert locate("runs", tmp_path).database == tmp_path / "runs"

    def test_takes_a_folder_with_a_databases_ending_for_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "runs.db").mkdir()
        assert locate("runs.db", tmp_path).database == tmp_path / "runs.db" / "mlflow.db"

    def test_keeps_artifacts_beside_the_database_wherever_it_is(self) -> None:
        assert locate("sqlite:////other/a.db", FOLDER).artifacts == "file:///other/mlruns"

    def test_leaves_artifacts_to_a_server(self) -> None:
        assert locate("http://127.0.0.1:5000/", FOLDER) == Location("http://127.0.0.1:5000", None, "")

    def test_shows_no_password(self) -> None:
        assert locate("https://me:secret@host/mlflow", FOLDER).shown == "https://host/mlflow"

    def test_is_the_same_store_to_mlflow_whatever_the_folder_is_called(self, tmp_path: Path) -> None:
        folder = tmp_path / "a b%20c?d#é"
        folder.mkdir()
        there = locate(None, folder)
        run_id = send_run(there, files={"a.txt": b"hello"})
        assert [run.run_id for run in read_experiment(there, "tracker").runs] == [run_id]
        assert [path.name for path in sorted(folder.iterdir())] == ["mlflow.db", "mlruns"]
        assert (folder / "mlruns/tracker" / run_id / "artifacts/a.txt").read_text() == "hello"

    @pytest.mark.parametrize("uri", ["file:./mlruns", "file:///a/mlruns", "FILE:/a"])
    def test_refuses_the_file_store_and_names_the_way_out(self, uri: str) -> None:
        with pytest.raises(StoreError, match="mlflow migrate-filestore"):
            locate(uri, FOLDER)

    def test_refuses_the_folder_of_a_file_store(self, tmp_path: Path) -> None:
        (tmp_path / "mlruns/0").mkdir(parents=True)
        (tmp_path / "mlruns/0/meta.yaml").touch()
        with pytest.raises(StoreError, match="mlflow migrate-filestore"):
            locate("mlruns", tmp_path)

    def test_refuses_other_databases_without_repeating_a_password(self) -> None:
        with pytest.raises(StoreError, match="start `mlflow server`") as error:
            locate("postgresql://me:secret@host/db", FOLDER)
        assert "secret" not in str(error.value)

    @pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:mlflow.db"])
    def test_refuses_a_sqlite_uri_without_a_file(self, uri: str) -> None:
        with pytest.raises(StoreError, match="sqlite:///PATH"):
            locate(uri, FOLDER)
