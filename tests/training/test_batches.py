from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.runs import Configuration, RunPlan
from tracker.training.batches import (
    SEGMENTS_PER_CLIP,
    Batches,
    LabelledImages,
    Segments,
    TrainingData,
    consecutive_segments,
    random_segments,
    short_clips,
)


def images(*clips: str, labels: str = "", frames: int = 200) -> LabelledImages:
    """Clips whose images hold their position, each labelled `a` unless said."""
    return LabelledImages(
        clips, tuple(labels or "a" * len(clips)), [np.full((4, frames), i) for i in range(len(clips))]
    )


class TestLabelledImages:
    def test_labelled_images_refuses_parts_of_different_lengths(self):
        with pytest.raises(ValueError, match="got 2, 1 and 2"):
            LabelledImages(("a", "b"), ("x",), [np.zeros((4, 9))] * 2)

    def test_labelled_images_refuses_to_be_empty(self):
        with pytest.raises(ValueError, match="at least one"):
            LabelledImages((), (), [])

    def test_labelled_images_sorts_labels_and_images_with_the_clips(self):
        part = images("c", "a", "b", labels="zxy").sorted()
        assert (part.clips, part.labels) == (("a", "b", "c"), ("x", "y", "z"))
        assert [image[0, 0] for image in part.images] == [1, 2, 0]


class TestTrainingData:
    def test_training_data_numbers_labels_by_the_order_of_the_classes(self):
        data = TrainingData(images("a", "b", "c", labels="yxy"), images("d", labels="x"), ("x", "y"))
        assert data.targets(data.training).tolist() == [1, 0, 1]

    def test_training_data_refuses_a_label_that_is_no_class(self):
        with pytest.raises(ValueError, match=r"got \['z'\]"):
            TrainingData(images("a"), images("b", labels="z"), ("a", "b"))


class TestShortClips:
    def test_short_clips_names_clips_of_both_parts_that_are_shorter_than_a_segment(self):
        plan = RunPlan(Configuration(segment_s=3.0))  # 129 frames
        training = LabelledImages(("t1", "t2"), ("a", "a"), [np.zeros((4, 129)), np.zeros((4, 128))])
        data = TrainingData(training, images("v", frames=1), ("a",))
        assert short_clips(plan, data) == ("t2", "v")


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
    def test_consecutive_segments_cut_a_clip_and_keep_a_tail_of_half_a_segment(self, length, expected):
        assert starts(length, 10) == expected

    def test_consecutive_segments_go_clip_by_clip(self):
        segments = consecutive_segments(counting(20, 5, 30), 10)
        assert segments.clips.tolist() == [0, 0, 1, 2, 2, 2]
        assert len(segments) == 6

    @given(st.lists(st.integers(1, 500), min_size=1, max_size=5), st.integers(1, 200))
    @settings(derandomize=True, deadline=None)
    def test_consecutive_segments_stay_inside_and_leave_less_than_half_a_segment_out(self, lengths, frames):
        segments = consecutive_segments(counting(*lengths), frames)
        for clip, length in enumerate(lengths):
            own = segments.starts[segments.clips == clip]
            assert own[0] == 0
            assert np.all(np.diff(own) <= frames)
            assert length - (own[-1] + frames) < frames / 2
            assert length < frames or own[-1] + frames <= length


