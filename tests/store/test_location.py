from __future__ import annotations

import base64
import os
import re
from contextlib import suppress
from pathlib import Path

import pytest

from tests.builders import send_run
from tracker.errors import StoreError
from tracker.store.location import (
    Access,
    Location,
    find_artifacts,
    folders_below,
    locate,
    public_text,
    public_uri,
    secrets_of,
    sqlite_uri,
    written_to,
)
from tracker.store.reader import read_experiment

FOLDER = Path("/somewhere/work")


class TestLocate:
    @pytest.mark.parametrize("uri", [None, "", "  ", "sqlite:///mlflow.db", "mlflow.db", "."])
    def test_locate_is_mlflows_own_default_in_the_folder(self, uri: str | None) -> None:
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
    def test_locate_finds_the_file_of_a_uri_or_path(self, uri: str, database: Path) -> None:
        assert locate(uri, FOLDER).database == database

    @pytest.mark.parametrize(
        ("text", "meant"),
        [
            ("http://host/#/experiments/1", "http://host"),
            ("https://me:s3cret@host:80/mlflow/#/experiments/1?token=s3cret", "https://host:80/mlflow"),
            ("localhost", "http://localhost:5000"),
            ("localhost:5000", "http://localhost:5000"),
            ("127.0.0.1:5000/x", "http://127.0.0.1:5000/x"),
            ("mlflow.example.org:80", "http://mlflow.example.org:80"),
            ("[::1]:5000", "http://[::1]:5000"),
            ("http//host", "http://host"),
            ("https:/me:s3cret@host", "https://host"),
            ("http:host:5000", "http://host:5000"),
            ("http:::", "http://localhost:5000"),
            ("postgresql//me:s3cret@host/runs", "postgresql://host/runs"),
            ("mysql+pymysql//me:s3cret@host/runs", "mysql+pymysql://host/runs"),
        ],
    )
    def test_locate_says_which_address_is_meant(self, text: str, meant: str) -> None:
        with pytest.raises(StoreError) as error:
            locate(text, FOLDER)
        assert str(error.value).endswith(f": did you mean {meant}?")
        assert "s3cret" not in str(error.value)

    def test_locate_shows_a_page_of_mlflows_ui_as_one(self) -> None:
        with pytest.raises(StoreError, match=r"^http://host/#/… is a page of MLflow's UI: did you mean http://host\?$"):
            locate("http://host/#/experiments/1", FOLDER)

    @pytest.mark.parametrize(
        ("uri", "access"),
        [
            ("http://host", Access.SERVER),
            ("postgresql://me:s3cret@host/x", Access.SQL),
            ("postgres://me:s3cret@host/x", Access.SQL),
            ("mysql+pymysql://me:s3cret@host/x", Access.SQL),
            ("databricks", Access.PLUG_IN),
            ("databricks://profile", Access.PLUG_IN),
        ],
    )
    def test_locate_knows_how_a_store_elsewhere_is_reached(self, uri: str, access: Access) -> None:
        found = locate(uri, FOLDER)
        assert found.access is access
        assert "s3cret" not in found.public + found.shown

    @pytest.mark.parametrize(
        ("uri", "what"),
        [
            ("databricks-uc", "holds no runs: did you mean databricks"),
            ("uc", "holds no runs"),
            ("azureml://x", "needs MLflow's plug-in for it: `pip install azureml-mlflow`"),
            ("arn:aws:sagemaker:eu-1:1:server/x", "reading arn:aws:sagemaker:eu-1:1:server/x needs .*sagemaker-mlflow"),
            ("dbfs:/x", "cannot use the store dbfs:/x: give a SQLite file"),
        ],
    )
    def test_locate_says_in_a_line_what_a_store_needs(self, uri: str, what: str) -> None:
        with pytest.raises(StoreError, match=what):
            locate(uri, FOLDER)

    def test_locate_takes_a_file_of_any_name_for_a_database(self, tmp_path: Path) -> None:
        (tmp_path / "runs").touch()
        assert locate("runs", tmp_path).database == tmp_path / "runs"

    def test_locate_takes_a_folder_with_a_databases_ending_for_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "runs.db").mkdir()
        assert locate("runs.db", tmp_path).database == tmp_path / "runs.db" / "mlflow.db"

    def test_locate_keeps_artifacts_beside_the_database_wherever_it_is(self) -> None:
        assert locate("sqlite:////other/a.db", FOLDER).artifacts == "file:///other/mlruns"

    def test_locate_leaves_artifacts_to_a_server(self) -> None:
        assert locate("http://127.0.0.1:5000/", FOLDER) == Location("http://127.0.0.1:5000", None, "")

    def test_locate_shows_no_password(self) -> None:
        assert locate("https://me:secret@host/mlflow", FOLDER).shown == "https://host/mlflow"

    def test_locate_keeps_the_credentials_of_a_server_for_mlflow_alone(self) -> None:
        at = locate("HTTPS://me:secret@Host/mlflow", FOLDER)
        assert "secret" not in f"{at} {at!r}"
        assert (at.uri, at.public) == ("HTTPS://me:secret@Host/mlflow", "https://host/mlflow")

    def test_locate_is_the_same_store_to_mlflow_whatever_the_folder_is_called(self, tmp_path: Path) -> None:
        folder = tmp_path / "a b%20c?d#é"
        folder.mkdir()
        there = locate(None, folder)
        run_id = send_run(there, files={"a.txt": b"hello"})
        assert [run.run_id for run in read_experiment(there, "tracker").runs] == [run_id]
        assert [path.name for path in sorted(folder.iterdir())] == ["mlflow.db", "mlruns"]
        assert (folder / "mlruns/tracker" / run_id / "artifacts/a.txt").read_text() == "hello"

    @pytest.mark.parametrize(
        ("uri", "path"),
        [("file:./mlruns", FOLDER / "mlruns"), ("file:///a/b%20c", Path("/a/b c")), ("FILE:/a", Path("/a"))],
    )
    def test_locate_takes_a_file_uri_for_a_file_store(self, uri: str, path: Path) -> None:
        assert locate(uri, FOLDER) == Location(path.as_uri(), None, "", path)
        assert locate(uri, FOLDER).shown == str(path)

    @pytest.mark.parametrize("uri", ["mlruns", ".", None, "./sub/../mlruns"])
    def test_locate_finds_a_file_store_that_has_runs(self, tmp_path: Path, uri: str | None) -> None:
        (tmp_path / "sub").mkdir()
        put(tmp_path / "mlruns/0/meta.yaml")
        put(tmp_path / "mlruns/0/aa/meta.yaml")
        assert locate(uri, tmp_path).files == tmp_path / "mlruns"

    @pytest.mark.parametrize("other", ["mlflow.db", ".tracker/a"])
    def test_locate_prefers_the_store_of_tracker_to_a_file_store(self, tmp_path: Path, other: str) -> None:
        for path in ("mlruns/0/meta.yaml", "mlruns/0/aa/meta.yaml", other):
            put(tmp_path / path)
        assert locate(None, tmp_path).database == tmp_path / "mlflow.db"
        assert locate("mlruns", tmp_path).files == tmp_path / "mlruns"

    @pytest.mark.parametrize(
        "path", ["mlruns/0/meta.yaml", "mlruns/models/mine/meta.yaml", f"mlruns/tracker/{'a' * 32}/artifacts/meta.yaml"]
    )
    def test_locate_takes_mlruns_without_runs_for_none(self, tmp_path: Path, path: str) -> None:
        put(tmp_path / path)
        assert locate(None, tmp_path).database == tmp_path / "mlflow.db"

    @pytest.mark.parametrize(
        "uri",
        [
            "oracle://me:secret@host/db",
            "http:s://me:secret@host",
            "me:secret@host",
            "file://me:secret@host/x",
            "sqlite://me:secret@host/x",
        ],
    )
    def test_locate_refuses_what_is_no_store_without_repeating_a_password(self, uri: str) -> None:
        with pytest.raises(StoreError) as error:
            locate(uri, FOLDER)
        assert "secret" not in str(error.value)

    @pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:mlflow.db"])
    def test_locate_refuses_a_sqlite_uri_without_a_file(self, uri: str) -> None:
        with pytest.raises(StoreError, match="sqlite:///PATH"):
            locate(uri, FOLDER)


