from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tracker.runs import Predictions, UsedDataset
from tracker.runs.samples import predictions_of_classes
from tracker.study.clip_sets import by_clip, clip_sets

if TYPE_CHECKING:
    from tests.builders import MakeRun
    from tracker.runs import Run


def using(run: Run, *datasets: tuple[str, str, int]) -> Run:
    """The run without tags of its own, having used datasets, each with its digest, context and rows."""
    return replace(run, tags={}, datasets=tuple(UsedDataset("data", *used) for used in datasets))


class TestClipSets:
    def test_clip_sets_join_runs_whose_predictions_name_the_same_clips(self, made: MakeRun) -> None:
        (found,) = clip_sets([made(1, "1101", tags={"tracker.split": ""}), made(2, "0111")])
        assert found.members == (0, 1)
        np.testing.assert_array_equal(found.correct, [[1, 1, 0, 1], [0, 1, 1, 1]])

    def test_clips_that_are_only_numbered_are_the_same_if_labels_and_known_datasets_are(self, made: MakeRun) -> None:
        def numbered(number: int, digest: str | None, label: str = "a") -> Run:
            found = predictions_of_classes(["row 1", "row 2"], [label, "b"], ["a", "a"])
            datasets = [(digest, "eval", 2)] if digest else []
            return replace(using(made(number), *datasets), validation=replace(found, is_numbered=True))

        runs = [numbered(1, "x"), numbered(2, "x"), numbered(3, "y"), numbered(4, None), numbered(5, "x", label="b")]
        assert [clips.members for clips in clip_sets(runs)] == [(0, 1, 3), (2,), (4,)]

    def test_clip_sets_part_runs_on_other_clips(self, made: MakeRun) -> None:
        found = clip_sets([made(1, "1101"), made(2, "1101", prefix="other")])
        assert [clips.members for clips in found] == [(0,), (1,)]

    def test_clip_sets_join_a_run_without_predictions_by_its_tags(self, made: MakeRun) -> None:
        (found,) = clip_sets([made(1, "1101"), made(2, tags={"tracker.validation_clips": "4"})])
        assert (found.members, found.with_predictions, found.known) == ((0, 1), (0,), True)

    def test_clip_sets_do_not_join_runs_that_say_nothing_of_their_clips(self, made: MakeRun) -> None:
        silent = {"tracker.dataset": "", "tracker.split": "", "tracker.validation_clips": "30"}
        found = clip_sets([made(1, tags=silent), made(2, tags=silent)])
        assert [(clips.members, clips.known, clips.n) for clips in found] == [((0,), False, 30), ((1,), False, 30)]

    def test_clip_sets_join_runs_that_were_evaluated_on_the_same_dataset(self, made: MakeRun) -> None:
        (found, other) = clip_sets([
            using(made(1), ("a", "train", 450), ("b", "eval", 150)),
            using(made(2), ("x", "train", 90), ("x", "eval", 90), ("b", "eval", 150)),
            using(made(3), ("b", "eval", 150), ("c", "validation", 40)),
        ])  # fmt: skip
        assert (found.members, found.known, found.n) == ((0, 1), True, 150)
        assert (other.members, other.known, other.n) == ((2,), True, 40)

    def test_clip_sets_do_not_count_the_clips_of_several_datasets(self, made: MakeRun) -> None:
        runs = [using(made(number), ("b", "eval", 150), ("c", "eval", 40)) for number in (1, 2)]
        (found,) = clip_sets(runs)
        assert (found.members, found.known, found.n) == ((0, 1), True, None)

    def test_clip_sets_take_no_training_data_for_clips_to_judge_by(self, made: MakeRun) -> None:
        (found,) = clip_sets([using(made(1), ("a", "train", 450), ("a", "eval", 450), ("t", "", 50))])
        assert (found.known, found.n) == (False, None)

    def test_clip_sets_align_predictions_logged_in_another_order(self, made: MakeRun) -> None:
        run, other = made(1, "1100"), made(2, "1010")
        saved = other.validation
        assert saved is not None
        reversed_ = Predictions(saved.clips[::-1], saved.labels, saved.classes, saved.probabilities[::-1])
        object.__setattr__(other, "validation", reversed_)
        (found,) = clip_sets([run, other])
        np.testing.assert_array_equal(found.correct[1], [1, 0, 1, 0])

    def test_clip_sets_count_a_prediction_that_is_no_number_as_wrong(self, made: MakeRun) -> None:
        run = made(1, "11")
        assert run.validation is not None
        run.validation.probabilities[0] = np.nan
        (found,) = clip_sets([run])
        assert found.correct.tolist() == [[False, True]]

    def test_clip_sets_know_groups_where_two_clips_share_one(self, made: MakeRun) -> None:
        (found,) = clip_sets([made(1, "1111", groups=["x", "x", "y", "z"])])
        assert found.n_groups == 3

    def test_clip_sets_know_no_groups_where_every_clip_is_alone(self, made: MakeRun) -> None:
        (found,) = clip_sets([made(1, "111", groups=["x", "y", "z"])])
        assert (found.groups, found.n_groups) == ((), 0)


class TestByClip:
    def test_by_clip_sorts_by_clip(self) -> None:
        found = by_clip(Predictions(("c", "a", "b"), ("x",) * 3, ("x",), np.ones((3, 1))))
        assert found.tolist() == [1, 2, 0]
