from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.lazy import Lazy
from tracker.statistics.matched_pairs import crossed, degrees_of_freedom, mean_squares, t_effect
from tracker.statistics.paired import tango
from tracker.statistics.proportions import grouped_wilson, score_interval
from tracker.statistics.repetitions import (
    PairVariance,
    accuracy_over_seeds,
    columns_needed,
    crossed_power,
    detectable_by_pairs,
    detectable_effect,
    nadeau_bengio,
    pairs_needed,
)

CorrelatedTTest = Lazy("baycomp", "CorrelatedTTest")
nct = Lazy("scipy.stats", "nct")
norm = Lazy("scipy.stats", "norm")
student = Lazy("scipy.stats", "t")

fixed = settings(derandomize=True, deadline=None, max_examples=100)


def some_pairs(r: int = 3, n: int = 60, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice([-1.0, 0, 0, 0, 1], (r, n))


class TestDetectableEffect:
    @pytest.mark.parametrize("df", [2, 3.9, 40, 1e6])
    def test_detectable_effect_is_found_as_often_as_wanted(self, df):
        found = detectable_effect(t_effect(0.0, 0.05, df))
        threshold = student.ppf(0.975, df)
        assert nct.sf(threshold, df, found / 0.05) == pytest.approx(0.8, abs=1e-5)

    def test_detectable_effect_grows_with_the_error(self):
        assert detectable_effect(t_effect(0.3, 0.1, 5)) == pytest.approx(
            2 * detectable_effect(t_effect(-0.3, 0.05, 5)), rel=1e-6
        )

    def test_where_nothing_varied_is_unknown(self):
        assert detectable_effect(crossed(np.zeros((3, 30)))) is None

    def test_detectable_effect_refuses_a_power_out_of_its_range(self):
        with pytest.raises(ValueError, match="power must be"):
            detectable_effect(t_effect(0.1, 0.1, 3), power=0.0)


class TestCrossedPower:
    @pytest.mark.parametrize("pairs", [3, 6])
    @pytest.mark.parametrize("tests", [1, 4])
    def test_crossed_power_is_how_often_the_test_detects_a_simulated_effect(self, pairs, tests):
        rng, columns, trained, shared, rest = np.random.default_rng(0), 60, 0.04, 0.03, 0.07
        found = 0
        for _ in range(600):
            noise = rng.normal(0, trained * 2**0.5, (pairs, 1)) + rng.normal(0, shared**0.5, (1, columns))
            effect = crossed(0.15 + noise + rng.normal(0, rest**0.5, (pairs, columns)))
            found += (effect.p_value if tests == 1 else effect.strict_p_value) <= 0.05 / tests
        variance = PairVariance(columns * 2 * trained**2 + rest, shared, columns)
        assert crossed_power(variance, pairs, 0.15, tests=tests) == pytest.approx(found / 600, abs=0.06)

    def test_crossed_power_is_smaller_among_more_tests(self):
        variance = PairVariance.of(some_pairs())
        alone, among = crossed_power(variance, 5, 0.1), crossed_power(variance, 5, 0.1, tests=3)
        assert among < alone

    def test_crossed_power_is_that_of_the_smallest_difference_that_is_detectable(self):
        variance = PairVariance.of(some_pairs())
        for tests in (1, 3):
            difference = detectable_by_pairs(variance, 4, tests=tests)
            assert crossed_power(variance, 4, difference, tests=tests) == pytest.approx(0.8, abs=1e-6)

    def test_crossed_power_of_pairs_that_never_varied_is_one(self):
        assert crossed_power(PairVariance.of(np.zeros((3, 20))), 3, 0.1) == 1.0
        assert detectable_by_pairs(PairVariance.of(np.zeros((3, 20))), 3) is None


class TestPairsNeeded:
    def test_pairs_needed_reach_the_power_that_one_less_does_not(self):
        entries, difference = some_pairs(), 0.08
        squares = mean_squares(entries)
        needed = pairs_needed(entries, difference)
        assert needed is not None

        def power(pairs: int) -> float:
            clips = max(squares.columns - squares.residual, 0) / 3
            variance = squares.rows + pairs * clips
            df = degrees_of_freedom(pairs, 60, squares.rows / variance)
            shift, threshold = difference / np.sqrt(variance / (pairs * 60)), student.ppf(0.975, df)
            return float(nct.sf(threshold, df, shift))

        assert power(needed) >= 0.8 > power(needed - 1)

    def test_pairs_needed_are_as_many_as_simulated_experiments_need(self):
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

    def test_pairs_needed_are_the_same_for_either_direction(self):
        assert pairs_needed(some_pairs(), 0.1) == pairs_needed(-some_pairs(), -0.1)

    def test_pairs_needed_are_never_under_three(self):
        assert pairs_needed(some_pairs(), 1.0) == 3

    def test_pairs_needed_do_not_exist_where_the_clips_are_too_few(self):
        row = np.random.default_rng(0).choice([-1.0, 0, 1], 20)
        entries = np.stack([row, row, np.roll(row, 1)])
        assert pairs_needed(entries, 0.05) is None

    def test_pairs_needed_of_pairs_that_never_varied_are_three(self):
        assert pairs_needed(np.zeros((3, 20)), 0.1) == 3

    def test_pairs_needed_for_no_difference_do_not_exist(self):
        with pytest.raises(ValueError, match="difference must not be 0"):
            pairs_needed(some_pairs(), 0.0)

    def test_pairs_needed_refuse_a_single_pair(self):
        with pytest.raises(ValueError, match="at least two repetitions"):
            pairs_needed(some_pairs(r=1), 0.1)


class TestColumnsNeeded:
    def test_columns_needed_are_as_many_as_endless_pairs_would_want(self):
        """Entries that are the same in every pair leave a t-test over clips, whose size is known."""
        row = np.random.default_rng(0).choice([-1.0, 0, 1], 40)
        needed = columns_needed(np.stack([row] * 3), 0.1)
        power = norm.sf(norm.ppf(0.975) - 0.1 * np.sqrt(np.array([needed, needed - 1]) / row.var(ddof=1)))
        assert power[0] >= 0.8 > power[1]

    def test_columns_needed_are_fewer_for_a_larger_difference_and_the_same_for_either_direction(self):
        entries = np.stack([np.random.default_rng(0).choice([-1.0, 0, 1], 20)] * 3)
        assert columns_needed(entries, 0.2) < columns_needed(entries, 0.1) == columns_needed(-entries, -0.1)

    def test_columns_needed_are_the_least_there_can_be_where_clips_do_not_differ_for_all_trainings(self):
        assert columns_needed(np.zeros((3, 20)), 0.1) == 2

    def test_columns_needed_for_no_difference_do_not_exist(self):
        with pytest.raises(ValueError, match="difference must not be 0"):
            columns_needed(some_pairs(), 0.0)


differences = st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=3, max_size=12).map(np.array)


