from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.statistics.error_rates import approximate_clips, detectable_difference
from tracker.statistics.grouped import (
    MOST_ENUMERATED,
    MOST_SIMULATED,
    approximate_grouped_clips,
    design_effect,
    detectable_grouped_difference,
    difference_correlation,
    fewest_groups,
    grouped_sign_flip,
    informative_groups,
    sign_flip_interval,
    sign_flip_many,
    sign_flip_power,
)
from tracker.statistics.paired import discordant, mcnemar, tango

fixed = settings(derandomize=True, deadline=None, max_examples=100)
answers = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)
nets = st.lists(st.integers(-4, 4), max_size=12)
grouped = st.lists(
    st.integers(1, 5).flatmap(lambda m: st.tuples(st.integers(-m, m), st.just(m))), min_size=2, max_size=20
)


def both(pairs: list[tuple[bool, bool]]) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.array(pairs, dtype=bool).reshape(-1, 2).T
    return a, b


class TestGroupedSignFlip:
    @fixed
    @given(nets)
    def test_grouped_sign_flip_is_the_share_of_all_sign_patterns_that_are_as_extreme(self, net):
        sums = [sum(s * d for s, d in zip(signs, net, strict=True)) for signs in product((1, -1), repeat=len(net))]
        expected = np.mean([abs(total) >= abs(sum(net)) for total in sums])
        assert grouped_sign_flip(np.array(net, dtype=int)) == pytest.approx(expected, rel=1e-12)

    @fixed
    @given(answers)
    def test_grouped_sign_flip_with_groups_of_one_is_exact_mcnemar(self, pairs):
        a, b = both(pairs)
        net = a.astype(np.int64) - b
        assert grouped_sign_flip(net) == pytest.approx(mcnemar(*discordant(a, b)), rel=1e-12)

    @fixed
    @given(nets, st.randoms())
    def test_grouped_sign_flip_does_not_depend_on_the_order_or_the_direction(self, net, random):
        shuffled = [-d for d in random.sample(net, len(net))]
        p_values = [grouped_sign_flip(np.array(values, dtype=int)) for values in (net, shuffled)]
        assert p_values[0] == pytest.approx(p_values[1], rel=1e-12)

    @fixed
    @given(nets)
    def test_grouped_sign_flip_takes_no_notice_of_groups_without_a_difference(self, net):
        assert grouped_sign_flip(np.array([*net, 0, 0], dtype=int)) == grouped_sign_flip(np.array(net, dtype=int))

    def test_grouped_sign_flip_of_nothing_is_one(self):
        assert grouped_sign_flip(np.array([], dtype=int)) == 1.0

    def test_grouped_sign_flip_of_many_groups_one_way_is_two_in_two_to_the_number(self):
        assert grouped_sign_flip(np.full(40, 3)) == 2.0**-39

    @fixed
    @given(nets)
    def test_grouped_sign_flip_decides_nothing_under_six_informative_groups(self, net):
        values = np.array(net, dtype=int)
        assert informative_groups(values) >= 6 or grouped_sign_flip(values) > 0.05

    def test_grouped_sign_flip_is_weaker_than_mcnemar_where_the_differences_come_in_one_group(self):
        assert grouped_sign_flip(np.array([10, 1, 1])) == 0.25 > mcnemar(12, 0)


class TestInformativeGroups:
    def test_informative_groups_are_those_with_a_net_difference(self):
        assert informative_groups(np.array([2, 0, -1, 0])) == 2


class TestFewestGroups:
    @pytest.mark.parametrize(("alpha", "fewest"), [(0.01, 8), (0.05, 6), (0.0625, 5), (0.1, 5), (0.5, 2)])
    def test_fewest_groups_are_so_many_that_the_test_can_reject(self, alpha, fewest):
        assert fewest_groups(alpha) == fewest
        assert grouped_sign_flip(np.ones(fewest, int)) <= alpha < grouped_sign_flip(np.ones(fewest - 1, int))


