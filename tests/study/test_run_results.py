from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.builders import make_curve
from tracker.statistics.proportions import grouped_wilson, wilson
from tracker.study.metrics import Metric
from tracker.study.run_results import RunResult, count_correct, every_epoch, run_results

if TYPE_CHECKING:
    from tests.builders import MakeRun
    from tracker.runs import Run

LOSSES = [1.0, 0.6, 0.5, 0.7]
ACCURACY = Metric("val_accuracy")
OF_FOUR = {"tracker.validation_clips": "4"}


def result_of(run: Run, metric: Metric = ACCURACY) -> RunResult:
    return run_results([run], metric)[0]


class TestCountCorrect:
    @pytest.mark.parametrize(
        ("accuracy", "count"), [(0.8333333134651184, 25), (0.8666666746139526, 26), (0.800000011920929, 24), (1.0, 30)]
    )
    def test_count_correct_reads_float32_thirtieths(self, accuracy: float, count: int) -> None:
        assert count_correct(accuracy, 30) == count

    def test_count_correct_is_unknown_where_it_is_no_count(self) -> None:
        assert count_correct(0.84, 30) is None

    def test_count_correct_is_unknown_without_the_number_of_clips(self) -> None:
        assert count_correct(0.8, None) is None

    @pytest.mark.parametrize("accuracy", [math.nan, math.inf, -0.1, 1.2, 83.3])
    def test_count_correct_is_unknown_where_it_is_no_share(self, accuracy: float) -> None:
        assert count_correct(accuracy, 30) is None