def put(path: Path, data: bytes = b"here") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


SECRETIVE = [
    ("http://me:S@host:5000/x", "http://host:5000/x"),
    ("http://:S@host", "http://host"),
    ("http://S@host", "http://host"),
    (" https://me:S@host ", "https://host"),
    ("http://me:S@[::1]:5000", "http://[::1]:5000"),
    ("http://me:S@[", "http://["),
    ("http://me:a@S@host", "http://host"),
    ("http://me:S@host:port", "http://host:"),
    ("http:/me:S@host:1", "http:/host:1"),
    ("https:///me:S@host:1", "https:///host:1"),
    ("http:me:S@host", "host"),
    ("me:S@host", "host"),
    ("sqlite://me:S@host/x", "sqlite://host/x"),
    ("postgresql+psycopg://me:S@host/db", "postgresql+psycopg://host/db"),
    ("http://me%3AS%40host:1/x", "http://host:1/x"),
    ("http://me:S/x@host/y", "http://host/y"),
    ("http://me:S?x@host/y", "http://host/y"),
    ("http://me:S#x@host/y", "http://host/y"),
    ("http://host/?token=S", "http://host/"),
    ("http://host/x?a=1&password=S&y=1", "http://host/x"),
    ("http://host/x?t%6Fken=S", "http://host/x"),
    ("http://host/x%3Ftoken=S", "http://host/x"),
    ("http://host/x#access_token=S", "http://host/x"),
    ("host/?token=S", "host/?token=[hidden]"),
    ("sqlite:///a.db?password=S", "sqlite:///a.db"),
]


