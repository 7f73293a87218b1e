from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tracker.runs import Curve, Run
from tracker.study.metrics import (
    LoggedSteps,
    Metric,
    UnknownMetricError,
    by_epoch,
    check_logged,
    epoch_limit,
    identical,
    in_one_unit,
    lower_is_better,
    named,
    primary_metric,
    role_of,
    same_until,
    steps_without_epochs,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.builders import MakeRun

LOSSES = [0.9, math.nan, 0.7]


def at(steps: Sequence[int], values: Sequence[float] | None = None) -> Curve:
    return Curve(np.array(steps), np.array(range(len(steps)) if values is None else values, dtype=float))


def run_of(params: Mapping[str, str] | None = None, metrics: Mapping[str, float] | None = None, **curves: Curve) -> Run:
    return Run("1" * 32, "a run", "FINISHED", params or {}, {}, metrics or {}, curves)


def epochs(run: Run, name: str = "val_loss") -> list[int] | None:
    found = by_epoch(run, name)
    return None if found is None else found.epochs.tolist()


class TestRoleOf:
    @pytest.mark.parametrize(
        "name", ["val_loss", "validation_loss", "valid/loss", "eval.loss", "Validation Loss", "val-loss"]
    )
    def test_role_of_knows_validation_metrics(self, name: str) -> None:
        assert role_of(name) == ("loss", "validation")

    @pytest.mark.parametrize("name", ["loss", "train_loss", "training/loss", "train.loss"])
    def test_role_of_knows_training_metrics(self, name: str) -> None:
        assert role_of(name) == ("loss", "training")

    def test_role_of_takes_acc_for_accuracy(self) -> None:
        assert role_of("val_acc") == ("accuracy", "validation")

    @pytest.mark.parametrize("name", ["val_loss_epoch", "Loss/val", "loss.validation", "validation_0-loss"])
    def test_role_of_knows_validation_metrics_as_others_name_them(self, name: str) -> None:
        assert role_of(name) == ("loss", "validation")

    @pytest.mark.parametrize("name", ["train_loss_epoch", "loss_epoch", "Loss/train"])
    def test_role_of_knows_training_metrics_as_others_name_them(self, name: str) -> None:
        assert role_of(name) == ("loss", "training")

    def test_role_of_takes_a_value_by_batch_for_none_by_epoch(self) -> None:
        assert role_of("train_loss_step") == ("loss_step", "training")

    def test_role_of_knows_the_rate_that_lightning_monitors(self) -> None:
        assert role_of("lr-Adam") == ("learning_rate", "training")

    def test_role_of_takes_no_test_metric_for_one_of_validation(self) -> None:
        assert role_of("test_accuracy") == ("test_accuracy", "training")

    def test_role_of_takes_a_bare_prefix_for_a_name(self) -> None:
        assert role_of("val") == ("val", "training")


class TestNamed:
    def test_prefers_the_usual_name(self) -> None:
        assert named(["eval_loss", "val_loss", "validation_loss"], "loss", "validation") == "val_loss"

    def test_named_takes_whichever_is_there(self) -> None:
        assert named(["train/loss", "eval/loss"], "loss", "validation") == "eval/loss"

    def test_named_takes_the_last_of_several_sets_of_clips(self) -> None:
        assert named(["validation_0-auc", "validation_1-auc"], "auc", "validation") == "validation_1-auc"

    def test_named_finds_nothing_where_nothing_fits(self) -> None:
        assert named(["loss"], "accuracy", "validation") is None


class TestFalls:
    @pytest.mark.parametrize("name", ["val_loss", "mae", "eval/rmse", "perplexity", "word_error", "valid_0-logloss"])
    def test_falls_is_true_of_what_should_be_low(self, name: str) -> None:
        assert lower_is_better(name) is True

    @pytest.mark.parametrize("name", ["val_accuracy", "f1", "eval/auc", "r2"])
    def test_falls_is_false_of_what_should_be_high(self, name: str) -> None:
        assert lower_is_better(name) is False

    def test_falls_is_unknown_where_the_name_does_not_say(self) -> None:
        assert lower_is_better("val_score") is None


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


class TestStepsWithoutEpochs:
    def test_values_at_one_step_are_counted(self, made: MakeRun) -> None:
        run = replace(made(1), curves={"val_loss": Curve(np.array([0]), np.array([0.3]), overwritten=9)})
        assert steps_without_epochs(run, "loss", "validation") == LoggedSteps("val_loss", 10, 0, 0)

    @pytest.mark.parametrize("first", [-1, 10])
    def test_steps_that_begin_elsewhere_are_no_epochs(self, first: int, made: MakeRun) -> None:
        run = replace(made(1), curves={"val_loss": at(range(first, first + 10))})
        assert steps_without_epochs(run, "loss", "validation") == LoggedSteps("val_loss", 10, first, first + 9)

    def test_epochs_and_single_values_are_no_such_steps(self, made: MakeRun) -> None:
        assert steps_without_epochs(made(1, val_loss=[0.9, 0.8]), "loss", "validation") is None
        assert steps_without_epochs(made(1, val_loss=[0.9]), "loss", "validation") is None
        assert steps_without_epochs(made(1), "loss", "validation") is None


def accuracies(*runs: Run) -> list[float]:
    return [run.metrics["val_accuracy"] for run in in_one_unit(runs)]


class TestInOneUnit:
    def test_percent_beside_fractions_becomes_a_fraction(self, made: MakeRun) -> None:
        runs = [made(i, metrics={"val_accuracy": value}) for i, value in enumerate((0.853, 86.2, 0.87))]
        assert accuracies(*runs) == pytest.approx([0.853, 0.862, 0.87])
        assert [run.in_percent for run in in_one_unit(runs)] == [(), ("val_accuracy",), ()]
        assert primary_metric(in_one_unit(runs), None).is_accuracy

    def test_a_curve_in_percent_becomes_one_of_fractions(self, made: MakeRun) -> None:
        in_percent = made(1, val_accuracy=[0.5, 50.0, 80.0], loss=[3.0, 2.0, 1.5])
        converted, _ = in_one_unit([in_percent, made(2, val_accuracy=[0.5, 0.7])])
        assert converted.curves["val_accuracy"].values.tolist() == [0.005, 0.5, 0.8]
        assert converted.curves["loss"].values.tolist() == [3.0, 2.0, 1.5]

    def test_percent_beside_predictions_becomes_a_fraction(self, made: MakeRun) -> None:
        assert accuracies(made(1, "110", metrics={"val_accuracy": 66.7})) == pytest.approx([0.667])

    @pytest.mark.parametrize("values", [(85.3, 86.2), (0.85, 0.86), (0.85, 853.0), (0.85, math.nan)])
    def test_values_in_one_unit_or_in_none_stay_as_they_are(self, made: MakeRun, values: tuple[float, float]) -> None:
        runs = [made(i, metrics={"val_accuracy": value}) for i, value in enumerate(values)]
        assert all(run is before for run, before in zip(in_one_unit(runs), runs, strict=True))

    def test_other_shares_are_brought_to_one_unit_too(self, made: MakeRun) -> None:
        runs = in_one_unit([made(1, metrics={"eval/f1": 0.8}), made(2, metrics={"eval/f1": 70.0, "loss": 70.0})])
        assert [run.metrics["eval/f1"] for run in runs] == [0.8, 0.7]
        assert runs[1].metrics["loss"] == 70.0


class TestCheckLogged:
    @pytest.mark.parametrize("name", ["val_f1", "f1", "val_accuracy", "val_acc", "eval/loss"])
    def test_check_logged_takes_what_some_run_logged(self, made: MakeRun, name: str) -> None:
        runs = [made(1, val_f1=[0.1]), made(2, "10", metrics={"f1": 0.5, "best_val_loss": 0.4})]
        check_logged(runs, name)

    def test_check_logged_takes_anything_where_nothing_was_logged(self, made: MakeRun) -> None:
        check_logged([made(1)], "f1")

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("f1", "did you mean val_f1?"),
            ("val_accurracy", "did you mean val_accuracy or accuracy?"),
            ("quality", "logged are val_accuracy, val_f1, accuracy"),
        ],
    )
    def test_check_logged_names_the_nearest_metrics(self, made: MakeRun, name: str, hint: str) -> None:
        with pytest.raises(UnknownMetricError) as raised:
            check_logged([made(1, val_f1=[0.1], val_accuracy=[0.5], accuracy=[0.6])], name)
        assert str(raised.value) == f"no run logged the metric {name!r}; {hint}"


