"""What the tests of the store share: predictions, runs written, a store that MLflow made, and a running UI."""

from __future__ import annotations

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import numpy as np
import pytest
from filelock import FileLock

from tests.store.make_schema import migrated
from tracker.entries import Attached, DatasetUsed, Ended, EpochDone, Measured, Started, Tagged
from tracker.runs import EpochPredictions, Predictions
from tracker.store.artifacts import DATASET, VALIDATION, VALIDATION_BY_EPOCH, epoch_predictions_npz, predictions_csv
from tracker.store.location import Location, locate
from tracker.store.open import open_store
from tracker.store.send import Sender
from tracker.store.ui import serving
from tracker.store.write import RunWriter, start_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tracker.entries import Entry

CLASSES = ("blues", "jazz", "rock")
START = 1_700_000_000_000


def predictions(n: int = 4, seed: int = 0) -> Predictions:
    """What a model might say of `n` clips, in float32 as a network says it."""
    rng = np.random.default_rng(seed)
    labels = tuple(CLASSES[i % len(CLASSES)] for i in range(n))
    clips = tuple(f"{label}/{i:03}.wav" for i, label in enumerate(labels))
    order = sorted(range(n), key=clips.__getitem__)
    rows = rng.dirichlet(np.ones(len(CLASSES)), n).astype(np.float32).astype(np.float64)
    return Predictions(tuple(clips[i] for i in order), tuple(labels[i] for i in order), CLASSES, rows)


def epoch_predictions(epochs: int = 3, n: int = 4) -> EpochPredictions:
    """What a model might say of `n` clips after each epoch."""
    each = [predictions(n, seed) for seed in range(epochs)]
    stacked = np.stack([one.probabilities for one in each]).astype(np.float32)
    return EpochPredictions(each[0].clips, each[0].labels, CLASSES, stacked)


def ticking(start: int = START) -> Callable[[], int]:
    """A clock that is one second later each time it is asked."""
    times = itertools.count(start, 1_000)
    return lambda: next(times)


MANIFEST = "path,label,group,split,fold\nblues/000.wav,blues,artist 1,validation,\nx,jazz,artist 2,train,\n"

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


def whole_journal(artifacts: Path) -> list[Entry]:
    """The journal of a finished run, with its files in a folder beside it."""
    files = {
        VALIDATION: predictions_csv(predictions()).encode(),
        VALIDATION_BY_EPOCH: epoch_predictions_npz(epoch_predictions()),
        DATASET: MANIFEST.encode(),
        "model/MLmodel": b"flavors: {}\n",
        "model/data/model.keras": b"\x00\xff",
    }
    for path, data in files.items():
        (artifacts / path).parent.mkdir(parents=True, exist_ok=True)
        (artifacts / path).write_bytes(data)
    return [
        STARTED,
        Attached(DATASET),
        *epochs(1.0, 0.5, float("nan")),
        Measured(START + 4_000, {"best_epoch": 2, "best_val_loss": 0.5}),
        Attached(VALIDATION),
        Attached(VALIDATION_BY_EPOCH),
        Tagged({"mlflow.note.content": "what came out"}),
        Attached("model"),
        Ended(START + 5_000, "FINISHED"),
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


@pytest.fixture
def writer(location: Location) -> RunWriter:
    """A run just started in an empty store."""
    return start_run(location, "tracker", "a run", {"kernel_size": "7"}, {"tracker.data": "demo"}, clock=ticking())


@pytest.fixture(scope="session")
def made_by_mlflow(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A store that MLflow itself migrated from nothing; the workers of a session make it once."""
    shared = tmp_path_factory.getbasetemp()
    folder = (shared if worker_id == "master" else shared.parent) / "by_mlflow"
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            folder.mkdir()
            return migrated(folder)
    return folder / "by_mlflow.db"


class Served(NamedTuple):
    """One store, reached in two ways."""

    direct: Location
    http: Location


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A store with MLflow's UI running on it."""
    direct = locate(None, tmp_path_factory.mktemp("served"))
    open_store(direct)
    with serving(direct, port=0) as server:
        yield Served(direct, locate(server.address, direct.database.parent))