class TestPublicUri:
    @pytest.mark.parametrize(("uri", "public"), SECRETIVE)
    def test_public_uri_has_no_credentials_however_a_uri_is_spelt(self, uri: str, public: str) -> None:
        assert public_uri(uri.replace("S", "s3cret")) == public
        assert public_uri(public) == public

    @pytest.mark.parametrize(
        "uri",
        [
            "http://host/a@b", "http://127.0.0.1:5000", "localhost:5000", "mlflow-artifacts:/1/run/artifacts",
            "file:///a/b@c", "sqlite:////a/b@c:d.db", "s3://bucket/x@y", "./a:b@c/d", "a b/c#d.db", "",
        ],
    )  # fmt: skip
    def test_public_uri_leaves_other_uris_and_paths_as_they_are(self, uri: str) -> None:
        assert public_uri(uri) == uri


ENVIRONMENT = {
    "MLFLOW_TRACKING_USERNAME": "somebody",
    "MLFLOW_TRACKING_PASSWORD": "pass-w0rd",
    "MLFLOW_TRACKING_TOKEN": "t0ken",
    "MLFLOW_TRACKING_URI": "http://me:s3cret@host",
}


class TestPublicText:
    @pytest.mark.parametrize(
        "said",
        [
            "pass-w0rd", "t0ken", "s3cret", base64.b64encode(b"somebody:pass-w0rd").decode(),
            base64.b64encode(b"me:s3cret").decode(), "see http://you:0ther@host/x: no", "Authorization: Basic 0ther",
            "{'Authorization': 'Bearer 0ther'}", "Bearer eyJ0ther.abc", "Basic MDo0dGhlcg==", "token=0ther&x=1",
            '{"password": "0ther"}', "at http://host/?access%5Ftoken=0ther", "my api_key: 0ther",
        ],
    )  # fmt: skip
    def test_public_text_hides_what_looks_like_a_credential(self, said: str) -> None:
        hidden = public_text(f"it said {said}", secrets_of(ENVIRONMENT))
        assert hidden.startswith("it said ")
        for secret in ("0ther", "MDo0", *secrets_of(ENVIRONMENT)):
            assert secret not in hidden

    def test_public_text_leaves_other_texts_as_they_are(self) -> None:
        said = "the param kernel_size=7 of http://127.0.0.1:5000/x is wrong: basic needs, a token is missing"
        assert public_text(said) == said


class TestShown:
    def test_shown_leaves_out_the_way_through_other_folders(self, tmp_path: Path) -> None:
        (tmp_path / "here").mkdir()
        assert locate("../there/mlflow.db", tmp_path / "here").shown == str(tmp_path / "there/mlflow.db")


RUN = "5e" * 16


def fetch(uri: str, folder: Path, path: str, run_id: str = RUN) -> bytes | None:
    found = find_artifacts(uri, folder, run_id)
    return found.read(path) if found else None


