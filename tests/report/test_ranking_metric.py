from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import make_curve, runs_by_kernel
from tracker.report import build_report
from tracker.report.ranking_metric import value_words
from tracker.runs import Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.report import Report


def runs_of(*metrics: Mapping[str, float], curves: Mapping[str, Sequence[float]] | None = None) -> list[Run]:
    """Runs of another program that tried a C each."""
    logged = {name: make_curve(values) for name, values in (curves or {}).items()}
    return [
        Run(f"{n:032x}", f"run-{n}", "FINISHED", {"C": str(n)}, {}, own, logged, started=n)
        for n, own in enumerate(metrics, start=1)
    ]


def report_on(*metrics: Mapping[str, float], **asked: Any) -> Report:
    return build_report("others", runs_of(*metrics), **asked)


OF_TEST_DATA = (
    "No metric is named as one of validation data, so runs are ranked by test_f1, which is of test data; that of the "
    "best is optimistic, since the best was picked by it."
)
UNKNOWN = "whose name doesn't say which data it was measured on"
NONE_NAMED = "No metric is named as one of validation or test data, so runs are ranked by"


class TestOfWhichData:
    @pytest.mark.parametrize(
        ("metrics", "sentence"),
        [
            ({"rmse": 0.3, "r2": 0.4}, f"{NONE_NAMED} rmse, {UNKNOWN}. --metric ranks them by another: r2."),
            ({"test_f1": 0.3, "train_f1": 0.9}, OF_TEST_DATA),
            (
                {"train_f1": 0.3, "train_loss": 0.2, "n_leaves": 4.0},
                f"{NONE_NAMED} train_f1, which is of training data and doesn't show how good a model is on new data.",
            ),
            (
                {"val_f1": 0.3, "val_loss": 0.2, "val_auc": 0.5, "f1": 0.4},
                "Runs are ranked by val_auc. --metric ranks them by another: val_f1 or val_loss.",
            ),
        ],
    )  # fmt: skip
    def test_limits_say_which_data_ranks_the_runs_and_what_else_could(
        self, metrics: dict[str, float], sentence: str
    ) -> None:
        assert sentence in report_on(metrics, {name: value / 2 for name, value in metrics.items()}).limits

    def test_a_test_set_is_missed_only_if_no_metric_is_of_one(self) -> None:
        missing = "No metric of test data was logged, and the best run was picked and scored on the same data."
        assert missing in report_on({"val_f1": 0.3}, {"val_f1": 0.4}).limits
        for other in ("test_f1", "holdout_f1", "f1_X_test"):
            assert missing not in report_on({"val_f1": 0.3, other: 0.2}, {"val_f1": 0.4, other: 0.1}).limits
        assert missing not in report_on({"rmse": 0.3}, {"rmse": 0.4}).limits

    @pytest.mark.parametrize(
        ("curves", "words"),
        [
            ({"val_f1": [0.2, 0.4, 0.3]}, "the last of 3 values"),
            ({"val_f1": [0.2, 0.4, 0.3], "val_loss": [0.9, 0.5, 0.7]}, None),
            ({"val_loss": [0.9, 0.5, 0.7]}, ""),
        ],
    )
    def test_it_says_which_of_several_values_ranks(self, curves: dict[str, list[float]], words: str | None) -> None:
        of_runs = {} if "val_f1" in curves else {"val_f1": 0.3}
        found = build_report("others", runs_of(of_runs, of_runs, curves=curves), metric="val_f1")
        assert value_words([entry.result for entry in found.entries], found.metric) == words

    def test_the_head_says_the_direction(self) -> None:
        facts = dict(report_on({"rmse": 0.3}, {"rmse": 0.4}).facts)
        assert facts["Metric"] == "rmse (lower is better)"
        assert (
            dict(report_on({"quality": 0.3}, {"quality": 0.4}).facts)["Metric"] == "quality (assumed: higher is better)"
        )


def test_clips_show_a_smallest_difference_of_accuracy_alone() -> None:
    runs = [
        replace(run, metrics={"val_f1": 0.5, "val_accuracy": 0.5})
        for run in runs_by_kernel({"3": ["1101" * 8], "5": ["0101" * 8]})
    ]
    said = {
        metric: next(answer for answer in build_report("tracker", runs, metric=metric).answers if answer.id == "limits")
        for metric in ("val_accuracy", "val_f1")
    }
    assert "reliably show" in said["val_accuracy"].sentence
    assert "reliably show" not in "".join((said["val_f1"].sentence, *said["val_f1"].points))


class TestRunsWithoutRank:
    def test_limits_say_why_a_run_has_no_rank(self) -> None:
        limits = report_on({"val_f1": 0.3}, {"val_f1": 0.2}, {"val_auc": 0.4}, {"val_f1": 430.0}).limits
        assert "Run 3 logged no number for val_f1, so it has no rank." in limits
        assert "Run 4 logged val_f1 as 430, neither a share nor a percentage, so it has no rank." in limits


def test_percent_is_said_under_the_names_that_it_was_logged_by() -> None:
    limits = report_on({"val_accuracy": 0.83}, {"val_acc": 86.2}, {"eval_accuracy": 85.0}).limits
    said = "Runs 2 and 3 logged val_acc and eval_accuracy in percent and other runs as a fraction"
    assert f"{said}: percent was divided by 100." in limits
    of_all = report_on({"val_acc": 86.2}, {"val_acc": 85.0})
    assert "The runs logged val_acc above 1, so it is read as a percentage." in of_all.limits
    assert of_all.title.startswith("Run 1 has the highest validation accuracy, 86.2%")


class TestOnTestData:
    @pytest.mark.parametrize(
        ("on_test", "point"),
        [
            ((0.7, 0.75, 0.8), "By test_accuracy, run 1 is last of three: 70.0%, against 80.0% for run 3."),
            ((0.75, 0.7, 0.8), "By test_accuracy, run 1 is number 2 of three: 75.0%, against 80.0% for run 3."),
            ((0.9, 0.7, 0.8), "Run 1 is also best by test_accuracy, 90.0%."),
        ],
    )
    def test_the_best_is_placed_by_its_test_metric(self, on_test: tuple[float, ...], point: str) -> None:
        scores = zip((0.9, 0.85, 0.8), on_test, strict=True)
        found = report_on(*({"val_accuracy": score, "test_accuracy": test} for score, test in scores))
        assert next(answer.points for answer in found.answers if answer.id == "best") == (point,)

    def test_the_best_alone_has_its_test_metric_and_nothing_is_ranked_by_it(self) -> None:
        found = report_on({"val_accuracy": 0.9, "test_accuracy": 0.7}, {"val_accuracy": 0.8})
        assert next(answer.points for answer in found.answers if answer.id == "best") == (
            "Run 1 has test_accuracy 70.0%.",
        )

    def test_several_runs_evaluated_on_the_same_test_clips_are_a_limit(self) -> None:
        runs = [
            replace(run, tags={"tracker.test_evaluations": str(looks)})
            for looks, run in enumerate(runs_of(*[{"val_accuracy": 0.8, "test_accuracy": 0.7}] * 2), start=1)
        ]
        limits = build_report("mine", runs).limits
        assert (
            "Two runs were evaluated on the same test samples, in 3 looks, so the best test score is optimistic."
            in limits
        )
