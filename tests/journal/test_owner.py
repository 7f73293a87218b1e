from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from filelock import FileLock

from tracker.errors import JournalError
from tracker.journal.process_lock import Owner, alive, disown, own, read_owner, resuming, running

OWN_AND_DIE = """
import os, sys
from pathlib import Path
from tracker.journal.process_lock import own
lock = own(Path(sys.argv[1]))
os.kill(os.getpid(), 9)
"""
SAY_WHO = """
import json
from dataclasses import asdict
from tracker.journal.process_lock import Owner
print(json.dumps(asdict(Owner.here())), flush=True)
input()
"""
BOOT = "4f0c3f7e-0000-0000-0000-000000000000"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A system on which process 77, of a strange name, was started at 1234 and process 78 is dead but not buried."""
    proc = tmp_path / "proc"
    (proc / "sys/kernel/random").mkdir(parents=True)
    (proc / "sys/kernel/random/boot_id").write_text(f"{BOOT}\n")
    (proc / "self").mkdir()
    for pid, state in ((77, "S"), (78, "Z")):
        (proc / str(pid)).mkdir()
        fields = [state, *(str(n) for n in range(4, 22)), "1234", "0", "0"]
        (proc / str(pid) / "stat").write_text(f"{pid} (a) S 1 (b c) {' '.join(fields)}\n")
    return proc


@pytest.fixture
def owner() -> Owner:
    return Owner(socket.gethostname(), 77, 1234, BOOT)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "journal"
    place.mkdir()
    return place


class TestHere:
    def test_is_this_process(self) -> None:
        assert Owner.here().pid == os.getpid()
        assert Owner.here() == Owner.here()

    def test_does_without_what_a_system_does_not_show(self, tmp_path: Path) -> None:
        assert Owner.here(tmp_path) == Owner(socket.gethostname(), os.getpid(), None, None)


class TestAlive:
    @pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system shows no processes")
    def test_of_this_process(self) -> None:
        assert alive(Owner.here()) is True

    @pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system shows no processes")
    def test_of_a_process_that_was_killed(self) -> None:
        pipe = subprocess.PIPE
        with subprocess.Popen([sys.executable, "-c", SAY_WHO], stdin=pipe, stdout=pipe, text=True) as process:
            assert process.stdout is not None
            owner = Owner(**json.loads(process.stdout.readline()))
            assert alive(owner) is True
            process.kill()
            process.wait()
        assert alive(owner) is False

    def test_of_one_that_is_there(self, owner: Owner, proc: Path) -> None:
        assert alive(owner, proc) is True

    def test_of_one_that_is_not(self, owner: Owner, proc: Path) -> None:
        assert alive(replace(owner, pid=76), proc) is False

    def test_of_one_that_is_dead_but_not_buried(self, owner: Owner, proc: Path) -> None:
        assert alive(replace(owner, pid=78), proc) is False

    def test_takes_no_other_process_of_that_number_for_it(self, owner: Owner, proc: Path) -> None:
        assert alive(replace(owner, start=1233), proc) is False

    def test_takes_no_process_after_a_reboot_for_it(self, owner: Owner, proc: Path) -> None:
        assert alive(replace(owner, boot=BOOT.replace("4", "5")), proc) is False

    def test_goes_by_number_and_start_where_there_is_no_boot_id(self, owner: Owner, proc: Path) -> None:
        assert alive(replace(owner, boot=None), proc) is True

    def test_cannot_tell_of_another_host(self, owner: Owner, proc: Path) -> None:
        assert alive(replace(owner, host="elsewhere"), proc) is None

    def test_cannot_tell_where_the_system_shows_no_processes(self, owner: Owner, tmp_path: Path) -> None:
        assert alive(owner, tmp_path) is None
        assert alive(replace(owner, start=None, boot=None)) is None


class TestOwn:
    def test_says_who_writes_until_disowned(self, place: Path) -> None:
        lock = own(place)
        assert read_owner(place) == Owner.here()
        assert running(place) is True
        disown(place, lock)
        assert read_owner(place) is None
        assert running(place) is False

    def test_refuses_a_second(self, place: Path) -> None:
        lock = own(place)
        with pytest.raises(JournalError) as error:
            own(place)
        assert str(error.value) == (
            f"{place} is being written by process {os.getpid()} on {socket.gethostname()}: let it end first"
        )
        disown(place, lock)

    def test_comes_after_one_that_was_killed(self, place: Path) -> None:
        subprocess.run([sys.executable, "-c", OWN_AND_DIE, place], check=False)
        assert read_owner(place) is not None
        assert running(place) is False
        disown(place, own(place))

    def test_says_that_there_is_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(JournalError, match=r"cannot lock .*gone/run\.lock: No such file"):
            own(tmp_path / "gone")


class TestResuming:
    def test_is_for_one_at_a_time_and_not_yet_running(self, place: Path) -> None:
        with resuming(place) as mine:
            assert mine
            assert running(place) is False
            with resuming(place) as too:
                assert not too
            disown(place, own(place))
        with resuming(place) as mine:
            assert mine

    def test_says_that_there_is_no_folder(self, tmp_path: Path) -> None:
        with (
            pytest.raises(JournalError, match=r"cannot lock .*gone/resuming\.lock: No such file"),
            resuming(tmp_path / "gone"),
        ):
            pass


class TestRunning:
    def test_goes_by_the_lock_where_nothing_says_who_writes(self, place: Path) -> None:
        with FileLock(place / "run.lock"):
            assert running(place) is True
        assert running(place) is False

    def test_goes_by_the_lock_where_the_process_cannot_be_seen(self, place: Path) -> None:
        write(place, Owner(socket.gethostname(), os.getpid(), None, None))
        assert running(place) is False
        with FileLock(place / "run.lock"):
            assert running(place) is True

    def test_cannot_tell_of_another_machine(self, place: Path, proc: Path) -> None:
        write(place, Owner("elsewhere", 77, 1234, BOOT.replace("4", "5")))
        assert running(place, proc) is None
        write(place, Owner("elsewhere", 77, 1234, None))
        assert running(place, proc) is None

    def test_goes_by_the_lock_for_another_container_on_this_machine(self, place: Path, proc: Path) -> None:
        write(place, Owner("elsewhere", 77, 1234, BOOT))
        assert running(place, proc) is False
        with FileLock(place / "run.lock"):
            assert running(place, proc) is True

    def test_leaves_nothing_behind_by_asking(self, place: Path) -> None:
        running(place)
        assert list(place.iterdir()) == []


class TestReadOwner:
    @pytest.mark.parametrize("text", ["", "[1]", '{"host": "a"}', "\xff"])
    def test_takes_a_damaged_file_for_none(self, place: Path, text: str) -> None:
        (place / "owner.json").write_bytes(text.encode("latin-1"))
        assert read_owner(place) is None


def write(place: Path, owner: Owner) -> None:
    (place / "owner.json").write_text(json.dumps(asdict(owner)))
