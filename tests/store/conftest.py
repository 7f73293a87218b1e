"""What the tests of the store share: a store that MLflow made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from tests.store.make_schema import migrated

if TYPE_CHECKING:
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
