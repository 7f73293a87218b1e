"""Commands forked from a process that has imported all that they import: as real as others but for how they start.

    python -m bench.hostile.forked

Reads one JSON object a line from standard input: `words`, `folder`, `environment`, `out` and `err`. For each it forks a
child that runs the command, writes the child's process id on a line and, once it has ended, its status on another. How
an installed command starts, and what an environment does to it, is for commands that are started as usual.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.hostile.commands import FILE_BYTES, MEMORY_BYTES, Outcome, plain_environment, read_output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HEAVY = (
    "tracker.cli",
    "tracker.recording.train",
    "tracker.recording.uploader",
    "tracker.training.fit",
    "tracker.store.upload",
    "tracker.store.run_files",
    "tracker.figures",
    "tracker.render",
    "tracker.report",
)
"""What imports the libraries that commands need; one that is no longer there makes them slower, and no more."""


class Forker:
    """A process that forks commands, one at a time."""

    def __init__(self, cache: Path) -> None:
        command, pipe = [sys.executable, "-m", "bench.hostile.forked"], subprocess.PIPE
        environment = plain_environment(cache)
        self._process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)

    def run(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str], output: Path, limit_s: float
    ) -> Outcome:
        """Run one command; see `bench.hostile.commands.run`."""
        into, outof = self._process.stdin, self._process.stdout
        assert into and outof  # noqa: S101, PT018 -- it is started with pipes
        asked = {"words": list(words), "folder": str(folder), "environment": dict(environment)}
        into.write(json.dumps(asked | {"out": str(output / "out"), "err": str(output / "err")}) + "\n")
        into.flush()
        child, began = int(outof.readline()), time.monotonic()
        late = threading.Event()
        timer = threading.Timer(limit_s, _kill, (child, late))
        timer.start()
        status = int(outof.readline())
        timer.cancel()
        out, err = read_output(output)
        return Outcome(tuple(words), status, out, err, time.monotonic() - began, late.is_set())

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def _kill(child: int, late: threading.Event) -> None:
    late.set()
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


def main() -> None:
    for name in HEAVY:
        with suppress(ImportError):
            import_module(name)
    settings = {name: value for name, value in os.environ.items() if name not in plain_environment(Path())}
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            _be_a_command(asked, settings)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _be_a_command(asked: dict[str, Any], settings: Mapping[str, str]) -> None:
    """Run a command and exit; what libraries set when they were imported stays set."""
    os.setsid()
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(settings | asked["environment"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    for stream, place in ((0, nothing), (1, _new(asked["out"])), (2, _new(asked["err"]))):
        os.dup2(place, stream)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, used + MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["tracker", *asked["words"]]
    from tracker.cli import main as tracker

    status: object = 0
    try:
        tracker()
    except SystemExit as ended:
        status = ended.code
    except BaseException:  # noqa: BLE001 -- as the interpreter does
        traceback.print_exc()
        status = 1
    for printed in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            printed.flush()
    os._exit(status if isinstance(status, int) else 1 if status else 0)


def _new(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)


if __name__ == "__main__":
    main()