class TestRunResults:
    def test_run_results_keeps_the_epoch_of_the_lowest_validation_loss(self, made: MakeRun) -> None:
        found = result_of(made(1, val_loss=LOSSES, val_accuracy=[0.1, 0.2, 0.3, 0.4]))
        assert (found.best_epoch, found.kept_epoch, found.stop_epoch) == (3, 3, 4)
        assert (found.val_loss, found.val_accuracy) == (0.5, 0.3)

    def test_run_results_keeps_the_last_epoch_where_asked(self, made: MakeRun) -> None:
        run = made(1, params={"keep": "last"}, val_loss=LOSSES, val_accuracy=[0.1, 0.2, 0.3, 0.4])
        found = result_of(run)
        assert (found.best_epoch, found.kept_epoch) == (3, 4)
        assert (found.val_loss, found.val_accuracy) == (0.7, 0.4)

    def test_run_results_keeps_the_last_epoch_whose_loss_is_a_number(self, gone_on: Run) -> None:
        found = result_of(gone_on)
        assert (found.best_epoch, found.kept_epoch, found.stop_epoch) == (3, 4, 7)
        assert (found.val_loss, found.val_accuracy, found.correct, found.score) == (0.7, 0.75, 3, 0.75)
        assert result_of(gone_on, Metric("val_loss", lower_is_better=True)).score == 0.7

    def test_run_results_of_one_epoch_keeps_it(self, made: MakeRun) -> None:
        metrics = {"stop_epoch": 1.0, "last_val_loss": 0.9}
        found = result_of(made(1, params={"keep": "last"}, metrics=metrics, val_loss=[0.9]))
        assert (found.kept_epoch, found.val_loss) == (1, 0.9)

    def test_run_results_keeps_no_epoch_where_no_loss_is_a_number(self, made: MakeRun) -> None:
        run = made(1, params={"keep": "last"}, val_loss=[math.nan, math.inf])
        assert result_of(run).kept_epoch is None

    def test_run_results_keeps_a_last_epoch_without_a_number_where_keras_does(self, made: MakeRun) -> None:
        foreign = {"tracker.dataset": "", "tracker.split": ""}
        run = made(1, params={"restore_best_weights": "False"}, tags=foreign, val_loss=[0.9, math.nan])
        found = result_of(run)
        assert (found.kept_epoch, found.val_loss) == (2, None)

    def test_run_results_takes_the_first_of_equal_losses(self, made: MakeRun) -> None:
        assert result_of(made(1, val_loss=[0.5, 0.5])).best_epoch == 1

    def test_run_results_passes_over_losses_that_are_no_number(self, made: MakeRun) -> None:
        assert result_of(made(1, val_loss=[math.nan, 0.6, math.inf])).best_epoch == 2

    def test_run_results_has_no_best_epoch_where_no_loss_is_a_number(self, made: MakeRun) -> None:
        assert result_of(made(1, val_loss=[math.nan, math.nan])).best_epoch is None

    def test_run_results_believes_what_was_logged_at_the_end(self, made: MakeRun) -> None:
        run = made(1, metrics={"best_epoch": 2.0, "best_val_loss": 0.6, "stop_epoch": 9.0}, val_loss=LOSSES)
        found = result_of(run)
        assert (found.best_epoch, found.stop_epoch, found.val_loss) == (2, 9, 0.6)

    def test_run_results_counts_from_predictions_before_anything_else(self, made: MakeRun) -> None:
        run = made(1, "1110", metrics={"best_val_accuracy": 0.5})
        found = result_of(run)
        assert (found.correct, found.n, found.score) == (3, 4, 0.75)

    def test_run_results_counts_from_the_accuracy_where_there_are_no_predictions(self, made: MakeRun) -> None:
        run = made(1, metrics={"best_val_accuracy": 0.8333333134651184}, tags={"tracker.validation_clips": "30"})
        assert result_of(run).correct == 25

    def test_run_results_takes_a_single_value_for_the_result_and_not_for_an_epoch(self, made: MakeRun) -> None:
        found = result_of(made(1, metrics={"val_loss": 0.5}, val_loss=[0.5]))
        assert (found.val_loss, found.best_epoch, found.stop_epoch) == (0.5, None, None)

    def test_run_results_counts_epochs_from_one_whatever_the_first_step(self, made: MakeRun) -> None:
        run = made(1, val_loss=LOSSES)
        shifted = {name: type(c)(c.steps - 1, c.values) for name, c in run.curves.items()}
        object.__setattr__(run, "curves", shifted)
        assert result_of(run).best_epoch == 3

    def test_run_results_reads_metrics_logged_under_other_names(self, made: MakeRun) -> None:
        run = made(1, **{"eval/loss": LOSSES, "eval/acc": [0.1, 0.2, 0.3, 0.4]})
        found = result_of(run, Metric("eval/acc"))
        assert (found.best_epoch, found.val_accuracy) == (3, 0.3)

    def test_run_results_scores_another_metric_at_the_kept_epoch(self, made: MakeRun) -> None:
        run = made(1, val_loss=LOSSES, val_f1=[0.1, 0.2, 0.35, 0.4])
        assert result_of(run, Metric("val_f1")).score == 0.35

    def test_run_results_keeps_the_epoch_that_keras_restored(self, made: MakeRun) -> None:
        metrics = {"restored_epoch": 1.0, "stopped_epoch": 3.0}
        params = {"restore_best_weights": "True"}
        found = result_of(made(1, params=params, metrics=metrics, val_loss=LOSSES, val_accuracy=[0.1, 0.9, 0.3, 0.4]))
        assert (found.best_epoch, found.kept_epoch, found.val_accuracy) == (3, 2, 0.9)

    def test_run_results_keeps_the_last_epoch_where_keras_restored_none(self, made: MakeRun) -> None:
        run = made(1, params={"restore_best_weights": "False"}, val_loss=LOSSES)
        assert result_of(run).kept_epoch == 4

    def test_run_results_of_nothing_logged_knows_nothing(self, made: MakeRun) -> None:
        found = result_of(made(1))
        assert {found.best_epoch, found.stop_epoch, found.val_loss, found.correct, found.score, found.seconds} == {None}


class TestCurves:
    def test_curves_are_found_by_what_they_measure(self, made: MakeRun) -> None:
        names = {"train_loss": [1, 0.5], "validation_loss": [1.1, 0.9], "val/acc": [0.5, 0.6], "lr": [0.1, 0.1]}
        curves = result_of(made(1, **names)).curves
        assert [curve is not None for curve in (*curves.losses, *curves.accuracies)] == [True, True, False, True]
        assert list(curves.learning_rate.values) == [0.1, 0.1]