class TestEpochLimit:
    @pytest.mark.parametrize("name", ["epochs", "max_epochs", "num_train_epochs"])
    def test_epoch_limit_is_read_under_whatever_name(self, name: str) -> None:
        assert epoch_limit(run_of({name: "12"})) == 12

    @pytest.mark.parametrize("value", ["None", "-1", "2.5", ""])
    def test_epoch_limit_is_none_where_it_is_no_number_of_epochs(self, value: str) -> None:
        assert epoch_limit(run_of({"max_epochs": value})) is None


class TestByEpoch:
    @pytest.mark.parametrize("first", [0, 1])
    def test_by_epoch_counts_from_one_whatever_the_first_step(self, first: int) -> None:
        assert epochs(run_of(val_loss=at(range(first, first + 3)))) == [1, 2, 3]

    def test_by_epoch_takes_steps_of_batches_to_epochs_begun(self) -> None:
        lightning = run_of(val_loss=at([46, 93, 140]), epoch=at([10, 46, 50, 93, 140], [0, 0, 1, 1, 2]))
        assert epochs(lightning) == [1, 2, 3]

    def test_by_epoch_takes_steps_of_batches_to_epochs_done(self) -> None:
        hugging_face = run_of(eval_loss=at([125, 250, 375]), epoch=at([50, 125, 250, 375], [0.4, 0.996, 2.0, 2.99]))
        assert epochs(hugging_face, "eval_loss") == [1, 2, 3]

    def test_by_epoch_knows_no_epoch_of_values_logged_within_one(self) -> None:
        run = run_of(loss=at([50, 100, 150]), epoch=at([50, 100, 150], [0.4, 0.8, 1.2]))
        assert epochs(run, "loss") is None

    def test_by_epoch_knows_no_epochs_of_batches_alone(self) -> None:
        assert epochs(run_of(val_loss=at([46, 93, 140]))) is None

    def test_by_epoch_takes_the_batches_of_training_for_no_epochs(self) -> None:
        run = run_of(loss=at(range(470)), val_loss=at(range(10)))
        assert epochs(run, "loss") is None
        assert epochs(run) == list(range(1, 11))

    def test_by_epoch_counts_a_sparse_history_from_where_the_run_does(self) -> None:
        from_zero = run_of({"epochs": "12"}, loss=at(range(12)), val_loss=at(range(1, 12, 2)))
        from_one = run_of({"epochs": "12"}, loss=at(range(1, 13)), val_loss=at(range(2, 13, 2)))
        assert epochs(from_zero) == epochs(from_one) == [2, 4, 6, 8, 10, 12]

    def test_by_epoch_keeps_a_history_that_lacks_an_epoch(self) -> None:
        assert epochs(run_of(val_loss=at([1, 2, 4]))) == [1, 2, 4]

    def test_by_epoch_drops_the_restored_epoch_that_keras_autologging_adds(self) -> None:
        run = run_of(metrics={"stopped_epoch": 3.0, "restored_epoch": 1.0}, val_loss=at(range(5), [4, 1, 2, 3, 1]))
        assert epochs(run) == [1, 2, 3, 4]

    def test_by_epoch_keeps_a_history_that_begins_after_the_epoch_it_is_said_to_have_stopped_at(self) -> None:
        run = run_of(metrics={"stopped_epoch": 0.0, "restored_epoch": 0.0}, val_loss=at([1, 2, 3]))
        assert epochs(run) == [1, 2, 3]

    def test_by_epoch_of_epochs_beyond_any_number_is_none(self) -> None:
        assert epochs(run_of(epoch=at([1, 2], [1e308, 1.7e308]), val_loss=at([1, 2]))) == [1, 2]

    def test_by_epoch_of_what_has_no_history_is_none(self) -> None:
        assert epochs(run_of(), "val_loss") is None


