"""Runs whose clips of both classes are predicted less and less surely; the rest hangs on their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import MakeRun, make_curve, make_predictions
from tracker.runs import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

CLASSES = ("blues", "jazz")


@pytest.fixture(scope="session")
def made() -> MakeRun:
    """Make a run: ``made(1, "1101", kernel_size="3")``."""

    def make(
        number: int,
        correct: str | None = None,
        *,
        seed: str | None = "0",
        prefix: str = "clip",
        first: int = 0,
        probability: float = 0.9,
        status: str = "FINISHED",
        tags: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        **params: str,
    ) -> Run:
        clips = [f"{prefix}{first + i:04d}.wav" for i in range(len(correct or ""))]
        told = {"tracker.data": "demo", "tracker.dataset": "d", "tracker.split": "s", "tracker.version": "1"}
        losses = 0.4 + np.exp(-np.arange(1, 21) / 5) + number / 1_000
        return Run(
            run_id=f"{number:032x}",
            name=f"run-{number}",
            status=status,
            params=({} if seed is None else {"seed": seed}) | {"learning_rate": "0.001"} | params,
            tags=told | dict(tags or {}),
            metrics=metrics or {},
            curves={"val_loss": make_curve(losses)},
            validation=make_predictions(correct, clips, classes=CLASSES, probability=probability, fading=0.001)
            if correct
            else None,
            started=number,
        )

    return make
