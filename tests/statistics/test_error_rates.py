from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lazy import Lazy
from tracker.statistics.error_rates import (
    MOST_EXACT,
    approximate_clips,
    clips_needed,
    detectable_difference,
    holm,
    is_best,
    unconditional_power,
)
from tracker.statistics.paired import unconditional, unconditional_many

multinomial = Lazy("scipy.stats", "multinomial")
multipletests = Lazy("statsmodels.stats.multitest", "multipletests")

fixed = settings(derandomize=True, deadline=None, max_examples=60)
many = settings(derandomize=True, deadline=None, max_examples=100)
few = settings(derandomize=True, deadline=None, max_examples=5)  # statsmodels collects garbage at every call
families = st.lists(st.floats(0, 1), min_size=1, max_size=30)
truths = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(lambda pair: (min(pair), max(pair)))


class TestHolm:
    def test_holm_agrees_with_the_worked_example(self, oracles):
        for case in oracles["holm"]:
            assert holm(np.array(case["p_values"])) == pytest.approx(case["adjusted"])

    @few
    @given(families)
    def test_holm_equals_statsmodels(self, p_values):
        expected = multipletests(p_values, method="holm")[1]
        assert holm(np.array(p_values)) == pytest.approx(expected, abs=1e-12)

    @many
    @given(families, st.integers(0, 30))
    def test_holm_counts_what_was_not_computed_as_one(self, p_values, uncomputed):
        whole = holm(np.array(p_values + [1.0] * uncomputed))
        assert np.array_equal(holm(np.array(p_values), len(p_values) + uncomputed), whole[: len(p_values)])

    @many
    @given(families, st.randoms())
    def test_holm_does_not_depend_on_the_order(self, p_values, random):
        order = random.sample(range(len(p_values)), len(p_values))
        adjusted = holm(np.array(p_values))
        assert np.array_equal(holm(np.array(p_values)[order]), adjusted[order])

    @many
    @given(families)
    def test_holm_never_lowers_a_p_value_and_never_passes_one(self, p_values):
        adjusted = holm(np.array(p_values))
        assert np.all((adjusted >= p_values) & (adjusted <= 1))

    def test_holm_gives_equal_p_values_equal_answers(self):
        assert holm(np.array([0.01, 0.01, 0.5])).tolist() == pytest.approx([0.03, 0.03, 0.5])

    def test_holm_of_a_single_test_changes_nothing(self):
        assert holm(np.array([0.04])).tolist() == [0.04]

    def test_holm_of_nothing_is_nothing(self):
        assert holm(np.array([]), 10).shape == (0,)

    def test_holm_refuses_a_family_smaller_than_its_tests(self):
        with pytest.raises(ValueError, match="at least as many tests as p-values"):
            holm(np.array([0.1, 0.2]), 1)

    @pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
    def test_holm_refuses_what_is_no_p_value(self, wrong):
        with pytest.raises(ValueError, match="from 0 to 1"):
            holm(np.array([0.5, wrong]))


class TestIsBest:
    def test_is_best_needs_every_test_to_reject(self):
        assert is_best(np.array([0.05, 0.001]))
        assert not is_best(np.array([0.051, 0.001]))

    def test_is_best_follows_alpha(self):
        assert is_best(np.array([0.09]), alpha=0.1)

    def test_is_best_is_false_without_another_run(self):
        assert not is_best(np.array([]))

    def test_is_best_names_a_wrong_best_among_equals_in_at_most_one_experiment_in_twenty(self):
        rng = np.random.default_rng(3)
        named = 0
        for _ in range(800):
            right = rng.random((5, 200)) < 0.8
            best = right.sum(axis=1).argmax()
            others = np.delete(right, best, axis=0)
            ahead, behind = (right[best] & ~others).sum(axis=1), (others & ~right[best]).sum(axis=1)
            p_values = unconditional_many(ahead, behind, 200)
            named += is_best(p_values)
        assert named / 800 <= 0.05


