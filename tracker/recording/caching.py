"""What the cache takes, and making it smaller.

The folder may be one that has other things in it: only what lies where tracker caches something is counted or removed.
All of it is made again when it is needed. Sizes are in bytes, of which a megabyte has a million.
"""

from __future__ import annotations

import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.atomic_files import cache_folder, disk_errors
from tracker.contained_files import open_folder
from tracker.runs import shown

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

_PLACES = (  # what lies in a sub-folder of such a name, and how many steps of a path name what is used as a whole
    ("features", re.compile("[0-9a-f]{16}"), 9),
    ("measures of clips", re.compile("measures"), 9),
    ("pretrained weights", re.compile("weights"), 2),
    ("descriptions by frozen networks", re.compile("descriptions"), 2),
    ("demo sets", re.compile("demo"), 2),
    ("compiled code", re.compile("numba"), 1),
)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*([kmgt]?b?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class CachePart:
    """One kind of what is cached."""

    name: str
    files: int
    size: int  # bytes
    used_ms: int  # when a file of it was last read or written, as far as the file system says


@dataclass(frozen=True, slots=True)
class Cache:
    """What a cache takes, and what was removed from it before."""

    folder: Path
    parts: tuple[CachePart, ...]  # those that have files
    removed: int = 0  # files
    freed: int = 0  # bytes

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(part.size for part in self.parts)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    part: str
    unit: Path  # what is used as a whole: the file, or its folder
    size: int
    used_ms: int


def bytes_of(text: str) -> int:
    """Return the bytes of a size such as ``2GB``, ``500 MB`` or ``0``; raise ValueError if it is none.

    Only 0 needs no unit: who writes 3 seldom means bytes, which would empty the cache.
    """
    found = _SIZE.fullmatch(text.strip().lower())
    if not found or (float(found[1]) and not found[2]):
        raise ValueError(f"must be a size such as 2GB, 500MB or 0, got {shown(text)}")
    return int(float(found[1]) * _UNITS[found[2].removesuffix("b")])


def look_at_cache(limit: int | None = None) -> Cache:
    """Return what the cache takes; with a limit, after what was used longest ago was removed until it fits.

    Raises
    ------
    JournalError
        If a file can't be removed.
    """
    folder = cache_folder()
    files = list(_files(folder))
    removed = [] if limit is None else _beyond(files, limit)
    for file in removed:
        with (
            disk_errors("remove", file.path),
            suppress(FileNotFoundError),
            open_folder(file.path.parent, folder) as place,
        ):
            place.remove(file.path.name)
    gone = {file.path for file in removed}
    kept = [file for file in files if file.path not in gone]
    parts = (_part(name, [file for file in kept if file.part == name]) for name, _, _ in _PLACES)
    return Cache(folder, tuple(part for part in parts if part.files), len(removed), sum(file.size for file in removed))


def _part(name: str, files: list[_File]) -> CachePart:
    used = max((file.used_ms for file in files), default=0)
    return CachePart(name, len(files), sum(file.size for file in files), used)


def _beyond(files: list[_File], limit: int) -> list[_File]:
    """Return the files to remove so that the others take at most so many bytes: those of a unit together."""
    units: dict[Path, list[_File]] = {}
    for file in files:
        units.setdefault(file.unit, []).append(file)
    left, removed = sum(file.size for file in files), []
    for unit in sorted(units.values(), key=lambda of_one: (max(file.used_ms for file in of_one), of_one[0].path)):
        if left <= limit:
            break
        removed += unit
        left -= sum(file.size for file in unit)
    return removed


def _files(root: Path) -> Iterator[_File]:
    """Yield the regular files that tracker has cached; links are neither followed nor counted."""
    try:
        with open_folder(root, root) as opened:
            names = sorted(opened.names())
    except OSError:  # it isn't there
        return
    for name in names:
        part, steps = next(((part, steps) for part, named, steps in _PLACES if named.fullmatch(name)), ("", 0))
        for path, status in _below(root / name, root) if part else ():
            unit = root.joinpath(*path.relative_to(root).parts[:steps])
            used = max(status.st_atime_ns, status.st_mtime_ns) // 10**6
            yield _File(path, part, unit, status.st_size, used)


def _below(folder: Path, root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    try:
        with open_folder(folder, root) as opened:
            found = [(name, opened.status(name)) for name in sorted(opened.names())]
    except OSError:  # it is no folder, or isn't there any more
        return
    for name, status in found:
        if status and stat.S_ISDIR(status.st_mode):
            yield from _below(folder / name, root)
        elif status and stat.S_ISREG(status.st_mode):
            yield folder / name, status
