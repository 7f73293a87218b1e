"""An empty working folder with a cache of its own, and a small set of real audio files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import write_tone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def work(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TRACKER_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("TRACKER_DATA", raising=False)
    return folder


@pytest.fixture
def genres(tmp_path: Path) -> Path:
    """A folder of two classes with ten one-second clips each."""
    for label, hertz in (("high", 2_000.0), ("low", 200.0)):
        for number in range(10):
            write_tone(tmp_path / "genres" / label / f"{number}.wav", hertz * (1 + number / 50), seed=number)
    return tmp_path / "genres"
