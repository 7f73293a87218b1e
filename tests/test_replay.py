from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.replay import Drop, Stop, can_act, early_stopping, early_stoppings, plateau

CASES = json.loads((Path(__file__).parent / "statistics" / "oracles.json").read_text(encoding="utf-8"))
NAN, INF = float("nan"), float("inf")
NEVER = Stop(None, None)

fixed = settings(derandomize=True, deadline=None, max_examples=100)
values = st.one_of(st.sampled_from([0.5, 0.5, 0.4, 0.3, NAN, INF, -INF]), st.floats(-1, 1, width=32))
curves = st.lists(values, max_size=25).map(lambda found: np.array(found, dtype=float))
float32 = np.float32


class TestCanAct:
    @pytest.mark.parametrize("patience", [1, 2, 5])
    def test_can_act_is_whether_the_worst_curve_would_be_cut_or_trained_at_a_lower_rate(self, patience):
        for epochs in range(1, 10):
            rising = np.arange(1.0, epochs + 1)
            stop = early_stopping(rising, patience).stop_epoch
            drops = plateau(rising, 0.5, patience, learning_rate=0.1)
            acts = can_act(patience, epochs)
            assert acts == (stop is not None and stop < epochs)
            assert acts == any(drop.epoch < epochs for drop in drops)


class TestEarlyStopping:
    @pytest.mark.parametrize("case", CASES["early_stopping"]["cases"], ids=lambda case: f"patience {case['patience']}")
    def test_early_stopping_agrees_with_the_series_worked_by_hand(self, case):
        found = early_stopping(np.array(case["values"]), case["patience"])
        assert found == Stop(case["stop_epoch"], case["kept_epoch"])
        assert found.censored == (case["stop_epoch"] is None)

    def test_early_stopping_takes_a_tie_for_no_improvement(self):
        assert early_stopping(np.array([1.0, 0.5, 0.5, 0.5]), 2) == Stop(4, 2)

    def test_early_stopping_takes_what_float32_cannot_tell_for_a_tie(self):
        assert early_stopping(np.array([1.0, 1.0 - 1e-9, 1.0 - 2e-9]), 2) == Stop(3, 1)

    def test_early_stopping_locks_on_a_first_value_of_nan(self):
        assert early_stopping(np.array([NAN, 0.5, 0.4, 0.3]), 3) == Stop(4, 1)

    def test_early_stopping_takes_a_later_nan_for_no_improvement(self):
        assert early_stopping(np.array([0.5, NAN, 0.4, NAN, NAN]), 2) == Stop(5, 3)

    def test_improves_on_infinity_whether_as_such_or_as_mlflow_gives_it_back(self):
        assert early_stopping(np.array([INF, 1.0, 2.0]), 1) == Stop(3, 2)
        assert early_stopping(np.array([1.7976931348623157e308, 1.0, 2.0]), 1) == Stop(3, 2)

    def test_early_stopping_needs_an_improvement_by_more_than_min_delta(self):
        curve = np.array([1.0, 0.95, 0.85, 0.8, 0.78])
        assert early_stopping(curve, 2, min_delta=0.1) == Stop(5, 3)
        assert early_stopping(curve, 2, min_delta=-0.1) == Stop(5, 3)

    def test_early_stopping_looks_away_before_start_from_epoch(self):
        assert early_stopping(np.array([0.1, 0.2, 0.9, 0.95, 0.8, 0.85, 0.9]), 2, start_from_epoch=2) == Stop(7, 5)

    def test_early_stopping_of_a_curve_within_its_first_epochs_is_censored(self):
        assert early_stopping(np.array([0.1, 0.2]), 1, start_from_epoch=5) == NEVER

    def test_early_stopping_with_patience_zero_stops_as_with_one(self):
        curve = np.array([1.0, 0.9, 0.95, 0.8])
        assert early_stopping(curve, 0) == early_stopping(curve, 1) == Stop(3, 2)

    def test_early_stopping_can_look_for_a_rise(self):
        assert early_stopping(np.array([0.5, 0.7, 0.6, 0.65]), 2, mode="max") == Stop(4, 2)

    def test_early_stopping_of_no_epochs_is_censored(self):
        assert early_stopping(np.array([]), 3) == NEVER

    def test_early_stopping_of_a_falling_curve_is_censored(self):
        assert early_stopping(np.linspace(1, 0.1, 50), 1) == NEVER

    @pytest.mark.parametrize("wrong", [{"patience": -1}, {"patience": 3, "start_from_epoch": -1}])
    def test_early_stopping_refuses_negative_epochs(self, wrong):
        with pytest.raises(ValueError, match="at least 0"):
            early_stopping(np.array([1.0]), **wrong)

    @fixed
    @given(curves, st.integers(0, 8))
    def test_early_stopping_depends_on_nothing_after_its_stop(self, curve, patience):
        found = early_stopping(curve, patience)
        if not found.censored:
            assert early_stopping(curve[: found.stop_epoch], patience) == found
            assert early_stopping(curve[: found.stop_epoch - 1], patience) == NEVER

    @fixed
    @given(curves, st.integers(1, 8))
    def test_early_stopping_waits_exactly_its_patience_after_the_epoch_it_keeps(self, curve, patience):
        found = early_stopping(curve, patience)
        if not found.censored:
            assert found.stop_epoch - found.kept_epoch == patience

    @fixed
    @given(curves, st.integers(0, 8))
    def test_early_stopping_of_the_mirrored_curve_looks_for_a_rise(self, curve, patience):
        assert early_stopping(-curve, patience, mode="max") == early_stopping(curve, patience)

    @fixed
    @given(curves)
    def test_early_stopping_never_keeps_a_better_epoch_for_stopping_earlier(self, curve):
        kept = [found.kept_epoch for found in early_stoppings(curve, range(1, 9)) if not found.censored]
        assert kept == sorted(kept)


