"""MLflow's own UI on a store, started lean: one worker, no job runner; 0.5 GB rather than 2.5."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from urllib.request import ProxyHandler, build_opener

from tracker.errors import StoreError
from tracker.store.database import require_readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from tracker.store.location import Location

HOST = "127.0.0.1"
PORT = 5000

_ENVIRONMENT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_STARTING_S = 120.0  # longest wait for the first answer: 7 to 9 s on two cores, more on a busy machine

_ANSWER_S = 2.0
_ENDING_S = 10.0


@dataclass(frozen=True)
class Server:
    """See `tracker.store.UiServer`."""

    address: str
    port: int
    process: subprocess.Popen[bytes]

    def wait(self) -> int:
        """Wait until it ends and return its exit status; an interrupt ends the wait with 0."""
        with suppress(KeyboardInterrupt):
            return self.process.wait()
        return 0


def ui_command(location: Location, host: str = HOST, port: int = PORT) -> tuple[list[str], dict[str, str]]:
    """Return the command line of MLflow's UI on a store and the environment to add to one's own.

    Raises
    ------
    StoreError
        If there is no store that this MLflow can open as it is, as the UI would make or migrate it; or it is a server.
    """
    if not location.database:
        raise StoreError(f"the store is a tracking server and has its UI at {location.shown}: open that in a browser")
    require_readable(location.database)
    argv = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", location.uri]
    argv += ["--default-artifact-root", location.artifacts, "--artifacts-destination", location.artifacts]
    argv += ["--host", host, "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]
    return argv, dict(_ENVIRONMENT)


@contextmanager
def serving(location: Location, port: int = PORT, host: str = HOST) -> Iterator[Server]:
    """Run MLflow's UI: it answers when the context begins and has ended when it is left.

    Another port that is free is used if `port` is taken.

    Raises
    ------
    StoreError
        If the store can't be shown or the UI doesn't start.
    """
    port = free_port(host, port)
    argv, environment = ui_command(location, host, port)
    with tempfile.TemporaryFile() as output, _process(argv, environment, output) as process:
        address = f"http://{host}:{port}"
        try:
            await_answer(address, process)
        except StoreError as error:
            raise StoreError(f"{error}{_last_line(output)}") from error
        yield Server(address, port, process)


def free_port(host: str, preferred: int) -> int:
    """Return the preferred port, or any other if it is taken; raise `StoreError` if the host isn't this machine."""
    for port in (preferred, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    raise StoreError(f"cannot listen on {host}: give one of this machine's addresses")


def await_answer(address: str, process: subprocess.Popen[bytes], patience_s: float = _STARTING_S) -> None:
    """Wait until a UI answers; raise `StoreError` if it ends or doesn't answer in time."""
    direct = build_opener(ProxyHandler({}))  # no proxy knows this machine's own addresses
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StoreError(f"MLflow's UI ended before it answered, with exit status {process.returncode}")
        with suppress(OSError), direct.open(f"{address}/health", timeout=_ANSWER_S):
            return
        time.sleep(0.1)
    raise StoreError(f"MLflow's UI at {address} did not answer within {patience_s:.0f} s")


@contextmanager
def _process(argv: list[str], environment: dict[str, str], output: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command; it has ended when the block is left, which a SIGTERM does too.

    It stays in this process's group, so that what ends all of that, such as Ctrl-C, ends it as well.
    """
    with _sigterm_leaves():
        process = subprocess.Popen(argv, env=os.environ | environment, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            yield process
        finally:
            process.terminate()  # which MLflow passes on to its worker
            try:
                process.wait(timeout=_ENDING_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _sigterm_leaves() -> Iterator[None]:
    """Let SIGTERM leave the block in order, rather than end Python at once and leave the server running."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():  # where alone signals can be handled
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _last_line(output: IO[bytes]) -> str:
    output.seek(0)
    lines = output.read().decode("utf-8", "replace").strip().splitlines()
    return f": {lines[-1].strip()}" if lines else ""
