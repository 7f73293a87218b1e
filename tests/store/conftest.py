"""What the tests of the store share: a store that MLflow made, and one with MLflow's UI running on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from tests.running import Served
from tests.store.make_schema import migrated
from tracker.store.client import open_store
from tracker.store.location import locate
from tracker.store.ui import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A store with MLflow's UI running on it."""
    direct = locate(None, tmp_path_factory.mktemp("served"))
    open_store(direct)
    with serving(direct, port=0) as server:
        yield Served(direct, locate(server.address, direct.database.parent))
