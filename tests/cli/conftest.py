"""Small sets of real audio files, and the command line run in an empty folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from tracker.cli import main

if TYPE_CHECKING:
    from pathlib import Path

SR = 8_000


def write_tone(file: Path, hertz: float, seconds: float = 1.0, seed: int = 0) -> None:
    """Write a tone with a little noise: two of different pitch are two classes that a network can tell apart."""
    time = np.arange(int(SR * seconds)) / SR
    noise = np.random.default_rng(seed).normal(0, 0.01, len(time))
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * hertz * time) + noise, SR)


@pytest.fixture
def genres(tmp_path: Path) -> Path:
    """A folder of two classes with ten one-second clips each."""
    for label, hertz in (("high", 2_000.0), ("low", 200.0)):
        for number in range(10):
            write_tone(tmp_path / "genres" / label / f"{number}.wav", hertz * (1 + number / 50), seed=number)
    return tmp_path / "genres"


@dataclass(frozen=True)
class Result:
    """What a command came to."""

    status: int
    out: str
    err: str


Tracker = Callable[..., Result]


@pytest.fixture
def tracker(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Tracker:
    """The command line in an empty working folder, with a cache of its own."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("TRACKER_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("TRACKER_DATA", raising=False)

    def call(*words: object) -> Result:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        said = capfd.readouterr()
        return Result(int(ended.value.code or 0), said.out, said.err)

    return call
