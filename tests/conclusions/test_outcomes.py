from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from tracker.study.run_results import Metric, count_correct, every_epoch, primary_metric, run_result, says_kept

if TYPE_CHECKING:
    from tests.builders import MakeRun
    from tracker.runs import Run

LOSSES = [1.0, 0.6, 0.5, 0.7]
ACCURACY = Metric("val_accuracy")


class TestCountRight:
    @pytest.mark.parametrize(
        ("accuracy", "count"), [(0.8333333134651184, 25), (0.8666666746139526, 26), (0.800000011920929, 24), (1.0, 30)]
    )
    def test_count_right_reads_float32_thirtieths(self, accuracy: float, count: int) -> None:
        assert count_correct(accuracy, 30) == count

    def test_count_right_is_unknown_where_it_is_no_count(self) -> None:
        assert count_correct(0.84, 30) is None

    def test_count_right_is_unknown_without_the_number_of_clips(self) -> None:
        assert count_correct(0.8, None) is None

    @pytest.mark.parametrize("accuracy", [math.nan, math.inf, -0.1, 1.2, 83.3])
    def test_count_right_is_unknown_where_it_is_no_share(self, accuracy: float) -> None:
        assert count_correct(accuracy, 30) is None


class TestRunResult:
    def test_run_result_keeps_the_epoch_of_the_lowest_validation_loss(self, made: MakeRun) -> None:
        found = run_result(1, made(1, val_loss=LOSSES, val_accuracy=[0.1, 0.2, 0.3, 0.4]), ACCURACY, None, None)
        assert (found.best_epoch, found.kept_epoch, found.stop_epoch) == (3, 3, 4)
        assert (found.val_loss, found.val_accuracy) == (0.5, 0.3)

    def test_run_result_keeps_the_last_epoch_where_asked(self, made: MakeRun) -> None:
        run = made(1, params={"keep": "last"}, val_loss=LOSSES, val_accuracy=[0.1, 0.2, 0.3, 0.4])
        found = run_result(1, run, ACCURACY, None, None)
        assert (found.best_epoch, found.kept_epoch) == (3, 4)
        assert (found.val_loss, found.val_accuracy) == (0.7, 0.4)

    def test_run_result_keeps_the_last_epoch_whose_loss_is_a_number(self, gone_on: Run) -> None:
        found = run_result(1, gone_on, ACCURACY, None, 4)
        assert (found.best_epoch, found.kept_epoch, found.stop_epoch) == (3, 4, 7)
        assert (found.val_loss, found.val_accuracy, found.correct, found.score) == (0.7, 0.75, 3, 0.75)
        assert run_result(1, gone_on, Metric("val_loss", lower_is_better=True), None, 4).score == 0.7

    def test_run_result_of_one_epoch_keeps_it(self, made: MakeRun) -> None:
        metrics = {"stop_epoch": 1.0, "last_val_loss": 0.9}
        found = run_result(1, made(1, params={"keep": "last"}, metrics=metrics, val_loss=[0.9]), ACCURACY, None, None)
        assert (found.kept_epoch, found.val_loss) == (1, 0.9)

    def test_run_result_keeps_no_epoch_where_no_loss_is_a_number(self, made: MakeRun) -> None:
        run = made(1, params={"keep": "last"}, val_loss=[math.nan, math.inf])
        assert run_result(1, run, ACCURACY, None, None).kept_epoch is None

    def test_run_result_keeps_a_last_epoch_without_a_number_where_keras_does(self, made: MakeRun) -> None:
        foreign = {"tracker.dataset": "", "tracker.split": ""}
        run = made(1, params={"restore_best_weights": "False"}, tags=foreign, val_loss=[0.9, math.nan])
        found = run_result(1, run, ACCURACY, None, None)
        assert (found.kept_epoch, found.val_loss) == (2, None)

    def test_run_result_takes_the_first_of_equal_losses(self, made: MakeRun) -> None:
        assert run_result(1, made(1, val_loss=[0.5, 0.5]), ACCURACY, None, None).best_epoch == 1

    def test_run_result_passes_over_losses_that_are_no_number(self, made: MakeRun) -> None:
        assert run_result(1, made(1, val_loss=[math.nan, 0.6, math.inf]), ACCURACY, None, None).best_epoch == 2

    def test_run_result_has_no_best_epoch_where_no_loss_is_a_number(self, made: MakeRun) -> None:
        assert run_result(1, made(1, val_loss=[math.nan, math.nan]), ACCURACY, None, None).best_epoch is None

    def test_run_result_believes_what_was_logged_at_the_end(self, made: MakeRun) -> None:
        run = made(1, metrics={"best_epoch": 2.0, "best_val_loss": 0.6, "stop_epoch": 9.0}, val_loss=LOSSES)
        found = run_result(1, run, ACCURACY, None, None)
        assert (found.best_epoch, found.stop_epoch, found.val_loss) == (2, 9, 0.6)

    def test_run_result_counts_from_predictions_before_anything_else(self, made: MakeRun) -> None:
        run = made(1, "1110", metrics={"best_val_accuracy": 0.5})
        found = run_result(1, run, ACCURACY, 3, 4)
        assert (found.correct, found.n, found.score) == (3, 4, 0.75)

    def test_run_result_counts_from_the_accuracy_where_there_are_no_predictions(self, made: MakeRun) -> None:
        run = made(1, metrics={"best_val_accuracy": 0.8333333134651184})
        assert run_result(1, run, ACCURACY, None, 30).correct == 25

    def test_run_result_takes_a_single_value_for_the_result_and_not_for_an_epoch(self, made: MakeRun) -> None:
        found = run_result(1, made(1, metrics={"val_loss": 0.5}, val_loss=[0.5]), ACCURACY, None, None)
        assert (found.val_loss, found.best_epoch, found.stop_epoch) == (0.5, None, None)

    def test_run_result_counts_epochs_from_one_whatever_the_first_step(self, made: MakeRun) -> None:
        run = made(1, val_loss=LOSSES)
        shifted = {name: type(c)(c.steps - 1, c.values) for name, c in run.curves.items()}
        object.__setattr__(run, "curves", shifted)
        assert run_result(1, run, ACCURACY, None, None).best_epoch == 3

    def test_run_result_reads_metrics_logged_under_other_names(self, made: MakeRun) -> None:
        run = made(1, **{"eval/loss": LOSSES, "eval/acc": [0.1, 0.2, 0.3, 0.4]})
        found = run_result(1, run, Metric("eval/acc"), None, None)
        assert (found.best_epoch, found.val_accuracy) == (3, 0.3)

    def test_scores_another_metric_at_the_kept_epoch(self, made: MakeRun) -> None:
        run = made(1, val_loss=LOSSES, val_f1=[0.1, 0.2, 0.35, 0.4])
        assert run_result(1, run, Metric("val_f1"), None, None).score == 0.35

    def test_run_result_keeps_the_epoch_that_keras_restored(self, made: MakeRun) -> None:
        metrics = {"restored_epoch": 1.0, "stopped_epoch": 3.0}
        found = run_result(
            1, made(1, metrics=metrics, val_loss=LOSSES, val_accuracy=[0.1, 0.9, 0.3, 0.4]), ACCURACY, None, None
        )
        assert (found.best_epoch, found.kept_epoch, found.val_accuracy) == (3, 2, 0.9)

    def test_run_result_keeps_the_last_epoch_where_keras_restored_none(self, made: MakeRun) -> None:
        run = made(1, params={"restore_best_weights": "False"}, val_loss=LOSSES)
        assert run_result(1, run, ACCURACY, None, None).kept_epoch == 4

    def test_run_result_of_nothing_logged_knows_nothing(self, made: MakeRun) -> None:
        found = run_result(1, made(1), ACCURACY, None, None)
        assert {found.best_epoch, found.stop_epoch, found.val_loss, found.correct, found.score, found.seconds} == {None}