class TestUnconditionalPower:
    @fixed
    @given(st.integers(1, 20), truths, st.sampled_from([0.01, 0.05, 0.2]))
    def test_unconditional_power_is_the_chance_of_the_tables_that_the_test_rejects(self, n, truth, alpha):
        difference, discordance = truth
        b, c = np.array([(b, c) for b in range(n + 1) for c in range(n + 1 - b)]).T
        shares = [(discordance + difference) / 2, (discordance - difference) / 2, 1 - discordance]
        chances = multinomial.pmf(np.stack([b, c, n - b - c], axis=1), n, shares)
        expected = chances[unconditional_many(b, c, n) <= alpha].sum()
        assert unconditional_power(n, difference, discordance, alpha) == pytest.approx(expected, abs=1e-9)

    @fixed
    @given(st.integers(1, 300), truths)
    def test_unconditional_power_is_the_same_for_either_direction(self, n, truth):
        assert unconditional_power(n, truth[0], truth[1]) == unconditional_power(n, -truth[0], truth[1])

    @fixed
    @given(st.integers(1, 300), st.floats(0, 1))
    def test_unconditional_power_of_no_difference_is_at_most_alpha(self, n, discordance):
        assert unconditional_power(n, 0.0, discordance) <= 0.05 + 1e-5  # a worst case between those tried

    def test_unconditional_power_of_20_points_on_30_clips_is_40_to_88_percent(self):
        assert unconditional_power(30, 0.2, 0.4) == pytest.approx(0.397, abs=0.002)
        assert unconditional_power(30, 0.2, 0.2) == pytest.approx(0.877, abs=0.002)

    def test_under_six_clips_is_nothing(self):
        assert unconditional_power(5, 1.0, 1.0) == 0.0

    def test_unconditional_power_without_discordance_is_nothing(self):
        assert unconditional_power(30, 0.0, 0.0) == 0.0

    def test_unconditional_power_takes_a_difference_for_the_least_discordance(self):
        assert unconditional_power(30, 0.2, 0.1) == unconditional_power(30, 0.2, 0.2)

    def test_unconditional_power_of_very_many_clips_is_near_the_normal_approximation(self):
        n = approximate_clips(0.001, 0.3)
        assert n > 1_000_000
        assert unconditional_power(n, 0.001, 0.3) == pytest.approx(0.8, abs=0.005)

    @pytest.mark.parametrize("wrong", [(0, 0.1, 0.2), (30, 1.1, 0.2), (30, 0.1, -0.1), (30, 0.1, 1.1)])
    def test_unconditional_power_refuses_what_cannot_be(self, wrong):
        with pytest.raises(ValueError, match="got"):
            unconditional_power(*wrong)

    @pytest.mark.parametrize("alpha", [0.0, 1.0])
    def test_unconditional_power_refuses_an_alpha_out_of_its_range(self, alpha):
        with pytest.raises(ValueError, match="alpha must be"):
            unconditional_power(30, 0.1, 0.2, alpha)


class TestDetectableDifference:
    def test_on_30_clips_is_18_to_31_points(self):
        assert detectable_difference(30, 0.0) == pytest.approx(0.176, abs=0.001)
        assert detectable_difference(30, 0.42) == pytest.approx(0.310, abs=0.001)

    @fixed
    @given(st.integers(6, 500), st.floats(0, 1), st.sampled_from([0.5, 0.8, 0.9]))
    def test_detectable_difference_is_found_that_often_and_a_smaller_one_is_not(self, n, discordance, power):
        found = detectable_difference(n, discordance, power)
        if found is None:
            assert unconditional_power(n, 1.0, discordance) < power
        else:
            assert (
                unconditional_power(n, found, discordance) >= power > unconditional_power(n, found - 2e-5, discordance)
            )

    @pytest.mark.parametrize("discordance", [0.05, 0.1, 0.4])
    def test_detectable_difference_above_the_most_exact_clips_follows_the_exact_one(self, discordance):
        exact, approximate = (detectable_difference(MOST_EXACT + more, discordance) for more in (0, 1))
        assert approximate == pytest.approx(exact, rel=0.02)
        assert detectable_difference(10**9, discordance) <= exact / 10

    def test_under_six_clips_does_not_exist(self):
        assert detectable_difference(5, 0.2) is None

    def test_detectable_difference_refuses_a_power_out_of_its_range(self):
        with pytest.raises(ValueError, match="power must be"):
            detectable_difference(30, 0.2, power=1.0)


class TestClipsNeeded:
    def test_clips_needed_for_one_clip_in_thirty_are_about_160_to_2100(self):
        assert clips_needed(1 / 30, 0.0) == pytest.approx(169, abs=5)
        assert clips_needed(1 / 30, 0.3) == pytest.approx(2_117, abs=50)

    @fixed
    @given(st.floats(0.15, 1), st.floats(0, 0.6), st.sampled_from([0.5, 0.8, 0.95]))
    def test_clips_needed_reach_the_power_that_one_less_does_not(self, difference, discordance, power):
        n = clips_needed(difference, discordance, power)
        assert unconditional_power(n, difference, discordance) >= power - 0.02
        assert n == 1 or unconditional_power(n - 1, difference, discordance) < power + 0.02

    def test_clips_needed_are_near_the_normal_approximation_where_they_are_many(self):
        assert clips_needed(0.02, 0.2) == pytest.approx(approximate_clips(0.02, 0.2), rel=0.05)

    def test_above_the_most_exact_are_the_normal_approximation(self):
        assert clips_needed(0.04, 0.3) == approximate_clips(0.04, 0.3) > MOST_EXACT
        assert unconditional_power(approximate_clips(0.04, 0.3), 0.04, 0.3) == pytest.approx(0.8, abs=0.005)

    def test_clips_needed_of_a_sure_difference_are_six(self):
        assert clips_needed(1.0, 1.0) == 6

    def test_clips_needed_are_the_same_for_either_direction(self):
        assert clips_needed(-0.1, 0.2) == clips_needed(0.1, 0.2)

    def test_clips_needed_for_no_difference_do_not_exist(self):
        with pytest.raises(ValueError, match="difference must not be 0"):
            clips_needed(0.0, 0.2)


class TestApproximateClips:
    def test_approximate_clips_follow_connors_formula(self):
        z_alpha, z_power = 1.959963984540054, 0.8416212335729143
        expected = (z_alpha * 0.3**0.5 + z_power * (0.3 - 0.1**2) ** 0.5) ** 2 / 0.1**2
        assert approximate_clips(0.1, 0.3) == np.ceil(expected)


def test_the_power_at_the_edge_of_alpha_is_that_of_the_test_itself():
    assert unconditional(5, 0, 5) == 0.0625
    assert unconditional_power(5, 1.0, 1.0, alpha=0.0625) == 1.0