class TestRateDrops:
    def test_rate_drops_are_after_the_last_epoch_at_the_higher_rate(self, made: MakeRun) -> None:
        rates = [1e-3, 1e-3, 5e-4, 5e-4 * (1 - 1e-8)]
        (drop,) = result_of(made(1, learning_rate=rates)).rate_drops
        assert (drop.epoch, drop.before, drop.after) == (2, 1e-3, 5e-4)

    @pytest.mark.parametrize("rates", [[0.0, 0.0], [math.nan, 1e-3], [1e-3, -1e-3]])
    def test_rate_drops_are_unknown_if_a_rate_is_not_above_0(self, made: MakeRun, rates: list[float]) -> None:
        assert result_of(made(1, learning_rate=rates)).rate_drops is None

    def test_rate_drops_are_unknown_without_a_rate(self, made: MakeRun) -> None:
        assert result_of(made(1, val_loss=LOSSES)).rate_drops is None


class TestFirstDivergedEpoch:
    def test_first_diverged_epoch_is_the_first_of_either_loss(self, made: MakeRun) -> None:
        run = made(1, loss=[1, 1, math.nan], val_loss=[1, math.inf, math.nan])
        assert result_of(run).first_diverged_epoch == 2

    def test_first_diverged_epoch_is_none_if_all_losses_are_finite(self, made: MakeRun) -> None:
        assert result_of(made(1, loss=[1, 1])).first_diverged_epoch is None


class TestAccuracy:
    def test_accuracy_has_wilsons_interval(self, made: MakeRun) -> None:
        accuracy = result_of(made(1, "1110")).accuracy
        assert (accuracy.correct, accuracy.n, accuracy.interval) == (3, 4, wilson(3, 4))

    def test_accuracy_has_a_wider_interval_if_clips_share_groups(self, made: MakeRun) -> None:
        run = made(1, "111100", groups="xxyyzz")
        assert result_of(run).accuracy.interval == grouped_wilson(run.validation.correct, list("xxyyzz"))

    def test_accuracy_is_unknown_without_a_count(self, made: MakeRun) -> None:
        assert result_of(made(1, metrics={"best_val_accuracy": 0.84}, tags=OF_FOUR)).accuracy is None


class TestPerClip:
    def test_correct_and_predicted_are_sorted_by_clip(self, made: MakeRun) -> None:
        run = made(1, "10")
        saved = run.validation
        swapped = replace(saved, clips=saved.clips[::-1], probabilities=saved.probabilities)
        result = result_of(replace(run, validation=swapped))
        assert (result.correct_by_clip.tolist(), result.predicted_names) == ([False, True], ("b", "a"))

    def test_a_nan_probability_is_never_correct(self, made: MakeRun) -> None:
        result = result_of(made(1, "1x"))
        assert (result.correct_by_clip.tolist(), result.correct) == ([True, False], 1)
        assert result.predicted_names == ("a", "no class")

    def test_nothing_is_known_without_predictions(self, made: MakeRun) -> None:
        result = result_of(made(1))
        assert (result.correct_by_clip, result.predicted_names) == (None, ())


class TestFitCorrect:
    def test_fit_correct_counts_training_clips(self, made: MakeRun) -> None:
        run = made(1, metrics={"fit_accuracy": 0.75}, tags={"tracker.training_clips": "12"})
        assert (result_of(run).training_clips, result_of(run).fit_correct) == (12, 9)


FOREIGN = {"tracker.dataset": "", "tracker.split": ""}


