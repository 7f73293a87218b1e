"""Runs that are killed, that lack their store, that go on: the command line in processes of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import write_tone
from tests.processes import Forked, command
from tests.running import FULL, SMALL_NETWORK, TINY_NETWORK, needs_full
from tracker.journal.process_lock import resuming
from tracker.journal.reader import Journal, journals
from tracker.runs.events import Attached
from tracker.store.location import locate
from tracker.store.reader import read_experiment

if TYPE_CHECKING:
    from tracker.runs import Run

OWN = ("--model", SMALL_NETWORK)
"""The network, which lies outside the working folder: resume runs it only if it is named."""
SETTINGS = ("--segment", "0.5", "--epochs", "6", "--plateau", "0.5,1", "--early-stop", "4", "--seed", "3")
SHORT = (*SETTINGS, *OWN)
NAME = "networks-small-k3-lr0.001-plateau0.5x1-stop4-epochs6-seg0.5-s3"
TINY = (*SETTINGS, "--model", TINY_NETWORK, "--name", NAME)
"""The same of another network, if its layers do not matter."""
NOBODY = "http://127.0.0.1:9"
"""An address at which nothing answers: the port of a protocol that discards."""

pytestmark = pytest.mark.xdist_group("processes")


@dataclass(frozen=True)
class Folder:
    """A working folder with a command line in it."""

    path: Path
    cache: Path

    def popen(self, *words: object, stdout: int | None = None) -> Forked:
        """Start a command."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "TRACKER"))}
        variables["TRACKER_CACHE"] = str(self.cache)
        return command(words, folder=self.path, environment=variables, stdout=stdout)

    def call(self, *words: object) -> tuple[int, str, str]:
        """Run a command to its end."""
        with self.popen(*words) as process:
            out, err = process.communicate()
        return process.returncode, out, err

    def killed_in_epoch(self, epoch: int, *words: object) -> None:
        """Run a command and kill it once it has told of an epoch."""
        with self.popen("run", *words) as process:
            while not process.stderr.readline().startswith(f"epoch {epoch}/"):
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)

    @property
    def journal(self) -> Journal:
        """Its only one."""
        (found,) = journals(self.path / ".tracker")
        return found

    def copy(self, path: Path) -> Folder:
        """Return a copy of it."""
        return Folder(Path(shutil.copytree(self.path, path)), self.cache)

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


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A folder with a dataset and a run on it that was killed after its third epoch or its fourth."""
    base = tmp_path_factory.mktemp("killed")
    for label, hertz in (("high", 2_000.0), ("low", 200.0)):
        for number in range(10):
            write_tone(base / "work/genres" / label / f"{number}.wav", hertz * (1 + number / 50), seed=number)
    work = Folder(base / "work", base / "cache")
    work.killed_in_epoch(3, "--data", "genres", *SHORT, "--offline")
    return work


@pytest.fixture(scope="module")
def whole(killed: Folder, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same run, which nobody killed."""
    work = Folder(tmp_path_factory.mktemp("whole"), killed.cache)
    assert work.call("run", "--data", killed.path / "genres", *SHORT)[0] == 0
    return work.runs[0]


@pytest.fixture
def interrupted(killed: Folder, tmp_path: Path) -> Folder:
    """A copy of the folder with the killed run."""
    return killed.copy(tmp_path / "work")


def test_a_killed_run_is_told_of_and_resumed_to_the_same_end(interrupted: Folder, whole: Run) -> None:
    _, out, _ = interrupted.call("runs", "--format", "json")
    assert [run["status"] for run in json.loads(out)] == ["INTERRUPTED"]
    _, out, _ = interrupted.call("report", "--format", "json")
    assert "was interrupted: tracker resume " in json.loads(out)["excluded"][0]["reason"]
    with interrupted.popen("run", "--data", "genres", *SHORT) as again:
        said = iter(again.stderr.readline, "")
        assert any(f"run {NAME} was interrupted: continue it with `tracker resume " in line for line in said)
        again.kill()
    cut = journals(interrupted.path / ".tracker")[0]

    status, out, err = interrupted.call("resume", cut.id, *OWN)
    assert status == 0, err
    assert "continues after epoch 3" in err or "continues after epoch 4" in err
    assert "warning" not in err
    resumed = next(run for run in interrupted.runs if run.run_id == out.strip())
    assert resumed.status == "FINISHED"
    assert not (cut.folder / "checkpoints").exists()
    assert same(resumed, whole)
    assert resumed.tags["tracker.pid"] != cut.started.tags["tracker.pid"]

    status, _, err = interrupted.call("resume", resumed.run_id)
    assert (status, err) == (1, f"tracker: run {NAME} has finished: there is nothing to continue\n")


