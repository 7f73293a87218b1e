"""A tracking server for all tests: it takes seconds to start."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lazy import Lazy
from tests.processes import Forked
from tests.running import Served
from tracker.store.location import locate
from tracker.store.mlflow_store import HOST, await_answer, free_port, ui_command

if TYPE_CHECKING:
    from collections.abc import Sequence

open_store = Lazy("tracker.store.client", "open_store")

ROWS = ("params", "tags", "metrics", "latest_metrics")
"""Tables that hold what runs have."""

BROKEN_OFF = ".artifact.uploading."
"""What MLflow's server leaves of an upload whose sender was killed, under a name that no artifact may have."""


def serve(words: Sequence[str]) -> None:
    """Be `mlflow server`, and the uvicorn that it starts, in this process and a group of its own, and print nothing."""
    import mlflow.server
    import uvicorn.main
    from mlflow.cli import cli

    def run_uvicorn(command: Sequence[str], *, extra_env: dict[str, str], **_options: object) -> None:
        os.environ.update(extra_env)
        uvicorn.main.main(command[command.index("uvicorn") + 1 :])

    os.setsid()
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    mlflow.server._exec_cmd = run_uvicorn
    cli(words)


class Server:
    """A real `mlflow server` on a store of its own, on one port for ever, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.store = locate(None, folder)
        self.port = free_port(0)
        self.uri = f"http://{HOST}:{self.port}"
        self._process: Forked | None = None
        open_store(self.store)

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._process:
            return
        command, environment = ui_command(self.store, self.port)
        words = command[command.index("mlflow") + 1 :]
        self._process = Forked(serve, words, environment=os.environ | environment)
        await_answer(self.uri, self._process)

    def kill(self) -> None:
        """Kill it with its workers."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            self._process = None

    @property
    def ways(self) -> Served:
        """Return the store as it is reached."""
        folder = (self.store.database or Path()).parent
        return Served(self.store, locate(self.uri, folder))

    def rows(self) -> dict[str, list[str]]:
        """Return all that the store holds of runs."""
        tables = ("runs", *ROWS, "inputs", "datasets")
        with closing(sqlite3.connect(self.store.database or "")) as connection:
            return {table: sorted(map(str, connection.execute(f"SELECT * FROM {table}"))) for table in tables}  # noqa: S608

    def files(self, run_id: str) -> dict[str, int]:
        """Return the artifacts of a run, with their sizes."""
        (folder,) = (self.store.database or Path()).parent.glob(f"mlruns/*/{run_id}/artifacts")
        files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(BROKEN_OFF)]
        return {str(path.relative_to(folder)): path.stat().st_size for path in files}
