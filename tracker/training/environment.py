"""The code that decides what a run comes to, known by its content: a version stays the same while files are edited.

Conventions: code is named by its path, with forward slashes: ``models/cnn.py``, ``tracker/training``. A digest is the
beginning of the SHA-256 over its ``.py`` files. Sources are read, never imported.

What a run was made with, as far as it decides the result: versions, threads, code. Imports nothing heavy.
"""

from __future__ import annotations

import ast
import hashlib
import os
import platform
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING

import tracker
from tracker.errors import TrainingError
from tracker.training.networks import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

TRACKER, NETWORKS = files("tracker"), files(PACKAGE)

_OWN = ("features", "runs", "training")
"""What of tracker turns clips into numbers. Reading and dividing a dataset is not: its outcome has a fingerprint."""

_DIGITS = 16


def code_digests(own: Traversable = TRACKER, networks: Traversable = NETWORKS) -> dict[str, str]:
    """Return a digest of all code that may decide what a run comes to: of tracker's own, and of every network.

    Parameters
    ----------
    own, networks : Traversable
        The folders of the packages `tracker` and `models`.

    Returns
    -------
    dict of str to str
        By name.
    """
    mine = {name: place for name, place in _modules("tracker", own).items() if _module(name) in _OWN}
    return {name: _digest(place) for name, place in (mine | _modules(PACKAGE, networks)).items()}


def network_code(network: str, networks: Traversable = NETWORKS) -> frozenset[str]:
    """Return the names of the code in `models` that a network is made of: its module and, in turn, what that imports.

    Parameters
    ----------
    network : str
        One that is not there is made of nothing of its own.
    networks : Traversable
        The folder of the package `models`.
    """
    places = _modules(PACKAGE, networks)
    found: set[str] = set()
    waiting = ["__init__", network]
    while waiting:
        module = waiting.pop()
        here = {name for name in places if _module(name) == module} - found
        waiting += [imported for name in here for imported in _imported_by(places[name])]
        found |= here
    return frozenset(found)


def _modules(package: str, folder: Traversable) -> dict[str, Traversable]:
    """Return the modules and packages in a package by name."""
    inside = sorted(folder.iterdir(), key=lambda entry: entry.name)
    return {f"{package}/{entry.name}": entry for entry in inside if any(_sources(entry))}


def _module(name: str) -> str:
    """Return what a module is imported as."""
    return name.split("/")[1].removesuffix(".py")


def _digest(place: Traversable) -> str:
    digest = hashlib.sha256()
    for source in _sources(place):
        content = source.read_bytes()
        digest.update(f"{source.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:_DIGITS]


def _sources(place: Traversable) -> Iterator[Traversable]:
    """Yield a module's file, or all below a package's folder in the order of their names."""
    if place.is_dir():
        for entry in sorted(place.iterdir(), key=lambda entry: entry.name):
            yield from _sources(entry)
    elif place.name.endswith(".py"):
        yield place


def _imported_by(place: Traversable) -> Iterator[str]:
    """Yield the modules of `models` that a module imports, absolutely or relatively."""
    for source in _sources(place):
        for path in _imports(source.read_bytes()):
            package, _, rest = path.partition(".")
            if package == PACKAGE and rest:
                yield rest.partition(".")[0]


def _imports(source: bytes) -> Iterator[str]:
    """Yield the dotted paths that a module of `models` imports; a leading dot is `models` itself."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return  # it imports nothing as it is, and whoever builds the network will say why
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, (PACKAGE if node.level else None, node.module)))
            yield from (f"{base}.{alias.name}" for alias in node.names)


THREADS_VARIABLE = "TRACKER_THREADS"
DEFAULT_THREADS = 1
"""Threads within one operation. Their number changes the last digits of every weight, so that it must not follow the
machine's cores; on the default network one is about as fast as two, and runs side by side then do not get in each
other's way."""

PACKAGES = ("keras", "tensorflow", "librosa", "numpy")


def threads(variables: Mapping[str, str] = os.environ) -> int:
    """Return the number of threads within one operation: ``TRACKER_THREADS``, or 1.

    Raises
    ------
    TrainingError
        If the variable is no whole number of at least 1.
    """
    text = variables.get(THREADS_VARIABLE, str(DEFAULT_THREADS))
    if not text.isdecimal() or int(text) < 1:
        raise TrainingError(f"{THREADS_VARIABLE} must be a whole number of at least 1, got {text!r}")
    return int(text)


def environment() -> dict[str, str]:
    """Return the versions of what decides a run's result, its number of threads, and a digest of each piece of code."""
    versions = {"tracker": tracker.__version__} | {name: version(name) for name in PACKAGES}
    return versions | {"python": platform.python_version(), "threads": str(threads())} | code_digests()


def differences(network: str, before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Name what of a run's environment is no longer as it was, of what was noted then.

    Parameters
    ----------
    network : str
        The run's: the code of others may change as it likes.
    before, now : mapping of str to str
        As `environment` returns them.

    Returns
    -------
    list of str
    """
    own = network_code(network)
    relevant = (name for name in before if not name.startswith(f"{PACKAGE}/") or name in own)
    return [_difference(name, before[name], now.get(name)) for name in relevant if before[name] != now.get(name)]


def _difference(name: str, before: str, now: str | None) -> str:
    return f"the code in {name}" if "/" in name else f"{name} {before} then, {now or 'none'} now"
