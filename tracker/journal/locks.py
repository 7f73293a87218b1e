"""Locks of the system's on files: held by one process at most, and free again as soon as it is gone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from tracker.journal.disk import disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def take(path: Path, wait_s: float = 0) -> FileLock | None:
    """Take a lock.

    Parameters
    ----------
    path : Path
        The file, made where it is missing and left there; its folder is there.
    wait_s : float, s

    Returns
    -------
    FileLock or None
        To be released; None where another holds it, in this process or another.

    Raises
    ------
    OSError
        If there can be no such file.
    """
    path.parent.stat()  # filelock would make a folder that is gone
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        return None
    return lock


@contextmanager
def taken(path: Path) -> Iterator[bool]:
    """Take a lock as a context, at once and without waiting.

    Yields
    ------
    bool
        False where another holds it, in this process or another; the lock of one that died is free.

    Raises
    ------
    JournalError
        If its folder cannot be written to.
    """
    with disk_errors("lock", path):
        lock = take(path)
    try:
        yield lock is not None
    finally:
        if lock:
            lock.release()