class TestEarlyStoppings:
    @fixed
    @given(curves, st.lists(st.integers(0, 12), max_size=6), st.integers(0, 4), st.sampled_from([0.0, 0.05]))
    def test_early_stoppings_are_each_ones_answer_in_the_order_asked(self, curve, patiences, start, min_delta):
        options = {"start_from_epoch": start, "min_delta": min_delta}
        expected = tuple(early_stopping(curve, patience, **options) for patience in patiences)
        assert early_stoppings(curve, patiences, **options) == expected


class TestPlateau:
    def test_plateau_drops_after_as_many_epochs_without_improvement_as_its_patience(self):
        found = plateau(np.array([1.0, 0.5, 0.6, 0.7, 0.4, 0.5, 0.6]), 0.1, 2, learning_rate=1e-3)
        assert [drop.epoch for drop in found] == [4, 7]

    def test_plateau_gives_rates_in_float32(self):
        found = plateau(np.array([1.0, 1.0, 1.0]), 0.3, 1, learning_rate=1e-3)
        first, second = float(float32(1e-3)), float(float32(float(float32(1e-3)) * 0.3))
        assert found == (Drop(2, first, second), Drop(3, second, float(float32(second * 0.3))))

    def test_plateau_needs_an_improvement_by_more_than_min_delta(self):
        falling = np.array([1.0, 0.99995, 0.9999, 0.99985])
        assert [drop.epoch for drop in plateau(falling, 0.5, 2, learning_rate=1.0)] == [3]
        assert plateau(falling, 0.5, 2, learning_rate=1.0, min_delta=0.0) == ()

    def test_plateau_counts_nothing_while_it_cools_down(self):
        flat = np.ones(8)
        assert [drop.epoch for drop in plateau(flat, 0.5, 2, learning_rate=1.0, cooldown=2)] == [3, 6]

    def test_plateau_stops_at_the_lowest_rate(self):
        found = plateau(np.ones(6), 0.1, 1, learning_rate=1.0, min_lr=0.05)
        assert [drop.after for drop in found] == [float(float32(0.1)), float(float32(0.05))]

    def test_plateau_can_look_for_a_rise(self):
        assert [drop.epoch for drop in plateau(np.array([0.1, 0.2, 0.3]), 0.5, 1, learning_rate=1.0)] == [2, 3]
        assert plateau(np.array([0.1, 0.2, 0.3]), 0.5, 1, learning_rate=1.0, mode="max") == ()

    def test_plateau_never_improves_on_a_first_value_of_nan(self):
        assert [drop.epoch for drop in plateau(np.array([NAN, 0.5, 0.4]), 0.5, 1, learning_rate=1.0)] == [2, 3]

    def test_plateau_of_no_epochs_never_drops(self):
        assert plateau(np.array([]), 0.5, 1, learning_rate=1.0) == ()

    def test_plateau_refuses_a_factor_that_does_not_lower(self):
        with pytest.raises(ValueError, match="below 1, got 1"):
            plateau(np.array([1.0]), 1.0, 1, learning_rate=1.0)