class TestFindArtifacts:
    def test_a_file_uri_with_escapes_is_read(self, tmp_path: Path) -> None:
        root = tmp_path / "a b%#é/mlruns/1/run/artifacts"
        put(root / "predictions/validation.csv")
        assert fetch(root.as_uri(), tmp_path, "predictions/validation.csv") == b"here"

    def test_a_plain_path_is_read_as_it_stands(self, tmp_path: Path) -> None:
        root = tmp_path / "a%20b/mlruns/1/run/artifacts"
        put(root / "a.txt")
        assert fetch(str(root), tmp_path, "a.txt") == b"here"

    @pytest.mark.parametrize("uri", ["./mlruns/1/run/artifacts", "mlruns/1/run/artifacts"])
    def test_a_relative_path_is_taken_from_the_store(self, tmp_path: Path, uri: str) -> None:
        put(tmp_path / "mlruns/1/run/artifacts/a.txt")
        assert fetch(uri, tmp_path, "a.txt") == b"here"

    def test_what_was_moved_with_the_store_is_found(self, tmp_path: Path) -> None:
        put(tmp_path / "mlruns/tracker/run/artifacts/a.txt")
        uri = "file:///where/it/was/mlruns/tracker/run/artifacts"
        assert fetch(uri, tmp_path, "a.txt") == b"here"

    def test_the_place_where_it_was_written_is_preferred(self, tmp_path: Path) -> None:
        for name in ("old", "new"):
            put(tmp_path / name / "mlruns" / RUN / "artifacts/a.txt", name.encode())
        uri = (tmp_path / "old/mlruns" / RUN / "artifacts").as_uri()
        assert fetch(uri, tmp_path / "new", "a.txt") == b"old"

    def test_outside_the_store_only_a_folder_named_by_the_run_is_read(self, tmp_path: Path) -> None:
        put(tmp_path / "home/.ssh/a.txt", b"a key")
        put(tmp_path / "another" / RUN / "artifacts/a.txt", b"another's")
        (tmp_path / "project").mkdir()
        for place in ("home/.ssh", f"another/{RUN}", f"another/{RUN}/artifacts"):
            assert fetch((tmp_path / place).as_uri(), tmp_path / "project", "a.txt", "d0" * 16) is None
        assert fetch("../home/.ssh", tmp_path / "project", "a.txt") is None
        assert fetch("mlflow-artifacts:/../../home/.ssh", tmp_path / "project", "a.txt") is None

    def test_another_runs_folder_is_never_taken(self, tmp_path: Path) -> None:
        put(tmp_path / "artifacts/a.txt", b"another's")
        assert fetch("file:///where/it/was/mlruns/tracker/run/artifacts", tmp_path, "a.txt") is None

    @pytest.mark.parametrize("folder", ["mlruns", "mlartifacts"])
    def test_what_mlflows_server_was_sent_is_found(self, tmp_path: Path, folder: str) -> None:
        put(tmp_path / folder / "1/run/artifacts/a.txt")
        assert fetch("mlflow-artifacts:/1/run/artifacts", tmp_path, "a.txt") == b"here"

    def test_nothing_is_found_where_nothing_is(self, tmp_path: Path) -> None:
        (tmp_path / "artifacts").mkdir()
        assert fetch((tmp_path / "artifacts").as_uri(), tmp_path, "a.txt") is None
        assert find_artifacts("file:///where/it/was/mlruns/tracker/run/artifacts", tmp_path, RUN) is None

    @pytest.mark.parametrize("uri", ["s3://bucket/1/run/artifacts", "http://[", "file://server/share"])
    def test_other_places_are_named_and_not_read(self, tmp_path: Path, uri: str) -> None:
        with pytest.raises(OSError, match=re.escape(uri)):
            fetch(uri, tmp_path, "a.txt")

    @pytest.mark.parametrize("uri", ["", "file:///a%00b", f"file:///{'x' * 100_000}", "file:///%00%ff%2e%2e"])
    def test_what_is_no_path_is_nowhere(self, tmp_path: Path, uri: str) -> None:
        with suppress(OSError):
            assert fetch(uri, tmp_path, "a.txt") is None

    def test_a_folder_in_the_place_of_a_file_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "artifacts/a.txt").mkdir(parents=True)
        with pytest.raises(OSError, match="directory"):
            fetch((tmp_path / "artifacts").as_uri(), tmp_path, "a.txt")

    def test_artifacts_are_read_where_mlruns_is_a_link(self, tmp_path: Path) -> None:
        put(tmp_path / f"large disk/tracker/{RUN}/artifacts/a.txt")
        (tmp_path / "project").mkdir()
        (tmp_path / "project/mlruns").symlink_to(tmp_path / "large disk")
        uri = (tmp_path / f"project/mlruns/tracker/{RUN}/artifacts").as_uri()
        assert fetch(uri, tmp_path / "project", "a.txt") == b"here"

    @pytest.mark.parametrize("link", ["mlruns/tracker", f"mlruns/tracker/{RUN}", f"mlruns/tracker/{RUN}/artifacts"])
    def test_no_link_below_mlruns_is_followed(self, tmp_path: Path, link: str) -> None:
        put(tmp_path / f"there/mlruns/tracker/{RUN}/artifacts/a.txt")
        place = tmp_path / "here" / link
        place.parent.mkdir(parents=True)
        place.symlink_to(tmp_path / "there" / link)
        assert fetch(f"mlruns/tracker/{RUN}/artifacts", tmp_path / "here", "a.txt") is None

    def test_a_link_or_pipe_in_the_place_of_an_artifact_is_named(self, tmp_path: Path) -> None:
        put(tmp_path / "secret.txt", b"secret")
        artifacts = tmp_path / "project/mlruns/1/run/artifacts"
        artifacts.mkdir(parents=True)
        (artifacts / "a.txt").symlink_to(tmp_path / "secret.txt")
        os.mkfifo(artifacts / "b.txt")
        for name, kind in (("a.txt", "a symbolic link"), ("b.txt", "a named pipe")):
            with pytest.raises(OSError, match=f"{name} is {kind}"):
                fetch("mlruns/1/run/artifacts", tmp_path / "project", name)

    def test_an_artifact_beyond_the_limit_is_not_read(self, tmp_path: Path) -> None:
        put(tmp_path / "mlruns/1/run/artifacts/a.txt")
        os.truncate(tmp_path / "mlruns/1/run/artifacts/a.txt", 2**28 + 1)
        with pytest.raises(OSError, match="at most 268,435,456 are read"):
            fetch("mlruns/1/run/artifacts", tmp_path, "a.txt")


