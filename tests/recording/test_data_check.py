"""Everything that is planted in the demo set is found, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.planted import found_in, plant
from tracker import check_data

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_check_finds_what_is_planted_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_CACHE", str(tmp_path / "cache"))
    planted = plant(tmp_path / "set")
    assert found_in(check_data(tmp_path / "set" / "manifest.csv")) == planted
