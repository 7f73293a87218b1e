from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tracker.runs import Curve, Run
from tracker.study.histories import (
    LoggedSteps,
    by_epoch,
    epoch_limit,
    identical,
    rounds_of,
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

    @pytest.mark.parametrize("first", [99, 100])
    def test_by_epoch_takes_batches_at_the_end_of_each_epoch_to_epochs(self, first: int) -> None:
        steps = range(first, 600, 100)[:5]
        assert epochs(run_of({"num_epochs": "5"}, val_loss=at(steps))) == [1, 2, 3, 4, 5]
        assert epochs(run_of({"num_epochs": "6"}, val_loss=at(steps))) is None
        assert epochs(run_of(val_loss=at(steps))) is None

    def test_by_epoch_takes_what_lightning_logs_as_an_epoch_begins_to_its_epoch(self) -> None:
        epoch = at([10, 14, 20, 29, 44], [0, 0, 1, 1, 2])
        assert epochs(run_of(**{"lr-Adam": at([0, 15, 30])}, epoch=epoch), "lr-Adam") == [1, 2, 3]
        tested = at([10, 14, 20, 29, 44, 45], [0, 0, 1, 1, 2, 3])
        assert epochs(run_of(**{"lr-Adam": at([0, 15, 30])}, epoch=tested), "lr-Adam") == [1, 2, 3]
        for steps in ([0, 15], [0, 30, 31], [9, 15, 30], [0, 5, 15]):
            assert epochs(run_of(**{"lr-Adam": at(steps)}, epoch=epoch), "lr-Adam") is None

    def test_by_epoch_counts_on_where_keras_goes_on_with_a_training(self) -> None:
        keras = {"initial_epoch": "3", "steps_per_epoch": "None", "validation_freq": "1", "epochs": "9"}
        run = run_of(keras, loss=at(range(3, 9)), val_loss=at([4, 6, 8]))
        assert (epochs(run, "loss"), epochs(run)) == ([4, 5, 6, 7, 8, 9], [5, 7, 9])
        assert epochs(run_of({"initial_epoch": "3"}, loss=at(range(3, 9))), "loss") is None  # from 0 or from 1

    def test_by_epoch_of_boosting_is_none_whatever_its_first_round(self) -> None:
        names = {"num_boost_round": "3", "n_estimators": "3"}
        for name, value in names.items():
            run = run_of({name: value}, **{"validation_0-rmse": at([0, 1, 2]), "val_accuracy": at([0, 1, 2])})
            assert (epochs(run, "validation_0-rmse"), epochs(run, "val_accuracy")) == (None, None)
            assert rounds_of(run).validation.epochs.tolist() == [1, 2, 3]
        assert rounds_of(run_of({"num_boost_round": "3"}, **{"eval-auc": at([0, 1, 2])})) is None

    @pytest.mark.parametrize(("stopped", "best"), [(2, 1), (3, 2)])  # as XGBoost and LightGBM count
    def test_rounds_are_without_the_best_that_autologging_adds(self, stopped: int, best: int) -> None:
        metrics = {"stopped_iteration": float(stopped), "best_iteration": float(best)}
        run = run_of({"num_boost_round": "9"}, metrics, **{"eval-rmse": at([0, 1, 2, 3], [0.9, 0.4, 0.5, 0.4])})
        assert rounds_of(run).validation.values.tolist() == [0.9, 0.4, 0.5]

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
