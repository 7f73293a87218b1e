from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import scipy

from tracker.statistics.error_rates import holm
from tracker.statistics.ranks import (
    adjusted_for_all_pairs,
    critical_difference,
    fewest_for_a_pair,
    friedman,
    ranks,
    signed_rank,
)

# Demšar (2006), table 6: the AUC of C4.5, and of C4.5 with m, cf, or both tuned, on 14 data sets
DEMSAR = np.array([
    [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
    [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
    [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
    [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
    [0.972, 0.981, 0.9751, 0.975], [0.957, 0.978, 0.946, 0.970],
])  # fmt: skip


class TestRanks:
    def test_ranks_are_those_of_the_published_table(self) -> None:
        assert ranks(DEMSAR).mean(axis=0) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)

    def test_the_lowest_is_first_if_lower_is_better(self) -> None:
        assert ranks(np.array([[0.3, 0.1, 0.2]]), lower_is_better=True).tolist() == [[3, 1, 2]]

    def test_scores_that_differ_by_rounding_alone_are_equal(self) -> None:
        assert ranks(np.array([[0.1 + 0.2, 0.3]])).tolist() == [[1.5, 1.5]]


class TestFriedman:
    def test_friedman_agrees_with_the_published_example_but_for_its_correction_for_equal_scores(self) -> None:
        found, k, n = friedman(ranks(DEMSAR)), 4, 14
        uncorrected = 12 * n / (k * (k + 1)) * ((ranks(DEMSAR).mean(axis=0) ** 2).sum() - k * (k + 1) ** 2 / 4)
        assert uncorrected == pytest.approx(9.28, abs=0.01)
        assert found.chi_square > uncorrected
        assert found.p_value < 0.05

    @pytest.mark.parametrize("seed", range(5))
    def test_friedman_agrees_with_scipy(self, seed: int) -> None:
        scores = np.random.default_rng(seed).integers(0, 8, (9, 4)) / 8
        found, known = friedman(ranks(scores)), scipy.stats.friedmanchisquare(*scores.T)
        assert (found.chi_square, found.p_value) == pytest.approx((known.statistic, known.pvalue))

    def test_iman_and_davenports_form_is_that_of_its_definition(self) -> None:
        found = friedman(ranks(np.random.default_rng(3).random((14, 4))))
        assert found.f == pytest.approx(13 * found.chi_square / (14 * 3 - found.chi_square))
        assert found.f_p_value == pytest.approx(scipy.stats.f.sf(found.f, 3, 39))

    def test_equal_scores_do_not_differ_and_one_order_everywhere_does(self) -> None:
        assert friedman(ranks(np.ones((6, 3)))).p_value == 1
        one_order = friedman(ranks(np.tile([0.1, 0.2, 0.3], (6, 1))))
        assert (one_order.chi_square, one_order.f_p_value) == (pytest.approx(12), 0)


@pytest.mark.parametrize(("k", "quantile"), [(2, 1.960), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_critical_difference_has_the_published_quantiles(k: int, quantile: float) -> None:
    assert critical_difference(k, 14) == pytest.approx(quantile * np.sqrt(k * (k + 1) / (6 * 14)), abs=1e-3)


class TestSignedRank:
    @pytest.mark.parametrize("n", [5, 6, 12, 30])
    def test_signed_rank_is_exact_as_scipys_without_equal_differences(self, n: int) -> None:
        first, second = np.random.default_rng(n).random((2, n))
        assert signed_rank(first, second) == pytest.approx(scipy.stats.wilcoxon(first, second, method="exact").pvalue)

    def test_signed_rank_counts_every_pattern_of_signs_if_differences_are_equal(self) -> None:
        differences = np.array([0.1, 0.1, 0.1, 0.2, 0.2, 0.3, -0.1, 0.0])
        of_size = scipy.stats.rankdata(np.abs(differences[:7]).round(3))
        signs = 1 - 2 * ((np.arange(2**7)[:, None] >> np.arange(7)) & 1)
        observed = abs((np.sign(differences[:7]) * of_size).sum())
        assert signed_rank(differences, np.zeros(8)) == pytest.approx((abs(signs @ of_size) >= observed - 1e-9).mean())

    def test_six_data_sets_are_needed_to_be_significant_at_five_per_cent(self) -> None:
        assert signed_rank(np.arange(1.0, 6.0), np.zeros(5)) == pytest.approx(0.0625)
        assert signed_rank(np.arange(1.0, 7.0), np.zeros(6)) == pytest.approx(0.03125)

    def test_equal_scores_do_not_differ(self) -> None:
        assert signed_rank(np.full(7, 0.3), np.full(7, 0.1 + 0.2)) == 1


def test_more_configurations_take_more_data_sets_until_two_can_differ() -> None:
    assert [fewest_for_a_pair(k, 0.05) for k in (2, 3, 4, 5, 10)] == [6, 6, 7, 8, 11]


class TestAdjustedForAllPairs:
    @pytest.mark.parametrize(
        ("k", "factors"), [(2, [1]), (3, [3, 1, 1]), (4, [6, 3, 3, 3, 2, 1]), (5, [10, 6, 6, 6, 6, 4, 4, 3, 2, 1])]
    )
    def test_adjusted_counts_the_hypotheses_that_can_be_true_together_as_published(
        self, k: int, factors: list[int]
    ) -> None:
        p_values = 1e-6 * 4.0 ** np.arange(len(factors))
        after_the_test_of_all = np.minimum(factors, max(1, (k - 1) * (k - 2) // 2))
        assert adjusted_for_all_pairs(p_values, k, 1e-9) == pytest.approx(p_values * after_the_test_of_all)

    def test_adjusted_is_at_least_the_test_of_all_and_else_at_most_holms(self) -> None:
        p_values = np.random.default_rng(0).random(15) ** 3
        assert (adjusted_for_all_pairs(p_values, 6, 0.0) <= holm(p_values)).all()
        assert adjusted_for_all_pairs(p_values, 6, 0.2).min() == 0.2

    def test_a_single_pair_needs_no_test_of_all(self) -> None:
        assert adjusted_for_all_pairs(np.array([0.03]), 2, 0.5).tolist() == [0.03]

    def test_a_p_value_that_is_missing_is_refused(self) -> None:
        with pytest.raises(ValueError, match="3 configurations have 3 pairs, got 2"):
            adjusted_for_all_pairs(np.array([0.1, 0.2]), 3, 0.0)


@pytest.mark.parametrize(("k", "n"), [(2, 6), (2, 20), (3, 6), (3, 8), (6, 10)])
def test_hardly_any_pair_differs_on_data_sets_of_different_difficulty_if_none_does(k: int, n: int) -> None:
    rng, claims, experiments = np.random.default_rng(7), 0, 200
    for _ in range(experiments):
        scores = (rng.normal(0.7, 0.15, (n, 1)) + rng.normal(0, 0.03, (n, k))).round(2)
        p_values = np.array([signed_rank(scores[:, a], scores[:, b]) for a, b in combinations(range(k), 2)])
        claims += bool(adjusted_for_all_pairs(p_values, k, friedman(ranks(scores)).p_value).min() <= 0.05)
    assert claims <= 0.05 * experiments + 2 * np.sqrt(experiments * 0.05 * 0.95)
