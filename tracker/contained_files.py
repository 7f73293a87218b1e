"""Files opened beneath a folder, so that nothing in a project leads out of it, to read or to write.

People unpack archives and clone projects. Such a project may hold links, named pipes and devices in the place of
files, and its records name paths of their maker's choice. So each access has a *root*, a folder that the user named or
works in, and a path beneath it that is followed step by step.

- The root is opened as it is, through whatever links lead to it.
- Beneath the root no link is followed, to read, write, list, copy or delete. Links in a place where a file is replaced
  are themselves replaced. A path that isn't beneath its root, or has ``..`` in it, is refused.
- Only regular files are read, up to a size that each caller states. Anything else is refused by name and never waited
  for.
- What a user names on the command line (audio, manifests, networks, a report to check) may be a link; it is opened by
  `open_regular`. What is written where the user says may lie behind links that stay in the working folder, or beside
  them: `resolve_output`.

Roots that are chosen: the project's folder for ``.tracker``, so that this folder must not be a link; the cache folder
for what it contains; the folder of a file store, such as ``mlruns``, which is only read. A user may have made
``mlruns`` a link to a large disk: artifacts are read through that one link, since a report only parses files of fixed
names and shows nothing of one that isn't what its name says. Nothing is written or copied through it, since a stranger
may have made it lead to a home: a store on another disk is named with ``--tracking-uri``. An artifact URI that leads
out of the store's folder is read only if it ends in the run's own id and ``artifacts``, as MLflow's own folders do,
and never copied or written to.

Where a system has no ``openat`` (Windows), each step is examined before it is used.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, Self, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

# Largest sizes that are read, in bytes.
LARGEST_RECORD = 2**20  # of who writes a run, or how much of it a store has
LARGEST_ARTIFACT = 2**28  # of what a report reads: the predictions of 10,000 clips × 50 classes × 130 epochs
LARGEST_SOURCE = 2**28  # of a manifest, a network, a report to check
LARGEST_JOURNAL = 2**30
LARGEST_CHECKPOINT = 2**32

_HAS_OPENAT = hasattr(os, "O_NOFOLLOW") and hasattr(os, "O_DIRECTORY") and os.open in os.supports_dir_fd
_SAFELY = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_MODES = {
    "rb": os.O_RDONLY,
    "r+b": os.O_RDWR | os.O_CREAT,  # a file to write to in places
    "ab": os.O_WRONLY | os.O_APPEND,
    "xb": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
}
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISREG, "a file"),
)

Mode = Literal["rb", "r+b", "ab", "xb"]


class UnsafePathError(OSError):
    """A path that leads out of its root, or to what isn't a regular file, or to a file that is too large."""

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        super().__init__(0, reason, str(path))
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}; {self.remedy}"


class Folder:
    """An open folder: what is done in it by name stays in it, even if another process moves or replaces it."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path = path
        self.descriptor = descriptor  # None on systems without ``openat``

    @classmethod
    def opened(cls, root: Path) -> Self:
        """Open a root, through links if need be; to be closed."""
        return cls(root, os.open(root, os.O_RDONLY | os.O_DIRECTORY | _SAFELY) if _HAS_OPENAT else None)

    def close(self) -> None:
        """Close the folder."""
        if self.descriptor is not None:
            os.close(self.descriptor)

    def at(self, name: str) -> str | Path:
        """Return a name as the system's calls take it together with `descriptor`."""
        if "\0" in name:
            raise UnsafePathError(self.path / name.replace("\0", "\\0"), "the name has a NUL in it", "give another")
        if name in {"", ".", ".."}:
            raise UnsafePathError(self.path / name, f"{name!r} is no name in a folder", "give another")
        return self.path / name if self.descriptor is None else name

    def status(self, name: str) -> os.stat_result | None:
        """Return what is there by a name, a link if it is one; None if nothing is."""
        with suppress(FileNotFoundError):
            return os.stat(self.at(name), dir_fd=self.descriptor, follow_symlinks=False)
        return None

    def enter(self, name: str, *, make: bool = False) -> Folder:
        """Open a folder in this one, made if it is missing and `make`; to be closed."""
        if make:
            with suppress(FileExistsError):
                os.mkdir(self.at(name), dir_fd=self.descriptor)
        status = self.status(name)
        if status and not stat.S_ISDIR(status.st_mode):
            if stat.S_ISLNK(status.st_mode) or not stat.S_ISREG(status.st_mode):
                raise _refusal(self.path / name, status.st_mode, "a folder")
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(self.path / name))
        flags = os.O_RDONLY | _SAFELY | _NO_LINK | getattr(os, "O_DIRECTORY", 0)
        if self.descriptor is None:
            if not status:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path / name))
            return Folder(self.path / name, None)
        with _full_names(self.path / name):
            return Folder(self.path / name, os.open(name, flags, dir_fd=self.descriptor))

    def open(self, name: str, mode: Mode = "rb", *, access: int = 0o666) -> IO[bytes]:
        """Open a regular file, not through a link and without waiting; `access` is for one that is new."""
        path, flags = self.path / name, _MODES[mode] | _SAFELY | _NO_LINK
        if mode != "xb" and (status := self.status(name)):  # a pipe or device must not even be opened
            _check_regular(path, status.st_mode)
        with _full_names(path):
            descriptor = os.open(self.at(name), flags, access, dir_fd=self.descriptor)
        return _as_file(path, descriptor, mode)

    def names(self) -> list[str]:
        """Return the names in the folder, sorted."""
        with os.scandir(self.path if self.descriptor is None else self.descriptor) as entries:
            return sorted(entry.name for entry in entries)

    def remove(self, name: str) -> None:
        """Remove a file or link."""
        os.unlink(self.at(name), dir_fd=self.descriptor)

    def sync(self) -> None:
        """Sync the names in the folder; Windows does so by itself."""
        descriptor = self.descriptor
        if descriptor is not None:
            os.fsync(descriptor)


