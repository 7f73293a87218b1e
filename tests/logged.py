"""Runs that nobody trained, logged the way `tracker run` logs: as a journal that is sent."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

from tracker.runs.events import Attached, DatasetUsed, EpochDone, Started
from tracker.store.upload import Sender

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.runs.events import Entry
    from tracker.store.location import Location

CLASSES = ("blues", "jazz", "rock")
START = 1_700_000_000_000

STARTED = Started(
    time=START,
    uri="sqlite:///mlflow.db",
    experiment="tracker",
    name="a run",
    metric="val_accuracy",
    params={"kernel_size": "7", "learning_rate": "0.0001"},
    tags={"tracker.data": "demo"},
    datasets=tuple(DatasetUsed("demo", "f" * 64, "demo", of, CLASSES, 4) for of in ("training", "validation")),
)


def epochs(*losses: float, first: int = 1, start: int = START) -> list[EpochDone]:
    """Epochs that took a second each."""
    return [
        EpochDone(start + 1_000 * n, n, {"loss": loss / 2, "val_loss": loss}) for n, loss in enumerate(losses, first)
    ]


def send_run(
    location: Location, *entries: Entry, started: Started = STARTED, files: Mapping[str, bytes] | None = None
) -> str:
    """Send a journal, with its files before anything else, and return the run's id."""
    attached = files or {}
    with TemporaryDirectory() as folder:
        for path, data in attached.items():
            Path(folder, path).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, path).write_bytes(data)
        sender = Sender(location, uuid4().hex, None, lambda _delivery: None)
        return sender.send([started, *(Attached(path) for path in attached), *entries], Path(folder)).run_id
