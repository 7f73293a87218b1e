from __future__ import annotations

import numpy as np

from tracker.audit import recordings
from tracker.audit.recordings import LEAST_FRAMES, copies, differing, same_recordings


def noise(frames: int, seed: int) -> np.ndarray:
    """Return a fingerprint in which, as in those of sound, words stay the same for some frames."""
    words = np.random.default_rng(seed).integers(1, 2**32, frames // 2 + 1, dtype=np.uint32)
    return np.repeat(words, 2)[:frames]


def changed(words: np.ndarray, fraction: float) -> np.ndarray:
    """Return words of which a fraction of all bits is inverted."""
    flips = np.random.default_rng(9).random((len(words), 32)) < fraction
    return words ^ np.packbits(flips, axis=1).view(">u4")[:, 0].astype(np.uint32)


def pairs(*fingerprints: np.ndarray) -> list[tuple[int, int]]:
    return [(match.first, match.second) for match in same_recordings(fingerprints)]


class TestSameRecordings:
    def test_same_recordings_finds_a_copy_of_which_many_bits_differ(self):
        assert pairs(noise(1_000, 0), noise(1_000, 1), changed(noise(1_000, 0), 0.15)) == [(0, 2)]

    def test_same_recordings_finds_a_part_wherever_it_is(self):
        whole = noise(1_000, 0)
        assert pairs(whole, whole[611:850], noise(300, 1)) == [(0, 1)]

    def test_same_recordings_finds_two_parts_that_overlap(self):
        whole = noise(1_000, 0)
        assert pairs(whole[:600], whole[400:]) == [(0, 1)]

    def test_same_recordings_finds_each_pair_of_several_copies(self):
        copies = [noise(500, 0) for _ in range(3)]
        assert pairs(*copies) == [(0, 1), (0, 2), (1, 2)]

    def test_same_recordings_says_how_many_frames_and_bits(self):
        (match,) = same_recordings([noise(500, 0), noise(500, 0)[100:]])
        assert (match.frames, match.bits) == (400, 0.0)

    def test_same_recordings_takes_too_few_frames_for_chance(self):
        whole = noise(1_000, 0)
        assert pairs(whole, whole[: LEAST_FRAMES - 1]) == []

    def test_same_recordings_finds_short_clips_that_are_one_as_a_whole(self):
        short = noise(36, 0)
        assert pairs(short, noise(36, 1), changed(short, 0.1)) == [(0, 2)]
        assert pairs(short, changed(short, 0.25)) == pairs(short, short[:-1]) == pairs(short[:9], short[:9]) == []

    def test_same_recordings_takes_no_frames_in_which_nothing_changes_for_the_same(self):
        assert pairs(np.zeros(500, np.uint32), np.zeros(500, np.uint32)) == []

    def test_same_recordings_finds_none_in_noise_or_nothing(self):
        assert pairs(*(noise(500, seed) for seed in range(20)), np.zeros(0, np.uint32)) == []
        assert pairs() == []

    def test_same_recordings_finds_the_same_in_blocks(self, monkeypatch):
        whole = [noise(300, seed) for seed in range(6)]
        clips = [*whole, *(changed(words, 0.1) for words in whole)]
        monkeypatch.setattr(recordings, "_BLOCK", 500)
        assert pairs(*clips) == [(place, place + 6) for place in range(6)]


class TestCopies:
    def test_copies_joins_copies_of_copies_whatever_their_order(self):
        whole, again, other = noise(1_000, 0), changed(noise(1_000, 0), 0.1), noise(1_000, 1)
        clips = {"d": ("1", whole), "b": ("2", other), "c": ("3", again), "a": ("3", again)}
        assert copies(clips) == copies(dict(reversed(clips.items()))) == (("a", "c", "d"),)

    def test_copies_of_equal_images_may_be_short(self):
        short = noise(9, 0)
        assert copies({"a": ("1", short), "b": ("1", short), "c": ("2", short)}) == (("a", "b"),)


class TestDiffering:
    def test_differing_names_the_recordings_whose_copies_have_several_values(self):
        labels = {"a": "rock", "b": "jazz", "c": "rock", "d": "rock"}
        assert differing([("a", "b"), ("c", "d"), ("b", "e")], labels) == {("a", "b"): ("jazz", "rock")}
