"""What a run was made with, as far as it decides the result: versions, threads, code. Imports nothing heavy."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

import tracker
from tracker.errors import TrainingError
from tracker.training.code import code_digests, network_code
from tracker.training.networks import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

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
