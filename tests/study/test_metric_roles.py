from __future__ import annotations

import pytest

from tracker.study.metric_roles import is_score, lower_is_better, named, part_of, role_of


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

    @pytest.mark.parametrize(
        "name",
        ["test_accuracy", "Test Acc", "testing-accuracy", "accuracy/test", "holdout_acc", "held-out accuracy",
         "accuracy_score_X_test", "testAcc"],
    )  # fmt: skip
    def test_role_of_knows_test_metrics(self, name: str) -> None:
        assert role_of(name) == ("accuracy", "test")

    @pytest.mark.parametrize(
        ("name", "role"),
        [("val_AUROC", ("auc", "validation")), ("dev.f1-score", ("f1", "validation")),
         ("best_cv_score", ("best_score", "validation")), ("mean_test_score", ("mean_score", "validation")),
         ("best_val_accuracy", ("best_accuracy", "validation")), ("val_loss/dataloader_idx_1", ("loss", "validation")),
         ("training_root_mean_squared_error", ("rmse", "training")), ("val_précision", ("precision", "validation"))],
    )  # fmt: skip
    def test_role_of_knows_the_names_of_other_programs(self, name: str, role: tuple[str, str]) -> None:
        assert role_of(name) == role

    def test_scores_of_scikit_learn_are_one_quantity_whatever_the_estimator(self) -> None:
        assert role_of("SVC_score_X_test") == role_of("RandomForestClassifier_score_X_test") == ("score", "test")

    @pytest.mark.parametrize("name", ["rmse", "accuracy", "SVC_score_Xb", "latest_accuracy", "value"])
    def test_part_of_is_unknown_if_the_name_says_none(self, name: str) -> None:
        assert part_of(name) is None

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


class TestLowerIsBetter:
    @pytest.mark.parametrize(
        "name",
        ["val_loss", "mae", "eval/rmse", "perplexity", "word_error", "valid_0-logloss", "val_EER", "WER", "val_nll",
         "FID", "val_kl", "brier_score", "hamming", "val_latency_ms", "cross_entropy", "val-mse-loss", "deviance",
         "misclassification", "fpr", "false_negative_rate", "negative_log_likelihood", "dice_loss", "expected error"],
    )  # fmt: skip
    def test_lower_is_better_for_errors(self, name: str) -> None:
        assert lower_is_better(name) is True

    @pytest.mark.parametrize(
        "name",
        ["val_accuracy", "f1", "eval/auc", "r2", "PSNR", "bleu", "val_IoU", "mIoU", "dice", "metrics/mAP50B", "val_mcc",
         "cohen_kappa", "top5_acc", "recall@10", "pearson_r", "explained_variance", "rouge1/v1/mean", "specificity",
         "log_likelihood", "true_positive_rate", "neg_mean_squared_error", "val_neg_log_loss", "neg-cross-entropy",
         "mean_test_score", "SVC_score_Xb"],
    )  # fmt: skip
    def test_higher_is_better_for_scores_and_negated_errors(self, name: str) -> None:
        assert lower_is_better(name) is False

    @pytest.mark.parametrize("name", ["val_score", "quality", "f1_std", "samples_per_second", "value"])
    def test_lower_is_better_is_unknown_if_the_name_does_not_say(self, name: str) -> None:
        assert lower_is_better(name) is None


@pytest.mark.parametrize(
    ("name", "scores"),
    [("val_loss_epoch", True), ("f1_samples", True), ("quality", True), ("loss_step", False), ("lr-Adam", False),
     ("best_epoch", False), ("best", True),
     ("std_test_score", False), ("epoch", False), ("train_runtime", False), ("example_count", False),
     ("best_iteration", False), ("rank_test_score", False), ("system/cpu_utilization_percentage", False)],
)  # fmt: skip
def test_is_score_leaves_out_what_says_nothing_of_how_good_a_model_is(name: str, *, scores: bool) -> None:
    assert is_score(name) is scores