class TestKeptEpoch:
    """Another program's `LOSSES` from step 0: the lowest is epoch 3."""

    @pytest.mark.parametrize(
        ("params", "metrics", "kept"),
        [
            ({}, {}, None),
            ({"keep": "5"}, {}, None),
            ({"keep": "last"}, {}, None),
            ({"restore_best_weights": "False"}, {}, 4),
            ({"load_best_model_at_end": "False"}, {}, 4),
            ({"restore_best_weights": "True"}, {"stopped_epoch": 3, "restored_epoch": 1}, 2),
            ({"restore_best_weights": "True", "monitor": "val_loss"}, {}, None),
            ({}, {"restored_epoch": 1, "stopped_epoch": 3}, None),  # Lightning's, which restores nothing
            ({"restore_best_weights": "True"}, {"stopped_epoch": 3, "restored_epoch": 9}, None),
            ({}, {"best_epoch": 2, "best_val_loss": 0.1, "stop_epoch": 3}, None),
        ],
    )
    def test_kept_epoch_of_another_program(
        self, made: MakeRun, params: dict[str, str], metrics: dict[str, float], kept: int | None
    ) -> None:
        run = made(1, params=params, tags=FOREIGN, metrics=metrics)
        result = result_of(replace(run, curves={"val_loss": make_curve(LOSSES, 0)}))
        assert (result.best_epoch, result.kept_epoch, result.stop_epoch) == (3, kept, 4)

    @pytest.mark.parametrize(
        ("metric", "rises", "kept"),
        [("None", "False", 3), ("loss", "False", 3), ("eval_accuracy", "True", 2), ("f1", "True", None)],
    )
    def test_kept_epoch_is_the_one_that_transformers_load_at_the_end(
        self, made: MakeRun, metric: str, rises: str, kept: int | None
    ) -> None:
        params = {"metric_for_best_model": metric, "greater_is_better": rises, "load_best_model_at_end": "True"}
        run = made(1, params=params, tags=FOREIGN, eval_loss=LOSSES, eval_accuracy=[0.5, 0.85, 0.79, 0.85])
        assert result_of(run).kept_epoch == kept

    def test_best_values_of_another_program_are_not_those_of_its_best_epoch(self, made: MakeRun) -> None:
        accuracies = [0.5, 0.85, 0.79, 0.78]
        metrics = {"best_epoch": 2, "best_val_accuracy": 0.85, "best_val_loss": 0.6, "last_val_loss": 0.9}
        result = result_of(made(1, tags=FOREIGN, metrics=metrics, val_loss=LOSSES, val_accuracy=accuracies))
        assert (result.val_loss, result.val_accuracy, result.score) == (0.5, 0.79, 0.79)

    def test_best_values_of_another_program_alone_are_no_validation_accuracy(self, made: MakeRun) -> None:
        result = result_of(made(1, tags=FOREIGN, metrics={"best_val_accuracy": 0.85}, val_loss=LOSSES))
        assert (result.val_loss, result.val_accuracy, result.score) == (0.5, None, None)

    def test_kept_epoch_of_a_training_that_keras_went_on_with(self, made: MakeRun) -> None:
        params = {"initial_epoch": "3", "steps_per_epoch": "None", "validation_freq": "1"}
        metrics = {"stopped_epoch": 6.0, "restored_epoch": 5.0}
        run = made(1, params=params | {"restore_best_weights": "True"}, tags=FOREIGN, metrics=metrics)
        result = result_of(replace(run, curves={"val_loss": make_curve([0.5, 0.4, 0.34, 0.41, 0.34], 3)}))
        assert (result.best_epoch, result.kept_epoch, result.stop_epoch, result.val_loss) == (6, 6, 7, 0.34)

    @pytest.mark.parametrize("first", [0, 1, 5])
    def test_a_run_said_to_have_stopped_before_its_first_epoch_keeps_its_history(
        self, made: MakeRun, first: int
    ) -> None:
        run = made(1, tags=FOREIGN, metrics={"stopped_epoch": 0.0, "restored_epoch": 0.0})
        result = result_of(replace(run, curves={"val_loss": make_curve(LOSSES, first)}))
        assert (result.val_loss, result.stop_epoch) == ((0.5, 4) if first < 5 else (0.7, None))


class TestEveryEpoch:
    def test_every_epoch_is_none_where_an_epoch_is_missing(self, made: MakeRun) -> None:
        run = made(1, val_loss=LOSSES)
        steps = run.curves["val_loss"].steps
        steps[2:] += 1
        assert every_epoch(result_of(run).curves.val_loss) is None

    def test_every_epoch_is_every_value_of_a_curve_without_gaps(self, made: MakeRun) -> None:
        assert list(every_epoch(result_of(made(1, val_loss=LOSSES)).curves.val_loss)) == LOSSES
