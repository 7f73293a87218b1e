from __future__ import annotations

from dataclasses import replace

import pytest

from tests.builders import make_run
from tracker.study.sample_name import CLIPS, SampleName, sample_name_of

SENTENCE = "26 of 30 validation clips are correct, one clip more; a clip is a clip's worth. Clips differ."


class TestSampleName:
    def test_put_into_changes_nothing_of_clips(self) -> None:
        assert CLIPS.put_into(SENTENCE) == SENTENCE

    def test_put_into_names_one_and_several_whatever_their_case_and_article(self) -> None:
        assert SampleName("image").put_into(SENTENCE) == (
            "26 of 30 validation images are correct, one image more; an image is an image's worth. Images differ."
        )

    @pytest.mark.parametrize(("one", "many"), [("sample", "samples"), ("query", "queries"), ("box", "boxes")])
    def test_many_is_the_plural(self, one: str, many: str) -> None:
        assert SampleName(one).many == many

    @pytest.mark.parametrize("text", ["clip 0.1 instead of 1", "gradient clips", "clips/a.wav", "clip=1", "paperclips"])
    def test_put_into_leaves_what_other_people_named(self, text: str) -> None:
        named = SampleName("image", frozenset({"clip 0.1", "gradient clips"}))
        assert named.put_into(f"{text}: the same clips") == f"{text}: the same images"


class TestSampleNameOf:
    def test_runs_of_tracker_are_of_clips(self) -> None:
        assert sample_name_of([make_run(1, "11", tags={"tracker.data": "demo"})]) is CLIPS

    def test_other_runs_are_of_samples_unless_they_say_otherwise(self) -> None:
        silent, named = make_run(1, "11", tags=_TAGS), make_run(2, "11", tags=_TAGS | {"tracker.sample_name": "image"})
        assert sample_name_of([silent]).one == "sample"
        assert sample_name_of([named]).one == "image"
        assert sample_name_of([silent, named]).one == "sample"

    @pytest.mark.parametrize("name", ["<b>", "x" * 31, "a\nb", "1", ""])
    def test_a_name_that_is_no_word_is_not_taken(self, name: str) -> None:
        assert sample_name_of([make_run(1, "11", tags=_TAGS | {"tracker.sample_name": name})]).one == "sample"

    def test_texts_of_runs_with_the_word_in_them_stay(self) -> None:
        run = replace(make_run(1, "11", {"clip": "0.1"}, tags=_TAGS), name="two clips")
        assert {"clip", "two clips"} <= sample_name_of([run]).others


_TAGS = {"tracker.dataset": "", "tracker.split": ""}