def test_a_run_killed_between_its_metrics_and_its_end_has_each_of_them_once_in_its_store(
    interrupted: Folder, whole: Run
) -> None:
    assert interrupted.call("resume", NAME, *OWN)[0] == 0
    file = interrupted.journal.folder / "journal.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    measured = next(number for number, line in enumerate(lines, 1) if line.startswith(b'{"entry":"measured"'))
    file.write_bytes(b"".join(lines[:measured]))
    status, _, err = interrupted.call("resume", NAME, *OWN)
    assert status == 0, err
    assert same(interrupted.runs[0], whole)
    with closing(sqlite3.connect(interrupted.path / "mlflow.db")) as store:
        rows = store.execute("SELECT key, count(*) FROM metrics WHERE step = 0 GROUP BY key").fetchall()
    assert {"best_epoch", "best_val_loss", "stop_epoch", "fit_loss", "fit_accuracy"} <= {key for key, _ in rows}
    assert {count for _, count in rows} == {1}


@pytest.mark.parametrize("whole_ones", [0, 1])
def test_a_run_whose_checkpoints_are_damaged_says_so_and_comes_to_the_same(
    interrupted: Folder, whole: Run, whole_ones: int
) -> None:
    kept, newest = sorted((interrupted.journal.folder / "checkpoints").glob("epoch-*.npz"))
    for path in (kept, newest)[whole_ones:]:
        path.write_bytes(path.read_bytes()[:1_000])
    done = max(interrupted.journal.epochs)
    safe = int(kept.name.split("-")[1]) if whole_ones else 0
    status, _, err = interrupted.call("resume", NAME, *OWN)
    assert status == 0, err
    (warning,) = (line for line in err.splitlines() if line.startswith("warning"))
    again = f"the epochs after {safe}" if safe else "all epochs"
    assert warning.startswith(
        f"warning: the checkpoint of epoch {done} is damaged or missing: run {NAME} trains {again} "
    )
    assert f"\nepoch {safe + 1}/6" in err
    assert f"\nepoch {safe}/6" not in err
    assert same(interrupted.runs[0], whole)


def test_a_run_killed_before_it_kept_what_it_is_trained_on_keeps_it_when_resumed(
    interrupted: Folder, whole: Run
) -> None:
    folder = interrupted.journal.folder
    first, *_ = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "journal.jsonl").write_bytes(first)
    for part in ("artifacts", "checkpoints"):
        shutil.rmtree(folder / part)
    status, _, err = interrupted.call("resume", NAME, *OWN)
    assert status == 0, err
    attached = [event.path for event in interrupted.journal.events if isinstance(event, Attached)]
    assert attached[:2] == ["dataset.csv", "environment.txt"]
    assert same(interrupted.runs[0], whole)


def test_what_differs_from_what_a_run_began_with_is_named(interrupted: Folder) -> None:
    genres, artifacts = interrupted.path / "genres", interrupted.journal.folder / "artifacts"

    def refused() -> str:
        status, out, err = interrupted.call("resume", NAME, *OWN)
        assert (status, out) == (1, "")
        assert err.endswith("; restore it, or train again with `tracker run`\n")
        return err.rpartition("cannot be resumed, because this has changed: ")[2].removesuffix(
            "; restore it, or train again with `tracker run`\n"
        )

    (genres / "low/0.wav").write_bytes((genres / "high/1.wav").read_bytes())
    assert refused() == "the data (the content of the files)"
    (genres / "low/0.wav").rename(genres / "low/new.wav")
    (genres / "low/1.wav").unlink()
    environment = artifacts / "environment.txt"
    environment.write_text(environment.read_text().replace("keras ", "keras 2."))
    data, split, keras = refused().split("; ")
    assert data == "the data (2 gone: low/0.wav, low/1.wav, 1 new: low/new.wav)"
    assert split == "the split"
    assert keras.startswith("keras 2.")
    assert interrupted.journal.status == "INTERRUPTED"


