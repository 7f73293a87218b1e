"""A run that is interrupted ends as KILLED with what it has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tracker.store.location import locate
from tracker.store.read import read_experiment

TRACKER = Path(sys.executable).with_name("tracker")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_killed_and_keeps_its_epochs(sent: signal.Signals, genres: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    command = [TRACKER, "run", "--data", str(genres), "--segment", "0.5", "--epochs", "100000"]
    environment = os.environ | {"TRACKER_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(command, cwd=work, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("epoch 3/"):
            assert process.poll() is None
        process.send_signal(sent)
        said = process.stderr.read().splitlines()
    assert process.returncode == 1
    assert said[-1] == "tracker: interrupted"
    (run,) = read_experiment(locate(None, work), "tracker").runs
    assert run.status == "KILLED"
    assert run.tags["tracker.reason"] == "interrupted"
    stopped = int(run.metrics["stop_epoch"])
    assert stopped >= 3
    assert run.curves["val_loss"].steps.tolist() == list(range(1, stopped + 1))
    assert run.validation is not None
