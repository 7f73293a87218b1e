"""Files and folders that are whole or not there: written under another name, synced, moved into place.

Conventions: what is being written stands in the folder of its journal as ``.<random>.tmp``, so that a kill leaves
nothing else behind. Synced means handed to the disk, folders too: a power cut takes nothing back.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from tracker.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_REMEDIES = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room in your quota on that disk",
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`)",
    errno.EEXIST: "give a name that is not taken",
    errno.EACCES: "make it yours, or ask its owner for the permission",
    errno.EPERM: "make it yours, or ask its owner for the permission",
    errno.EROFS: "use a folder that can be written to",
}


@contextmanager
def disk_errors(what: str, path: Path) -> Iterator[None]:
    """Turn an error of the disk into one line: what cannot be done, where, why, the remedy.

    Parameters
    ----------
    what : str
        As it reads after "cannot": ``write the journal``.
    path : Path

    Raises
    ------
    JournalError
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        remedy = _REMEDIES.get(error.errno or 0, "see that the disk is well and the folder there")
        raise JournalError(f"cannot {what} {path}: {reason}; {remedy}") from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, over one that is there, so that a reader and a power cut meet the old one or the new one.

    Raises
    ------
    OSError
        If it cannot be written; what was there stays.
    """
    place_whole(path.parent, path, lambda temporary: write_synced(temporary, data))


def place_whole(folder: Path, target: Path, write: Callable[[Path], None]) -> None:
    """Let a file or a folder be written beside, and move it into place once it is whole.

    Parameters
    ----------
    folder : Path
        Where it is written meanwhile, on the same disk as `target` and above it.
    target : Path
        What is there is replaced.
    write : callable
        Writes, synced, to the path it is given, where nothing is.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    temporary = _beside(folder)
    try:
        write(temporary)
        target.parent.mkdir(parents=True, exist_ok=True)
        _move(temporary, target, folder)
    except BaseException:
        _remove(temporary)
        raise
    for parent in target.parents:
        sync_folder(parent)
        if parent == folder:
            break


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and sync it."""
    with path.open("xb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def sync_tree(path: Path) -> None:
    """Sync a folder with all that is in it.

    Raises
    ------
    OSError
        If there is no such folder.
    """
    sync_folder(path)
    for folder, _, names in os.walk(path):
        for name in names:
            with Path(folder, name).open("rb+") as opened:
                os.fsync(opened.fileno())
        sync_folder(Path(folder))


def sync_folder(folder: Path) -> None:
    """Sync which names a folder holds; Windows does so by itself and opens no folder."""
    if os.name == "nt":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process was writing in a folder."""
    for path in folder.glob(".*.tmp"):
        _remove(path)


def _move(temporary: Path, target: Path, folder: Path) -> None:
    """Move into place; a folder that is there, which the system would not replace, steps aside first."""
    if not target.is_dir():
        temporary.replace(target)
        return
    old = _beside(folder)
    target.replace(old)
    temporary.replace(target)
    _remove(old)


def _beside(folder: Path) -> Path:
    return folder / f".{uuid4().hex}.tmp"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