class TestSqliteUri:
    def test_signs_of_a_query_and_of_escapes_are_quoted(self, tmp_path: Path) -> None:
        path = tmp_path / "100%? sure/mlflow.db"
        assert locate(sqlite_uri(path), tmp_path).database == path


class TestFoldersBelow:
    def test_folders_below_have_ever_fewer_of_the_last_parts_and_at_least_two(self, tmp_path: Path) -> None:
        for there in ("old/mlruns/tracker", "mlruns/tracker", "tracker"):
            (tmp_path / there).mkdir(parents=True)
        found = folders_below(tmp_path, Path("/old/mlruns/tracker"))
        assert list(found) == [tmp_path / "old/mlruns/tracker", tmp_path / "mlruns/tracker"]

    def test_folders_below_are_none_that_is_missing_or_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "mlruns").mkdir()
        (tmp_path / "mlruns/tracker").touch()
        assert list(folders_below(tmp_path, Path("/old/mlruns/tracker"))) == []


class TestWrittenTo:
    @pytest.mark.parametrize("uri", ["/a b/c", "file:///a%20b/c", "file:/a%20b/c"])
    def test_written_to_is_a_path_on_this_machine(self, uri: str) -> None:
        assert written_to(uri) == Path("/a b/c")

    @pytest.mark.parametrize("path", [b"/caf\xe9/a", "/café/%3F#/a".encode()])
    def test_written_to_is_the_path_that_a_uri_was_made_of_also_if_that_is_no_utf_8(self, path: bytes) -> None:
        folder = Path(os.fsdecode(path))
        assert written_to(folder.as_uri()) == folder

    @pytest.mark.parametrize("uri", ["./mlruns/1", "mlruns/1", "s3://bucket/1", "mlflow-artifacts:/1", "models:/m-1"])
    def test_written_to_is_none_of_other_places(self, uri: str) -> None:
        assert written_to(uri) is None
