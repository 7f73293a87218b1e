"""Which clips are wrong in every run or in the best, and in which order they stand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tests.builders import make_predictions, make_run
from tracker.report import DataSource, build_report, mistakes

if TYPE_CHECKING:
    from tracker.runs import Run


def run_of(number: int, correct: str, probability: float = 0.8, **changes: object) -> Run:
    made = make_run(number, correct, {"kernel_size": str(number)})
    labels = ("a",) * len(correct)
    clips = [f"clip{i:04d}" for i in range(len(correct))]
    predictions = make_predictions(correct, clips, labels=labels, probability=(0.9, probability), fading=0.01)
    return replace(made, validation=predictions, **changes)  # type: ignore[arg-type]


def found(*runs: Run, most: int = 20) -> list[tuple[str, int, int]]:
    return [(each.clip, each.wrong, each.runs) for each in mistakes(build_report("e", runs), most)]


class TestMistakes:
    def test_mistakes_of_every_run_stand_before_those_of_the_best(self) -> None:
        assert found(run_of(1, "1110010"), run_of(2, "1000010")) == [
            ("clip0003", 2, 2), ("clip0004", 2, 2), ("clip0006", 2, 2),
        ]  # fmt: skip
        assert found(run_of(1, "0111110"), run_of(2, "1100010")) == [("clip0006", 2, 2), ("clip0000", 1, 2)]

    def test_mistakes_of_runs_that_are_not_the_best_are_left_out_unless_all_make_them(self) -> None:
        assert found(run_of(1, "1110"), run_of(2, "0010")) == [("clip0003", 2, 2)]

    def test_mistakes_stand_by_the_confidence_of_the_best_run(self) -> None:
        least = run_of(1, "1110000")
        rows = least.validation.probabilities.copy()  # type: ignore[union-attr]
        rows[[3, 4, 5, 6]] = [[0.4, 0.6], [0.1, 0.9], [0.4, 0.6], [0.3, 0.7]]
        run = replace(least, validation=replace(least.validation, probabilities=rows))  # type: ignore[type-var]
        assert [clip for clip, _, _ in found(run)] == ["clip0004", "clip0006", "clip0003", "clip0005"]

    def test_mistakes_are_at_most_as_many_as_asked_for(self) -> None:
        assert len(found(run_of(1, "0" * 9), most=4)) == 4

    def test_a_prediction_that_is_not_a_number_has_no_confidence(self) -> None:
        nan = run_of(1, "1x0")
        assert np.isnan(nan.validation.probabilities[1]).all()  # type: ignore[union-attr]
        each = mistakes(build_report("e", [nan]), 5)
        assert [(one.clip, one.predicted, round(one.confidence, 2)) for one in each] == [
            ("clip0002", "b", 0.78), ("clip0001", "no class", 0.0),
        ]  # fmt: skip

    def test_a_clip_that_several_splits_hold_out_counts_in_all_of_them(self) -> None:
        first, second = run_of(1, "10"), make_run(2, "000", {"kernel_size": "3"}, tags={"tracker.split": "other"})
        assert sorted(found(first, second)) == [("clip0001", 2, 2), ("clip0002", 1, 1)]

    def test_no_predictions_are_no_mistakes(self) -> None:
        assert found(make_run(1, None, val_loss=[0.5])) == []

    def test_how_often_a_clip_is_wrong_is_said_in_words(self) -> None:
        def words(*correct: str) -> str:
            runs = [run_of(number, signs) for number, signs in enumerate(correct, 1)]
            return mistakes(build_report("e", runs), 1)[0].how_often

        assert words("10") == ""
        assert words("10", "10") == "wrong in both runs"
        assert words("10", "10", "10") == "wrong in all 3 runs"
        assert words("110", "011", "001") == "wrong in 1 of 3 runs"

    def test_sources_are_those_of_all_runs_on_the_clips_the_best_first(self) -> None:
        sizes = {f"tracker.{part}_clips": str(n) for part, n in (("training", 8), ("validation", 2), ("test", 0))}
        tags = [{"tracker.data": "here", "tracker.dataset": "d", **sizes}, {"tracker.data": "there"}, {}]
        runs = [
            replace(run_of(number, signs), tags=of_run)
            for number, (signs, of_run) in enumerate(zip(("00", "10", "00"), tags, strict=True), 1)
        ]
        (only,) = mistakes(build_report("e", runs), 5)
        assert only.sources == (
            DataSource("there", None, None),
            DataSource("here", "d", 10),
            DataSource(None, None, None),
        )
