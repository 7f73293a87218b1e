"""A tracking server for all tests: it takes seconds to start."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from tests.lazy import Lazy
from tests.running import Served
from tracker.store.location import locate
from tracker.store.mlflow_store import HOST, await_answer, free_port, ui_command

open_store = Lazy("tracker.store.client", "open_store")

ROWS = ("params", "tags", "metrics", "latest_metrics")
"""Tables that hold what runs have."""

BROKEN_OFF = ".artifact.uploading."
"""What MLflow's server leaves of an upload whose sender was killed, under a name that no artifact may have."""


class Server:
    """A real `mlflow server` on a store of its own, on one port for ever, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.store = locate(None, folder)
        self.port = free_port(0)
        self.uri = f"http://{HOST}:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        open_store(self.store)

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._process:
            return
        command, environment = ui_command(self.store, self.port)
        quiet = subprocess.DEVNULL
        variables = os.environ | environment
        self._process = subprocess.Popen(command, env=variables, stdout=quiet, stderr=quiet, start_new_session=True)
        await_answer(self.uri, self._process)

    def kill(self) -> None:
        """Kill it with its workers."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
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
