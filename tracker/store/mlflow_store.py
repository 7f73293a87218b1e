"""MLflow as a `tracker.store.Store`: a SQLite file, or a tracking server; and its own UI on one.

What is only read is in `tracker.store.read_only`, which file stores and other databases share.

What imports MLflow is imported by the call that needs it. The UI is started lean: one worker, no job runner; 0.5 GB
rather than 2.5.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tracker.errors import StoreError
from tracker.store import BY_EPOCH_RUNS, BusyError, Condition, Experiment, GoneError, StoreState, UiServer, ui_process
from tracker.store import database as database_file
from tracker.store.location import Access, restore_artifacts
from tracker.store.mlflow_run import check_change, check_keys, check_start
from tracker.store.reader import deleted_runs, experiment_name, read_artifact, read_experiment, run_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from contextlib import AbstractContextManager
    from types import FrameType

    from tracker.runs.events import Change, Event, Started, UploadState
    from tracker.store import ArtifactPath, ByEpoch, ClipFunction, DeletedRun, KerasModel, RunName, Store, Upload
    from tracker.store.location import Location

_UNUSABLE = {StoreState.OLDER, StoreState.NEWER, StoreState.FOREIGN}

HOST = "127.0.0.1"
_ENVIRONMENT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONSAFEPATH": "1",  # or a module of the working folder could take the place of MLflow's own
}
_STARTING_S = 120.0  # longest wait for the UI's first answer: 7 to 9 s on two cores, more on a busy machine
_ANSWER_S = 2.0
_ENDING_S = 10.0


def store_of(location: Location, folder: Path) -> Store:
    """Return the store at a location; relative paths of artifacts in a database are relative to a folder."""
    if location.access in {Access.SQL, Access.PLUG_IN}:
        from tracker.store.read_only import elsewhere

        return elsewhere(location, folder)
    if location.files:
        from tracker.store.file_store import file_store_of

        return file_store_of(location, location.files)
    return _MlflowStore(location)


@dataclass(frozen=True, slots=True)
class _MlflowStore:
    """See `tracker.store.Store`, which documents each method."""

    location: Location

    @property
    def uri(self) -> str:
        return self.location.public

    @property
    def has_login(self) -> bool:
        return self.location.uri != self.location.public

    @property
    def shown(self) -> str:
        return self.location.shown

    @property
    def folder(self) -> Path | None:
        return self.location.database.parent if self.location.database else None

    @property
    def has_no_file(self) -> bool:
        return self.location.database is not None and not self.location.database.exists()

    def check_usable(self) -> None:
        database = self.location.database
        if database:
            with suppress(BusyError):  # the upload tries again
                state = database_file.state_of(database)
                if state in _UNUSABLE:
                    raise StoreError(database_file.refusal(database, state))

    def check_start(self, started: Started) -> None:
        check_start(started)

    def check_metrics(self, names: Iterable[str]) -> None:
        check_keys("metric", names)

    def read(
        self, experiment: str, *, by_epoch: ByEpoch = BY_EPOCH_RUNS, results_of: AbstractSet[str] | None = None
    ) -> Experiment:
        return read_experiment(self.location, experiment, by_epoch=by_epoch, results_of=results_of)

    def deleted_runs(self, experiment: str) -> tuple[DeletedRun, ...]:
        return deleted_runs(self.location, experiment)

    def matching_runs(self, experiment: str, filter_string: str) -> frozenset[str]:
        from tracker.store.client import matching_runs

        return matching_runs(self.location, experiment, filter_string)

    def experiment_name(self, experiment_id: str) -> str | None:
        return experiment_name(self.location, experiment_id)

    def run_names(self) -> tuple[RunName, ...]:
        return run_names(self.location.database) if self.location.database else ()

    def open_upload(
        self, journal: str, known: UploadState | None, on_uploaded: Callable[[UploadState], None]
    ) -> Upload:
        from tracker.store.upload import JournalUpload

        return JournalUpload(self.location, journal, known, on_uploaded)

    def check_change(self, change: Change) -> None:
        check_change(change)

    def change_run(self, run_id: str, change: Change) -> None:
        from tracker.store.upload import change_run

        change_run(self.location, run_id, change)

    def add_to_run(self, run_id: str, events: Sequence[Event], artifacts: Path) -> None:
        from tracker.store.upload import add_to_run

        add_to_run(self.location, run_id, events, artifacts)

    def register_model(
        self, run_id: str, path: str, name: str, alias: str, description: str, tags: Mapping[str, str]
    ) -> str:
        from tracker.store.registry import register_model

        return register_model(self.location, run_id, path, name, alias, description, tags)

    def log_report(self, experiment: str, run_id: str, page: bytes, verdict: str) -> None:
        from tracker.store.upload import log_report

        log_report(self.location, experiment, run_id, page, verdict)

    def tag_experiment(self, experiment: str, tags: Mapping[str, str]) -> Mapping[str, str]:
        from tracker.store.upload import tag_experiment

        return tag_experiment(self.location, experiment, tags)

    def has_run(self, run_id: str, journal: str) -> bool:
        if self.location.database:
            return database_file.has_run_of(self.location.database, run_id, journal)
        from tracker.store.client import open_store

        try:
            return open_store(self.location).check_run(run_id) == journal
        except GoneError:
            return False

    def read_artifact(self, run_id: str, path: str) -> bytes:
        return read_artifact(self.location, run_id, path)

    def save_model(self, folder: Path, model: KerasModel, clips: ClipFunction, backend: str) -> None:
        from tracker.store.keras_model import save_keras_model

        save_keras_model(folder, model, clips, backend)

    def examine(self, *, has_uploads: bool = False) -> Condition:
        condition = database_file.examine(self.location, has_uploads=has_uploads)
        if condition.state is not StoreState.HALF_MADE or not self.location.database:
            return condition
        database_file.settled_state(self.location.database)
        return database_file.examine(self.location, has_uploads=has_uploads)

    def set_aside(self, *, has_uploads: bool = False) -> Path:
        return database_file.set_aside(self.location, has_uploads=has_uploads)

    def relocate(self) -> tuple[tuple[ArtifactPath, ...], Path | None]:
        return database_file.relocate(self.location)

    def restore_artifacts(self, uri: str | None, paths: Iterable[str], into: Path, folder: Path) -> tuple[str, ...]:
        return restore_artifacts(uri, paths, into, folder)

    def serve_ui(
        self, port: int = 5000, on_start: Callable[[str], None] = lambda _: None
    ) -> AbstractContextManager[UiServer]:
        database = self.location.database
        if database and database_file.state_of(database) is StoreState.UPGRADABLE:
            from tracker.store.client import open_store

            open_store(self.location)  # MLflow's server would migrate it too, but without a lock
        return serving(self.location, port, on_start)


def ui_command(location: Location, port: int) -> tuple[list[str], dict[str, str]]:
    """Return the command line of MLflow's UI on a store and the environment to add to one's own.

    Raises `StoreError` if there is no store that this MLflow can open as it is, as the UI would make or migrate it; or
    it is a server.
    """
    if not location.database:
        raise StoreError(f"the store is a tracking server and has its UI at {location.shown}: open that in a browser")
    database_file.check_current(location.database)
    argv = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", location.uri]
    argv += ["--default-artifact-root", location.artifacts, "--artifacts-destination", location.artifacts]
    options = shlex.join(["--log-level", "warning", "--app-dir", str(Path(sys.executable).parent)])  # not this folder
    argv += ["--host", HOST, "--port", str(port), "--workers", "1", "--uvicorn-opts", options]
    return argv, dict(_ENVIRONMENT)


@contextmanager
def serving(location: Location, port: int, on_start: Callable[[str], None] = lambda _: None) -> Iterator[UiServer]:
    """Run MLflow's UI: it answers when the context begins and has ended when it is left.

    `on_start` is told its address before. Nearly all of the time until it answers goes into MLflow's imports: 5 s of a
    processor.
    """
    port = free_port(port)
    argv, environment = ui_command(location, port)
    with tempfile.TemporaryFile() as output, _process(argv, environment, output) as process:
        address = f"http://{HOST}:{port}"
        on_start(address)
        try:
            await_answer(address, process)
        except StoreError as error:
            output.seek(0)
            lines = output.read().decode("utf-8", "replace").strip().splitlines()
            raise StoreError(": ".join([str(error), *(line.strip() for line in lines[-1:])])) from error
        yield UiServer(address, port, process)


def free_port(preferred: int) -> int:
    """Return the preferred port, or any other if it is taken."""
    for port in (preferred, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise StoreError(f"cannot listen on {HOST}: give one of this machine's addresses")


def await_answer(address: str, process: subprocess.Popen[bytes], patience_s: float = _STARTING_S) -> None:
    """Wait until a UI answers; raise `StoreError` if it ends or doesn't answer in time."""
    from urllib.request import ProxyHandler, build_opener

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
    """Run a command of MLflow; it has ended when the block is left, which a SIGTERM or a SIGHUP does too.

    It stays in this process's group, so that what ends all of that, such as Ctrl-C, ends it as well. If this process is
    killed, it ends too.
    """
    command = [sys.executable, ui_process.__file__, *argv[3:]]
    environment = os.environ | environment
    with _signals_leave():
        process = subprocess.Popen(  # noqa: S603
            command, env=environment, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        )
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
def _signals_leave() -> Iterator[None]:
    """Let SIGTERM and SIGHUP leave the block in order, rather than end Python at once, unless they are ignored."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():  # where alone signals can be handled
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # the latter of Unix
    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}  # as by nohup
    for number in before:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
