"""What libraries import for each other and no command uses is imported when something of it is first asked for.

SciPy's special functions go through all names that NumPy has, and thereby import its compiler of Fortran, its masked
arrays and its tools for tests: a tenth of a second of each report.

Keras imports Matplotlib, scikit-learn and pandas if they are installed, for what draws images, wraps models and reads
tables: 1.5 s of the processor. Nothing that tracker does needs them there, but somebody else's program may, so only a
process that is tracker's own, of a command or a sweep's worker, does without.
"""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from importlib.util import LazyLoader
from threading import get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_UNUSED = ("numpy.f2py", "numpy.ma", "numpy.polynomial", "numpy.testing")


@contextmanager
def imported_late(*names: str) -> Iterator[None]:
    """Import modules, by default those that no command uses, only when they are first used."""
    finder = _LateFinder(names or _UNUSED)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


_own: list[bool] = []  # not empty in a process that runs nobody else's program


def mark_own_process() -> None:
    """Have large libraries imported in less time from here on: this process is tracker's own."""
    _own.append(True)


@contextmanager
def imported_quickly(*extras: str) -> Iterator[None]:
    """Import a large library in less time, if this process is tracker's own.

    It finds none of `extras`, packages that it does without, unless they are imported already; other threads find
    them. What it makes isn't searched for garbage, now or later: it is there for as long as the process.
    """
    if not _own:
        yield
        return
    finder = _HidingFinder(extras)
    sys.meta_path.insert(0, finder)
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        gc.freeze()
        if was_enabled:
            gc.enable()


class _HidingFinder(MetaPathFinder):
    """Makes the thread that has made it import some packages as if they weren't installed."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names, self._thread = names, get_ident()

    def find_spec(self, fullname: str, *_others: object) -> None:
        """Raise `ModuleNotFoundError` for a package that is hidden; None for all others, which Python finds itself."""
        if fullname in self._names and get_ident() == self._thread:
            raise ModuleNotFoundError(f"{fullname} is left out", name=fullname)


class _LateFinder(MetaPathFinder):
    """Finds some modules as Python does, and leaves them to its loader that is late."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load a module late; None for all others, which Python finds itself."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname in self._names else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
