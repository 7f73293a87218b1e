"""Locks of the system's on files: held by one process at most, and free again as soon as it is gone.

Which process writes a journal, and whether it is still there.

Conventions: a process is known by its host, its number, when it was started and which boot of the machine that was in,
so that a number given again tells no lie. While it writes it also holds a lock of the system's on the journal, which
falls with the process; where there is no ``/proc`` that lock alone decides.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from filelock import FileLock, Timeout

from tracker.atomic_files import disk_errors, write_whole
from tracker.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


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


PROC = Path("/proc")

_FILE = "owner.json"
_LOCK = "run.lock"
_RESUMING = "resuming.lock"

_PROBE_S = 0.1
"""How long to ask for a lock: longer than another who only asks, too, holds it."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that writes a journal.

    Parameters
    ----------
    host : str
    pid : int
    start : int or None, clock ticks since boot
        When it was started; None where there is no ``/proc``.
    boot : str or None
        Id of the boot it was started in; None where the system has none.
    """

    host: str
    pid: int
    start: int | None
    boot: str | None

    @classmethod
    def here(cls, proc: Path = PROC) -> Self:
        """Return this process."""
        pid = os.getpid()
        return cls(socket.gethostname(), pid, _start(pid, proc), _boot(proc))


def alive(owner: Owner, proc: Path = PROC) -> bool | None:
    """Tell whether a process is still there.

    Parameters
    ----------
    owner : Owner
    proc : Path
        Where the system shows its processes.

    Returns
    -------
    bool or None
        None where that cannot be told from here: another host, or a system without ``/proc``.
    """
    if owner.host != socket.gethostname():
        return None
    boot = _boot(proc)
    if None not in {boot, owner.boot} and boot != owner.boot:
        return False
    if owner.start is None or not (proc / "self").exists():
        return None
    return _start(owner.pid, proc) == owner.start


def running(folder: Path, proc: Path = PROC) -> bool | None:
    """Tell whether a process writes the journal in a folder.

    Parameters
    ----------
    folder : Path
    proc : Path
        Where the system shows its processes.

    Returns
    -------
    bool or None
        None where another machine wrote it last, did not close it, and cannot be asked.
    """
    owner = read_owner(folder)
    if owner and alive(owner, proc):
        return True
    if _held(folder / _LOCK):
        return True
    return False if owner is None or _on_this_machine(owner, proc) else None


def read_owner(folder: Path) -> Owner | None:
    """Return who writes the journal in a folder, or wrote it and is gone; None once it was closed."""
    try:
        return Owner(**json.loads((folder / _FILE).read_bytes()))
    except (OSError, TypeError, ValueError):
        return None


def own(folder: Path) -> FileLock:
    """Make this process the one that writes the journal in a folder, until `disown`.

    Raises
    ------
    JournalError
        If another process writes it, or the folder cannot be written to.
    """
    with disk_errors("lock", folder / _LOCK):
        lock = take(folder / _LOCK, _PROBE_S)
    if not lock:
        raise JournalError(f"{folder} is being written by {_shown(read_owner(folder))}: let it end first")
    try:
        with disk_errors("write", folder / _FILE):
            write_whole(folder / _FILE, json.dumps(asdict(Owner.here())).encode())
    except BaseException:
        lock.release()
        raise
    return lock


def disown(folder: Path, lock: FileLock) -> None:
    """Undo `own`; a folder that is no longer to be written to keeps the name of this process until it ends."""
    with suppress(OSError):
        (folder / _FILE).unlink(missing_ok=True)
    lock.release()


def resuming(folder: Path) -> AbstractContextManager[bool]:
    """Be the only one that goes on with the journal in a folder, as a context: it gives False where another does.

    It comes before `own`, by as long as it takes to read the data and to build the network.

    Raises
    ------
    JournalError
        If the folder cannot be written to.
    """
    return taken(folder / _RESUMING)


def _on_this_machine(owner: Owner, proc: Path) -> bool:
    """Tell whether a lock of that process would be seen here: containers differ in their names, not in their boot."""
    return owner.host == socket.gethostname() or (owner.boot is not None and owner.boot == _boot(proc))


def _shown(owner: Owner | None) -> str:
    return f"process {owner.pid} on {owner.host}" if owner else "another process"


def _held(lock: Path) -> bool:
    """Tell whether a lock is held; one that this user may not ask for is taken to be free."""
    if not lock.exists():
        return False
    try:
        mine = take(lock, _PROBE_S)
    except OSError:
        return False
    if mine:
        mine.release()
    return not mine


def _start(pid: int, proc: Path) -> int | None:
    """Return when a process was started; None where it is gone, dead but not yet buried, or cannot be seen."""
    try:
        stat = (proc / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    state, *rest = stat.rpartition(b")")[2].split()  # the name before it may hold anything
    return None if state in {b"Z", b"X"} else int(rest[18])


def _boot(proc: Path) -> str | None:
    try:
        return (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
