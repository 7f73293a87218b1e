"""A small run, as its journal holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracker.runs.events import Attached, DatasetUsed, Ended, EpochDone, Event, Measured, Resumed, Started, Tagged

if TYPE_CHECKING:
    from pathlib import Path

ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where its journal would be: nothing is there yet."""
    return tmp_path / ".tracker" / ID


@pytest.fixture
def started() -> Started:
    return Started(
        time=1_700_000_000_000,
        uri="sqlite:////tmp/mlflow.db",
        experiment="tracker",
        name="k7-s0",
        metric="val_accuracy",
        params={"kernel_size": "7", "seed": "0"},
        tags={"tracker.host": "here"},
        datasets=(DatasetUsed("demo", "abc", "demo", "training", ("blues", "rock"), 24),),
    )


@pytest.fixture
def epochs() -> list[EpochDone]:
    return [EpochDone(1_700_000_000_000 + n, n, {"loss": 1 / n, "accuracy": 1 - 1 / n}) for n in range(1, 5)]


@pytest.fixture
def events(started: Started, epochs: list[EpochDone]) -> list[Event]:
    """All kinds of events."""
    return [
        started,
        *epochs[:2],
        Ended(5, "KILLED", "interrupted"),
        Resumed(6, 2),
        epochs[2],
        Measured(8, {"best_epoch": 3.0}),
        Tagged({"tracker.note": "what came out"}),
        Attached("predictions/validation.csv"),
        Ended(9, "FINISHED"),
    ]
