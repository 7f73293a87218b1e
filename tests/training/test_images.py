from __future__ import annotations

import numpy as np
import pytest

from tracker.runs import Configuration, RunPlan
from tracker.training.batches import LabelledImages, TrainingData, short_clips


def images(*clips: str, labels: str = "", frames: int = 200) -> LabelledImages:
    """Clips whose images hold their position, each labelled `a` unless said."""
    return LabelledImages(
        clips, tuple(labels or "a" * len(clips)), [np.full((4, frames), i) for i in range(len(clips))]
    )


class TestLabelledImages:
    def test_refuses_parts_of_different_lengths(self):
        with pytest.raises(ValueError, match="got 2, 1 and 2"):
            LabelledImages(("a", "b"), ("x",), [np.zeros((4, 9))] * 2)

    def test_refuses_to_be_empty(self):
        with pytest.raises(ValueError, match="at least one"):
            LabelledImages((), (), [])

    def test_sorts_labels_and_images_with_the_clips(self):
        part = images("c", "a", "b", labels="zxy").sorted()
        assert (part.clips, part.labels) == (("a", "b", "c"), ("x", "y", "z"))
        assert [image[0, 0] for image in part.images] == [1, 2, 0]


class TestTrainingData:
    def test_numbers_labels_by_the_order_of_the_classes(self):
        data = TrainingData(images("a", "b", "c", labels="yxy"), images("d", labels="x"), ("x", "y"))
        assert data.targets(data.training).tolist() == [1, 0, 1]

    def test_refuses_a_label_that_is_no_class(self):
        with pytest.raises(ValueError, match=r"got \['z'\]"):
            TrainingData(images("a"), images("b", labels="z"), ("a", "b"))


class TestShortClips:
    def test_names_clips_of_both_parts_that_are_shorter_than_a_segment(self):
        plan = RunPlan(Configuration(segment_s=3.0))  # 129 frames
        training = LabelledImages(("t1", "t2"), ("a", "a"), [np.zeros((4, 129)), np.zeros((4, 128))])
        data = TrainingData(training, images("v", frames=1), ("a",))
        assert short_clips(plan, data) == ("t2", "v")
