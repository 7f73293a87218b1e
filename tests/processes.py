"""Commands in processes of their own, forked from one in which the heavy libraries are imported already.

A process that trains takes five seconds or more to import TensorFlow. What is forked instead is as real: it has a
process id of its own, can be killed, interrupted or starved of output, and shares nothing with the test. How an
installed command starts is for other tests.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Mapping, Sequence

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(
    [
        *("tracker.training.fit", "tracker.store.upload", "tracker.store.mlflow_client", "tracker.figures"),
        *("tracker.recording.train", "tracker.recording.reports", "tracker.render.documents", "tracker.cli.run"),
        *("mlflow.keras", "mlflow.pyfunc", "mlflow.store.tracking.sqlalchemy_store", "librosa.core.spectrum"),
        "mlflow.cli",
        "tests.forked",
    ]
)


def start_fork_server() -> str:
    """Start the process to fork from, and return its address for others to fork from it, too: it ends with this one."""
    with pytest.MonkeyPatch.context() as patch:  # whatever folder pytest was started in, and however
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)
        forkserver.ensure_running()
    return str(forkserver._forkserver._forkserver_address)


def use_fork_server(address: str) -> None:
    """Fork from a process that another has started, rather than load the libraries a second time."""
    server = forkserver._forkserver
    server.ensure_running = lambda: None
    server._forkserver_address = address
    server._forkserver_alive_fd = os.open(os.devnull, os.O_WRONLY)  # which would keep it alive


class Forked:
    """A running process: what the tests need of a `subprocess.Popen` with pipes behind its output."""

    def __init__(
        self,
        call: Callable[..., object],
        *arguments: object,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        stdout: int | None = None,
    ) -> None:
        start_fork_server()
        out, child_out = FORKING.Pipe(duplex=False)
        err, child_err = FORKING.Pipe(duplex=False)
        if stdout is not None:
            child_out = Connection(os.dup(stdout), readable=False)
        variables = dict(os.environ if environment is None else environment)
        given = (child_out, child_err, str(folder or Path.cwd()), variables, call, arguments)
        self._process = FORKING.Process(target=_run, args=given)
        self._process.start()
        child_out.close()
        child_err.close()
        self.stdout, self.stderr = _text(out), _text(err)

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float = 300) -> tuple[str, str]:
        """Return all that it prints until it ends."""
        out, err = self.stdout.read(), self.stderr.read()
        self._process.join(timeout)
        assert self.returncode is not None
        return out, err

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.stderr.close()
        self._process.join(300)


def command(words: Sequence[object], **options: object) -> Forked:
    """Start `tracker` with some words."""
    return Forked(_command, [str(word) for word in words], **options)


def _command(words: Sequence[str]) -> None:
    from tracker.cli import main

    main(words)


def _text(pipe: Connection) -> io.TextIOWrapper:
    stream = os.fdopen(os.dup(pipe.fileno()), encoding="utf-8")
    pipe.close()
    return stream


def _run(
    out: Connection,
    err: Connection,
    folder: str,
    variables: Mapping[str, str],
    call: Callable[..., object],
    arguments: Sequence[object],
) -> None:
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    out.close()
    err.close()
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it would be ignored
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    call(*arguments)
