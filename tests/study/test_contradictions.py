from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.builders import make_run, make_study
from tracker.report import build_report
from tracker.study.contradictions import Contradiction

if TYPE_CHECKING:
    from tracker.runs import Run

BY_TRACKER = {"tracker.data": "demo", "tracker.validation_clips": "5"}


def found(run: Run) -> tuple[Contradiction, ...]:
    return make_study(run).results[0].contradictions


def run_of(correct: str, accuracy: float | None, **given: object) -> Run:
    metrics = {} if accuracy is None else {"best_epoch": 1.0, "best_val_accuracy": accuracy}
    return make_run(
        1, correct, tags=BY_TRACKER | {"tracker.validation_clips": str(len(correct))}, metrics=metrics, **given
    )


class TestAccuracy:
    def test_five_of_five_clips_contradict_an_accuracy_of_a_fifth(self) -> None:
        assert found(run_of("11111", 0.2)) == (Contradiction.ACCURACY,)

    @pytest.mark.parametrize("accuracy", [0.8, 0.800000011920929, None, float("nan"), 80.0])
    def test_an_accuracy_that_says_the_same_or_nothing_is_no_contradiction(self, accuracy: float | None) -> None:
        assert found(run_of("11110", accuracy)) == ()

    def test_an_accuracy_rounded_to_whole_per_cent_is_no_contradiction(self) -> None:
        assert found(run_of("1" * 200 + "0" * 100, 0.67)) == ()

    def test_one_clip_of_a_hundred_is_within_rounding_and_two_are_not(self) -> None:
        assert found(run_of("1" * 80 + "0" * 20, 0.81)) == ()
        assert found(run_of("1" * 80 + "0" * 20, 0.82)) == (Contradiction.ACCURACY,)

    def test_the_accuracy_of_a_diverged_run_is_not_compared(self) -> None:
        assert found(replace(run_of("11111", 0.2), validation=make_run(1, "1111x").validation)) == ()

    def test_another_programs_run_may_predict_with_the_weights_of_any_epoch(self) -> None:
        curves = {"val_loss": [0.5, 0.6, 0.7], "val_accuracy": [0.2, 0.4, 0.8]}
        assert found(make_run(1, "11110", tags={}, **curves)) == ()
        assert found(make_run(1, "11111", tags={"tracker.data": "demo"}, **curves)) == (Contradiction.ACCURACY,)
        assert found(make_run(1, "00000", tags={}, val_accuracy=[0.6, 0.8])) == (Contradiction.ACCURACY,)

    def test_another_program_may_average_over_batches(self) -> None:
        assert found(make_run(1, "1" * 80 + "0" * 20, tags={}, metrics={"val_acc": 0.84})) == ()


class TestClips:
    def test_a_clip_that_is_lacking_contradicts_the_number_that_was_logged(self) -> None:
        assert found(make_run(1, "1111", tags=BY_TRACKER)) == (Contradiction.CLIPS,)

    @pytest.mark.parametrize("number", ["5", "5.0", "many", "-1", ""])
    def test_a_number_that_is_the_same_or_none_is_no_contradiction(self, number: str) -> None:
        assert found(make_run(1, "11111", tags={"tracker.validation_clips": number})) == ()

    def test_a_run_without_predictions_has_none(self) -> None:
        assert found(make_run(1, None, tags=BY_TRACKER, metrics={"val_accuracy": 0.3})) == ()


class TestByEpoch:
    def run(self, *by_epoch: str, correct: str = "1110", stop: float | None = None) -> Run:
        metrics = {"best_epoch": 2.0} | ({} if stop is None else {"stop_epoch": stop})
        return make_run(1, correct, by_epoch=by_epoch, metrics=metrics, val_loss=[0.6, 0.5, 0.7][: len(by_epoch)])

    def test_predictions_by_epoch_of_the_same_clips_and_epochs_are_no_contradiction(self) -> None:
        assert found(self.run("1000", "1110", "1100", stop=3.0)) == ()

    def test_a_clip_that_changes_when_it_is_predicted_again_is_no_contradiction(self) -> None:
        assert found(self.run("1000", "1111", "1100", stop=3.0)) == ()

    def test_predictions_by_epoch_of_other_epochs_are_not_used(self) -> None:
        run = self.run("1000", "1110", "1100", stop=2.0)
        assert found(run) == (Contradiction.BY_EPOCH,)
        assert make_study(run).results[0].by_epoch is None

    def test_predictions_by_epoch_that_differ_at_the_kept_epoch_are_not_used(self) -> None:
        assert found(self.run("1000", "0001", "1100", stop=3.0)) == (Contradiction.BY_EPOCH,)

    @pytest.mark.parametrize("changes", [{"labels": ("b",) * 4}, {"clips": tuple("wxyz")}])
    def test_predictions_by_epoch_of_other_clips_or_labels_are_not_used(
        self, changes: dict[str, tuple[str, ...]]
    ) -> None:
        run = self.run("1000", "1110", "1100", stop=3.0)
        by_epoch = replace(run.validation_by_epoch, **changes)
        assert found(replace(run, validation_by_epoch=by_epoch)) == (Contradiction.BY_EPOCH,)


class TestReport:
    def test_report_says_in_a_sentence_which_of_the_two_is_used(self) -> None:
        runs = [
            replace(run_of("11111", 0.2), run_id="1" * 32),
            make_run(2, "1111", {"kernel_size": "3"}, tags=BY_TRACKER),
            make_run(3, "1110", by_epoch=["1000"], val_loss=[0.5, 0.4], seed="1"),
        ]
        said = build_report("tracker", runs).challenges
        assert [sentence.partition(", but its predictions are ")[2] for sentence in said[:2]] == [
            "correct on 5 of 5 clips: the predictions are used.",
            "of 4: the predictions are used.",
        ]
        assert "logged a validation accuracy of 20%" in said[0]
        assert "says that it was judged on 5 validation clips" in said[1]
        assert any("those by epoch are not used" in sentence for sentence in said)

    def test_report_says_it_once_of_several_runs(self) -> None:
        runs = [make_run(seed, "1111", tags=BY_TRACKER, seed=str(seed)) for seed in range(12)]
        said = [
            sentence for sentence in build_report("tracker", runs).challenges if "the predictions are used" in sentence
        ]
        (sentence,) = said
        assert sentence.endswith(
            " contradict the numbers of validation clips that they logged: the predictions are used."
        )
