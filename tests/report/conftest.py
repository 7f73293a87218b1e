"""Runs made by hand: which of their clips are right, and the rest by their number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from tracker.runs import Curve, Predictions, Run

CLASSES = ("blues", "jazz")

MakeRun = Callable[..., Run]


def predictions(right: str, clips: Sequence[str], sure: float = 0.9) -> Predictions:
    """Predictions of clips of both classes by turns, of which those at a ``1`` are right, each less surely."""
    labels = tuple(CLASSES[i % 2] for i in range(len(right)))
    rows = []
    for i, (sign, label) in enumerate(zip(right, labels, strict=True)):
        of_label = (sure if sign == "1" else 1 - sure) + (0.5 - sure if sign == "1" else sure - 0.5) * i / 1_000
        rows.append([of_label, 1 - of_label] if label == CLASSES[0] else [1 - of_label, of_label])
    return Predictions(tuple(clips), labels, CLASSES, np.array(rows))


@pytest.fixture(scope="session")
def made() -> MakeRun:
    """Make a run: ``made(1, "1101", kernel_size="3")``."""

    def make(
        number: int,
        right: str | None = None,
        *,
        seed: str | None = "0",
        prefix: str = "clip",
        first: int = 0,
        sure: float = 0.9,
        status: str = "FINISHED",
        tags: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        **params: str,
    ) -> Run:
        clips = [f"{prefix}{first + i:04d}.wav" for i in range(len(right or ""))]
        told = {"tracker.data": "demo", "tracker.dataset": "d", "tracker.split": "s", "tracker.version": "1"}
        losses = 0.4 + np.exp(-np.arange(1, 21) / 5) + number / 1_000
        return Run(
            run_id=f"{number:032x}",
            name=f"run-{number}",
            status=status,
            params=({} if seed is None else {"seed": seed}) | {"learning_rate": "0.001"} | params,
            tags=told | dict(tags or {}),
            metrics=metrics or {},
            curves={"val_loss": Curve(np.arange(1, 21), losses)},
            validation=predictions(right, clips, sure) if right else None,
            started=number,
        )

    return make
