from __future__ import annotations

import pytest

from tracker.conclusions.roles import falls, named, role_of


class TestRoleOf:
    @pytest.mark.parametrize(
        "name", ["val_loss", "validation_loss", "valid/loss", "eval.loss", "Validation Loss", "val-loss"]
    )
    def test_knows_validation_metrics(self, name: str) -> None:
        assert role_of(name) == ("loss", "validation")

    @pytest.mark.parametrize("name", ["loss", "train_loss", "training/loss", "train.loss"])
    def test_knows_training_metrics(self, name: str) -> None:
        assert role_of(name) == ("loss", "training")

    def test_takes_acc_for_accuracy(self) -> None:
        assert role_of("val_acc") == ("accuracy", "validation")

    def test_takes_a_bare_prefix_for_a_name(self) -> None:
        assert role_of("val") == ("val", "training")


class TestNamed:
    def test_prefers_the_usual_name(self) -> None:
        assert named(["eval_loss", "val_loss", "validation_loss"], "loss", "validation") == "val_loss"

    def test_takes_whichever_is_there(self) -> None:
        assert named(["train/loss", "eval/loss"], "loss", "validation") == "eval/loss"

    def test_finds_nothing_where_nothing_fits(self) -> None:
        assert named(["loss"], "accuracy", "validation") is None


class TestFalls:
    @pytest.mark.parametrize("name", ["val_loss", "mae", "eval/rmse", "perplexity", "word_error"])
    def test_is_true_of_what_should_be_low(self, name: str) -> None:
        assert falls(name) is True

    @pytest.mark.parametrize("name", ["val_accuracy", "f1", "eval/auc", "r2"])
    def test_is_false_of_what_should_be_high(self, name: str) -> None:
        assert falls(name) is False

    def test_is_unknown_where_the_name_does_not_say(self) -> None:
        assert falls("val_score") is None
