from __future__ import annotations

from tests.builders import MakeRun, make_curve
from tracker.runs import Run
from tracker.study.metrics import Metric
from tracker.study.other_metrics import LoggedValue, logged_value, other_metrics
from tracker.study.run_results import run_results


def run_of(metrics: dict[str, float], **curves: list[float]) -> Run:
    return Run("1" * 32, "a run", "FINISHED", {}, {}, metrics, {name: make_curve(of) for name, of in curves.items()})


class TestLoggedValue:
    def test_logged_value_is_that_at_the_epoch_of_the_lowest_validation_loss(self) -> None:
        (result,) = run_results([run_of({}, val_loss=[0.9, 0.5, 0.7], val_f1=[0.3, 0.4, 0.6])], Metric("val_f1"))
        assert logged_value(result, "val_f1") == LoggedValue(0.4, 3, 2)

    def test_logged_value_is_the_last_one_if_no_epoch_is_known(self) -> None:
        (result,) = run_results([run_of({"test_f1": 0.2}, val_f1=[0.3, 0.8, 0.6])], Metric("val_f1"))
        assert logged_value(result, "val_f1") == LoggedValue(0.6, 3, None)
        assert logged_value(result, "test_f1") == LoggedValue(0.2, 1, None)
        assert logged_value(result, "f1") is None


class TestOtherMetrics:
    def test_other_metrics_are_those_of_test_data_first_and_no_epochs_or_rates(self) -> None:
        names = ("train_f1", "n_leaves", "precision", "test_loss", "test_f1", "val_f1", "val_loss", "lr", "epoch", "f1")
        results = run_results([run_of(dict.fromkeys(names, 0.5))], Metric("val_f1"))
        found = other_metrics(results, Metric("val_f1"), most=5)
        assert [(other.name, other.part) for other in found.shown] == [
            ("test_f1", "test"), ("test_loss", "test"), ("precision", None), ("f1", "training"),
            ("train_f1", "training"),
        ]  # fmt: skip
        assert found.more == 1

    def test_other_metrics_of_trackers_format_have_none_of_its_summary_or_training(self, made: MakeRun) -> None:
        run = made(1, metrics={"fit_loss": 0.2, "best_val_loss": 0.3, "test_accuracy": 0.5}, loss=[0.4], val_loss=[0.3])
        (other,) = other_metrics(run_results([run], Metric("val_accuracy")), Metric("val_accuracy"), most=6).shown
        assert (other.name, other.is_fraction) == ("test_accuracy", True)
