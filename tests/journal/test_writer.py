from __future__ import annotations

import errno
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tracker.errors import JournalError
from tracker.journal.format import to_line
from tracker.journal.reader import read, read_upload_state
from tracker.journal.writer import JournalWriter, write_upload_state
from tracker.runs.events import Attached, Ended, EpochDone, Event, Resumed, Started, Tagged, UploadState

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

WRITE_FOR_EVER = """
import itertools, sys
from pathlib import Path
from tracker.runs.events import EpochDone, Started
from tracker.journal.writer import JournalWriter
start = Started(1, "sqlite:////tmp/mlflow.db", "tracker", "k7", "val_accuracy", {}, {})
writer = JournalWriter.create(Path(sys.argv[1]), start)
for number in itertools.count(1):
    writer.append(EpochDone(number, number, {"loss": 1 / number, "note": number * 1e300}))
    sys.stdout.write("%d\\n" % number)
    sys.stdout.flush()
"""

ATTACH_FOR_EVER = """
import itertools, sys
from pathlib import Path
from tracker.runs.events import Started
from tracker.journal.writer import JournalWriter
start = Started(1, "sqlite:////tmp/mlflow.db", "tracker", "k7", "val_accuracy", {}, {})
writer = JournalWriter.create(Path(sys.argv[1]), start)
for number in itertools.count(1):
    writer.attach_bytes(f"some/{number % 3}", b"%d " % number * 5000)
    sys.stdout.write("%d\\n" % number)
    sys.stdout.flush()
"""


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def synced(action: Callable[[], object]) -> list[Path]:
    """Return the files and folders that an action has handed to the disk, in order."""
    paths: list[Path] = []

    def watch(frame: FrameType, event: str, function: object) -> None:
        if event == "c_call" and function is os.fsync:
            names = frame.f_locals
            opened = names.get("descriptor") or names.get("file") or names["self"]._file
            paths.append(Path("/proc/self/fd", str(opened if isinstance(opened, int) else opened.fileno())).readlink())

    sys.setprofile(watch)
    try:
        action()
    finally:
        sys.setprofile(None)
    return paths


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system shows no open files")


