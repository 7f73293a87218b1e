"""Files and folders that are complete or not there: written under another name, then moved into place.

Conventions: what is being written is called ``.<random>.tmp``, so that a killed process leaves nothing else behind.
Durable means synced to the disk, folders too, so that a power cut loses nothing. What can be made again lies in one
folder, the cache.
"""

from __future__ import annotations

import atexit
import errno
import os
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import uuid4

from tracker.contained_files import Folder, UnsafePathError, is_folder, list_tree, open_file, open_folder
from tracker.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NOT_YOURS = "make it yours, or ask its owner for permission"
_REMEDIES = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room in your quota on that disk",
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`)",
    errno.EEXIST: "give a name that isn't taken",
    errno.EACCES: _NOT_YOURS,
    errno.EPERM: _NOT_YOURS,
    errno.EROFS: "use a folder that can be written to",
}


@contextmanager
def disk_errors(action: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` into a `JournalError` of one line: what can't be done, where, why, the remedy.

    `action` reads as after "cannot": ``write the journal``.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        remedy = _REMEDIES.get(error.errno or 0, "check that the disk works and the folder exists")
        remedy = error.remedy if isinstance(error, UnsafePathError) else remedy
        raise JournalError(f"cannot {action} {path}: {reason}; {remedy}") from error


def replace_file(
    path: Path,
    data: bytes | memoryview,
    *,
    root: Path | None = None,
    durable: bool = True,
    access: int = 0o666,
) -> None:
    """Write a file, or replace it, so that a reader, an error and a power cut leave the old content or the new.

    A link in its place is replaced, not followed; neither is any between `root`, by default the folder that the file
    is in, and it. `access` is the mode before the umask.
    """
    with open_folder(path.parent, root or path.parent) as folder:
        temporary = _temporary_name()
        try:
            _write(folder, temporary, data, durable=durable, access=access)
            _move(folder, temporary, folder, path.name)
        except BaseException:
            with suppress(OSError):
                folder.remove(temporary)
            raise
        if durable:
            folder.sync()


def replace_path(
    target: Path, write: Callable[[Path], None], *, folder: Path | None = None, durable: bool = True
) -> None:
    """Have a file or folder written beside, and move it into place when it is complete.

    Parameters
    ----------
    target : Path
        Replaced if it exists; the folders between `folder` and it are created, and must not be links.
    write : callable
        Writes to the path it is given, where nothing is; it syncs what it writes if that must be durable.
    folder : Path, optional
        Existing folder above `target` in which it is written, by default the one that `target` is in.
    durable : bool
        Whether to sync the folders too, up to `folder`.
    """
    folder = folder or target.parent
    temporary, old = (folder / _temporary_name() for _ in range(2))
    with open_folder(folder, folder) as outer:
        try:
            write(temporary)
            with open_folder(target.parent, folder, make=True) as inner:
                if _is_folder(inner, target.name) and _is_folder(outer, temporary.name):
                    _move(inner, target.name, outer, old.name)  # the system replaces no folder that has something in it
                _move(outer, temporary.name, inner, target.name)
            _remove(old)
        except BaseException:
            _remove(temporary)
            raise
    for parent in target.parents if durable else ():
        sync_folder(parent)
        if parent == folder:
            break


def write_new(path: Path, data: bytes | memoryview, *, durable: bool = True) -> None:
    """Write a file that must not exist yet, and sync it."""
    with open_folder(path.parent, path.parent) as folder:
        _write(folder, path.name, data, durable=durable, access=0o666)


def _write(folder: Folder, name: str, data: bytes | memoryview, *, durable: bool, access: int) -> None:
    with folder.open(name, "xb", access=access) as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def _move(source: Folder, old: str, target: Folder, new: str) -> None:
    os.replace(source.at(old), target.at(new), src_dir_fd=source.descriptor, dst_dir_fd=target.descriptor)


def _is_folder(folder: Folder, name: str) -> bool:
    status = folder.status(name)
    return status is not None and stat.S_ISDIR(status.st_mode)


def _temporary_name() -> str:
    return f".{uuid4().hex}.tmp"


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, and sync their names."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        sync_folder(folder.parent)


@contextmanager
def folder_when_complete(folder: Path) -> Iterator[Path]:
    """Yield a folder to write to; its content moves to `folder`, new or empty, if the context ends without error."""
    target = folder.resolve()
    temporary = target.with_name(f".{target.name}-{uuid4().hex[:8]}.tmp")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if target.is_dir():  # it may be somebody's working directory, or a link: it stays, and is filled
            for entry in sorted(temporary.iterdir()):
                shutil.move(entry, target / entry.name)
        else:
            temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def copy_path(
    source: Path, target: Path, *, source_root: Path, target_root: Path, durable: bool = True, shared: bool = False
) -> None:
    """Copy a file or a folder so that it is complete or not there.

    Nothing between the roots and what is copied, and nothing in a folder that is copied, may be a symbolic link or
    anything but a regular file or a folder. What is at the target is replaced. A `shared` copy takes no room if the
    file system has hard links: its files are those of the source, so neither may be written to in place.
    """

    def copy(temporary: Path) -> None:
        if not is_folder(source, source_root):
            _copy_file(source, source_root, temporary, durable=durable, shared=shared)
            return
        temporary.mkdir()
        for file in list_tree(source, source_root):
            copied = temporary / file.relative_to(source)
            copied.parent.mkdir(parents=True, exist_ok=True)
            _copy_file(file, source_root, copied, durable=False, shared=shared)
        if durable:
            sync_tree(temporary)

    with open_folder(target.parent, target_root, make=True):
        replace_path(target, copy, durable=durable)


def _copy_file(source: Path, root: Path, target: Path, *, durable: bool, shared: bool) -> None:
    with open_file(source, root) as file:
        if shared:
            with suppress(OSError):
                target.hardlink_to(source)
                return
        _copy_content(file, target, durable=durable)


def _copy_content(file: IO[bytes], target: Path, *, durable: bool) -> None:
    with target.open("xb") as copied:
        shutil.copyfileobj(file, copied)
        if durable:
            copied.flush()
            os.fsync(copied.fileno())


def sync_tree(path: Path) -> None:
    """Sync a folder and everything in it."""
    sync_folder(path)
    for folder, _, names in os.walk(path):
        for name in names:
            with Path(folder, name).open("rb+") as file:
                os.fsync(file.fileno())
        sync_folder(Path(folder))


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder; Windows does so by itself and can't open folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process was writing in a folder."""
    for path in folder.glob(".*.tmp"):
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def cache_folder() -> Path:
    """Return where what can be made again is cached: ``TRACKER_CACHE`` or the system's own place.

    Without a home, as containers may be, that is a folder for this process alone.
    """
    import platformdirs

    given = os.environ.get("TRACKER_CACHE")
    try:
        place = Path(given or platformdirs.user_cache_dir("tracker"))
    except RuntimeError:  # there is no home
        return _folder_of_process()
    return place if given or place.is_absolute() else _folder_of_process()


@cache
def _folder_of_process() -> Path:
    folder = tempfile.mkdtemp(prefix="tracker-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
