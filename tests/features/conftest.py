"""Real audio files for the tests of features: short, seeded, written by libsndfile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

if TYPE_CHECKING:
    from numpy.typing import NDArray

SR = 22_050
Writer = Callable[..., Path]


@pytest.fixture(scope="session")
def sound() -> NDArray[np.float32]:
    """Two seconds of decaying notes in noise."""
    rng = np.random.default_rng(7)
    time = np.arange(2 * SR) / SR
    notes = sum(np.sin(2 * np.pi * pitch * time) * np.exp(-3 * (time % 0.5)) for pitch in (110, 440, 1_760))
    return (0.2 * notes + 0.02 * rng.standard_normal(len(time))).astype(np.float32)


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """Write samples to a new audio file and return its path."""

    def _write(name: str, samples: NDArray[np.floating], sr: int = SR, subtype: str | None = None) -> Path:
        soundfile.write(tmp_path / name, samples, sr, subtype=subtype)
        return tmp_path / name

    return _write
