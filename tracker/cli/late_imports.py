"""What libraries import for each other and no command uses is imported when something of it is first asked for.

SciPy's special functions go through all names that NumPy has, and thereby import its compiler of Fortran, its masked
arrays and its tools for tests: a tenth of a second of each report.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from importlib.util import LazyLoader
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
