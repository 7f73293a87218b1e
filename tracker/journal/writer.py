"""A run's journal being written: what `append` returned from is on the disk, whatever comes after."""

from __future__ import annotations

import json
import os
import shutil
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from tracker.atomic_files import (
    disk_errors,
    make_folder,
    remove_unfinished,
    replace_file,
    replace_path,
    sync_folder,
    sync_tree,
    write_new,
)
from tracker.contained_files import open_folder
from tracker.journal.format import check_artifact_path, from_lines, to_line
from tracker.journal.process_lock import acquire, release
from tracker.journal.reader import ARTIFACTS, JOURNAL, UPLOAD_STATE, is_id, parse, read_bytes, read_upload_state
from tracker.runs.events import Attached, Event, Started, UploadState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from filelock import FileLock


class JournalWriter:
    """Writes one journal, alone; made by `create` or `reopen`, and closed at the end of its context."""

    def __init__(self, folder: Path, lock: FileLock, on_append: Callable[[], None]) -> None:
        self.folder = folder
        self._lock = lock
        self._on_append = on_append
        self._one_at_a_time = threading.Lock()
        with open_folder(folder, folder.parent.parent) as opened:
            self._file = opened.open(JOURNAL, "ab")
        self._count = self._size = 0
        self._mend()

    @classmethod
    def create(cls, folder: Path, started: Started, on_append: Callable[[], None] = lambda: None) -> Self:
        """Begin a journal in a new folder, named by its id; the one above is made if need be, and kept out of git.

        `on_append` is called after each event that is safe, in the thread that wrote it. Raises `JournalError` if the
        folder exists or can't be written to; nothing is left behind then.
        """
        if not is_id(folder.name):
            raise ValueError(f"a journal's folder must be named by 32 lower-case hex digits, got {folder.name!r}")
        with disk_errors("begin a journal at", folder):
            make_journals_folder(folder.parent)
            folder.mkdir(0o700)  # a run's data and names are its owner's alone
            lock = None
            try:
                lock = acquire(folder)
                replace_file(folder / JOURNAL, to_line(started, 1), access=0o600)
                sync_folder(folder.parent)
                return cls(folder, lock, on_append)
            except BaseException:
                if lock:
                    lock.release()
                shutil.rmtree(folder, ignore_errors=True)
                raise

    @classmethod
    def reopen(cls, folder: Path, on_append: Callable[[], None] = lambda: None) -> Self:
        """Continue a journal: a torn last line is cut off, and if it was uploaded it is uploaded again.

        Raises `JournalError` if there is none, it can't be read, or another process writes it.
        """
        parse(folder, read_bytes(folder))
        lock = acquire(folder)
        try:
            remove_unfinished(folder)
            with disk_errors("write the journal", folder / JOURNAL):
                writer = cls(folder, lock, on_append)
            state = read_upload_state(folder)
            if state and state.events > writer._count:
                write_upload_state(folder, replace(state, events=writer._count))
        except BaseException:
            release(folder, lock)
            raise
        return writer

    def append(self, event: Event) -> None:
        """Write an event, any but `Started`; once this returns it is on the disk.

        Raises `JournalError` if the disk is full, gone or not writable. The event may yet be there, whole, or not; what
        was there before stays, and the next `append` writes where it ends.
        """
        if isinstance(event, Started):
            raise ValueError("a journal starts once: append anything but Started")  # noqa: TRY004  (of a right type)
        with self._one_at_a_time, disk_errors("write the journal", self.folder / JOURNAL):
            if os.fstat(self._file.fileno()).st_size != self._size:
                self._mend()
            line = rest = to_line(event, self._count + 1)
            while rest:  # a disk that took a part says with the rest why it takes no more
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
            self._count += 1
            self._size += len(line)
        self._on_append()

    def attach_bytes(self, path: str, data: bytes) -> None:
        """Save an artifact, over one of the same path, and record it; `path` has forward slashes.

        Raises `JournalError` if it can't be written, and `ValueError` if the path leads out of the artifacts.
        """
        self._attach(path, lambda temporary: write_new(temporary, data))

    def attach_folder(self, path: str, write: Callable[[Path], None]) -> None:
        """Have `write` create a folder, at the path it is given, as an artifact; otherwise as `attach_bytes`."""

        def write_and_sync(temporary: Path) -> None:
            write(temporary)
            sync_tree(temporary)

        self._attach(path, write_and_sync)

    def close(self) -> None:
        """Release the journal; a run that did not end is interrupted from here on."""
        if self._file.closed:
            return
        self._file.close()
        release(self.folder, self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _mend(self) -> None:
        """Cut off an incomplete line, and count the complete ones."""
        data = read_bytes(self.folder)
        lines = from_lines(data)
        if lines.size < len(data):
            self._file.truncate(lines.size)
        self._count, self._size = len(lines.events), lines.size

    def _attach(self, path: str, write: Callable[[Path], None]) -> None:
        check_artifact_path(path)
        target = self.folder / ARTIFACTS / path
        with disk_errors("keep the artifact", target):
            replace_path(target, write, folder=self.folder)
        self.append(Attached(path))


def write_upload_state(folder: Path, state: UploadState) -> None:
    """Save how much of the journal in a folder a store has; only the process that uploads it may.

    Raises `JournalError` if it can't be written; what was saved before stays.
    """
    row = {"run_id": state.run_id, "artifacts": state.artifacts, "entries": state.events}
    with disk_errors("write", folder / UPLOAD_STATE):
        replace_file(folder / UPLOAD_STATE, json.dumps(row).encode(), access=0o600)


def make_journals_folder(journals: Path) -> None:
    """Make the folder of all journals if need be, kept out of git; raises `OSError` if it can't be made."""
    make_folder(journals)
    with (
        open_folder(journals, journals.parent) as folder,
        suppress(FileExistsError),
        folder.open(".gitignore", "xb") as ignore,
    ):
        ignore.write(b"*\n")