@needs_full
def test_a_run_that_is_resumed_ends_though_standard_output_takes_nothing(interrupted: Folder, whole: Run) -> None:
    with FULL.open("w") as full, interrupted.popen("resume", NAME, *OWN, stdout=full.fileno()) as process:
        _, err = process.communicate()
    assert process.returncode == 1
    assert err.splitlines()[-1] == (
        "tracker: cannot write to standard output: No space left on device; check where it is redirected"
    )
    assert same(interrupted.runs[0], whole)


def test_data_that_is_gone_is_told_of_with_what_says_where_it_is(interrupted: Folder) -> None:
    (interrupted.path / "genres").rename(interrupted.path / "music")
    status, out, err = interrupted.call("resume", NAME, *OWN)
    assert (status, out) == (1, "")
    assert err == (
        "tracker: there is no folder or manifest genres; check the path given; if the data was moved, give its "
        "new path with --data\n"
    )
    status, _, err = interrupted.call("resume", NAME, *OWN, "--data", "elsewhere")
    assert (status, err) == (1, "tracker: there is no folder or manifest elsewhere; check the path given\n")


def test_a_run_is_resumed_by_one_at_a_time(interrupted: Folder) -> None:
    with resuming(interrupted.journal.folder):
        status, out, err = interrupted.call("resume", NAME, *OWN)
    assert (status, out) == (1, "")
    assert err == f"tracker: run {NAME} is being resumed by another process: wait until it ends\n"


def test_a_run_begun_on_another_host_is_left_alone_until_it_is_said_to_be_gone(interrupted: Folder) -> None:
    owner = {"host": "elsewhere", "pid": 7, "start": 1, "boot": None}
    (interrupted.journal.folder / "owner.json").write_text(json.dumps(owner))
    for verb in ("resume", "close"):
        status, out, err = interrupted.call(verb, NAME)
        assert (status, out) == (1, "")
        assert err == (
            f"tracker: run {NAME} was started by process 7 on elsewhere and may still be running there; if it isn't, "
            "add --gone\n"
        )
    status, out, err = interrupted.call("close", NAME, "--gone")
    assert (status, err) == (0, "")
    assert [(run.run_id, run.status) for run in interrupted.runs] == [(out.strip(), "KILLED")]


def test_a_run_is_closed_while_its_store_is_away(folder: Folder, genres: Path) -> None:
    folder.killed_in_epoch(1, "--data", genres, *TINY, "--tracking-uri", NOBODY)
    status, out, err = folder.call("close", NAME, "--tracking-uri", NOBODY)
    assert (status, out.strip()) == (0, folder.journal.id)
    assert folder.journal.status == "KILLED"
    assert err.startswith(f"warning: run {NAME} is closed, but not uploaded: no tracking server answers")
    assert err.endswith(f"; upload it with `tracker sync --tracking-uri {NOBODY}`\n")
    status, _, err = folder.call("close", NAME)
    assert (status, err) == (1, f"tracker: run {NAME} has already ended (KILLED)\n")


def test_offline_runs_are_reported_on_and_sent_later_once(folder: Folder, genres: Path) -> None:
    status, out, err = folder.call("run", "--data", genres, *TINY, "--offline")
    (journal,) = journals(folder.path / ".tracker")
    assert (status, out.strip()) == (0, journal.id)
    assert "`tracker sync` uploads it" in err
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
    assert folder.call("sync") == (0, "", "Nothing to upload.\n")
    assert folder.runs[0].ended == run.ended


def test_a_store_that_is_away_costs_one_warning_and_no_metric(folder: Folder, genres: Path) -> None:
    status, out, err = folder.call("run", "--data", genres, *TINY, "--tracking-uri", NOBODY)
    (journal,) = journals(folder.path / ".tracker")
    assert (status, out.strip()) == (0, journal.id)
    assert err.count("no tracking server answers") == 1
    assert len(journal.epochs) >= 4
    assert journal.status == "FINISHED"
    status, _, err = folder.call("sync", "--tracking-uri", NOBODY)
    assert status == 1
    assert "is not sent: no tracking server answers" in err
