from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tracker.report.clip_by_clip import ClassCount, class_counts, discordant_clips, on_other_data, shared_clips
from tracker.runs import Predictions

if TYPE_CHECKING:
    from tests.builders import MakeRun


class TestSharedClips:
    def test_shared_clips_are_all_where_both_were_judged_on_the_same(self, made: MakeRun) -> None:
        found = shared_clips(made(1, "110"), made(2, "011"))
        assert [(clip.clip, clip.label, clip.correct) for clip in found] == [
            ("clip0000.wav", "blues", (True, False)),
            ("clip0001.wav", "jazz", (True, True)),
            ("clip0002.wav", "blues", (False, True)),
        ]

    def test_carry_what_each_model_says(self, made: MakeRun) -> None:
        (first, *_) = shared_clips(made(1, "1"), made(2, "0", probability=0.8))
        assert [one.predicted for one in first.predictions] == ["blues", "jazz"]
        assert [one.probability for one in first.predictions] == pytest.approx([0.9, 0.2])
        assert first.gap == pytest.approx(0.7)

    def test_shared_clips_are_those_in_common_where_the_clips_differ(self, made: MakeRun) -> None:
        found = shared_clips(made(1, "1111"), made(2, "1111", first=2))
        assert [clip.clip for clip in found] == ["clip0002.wav", "clip0003.wav"]

    def test_shared_clips_are_none_that_the_two_label_otherwise(self, made: MakeRun) -> None:
        assert shared_clips(made(1, "1111"), made(2, "1111", first=1)) == ()

    def test_shared_clips_are_none_without_predictions(self, made: MakeRun) -> None:
        assert shared_clips(made(1, "11"), made(2)) == ()

    def test_shared_clips_are_none_on_other_data(self, made: MakeRun) -> None:
        one, other = made(1, "1111"), made(2, "1111", first=2, tags={"tracker.dataset": "other"})
        assert on_other_data(one, other)
        assert shared_clips(one, other) == ()

    def test_shared_clips_of_one_set_are_the_same_whatever_the_tags_say(self, made: MakeRun) -> None:
        one, other = made(1, "1111"), made(2, "1111", tags={"tracker.dataset": "other"})
        assert not on_other_data(one, other)
        assert len(shared_clips(one, other)) == 4

    def test_shared_clips_are_no_matter_of_the_order_they_were_logged_in(self, made: MakeRun) -> None:
        run = made(1, "101")
        was = run.validation
        turned = Predictions(was.clips[::-1], was.labels[::-1], was.classes[::-1], was.probabilities[::-1, ::-1])
        assert shared_clips(run, made(2, "011")) == shared_clips(replace(run, validation=turned), made(2, "011"))

    def test_a_model_whose_probabilities_are_no_numbers_says_nothing_and_is_wrong(self, made: MakeRun) -> None:
        run = made(1, "1")
        lost = replace(run.validation, probabilities=np.array([[np.nan, 0.1]]))
        (clip,) = shared_clips(replace(run, validation=lost), made(2, "1"))
        assert (clip.predictions[0].predicted, clip.predictions[0].probability) == (None, None)
        assert clip.correct == (False, True)

    def test_a_class_that_a_model_does_not_know_has_no_probability(self, made: MakeRun) -> None:
        run = made(1, "1")
        foreign = replace(run.validation, classes=("rock", "jazz"))
        (clip,) = shared_clips(replace(run, validation=foreign), made(2, "1"))
        assert (clip.predictions[0].predicted, clip.predictions[0].probability) == ("rock", None)


class TestOnlyOneRight:
    def test_discordant_clips_has_those_of_the_first_run_first_and_of_each_the_clearest(self, made: MakeRun) -> None:
        found = discordant_clips(shared_clips(made(1, "110110"), made(2, "011001")))
        assert [(clip.clip, clip.correct[0]) for clip in found] == [
            ("clip0000.wav", True),
            ("clip0003.wav", True),
            ("clip0004.wav", True),
            ("clip0002.wav", False),
            ("clip0005.wav", False),
        ]
        assert found[0].gap > found[1].gap > found[2].gap

    def test_discordant_clips_is_empty_where_both_have_the_same_right(self, made: MakeRun) -> None:
        assert discordant_clips(shared_clips(made(1, "1100"), made(2, "1100"))) == ()


class TestClassCounts:
    def test_count_each_class(self, made: MakeRun) -> None:
        assert class_counts(shared_clips(made(1, "11011"), made(2, "01001"))) == (
            ClassCount("blues", 3, (2, 1)),
            ClassCount("jazz", 2, (2, 1)),
        )
