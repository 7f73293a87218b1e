"""Which process writes, resumes or uploads a journal, and whether the writer is still running.

A process that writes a journal holds a lock of the operating system on it, which is free again as soon as the process
is gone, whatever ended it. Host and process id stand beside it for messages, and because the lock of a process on
another machine can't be seen from here.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

from filelock import FileLock, Timeout
from msgspec import Meta

from tracker.atomic_files import disk_errors, replace_file
from tracker.contained_files import LARGEST_RECORD, UnsafePathError, read_file
from tracker.errors import JournalError
from tracker.journal.format import decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

_OWNER = "owner.json"
_LOCK = "run.lock"

_PROBE_S = 0.1  # to ask for a lock: longer than another process that only asks holds it


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that writes a journal."""

    host: Annotated[str, Meta(max_length=255)]
    pid: Annotated[int, Meta(ge=1, le=2**31 - 1)]

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def try_lock(path: Path, wait_s: float = 0) -> FileLock | None:
    """Acquire a lock, to be released; None if another holds it, in this process or another.

    The file is created if it is missing, and left there; raises `OSError` if it can't be.
    """
    path.parent.stat()  # filelock would create a missing folder
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        return None
    return lock


@contextmanager
def locking(path: Path) -> Iterator[bool]:
    """Hold a lock while the context lasts; yields False, at once, if another holds it.

    Raises `JournalError` if its folder can't be written to.
    """
    with disk_errors("lock", path):
        lock = try_lock(path)
    try:
        yield lock is not None
    finally:
        if lock:
            lock.release()


def resuming(folder: Path) -> AbstractContextManager[bool]:
    """Be the only process that resumes the journal in a folder, as `locking` is.

    It comes before `acquire`, by as long as it takes to read the data and build the network.
    """
    return locking(folder / "resuming.lock")


def sending(folder: Path) -> AbstractContextManager[bool]:
    """Be the only process that uploads the journal in a folder, as `locking` is."""
    return locking(folder / "sending.lock")


def acquire(folder: Path) -> FileLock:
    """Make this process the one that writes the journal in a folder, until `release`.

    Raises `JournalError` if another process writes it, or the folder can't be written to.
    """
    with disk_errors("lock", folder / _LOCK):
        lock = try_lock(folder / _LOCK, _PROBE_S)
    if not lock:
        raise JournalError(f"{folder} is being written by {read_owner(folder) or 'another process'}: let it end first")
    try:
        with disk_errors("write", folder / _OWNER):
            owner = json.dumps(asdict(Owner(socket.gethostname(), os.getpid()))).encode()
            replace_file(folder / _OWNER, owner, access=0o600)
    except BaseException:
        lock.release()
        raise
    return lock


def release(folder: Path, lock: FileLock) -> None:
    """Undo `acquire`; a folder that can't be written to any more keeps the name of this process."""
    with suppress(OSError):
        (folder / _OWNER).unlink(missing_ok=True)
    lock.release()


def read_owner(folder: Path, warn: Callable[[str], None] = lambda _problem: None) -> Owner | None:
    """Return the process that writes the journal in a folder, or died while it did; None after `release`.

    Also None if the file is damaged, of which `warn` is told.
    """
    try:
        return decoded(read_file(folder / _OWNER, folder, LARGEST_RECORD), Owner)
    except UnsafePathError as error:
        warn(str(error))
        return None
    except OSError:
        return None
    except ValueError as error:
        warn(f"{folder / _OWNER} is damaged ({error}): which process wrote the run isn't known")
        return None


def is_running(folder: Path) -> bool | None:
    """Return whether a process writes the journal in a folder; None if another machine did and never closed it."""
    with suppress(OSError):  # a lock that this user may not open counts as free
        if (folder / _LOCK).exists():
            lock = try_lock(folder / _LOCK, _PROBE_S)
            if not lock:
                return True
            lock.release()
    owner = read_owner(folder)
    return None if owner and owner.host != socket.gethostname() else False
