"""Params of runs: the writeup's four, and grids over two options and seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

Params = Sequence[dict[str, str]]
Grid = Callable[[str, str, str], list[dict[str, str]]]

WRITEUP = (
    {"kernel_size": "7", "learning_rate": "0.0001", "plateau_factor": "0.3", "plateau_patience": "10",
     "early_stopping_patience": "15", "seed": "0"},
    {"kernel_size": "7", "learning_rate": "1e-4", "seed": "0"},
    {"kernel_size": "3", "learning_rate": "0.001", "plateau_factor": "0.5", "plateau_patience": "15",
     "early_stopping_patience": "20", "seed": "0"},
    {"kernel_size": "5", "learning_rate": "0.0001", "plateau_factor": "0.1", "plateau_patience": "5",
     "early_stopping_patience": "10", "seed": "0"},
)  # fmt: skip


@pytest.fixture(scope="session")
def writeup() -> Params:
    return WRITEUP


@pytest.fixture(scope="session")
def grid() -> Grid:
    """Make a run for each kernel, learning rate and seed: ``grid("37", "0.1 0.01", "012")``."""

    def make(kernels: str, rates: str, seeds: str) -> list[dict[str, str]]:
        return [
            {"kernel_size": k, "learning_rate": r, "seed": s} for k in kernels for r in rates.split() for s in seeds
        ]

    return make
