"""What a disk, a clock and a vanishing file do to runs: one clear line, and nothing that was logged is lost.

Most faults are tested where they strike: `tests/journal`, `tests/features`, `tests/training`, `tests/store`.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tracker.entries import Ended, EpochDone, Started
from tracker.journal.reader import journals
from tracker.journal.writer import JournalWriter
from tracker.store.location import locate
from tracker.store.read import read_experiment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cli.conftest import Tracker

NOON = 1_700_000_000_000
NOT_WRITABLE = Path("/sys")
"""Which takes no folder from anybody, not even root."""

QUICK = ("--epochs", "2", "--segment", "0.5")


def journalled(name: str, times: Sequence[int]) -> None:
    """Write the journal of a run in the working folder: the time of its start, of each epoch, of its end."""
    start, *epochs, end = times
    folder = Path(".tracker").absolute() / uuid4().hex
    begun = Started(start, locate(None, Path.cwd()).uri, "tracker", name, "val_loss", {}, {})
    with JournalWriter.create(folder, begun) as writer:
        for epoch, time in enumerate(epochs, 1):
            writer.append(EpochDone(time, epoch, {"val_loss": 1 / epoch}))
        writer.append(Ended(end, "FINISHED"))


def test_a_full_disk_keeps_the_store_from_being_made_and_costs_no_run(tracker: Tracker) -> None:
    journalled("done", (NOON, NOON + 1, NOON + 2))
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000))  # a store is larger
    command = [Path(sys.executable).with_name("tracker"), "sync"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"tracker: run done is not sent: cannot make a store at {Path('mlflow.db').absolute()}: disk I/O error\n"
    )
    assert not Path("mlflow.db").exists()
    assert tracker("sync").status == 0
    assert [run.name for run in read_experiment(locate(None, Path.cwd()), "tracker").runs] == ["done"]


def test_a_clock_set_back_changes_no_value_and_no_order(tracker: Tracker) -> None:
    hour = 3_600_000
    journalled("set back", (NOON, NOON + 1, NOON - hour, NOON - hour + 1, NOON - hour + 2))
    assert tracker("sync").status == 0
    (run,) = read_experiment(locate(None, Path.cwd()), "tracker").runs
    assert run.curves["val_loss"].steps.tolist() == [1, 2, 3]
    assert run.curves["val_loss"].values.tolist() == [1, 1 / 2, 1 / 3]
    assert (run.metrics["val_loss"], run.status, run.ended) == (1 / 3, "FINISHED", NOON - hour + 2)
    assert tracker("report").status == 0


@pytest.mark.xdist_group("keras")
class TestARun:
    @pytest.mark.skipif(not NOT_WRITABLE.exists(), reason="the system has no folder that nobody can write to")
    def test_is_not_begun_in_a_folder_that_cannot_be_written_to(
        self, tracker: Tracker, genres: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(NOT_WRITABLE)
        result = tracker("run", "--data", genres, *QUICK)
        assert (result.status, result.out) == (1, "")
        assert f"\ntracker: cannot begin a journal at {NOT_WRITABLE}/.tracker/" in result.err
        assert "epoch 1/" not in result.err

    def test_goes_on_where_its_files_vanish(self, tracker: Tracker, genres: Path) -> None:
        gone = threading.Thread(target=_remove_once_begun, args=(genres, Path.cwd()))
        gone.start()
        result = tracker("run", "--data", genres, *QUICK)
        gone.join()
        assert result.status == 0, result.err
        assert not genres.exists()
        (journal,) = journals(Path(".tracker"))
        assert list(journal.epochs) == [1, 2]
        assert journal.state == "finished"


def _remove_once_begun(genres: Path, work: Path) -> None:
    """Remove a dataset as soon as a run on it has written its first line."""
    while not list(work.glob(".tracker/*/journal.jsonl")):
        threading.Event().wait(0.001)
    shutil.rmtree(genres)
