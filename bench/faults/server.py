"""A tracking server that dies and comes back while values are sent to it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

from tracker.journal.reader import ARTIFACTS, read
from tracker.journal.writer import JournalWriter, write_upload_state
from tracker.runs.events import Ended, EpochDone, Started
from tracker.store import UnreachableError
from tracker.store.client import open_store
from tracker.store.location import locate
from tracker.store.mlflow_store import HOST, await_answer, free_port, ui_command
from tracker.store.upload import JournalUpload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.random import Generator

    from tracker.runs.events import UploadState
    from tracker.store.location import Location

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "epoch_seconds")
PATIENCE_S = 120.0
"""Longest wait for a value to arrive at a server that answers: MLflow itself waits between its own tries."""


@dataclass(frozen=True)
class Sent:
    """What came of values that were sent while the server died.

    Parameters
    ----------
    values, lost : int
    duplicated : int
        All that is there beyond one of each.
    """

    values: int
    lost: int
    duplicated: int


def server_deaths(folder: Path, deaths: int, rng: Generator) -> Sent:
    """Send a growing journal to a server that is killed at random moments, and compare what arrived with what was sent.

    The same port serves the same store again after each death; the last server is one more, so that all can arrive.
    """
    direct, port = locate(None, folder), free_port(0)
    served = locate(f"http://{HOST}:{port}", folder)
    open_store(direct)
    journal, arrived, enough = folder / ".tracker" / uuid4().hex, threading.Event(), threading.Event()
    sender = JournalUpload(served, journal.name, None, partial(_keep, journal, arrived))
    with JournalWriter.create(journal, Started(1, served.uri, "tracker", "served", "val_loss", {}, {})) as writer:
        threads = [threading.Thread(target=_grow, args=(writer, enough))]
        threads.append(threading.Thread(target=_send, args=(sender, journal, enough)))
        for thread in threads:
            thread.start()
        for _ in range(deaths):
            with _served(direct, port):
                _await_values(arrived)
                time.sleep(rng.uniform(0, 1))
        enough.set()
        for thread in threads:
            thread.join()
        writer.append(Ended(2, "FINISHED"))
    with _served(direct, port):
        sender.send(read(journal).events, journal / ARTIFACTS)
    return values_sent(journal, folder / "mlflow.db")


@contextmanager
def _served(location: Location, port: int) -> Iterator[None]:
    """Run a tracking server, and kill it with all its workers when the block is left."""
    command, environment = ui_command(location, port)
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command, env=os.environ | environment, stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        await_answer(f"http://{HOST}:{port}", process)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await_values(arrived: threading.Event) -> None:
    arrived.clear()
    if not arrived.wait(PATIENCE_S):
        raise RuntimeError(f"nothing arrived at the server for {PATIENCE_S:.0f} s")


def _keep(journal: Path, arrived: threading.Event, delivery: UploadState) -> None:
    write_upload_state(journal, delivery)
    arrived.set()


def _grow(writer: JournalWriter, enough: threading.Event) -> None:
    for epoch in count(1):
        if enough.wait(0.02):
            return
        writer.append(EpochDone(epoch, epoch, {key: epoch + i / 10 for i, key in enumerate(METRICS)}))


def _send(sender: JournalUpload, journal: Path, enough: threading.Event) -> None:
    while not enough.wait(0.02):
        with suppress(UnreachableError):
            sender.send(read(journal).events, journal / ARTIFACTS)


def values_sent(journal: Path, database: Path) -> Sent:
    """Hold the values in a store against those in a journal."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT key, step, value FROM metrics").fetchall()
    expected = {(key, n, value) for n, epoch in read(journal).epochs.items() for key, value in epoch.metrics.items()}
    there = expected & set(rows)
    return Sent(len(expected), len(expected) - len(there), len(rows) - len(there))
