from __future__ import annotations

from math import gamma
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from tracker.statistics.means import PERMUTATIONS, RESAMPLES, bootstrap_t_interval, sign_flip_p

if TYPE_CHECKING:
    from collections.abc import Callable

fixed = settings(derandomize=True, deadline=None, max_examples=50)


def scipys_p(net: np.ndarray) -> float:
    found = permutation_test((net,), np.sum, permutation_type="samples", n_resamples=np.inf)
    return float(found.pvalue)


class TestSignFlipP:
    @pytest.mark.parametrize("n", [2, 5, 9])
    def test_sign_flip_p_of_few_groups_is_scipys_exact_one(self, n):
        for seed in range(5):
            net = np.random.default_rng(seed).normal(0.5, 1, n)
            assert sign_flip_p(net, np.random.default_rng(0)) == pytest.approx(scipys_p(net))

    def test_sign_flip_p_counts_ties_in_spite_of_rounding(self):
        assert sign_flip_p(np.array([0.1, 0.2, 0.3, -0.3, -0.2, -0.1]), np.random.default_rng(0)) == 1.0

    def test_sign_flip_p_of_many_groups_is_near_the_exact_one(self):
        net = np.random.default_rng(4).normal(0.3, 1, 14)
        exact = scipys_p(net)
        assert 0.05 < exact < 0.95
        deviation = np.sqrt(exact * (1 - exact) / PERMUTATIONS)
        assert sign_flip_p(net, np.random.default_rng(0)) == pytest.approx(exact, abs=4 * deviation)

    def test_sign_flip_p_is_never_zero(self):
        assert sign_flip_p(np.ones(2_000), np.random.default_rng(0)) == 1 / (PERMUTATIONS + 1)

    def test_sign_flip_p_of_nothing_but_zeros_is_one(self):
        assert sign_flip_p(np.zeros(50), np.random.default_rng(0)) == 1.0


def drawn_one_by_one(values: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """The interval of a mean, resample after resample."""
    mean, error = values.mean(), values.std(ddof=1) / np.sqrt(len(values))
    distances = []
    for _ in range(RESAMPLES):
        drawn = values[rng.integers(0, len(values), len(values))]
        distances.append(abs(drawn.mean() - mean) / (drawn.std(ddof=1) / np.sqrt(len(values))))
    half = error * sorted(distances)[949]
    return mean - half, mean + half


def coverage(draw: Callable[[np.random.Generator], np.ndarray], truth: float) -> float:
    """How often the interval of the mean of 30 values holds the truth."""
    rng = np.random.default_rng(0)
    found = [bootstrap_t_interval(draw(rng), np.ones(30), rng) for _ in range(400)]
    return float(np.mean([interval is not None and interval[0] <= truth <= interval[1] for interval in found]))


class TestBootstrapTInterval:
    def test_bootstrap_t_interval_of_single_clips_is_that_of_their_mean(self):
        values = np.random.default_rng(3).exponential(size=40)
        found = bootstrap_t_interval(values, np.ones(40), np.random.default_rng(1))
        assert found == pytest.approx(drawn_one_by_one(values, np.random.default_rng(1)))

    def test_bootstrap_t_interval_of_many_values_is_that_of_the_normal_distribution(self):
        values = np.random.default_rng(2).normal(0.3, 1, 3_000)
        low, high = bootstrap_t_interval(values, np.ones(3_000), np.random.default_rng(0))
        assert (low + high) / 2 == pytest.approx(values.mean())
        assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(3_000), rel=0.1)

    def test_bootstrap_t_interval_holds_the_mean_of_normal_values(self):
        assert 0.93 <= coverage(lambda rng: rng.standard_normal(30), 0.0) <= 0.98

    def test_bootstrap_t_interval_holds_the_mean_of_skew_values(self):
        assert coverage(lambda rng: rng.exponential(size=30) ** 1.5, gamma(2.5)) >= 0.90

    def test_bootstrap_t_interval_of_equal_shares_is_none_however_large_the_groups(self):
        net, sizes = np.array([0.5, 1.0, 1.5]), np.array([1.0, 2.0, 3.0])
        assert bootstrap_t_interval(net, sizes, np.random.default_rng(0)) is None

    def test_bootstrap_t_interval_of_one_differing_clip_is_none(self):
        net = np.zeros(30)
        net[4] = 2.0
        assert bootstrap_t_interval(net, np.ones(30), np.random.default_rng(0)) is None

    def test_bootstrap_t_interval_is_twice_as_wide_for_differences_twice_as_large(self):
        net, sizes = np.random.default_rng(5).standard_normal(12), np.arange(1.0, 13)
        once, twice = (bootstrap_t_interval(k * net, sizes, np.random.default_rng(0)) for k in (1, 2))
        assert np.multiply(once, 2) == pytest.approx(twice)

    @fixed
    @given(st.lists(st.tuples(st.floats(-10, 10), st.integers(1, 9)), min_size=1, max_size=12))
    def test_bootstrap_t_interval_is_finite_around_the_estimate_or_none(self, groups):
        net, sizes = np.array(groups, dtype=float).T
        found = bootstrap_t_interval(net, sizes, np.random.default_rng(0))
        if found is not None:
            assert np.isfinite(found).all()
            assert found[0] <= net.sum() / sizes.sum() <= found[1]