class TestSignFlipInterval:
    def test_sign_flip_interval_has_the_differences_that_the_test_does_not_reject(self):
        net, sizes = np.array([3, 1, 2, -1, 2, 0, 3, 1]), np.full(8, 4)
        low, high = sign_flip_interval(net, sizes, grouped_sign_flip(net))

        def p_value(difference: float) -> float:
            apart = net - difference * sizes
            sums = [abs(np.dot(signs, apart)) for signs in product((1, -1), repeat=8)]
            return float(np.mean(np.array(sums) >= abs(apart.sum()) - 1e-9))

        assert p_value(low + 1e-6) > 0.05 >= p_value(low - 1e-6)
        assert p_value(high - 1e-6) > 0.05 >= p_value(high + 1e-6)

    @fixed
    @given(grouped, st.sampled_from([0.90, 0.95]))
    def test_sign_flip_interval_excludes_0_only_if_the_test_does(self, groups, confidence):
        net, sizes = np.array(groups).T
        p_value = grouped_sign_flip(net)
        low, high = sign_flip_interval(net, sizes, p_value, confidence)
        assert (low < 0 < high) <= (p_value > 1 - confidence) <= (low <= 0 <= high)
        assert -1 <= low <= net.sum() / sizes.sum() <= high <= 1

    @fixed
    @given(grouped)
    def test_sign_flip_interval_is_no_narrower_than_if_clips_were_independent(self, groups):
        net, sizes = np.array(groups).T
        p_value = grouped_sign_flip(net)
        low, high = sign_flip_interval(net, sizes, p_value)
        alone = tango(int(net[net > 0].sum()), int(-net[net < 0].sum()), int(sizes.sum()))
        assert low <= max(alone[0], 0.0)
        assert high >= min(alone[1], 0.0)

    def test_sign_flip_interval_of_five_groups_says_nothing(self):
        net = np.array([3, 3, 2, 3, 3])
        assert sign_flip_interval(net, np.full(5, 3), grouped_sign_flip(net)) == (-1.0, 1.0)

    def test_sign_flip_interval_of_groups_that_agree_counts_groups(self):
        found = sign_flip_interval(np.zeros(10, int), np.full(10, 3), 1.0)
        assert found == pytest.approx(tango(0, 0, 10))

    def test_sign_flip_interval_hardly_changes_where_its_normal_limit_begins(self):
        rng = np.random.default_rng(0)
        net, sizes = rng.integers(-2, 5, MOST_ENUMERATED + 1), np.full(MOST_ENUMERATED + 1, 6)
        limit = sign_flip_interval(net, sizes, grouped_sign_flip(net))
        exact = sign_flip_interval(net[:-1], sizes[:-1], grouped_sign_flip(net[:-1]))
        assert limit == pytest.approx(exact, abs=0.06)

    @pytest.mark.parametrize(("groups", "size"), [(10, 3), (20, 5), (30, 10)])
    def test_sign_flip_interval_holds_the_difference_as_often_as_it_says(self, groups, size):
        rng, covered = np.random.default_rng(3), []
        sizes = np.full(groups, size)
        for _ in range(400):
            common, own = rng.random((groups, 1)), rng.random((groups, size))
            drawn = np.where(rng.random((groups, size)) < 0.5, common, own)
            net = ((drawn < 0.25).astype(int) - (drawn > 0.85)).sum(axis=1)
            low, high = sign_flip_interval(net, sizes, grouped_sign_flip(net))
            covered.append(low <= 0.1 <= high)
        assert np.mean(covered) >= 0.93


class TestSignFlipMany:
    @pytest.mark.parametrize("most", [1, 3, 10])
    def test_sign_flip_many_is_that_of_each_row(self, most):
        rows = np.random.default_rng(most).integers(-most, most + 1, (40, 9))
        assert sign_flip_many(rows) == pytest.approx([grouped_sign_flip(row) for row in rows], abs=1e-12)

    def test_sign_flip_many_of_no_differences_is_one(self):
        assert sign_flip_many(np.zeros((2, 3), int)).tolist() == [1.0, 1.0]


class TestDifferenceCorrelation:
    codes = np.repeat(np.arange(10), 3)

    def test_difference_correlation_of_groups_that_go_together_is_one(self):
        a = np.repeat(np.arange(10) < 4, 3)
        assert difference_correlation(np.array([a, ~a]), self.codes) == pytest.approx(1)

    def test_difference_correlation_of_clips_that_do_not_is_about_nothing(self):
        correct = np.random.default_rng(0).random((2, 3_000)) < 0.7
        assert difference_correlation(correct, np.repeat(np.arange(1_000), 3)) < 0.05

    def test_difference_correlation_finds_the_one_that_was_drawn(self):
        rng = np.random.default_rng(1)
        common, own = np.repeat(rng.random((2, 2_000)), 5, axis=1), rng.random((2, 10_000))
        correct = np.where(rng.random(10_000) < 0.3**0.5, common, own) < 0.7
        assert difference_correlation(correct, np.repeat(np.arange(2_000), 5)) == pytest.approx(0.3, abs=0.03)

    def test_difference_correlation_does_not_depend_on_the_order_of_models(self):
        correct = np.random.default_rng(2).random((4, 30)) < 0.7
        one, other = difference_correlation(correct, self.codes), difference_correlation(correct[::-1], self.codes)
        assert one == pytest.approx(other)

    def test_difference_correlation_that_cannot_be_estimated_is_one(self):
        same = np.ones((2, 30), bool)
        assert difference_correlation(same, self.codes) == 1
        assert difference_correlation(same, np.zeros(30, int)) == 1


