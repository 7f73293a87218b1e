from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm
from scipy.stats import t as student

from tracker.statistics.proportions import grouped_wilson, score_interval
from tracker.statistics.repetitions import accuracy_over_seeds

fixed = settings(derandomize=True, deadline=None, max_examples=80)
answers = st.tuples(st.integers(2, 6), st.integers(1, 30)).flatmap(lambda shape: arrays(np.bool_, shape))


def trained(rng: np.random.Generator, seeds: int, clips: int, noise: float, groups: int = 0) -> np.ndarray:
    """Answers of a configuration that is right on 70 % of clips in the mean over seeds and clips."""
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
    def test_of_a_table_is_what_is_computed_by_hand(self):
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
    def test_holds_the_truth_in_nineteen_experiments_of_twenty_or_nearly(self, seeds, clips, noise):
        assert 0.90 <= coverage(seeds, clips, noise) <= 0.99

    @pytest.mark.parametrize(("seeds", "clips", "groups"), [(2, 100, 20), (5, 30, 10)])
    def test_holds_the_truth_where_clips_share_groups(self, seeds, clips, groups):
        assert 0.92 <= coverage(seeds, clips, 0.04, groups) <= 0.985

    @fixed
    @given(answers)
    def test_holds_the_mean_and_stays_from_0_to_1(self, right):
        low, high = accuracy_over_seeds(right)
        assert 0 <= low <= right.mean() <= high <= 1
        assert low < high

    @fixed
    @given(answers, st.randoms())
    def test_does_not_depend_on_the_order_of_seeds_and_clips(self, right, random):
        rows, columns = ([*range(k)] for k in right.shape)
        random.shuffle(rows)
        random.shuffle(columns)
        assert accuracy_over_seeds(right[rows][:, columns]) == pytest.approx(accuracy_over_seeds(right), abs=1e-9)

    @fixed
    @given(answers)
    def test_with_groups_of_one_is_that_without_groups(self, right):
        found = accuracy_over_seeds(right, list(range(right.shape[1])))
        assert found == pytest.approx(accuracy_over_seeds(right), abs=1e-9)

    def test_of_copied_clips_is_that_of_the_clips_where_they_are_grouped(self):
        right = trained(np.random.default_rng(1), 5, 40, 0.0)
        copied, groups = np.repeat(right, 5, axis=1), np.repeat(np.arange(40), 5)
        assert accuracy_over_seeds(copied, groups) == pytest.approx(accuracy_over_seeds(right), abs=1e-9)
        assert np.ptp(accuracy_over_seeds(copied)) < np.ptp(accuracy_over_seeds(right))

    def test_of_always_right_is_wilsons_of_the_clips(self):
        low, high = accuracy_over_seeds(np.ones((3, 30), dtype=bool))
        assert (low, high) == score_interval(1.0, 30, student.ppf(0.975, 29))

    def test_of_always_right_in_groups_is_wilsons_of_the_groups(self):
        groups = np.arange(30) // 3
        expected = grouped_wilson(np.ones(30, dtype=bool), groups)
        assert accuracy_over_seeds(np.ones((3, 30), dtype=bool), groups) == pytest.approx(expected)

    def test_of_one_group_is_everything(self):
        assert accuracy_over_seeds(np.array([[True, False], [True, True]]), ["a", "a"]) == (0.0, 1.0)

    def test_needs_two_repetitions(self):
        with pytest.raises(ValueError, match="at least two repetitions, got 1"):
            accuracy_over_seeds(np.ones((1, 30), dtype=bool))

    def test_needs_a_group_for_each_clip(self):
        with pytest.raises(ValueError, match="one group for each"):
            accuracy_over_seeds(np.ones((2, 3), dtype=bool), ["a"])
