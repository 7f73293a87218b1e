"""What every test can ask for: a place for a store of its own, and the builders as fixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import builders
from tracker.store.location import Location, locate

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Grid, MakeRun, MakeRuns, MakeStudy, Params
    from tracker.runs import Run


@pytest.fixture
def location(tmp_path: Path) -> Location:
    """Where a store would be: nothing is there yet, and making it takes milliseconds."""
    return locate(None, tmp_path)


@pytest.fixture(scope="session")
def made() -> MakeRun:
    return builders.make_run


@pytest.fixture(scope="session")
def studied() -> MakeStudy:
    return builders.make_study


@pytest.fixture(scope="session")
def by_kernel() -> MakeRuns:
    return builders.runs_by_kernel


@pytest.fixture(scope="session")
def on_folds() -> MakeRuns:
    """Make runs of several kernels on three folds, from what each has correct."""
    return lambda correct: builders.runs_on_sets(correct, lambda position: {"fold": f"{position + 1}/3"})


@pytest.fixture(scope="session")
def on_splits() -> MakeRuns:
    """Make runs of several kernels on several splits, from what each has correct."""
    return lambda correct: builders.runs_on_sets(correct, lambda position: {"split_seed": str(position)})


@pytest.fixture(scope="session")
def gone_on() -> Run:
    return builders.diverged_run()


@pytest.fixture
def writeup() -> list[Run]:
    return builders.writeup_runs()


@pytest.fixture(scope="session")
def writeup_params() -> Params:
    """The writeup's params, one learning rate written in another way."""
    first, second, *rest = builders.WRITEUP_PARAMS
    return first, second | {"learning_rate": "1e-4"}, *rest


@pytest.fixture(scope="session")
def grid() -> Grid:
    return builders.grid
