from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from tracker.errors import JournalError
from tracker.journal.process_lock import (
    Owner,
    acquire,
    is_running,
    locking,
    read_owner,
    release,
    resuming,
    sending,
    try_lock,
)

if TYPE_CHECKING:
    from pathlib import Path

ACQUIRE_AND_DIE = """
import os, sys
from pathlib import Path
from tracker.journal.process_lock import acquire
lock = acquire(Path(sys.argv[1]))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "journal"
    folder.mkdir()
    return folder


class TestTryLock:
    def test_try_lock_returns_none_while_the_lock_is_held(self, tmp_path: Path) -> None:
        lock = try_lock(tmp_path / "a.lock")
        assert lock is not None
        assert try_lock(tmp_path / "a.lock") is None
        lock.release()
        again = try_lock(tmp_path / "a.lock")
        assert again is not None
        again.release()

    def test_a_killed_process_frees_its_lock_though_a_child_of_it_lives(self, tmp_path: Path) -> None:
        here, there = multiprocessing.Pipe(duplex=False)
        pid = os.fork()
        if not pid:
            _lock = try_lock(tmp_path / "a.lock")
            child = os.fork()
            if not child:
                signal.pause()
            there.send(child)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(pid, 0)
        grandchild = here.recv()
        try:
            lock = try_lock(tmp_path / "a.lock", wait_s=5)
            assert lock is not None
            lock.release()
        finally:
            os.kill(grandchild, signal.SIGKILL)

    def test_try_lock_creates_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            try_lock(tmp_path / "gone/a.lock")
        assert list(tmp_path.iterdir()) == []


class TestLocking:
    def test_an_error_within_frees_the_lock_and_passes_unchanged(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match=r"^a full disk$"), locking(tmp_path / "a.lock"):
            raise OSError("a full disk")
        with locking(tmp_path / "a.lock") as is_ours:
            assert is_ours


class TestAcquire:
    def test_acquire_names_this_process_until_release(self, folder: Path) -> None:
        lock = acquire(folder)
        assert read_owner(folder) == Owner(socket.gethostname(), os.getpid())
        assert is_running(folder) is True
        release(folder, lock)
        assert read_owner(folder) is None
        assert is_running(folder) is False

    def test_acquire_refuses_a_second_writer(self, folder: Path) -> None:
        lock = acquire(folder)
        with pytest.raises(JournalError) as error:
            acquire(folder)
        assert str(error.value) == (
            f"{folder} is being written by process {os.getpid()} on {socket.gethostname()}: let it end first"
        )
        release(folder, lock)

    def test_acquire_succeeds_after_a_writer_was_killed(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-c", ACQUIRE_AND_DIE, folder], check=False)
        assert read_owner(folder) is not None
        assert is_running(folder) is False
        release(folder, acquire(folder))

    def test_acquire_names_a_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(JournalError, match=r"cannot lock .*gone/run\.lock: No such file"):
            acquire(tmp_path / "gone")


class TestResuming:
    def test_resuming_only_one_process_resumes_and_it_does_not_count_as_running(self, folder: Path) -> None:
        with resuming(folder) as is_ours:
            assert is_ours
            assert is_running(folder) is False
            with resuming(folder) as also_ours:
                assert not also_ours
            release(folder, acquire(folder))
        with resuming(folder) as is_ours:
            assert is_ours

    def test_resuming_names_a_missing_folder(self, tmp_path: Path) -> None:
        with (
            pytest.raises(JournalError, match=r"cannot lock .*gone/resuming\.lock: No such file"),
            resuming(tmp_path / "gone"),
        ):
            pass


class TestIsRunning:
    @pytest.mark.parametrize("host", [socket.gethostname(), "elsewhere"])
    def test_a_held_lock_means_running_whoever_holds_it(self, folder: Path, host: str) -> None:
        write(folder, host)
        with FileLock(folder / "run.lock"):
            assert is_running(folder) is True

    def test_a_free_lock_of_this_machine_means_gone_whatever_runs_under_the_process_id(self, folder: Path) -> None:
        write(folder, socket.gethostname())
        assert is_running(folder) is False

    def test_another_machine_is_unknown(self, folder: Path) -> None:
        write(folder, "elsewhere")
        assert is_running(folder) is None

    def test_asking_leaves_nothing_behind(self, folder: Path) -> None:
        is_running(folder)
        assert list(folder.iterdir()) == []


class TestReadOwner:
    @pytest.mark.parametrize("text", ["", "[1]", '{"host": "a"}', '{"host": "a", "pid": "x"}', "\xff"])
    def test_a_damaged_file_names_nobody(self, folder: Path, text: str) -> None:
        (folder / "owner.json").write_bytes(text.encode("latin-1"))
        assert read_owner(folder) is None

    @pytest.mark.parametrize(
        "row",
        [
            {"host": "h" * 256, "pid": 1},
            {"host": 7, "pid": 1},
            {"host": "h", "pid": "/etc/passwd"},
            {"host": "h", "pid": 0},
            {"host": "h", "pid": 1e400},
            {"host": "h", "pid": True},
            {"host": "h", "pid": 10**400},
        ],
        ids=str,
    )
    def test_read_owner_names_a_wrong_record(self, folder: Path, row: dict[str, object]) -> None:
        (folder / "owner.json").write_text(json.dumps(row))
        problems: list[str] = []
        assert read_owner(folder, problems.append) is None
        (problem,) = problems
        assert problem.startswith(f"{folder / 'owner.json'} is damaged (")
        assert len(problem) < 1_000

    def test_read_owner_reads_the_owner_that_earlier_versions_wrote(self, folder: Path) -> None:
        (folder / "owner.json").write_text('{"host": "a", "pid": 7, "start": 1234, "boot": "4f0c"}')
        assert read_owner(folder) == Owner("a", 7)


def write(folder: Path, host: str) -> None:
    (folder / "owner.json").write_text(json.dumps({"host": host, "pid": os.getpid()}))


ASK_TO_SEND = """
import sys
from pathlib import Path
from tracker.journal.process_lock import sending
with sending(Path(sys.argv[1])) as mine:
    print(mine, flush=True)
    input()
"""


class TestSending:
    def test_sending_is_one_at_a_time_among_processes(self, tmp_path: Path) -> None:
        pipe = subprocess.PIPE
        with subprocess.Popen(
            [sys.executable, "-c", ASK_TO_SEND, tmp_path], stdin=pipe, stdout=pipe, text=True
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "True\n"
            with sending(tmp_path) as mine:
                assert not mine
            other.kill()
            other.wait()
        with sending(tmp_path) as mine:
            assert mine

    def test_sending_is_one_at_a_time_among_threads(self, tmp_path: Path) -> None:
        said: list[bool] = []

        def ask() -> None:
            with sending(tmp_path) as mine:
                said.append(mine)

        with sending(tmp_path) as mine:
            assert mine
            thread = Thread(target=ask)
            thread.start()
            thread.join()
            ask()
        ask()
        assert said == [False, False, True]

    def test_sending_is_free_again_after_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError), sending(tmp_path):
            raise RuntimeError
        with sending(tmp_path) as mine:
            assert mine

    def test_sending_says_that_there_is_no_folder(self, tmp_path: Path) -> None:
        with (
            pytest.raises(JournalError, match=r"cannot lock .*gone/sending\.lock: No such file"),
            sending(tmp_path / "gone"),
        ):
            pass