class TestNadeauBengio:
    def test_nadeau_bengio_agrees_with_the_worked_example(self, oracles):
        for case in oracles["nadeau_bengio"]:
            found = nadeau_bengio(np.array(case["differences"]), case["n_train"], case["n_validation"])
            assert (found.t, found.p_value) == pytest.approx((case["t"], case["p_value"]), abs=1e-6)

    @fixed
    @given(differences)
    def test_nadeau_bengio_is_baycomps_correlated_t_test(self, values):
        if np.ptp(values) == 0:
            return
        worse, better = CorrelatedTTest.probs(np.zeros(len(values)), values)
        found = nadeau_bengio(values, len(values) - 1, 1)
        assert found.p_value == pytest.approx(2 * min(worse, better), abs=1e-9)

    @fixed
    @given(differences, st.randoms())
    def test_nadeau_bengio_changes_sign_and_not_with_the_order(self, values, random):
        one = nadeau_bengio(values, 80, 20)
        other = nadeau_bengio(-np.array(random.sample(values.tolist(), len(values))), 80, 20)
        assert other.estimate == pytest.approx(-one.estimate, abs=1e-12)
        assert other.p_value == pytest.approx(one.p_value)
        assert other.interval == pytest.approx((-one.interval[1], -one.interval[0]))

    def test_nadeau_bengio_of_no_difference_in_any_fold_is_one_over_all_their_clips(self):
        found = nadeau_bengio(np.zeros(5), 120, 30)
        assert found.p_value == 1.0
        assert found.interval == pytest.approx(tango(0, 0, 150))

    def test_nadeau_bengio_of_the_same_difference_in_every_fold_is_a_sign_test_over_folds(self):
        found = nadeau_bengio(np.full(5, 1 / 30), 120, 30)
        assert found.p_value == 2.0**-4
        assert found.interval[0] < 1 / 30 < found.interval[1]

    def test_nadeau_bengio_needs_three_folds(self):
        with pytest.raises(ValueError, match="at least 3 of them, got 2"):
            nadeau_bengio(np.array([0.1, 0.2]), 90, 10)

    @pytest.mark.parametrize("clips", [(0, 10), (90, 0), (float("nan"), 10)])
    def test_nadeau_bengio_needs_clips(self, clips):
        with pytest.raises(ValueError, match="training and validation clips"):
            nadeau_bengio(np.array([0.1, 0.2, 0.3]), *clips)


answers = st.tuples(st.integers(2, 6), st.integers(1, 30)).flatmap(lambda shape: arrays(np.bool_, shape))


def trained(rng: np.random.Generator, seeds: int, clips: int, noise: float, groups: int = 0) -> np.ndarray:
    """Answers of a configuration that is right on 70% of clips in the mean over seeds and clips."""
    reached = norm.ppf(0.7 + noise * np.clip(rng.standard_normal((seeds, 1)), -2, 2))
    hard, own = rng.standard_normal((1, clips)), rng.standard_normal((seeds, clips))
    if groups:
        place = np.arange(clips) * groups // clips
        hard = (hard + rng.standard_normal((1, groups))[:, place]) / np.sqrt(2)
        own = (own + rng.standard_normal((seeds, groups))[:, place]) / np.sqrt(2)
    return reached + np.sqrt(0.6) * hard + np.sqrt(0.4) * own > 0