class TestRandomSegments:
    def test_random_segments_take_four_of_each_clip_in_mixed_order(self):
        segments = random_segments(counting(*[50] * 20), 10, np.random.default_rng(0))
        assert np.bincount(segments.clips).tolist() == [SEGMENTS_PER_CLIP] * 20
        assert segments.clips.tolist() != sorted(segments.clips.tolist())

    def test_random_segments_reach_the_first_and_the_last_frame_and_none_beyond(self):
        segments = random_segments(counting(*[12] * 50), 10, np.random.default_rng(0))
        assert set(segments.starts.tolist()) == {0, 1, 2}

    def test_random_segments_have_a_clip_that_is_too_short_anywhere_and_whole(self):
        segments = random_segments(counting(*[7] * 50), 10, np.random.default_rng(0))
        assert set(segments.starts.tolist()) == {-3, -2, -1, 0}

    def test_random_segments_are_the_same_for_the_same_seed_only(self):
        def draw(seed):
            return random_segments(counting(*[90] * 9), 10, np.random.default_rng(seed)).starts.tolist()

        assert draw([3, 1]) == draw([3, 1])
        assert draw([3, 1]) != draw([3, 2])


class TestCut:
    def test_cut_gives_a_batch_with_a_channel(self):
        images = counting(30, 30)
        batch = consecutive_segments(images, 10).cut(images, slice(2, 5))
        assert batch.shape == (3, 1, 10, 1)
        assert batch[:, 0, 0, 0].tolist() == [20, 1_000, 1_010]
        assert batch[0, 0, :, 0].tolist() == list(range(20, 30))

    def test_cut_pads_a_short_clip_at_its_end_with_the_floor(self):
        images = counting(3)
        batch = consecutive_segments(images, 5).cut(images, slice(None))
        assert batch[0, 0, :, 0].tolist() == [0, 1, 2, -80, -80]

    def test_cut_pads_a_clip_on_both_sides_with_the_silence_of_each_row(self):
        images = [np.arange(6.0).reshape(2, 3)]
        segments = Segments(np.array([0, 0]), np.array([-1, -2]), 5, silence=(-80, -70))
        assert segments.cut(images, slice(None))[..., 0].tolist() == [
            [[-80, 0, 1, 2, -80], [-70, 3, 4, 5, -70]],
            [[-80, -80, 0, 1, 2], [-70, -70, 3, 4, 5]],
        ]

    def test_cut_keeps_half_precision(self):
        images = [np.zeros((4, 20), np.float16), np.zeros((4, 3), np.float16)]
        assert consecutive_segments(images, 10).cut(images, slice(None)).dtype == np.float16


SEGMENT_FRAMES = 10
IMAGES = [np.full((2, 40), clip, np.float16) + np.arange(40, dtype=np.float16) / 64 for clip in range(12)]
TARGETS = np.arange(12) % 3


def batches_of(batch_size: int = 16, seed: int = 5) -> Batches:
    return Batches(IMAGES, TARGETS, frames=SEGMENT_FRAMES, batch_size=batch_size, seed=seed)


def all_images(some: Batches, epoch: int) -> np.ndarray:
    return np.concatenate([images for images, _ in some.of_epoch(epoch)])


class TestBatches:
    def test_batches_are_as_many_as_are_counted_and_the_last_may_be_smaller(self):
        sizes = [len(images) for images, _ in batches_of(20).of_epoch(1)]
        assert sizes == [20, 20, 8]
        assert len(batches_of(20)) == 3

    def test_batches_hold_four_crops_of_each_clip_beside_its_target(self):
        batches = list(batches_of().of_epoch(1))
        clips = np.concatenate([np.floor(images[:, 0, 0, 0]) for images, _ in batches]).astype(int)
        assert np.bincount(clips).tolist() == [4] * 12
        np.testing.assert_array_equal(np.concatenate([targets for _, targets in batches]), TARGETS[clips])

    def test_batches_do_not_depend_on_what_was_drawn_before(self):
        later = batches_of()
        for epoch in (1, 2, 3):
            all_images(later, epoch)
        np.testing.assert_array_equal(all_images(later, 4), all_images(batches_of(), 4))

    def test_batches_differ_from_epoch_to_epoch_and_from_seed_to_seed(self):
        assert not np.array_equal(all_images(batches_of(), 1), all_images(batches_of(), 2))
        assert not np.array_equal(all_images(batches_of(), 1), all_images(batches_of(seed=6), 1))
