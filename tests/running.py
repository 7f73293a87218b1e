"""Commands, and what they say, in this process and in others."""

from __future__ import annotations

import os
import pty
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
CHROMIUM = shutil.which("chromium")
"""The browser, if there is one."""
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


@contextmanager
def a_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Both streams as one terminal; what it shows is there once the context is left."""
    ours, theirs = pty.openpty()
    chunks: list[bytes] = []
    shown: list[str] = []

    def read() -> None:
        with suppress(OSError):  # the other end is closed
            while chunk := os.read(ours, 1 << 16):
                chunks.append(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    monkeypatch.setenv("TERM", "xterm")
    with monkeypatch.context() as patched, os.fdopen(theirs, "w", encoding="utf-8") as stream:
        patched.setattr(sys, "stdout", stream)
        patched.setattr(sys, "stderr", stream)
        yield shown
    reader.join(10)
    os.close(ours)
    shown.append(b"".join(chunks).decode())
