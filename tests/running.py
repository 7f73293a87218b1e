"""Commands, and what they say, in this process and in others."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tracker.recording.reporter import SilentReporter

if TYPE_CHECKING:
    from tracker.store.location import Location

TRACKER = Path(sys.executable).with_name("tracker")
"""The installed command."""
SMALL_NETWORK = Path(__file__).with_name("networks") / "small.py"
"""A network to train where its layers may matter."""
TINY_NETWORK = SMALL_NETWORK.with_name("tiny.py")
"""A network to train where it matters little which."""
LATE_NETWORK = SMALL_NETWORK.with_name("late.py")
"""A network whose training diverges in its third step."""
FULL = Path("/dev/full")
"""A device that takes not one byte."""
needs_full = pytest.mark.skipif(not FULL.exists(), reason="the system has no device that is always full")


@dataclass(frozen=True)
class Result:
    """A command's exit status and what it printed."""

    status: int
    out: str
    err: str


class Collected(SilentReporter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.warnings: list[str] = []

    def log(self, message: str) -> None:
        self.messages.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


Tracker = Callable[..., Result]
LogRun = Callable[..., str]


class Served(NamedTuple):
    """One store, reached in two ways."""

    direct: Location
    http: Location