def in_a_process(test: Callable[[], None]) -> None:
    """Run a test in a process of its own, which may limit itself."""
    pid = os.fork()
    if not pid:
        try:
            test()
        except BaseException as error:  # noqa: BLE001  (whatever it is must not go on in the fork)
            os.write(2, repr(error).encode())
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def limit_files_to(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


class TestCreate:
    def test_create_begins_with_the_start_and_is_kept_out_of_git(self, folder: Path, started: Started) -> None:
        with JournalWriter.create(folder, started):
            assert read(folder).events == (started,)
            assert (folder.parent / ".gitignore").read_text() == "*\n"
            assert files(folder) == {"journal.jsonl", "owner.json", "run.lock"}

    @needs_proc
    def test_hands_the_start_and_the_names_of_all_new_folders_to_the_disk(
        self, tmp_path: Path, folder: Path, started: Started
    ) -> None:
        writers: list[JournalWriter] = []
        paths = synced(lambda: writers.append(JournalWriter.create(folder, started)))
        assert {tmp_path, folder.parent, folder} <= {*paths}
        assert sum(path.suffix == ".tmp" for path in paths) == 2  # the owner and the start, before they are moved
        assert paths[-1] == folder.parent
        writers[0].close()

    def test_create_leaves_a_gitignore_that_is_there(self, folder: Path, started: Started) -> None:
        folder.parent.mkdir()
        (folder.parent / ".gitignore").write_text("mine\n")
        JournalWriter.create(folder, started).close()
        assert (folder.parent / ".gitignore").read_text() == "mine\n"

    def test_create_leaves_a_run_to_its_owner_alone(self, folder: Path, started: Started) -> None:
        with JournalWriter.create(folder, started) as writer:
            writer.attach_bytes("notes/a.txt", b"1")
            write_upload_state(folder, UploadState("run", "there", 1))
            assert folder.stat().st_mode & 0o777 == 0o700
            for name in ("journal.jsonl", "owner.json", "delivery.json"):
                assert (folder / name).stat().st_mode & 0o777 == 0o600

    def test_create_writes_no_gitignore_through_a_link(self, tmp_path: Path, folder: Path, started: Started) -> None:
        folder.parent.mkdir()
        (folder.parent / ".gitignore").symlink_to(tmp_path / "new")
        JournalWriter.create(folder, started).close()
        assert not (tmp_path / "new").exists()

    def test_create_begins_no_journal_behind_a_link(self, tmp_path: Path, folder: Path, started: Started) -> None:
        (tmp_path / "elsewhere").mkdir()
        folder.parent.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(JournalError, match=f"{folder.parent.name} is a symbolic link; put a folder itself in its"):
            JournalWriter.create(folder, started)
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_create_refuses_one_that_is_there(self, folder: Path, started: Started) -> None:
        JournalWriter.create(folder, started).close()
        with pytest.raises(JournalError, match=r"cannot begin a journal at .*: File exists; "):
            JournalWriter.create(folder, started)
        assert read(folder).events == (started,)

    def test_create_refuses_a_name_that_is_no_id(self, tmp_path: Path, started: Started) -> None:
        with pytest.raises(ValueError, match="must be named by 32 lower-case hex digits, got 'k7'"):
            JournalWriter.create(tmp_path / "k7", started)
        assert list(tmp_path.iterdir()) == []

    def test_create_says_in_one_line_that_the_place_is_no_folder(
        self, tmp_path: Path, folder: Path, started: Started
    ) -> None:
        (tmp_path / ".tracker").touch()
        with pytest.raises(JournalError) as error:
            JournalWriter.create(folder, started)
        assert str(error.value).startswith(f"cannot begin a journal at {folder}: ")
        assert "\n" not in str(error.value)

    def test_create_leaves_nothing_behind_on_a_full_disk(self, folder: Path, started: Started) -> None:
        folder.parent.mkdir()
        (folder.parent / ".gitignore").touch()

        def test() -> None:
            limit_files_to(200)  # the owner fits, the start does not
            with pytest.raises(JournalError, match=r"File too large; raise the limit on the size of files"):
                JournalWriter.create(folder, started)

        in_a_process(test)
        assert [path.name for path in folder.parent.iterdir()] == [".gitignore"]


class TestAppend:
    def test_append_writes_in_order(self, folder: Path, events: list[Event], started: Started) -> None:
        with JournalWriter.create(folder, started) as writer:
            for n, event in enumerate(events[1:], 2):
                writer.append(event)
                assert list(read(folder).events) == events[:n]

    @needs_proc
    def test_hands_each_event_to_the_disk_before_it_returns(
        self, folder: Path, started: Started, epochs: list[EpochDone]
    ) -> None:
        with JournalWriter.create(folder, started) as writer:
            for epoch in epochs:
                assert synced(lambda: writer.append(epoch)) == [folder / "journal.jsonl"]  # noqa: B023

    def test_append_tells_the_listener_of_what_can_be_read(
        self, folder: Path, started: Started, epochs: list[EpochDone]
    ) -> None:
        heard: list[int] = []
        with JournalWriter.create(folder, started, on_append=lambda: heard.append(len(read(folder).events))) as writer:
            for epoch in epochs:
                writer.append(epoch)
        assert heard == [2, 3, 4, 5]

    def test_append_refuses_a_second_start(self, folder: Path, started: Started) -> None:
        with JournalWriter.create(folder, started) as writer, pytest.raises(ValueError, match="starts once"):
            writer.append(started)

    def test_append_goes_on_once_a_full_disk_has_room(
        self, folder: Path, started: Started, epochs: list[EpochDone]
    ) -> None:
        def test() -> None:
            heard: list[None] = []
            writer = JournalWriter.create(folder, started, on_append=lambda: heard.append(None))
            writer.append(epochs[0])
            size = (folder / "journal.jsonl").stat().st_size
            for room in (0, 1, 50):
                limit_files_to(size + room)
                with pytest.raises(JournalError) as error:
                    writer.append(epochs[1])
                assert str(error.value) == (
                    f"cannot write the journal {folder / 'journal.jsonl'}: File too large; "
                    "raise the limit on the size of files (`ulimit -f`)"
                )
                assert read(folder).events == (started, epochs[0])
                assert read(folder).torn == (room > 0)
            limit_files_to(resource.RLIM_INFINITY)
            writer.append(epochs[1])
            assert len(heard) == 2
            assert read(folder).events == (started, epochs[0], epochs[1])
            assert not read(folder).torn
            writer.close()

        in_a_process(test)

    @pytest.mark.parametrize("left", [0, 1, -1])
    def test_append_goes_on_after_what_an_interrupted_append_left(
        self, folder: Path, started: Started, epochs: list[EpochDone], left: int
    ) -> None:
        line = to_line(epochs[0], 2)
        with JournalWriter.create(folder, started) as writer:
            with (folder / "journal.jsonl").open("ab") as file:
                file.write(line[:left] if left else line)
            writer.append(epochs[1])
        kept = () if left else (epochs[0],)
        assert read(folder).events == (started, *kept, epochs[1])
        assert (read(folder).torn, read(folder).lost) == (False, ())

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
    def test_append_says_that_there_is_no_space_left(self, folder: Path, started: Started) -> None:
        with JournalWriter.create(folder, started) as writer:
            full = Path("/dev/full").open("ab", buffering=0)  # noqa: SIM115  (the writer closes it)
            journal = writer._file.fileno()
            os.dup2(full.fileno(), journal)
            full.close()
            with pytest.raises(JournalError, match="No space left on device; make room on that disk"):
                writer.append(Ended(1, "FAILED"))
        assert read(folder).events == (started,)

    @pytest.mark.parametrize("seed", range(20))
    def test_append_loses_nothing_it_returned_from_when_killed(self, folder: Path, seed: int) -> None:
        dice = random.Random(seed)
        with subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, folder], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            acknowledged = [process.stdout.readline() for _ in range(dice.randrange(1, 60))]
            time.sleep(dice.random() * 0.005)
            process.kill()
            acknowledged += process.stdout.readlines()
        journal = read(folder)
        safe = int(acknowledged[-1])
        assert list(journal.epochs) == list(range(1, len(journal.events)))
        assert safe <= len(journal.epochs) <= safe + 1
        assert journal.lost == ()
        assert journal.status == "INTERRUPTED"
        assert journal.owner is not None
        assert journal.owner.pid == process.pid


