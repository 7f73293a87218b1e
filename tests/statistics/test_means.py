from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, permutation_test

from tracker.statistics.means import PERMUTATIONS, RESAMPLES, bca_interval, sign_flip_p

fixed = settings(derandomize=True, deadline=None, max_examples=50)


def scipys_p(net: np.ndarray) -> float:
    found = permutation_test((net,), np.sum, permutation_type="samples", n_resamples=np.inf)
    return float(found.pvalue)


class TestSignFlipP:
    @pytest.mark.parametrize("n", [2, 5, 9])
    def test_of_few_groups_is_scipys_exact_one(self, n):
        for seed in range(5):
            net = np.random.default_rng(seed).normal(0.5, 1, n)
            assert sign_flip_p(net, np.random.default_rng(0)) == pytest.approx(scipys_p(net))

    def test_counts_ties_in_spite_of_rounding(self):
        assert sign_flip_p(np.array([0.1, 0.2, 0.3, -0.3, -0.2, -0.1]), np.random.default_rng(0)) == 1.0

    def test_of_many_groups_is_near_the_exact_one(self):
        net = np.random.default_rng(4).normal(0.3, 1, 14)
        exact = scipys_p(net)
        assert 0.05 < exact < 0.95
        deviation = np.sqrt(exact * (1 - exact) / PERMUTATIONS)
        assert sign_flip_p(net, np.random.default_rng(0)) == pytest.approx(exact, abs=4 * deviation)

    def test_is_never_zero(self):
        assert sign_flip_p(np.ones(2_000), np.random.default_rng(0)) == 1 / (PERMUTATIONS + 1)

    def test_of_nothing_but_zeros_is_one(self):
        assert sign_flip_p(np.zeros(50), np.random.default_rng(0)) == 1.0


class TestBcaInterval:
    @pytest.mark.parametrize("n", [12, 100])
    def test_is_scipys_on_the_same_draws(self, n):
        rng = np.random.default_rng(n)
        sizes = rng.integers(1, 5, n).astype(float)
        net = rng.exponential(size=n) * sizes - 0.5
        expected = bootstrap(
            (net, sizes),
            lambda sums, clips, axis: sums.sum(axis=axis) / clips.sum(axis=axis),
            paired=True,
            vectorized=True,
            n_resamples=RESAMPLES,
            rng=np.random.default_rng(1),
        ).confidence_interval
        assert bca_interval(net, sizes, np.random.default_rng(1)) == pytest.approx((expected.low, expected.high))

    @fixed
    @given(st.lists(st.tuples(st.floats(-10, 10), st.integers(1, 9)), min_size=2, max_size=12))
    def test_is_finite_or_none(self, groups):
        net, sizes = np.array(groups, dtype=float).T
        found = bca_interval(net, sizes, np.random.default_rng(0))
        assert found is None or (np.isfinite(found).all() and found[0] <= found[1])

    def test_of_groups_with_one_mean_is_none(self):
        assert bca_interval(np.array([0.5, 1.0, 1.5]), np.array([1.0, 2.0, 3.0]), np.random.default_rng(0)) is None