class TestPrimaryMetric:
    def test_primary_metric_is_validation_accuracy_under_whatever_name(self, made: MakeRun) -> None:
        assert primary_metric([made(1, metrics={"eval/acc": 0.5, "f1": 0.2})], None) == Metric(
            "eval/acc", lower_is_better=False
        )

    def test_primary_metric_is_another_validation_metric_where_there_is_no_accuracy(self, made: MakeRun) -> None:
        assert primary_metric([made(1, metrics={"val_loss": 0.5, "val_f1": 0.2})], None).name == "val_f1"

    def test_primary_metric_falls_where_its_name_says_so(self) -> None:
        assert primary_metric([], "val_loss").lower_is_better

    def test_primary_metric_falls_where_asked_to(self) -> None:
        assert primary_metric([], "val_score", minimise=True).lower_is_better

    def test_primary_metric_is_no_share_of_clips_where_it_goes_above_one(self, made: MakeRun) -> None:
        per_cent = primary_metric([made(1, metrics={"val_accuracy": 83.3})], None)
        assert (per_cent.is_fraction, per_cent.is_accuracy) == (False, False)
        judged = primary_metric([made(1, "110", metrics={"val_accuracy": 66.7})], None)
        assert judged.is_accuracy

    def test_primary_metric_says_that_its_direction_is_a_guess(self) -> None:
        assert primary_metric([], "quality").assumed
        assert not primary_metric([], "quality", minimise=False).assumed
        assert not primary_metric([], "val_mae").assumed


class TestSaysKept:
    def test_says_kept_is_true_of_a_run_in_trackers_format(self, made: MakeRun) -> None:
        assert says_kept(made(1))

    @pytest.mark.parametrize("param", ["keep", "restore_best_weights"])
    def test_says_kept_is_true_where_a_param_says_so(self, made: MakeRun, param: str) -> None:
        foreign = {"tracker.dataset": "", "tracker.split": ""}
        assert says_kept(made(1, params={param: "True"}, tags=foreign))
        assert not says_kept(made(1, tags=foreign))


class TestEveryEpoch:
    def test_every_epoch_is_none_where_an_epoch_is_missing(self, made: MakeRun) -> None:
        run = made(1, val_loss=LOSSES)
        steps = run.curves["val_loss"].steps
        steps[2:] += 1
        assert every_epoch(run_result(1, run, ACCURACY, None, None), "loss") is None
