"""What the tests of the store share: predictions, runs written, a store that MLflow made, and a running UI."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from filelock import FileLock

from tests.logged import CLASSES, START, STARTED, epochs
from tests.store.make_schema import migrated
from tracker.runs import EpochPredictions, Predictions
from tracker.runs.events import Attached, Ended, Measured, Tagged
from tracker.store import DATASET, VALIDATION, VALIDATION_BY_EPOCH, epoch_predictions_npz, predictions_csv
from tracker.store.client import open_store
from tracker.store.location import Location, locate
from tracker.store.ui import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracker.runs.events import Entry


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


MANIFEST = "path,label,group,split,fold\nblues/000.wav,blues,artist 1,validation,\nx,jazz,artist 2,train,\n"


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
