from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from tracker.study.metrics import (
    UnknownMetricError,
    check_logged,
    in_one_unit,
    logged_name,
    primary_metric,
)

if TYPE_CHECKING:
    from tests.builders import MakeRun
    from tracker.runs import Run


class TestPrimaryMetric:
    def test_primary_metric_is_validation_accuracy_under_whatever_name(self, made: MakeRun) -> None:
        found = primary_metric([made(1, metrics={"eval/acc": 0.5, "f1": 0.2})], None)
        assert (found.name, found.lower_is_better, found.part) == ("eval/acc", False, "validation")

    def test_primary_metric_is_another_validation_metric_where_there_is_no_accuracy(self, made: MakeRun) -> None:
        assert primary_metric([made(1, metrics={"val_loss": 0.5, "val_f1": 0.2})], None).name == "val_f1"

    @pytest.mark.parametrize(
        ("logged", "name", "part"),
        [
            ("val_f1_std val_f1 test_accuracy val_loss", "val_f1", "validation"),
            ("rmse r2 mae", "rmse", None),
            ("training_r2 r2_score_Xb n_leaves", "r2_score_Xb", None),
            ("training_accuracy_score training_log_loss", "training_accuracy_score", "training"),
            ("test_loss test_accuracy accuracy", "test_accuracy", "test"),
            ("test-error train-error", "test-error", "test"),
            ("mean_test_score std_test_score mean_fit_time training_score", "mean_test_score", "validation"),
            ("fold_accuracy mean_accuracy std_accuracy", "mean_accuracy", None),
            ("validation_0-error validation_1-error", "validation_1-error", "validation"),
            ("epoch lr-Adam value", "value", None),
        ],
    )
    def test_primary_metric_is_of_validation_then_test_then_unknown_then_training_data(
        self, logged: str, name: str, part: str | None, made: MakeRun
    ) -> None:
        found = primary_metric([made(1, metrics=dict.fromkeys(logged.split(), 0.5))], None)
        assert (found.name, found.part, found.is_picked) == (name, part, True)

    def test_primary_metric_is_not_one_that_ended_without_a_number(self, made: MakeRun) -> None:
        lost = {"val_f1": [0.5, math.nan], "test_f1": [0.2, 0.3]}
        assert primary_metric([made(1, **lost)], None).name == "test_f1"
        assert primary_metric([made(1, **lost, val_loss=[0.4, math.nan])], None).name == "val_f1"

    def test_primary_metric_is_a_score_of_any_estimator(self, made: MakeRun) -> None:
        names = ("SVC_score_Xb", "LogisticRegression_score_Xb", "training_f1_score")
        runs = [made(n, metrics={name: 0.5, "training_f1_score": 0.9}) for n, name in enumerate(names[:2])]
        metric = primary_metric(runs, None)
        assert (metric.name, metric.others) == ("score_Xb", ())
        assert [logged_name(run, metric) for run in runs] == ["SVC_score_Xb", "LogisticRegression_score_Xb"]

    def test_primary_metric_has_another_if_few_runs_have_the_first_choice(self, made: MakeRun) -> None:
        runs = [made(n, metrics={"val_f1": 0.5} | ({"val_accuracy": 0.5} if n == 1 else {})) for n in (1, 2, 3)]
        assert primary_metric(runs, None).name == "val_f1"

    def test_primary_metric_without_a_part_is_of_training_if_keras_logged_it(self, made: MakeRun) -> None:
        fit = {"validation_split": "0.0", "steps_per_epoch": "None"}
        assert primary_metric([made(1, params=fit, metrics={"accuracy": 0.5})], None).part == "training"
        trainer = {"per_device_train_batch_size": "8", "num_train_epochs": "3.0"}
        assert primary_metric([made(1, params=trainer, metrics={"loss": 0.5})], None).part == "training"
        assert primary_metric([made(1, params=trainer, metrics={"f1": 0.5})], None).part is None

    @pytest.mark.parametrize(
        ("settings", "name", "lower"),
        [
            ({"direction": "MINIMIZE"}, "value", True),
            ({"direction": "StudyDirection.MAXIMIZE"}, "value", False),
            ({"directions": "['MAXIMIZE', 'MINIMIZE']"}, "value_1", True),
            ({"metric.name": "value", "metric.goal": "minimize"}, "value", True),
            ({"objective": "Objective(name='val_value', direction='min')"}, "val_value", True),
            ({"metric_for_best_model": "value", "greater_is_better": "False"}, "eval_value", True),
            ({"metric": "other", "mode": "min"}, "value", None),
            ({"mode": "train"}, "value", None),
            ({"directions": "['MAXIMIZE', 'MINIMIZE']"}, "!", None),
            ({"direction": "MAXIMIZE"}, "val_loss", True),
        ],
    )
    def test_primary_metric_has_the_direction_that_a_search_logged_if_its_name_says_none(
        self, settings: dict[str, str], name: str, lower: bool | None, made: MakeRun
    ) -> None:
        metrics = {name: 0.5} | ({"other": 0.5} if "other" in settings.values() else {})
        for logged in ({"params": settings}, {"tags": settings}):
            found = primary_metric([made(1, metrics=metrics, **logged)], name)
            assert (found.lower_is_better, found.assumed) == (bool(lower), lower is None)

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

    @pytest.mark.parametrize(
        ("value", "is_fraction"), [(-0.1, False), (1.1, False), (math.inf, True), (math.nan, True)]
    )
    def test_an_accuracy_is_no_fraction_below_0_or_above_1_whatever_is_not_finite(
        self, value: float, is_fraction: bool, made: MakeRun
    ) -> None:
        runs = [made(1, metrics={"val_accuracy": value}), made(2, metrics={"val_accuracy": 0.5})]
        assert primary_metric(runs, None).is_fraction is is_fraction


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

    def test_accuracies_in_percent_in_every_run_become_fractions_beside_those_of_validation_data(
        self, made: MakeRun
    ) -> None:
        runs = in_one_unit([made(i, metrics={"val_acc": 85.0 + i, "train_acc": 91.0}) for i in range(2)])
        assert [run.metrics for run in runs] == [{"val_acc": v, "train_acc": 0.91} for v in (0.85, 0.86)]
        assert primary_metric(runs, None).is_accuracy
        tested = [made(i, metrics={"test_acc": 85.0 + i, "val_f1": 70.0}) for i in range(2)]
        assert all(run is before for run, before in zip(in_one_unit(tested), tested, strict=True))

    @pytest.mark.parametrize("values", [(0.85, 0.86), (85.3, 853.0), (0.85, math.nan)])
    def test_values_in_one_unit_or_in_none_stay_as_they_are(self, made: MakeRun, values: tuple[float, float]) -> None:
        runs = [made(i, metrics={"val_accuracy": value}) for i, value in enumerate(values)]
        assert all(run is before for run, before in zip(in_one_unit(runs), runs, strict=True))

    def test_a_value_above_100_beside_fractions_is_in_no_unit(self, made: MakeRun) -> None:
        runs = in_one_unit([made(i, metrics={"val_accuracy": value}) for i, value in enumerate((0.85, 853.0, 86.0))])
        assert [run.in_no_unit for run in runs] == [(), ("val_accuracy",), ()]
        assert accuracies(*runs) == pytest.approx([0.85, 853.0, 0.86])
        assert primary_metric(runs, None).is_accuracy

    def test_counts_beside_fractions_of_another_part_stay_as_they_are(self, made: MakeRun) -> None:
        runs = [made(i, metrics={"val_accuracy": value, "accuracy": 0.9}) for i, value in enumerate((110.0, 95.0))]
        assert all(run is before for run, before in zip(in_one_unit(runs), runs, strict=True))

    def test_a_last_value_below_1_is_in_percent_if_the_run_once_was_above(self, made: MakeRun) -> None:
        diverged, _ = in_one_unit([made(1, val_accuracy=[50.0, 1.0]), made(2, val_accuracy=[0.5, 0.7])])
        assert diverged.curves["val_accuracy"].values.tolist() == [0.5, 0.01]

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
            ("quality", "logged are test_EER, val_accuracy, val_f1, accuracy"),
            ("test_ee", "did you mean test_EER?"),
        ],
    )
    def test_check_logged_names_the_nearest_metrics(self, made: MakeRun, name: str, hint: str) -> None:
        with pytest.raises(UnknownMetricError) as raised:
            check_logged([made(1, val_f1=[0.1], val_accuracy=[0.5], accuracy=[0.6], test_EER=[0.2])], name)
        assert str(raised.value) == f"no run logged the metric {name!r}; {hint}"
