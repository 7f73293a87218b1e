from __future__ import annotations

from math import gamma
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.lazy import Lazy
from tracker.statistics.proportions import wilson
from tracker.statistics.resampling import (
    PERMUTATIONS,
    T_RESAMPLES,
    bootstrap_t_interval,
    optimism_of_best,
    optimism_of_best_epoch,
    probability_best,
    probability_better,
    sign_flip_p,
)

if TYPE_CHECKING:
    from collections.abc import Callable

permutation_test = Lazy("scipy.stats", "permutation_test")


def models(k: int, n: int, *, share: float = 0.8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((k, n)) < share


class TestOptimismOfBest:
    def test_optimism_of_best_of_equally_good_models_is_about_what_choosing_gains(self):
        gains, estimates = [], []
        for seed in range(30):
            right = models(10, 200, seed=seed)
            gains.append(right.mean(axis=1).max() - 0.8)
            estimates.append(optimism_of_best(right, seed, resamples=300).estimate)
        assert np.mean(gains) > 0.03
        assert np.mean(estimates) == pytest.approx(np.mean(gains), rel=0.4)

    def test_optimism_of_best_of_one_far_ahead_is_next_to_nothing(self):
        right = np.vstack([models(4, 300, share=0.5), models(1, 300, share=0.95)])
        assert optimism_of_best(right, 0).estimate == pytest.approx(0, abs=0.002)

    def test_optimism_of_best_of_copies_of_one_model_is_next_to_nothing(self):
        right = np.repeat(models(1, 100), 8, axis=0)
        assert optimism_of_best(right, 0).estimate == pytest.approx(0, abs=0.004)

    def test_optimism_of_best_is_the_same_under_the_same_seed(self):
        right = models(5, 60)
        assert optimism_of_best(right, 4) == optimism_of_best(right, 4) != optimism_of_best(right, 5)

    def test_optimism_of_best_has_an_interval_around_it(self):
        found = optimism_of_best(models(6, 80), 0)
        assert found.interval[0] < found.estimate < found.interval[1]

    @pytest.mark.parametrize(("share", "groups"), [(0.7, 0), (0.9, 0), (0.9, 10)])
    def test_optimism_of_best_has_an_interval_that_holds_what_choosing_gains(self, share, groups):
        which = np.arange(30) * groups // 30 if groups else None
        held = []
        for seed in range(200):
            alike = models(4, groups or 30, share=share, seed=seed)
            right = alike[:, which] if groups else alike
            low, high = optimism_of_best(right, seed, which, resamples=400).interval
            held.append(low <= right.mean(axis=1).max() - share <= high)
        assert np.mean(held) >= 0.90

    def test_optimism_of_best_of_a_best_without_a_mistake_reaches_to_wilsons_end(self):
        right = np.vstack([np.ones((1, 30), dtype=bool), models(2, 30)])
        low, high = optimism_of_best(right, 0).interval
        assert (low, high) == (0.0, pytest.approx(1 - wilson(30, 30)[0]))

    def test_optimism_of_best_of_one_model_has_about_wilsons_interval_turned_round(self):
        right = models(1, 300)
        low, high = wilson(int(right.sum()), 300)
        found = optimism_of_best(right, 0).interval
        assert found == pytest.approx((right.mean() - high, right.mean() - low), abs=0.006)

    def test_optimism_of_best_with_groups_of_one_is_that_without_groups(self):
        right = models(5, 60)
        assert optimism_of_best(right, 0, list(range(60))) == optimism_of_best(right, 0)

    def test_optimism_of_best_of_copied_clips_needs_their_groups_to_stay_honest(self):
        right = models(8, 50)
        copied, groups = np.repeat(right, 4, axis=1), np.repeat(np.arange(50), 4)
        alone = optimism_of_best(right, 0).estimate
        assert optimism_of_best(copied, 0, groups).estimate == pytest.approx(alone, rel=0.05)
        assert optimism_of_best(copied, 0).estimate < 0.8 * alone

    @pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
    def test_optimism_of_best_needs_candidates_and_clips(self, shape):
        with pytest.raises(ValueError, match="at least one candidate and one clip"):
            optimism_of_best(np.zeros(shape, dtype=bool), 0)

    def test_optimism_of_best_needs_resamples(self):
        with pytest.raises(ValueError, match="at least one resample"):
            optimism_of_best(models(2, 5), 0, resamples=0)

    def test_optimism_of_best_needs_a_group_for_each_clip(self):
        with pytest.raises(ValueError, match="one group for each"):
            optimism_of_best(models(2, 5), 0, groups=["a"])


class TestOptimismOfBestEpoch:
    def test_optimism_of_best_epoch_of_one_epoch_each_is_that_of_the_best(self):
        right = models(4, 60)
        by_epoch = optimism_of_best_epoch([row[np.newaxis] for row in right], [np.ones((1, 60))] * 4, 0)
        assert by_epoch.estimate == pytest.approx(optimism_of_best(right, 0).estimate, abs=0.005)

    def test_optimism_of_best_epoch_counts_the_choice_of_the_epoch_too(self):
        loss = np.random.default_rng(1).exponential(size=(30, 80))
        several = optimism_of_best_epoch([loss < 1.2], [loss], 0)
        alone = optimism_of_best_epoch([(loss < 1.2)[:1]], [loss[:1]], 0)
        assert alone.estimate == pytest.approx(0, abs=0.005)
        assert several.estimate > 0.01

    def test_optimism_of_best_epoch_takes_runs_of_different_lengths(self):
        losses = [np.random.default_rng(e).exponential(size=(e, 40)) for e in (3, 12)]
        found = optimism_of_best_epoch([loss < 1 for loss in losses], losses, 0, groups=np.arange(40) // 2)
        assert found.interval[0] <= found.estimate <= found.interval[1]

    def test_optimism_of_best_epoch_needs_a_candidate(self):
        with pytest.raises(ValueError, match="at least one candidate"):
            optimism_of_best_epoch([], [], 0)

    def test_optimism_of_best_epoch_needs_a_loss_for_each_answer(self):
        with pytest.raises(ValueError, match="of the same shape"):
            optimism_of_best_epoch([models(3, 10)], [np.ones((2, 10))], 0)


class TestProbabilityBest:
    def test_probability_best_sums_to_one_however_many_clips_there_are(self):
        for n in (1, 30, 9_000):
            assert probability_best(models(3, n), 0, resamples=1_500).shared.sum() == pytest.approx(1.0)

    def test_probability_best_is_shared_by_equals(self):
        right = np.repeat(models(1, 50), 4, axis=0)
        assert probability_best(right, 0).shared == pytest.approx([0.25] * 4)

    def test_probability_best_goes_to_the_one_that_is_always_right(self):
        right = np.vstack([models(2, 200, share=0.5), np.ones((1, 200), dtype=bool)])
        assert probability_best(right, 0).shared.tolist() == [0.0, 0.0, 1.0]

    def test_probability_best_follows_the_models_when_they_are_permuted(self):
        right = models(4, 60)
        assert probability_best(right[::-1], 0).shared == pytest.approx(probability_best(right, 0).shared[::-1])

    def test_probability_best_tells_a_win_from_a_tie(self):
        right = np.array([[True, True, False], [True, False, True], [True, False, False]])
        found = probability_best(right, 0)
        assert np.all(found.alone < found.shared)
        assert np.all(found.shared < found.alone_or_tied)
        assert found.alone[2] == 0
        # both win alone if their own clip is drawn more often than the other's
        assert found.alone[:2] == pytest.approx([10 / 27] * 2, abs=0.03)


class TestProbabilityBetter:
    def test_probability_better_of_nothing_but_ties_is_one_half(self):
        assert probability_better(np.zeros((3, 20)), 0) == 0.5

    def test_probability_better_of_a_clear_win_is_one(self):
        assert probability_better(np.ones((3, 20)), 0) == 1.0

    def test_probability_better_is_the_rest_when_the_levels_are_swapped(self):
        entries = np.random.default_rng(2).integers(-1, 2, (3, 40)).astype(float)
        assert probability_better(-entries, 0) == pytest.approx(1 - probability_better(entries, 0))

    def test_probability_better_is_less_sure_when_the_pairs_disagree(self):
        steady = np.tile([1.0, 0, 0, 0], (4, 25))
        torn = np.repeat([[1.0], [1], [1], [-2]], 100, axis=1)
        assert probability_better(steady, 0) == 1.0
        assert 0.5 < probability_better(torn, 0) < 0.9

    def test_probability_better_is_less_sure_when_the_clips_come_in_groups(self):
        entries = np.tile(np.repeat([1.0, 1, -1, 1, -1], 8), (3, 1))
        groups = np.repeat(np.arange(5), 8)
        assert probability_better(entries, 0, groups) < probability_better(entries, 0)


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
    for _ in range(T_RESAMPLES):
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
    @example([(5e-324, 2)])
    @given(st.lists(st.tuples(st.floats(-10, 10), st.integers(1, 9)), min_size=1, max_size=12))
    def test_bootstrap_t_interval_is_finite_around_the_estimate_or_none(self, groups):
        net, sizes = np.array(groups, dtype=float).T
        found = bootstrap_t_interval(net, sizes, np.random.default_rng(0))
        if found is not None:
            assert np.isfinite(found).all()
            assert found[0] <= net.sum() / sizes.sum() <= found[1]