class TestReopen:
    def test_reopen_goes_on_where_it_ended(self, folder: Path, started: Started, epochs: list[EpochDone]) -> None:
        JournalWriter.create(folder, started).close()
        with JournalWriter.reopen(folder) as writer:
            writer.append(epochs[0])
        assert read(folder).events == (started, epochs[0])

    def test_reopen_cut_anywhere_it_goes_on_after_the_last_whole_line(
        self, folder: Path, started: Started, epochs: list[EpochDone]
    ) -> None:
        with JournalWriter.create(folder, started) as writer:
            writer.append(epochs[0])
            writer.append(epochs[1])
        file = folder / "journal.jsonl"
        data = file.read_bytes()
        for cut in range(data.rindex(b"\n", 0, -1), len(data)):
            file.write_bytes(data[:cut])
            whole = read(folder).events
            with JournalWriter.reopen(folder) as writer:
                writer.append(Resumed(9, 1))
            assert read(folder).events == (*whole, Resumed(9, 1))
            assert not read(folder).torn

    def test_reopen_goes_on_after_a_damaged_line(self, folder: Path, started: Started, epochs: list[EpochDone]) -> None:
        with JournalWriter.create(folder, started) as writer:
            writer.append(epochs[0])
            writer.append(epochs[1])
        file = folder / "journal.jsonl"
        file.write_bytes(file.read_bytes().replace(b'"number":1', b'"number":7'))
        with JournalWriter.reopen(folder) as writer:
            writer.append(epochs[2])
        assert read(folder).events == (started, Tagged({}), epochs[1], epochs[2])
        assert read(folder).lost == (2,)

    def test_reopen_tells_a_store_anew_what_it_was_told_and_is_lost(
        self, folder: Path, started: Started, epochs: list[EpochDone]
    ) -> None:
        JournalWriter.create(folder, started).close()
        write_upload_state(folder, UploadState("run", "there", 3))
        with JournalWriter.reopen(folder) as writer:
            writer.append(epochs[0])
        assert read_upload_state(folder) == UploadState("run", "there", 1)
        assert read(folder).unsent == (epochs[0],)

    def test_reopen_removes_what_a_killed_process_had_not_finished(self, folder: Path, started: Started) -> None:
        JournalWriter.create(folder, started).close()
        (folder / ".1.tmp").touch()
        (folder / ".2.tmp/sub").mkdir(parents=True)
        JournalWriter.reopen(folder).close()
        assert files(folder) == {"journal.jsonl", "run.lock"}
        assert not (folder / ".2.tmp").exists()

    def test_reopen_refuses_one_that_is_being_written(self, folder: Path, started: Started) -> None:
        with JournalWriter.create(folder, started) as writer:
            with pytest.raises(JournalError, match="is being written by process"):
                JournalWriter.reopen(folder)
            writer.append(Ended(1, "FINISHED"))
        assert read(folder).status == "FINISHED"

    def test_reopen_refuses_one_that_another_process_writes_until_that_is_gone(self, folder: Path) -> None:
        with subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, folder], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            with pytest.raises(JournalError, match=f"is being written by process {process.pid} on "):
                JournalWriter.reopen(folder)
            assert read(folder).status == "RUNNING"
            process.kill()
        with JournalWriter.reopen(folder) as writer:
            writer.append(Ended(1, "KILLED"))
        assert read(folder).status == "KILLED"

    def test_reopen_makes_nothing_where_there_is_none(self, folder: Path) -> None:
        with pytest.raises(JournalError, match=r"cannot read the journal .*journal\.jsonl: No such file"):
            JournalWriter.reopen(folder)
        assert not folder.exists()


