from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from tracker.data.dataset import Clip
from tracker.features.extract import extract
from tracker.features.measure import SETTINGS
from tracker.recording.copies import find_copies
from tracker.recording.reporter import SilentReporter

if TYPE_CHECKING:
    from pathlib import Path

COPIES = (("a.wav", "c.flac"), ("b.wav", "d.wav"))


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Three recordings, of which one is there again at half the level and one byte for byte."""
    one, two, three = np.random.default_rng(0).normal(0, 0.1, (3, 4 * 22_050))
    found = []
    for name, samples in (("a.wav", one), ("b.wav", two), ("c.flac", 0.5 * one), ("d.wav", two), ("e.wav", three)):
        soundfile.write(tmp_path / name, samples, 22_050)
        found.append(Clip(name, tmp_path / name, "noise"))
    return found


def hashes_of(clips: list[Clip]) -> dict[str, str]:
    return {clip.path: hashlib.sha256(clip.file.read_bytes()).hexdigest() for clip in clips}


class TestFindCopies:
    def test_find_copies_finds_the_same_whether_images_are_at_hand(self, clips, tmp_path):
        hashes = hashes_of(clips)
        files = [(clip.file, hashes[clip.path]) for clip in clips]
        images = dict(zip(hashes, extract(files, SETTINGS, tmp_path / "images"), strict=True))
        reporter = SilentReporter()
        assert find_copies(clips, hashes, tmp_path / "one", reporter) == COPIES
        assert find_copies(clips, hashes, tmp_path / "two", reporter, images.__getitem__) == COPIES  # type: ignore[arg-type]

    @pytest.mark.parametrize("damage", [None, b"", b"{}", b'{"of": 1, "copies": [["x"]]}', b'{"copies": 7}'])
    def test_find_copies_reads_what_it_kept_or_finds_it_again(self, clips, tmp_path, damage):
        hashes, cache = hashes_of(clips), tmp_path / "cache"
        find_copies(clips, hashes, cache, SilentReporter())
        (kept,) = (cache / "measures").rglob("*.json")
        if damage is None:
            for clip in clips:
                clip.file.unlink()
        else:
            kept.write_bytes(damage)
        assert find_copies(clips[::-1], hashes, cache, SilentReporter()) == COPIES
