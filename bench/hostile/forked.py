"""Commands forked from a process that has imported all that they import: as real as others but for how they start.

    python -m bench.hostile.forked REQUESTS REPLIES ...

Each pair of pipes, named by the numbers of their ends, is served by a fork of its own. That reads one JSON object a
line: `words`, `folder`, `environment`, `out` and `err`. For each it forks a child that runs the command, writes the
child's process id on a line and, once it has ended, its status on another. How an installed command starts, and what an
environment does to it, is for commands that are started as usual.
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
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.hostile.commands import FILE_BYTES, MEMORY_BYTES, Outcome, plain_environment, read_output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    "mlflow.keras",
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "librosa.filters",
    "scipy.signal",
)
"""What imports the libraries that commands need; one that is no longer there makes them slower, and no more."""


class Forker:
    """What forks commands, one at a time."""

    def __init__(self, requests: int, replies: int) -> None:
        self._into, self._outof = os.fdopen(requests, "w", 1), os.fdopen(replies)

    def run(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str], output: Path, limit_s: float
    ) -> Outcome:
        """Run one command; see `bench.hostile.commands.run`."""
        asked = {"words": list(words), "folder": str(folder), "environment": dict(environment)}
        self._into.write(json.dumps(asked | {"out": str(output / "out"), "err": str(output / "err")}) + "\n")
        child, began = int(self._outof.readline()), time.monotonic()
        late = threading.Event()
        timer = threading.Timer(limit_s, _kill, (child, late))
        timer.start()
        status = int(self._outof.readline())
        timer.cancel()
        out, err = read_output(output)
        return Outcome(tuple(words), status, out, err, time.monotonic() - began, late.is_set())

    def close(self) -> None:
        """End it."""
        self._into.close()
        self._outof.close()


@contextmanager
def forking(number: int, cache: Path) -> Iterator[list[Forker]]:
    """Give so many forkers, forked themselves from one process that imports all: it would take each ten seconds."""
    theirs, forkers = [], []
    for _ in range(number):
        (requests, into), (outof, replies) = os.pipe(), os.pipe()
        theirs += [requests, replies]
        forkers.append(Forker(into, outof))
    command = [sys.executable, "-m", "bench.hostile.forked", *map(str, theirs)]
    with subprocess.Popen(command, env=plain_environment(cache), stdin=subprocess.DEVNULL, pass_fds=theirs):
        for end in theirs:
            os.close(end)
        try:
            yield forkers
        finally:
            for forker in forkers:
                forker.close()


def _kill(child: int, late: threading.Event) -> None:
    late.set()
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


def main() -> None:
    for name in HEAVY:
        with suppress(ImportError):
            import_module(name)
    ends = [int(word) for word in sys.argv[1:]]
    for requests, replies in zip(ends[::2], ends[1::2], strict=True):
        if not os.fork():
            for end in set(ends) - {requests, replies}:
                os.close(end)
            _serve(requests, replies)
            return
    for end in ends:
        os.close(end)
    with suppress(ChildProcessError):
        while os.wait():
            pass


def _serve(requests: int, replies: int) -> None:
    settings = {name: value for name, value in os.environ.items() if name not in plain_environment(Path())}
    with os.fdopen(requests) as asking, os.fdopen(replies, "w", 1) as telling:
        for line in asking:
            child = os.fork()
            if not child:
                os.close(requests)
                os.close(replies)
                _be_a_command(json.loads(line), settings)
            print(child, file=telling)
            _, status = os.waitpid(child, 0)
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            print(os.waitstatus_to_exitcode(status), file=telling)


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
