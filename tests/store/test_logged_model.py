from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from tests.builders import START, STARTED, send_run, whole_journal
from tracker.runs.events import Attached, Ended, Measured, Resumed
from tracker.store.registry import register_model
from tracker.store.server import server_client
from tracker.store.upload import JournalUpload, add_to_run

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow.entities import LoggedModel

    from tests.running import Served
    from tracker.runs.events import Event
    from tracker.store.location import Location

FITTED = {"fit_accuracy": 0.75, "fit_loss": float("nan"), "stop_epoch": 3.0}
NAME = "k7-lr0.001"


def journal(folder: Path, *, experiment: str = STARTED.experiment) -> list[Event]:
    first, *others, end = whole_journal(folder / "artifacts")
    assert first is STARTED
    fitted = Measured(START + 4_500, FITTED)
    return [replace(STARTED, experiment=experiment, name=NAME), *others, fitted, end]


def send(location: Location, events: list[Event], folder: Path, name: str = "j") -> str:
    """Send a journal from its start, as a process does that knows nothing of what was sent before."""
    return JournalUpload(location, name, None, lambda _: None).send(events, folder / "artifacts").run_id


def models_of(location: Location, run_id: str) -> list[LoggedModel]:
    client = MlflowClient(location.uri)
    experiment = client.get_run(run_id).info.experiment_id
    found = client.search_logged_models([experiment])
    return [model for model in found if model.source_run_id == run_id]


def measured(model: LoggedModel) -> set[tuple[object, ...]]:
    return {(value.key, value.value, value.step, value.dataset_digest) for value in model.metrics or ()}


class TestKeepListed:
    @pytest.mark.parametrize("way", ["direct", "http"])
    def test_the_model_of_a_finished_run_is_listed_once_however_often_it_is_sent(
        self, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        location: Location = getattr(served, way)
        experiment, name = f"listed {way}", uuid4().hex
        if way == "http":
            server_client(location).create_experiment(experiment, "mlflow-artifacts:/listed")
        events = journal(tmp_path, experiment=experiment)
        run_id = send(location, events, tmp_path, name)
        (model,) = models_of(served.direct, run_id)
        assert (model.name, str(model.status), model.params) == ("k7-lr0_001", "READY", STARTED.params)
        digest = f"{'f' * 12}-"
        assert measured(model) == {
            ("val_loss", 0.5, 2, f"{digest}validation"),
            ("fit_accuracy", 0.75, 0, f"{digest}training"),
        }
        run = MlflowClient(served.direct.uri).get_run(run_id)
        assert [(one.model_id, one.step) for one in run.outputs.model_outputs] == [(model.model_id, 2)]
        monkeypatch.setenv("MLFLOW_TRACKING_URI", location.uri)
        for uri in (f"models:/{model.model_id}", f"runs:/{run_id}/model"):
            folder = tmp_path / uri.partition(":")[0]
            folder.mkdir()
            download_artifacts(uri, dst_path=str(folder))
            (file,) = folder.rglob("model.keras")
            assert file.read_bytes() == b"\x00\xff"
        assert model.model_id in next((tmp_path / "models").rglob("MLmodel")).read_text()
        assert send(location, events, tmp_path, name) == run_id
        (again,) = models_of(served.direct, run_id)
        assert (again.model_id, measured(again)) == (model.model_id, measured(model))

    def test_one_that_a_killed_process_left_is_replaced(self, location: Location, tmp_path: Path) -> None:
        events = journal(tmp_path)
        run_id = send(location, events[:-1], tmp_path)
        assert not models_of(location, run_id)
        client = MlflowClient(location.uri)
        left = client.create_logged_model(client.get_run(run_id).info.experiment_id, "left", source_run_id=run_id)
        assert send(location, events, tmp_path) == run_id
        assert [model.name == "left" for model in models_of(location, run_id)] == [False]
        assert left.model_id not in {one.model_id for one in client.get_run(run_id).outputs.model_outputs}

    def test_files_take_room_once(self, location: Location, tmp_path: Path) -> None:
        send(location, journal(tmp_path), tmp_path)
        files = [*(tmp_path / "mlruns").rglob("model.keras")]
        assert len(files) == 2
        assert files[0].samefile(files[1])

    def test_a_run_that_was_stopped_is_not_listed_until_it_has_finished(
        self, location: Location, tmp_path: Path
    ) -> None:
        *before, end = journal(tmp_path)
        stopped = [*before, Ended(START + 5_000, "KILLED", "interrupted")]
        run_id = send(location, stopped, tmp_path)
        assert not models_of(location, run_id)
        send(location, [*stopped, Resumed(START + 6_000, 3), end], tmp_path)
        assert len(models_of(location, run_id)) == 1

    def test_a_folder_that_is_no_model_is_an_artifact_as_any(self, location: Location) -> None:
        run_id = send_run(location, Attached("model"), Ended(9, "FINISHED"), files={"model/weights.txt": b"1"})
        assert not models_of(location, run_id)
        assert str(MlflowClient(location.uri).get_run(run_id).info.status) == "FINISHED"


class TestMeasureListed:
    def test_what_is_measured_after_the_end_is_of_the_model_as_well(self, location: Location, tmp_path: Path) -> None:
        events = journal(tmp_path)
        run_id = send(location, [*events, Measured(START + 9_000, {"test_accuracy": 0.5})], tmp_path)
        add_to_run(location, run_id, [Measured(START + 9_500, {"test_loss": 0.7})], tmp_path)
        (model,) = models_of(location, run_id)
        assert {("test_accuracy", 0.5, 0, None), ("test_loss", 0.7, 0, None)} <= measured(model)


class TestRegistry:
    @pytest.mark.parametrize("way", ["direct", "http"])
    def test_a_version_is_of_the_logged_model(
        self, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        location: Location = getattr(served, way)
        run_id = send(served.direct, journal(tmp_path, experiment="versions"), tmp_path, uuid4().hex)
        register_model(location, run_id, "model", f"songs {way}", "best", "It is best.", {})
        (model,) = models_of(served.direct, run_id)
        version = MlflowClient(served.direct.uri).get_model_version_by_alias(f"songs {way}", "best")
        assert version.run_id == run_id
        (shown,) = json.loads(model.tags["mlflow.modelVersions"])
        assert (shown["name"], str(shown["version"])) == (f"songs {way}", str(version.version))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", location.uri)
        folder = download_artifacts(f"models:/songs {way}@best", dst_path=str(tmp_path / "best"))
        assert model.model_id in (tmp_path / folder / "MLmodel").read_text()