class TestSignFlipPower:
    def test_sign_flip_power_of_35_points_in_ten_groups_of_three_falls_with_the_correlation(self):
        # simulated by hand: 0.90 for independent clips, 0.70 for a correlation of 0.23, 0.55 if some go the other way
        sizes = np.full(10, 3)
        assert sign_flip_power(sizes, 0.35, 0.35, 0.0) == pytest.approx(0.89, abs=0.03)
        assert sign_flip_power(sizes, 0.35, 0.35, 0.23) == pytest.approx(0.71, abs=0.04)
        assert sign_flip_power(sizes, 0.35, 0.45, 0.23) == pytest.approx(0.57, abs=0.04)

    @pytest.mark.parametrize("correlation", [0.0, 0.5])
    def test_sign_flip_power_of_no_difference_is_at_most_alpha(self, correlation):
        assert sign_flip_power(np.full(20, 4), 0.0, 0.4, correlation) <= 0.06

    def test_sign_flip_power_of_five_groups_is_nothing_at_5_percent_and_all_at_10(self):
        assert sign_flip_power(np.full(5, 4), 1.0, 1.0, 0.0) == 0.0
        assert sign_flip_power(np.full(5, 4), 1.0, 1.0, 0.0, alpha=0.1) == 1.0

    def test_sign_flip_power_is_the_same_each_time_and_in_either_direction(self):
        sizes = np.array([1, 2, 3, 4, 5, 6, 7, 8])
        found = sign_flip_power(sizes, 0.3, 0.4, 0.2)
        assert found == sign_flip_power(sizes, 0.3, 0.4, 0.2) == sign_flip_power(sizes, -0.3, 0.4, 0.2)

    @pytest.mark.parametrize("correlation", [0.0, 0.3])
    def test_sign_flip_power_hardly_changes_where_it_is_not_simulated(self, correlation):
        groups = MOST_SIMULATED // 5
        simulated, formula = (sign_flip_power(np.full(groups + g, 5), 0.06, 0.2, correlation) for g in (0, 1))
        assert formula == pytest.approx(simulated, abs=0.06)

    def test_sign_flip_power_refuses_what_cannot_be(self):
        with pytest.raises(ValueError, match="correlation must be"):
            sign_flip_power(np.array([3]), 0.1, 0.2, 1.5)
        with pytest.raises(ValueError, match="at least one group"):
            sign_flip_power(np.array([], int), 0.1, 0.2, 0.5)


class TestDetectableGroupedDifference:
    def test_detectable_grouped_difference_is_found_four_times_in_five(self):
        sizes = np.full(10, 3)
        found = detectable_grouped_difference(sizes, 0.07, 0.23)
        assert found == pytest.approx(0.38, abs=0.02)
        assert sign_flip_power(sizes, found, 0.07, 0.23) >= 0.8 > sign_flip_power(sizes, found - 0.01, 0.07, 0.23)

    def test_detectable_grouped_difference_of_few_groups_does_not_exist(self):
        assert detectable_grouped_difference(np.full(5, 20), 0.2, 0.1) is None

    def test_detectable_grouped_difference_of_many_clips_is_that_of_what_they_are_worth(self):
        sizes = np.full(400, 5)
        assert detectable_grouped_difference(sizes, 0.2, 0.25) == detectable_difference(1_000, 0.2)


class TestApproximateGroupedClips:
    def test_approximate_grouped_clips_count_a_group_for_less(self):
        sizes = np.full(10, 3)
        assert approximate_grouped_clips(sizes, 0.05, 0.2, 0.0) == approximate_clips(0.05, 0.2)
        assert design_effect(sizes, 0.5) == 2
        assert approximate_grouped_clips(sizes, 0.05, 0.2, 0.5) == 2 * approximate_clips(0.05, 0.2)

    def test_approximate_grouped_clips_are_about_as_many_as_the_test_needs(self):
        clips = approximate_grouped_clips(np.full(10, 3), 0.12, 0.2, 0.3)
        assert sign_flip_power(np.full(round(clips / 3), 3), 0.12, 0.2, 0.3) == pytest.approx(0.8, abs=0.05)
