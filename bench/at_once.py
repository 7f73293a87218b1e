"""Whether a store holds when many processes come to it at the same instant.

    python bench/at_once.py [--opens 50] [--epochs 100]

Eight processes each send a run to a store that is not there yet, as many times over as `--opens` says; then sixteen
send `--epochs` epochs each to one store while two others read it all the time. Each line says what was wrong: nothing.
The processes are forked, so that they share the MLflow that is imported here and begin together.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.errors import StoreError
from tracker.runs.events import DatasetUsed, Ended, EpochDone, Started
from tracker.store.location import locate
from tracker.store.reader import read_experiment
from tracker.store.upload import JournalUpload

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier
    from multiprocessing.synchronize import Event as ProcessEvent

    from tracker.runs.events import Event, UploadState
    from tracker.store.location import Location

OPENERS, WRITERS, READERS = 8, 16, 2
METRICS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "epoch_seconds")
EXPERIMENT = "tracker"
DATASETS = tuple(DatasetUsed("demo", "f" * 64, "demo", of, ("a", "b"), 4) for of in ("training", "validation"))
"""What all runs of an experiment are mostly trained on alike: a store has it once."""

_PROCESSES = multiprocessing.get_context("fork")


def first_opens(folder: Path, openers: int = OPENERS) -> list[str]:
    """Let processes send a run each to a store that is not there, and return what is wrong with it then."""
    return send_at_once(folder, openers, epochs=1, readers=0)


def send_at_once(folder: Path, writers: int = WRITERS, epochs: int = 100, readers: int = READERS) -> list[str]:
    """Let processes send a run each to one store while others read it, and return what went wrong.

    Parameters
    ----------
    folder : Path
        Where the store will be.
    writers, epochs, readers : int
    """
    location = locate(None, folder)
    ready, done = _PROCESSES.Barrier(writers + readers), _PROCESSES.Event()
    writing = [_started(_send, location, ready, number, epochs) for number in range(writers)]
    reading = [_started(_read, location, ready, done) for _ in range(readers)]
    failed = _failures("writer", writing)
    done.set()
    return [*failed, *_failures("reader", reading), *_wrong(location, folder / "mlflow.db", writers, epochs)]


def _started(work: Callable[..., None], *args: object) -> multiprocessing.process.BaseProcess:
    process = _PROCESSES.Process(target=work, args=args)
    process.start()
    return process


def _failures(what: str, processes: list[multiprocessing.process.BaseProcess]) -> list[str]:
    for process in processes:
        process.join()
    codes = [process.exitcode for process in processes]
    return [f"{what} {number} ended with status {code}" for number, code in enumerate(codes) if code]


def _send(location: Location, ready: Barrier, number: int, epochs: int) -> None:
    """Send a run epoch by epoch, as training does."""
    sender = JournalUpload(location, f"journal-{number}", None, _keep)
    named = f"run {number}"
    events: list[Event] = [Started(0, location.uri, EXPERIMENT, named, "val_accuracy", {"a": "1"}, {}, DATASETS)]
    ready.wait()
    for epoch in range(1, epochs + 1):
        values = {key: _value(number, epoch, i) for i, key in enumerate(METRICS)}
        events.append(EpochDone(epoch, epoch, values))
        sender.send(events, Path())
    sender.send([*events, Ended(epochs, "FINISHED")], Path())


def _read(location: Location, ready: Barrier, done: ProcessEvent) -> None:
    """Read all there is, over and over; once there was a run, nothing may go wrong any more."""
    ready.wait()
    found = False
    while not done.is_set():
        try:
            found = bool(read_experiment(location, EXPERIMENT).runs)
        except StoreError:
            if found:
                raise
        time.sleep(0.05)


def _keep(_delivery: UploadState) -> None:
    """Take note of nothing: nobody goes on with these runs."""


def _value(run: int, epoch: int, metric: int) -> float:
    return run + epoch / 1_000 + metric / 10


def _wrong(location: Location, database: Path, writers: int, epochs: int) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        (integrity,) = connection.execute("PRAGMA integrity_check").fetchone()
        experiments = [name for (name,) in connection.execute("SELECT name FROM experiments ORDER BY name")]
    runs = {run.name: run for run in read_experiment(location, EXPERIMENT).runs}
    wrong = [] if integrity == "ok" else [integrity]
    if len(runs) != writers or experiments != ["Default", EXPERIMENT]:
        wrong.append(f"{writers} runs of one experiment were sent, and there are {sorted(runs)}")
    for number in range(writers):
        run = runs.get(f"run {number}")
        for i, key in enumerate(METRICS):
            expected = [_value(number, epoch, i) for epoch in range(1, epochs + 1)]
            if not run or key not in run.curves or run.curves[key].values.tolist() != expected:
                wrong.append(f"the {key} of run {number} is not what was sent")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--opens", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=100)
    asked = parser.parse_args()
    broken = 0
    for _ in range(asked.opens):
        with tempfile.TemporaryDirectory() as folder:
            broken += bool(first_opens(Path(folder)))
    print(f"{OPENERS} first opens at once, {asked.opens} times: {broken} broken stores")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        wrong = send_at_once(Path(folder), epochs=asked.epochs)
        took = time.perf_counter() - began
    print(f"{WRITERS} writers × {asked.epochs} epochs, {READERS} readers, {took:.0f} s: {wrong or 'nothing wrong'}")


if __name__ == "__main__":
    main()
