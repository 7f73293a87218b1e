"""Runs that are killed, that lack their store, that go on: the command line in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tracker.journal.reader import journals
from tracker.store.location import locate
from tracker.store.read import read_experiment

if TYPE_CHECKING:
    from tracker.runs import Run

TRACKER = Path(sys.executable).with_name("tracker")
SHORT = ("--segment", "0.5", "--epochs", "6", "--kernel", "3", "--plateau", "0.5,1", "--early-stop", "4", "--seed", "3")
NAME = "k3-lr0.001-plateau0.5x1-stop4-s3"
NOBODY = "http://127.0.0.1:9"
"""An address at which nothing answers: the port of a protocol that discards."""

pytestmark = pytest.mark.xdist_group("survival")


@dataclass(frozen=True)
class Folder:
    """A working folder with a command line in it."""

    path: Path
    cache: Path

    def popen(self, *words: object) -> subprocess.Popen[str]:
        """Start a command."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "TRACKER"))}
        return subprocess.Popen(
            [TRACKER, *map(str, words)],
            cwd=self.path,
            env=variables | {"TRACKER_CACHE": str(self.cache)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *words: object) -> tuple[int, str, str]:
        """Run a command to its end."""
        with self.popen(*words) as process:
            out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def killed_in_epoch(self, epoch: int, *words: object) -> None:
        """Run a command and kill it once it has told of an epoch."""
        with self.popen("run", *words) as process:
            assert process.stderr is not None
            while not process.stderr.readline().startswith(f"epoch {epoch}/"):
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)

    @property
    def runs(self) -> tuple[Run, ...]:
        """What the store holds."""
        return read_experiment(locate(None, self.path), "tracker").runs


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    work = tmp_path / "work"
    work.mkdir()
    return Folder(work, tmp_path / "cache")


def same(one: Run, other: Run) -> bool:
    """Tell whether two runs came to the same, epoch by epoch and clip by clip."""
    values = {name for name in one.metrics if name != "epoch_seconds"}
    curves = [np.array_equal(one.curves[name].values, other.curves[name].values) for name in values & one.curves.keys()]
    assert one.validation is not None
    assert other.validation is not None
    said = np.array_equal(one.validation.probabilities, other.validation.probabilities)
    return all(curves) and said and all(one.metrics[name] == other.metrics[name] for name in values)


def test_a_killed_run_is_told_of_and_resumed_to_the_same_end(folder: Folder, genres: Path, tmp_path: Path) -> None:
    folder.killed_in_epoch(3, "--data", genres, *SHORT)
    _, out, _ = folder.call("runs", "--format", "json")
    assert [run["status"] for run in json.loads(out)] == ["INTERRUPTED"]
    _, out, _ = folder.call("report", "--format", "json")
    assert "was interrupted: tracker resume " in json.loads(out)["excluded"][0]["reason"]

    kept = (genres / "low" / "0.wav").read_bytes()
    (genres / "low" / "0.wav").unlink()
    status, out, err = folder.call("resume", NAME)
    assert (status, out) == (1, "")
    assert "cannot go on as it began, as this differs: the data; the split; put it back" in err

    (genres / "low" / "0.wav").write_bytes(kept)
    (versions,) = (folder.path / ".tracker").glob("*/artifacts/environment.txt")
    written = versions.read_text()
    versions.write_text(written.replace("keras ", "keras 2."))
    status, out, err = folder.call("resume", NAME)
    assert (status, out) == (1, "")
    assert "as this differs: keras 2." in err
    versions.write_text(written)
    with folder.popen("run", "--data", genres, *SHORT) as again:
        assert again.stderr is not None
        said = iter(again.stderr.readline, "")
        assert any(f"run {NAME} was interrupted: `tracker resume " in line for line in said)
        again.kill()
    cut = journals(folder.path / ".tracker")[0]

    status, out, err = folder.call("resume", cut.id)
    assert status == 0, err
    assert "goes on after epoch 3" in err or "goes on after epoch 4" in err
    resumed = next(run for run in folder.runs if run.run_id == out.strip())
    assert resumed.status == "FINISHED"
    assert not (cut.folder / "checkpoints").exists()

    other = Folder(tmp_path / "other", folder.cache)
    other.path.mkdir()
    assert other.call("run", "--data", genres, *SHORT)[0] == 0
    assert same(resumed, other.runs[0])

    status, _, err = folder.call("resume", resumed.run_id)
    assert (status, err) == (1, f"tracker: run {NAME} is finished: there is nothing to go on with\n")


def test_offline_runs_are_reported_on_and_sent_later_once(folder: Folder, genres: Path) -> None:
    status, out, err = folder.call("run", "--data", genres, *SHORT, "--offline")
    (journal,) = journals(folder.path / ".tracker")
    assert (status, out.strip()) == (0, journal.id)
    assert "`tracker sync` sends it" in err
    assert not (folder.path / "mlflow.db").exists()
    _, out, _ = folder.call("report", "--format", "json")
    (before,) = json.loads(out)["runs"]
    assert before["validation"]["n"] == 4

    status, out, _ = folder.call("sync")
    (run,) = folder.runs
    assert (status, out.strip()) == (0, run.run_id)
    assert run.started == journal.started.time
    assert run.validation is not None
    assert (before["metrics"], before["params"]) == (json.loads(json.dumps(dict(run.metrics))), dict(run.params))
    assert folder.call("sync") == (0, "", "every run is in its store\n")
    assert folder.runs[0].ended == run.ended


def test_a_store_that_is_away_costs_one_warning_and_no_metric(folder: Folder, genres: Path) -> None:
    status, out, err = folder.call("run", "--data", genres, *SHORT, "--tracking-uri", NOBODY)
    (journal,) = journals(folder.path / ".tracker")
    assert (status, out.strip()) == (0, journal.id)
    assert err.count("no tracking server answers") == 1
    assert len(journal.epochs) >= 4
    assert journal.state == "finished"
    status, _, err = folder.call("sync", "--tracking-uri", NOBODY)
    assert status == 1
    assert "is not sent: no tracking server answers" in err
