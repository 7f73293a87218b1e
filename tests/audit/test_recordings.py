from __future__ import annotations

import numpy as np

from tracker.audit import recordings
from tracker.audit.recordings import LEAST_FRAMES, copies, differing, same_recordings, same_short_recordings


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


def image(frames: int, seed: int) -> np.ndarray:
    """Return a log-mel image in which, as in those of sound, neighbours have nearly one level."""
    coarse = np.random.default_rng(seed).uniform(-40, 0, (16, frames // 4 + 1))
    return np.kron(coarse, np.ones((8, 4)))[:, :frames].astype(np.float16)


def noisy(levels: np.ndarray, spread: float) -> np.ndarray:
    return (levels + np.random.default_rng(9).normal(0, spread, levels.shape)).astype(np.float16)


class TestSameShortRecordings:
    def test_a_copy_at_another_level_that_was_encoded_badly_is_found(self):
        whole = image(36, 0)
        assert same_short_recordings([whole, image(36, 1), noisy(whole, 2) - 5]) == [(0, 2)]

    def test_what_differs_too_much_or_in_length_is_another_recording(self):
        whole = image(36, 0)
        assert same_short_recordings([whole, noisy(whole, 5), whole[:, :-1]]) == []

    def test_steady_noises_of_one_colour_are_different_recordings(self):
        steady = np.repeat(image(1, 0), 36, axis=1)
        assert same_short_recordings([steady, steady - 1, noisy(steady, 1)]) == []

    def test_clips_are_compared_that_are_neither_silent_nor_long_nor_hardly_there(self):
        for pair in ([image(7, 0)] * 2, [image(120, 0)] * 2, [image(36, 0) - 60] * 2):
            assert same_short_recordings(pair) == []
        assert same_short_recordings([]) == []

    def test_pairs_are_the_same_in_blocks(self, monkeypatch):
        images = [image(36, seed) for seed in range(6)]
        monkeypatch.setattr(recordings, "_PAIRS", 24)
        assert same_short_recordings([*images, *(noisy(one, 2) for one in images)]) == [(n, n + 6) for n in range(6)]


class TestCopies:
    def test_copies_joins_copies_of_copies_whatever_their_order(self):
        whole, again, other = noise(1_000, 0), changed(noise(1_000, 0), 0.1), noise(1_000, 1)
        long = image(1_008, 0)
        clips = {"d": ("1", whole, long), "b": ("2", other, long), "c": ("3", again, long), "a": ("3", again, long)}
        assert copies(clips) == copies(dict(reversed(clips.items()))) == (("a", "c", "d"),)

    def test_copies_of_equal_images_may_be_short(self):
        words, levels = noise(2, 0), image(4, 0)
        clips = {"a": ("1", words, levels), "b": ("1", words, levels), "c": ("2", words, levels)}
        assert copies(clips) == (("a", "b"),)

    def test_copies_of_short_clips_are_found_by_their_images(self):
        words, levels = noise(28, 0), image(36, 0)
        clips = {"a": ("1", words, levels), "b": ("2", noise(28, 1), noisy(levels, 2)), "c": ("3", words, image(36, 1))}
        assert copies(clips) == (("a", "b"),)


class TestDiffering:
    def test_differing_names_the_recordings_whose_copies_have_several_values(self):
        labels = {"a": "rock", "b": "jazz", "c": "rock", "d": "rock"}
        assert differing([("a", "b"), ("c", "d"), ("b", "e")], labels) == {("a", "b"): ("jazz", "rock")}
