"""Small sets of real audio files, runs logged without training, and the command line run in an empty folder."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import START, WRITEUP, make_predictions, send_run
from tests.running import LogRun, Result, Tracker
from tracker.cli import main
from tracker.runs.events import Ended, EpochDone, Measured, Started
from tracker.store import VALIDATION, predictions_csv
from tracker.store.location import locate

if TYPE_CHECKING:
    from tracker.runs.events import Status


@pytest.fixture
def tracker(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Tracker:
    """The command line in an empty working folder, with a cache of its own."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("TRACKER_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    monkeypatch.delenv("TRACKER_DATA", raising=False)

    def call(*words: object) -> Result:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        said = capfd.readouterr()
        return Result(int(ended.value.code or 0), said.out, said.err)

    return call


def logger_in(folder: Path) -> LogRun:
    """Return what logs runs as `tracker run` does, but without training, into the store of a folder."""
    numbers = itertools.count(1)

    def log(
        correct: str | None = None,
        *,
        name: str = "a run",
        status: Status = "FINISHED",
        uri: str | None = None,
        experiment: str = "tracker",
        data: str = "demo",
        labels: tuple[str, str] = ("high", "low"),
        clip: str = "{:03d}.wav",
        **params: str,
    ) -> str:
        usual = {"seed": "0", "split_seed": "0", "validation_fraction": "0.2", "test_fraction": "0", "epochs": "60"}
        tags = {"tracker.dataset": "d", "tracker.split": "s", "tracker.data": data, "tracker.version": "1"}
        asked = usual | {"model": "cnn", "kernel_size": "3", "learning_rate": "0.001"} | params
        number = next(numbers)
        time = START + 10_000 * number
        begun = Started(time, "", experiment, name, "val_accuracy", asked, tags)
        losses = {epoch: 0.5 + number / 100 + abs(epoch - 2) for epoch in (1, 2, 3)}
        trained = (EpochDone(time + e, e, {"val_loss": loss, "epoch_seconds": 1.5}) for e, loss in losses.items())
        files = {}
        if correct is not None:
            predictions = make_predictions(correct, clip, classes=labels, probability=0.75)
            files[VALIDATION] = predictions_csv(predictions).encode("utf-8", "surrogateescape")
        return send_run(locate(uri, folder), *trained, Ended(time + 9_000, status), started=begun, files=files)

    return log


@pytest.fixture
def log_run(tracker: Tracker) -> LogRun:
    """Log a run without training it: ``log_run("1101", kernel_size="3")``; returns its id."""
    return logger_in(Path.cwd())


@pytest.fixture(scope="session")
def writeup_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the writeup's four runs: final metrics only, so that it may be copied anywhere."""
    folder = tmp_path_factory.mktemp("writeup")
    tags = {"tracker.validation_clips": "30", "tracker.dataset": "d", "tracker.split": "s"}
    for number, written in enumerate(WRITEUP):
        name, params = f"run {written.params['kernel_size']}", written.params | {"seed": "0"}
        begun = Started(START + number, "", "tracker", name, "val_accuracy", params, tags)
        values = {"best_val_loss": written.val_loss, "best_val_accuracy": written.val_accuracy}
        measured = Measured(START, values | {"best_epoch": 30, "stop_epoch": 45})
        send_run(locate(None, folder), measured, Ended(START + 9, "FINISHED"), started=begun)
    return folder / "mlflow.db"


@pytest.fixture
def writeup(tracker: Tracker, writeup_store: Path) -> Tracker:
    """The command line in a folder whose store holds the writeup's four runs."""
    shutil.copy(writeup_store, "mlflow.db")
    return tracker
