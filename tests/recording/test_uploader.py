"""A journal is uploaded as it grows; a store that is away, ill or silent costs one warning and no value of the run."""

from __future__ import annotations

import base64
import shlex
import socket
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.builders import START, STARTED, epochs, random_predictions
from tests.running import Collected
from tracker.errors import StoreError
from tracker.journal.process_lock import sending
from tracker.journal.reader import ARTIFACTS, UPLOAD_STATE, read
from tracker.journal.writer import JournalWriter
from tracker.recording.reporter import SilentReporter
from tracker.recording.stores import load_runs, run_names
from tracker.recording.uploader import (
    Follower,
    JournalProblem,
    OtherStore,
    Uploader,
    UploadResult,
    repair_store,
    sync_runs,
)
from tracker.runs.events import Ended
from tracker.store import VALIDATION, predictions_csv, store_at
from tracker.store.location import locate
from tracker.store.mlflow_store import HOST
from tracker.store.reader import read_experiment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

    from tracker.store import Store


def begin(uri: str) -> JournalWriter:
    """Begin the journal of a run in the working folder."""
    return JournalWriter.create(Path(".tracker").absolute() / uuid4().hex, replace(STARTED, uri=uri))


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server that is well, as it says, and answers everything else alike."""

    class Ill(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            well = self.path == "/health"
            self.send_response(200 if well else status)
            self.end_headers()
            self.wfile.write(b"OK" if well else body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Ill) as ill:
        Thread(target=ill.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{ill.server_port}"
        ill.shutdown()


@contextmanager
def overheard() -> Iterator[tuple[str, list[Message]]]:
    """A server that refuses everything, and the headers of each request to it."""
    requests: list[Message] = []

    class Deaf(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.headers)
            self.send_response(200 if self.path == "/health" else 403)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Deaf) as deaf:
        Thread(target=deaf.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{deaf.server_port}", requests
        deaf.shutdown()


@pytest.mark.usefixtures("work")
class TestUploader:
    def test_uploader_that_was_never_started_has_nothing_to_wait_for(self, tmp_path: Path) -> None:
        Uploader(store_at(None, tmp_path), tmp_path, SilentReporter()).finish()

    @pytest.mark.parametrize(
        ("status", "body", "said"),
        [
            (500, b"", "{path} was answered with status 500"),
            (403, b"Forbidden", "the server refused access (403): Forbidden; check MLFLOW_TRACKING_USERNAME and "),
            (200, b"<html>\n<h1>hello", "{path} was answered with an HTML page: check that {uri} is a tracking server"),
        ],
    )
    def test_uploader_warns_once_of_a_server_that_is_ill(
        self, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, said: str
    ) -> None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        path = "/api/2.0/mlflow/experiments/get-by-name"
        with answering(status, body) as uri:
            said = f"cannot open the experiment 'tracker' in {uri}: {said.format(uri=uri, path=path)}"
            writer = begin(uri)
            store, reporter = store_at(uri, Path.cwd()), Collected()
            uploader = Uploader(store, writer.folder, reporter)
            uploader.start()
            for epoch in epochs(1.0, 0.5):
                writer.append(epoch)
                uploader.wake()
            writer.close()
            uploader.finish()
            (warning,) = reporter.warnings
            assert warning.startswith(said)
            remedy = f" until `tracker sync --tracking-uri {uri}` uploads it" if status != 403 else ""
            assert warning.endswith(f"; the run is kept in {writer.folder}{remedy}")
            assert len(read(writer.folder).epochs) == 2
            (result,) = sync_runs(store)
        assert isinstance(result, UploadResult)
        assert (result.name, result.run_id) == ("a run", None)
        assert (result.error or "").startswith(said)

    def test_uploader_leaves_a_server_that_never_answers(self) -> None:
        with closing(socket.create_server((HOST, 0))) as silent:
            uri = f"http://{HOST}:{silent.getsockname()[1]}"
            with begin(uri) as writer:
                reporter = Collected()
                uploader = Uploader(store_at(uri, Path.cwd()), writer.folder, reporter, drain_timeout_s=0.2)
                uploader.start()
                uploader.wake()
                uploader.finish()
        assert reporter.messages == [f"the rest of the run is being uploaded to {uri}"]
        (warning,) = reporter.warnings
        assert warning.startswith(f"the store {uri} has accepted nothing for 0.2 s; the run is kept in ")

    def test_uploader_takes_over_from_another_process_that_uploads(self) -> None:
        location = locate(None, Path.cwd())
        with begin(location.uri) as writer:
            uploader = Uploader(store_at(None, Path.cwd()), writer.folder, SilentReporter())
            first, *others = epochs(1.0, 0.5, 0.25)
            with sending(writer.folder):
                uploader.start()
                writer.append(first)
                uploader.wake()
                assert read(writer.folder).unsent
            for epoch in others:
                writer.append(epoch)
                uploader.wake()
            writer.append(Ended(START + 9_000, "FINISHED"))
            uploader.finish()
        (run,) = read_experiment(location, "tracker").runs
        assert run.status == "FINISHED"
        assert run.curves["val_loss"].values.tolist() == [1.0, 0.5, 0.25]
        assert not read(writer.folder).unsent


@pytest.mark.usefixtures("work")
class TestFollower:
    def test_follower_uploads_what_another_process_writes_and_knows_the_id_at_the_end(self) -> None:
        location, folder = locate(None, Path.cwd()), Path(".tracker").absolute() / uuid4().hex
        follower = Follower(store_at(None, Path.cwd()), folder, SilentReporter())
        follower.start()
        with JournalWriter.create(folder, replace(STARTED, uri=location.uri)) as writer:
            writer.attach_bytes("notes.txt", b"of the run")
            for epoch in epochs(1.0, 0.5):
                writer.append(epoch)
            writer.append(Ended(START + 9_000, "FINISHED"))
        follower.finish()
        (run,) = read_experiment(location, "tracker").runs
        assert (run.status, run.curves["val_loss"].values.tolist()) == ("FINISHED", [1.0, 0.5])
        assert follower.end() == run.run_id
        assert not (folder / ARTIFACTS).exists()  # as the store has them

    def test_follower_of_a_journal_that_was_never_begun_ends(self) -> None:
        follower = Follower(store_at(None, Path.cwd()), Path(".tracker").absolute() / uuid4().hex, SilentReporter())
        follower.start()
        assert follower.end() is None
        follower.finish()
        assert not follower.is_alive


@pytest.mark.usefixtures("work")
class TestSyncRuns:
    def test_sync_uploads_every_waiting_run_and_names_what_cannot_be_read(self) -> None:
        store = store_at(None, Path.cwd())
        for loss in (1.0, 0.5):
            with begin(store.uri) as writer:
                writer.append(epochs(loss)[0])
        broken = Path(".tracker", "0" * 32)
        broken.mkdir()
        (broken / "journal.jsonl").write_bytes(b"torn")
        problem, *results = sync_runs(store)
        assert isinstance(problem, JournalProblem)
        assert "is not whole" in problem.message
        ids = {result.run_id for result in results if isinstance(result, UploadResult)}
        assert ids == {run.run_id for run in store.read("tracker").runs}
        assert not [result for result in sync_runs(store) if isinstance(result, UploadResult)]

    @pytest.mark.parametrize("uri", ["foo://h", "sqlite:///:memory:", "azureml://h"])
    def test_a_journal_for_a_store_of_a_foreign_kind_is_named_once_and_costs_no_other_run(self, uri: str) -> None:
        store = store_at(None, Path.cwd())
        for each in (uri, store.uri):
            with begin(each) as writer:
                writer.append(epochs(1.0)[0])
        found = load_runs(store, "tracker")
        assert [run.run_id for run in found] == [run.run_id for run in run_names(store)] == [writer.folder.name]
        (problem,) = found.problems
        assert "is left out: " in problem
        failed, *sent = sorted(sync_runs(store), key=lambda result: getattr(result, "run_id", "") or "")
        assert isinstance(failed, JournalProblem)
        assert len(sent) == 1

    def test_sync_sends_nothing_to_a_server_that_only_a_journal_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken-of-somebody")
        store = store_at(None, Path.cwd())
        with overheard() as (uri, requests):
            begin(f"{uri.replace('//', '//me:pass-w0rd@')}/?token=s3cret").close()
            begin(store.uri).close()
            other, sent = sync_runs(store)
        assert requests == []
        assert isinstance(other, OtherStore)
        assert (other.shown, other.command) == (f"{uri}/", f"tracker sync --tracking-uri {uri}/")
        assert isinstance(sent, UploadResult)
        assert [run.run_id for run in store.read("tracker").runs] == [sent.run_id]

    def test_sync_leaves_the_runs_of_another_database_in_the_folder_to_the_command_for_it(self) -> None:
        begin(store_at("it's.db", Path.cwd()).uri).close()
        begin("sqlite:////etc/elsewhere.db").close()
        listed = [one for one in sync_runs(store_at(None, Path.cwd())) if isinstance(one, OtherStore)]
        named = {shlex.split(one.command)[-1] for one in listed}
        assert named == {f"sqlite:///{Path.cwd()}/{name}" for name in ("it's.db", "elsewhere.db")}
        assert not [path.name for path in Path.cwd().iterdir() if path.suffix == ".db"]
        for one in listed:
            (result,) = [
                done
                for done in sync_runs(store_at(shlex.split(one.command)[-1], Path.cwd()))
                if isinstance(done, UploadResult)
            ]
            assert result.run_id is not None

    def test_sync_of_a_store_elsewhere_lists_the_runs_of_this_folder(self, tmp_path: Path) -> None:
        begin(store_at(None, Path.cwd()).uri).close()
        (other,) = sync_runs(store_at(str(tmp_path / "elsewhere" / "mlflow.db"), Path.cwd()))
        assert isinstance(other, OtherStore)
        assert other.command == "tracker sync"

    def test_sync_finds_the_runs_of_a_server_that_is_given_with_another_login(self) -> None:
        with overheard() as (uri, requests):
            begin(uri).close()
            (result,) = sync_runs(store_at(uri.replace("//", "//me:pass-w0rd@"), Path.cwd()))
        assert isinstance(result, UploadResult)
        login = base64.b64encode(b"me:pass-w0rd").decode()
        assert {request.get("Authorization") for request in requests} == {f"Basic {login}"}

    def test_sync_refuses_a_store_that_is_gone(self) -> None:
        store = store_at(None, Path.cwd())
        with begin(store.uri) as writer:
            writer.append(Ended(START, "FINISHED"))
        assert len([*sync_runs(store)]) == 1
        Path("mlflow.db").unlink()
        with pytest.raises(StoreError, match="is gone, and runs were uploaded to it"):
            next(sync_runs(store))


@pytest.mark.usefixtures("work")
class TestLostUploadState:
    """What a journal's folder knows of the upload of a finished run is lost, and its files are in the store alone."""

    @pytest.fixture
    def sent(self) -> tuple[Store, Path, str]:
        """A store, the folder of a journal that it has all of, and what it calls the run."""
        store = store_at(None, Path.cwd())
        with begin(store.uri) as writer:
            writer.append(epochs(1.0)[0])
            writer.attach_bytes(VALIDATION, predictions_csv(random_predictions()).encode())
            writer.attach_bytes("notes/a/b.txt", b"b")
            writer.append(Ended(START + 9_000, "FINISHED"))
        (result,) = sync_runs(store)
        assert isinstance(result, UploadResult)
        assert result.run_id
        assert not (writer.folder / ARTIFACTS).exists()
        (writer.folder / UPLOAD_STATE).unlink()
        return store, writer.folder, result.run_id

    def test_load_runs_has_the_predictions_of_the_store(self, sent: tuple[Store, Path, str]) -> None:
        store, folder, _ = sent
        (run,) = load_runs(store, "tracker")
        assert run.run_id == folder.name
        assert run.validation is not None
        assert run.validation.clips == random_predictions().clips

    def test_sync_finds_the_run_in_the_store_and_goes_on(self, sent: tuple[Store, Path, str]) -> None:
        store, folder, run_id = sent
        (result,) = sync_runs(store)
        assert isinstance(result, UploadResult)
        assert (result.run_id, result.error) == (run_id, None)
        assert not read(folder).unsent
        (run,) = store.read("tracker").runs
        assert (run.run_id, run.status) == (run_id, "FINISHED")
        assert run.curves["val_loss"].values.tolist() == [1.0]
        assert run.validation is not None

    def test_sync_still_names_a_file_that_is_nowhere(self, sent: tuple[Store, Path, str]) -> None:
        store, _, run_id = sent
        (file,) = Path("mlruns").rglob(f"{run_id}/artifacts/notes/a/b.txt")
        file.unlink()
        (result,) = sync_runs(store)
        assert isinstance(result, UploadResult)
        assert result.error
        assert result.error.startswith("notes/a/b.txt is listed in the journal but missing from ")

    def test_repair_finds_the_run_and_warns_of_nothing(self, sent: tuple[Store, Path, str]) -> None:
        store, folder, run_id = sent
        reporter = Collected()
        (result,) = repair_store(store, reporter)
        assert isinstance(result, UploadResult)
        assert result.run_id == run_id
        assert reporter.warnings == []
        assert not read(folder).unsent
        assert [run.run_id for run in store.read("tracker").runs] == [run_id]
