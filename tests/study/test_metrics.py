from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracker.study.metrics import Metric, lower_is_better, named, primary_metric, role_of

if TYPE_CHECKING:
    from tests.builders import MakeRun


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
