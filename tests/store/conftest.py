"""What the tests of the store share: predictions, runs written, a store that MLflow made, and a running UI."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from filelock import FileLock

from tests.store.make_schema import migrated
from tracker.runs import EpochPredictions, Predictions
from tracker.store.location import Location, locate
from tracker.store.open import open_store
from tracker.store.ui import serving
from tracker.store.write import RunWriter, start_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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