def coverage(seeds: int, clips: int, noise: float, groups: int = 0) -> float:
    rng = np.random.default_rng(0)
    which = np.arange(clips) * groups // clips if groups else None
    found = (accuracy_over_seeds(trained(rng, seeds, clips, noise, groups), which) for _ in range(600))
    return float(np.mean([low <= 0.7 <= high for low, high in found]))


class TestAccuracyOverSeeds:
    def test_accuracy_over_seeds_of_a_table_is_what_is_computed_by_hand(self):
        right = np.array([[1, 1, 0, 1], [1, 0, 0, 1]], dtype=bool)
        rows, columns, residual = 0.125, 1.375 / 3, 0.375 / 3
        variance = rows + columns - residual
        share = rows / variance
        quantile = student.ppf(0.975, 1) ** share * student.ppf(0.975, 3) ** (1 - share)
        expected = score_interval(5 / 8, (5 / 8) * (3 / 8) * 8 / variance, quantile)
        assert accuracy_over_seeds(right) == pytest.approx(expected, rel=1e-9)

    @pytest.mark.parametrize(
        ("seeds", "clips", "noise"), [(2, 30, 0.04), (2, 300, 0.08), (3, 30, 0.0), (3, 300, 0.08), (10, 300, 0.08)]
    )
    def test_accuracy_over_seeds_holds_the_truth_in_nineteen_experiments_of_twenty_or_nearly(self, seeds, clips, noise):
        assert 0.90 <= coverage(seeds, clips, noise) <= 0.99

    @pytest.mark.parametrize(("seeds", "clips", "groups"), [(2, 100, 20), (5, 30, 10)])
    def test_accuracy_over_seeds_holds_the_truth_where_clips_share_groups(self, seeds, clips, groups):
        assert 0.92 <= coverage(seeds, clips, 0.04, groups) <= 0.985

    @fixed
    @given(answers)
    def test_accuracy_over_seeds_holds_the_mean_and_stays_from_0_to_1(self, right):
        low, high = accuracy_over_seeds(right)
        assert 0 <= low <= right.mean() <= high <= 1
        assert low < high

    @fixed
    @given(answers, st.randoms())
    def test_accuracy_over_seeds_does_not_depend_on_the_order_of_seeds_and_clips(self, right, random):
        rows, columns = ([*range(k)] for k in right.shape)
        random.shuffle(rows)
        random.shuffle(columns)
        assert accuracy_over_seeds(right[rows][:, columns]) == pytest.approx(accuracy_over_seeds(right), abs=1e-9)

    @fixed
    @given(answers)
    def test_accuracy_over_seeds_with_groups_of_one_is_that_without_groups(self, right):
        found = accuracy_over_seeds(right, list(range(right.shape[1])))
        assert found == pytest.approx(accuracy_over_seeds(right), abs=1e-9)

    def test_accuracy_over_seeds_of_copied_clips_is_that_of_the_clips_where_they_are_grouped(self):
        right = trained(np.random.default_rng(1), 5, 40, 0.0)
        copied, groups = np.repeat(right, 5, axis=1), np.repeat(np.arange(40), 5)
        assert accuracy_over_seeds(copied, groups) == pytest.approx(accuracy_over_seeds(right), abs=1e-9)
        assert np.ptp(accuracy_over_seeds(copied)) < np.ptp(accuracy_over_seeds(right))

    def test_accuracy_over_seeds_of_always_right_is_wilsons_of_the_clips(self):
        low, high = accuracy_over_seeds(np.ones((3, 30), dtype=bool))
        assert (low, high) == score_interval(1.0, 30, student.ppf(0.975, 29))

    def test_accuracy_over_seeds_of_always_right_in_groups_is_wilsons_of_the_groups(self):
        groups = np.arange(30) // 3
        expected = grouped_wilson(np.ones(30, dtype=bool), groups)
        assert accuracy_over_seeds(np.ones((3, 30), dtype=bool), groups) == pytest.approx(expected)

    def test_accuracy_over_seeds_of_one_group_is_everything(self):
        assert accuracy_over_seeds(np.array([[True, False], [True, True]]), ["a", "a"]) == (0.0, 1.0)

    def test_accuracy_over_seeds_needs_two_repetitions(self):
        with pytest.raises(ValueError, match="at least two repetitions, got 1"):
            accuracy_over_seeds(np.ones((1, 30), dtype=bool))

    def test_accuracy_over_seeds_needs_a_group_for_each_clip(self):
        with pytest.raises(ValueError, match="one group for each"):
            accuracy_over_seeds(np.ones((2, 3), dtype=bool), ["a"])
