from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.training.batches import CROPS, consecutive_segments, random_segments


def counting(*lengths: int) -> list[np.ndarray]:
    """Images of one band whose values are their clip's number and their frame."""
    return [1_000.0 * clip + np.arange(length)[None] for clip, length in enumerate(lengths)]


def starts(length: int, frames: int) -> list[int]:
    return consecutive_segments(counting(length), frames).starts.tolist()


class TestConsecutiveSegments:
    @pytest.mark.parametrize(
        ("length", "expected"),
        [
            (40, [0, 10, 20, 30]),
            (44, [0, 10, 20, 30]),
            (45, [0, 10, 20, 30, 35]),
            (49, [0, 10, 20, 30, 39]),
            (10, [0]),
            (14, [0]),
            (15, [0, 5]),
            (9, [0]),
            (1, [0]),
        ],
    )
    def test_cut_a_clip_and_keep_a_tail_of_half_a_segment(self, length, expected):
        assert starts(length, 10) == expected

    def test_go_clip_by_clip(self):
        segments = consecutive_segments(counting(20, 5, 30), 10)
        assert segments.clips.tolist() == [0, 0, 1, 2, 2, 2]
        assert len(segments) == 6

    @given(st.lists(st.integers(1, 500), min_size=1, max_size=5), st.integers(1, 200))
    @settings(derandomize=True, deadline=None)
    def test_stay_inside_and_leave_less_than_half_a_segment_out(self, lengths, frames):
        segments = consecutive_segments(counting(*lengths), frames)
        for clip, length in enumerate(lengths):
            own = segments.starts[segments.clips == clip]
            assert own[0] == 0
            assert np.all(np.diff(own) <= frames)
            assert length - (own[-1] + frames) < frames / 2
            assert length < frames or own[-1] + frames <= length


class TestRandomSegments:
    def test_take_four_of_each_clip_in_mixed_order(self):
        segments = random_segments(counting(*[50] * 20), 10, np.random.default_rng(0))
        assert np.bincount(segments.clips).tolist() == [CROPS] * 20
        assert segments.clips.tolist() != sorted(segments.clips.tolist())

    def test_reach_the_first_and_the_last_frame_and_none_beyond(self):
        segments = random_segments(counting(*[12] * 50), 10, np.random.default_rng(0))
        assert set(segments.starts.tolist()) == {0, 1, 2}

    def test_begin_at_the_beginning_of_a_clip_that_is_too_short(self):
        assert set(random_segments(counting(3), 10, np.random.default_rng(0)).starts.tolist()) == {0}

    def test_are_the_same_for_the_same_seed_only(self):
        def draw(seed):
            return random_segments(counting(*[90] * 9), 10, np.random.default_rng(seed)).starts.tolist()

        assert draw([3, 1]) == draw([3, 1])
        assert draw([3, 1]) != draw([3, 2])


class TestCut:
    def test_gives_a_batch_with_a_channel(self):
        images = counting(30, 30)
        batch = consecutive_segments(images, 10).cut(images, slice(2, 5))
        assert batch.shape == (3, 1, 10, 1)
        assert batch[:, 0, 0, 0].tolist() == [20, 1_000, 1_010]
        assert batch[0, 0, :, 0].tolist() == list(range(20, 30))

    def test_pads_a_short_clip_at_its_end_with_the_floor(self):
        images = counting(3)
        batch = consecutive_segments(images, 5).cut(images, slice(None))
        assert batch[0, 0, :, 0].tolist() == [0, 1, 2, -80, -80]

    def test_keeps_half_precision(self):
        images = [np.zeros((4, 20), np.float16), np.zeros((4, 3), np.float16)]
        assert consecutive_segments(images, 10).cut(images, slice(None)).dtype == np.float16
