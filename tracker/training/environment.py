"""What a run was made with, as far as it decides the result: versions, threads, code. Imports nothing heavy.

A version stays the same while files are edited, so code is identified by its content. Conventions: code is named by its
path, with forward slashes: ``models/cnn.py``, ``tracker/training``. A digest is the beginning of a SHA-256.
"""

from __future__ import annotations

import hashlib
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import tracker
from tracker.errors import TrainingError
from tracker.training.networks import find_network

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE = Path(tracker.__file__).parent

# What of tracker turns clips into numbers. Reading and dividing a dataset does not: its outcome has a fingerprint.
_OWN = ("features", "runs", "training")

PACKAGES = ("keras", "tensorflow", "librosa", "numpy")


def threads(variables: Mapping[str, str] = os.environ) -> int:
    """Return the number of threads within one operation: ``TRACKER_THREADS``, or 1.

    Their number changes the last digits of every weight, so it must not follow the machine's cores; on the default
    network one is about as fast as two.

    Raises
    ------
    TrainingError
        If the variable isn't a whole number of at least 1.
    """
    text = variables.get("TRACKER_THREADS", "1")
    if not text.isdecimal() or int(text) < 1:
        raise TrainingError(f"TRACKER_THREADS must be a whole number of at least 1, got {text!r}")
    return int(text)


def environment(network: str) -> dict[str, str]:
    """Return the versions of what decides a run's result, its number of threads, and a digest of each piece of code.

    Raises
    ------
    ValueError
        If there is no such network.
    """
    versions = {"tracker": tracker.__version__} | {name: version(name) for name in PACKAGES}
    own = {f"tracker/{room}": folder_digest(PACKAGE / room) for room in _OWN}
    python = {"python": platform.python_version(), "threads": str(threads())}
    return versions | python | own | find_network(network).digests


def folder_digest(folder: Path) -> str:
    """Return a digest of the names and contents of all ``.py`` files below a folder."""
    digest = hashlib.sha256()
    for source in sorted(folder.rglob("*.py")):
        content = source.read_bytes()
        digest.update(f"{source.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Name what has changed in a run's environment since it was recorded; what only `now` has is ignored."""
    return [
        f"the code in {name}" if "/" in name else f"{name} {then} then, {now.get(name) or 'none'} now"
        for name, then in before.items()
        if then != now.get(name)
    ]
