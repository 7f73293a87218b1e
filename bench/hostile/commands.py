"""Real `tracker` commands, one process each, within limits."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]
TRACKER = (sys.executable, "-m", "tracker")

LIMIT_S = 20.0
HEAVY = ("run", "resume")
"""Commands that train: their libraries take seconds to import, and reserve more memory than others may have."""
TRAINING_LIMIT_S = 60.0
_LARGEST = 8 << 20
"""Bytes that are read of what a command prints."""

_SHELL = shutil.which("sh") or "/bin/sh"
MEMORY_BYTES = 6 << 30
FILE_BYTES = 1 << 30
"""What fills the memory or the disk is stopped there."""


@dataclass(frozen=True)
class Outcome:
    """What came of one command.

    Parameters
    ----------
    words : tuple of str
        After ``tracker``.
    status : int
        As a shell has it, negative for a signal.
    out, err : str
    seconds : float
    hung : bool
        Whether it was killed because it took too long.
    """

    words: tuple[str, ...]
    status: int
    out: str
    err: str
    seconds: float = 0.0
    hung: bool = False


def plain_environment(cache: Path) -> dict[str, str]:
    """Return the variables that a command needs, and none of those that whoever runs the benchmark has set."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TRACKER_CACHE": str(cache / "tracker"),
        "TRACKER_THREADS": "1",
        "MPLCONFIGDIR": str(cache / "matplotlib"),
        "NUMBA_CACHE_DIR": str(cache / "numba"),
    }


def run(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    output: Path,
    *,
    prelude: str = "",
    terminal: bool = False,
    limit_s: float = LIMIT_S,
) -> Outcome:
    """Run one command in a folder.

    Parameters
    ----------
    words : sequence of str
        After ``tracker``.
    folder : Path
    environment : mapping
        All that it has.
    output : Path
        A folder for what it prints.
    prelude : str
        Shell code that is run before it, in the same process.
    terminal : bool
        Whether it prints to a terminal rather than to files.
    limit_s : float, s
    """
    limits = (
        f"ulimit -f {FILE_BYTES // 512}; ulimit -c 0; {'' if words[0] in HEAVY else f'ulimit -v {MEMORY_BYTES >> 10};'}"
    )
    shell = [_SHELL, "-c", f'{limits} {prelude}\nexec "$@"', "sh", *TRACKER, *words]
    began = time.monotonic()
    if terminal:
        status, out, err, hung = _on_a_terminal(shell, folder, environment, limit_s)
    else:
        status, out, err, hung = _into_files(shell, folder, environment, output, limit_s)
    return Outcome(tuple(words), status, out, err, time.monotonic() - began, hung)


def _into_files(
    shell: Sequence[str], folder: Path, environment: Mapping[str, str], output: Path, limit_s: float
) -> tuple[int, str, str, bool]:
    with (output / "out").open("wb") as out, (output / "err").open("wb") as err:
        process = subprocess.Popen(
            shell, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        hung = _ended_late(process, limit_s)
    return process.returncode, *read_output(output), hung


def read_output(output: Path) -> tuple[str, str]:
    """Return what a command wrote to the files ``out`` and ``err``, as much of it as anyone would read."""
    read = []
    for name in ("out", "err"):
        with (output / name).open("rb") as file:
            read.append(_text(file.read(_LARGEST)))
    return read[0], read[1]


def _on_a_terminal(
    shell: Sequence[str], folder: Path, environment: Mapping[str, str], limit_s: float
) -> tuple[int, str, str, bool]:
    """Let both streams be one terminal; what it shows counts as output."""
    ours, theirs = pty.openpty()
    read: list[bytes] = []
    process = subprocess.Popen(
        shell, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    reader = threading.Thread(target=_read_all, args=(ours, read))
    reader.start()
    hung = _ended_late(process, limit_s)
    reader.join(5)
    os.close(ours)
    return process.returncode, _text(b"".join(read)).replace("\r\n", "\n"), "", hung


def _read_all(terminal: int, read: list[bytes]) -> None:
    with suppress(OSError):  # the other end is closed
        while chunk := os.read(terminal, 1 << 16):
            read.append(chunk)


def _ended_late(process: subprocess.Popen[bytes], limit_s: float) -> bool:
    """Wait for a command, kill it once its time is over, and kill whatever it has left running."""
    try:
        process.wait(limit_s)
        late = False
    except subprocess.TimeoutExpired:
        late = True
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return late


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
