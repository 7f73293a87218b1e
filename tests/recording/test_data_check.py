"""Everything that is planted in the demo set is found, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.planted import found_in, plant
from tests.builders import write_tone
from tests.running import TINY_NETWORK
from tracker import check_data

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_check_finds_what_is_planted_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_CACHE", str(tmp_path / "cache"))
    planted = plant(tmp_path / "set")
    assert found_in(check_data(tmp_path / "set" / "manifest.csv")) == planted


def test_check_warns_of_folds_that_are_not_used_and_says_which_segment_suits_as_a_run_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TRACKER_CACHE", str(tmp_path / "cache"))
    rows = ["path,label,fold"]
    for number in range(8):
        write_tone(tmp_path / f"{number}.wav", 200.0 * (1 + number % 2), seed=number)
        rows.append(f"{number}.wav,{('low', 'high')[number % 2]},{number // 4 + 1}")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("\n".join(rows))
    check_data(manifest, segment_s=0.25, fold=(1, 2))
    assert not caplog.messages
    check_data(manifest, segment_s=0.25)
    assert "use them with --fold 1/2" in caplog.text
    caplog.set_level("INFO")
    check_data(manifest, fold=(1, 2))
    assert "shorter than a segment: the longest lasts 1 s, and a --segment of that would train faster" in caplog.text


def test_ladder_classifies_the_same_segments_under_three_splits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_CACHE", str(tmp_path / "cache"))
    rows = ["path,label,group"]
    for number in range(12):
        label = ("low", "high")[number % 2]
        write_tone(tmp_path / f"{number}.wav", 200.0 * (1 + number % 2), seed=number)
        rows.append(f"{number}.wav,{label},{label}{number // 4}")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("\n".join(rows))
    ladder = check_data(manifest, ladder=True, epochs=2, segment_s=0.25, model=str(TINY_NETWORK)).ladder
    assert ladder is not None
    assert [rung.kept for rung in ladder.rungs] == ["segments at random", "by clip", "by group"]
    assert [rung.segments for rung in ladder.rungs] == [10, 8, 16]
