from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from tracker.study.metrics import (
    Metric,
    UnknownMetricError,
    check_logged,
    in_one_unit,
    lower_is_better,
    named,
    primary_metric,
    role_of,
)

if TYPE_CHECKING:
    from tests.builders import MakeRun
    from tracker.runs import Run


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