@contextmanager
def open_folder(path: Path, root: Path, *, make: bool = False) -> Iterator[Folder]:
    """Open a folder beneath a root, both included, with the folders between if they are missing and `make`."""
    folder = Folder.opened(root)
    try:
        for name in _steps(path, root):
            above, folder = folder, folder.enter(name, make=make)
            above.close()
        yield folder
    finally:
        folder.close()


@contextmanager
def open_file(path: Path, root: Path, mode: Mode = "rb") -> Iterator[IO[bytes]]:
    """Open a regular file beneath a root."""
    with open_folder(path.parent, root) as folder, folder.open(path.name, mode) as file:
        yield file


def read_file(path: Path, root: Path, largest: int) -> bytes:
    """Return the content of a regular file beneath a root, of at most `largest` bytes."""
    with open_file(path, root) as file:
        return read_all(file, path, largest)


def read_all(file: IO[bytes], path: Path, largest: int) -> bytes:
    """Return the content of an open file, of at most `largest` bytes."""
    size = os.fstat(file.fileno()).st_size
    if size > largest:
        raise UnsafePathError(path, f"it has {size:,} bytes, and at most {largest:,} are read", "remove it")
    return file.read()


def open_regular(path: Path) -> BufferedReader:
    """Open a file that the user named, through links if need be, without waiting for what isn't a file."""
    _check_regular(path, path.stat().st_mode)
    return cast("BufferedReader", _as_file(path, os.open(path, os.O_RDONLY | _SAFELY), "rb"))


def read_regular(path: Path, largest: int = LARGEST_SOURCE) -> bytes:
    """Return the content of a file that the user named, of at most `largest` bytes."""
    with open_regular(path) as file:
        return read_all(file, path, largest)


def contains(folder: Path, path: str, root: Path) -> bool:
    """Return whether a path leads from a folder to a regular file or folder in it, without links below a root."""
    place = folder / path
    if place == folder or not place.is_relative_to(folder):
        return False
    try:
        with open_folder(place.parent, root) as opened:
            status = opened.status(place.name)
    except OSError:
        return False
    return status is not None and (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode))


def is_folder(path: Path, root: Path) -> bool:
    """Return whether a folder is beneath a root, without links on the way."""
    with suppress(OSError), open_folder(path, root):
        return True
    return False


def check_place(path: Path, root: Path) -> None:
    """Raise `UnsafePathError` if what would be written to a path would lead out of a root; it need not exist yet."""
    steps, here = _steps(path, root), Folder.opened(root)
    try:
        for name in steps:
            status = here.status(name)
            if not status:
                return
            if stat.S_ISLNK(status.st_mode):
                raise _refusal(here.path / name, status.st_mode, "what it leads to")
            if not stat.S_ISDIR(status.st_mode):
                return
            above, here = here, here.enter(name)
            above.close()
    finally:
        here.close()


def list_tree(path: Path, root: Path) -> Iterator[Path]:
    """Yield every regular file below a folder; raise `UnsafePathError` for a link or anything else."""
    with open_folder(path, root) as folder:
        names = [(name, folder.status(name)) for name in folder.names()]
    for name, status in names:
        if status and stat.S_ISDIR(status.st_mode):
            yield from list_tree(path / name, root)
        elif status:
            _check_regular(path / name, status.st_mode)
            yield path / name


def resolve_output(path: Path) -> Path:
    """Return where a path given for output leads, refusing links that leave the working folder, or its own one.

    A relative path, or one below the working folder, must stay below that; any other in its own folder. Links in
    ``/dev`` and ``/proc`` are the system's own.
    """
    here = Path.cwd()
    place, target = (Path(resolved(here / path)) for resolved in (os.path.normpath, os.path.realpath))
    if place.parts[1:2] in {("dev",), ("proc",)}:
        return path
    root = here if place.is_relative_to(here) else place.parent
    if not target.is_relative_to(root.resolve()):
        raise UnsafePathError(path, f"a link leads from there to {target}", "give that path itself, or remove the link")
    return target


def write_stream(path: Path, content: bytes) -> None:
    """Write to a device or a pipe; one that no process reads from is refused, not waited for."""
    try:
        descriptor = os.open(path, os.O_WRONLY | _SAFELY)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise UnsafePathError(path, "no process reads from that pipe", "remove it, or start its reader") from error
        raise
    with os.fdopen(descriptor, "wb") as file:
        os.set_blocking(descriptor, True)
        file.write(content)


def _steps(path: Path, root: Path) -> tuple[str, ...]:
    """Return the names that lead from a root to a path."""
    if not path.is_relative_to(root) or ".." in (steps := path.relative_to(root).parts):
        raise UnsafePathError(path, f"it leads out of {root}", "nothing outside is read or written")
    return steps


def _as_file(path: Path, descriptor: int, mode: Mode) -> IO[bytes]:
    """Return a file of a descriptor if it is a regular one; else close it."""
    try:
        _check_regular(path, os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, mode.replace("x", "w"), buffering=0 if mode == "ab" else -1)
    except BaseException:
        os.close(descriptor)
        raise


def _check_regular(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise _refusal(path, mode, "a file")


def _refusal(path: Path, mode: int, wanted: str) -> UnsafePathError:
    kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "a device")
    return UnsafePathError(path, f"{path.name} is {kind}", f"put {wanted} itself in its place, or remove it")


@contextmanager
def _full_names(path: Path) -> Iterator[None]:
    """Let errors of calls that are given a name alone name the path."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise
