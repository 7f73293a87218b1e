"""What a disk, a clock and a vanishing file do to runs: one clear line, and nothing that was logged is lost.

Most faults are tested where they strike: `tests/journal`, `tests/features`, `tests/training`, `tests/store`. A disk is
full here as soon as a file is larger than this process may write, which holds for root too; what nobody may write to is
``/sys``, and what takes not one byte is ``/dev/full``.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pytest

from tests.running import FULL, LATE_NETWORK, TINY_NETWORK, TRACKER, needs_full
from tracker.journal.reader import journals
from tracker.journal.writer import JournalWriter
from tracker.runs.events import Ended, EpochDone, Started
from tracker.store.location import locate
from tracker.store.reader import read_experiment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.running import LogRun, Result, Tracker
    from tracker.journal.reader import Journal
    from tracker.runs import Run

NOON = 1_700_000_000_000
DAY = 86_400_000
NOT_WRITABLE = Path("/sys")
"""Which takes no folder from anybody, not even root."""

OWN = ("--model", TINY_NETWORK)
QUICK = ("--epochs", "2", "--segment", "0.5", *OWN)
NAME = "small"
SMALL = ("--segment", "0.5", "--kernel", "16", *OWN, "--name", NAME, "--offline")
LATE = ("--segment", "0.5", "--batch-size", "64", "--lr", "1e10", "--epochs", "5", "--model", LATE_NETWORK)
"""One step an epoch, so large that the second makes nothing better; the third meets numbers that are none."""


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let this process write no file larger than so many bytes."""
    limits, no_bytecode = resource.getrlimit(resource.RLIMIT_FSIZE), sys.dont_write_bytecode
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    sys.dont_write_bytecode = True  # it would be cut at that size, and whoever imports it next would fail
    try:
        yield
    finally:
        sys.dont_write_bytecode = no_bytecode
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Let nobody write to a file or make anything in a folder, not even root where the file system can do that."""
    before, root = path.stat().st_mode, os.geteuid() == 0
    path.chmod(0o555)
    if root and subprocess.run(["chattr", "+i", path], capture_output=True, check=False).returncode:
        pytest.skip("root may write everything here")
    try:
        yield
    finally:
        if root:
            subprocess.run(["chattr", "-i", path], check=True)
        path.chmod(before)


def stored() -> tuple[Run, ...]:
    """Return the runs in the working folder's store."""
    return read_experiment(locate(None, Path.cwd()), "tracker").runs


def listed(tracker: Tracker) -> list[tuple[str, str | None]]:
    """Return the status of each run as it is listed, and the reason."""
    return [(run["status"], run["reason"]) for run in json.loads(tracker("runs", "--format", "json").out)]


def journalled(name: str, times: Sequence[int], *values: float) -> None:
    """Write the journal of a run in the working folder: the time of its start, of each epoch, of its end."""
    start, *epochs, end = times
    folder = Path(".tracker").absolute() / uuid4().hex
    begun = Started(start, locate(None, Path.cwd()).uri, "tracker", name, "val_loss", {}, {})
    with JournalWriter.create(folder, begun) as writer:
        for epoch, (time, value) in enumerate(itertools.zip_longest(epochs, values), 1):
            writer.append(EpochDone(time, epoch, {"val_loss": 1 / epoch if value is None else value}))
        writer.append(Ended(end, "FINISHED"))


def set_forward(journal: Journal, by_ms: int) -> None:
    """Replace a journal by the same run's, were it so much later: as if the clock had been set back since."""
    folder = journal.folder.absolute().with_name(uuid4().hex)
    first, *others = (
        replace(event, time=event.time + by_ms) if "time" in event.__dataclass_fields__ else event
        for event in journal.events
    )
    with JournalWriter.create(folder, first) as writer:
        for part in ("artifacts", "checkpoints"):
            shutil.copytree(journal.folder / part, folder / part)
        for event in others:
            writer.append(event)
    shutil.rmtree(journal.folder)


