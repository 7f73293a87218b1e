from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tracker.features.extract import ImageCache
from tracker.features.measure import SETTINGS, fingerprint, measure
from tracker.runs.measures import Fault, Measures, Unusable

if TYPE_CHECKING:
    from pathlib import Path

SR = 22_050


def measured(file: Path, cache: Path) -> Measures:
    (found,) = measure([(file, hashlib.sha256(file.read_bytes()).hexdigest())], cache)
    assert isinstance(found, Measures)
    return found


class TestMeasure:
    def test_measure_gives_what_is_in_the_file(self, write, sound, tmp_path):
        found = measured(write("a.wav", np.stack([sound, sound], axis=1), 44_100), tmp_path / "cache")
        assert (found.seconds, found.rate, found.channels, found.clipped) == (1.0, 44_100, 2, 0.0)

    def test_measure_counts_what_is_clipped_in_either_channel(self, write, sound, tmp_path):
        loud = np.stack([np.clip(50 * sound, -1, 1), 0 * sound], axis=1)
        assert measured(write("a.wav", loud), tmp_path / "cache").clipped > 0.5

    def test_measure_knows_the_same_sound_in_other_lossless_files(self, write, sound, tmp_path):
        whole = (20_000 * sound).astype(np.int16)
        files = [write("a.wav", whole), write("a.flac", whole), write("b.wav", whole // 2)]
        first, second, third = [measured(file, tmp_path / "cache").sound for file in files]
        assert first == second != third

    def test_measure_says_why_a_clip_cannot_be_used(self, write, sound, tmp_path):
        silent, damaged = write("a.wav", 0 * sound), tmp_path / "b.wav"
        damaged.write_bytes(b"words")
        first, second = measure([(silent, "1"), (damaged, "2")], tmp_path / "cache")
        assert isinstance(first, Unusable)
        assert isinstance(second, Unusable)
        assert (first.fault, second.fault) == (Fault.SILENT, Fault.UNREADABLE)

    def test_measure_reads_what_it_kept(self, write, sound, tmp_path):
        file = write("a.wav", sound)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        first = measured(file, tmp_path / "cache")
        file.unlink()
        (again,) = measure([(file, digest)], tmp_path / "cache")
        assert isinstance(again, Measures)
        assert (again.seconds, again.sound) == (first.seconds, first.sound)
        assert ImageCache(tmp_path / "cache", SETTINGS).read(digest) is not None

    @pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"clip": 1, "seconds": 7}'])
    def test_measure_measures_again_what_was_kept_and_damaged(self, write, sound, tmp_path, content):
        file = write("a.wav", sound)
        first = measured(file, tmp_path / "cache")
        (kept,) = (tmp_path / "cache" / "measures").rglob("*.json")
        kept.write_bytes(content)
        assert measured(file, tmp_path / "cache").sound == first.sound


class TestFingerprint:
    def test_fingerprint_is_of_changes_over_time(self):
        assert fingerprint(np.zeros((128, 100), np.float16)).tolist() == [0] * 92
        assert len(fingerprint(np.zeros((128, 3), np.float16))) == 0

    def test_fingerprint_stays_the_same_at_another_level(self):
        image = np.random.default_rng(0).normal(-40, 10, (128, 100)).astype(np.float16)
        np.testing.assert_array_equal(fingerprint(image), fingerprint(image - np.float16(8)))
