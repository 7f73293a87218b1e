from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.builders import STARTED, epochs, whole_journal
from tracker.runs.events import Ended, Resumed, UploadState
from tracker.store import GoneError, UnreachableError
from tracker.store.client import client_of, open_store
from tracker.store.experiment import run_of
from tracker.store.location import locate
from tracker.store.mlflow_run import JOURNAL_TAG
from tracker.store.sqlite_reader import read_experiment
from tracker.store.ui import serving
from tracker.store.upload import JournalUpload

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Served


def keep(_delivery: UploadState) -> None:
    """Nobody goes on with these journals."""


class TestSenderToAServer:
    def test_sent_twice_leaves_what_the_journal_says(
        self, served: Served, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        client_of(served.http).create_experiment("sent", artifact_location="mlflow-artifacts:/sent")
        entries = [replace(STARTED, experiment="sent"), *whole_journal(tmp_path)[1:]]
        first = JournalUpload(served.http, "sent", None, keep).send(entries, tmp_path)
        resumed = [*entries, Resumed(1, 3), *epochs(0.1, first=4), Ended(2, "FAILED", "disk full")]
        for known in (None, first, UploadState(first.run_id, first.artifacts, 0)):
            assert JournalUpload(served.http, "sent", known, keep).send(resumed, tmp_path).run_id == first.run_id
        expected = run_of(resumed, tmp_path, first.run_id, "FAILED")
        for location in served:
            (run,) = read_experiment(location, "sent").runs
            assert run.tags == {**expected.tags, JOURNAL_TAG: "sent"}
            assert (run.params, str(run.metrics)) == (expected.params, str(dict(expected.metrics)))
            assert (run.status, run.started, run.ended) == ("FAILED", expected.started, 2)
            assert run.curves["loss"].steps.tolist() == [1, 2, 3, 4]
            assert run.validation is not None
        paths = [found.path for found in client_of(served.http).list_artifacts(first.run_id, "model")]
        assert paths == ["model/MLmodel", "model/data"]
        assert capfd.readouterr().out == ""

    def test_says_that_a_run_is_not_there(self, served: Served, tmp_path: Path) -> None:
        known = UploadState("ab" * 16, "mlflow-artifacts:/elsewhere", 1)
        with pytest.raises(GoneError, match=r"run (ab)+ is not in http.*, though it was sent there: `tracker repair`"):
            JournalUpload(served.http, "gone", known, keep).send([STARTED, *epochs(1.0)], tmp_path)

    def test_goes_on_once_a_server_that_ended_is_back(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        direct = locate(None, tmp_path)
        open_store(direct)
        entries = whole_journal(tmp_path / "journal")
        with serving(direct, port=0) as server:
            sender = JournalUpload(locate(server.address, tmp_path), "cut-off", None, keep)
            half = sender.send(entries[:4], tmp_path / "journal")
        for _ in range(2):
            with pytest.raises(UnreachableError, match=r"127\.0\.0\.1"):
                sender.send(entries, tmp_path / "journal")
        with serving(direct, port=server.port) as again:
            assert again.port == server.port
            assert sender.send(entries, tmp_path / "journal").run_id == half.run_id
        (run,) = read_experiment(direct, "tracker").runs
        assert run.status == "FINISHED"
        assert run.curves["val_loss"].values.tolist()[:2] == [1.0, 0.5]
        assert run.validation is not None