def test_a_full_disk_keeps_the_store_from_being_made_and_costs_no_run(tracker: Tracker) -> None:
    journalled("done", (NOON, NOON + 1, NOON + 2))
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000))  # a store is larger
    result = subprocess.run([TRACKER, "sync"], capture_output=True, text=True, check=False, preexec_fn=limit)
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert f"tracker: run done is not sent: cannot make a store at {Path('mlflow.db').absolute()}: " in result.stderr
    assert not Path("mlflow.db").exists()
    assert tracker("sync").status == 0
    assert [run.name for run in stored()] == ["done"]


class TestAClockSetBack:
    def test_amid_a_run_changes_no_value_and_no_order(self, tracker: Tracker) -> None:
        hour = 3_600_000
        journalled("set back", (NOON, NOON + 1, NOON - hour, NOON - hour + 1, NOON - hour + 2))
        assert tracker("sync").status == 0
        (run,) = stored()
        assert run.curves["val_loss"].steps.tolist() == [1, 2, 3]
        assert run.curves["val_loss"].values.tolist() == [1, 1 / 2, 1 / 3]
        assert (run.metrics["val_loss"], run.status, run.ended) == (1 / 3, "FINISHED", NOON - hour + 2)
        assert tracker("report").status == 0

    def test_between_runs_gives_no_age_below_nothing(self, tracker: Tracker) -> None:
        tomorrow = NOON * 2
        journalled("from tomorrow", (tomorrow, tomorrow + 1, tomorrow + 2))
        journalled("of today", (NOON, NOON + 1, NOON + 2))
        assert tracker("sync").status == 0
        head, *rows = tracker("runs").out.splitlines()
        assert head.split()[-1] == "age"
        assert [row.split()[-2:] for row in rows if "tomorrow" in row] == [["0", "s"]]


def test_an_infinite_loss_stays_infinite_in_the_store_and_the_report(tracker: Tracker) -> None:
    journalled("diverged", (NOON, NOON + 1, NOON + 2, NOON + 3), 0.5, float("inf"))
    before = _told_of_stability(tracker)
    assert tracker("sync").status == 0
    assert before == _told_of_stability(tracker) == [{"epoch": 2}]


def _told_of_stability(tracker: Tracker) -> list[str]:
    conclusions = json.loads(tracker("report", "--format", "json").out)["conclusions"]
    return [one["details"] for one in conclusions if one["kind"] == "stability"]


