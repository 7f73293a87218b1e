from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import soundfile

from tests.builders import write_tone

if TYPE_CHECKING:
    from tests.running import Tracker


@pytest.fixture
def clips(tracker: Tracker) -> Path:
    """Two classes of three short clips."""
    for number in range(6):
        write_tone(Path("d", "high" if number % 2 else "low", f"{number}.wav"), 200.0 + 50 * number, seed=number)
    return Path("d")


def test_check_prints_the_classes_and_what_was_found(tracker: Tracker, clips: Path) -> None:
    result = tracker("data", "check", "--data", clips, "--strict")
    assert result.status == 0
    assert "6 clips of 2 classes, without groups" in result.out
    assert "clip shorter than a segment" in result.out
    assert result.out.endswith("Nothing was found that would bias a result.\n")


def test_check_is_strict_if_asked(tracker: Tracker, clips: Path) -> None:
    shutil.copy(clips / "low" / "0.wav", clips / "high" / "copy.wav")
    assert tracker("data", "check", clips).status == 0
    assert tracker("data", "check", clips, "--strict").status == 1


def test_check_prints_json_and_html(tracker: Tracker, clips: Path) -> None:
    soundfile.write(clips / "low" / "<b>.wav", [0.0] * 8_000, 8_000)
    document = json.loads(tracker("data", "check", "--data", clips, "--format", "json").out)
    assert document["schema"] == "tracker.data_check/1"
    assert {"kind": "silent", "would_bias": False, "names": ["low/<b>.wav"]}.items() <= document["findings"][0].items()
    page = tracker("data", "check", "--data", clips, "--format", "html").out
    assert page.startswith("<!DOCTYPE html>")
    assert "low/&lt;b&gt;.wav" in page


def test_check_refuses_what_cannot_be(tracker: Tracker, clips: Path) -> None:
    assert tracker("data", "check", "--data", "nowhere").status == 1
    result = tracker("data", "check", "--data", clips, "--fold", "1/5", "--validation-fraction", "0.3")
    assert (result.status, "not both" in result.err) == (2, True)
    twice = tracker("data", "check", "elsewhere", "--data", clips)
    assert (twice.status, "the data is given twice, as elsewhere and by --data" in twice.err) == (2, True)
