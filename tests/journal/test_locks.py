from __future__ import annotations

import multiprocessing
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tracker.journal.process_lock import take, taken

if TYPE_CHECKING:
    from pathlib import Path


class TestTake:
    def test_is_for_one_at_a_time(self, tmp_path: Path) -> None:
        lock = take(tmp_path / "a.lock")
        assert lock is not None
        assert take(tmp_path / "a.lock") is None
        lock.release()
        again = take(tmp_path / "a.lock")
        assert again is not None
        again.release()

    def test_is_free_as_soon_as_its_process_is_gone_though_a_child_of_that_lives(self, tmp_path: Path) -> None:
        here, there = multiprocessing.Pipe(duplex=False)
        pid = os.fork()
        if not pid:
            _lock = take(tmp_path / "a.lock")
            child = os.fork()
            if not child:
                signal.pause()
            there.send(child)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(pid, 0)
        grandchild = here.recv()
        try:
            lock = take(tmp_path / "a.lock", wait_s=5)
            assert lock is not None
            lock.release()
        finally:
            os.kill(grandchild, signal.SIGKILL)

    def test_makes_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            take(tmp_path / "gone/a.lock")
        assert list(tmp_path.iterdir()) == []


class TestTaken:
    def test_is_free_after_whatever_happened_under_it_and_says_it_as_it_was(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match=r"^a full disk$"), taken(tmp_path / "a.lock"):
            raise OSError("a full disk")
        with taken(tmp_path / "a.lock") as mine:
            assert mine