class TestIdentical:
    def test_identical_is_true_of_the_same_curves_whatever_their_time(self, made: MakeRun) -> None:
        a, b = (made(i, val_loss=LOSSES, epoch_seconds=[i, i, i]) for i in (1, 2))
        assert identical(a, b)

    def test_identical_is_false_where_one_went_on(self, made: MakeRun) -> None:
        assert not identical(made(1, val_loss=LOSSES), made(2, val_loss=[*LOSSES, 0.6]))

    def test_identical_is_false_where_nothing_by_epoch_is_there(self, made: MakeRun) -> None:
        assert not identical(made(1), made(2))


class TestSameUntil:
    def test_same_until_is_the_last_common_epoch(self, made: MakeRun) -> None:
        assert same_until(made(1, val_loss=[*LOSSES, 0.6]), made(2, val_loss=[*LOSSES, 0.5])) == 3

    def test_same_until_is_the_least_of_all_curves(self, made: MakeRun) -> None:
        a = made(1, val_loss=LOSSES, loss=[1.0, 0.9, 0.8])
        assert same_until(a, made(2, val_loss=LOSSES, loss=[1.0, 0.8, 0.8])) == 1

    def test_same_until_is_zero_where_they_differ_at_once(self, made: MakeRun) -> None:
        assert same_until(made(1, val_loss=LOSSES), made(2, val_loss=[0.8, 0.8, 0.7])) == 0

    def test_same_until_passes_over_final_values(self, made: MakeRun) -> None:
        a = made(1, val_loss=[*LOSSES, 0.6], best_val_loss=[0.6])
        assert same_until(a, made(2, val_loss=[*LOSSES, 0.5], best_val_loss=[0.5])) == 3

    def test_same_until_passes_over_final_values_of_a_run_of_one_epoch(self, made: MakeRun) -> None:
        short, long = made(1, val_loss=[0.6], best_val_loss=[0.6]), made(2, val_loss=[0.6, 0.5], best_val_loss=[0.5])
        assert (same_until(short, long), same_until(long, short)) == (1, 1)

    def test_same_until_is_unknown_without_curves(self, made: MakeRun) -> None:
        assert same_until(made(1), made(2, val_loss=LOSSES)) is None
