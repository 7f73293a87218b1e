from __future__ import annotations

import numpy as np
import pytest

from tracker.figures.data import accuracy_limits, at, finite, first_lost, loss_limits, trace_of, trace_of_entry


class TestTraceOf:
    def test_trace_of_finds_curves_by_the_part_they_play(self, made) -> None:
        trace = trace_of(made({"train_loss": [1, 0.5], "validation_loss": [1.1, 0.9], "val/acc": [0.5, 0.6]}))
        assert [curve is not None for curve in (*trace.losses, *trace.accuracies)] == [True, True, False, True]

    def test_trace_of_reads_best_and_last_epoch_off_the_curve(self, made) -> None:
        trace = trace_of(made({"val_loss": [1, 0.8, 0.9]}))
        assert (trace.best_epoch, trace.stop_epoch) == (2, 3)

    def test_nothing_by_epoch_is_not_drawable(self, made) -> None:
        assert not trace_of(made({})).drawable

    def test_trace_of_of_a_reports_run_has_its_number(self, entries) -> None:
        assert trace_of_entry(entries[2]).name == "Run 3"


class TestDrops:
    def test_drops_are_the_epochs_after_which_the_rate_was_lower(self, made) -> None:
        trace = trace_of(made({"loss": [1, 1, 1, 1], "learning_rate": [1e-3, 1e-3, 5e-4, 5e-4 * (1 - 1e-8)]}))
        assert trace.drops == (2,)

    def test_there_are_none_without_a_rate(self, made) -> None:
        assert trace_of(made({"loss": [1, 1]})).drops == ()


class TestFinite:
    def test_infinite_values_are_gaps_however_the_store_gave_them_back(self, made) -> None:
        trace = trace_of(made({"val_loss": [1, np.inf, 1.7976931348623157e308, np.nan]}))
        assert np.isnan(finite(trace.val_loss)).tolist() == [False, True, True, True]

    def test_no_curve_is_empty(self) -> None:
        assert len(finite(None)) == 0


class TestAt:
    @pytest.mark.parametrize(("epoch", "value"), [(2, 0.5), (3, None), (9, None), (None, None)])
    def test_at_is_the_finite_value_of_an_epoch(self, made, epoch: int | None, value: float | None) -> None:
        assert at(trace_of(made({"val_loss": [1, 0.5, np.nan]})).val_loss, epoch) == value


class TestFirstLost:
    def test_first_lost_is_the_first_epoch_of_either_loss(self, made) -> None:
        assert first_lost(trace_of(made({"loss": [1, 1, np.nan], "val_loss": [1, np.nan, np.nan]}))) == 2

    def test_first_lost_is_none_while_all_is_finite(self, made) -> None:
        assert first_lost(trace_of(made({"loss": [1, 1]}))) is None


class TestLossLimits:
    def test_loss_limits_are_shared(self, made) -> None:
        traces = [trace_of(made({"loss": [2.0, 1.0]})), trace_of(made({"loss": [4.0, 1.0]}))]
        assert loss_limits(traces) == (0.0, pytest.approx(4.2))

    def test_loss_limits_leave_out_what_would_press_the_rest_flat(self, made) -> None:
        assert loss_limits([trace_of(made({"loss": [5_000.0] + [1.0] * 59}))])[1] == pytest.approx(1.575)

    @pytest.mark.parametrize("losses", [[], [np.nan, np.nan], [0.0, 0.0]])
    def test_loss_limits_without_anything_to_show_are_still_limits(self, made, losses: list[float]) -> None:
        assert loss_limits([trace_of(made({"loss": losses}))]) == (0.0, 1.0)

    def test_loss_limits_reach_below_zero_for_a_loss_that_does(self, made) -> None:
        assert loss_limits([trace_of(made({"loss": [-1.0, -3.0]}))])[0] < -3.0


class TestAccuracyLimits:
    def test_accuracy_limits_are_nothing_to_all(self, made) -> None:
        assert accuracy_limits([trace_of(made({"accuracy": [0.2, 0.4]}))]) == (0.0, 1.03)

    def test_accuracy_limits_reach_further_for_percentages(self, made) -> None:
        assert accuracy_limits([trace_of(made({"accuracy": [20, 40]}))]) == (0.0, pytest.approx(41.2))
