from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import nct, norm
from scipy.stats import t as student

from tracker.statistics.crossed import crossed, degrees_of_freedom, mean_squares, t_effect
from tracker.statistics.repetitions import columns_needed, detectable_effect, pairs_needed


def some_pairs(r: int = 3, n: int = 60, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice([-1.0, 0, 0, 0, 1], (r, n))


class TestDetectableEffect:
    @pytest.mark.parametrize("df", [2, 3.9, 40, 1e6])
    def test_is_found_as_often_as_wanted(self, df):
        found = detectable_effect(t_effect(0.0, 0.05, df))
        threshold = student.ppf(0.975, df)
        assert nct.sf(threshold, df, found / 0.05) == pytest.approx(0.8, abs=1e-5)

    def test_grows_with_the_error(self):
        assert detectable_effect(t_effect(0.3, 0.1, 5)) == pytest.approx(
            2 * detectable_effect(t_effect(-0.3, 0.05, 5)), rel=1e-6
        )

    def test_where_nothing_varied_is_unknown(self):
        assert detectable_effect(crossed(np.zeros((3, 30)))) is None

    def test_refuses_a_power_out_of_its_range(self):
        with pytest.raises(ValueError, match="power must be"):
            detectable_effect(t_effect(0.1, 0.1, 3), power=0.0)


class TestPairsNeeded:
    def test_reach_the_power_that_one_less_does_not(self):
        entries, difference = some_pairs(), 0.08
        squares = mean_squares(entries)
        needed = pairs_needed(entries, difference)
        assert needed is not None

        def power(pairs: int) -> float:
            clips = max(squares.columns - squares.residual, 0) / 3
            variance = squares.rows + pairs * clips
            df = degrees_of_freedom(pairs, variance / squares.rows)
            shift, threshold = difference / np.sqrt(variance / (pairs * 60)), student.ppf(0.975, df)
            return float(nct.sf(threshold, df, shift))

        assert power(needed) >= 0.8 > power(needed - 1)

    def test_are_as_many_as_simulated_experiments_need(self):
        entries, difference = some_pairs(r=4, n=200, seed=2), 0.06
        needed = pairs_needed(entries, difference)
        assert needed is not None
        squares, rng = mean_squares(entries), np.random.default_rng(1)
        assert squares.columns < squares.residual

        def found(pairs: int) -> float:
            means = difference + np.sqrt(squares.rows / 200) * rng.normal(size=(4_000, pairs))
            t = means.mean(axis=1) / (means.std(axis=1, ddof=1) / np.sqrt(pairs))
            return float(np.mean(t > student.ppf(0.975, pairs - 1)))

        assert found(needed) > 0.78
        assert found(needed - 1) < 0.82

    def test_are_the_same_for_either_direction(self):
        assert pairs_needed(some_pairs(), 0.1) == pairs_needed(-some_pairs(), -0.1)

    def test_are_never_under_three(self):
        assert pairs_needed(some_pairs(), 1.0) == 3

    def test_do_not_exist_where_the_clips_are_too_few(self):
        row = np.random.default_rng(0).choice([-1.0, 0, 1], 20)
        entries = np.stack([row, row, np.roll(row, 1)])
        assert pairs_needed(entries, 0.05) is None

    def test_of_pairs_that_never_varied_are_three(self):
        assert pairs_needed(np.zeros((3, 20)), 0.1) == 3

    def test_for_no_difference_do_not_exist(self):
        with pytest.raises(ValueError, match="difference of 0"):
            pairs_needed(some_pairs(), 0.0)

    def test_refuse_a_single_pair(self):
        with pytest.raises(ValueError, match="at least two repetitions"):
            pairs_needed(some_pairs(r=1), 0.1)


class TestColumnsNeeded:
    def test_are_as_many_as_endless_pairs_would_want(self):
        """Entries that are the same in every pair leave a t-test over clips, whose size is known."""
        row = np.random.default_rng(0).choice([-1.0, 0, 1], 40)
        needed = columns_needed(np.stack([row] * 3), 0.1)
        power = norm.sf(norm.ppf(0.975) - 0.1 * np.sqrt(np.array([needed, needed - 1]) / row.var(ddof=1)))
        assert power[0] >= 0.8 > power[1]

    def test_are_fewer_for_a_larger_difference_and_the_same_for_either_direction(self):
        entries = np.stack([np.random.default_rng(0).choice([-1.0, 0, 1], 20)] * 3)
        assert columns_needed(entries, 0.2) < columns_needed(entries, 0.1) == columns_needed(-entries, -0.1)

    def test_are_the_least_there_can_be_where_clips_do_not_differ_for_all_trainings(self):
        assert columns_needed(np.zeros((3, 20)), 0.1) == 2

    def test_for_no_difference_do_not_exist(self):
        with pytest.raises(ValueError, match="difference of 0"):
            columns_needed(some_pairs(), 0.0)