@needs_full
class TestAFullDiskBehindTheOutput:
    @pytest.mark.parametrize("words", [("runs",), ("compare", "one", "two")])
    def test_a_full_disk_behind_the_output_is_one_line_and_no_traceback(
        self, log_run: LogRun, words: Sequence[str]
    ) -> None:
        log_run("1101", name="one")
        log_run("1111", name="two", kernel_size="5")
        with FULL.open("w") as full:
            result = subprocess.run([TRACKER, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert result.returncode == 1
        assert result.stderr == (
            "tracker: cannot write to standard output: No space left on device; check where it is redirected\n"
        )

    def test_a_full_disk_behind_the_output_keeps_no_message_from_being_passed_over(self, log_run: LogRun) -> None:
        log_run("1101")
        with FULL.open("w") as full:
            result = subprocess.run([TRACKER, "sync"], stdout=subprocess.PIPE, stderr=full, text=True, check=False)
        assert (result.returncode, result.stdout) == (0, "")


class TestAReport:
    def test_that_does_not_fit_on_the_disk_leaves_what_was_there(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("1101")
        file = Path("R.html")
        file.write_text("before")
        with largest_file(20_000):
            result = tracker("report", "--format", "html", "--output", file)
        assert (result.status, result.out) == (1, "")
        assert result.err == (
            "tracker: cannot write R.html: File too large; free some space, check the permissions, or give another "
            "--output\n"
        )
        assert file.read_text() == "before"
        assert [path.name for path in Path.cwd().glob("R.html*")] == ["R.html"]

    def test_whose_figures_do_not_fit_names_where_they_may_go(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("1101")
        with largest_file(1_000):
            result = tracker("report")
        assert (result.status, result.out) == (1, "")
        (line,) = result.err.splitlines()
        assert line.startswith("tracker: cannot write reports/figures/")
        assert line.endswith("or give another --assets")
        assert list(Path("reports/figures").iterdir()) == []

    def test_a_report_is_written_into_a_device_and_not_over_it(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("1101")
        assert tracker("report", "--format", "json", "--output", "/dev/null").status == 0
        assert Path("/dev/null").is_char_device()

    def test_a_report_is_held_against_a_file_that_is_no_text(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("1101")
        Path("R.md").write_bytes(b"\xff\x1b[31m\n")
        result = tracker("report", "--check", "R.md")
        assert result.status == 1
        assert "\x1b" not in result.out
        assert "give --output R.md instead of --check" in result.err


@pytest.mark.xdist_group("keras")
class TestARunOnAFullDisk:
    """With a network so small that what is too large is one thing alone: a journal, a checkpoint, a figure, a store."""

    def test_a_run_on_a_full_disk_fails_where_a_checkpoint_cannot_be_saved_and_is_resumed(
        self, tracker: Tracker, genres: Path
    ) -> None:
        with largest_file(5_000):
            result = tracker("run", "--data", genres, *QUICK, "--name", NAME, "--offline")
        assert (result.status, result.out) == (1, "")
        reason = result.err.splitlines()[-1]
        assert reason.startswith("tracker: the checkpoint of epoch 1 cannot be saved in ")
        assert reason.endswith("File too large; free some space or fix the permissions, then resume the run")
        assert [status for status, _ in listed(tracker)] == ["FAILED"]
        assert tracker("resume", NAME, *OWN).status == 0
        (journal,) = journals(Path(".tracker"))
        assert (journal.status, list(journal.epochs)) == ("FINISHED", [1, 2])

    def test_a_run_on_a_full_disk_is_interrupted_where_no_line_can_be_written_and_loses_no_epoch(
        self, tracker: Tracker, genres: Path
    ) -> None:
        words = ("run", "--data", genres, *SMALL, "--epochs", "12", "--note", "x" * 7_000)
        with largest_file(10_500):
            result = tracker(*words)
        assert (result.status, result.out) == (1, "")
        assert result.err.splitlines()[-1].startswith("tracker: cannot write the journal ")
        assert result.err.splitlines()[-1].endswith("raise the limit on the size of files (`ulimit -f`)")
        (cut,) = journals(Path(".tracker"))
        told = [int(line.split()[1].split("/")[0]) for line in result.err.splitlines() if line.startswith("epoch ")]
        assert list(cut.epochs) == told
        assert 1 <= len(told) < 12
        assert listed(tracker) == [("INTERRUPTED", None)]
        resumed = tracker("resume", NAME, *OWN)
        assert resumed.status == 0, resumed.err
        assert f"epoch {len(told)}/" not in resumed.err
        (journal,) = journals(Path(".tracker"))
        assert (journal.status, list(journal.epochs)) == ("FINISHED", list(range(1, 13)))

    def test_a_run_on_a_full_disk_is_gone_on_with_though_the_clock_was_set_back_since(
        self, tracker: Tracker, genres: Path
    ) -> None:
        with largest_file(10_500):
            assert tracker("run", "--data", genres, *SMALL, "--epochs", "8", "--note", "x" * 7_000).status == 1
        (cut,) = journals(Path(".tracker"))
        assert 1 <= len(cut.epochs) < 8
        set_forward(cut, DAY)
        assert tracker("resume", NAME, *OWN).status == 0
        assert tracker("sync").status == 0
        (run,) = stored()
        (journal,) = journals(Path(".tracker"))
        assert (run.status, run.started) == ("FINISHED", cut.started.time + DAY)
        assert run.curves["val_loss"].steps.tolist() == list(range(1, 9))
        assert run.curves["val_loss"].values.tolist() == [one.metrics["val_loss"] for one in journal.epochs.values()]
        assert tracker("runs").out.splitlines()[1].split()[-2:] == ["0", "s"]
        assert tracker("report", "--format", "summary").status == 0

    def test_a_run_on_a_full_disk_fails_where_a_figure_cannot_be_kept_and_is_resumed(
        self, tracker: Tracker, genres: Path
    ) -> None:
        with largest_file(10_000):
            result = tracker("run", "--data", genres, *SMALL, "--epochs", "2")
        assert (result.status, result.out) == (1, "")
        assert result.err.splitlines()[-1].startswith("tracker: cannot keep the artifact ")
        assert [status for status, _ in listed(tracker)] == ["FAILED"]
        resumed = tracker("resume", NAME, *OWN)
        assert resumed.status == 0, resumed.err
        assert "epoch 2/" not in resumed.err
        assert [status for status, _ in listed(tracker)] == ["FINISHED"]

    def test_a_run_on_a_full_disk_is_kept_beside_a_store_that_takes_no_more(
        self, tracker: Tracker, genres: Path, log_run: LogRun
    ) -> None:
        log_run("1101")
        with largest_file(100_000):
            result = tracker("run", "--data", genres, *SMALL[:-1], "--epochs", "2")
        _is_sent_later(tracker, result, "mlflow.db")


@pytest.mark.xdist_group("keras")
class TestARun:
    @pytest.mark.skipif(not NOT_WRITABLE.exists(), reason="the system has no folder that nobody can write to")
    def test_a_run_is_not_begun_in_a_folder_that_cannot_be_written_to(
        self, tracker: Tracker, genres: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(NOT_WRITABLE)
        result = tracker("run", "--data", genres, *QUICK)
        assert (result.status, result.out) == (1, "")
        assert f"\ntracker: cannot begin a journal at {NOT_WRITABLE}/.tracker/" in result.err
        assert "epoch 1/" not in result.err

    @pytest.mark.parametrize("path", ["mlflow.db", "mlruns/tracker"])
    def test_a_run_is_kept_beside_a_store_that_cannot_be_written_to(
        self, tracker: Tracker, genres: Path, log_run: LogRun, path: str
    ) -> None:
        log_run("1101")
        with read_only(Path(path)):
            result = tracker("run", "--data", genres, *QUICK)
        _is_sent_later(tracker, result, "mlflow.db")

    def test_a_run_goes_on_without_a_cache(
        self, tracker: Tracker, genres: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (genres.parent / "taken").touch()
        monkeypatch.setenv("TRACKER_CACHE", str(genres.parent / "taken"))
        result = tracker("run", "--data", genres, *QUICK, "--offline")
        assert result.status == 0, result.err
        (warning,) = [line for line in result.err.splitlines() if line.startswith("warning: ")]
        assert warning.startswith(f"warning: features are not cached: {genres.parent / 'taken'}/")
        assert warning.endswith("; make room there or set TRACKER_CACHE to another folder")

    def test_a_run_makes_damaged_features_anew_and_comes_to_the_same(
        self, tracker: Tracker, genres: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cache = genres.parent / "cache"
        monkeypatch.setenv("TRACKER_CACHE", str(cache))
        assert tracker("run", "--data", genres, *QUICK, "--offline").status == 0
        cut, flipped = sorted(cache.rglob("*.npy"))[:2]
        cut.write_bytes(cut.read_bytes()[:-1_000])
        flipped.write_bytes(flipped.read_bytes()[:-100] + bytes(100))
        result = tracker("run", "--data", genres, *QUICK, "--offline")
        warnings = [line for line in result.err.splitlines() if line.startswith("warning: ")]
        assert warnings == [f"warning: damaged features in {cut.parent} were computed again: 2"]
        one, other = (journal.epochs for journal in journals(Path(".tracker")))
        assert [epoch.metrics["val_loss"] for epoch in one.values()] == [
            epoch.metrics["val_loss"] for epoch in other.values()
        ]

    def test_a_run_goes_on_where_its_files_vanish(self, tracker: Tracker, genres: Path) -> None:
        gone = threading.Thread(target=_remove_once_begun, args=(genres, Path.cwd()))
        gone.start()
        result = tracker("run", "--data", genres, *QUICK)
        gone.join()
        assert result.status == 0, result.err
        assert not genres.exists()
        (journal,) = journals(Path(".tracker"))
        assert list(journal.epochs) == [1, 2]
        assert journal.status == "FINISHED"

    def test_a_run_is_not_gone_on_with_where_its_files_vanished(self, tracker: Tracker, genres: Path) -> None:
        assert tracker("run", "--data", genres, *LATE, "--offline").status == 1
        (cut,) = journals(Path(".tracker"))
        shutil.rmtree(genres)
        result = tracker("resume", cut.id, *LATE[-2:])
        assert (result.status, result.out) == (1, "")
        (line,) = result.err.splitlines()
        assert f"there is no folder or manifest {genres}" in line
        assert [*journals(Path(".tracker"))] == [cut]


@pytest.mark.xdist_group("keras")
class TestADivergedLoss:
    def test_a_diverged_loss_fails_the_run_with_the_epoch_and_the_reason_and_leaves_the_epochs_before(
        self, tracker: Tracker, genres: Path
    ) -> None:
        result = tracker("run", "--data", genres, *LATE)
        reason = "training diverged: loss became nan in epoch 3; try a lower learning rate"
        assert (result.status, result.out) == (1, "")
        assert result.err.splitlines()[-1] == f"tracker: {reason}"
        (run,) = stored()
        assert (run.status, run.tags["tracker.reason"]) == ("FAILED", f"TrainingError: {reason}")
        for curve in run.curves.values():
            assert curve.steps.tolist() == [1, 2]
            assert np.isfinite(curve.values).all()
        assert listed(tracker) == [("FAILED", f"TrainingError: {reason}")]

    @pytest.mark.parametrize(
        ("options", "kept", "diverged"),
        [
            ((), 1, (3, 4, 5)),
            (("--keep", "last"), 2, (3, 4, 5)),
            (("--plateau", "0.5,1", "--early-stop", "2"), 1, (3,)),
        ],
    )
    def test_a_diverged_loss_is_gone_on_from_where_that_is_asked_for(
        self, tracker: Tracker, genres: Path, options: Sequence[str], kept: int, diverged: Sequence[int]
    ) -> None:
        result = tracker("run", "--data", genres, *LATE, "--keep-going", "--name", "on", *options)
        assert result.status == 0, result.err
        epochs = f"epoch{'s' if len(diverged) > 1 else ''} {', '.join(map(str, diverged))}"
        assert result.err.splitlines()[-1] == (
            f"warning: run on diverged: its loss was NaN or infinite in {epochs}; it keeps the weights of epoch {kept}"
        )
        (run,) = stored()
        losses = run.curves["val_loss"].values
        assert (np.flatnonzero(~np.isfinite(losses)) + 1).tolist() == list(diverged)
        assert run.validation is not None
        truth = [run.validation.classes.index(label) for label in run.validation.labels]
        chances = run.validation.probabilities[np.arange(len(truth)), truth]
        assert -np.log(np.clip(chances, 1e-7, 1)).mean() == pytest.approx(losses[kept - 1])
        (told,) = json.loads(tracker("report", "--format", "json").out)["runs"]
        assert told["validation"]["correct"] == run.validation.correct.sum()


def _is_sent_later(tracker: Tracker, result: Result, store: str) -> None:
    """Assert that a run was trained with one warning, and that a sync brings it whole."""
    assert result.status == 0, result.err
    warnings = [line for line in result.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert store in warnings[0]
    assert "`tracker sync` uploads it" in warnings[0]
    (journal,) = journals(Path(".tracker"))
    assert (journal.status, list(journal.epochs)) == ("FINISHED", [1, 2])
    assert journal.unsent
    assert tracker("sync").status == 0
    (run,) = (run for run in stored() if run.name == journal.started.name)
    assert run.status == "FINISHED"
    assert run.curves["val_loss"].steps.tolist() == [1, 2]
    assert run.validation is not None


def _remove_once_begun(genres: Path, work: Path) -> None:
    """Remove a dataset as soon as a run on it has written its first line."""
    while not list(work.glob(".tracker/*/journal.jsonl")):
        threading.Event().wait(0.001)
    shutil.rmtree(genres)