class TestAttachBytes:
    def test_attach_bytes_keeps_the_file_and_says_so(self, folder: Path, started: Started) -> None:
        with JournalWriter.create(folder, started) as writer:
            writer.attach_bytes("predictions/validation.csv", b"clip,label\n")
        assert (folder / "artifacts/predictions/validation.csv").read_bytes() == b"clip,label\n"
        assert read(folder).events == (started, Attached("predictions/validation.csv"))
        assert files(folder) == {"journal.jsonl", "run.lock", "artifacts/predictions/validation.csv"}

    def test_attach_bytes_replaces_one_that_is_there(self, folder: Path, started: Started) -> None:
        with JournalWriter.create(folder, started) as writer:
            writer.attach_bytes("curves.png", b"old")
            writer.attach_bytes("curves.png", b"new")
        assert (folder / "artifacts/curves.png").read_bytes() == b"new"
        assert len(read(folder).events) == 3

    @pytest.mark.parametrize(
        "path", ["", ".", "..", "../x", "a/../../x", "/x", "a//b", "a/", "./a", "C:/x", "C:x", "..\\x", "\\x"]
    )
    def test_attach_bytes_refuses_a_path_that_leads_out(self, folder: Path, started: Started, path: str) -> None:
        with (
            JournalWriter.create(folder, started) as writer,
            pytest.raises(ValueError, match="an artifact's path must lead from the run's artifacts to a file in them"),
        ):
            writer.attach_bytes(path, b"")
        assert files(folder) == {"journal.jsonl", "run.lock"}

    @pytest.mark.parametrize("seed", range(5))
    def test_whatever_the_journal_names_is_whole_when_killed(self, folder: Path, seed: int) -> None:
        dice = random.Random(seed)
        with subprocess.Popen([sys.executable, "-c", ATTACH_FOR_EVER, folder], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(dice.randrange(3, 20)):
                process.stdout.readline()
            time.sleep(dice.random() * 0.005)
            process.kill()
        JournalWriter.reopen(folder).close()
        paths = {event.path for event in read(folder).events if isinstance(event, Attached)}
        assert paths == files(folder / "artifacts") == {"some/0", "some/1", "some/2"}
        for path in paths:
            words = (folder / "artifacts" / path).read_bytes().split()
            assert len(words) == 5000
            assert len(set(words)) == 1

    def test_attach_bytes_writes_nothing_behind_a_link(self, tmp_path: Path, folder: Path, started: Started) -> None:
        (tmp_path / "elsewhere").mkdir()
        with JournalWriter.create(folder, started) as writer:
            (folder / "artifacts").symlink_to(tmp_path / "elsewhere")
            with pytest.raises(JournalError, match="artifacts is a symbolic link"):
                writer.attach_bytes("a.txt", b"1")
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_attach_bytes_says_nothing_of_one_that_it_could_not_keep(self, folder: Path, started: Started) -> None:
        def test() -> None:
            with JournalWriter.create(folder, started) as writer:
                limit_files_to(10_000)
                with pytest.raises(JournalError, match=r"cannot keep the artifact .*big\.npz: File too large"):
                    writer.attach_bytes("big.npz", bytes(20_000))

        in_a_process(test)
        assert read(folder).events == (started,)
        assert files(folder) == {"journal.jsonl", "run.lock"}


def write_model(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors:")
    (folder / "data/model.keras").write_bytes(bytes(1000))


class TestAttachFolder:
    def test_attach_folder_keeps_what_is_written_and_says_so(self, folder: Path, started: Started) -> None:
        with JournalWriter.create(folder, started) as writer:
            writer.attach_folder("model", write_model)
        assert files(folder / "artifacts/model") == {"MLmodel", "data/model.keras"}
        assert read(folder).events == (started, Attached("model"))

    def test_attach_folder_replaces_one_that_is_there(self, folder: Path, started: Started) -> None:
        def write_another(model: Path) -> None:
            write_model(model)
            (model / "MLmodel").rename(model / "MLmodel2")

        with JournalWriter.create(folder, started) as writer:
            writer.attach_folder("model", write_model)
            writer.attach_folder("model", write_another)
        assert files(folder / "artifacts") == {"model/MLmodel2", "model/data/model.keras"}
        assert files(folder) - {f"artifacts/{path}" for path in files(folder / "artifacts")} == {
            "journal.jsonl",
            "run.lock",
        }

    def test_attach_folder_leaves_nothing_of_one_that_could_not_be_written(
        self, folder: Path, started: Started
    ) -> None:
        def fail(model: Path) -> None:
            write_model(model)
            raise OSError(errno.ENOSPC, "No space left on device")

        with (
            JournalWriter.create(folder, started) as writer,
            pytest.raises(JournalError, match=r"cannot keep the artifact .*model: No space left .*; make room on that"),
        ):
            writer.attach_folder("model", fail)
        assert read(folder).events == (started,)
        assert files(folder) == {"journal.jsonl", "run.lock"}


class TestClose:
    def test_close_may_come_twice(self, folder: Path, started: Started) -> None:
        writer = JournalWriter.create(folder, started)
        writer.close()
        writer.close()
        JournalWriter.reopen(folder).close()


UPLOADED = UploadState("run", "file:///tmp/mlruns/1/run/artifacts", 7)


class TestWriteUploadState:
    def test_write_upload_state_replaces_the_old_state_and_leaves_nothing_else(self, tmp_path: Path) -> None:
        write_upload_state(tmp_path, UploadState("run", "there", 1))
        write_upload_state(tmp_path, UPLOADED)
        assert read_upload_state(tmp_path) == UPLOADED
        assert [path.name for path in tmp_path.iterdir()] == ["delivery.json"]

    def test_write_upload_state_says_that_it_cannot_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(JournalError, match=r"cannot write .*gone/delivery\.json: "):
            write_upload_state(tmp_path / "gone", UPLOADED)
