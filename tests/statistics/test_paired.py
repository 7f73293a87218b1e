from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from tracker.statistics import paired
from tracker.statistics.paired import (
    discordant,
    from_aggregates,
    grouped_difference,
    grouped_sign_flip,
    informative_groups,
    log_loss_difference,
    log_losses,
    mcnemar,
    mcnemar_many,
    mcnemar_mid_p,
    tango,
)
from tracker.statistics.proportions import two_sided_z

fixed = settings(derandomize=True, deadline=None, max_examples=100)
few = settings(derandomize=True, deadline=None, max_examples=25)
numbers = st.integers(0, 200)
answers = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)
nets = st.lists(st.integers(-4, 4), max_size=12)


def both(pairs: list[tuple[bool, bool]]) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.array(pairs, dtype=bool).reshape(-1, 2).T
    return a, b


class TestDiscordant:
    def test_discordant_counts_the_clips_that_only_one_has_right(self):
        assert discordant(*both([(True, False), (True, False), (False, True), (True, True), (False, False)])) == (2, 1)

    @fixed
    @given(answers)
    def test_trades_places_with_the_models(self, pairs):
        a, b = both(pairs)
        assert discordant(a, b) == discordant(b, a)[::-1]

    def test_discordant_refuses_different_clips(self):
        with pytest.raises(ValueError, match="the same clips"):
            discordant(np.array([True]), np.array([True, False]))


class TestMcnemar:
    def test_mcnemar_agrees_with_published_values(self, oracles):
        for case in oracles["mcnemar"]:
            assert mcnemar(case["b"], case["c"]) == pytest.approx(case["exact"], rel=1e-5)

    @fixed
    @given(numbers, numbers)
    def test_mcnemar_equals_statsmodels(self, b, c):
        expected = statsmodels_mcnemar([[0, b], [c, 0]], exact=True).pvalue if b + c else 1.0
        assert mcnemar(b, c) == pytest.approx(expected, rel=1e-9)

    @fixed
    @given(numbers, numbers)
    def test_mcnemar_is_the_binomial_test_on_the_discordant_clips(self, b, c):
        expected = binomtest(b, b + c).pvalue if b + c else 1.0
        assert mcnemar(b, c) == pytest.approx(expected, rel=1e-9)

    @fixed
    @given(answers, answers)
    def test_mcnemar_does_not_change_with_concordant_clips(self, pairs, more):
        concordant = [(one, one) for one, _ in more]
        assert mcnemar(*discordant(*both(pairs))) == mcnemar(*discordant(*both(pairs + concordant)))

    def test_mcnemar_of_no_discordant_clip_is_one(self):
        assert mcnemar(0, 0) == 1.0

    def test_mcnemar_says_that_nothing_beats_25_of_30(self):
        assert mcnemar(5, 0) == 0.0625

    def test_mcnemar_of_very_many_clips_stays_a_probability(self):
        assert 0 <= mcnemar(0, 100_000) < 1e-300
        assert mcnemar(100_000, 100_000) == 1.0

    def test_mcnemar_refuses_negative_counts(self):
        with pytest.raises(ValueError, match="at least 0"):
            mcnemar(-1, 3)


class TestMcnemarMidP:
    def test_mcnemar_mid_p_agrees_with_published_values(self, oracles):
        for case in oracles["mcnemar"]:
            assert mcnemar_mid_p(case["b"], case["c"]) == pytest.approx(case["mid_p"], rel=1e-5)

    @fixed
    @given(st.integers(1, 40), st.integers(1, 40))
    def test_mcnemar_mid_p_is_the_exact_p_less_half_the_chance_of_what_was_seen_on_either_side(self, b, more):
        c = b + more
        seen = float(binomtest(b, b + c).pvalue - binomtest(b - 1, b + c).pvalue)
        assert mcnemar_mid_p(b, c) == pytest.approx(mcnemar(b, c) - seen / 2, abs=1e-12)

    @fixed
    @given(numbers, numbers)
    def test_mcnemar_mid_p_is_at_most_the_exact_p_whichever_run_comes_first(self, b, c):
        assert mcnemar_mid_p(b, c) == mcnemar_mid_p(c, b) <= mcnemar(b, c)

    def test_mcnemar_mid_p_refuses_negative_counts(self):
        with pytest.raises(ValueError, match="at least 0"):
            mcnemar_mid_p(3, -1)


class TestMcnemarMany:
    def test_mcnemar_many_is_that_of_each_pair(self):
        b, c = np.array(list(product(range(25), repeat=2))).T
        expected = [mcnemar(int(i), int(j)) for i, j in zip(b, c, strict=True)]
        assert mcnemar_many(b, c).tolist() == expected

    def test_mcnemar_many_keeps_the_shape(self):
        b = np.arange(6).reshape(2, 3)
        assert mcnemar_many(b, b).tolist() == [[1.0] * 3] * 2

    def test_mcnemar_many_of_a_few_large_counts_is_the_same_as_of_many(self):
        b, c = np.array([400, 3]), np.array([420, 900])
        padded = mcnemar_many(np.tile(b, 100_000), np.tile(c, 100_000))
        assert np.array_equal(padded[:2], mcnemar_many(b, c))

    def test_mcnemar_many_of_nothing_is_nothing(self):
        assert mcnemar_many(np.array([], dtype=int), np.array([], dtype=int)).shape == (0,)

    def test_mcnemar_many_refuses_counts_that_do_not_pair(self):
        with pytest.raises(ValueError, match="in pairs"):
            mcnemar_many(np.array([1]), np.array([1, 2]))


class TestTango:
    def test_tango_agrees_with_published_values(self, oracles):
        for case in oracles["tango"]:
            assert tango(case["b"], case["c"], case["n"]) == pytest.approx(case["interval"], abs=5e-5)

    @pytest.mark.parametrize("n", [1, 30, 10_000])
    def test_tango_of_no_discordant_clip_is_z_squared_over_n_plus_z_squared(self, n):
        half = two_sided_z(0.95) ** 2 / (n + two_sided_z(0.95) ** 2)
        assert tango(0, 0, n) == pytest.approx((-half, half), abs=1e-12)

    def test_tango_of_all_clips_one_way_reaches_one(self):
        square = two_sided_z(0.95) ** 2
        assert tango(30, 0, 30) == pytest.approx(((30 - square) / (30 + square), 1.0), abs=1e-12)

    @fixed
    @given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.sampled_from([0.9, 0.95]))
    def test_tango_changes_sign_when_the_models_are_swapped(self, b, c, concordant, confidence):
        n = max(1, b + c + concordant)
        low, high = tango(b, c, n, confidence)
        assert tango(c, b, n, confidence) == pytest.approx((-high, -low), abs=1e-12)

    @fixed
    @given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
    def test_tango_holds_the_estimate_and_stays_between_minus_one_and_one(self, b, c, concordant):
        n = max(1, b + c + concordant)
        low, high = tango(b, c, n)
        assert -1 <= low <= (b - c) / n <= high <= 1

    @fixed
    @given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
    def test_tango_at_90_percent_lies_within_that_at_95(self, b, c, concordant):
        n = max(1, b + c + concordant)
        (low, high), (low_90, high_90) = tango(b, c, n), tango(b, c, n, 0.90)
        assert low <= low_90 <= high_90 <= high

    @pytest.mark.parametrize(("b", "c", "n"), [(0, 0, 0), (2, 2, 3), (-1, 0, 3)])
    def test_tango_refuses_counts_that_cannot_be(self, b, c, n):
        with pytest.raises(ValueError, match="among the n clips"):
            tango(b, c, n)


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


class TestFromAggregates:
    def test_from_aggregates_of_26_and_24_of_30_says_what_the_writeup_could_have_said(self):
        found = from_aggregates(26, 24, 30)
        assert found.p_range == (0.5, pytest.approx(0.75390625))
        assert found.p_value == found.p_range[1]
        assert found.estimate == pytest.approx(2 / 30)

    @few
    @given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n))))
    def test_from_aggregates_goes_through_every_pairing(self, counts):
        correct_a, correct_b, n = counts
        pairings = [(correct_a - both_right, correct_b - both_right) for both_right in range(n + 1)]
        pairings = [(b, c) for b, c in pairings if b >= 0 and c >= 0 and correct_a + c <= n]
        found = from_aggregates(correct_a, correct_b, n)
        p_values = [mcnemar(b, c) for b, c in pairings]
        assert found.p_range == (min(p_values), max(p_values))
        for confidence, interval in ((0.95, found.interval), (0.90, found.interval_90)):
            ends = [tango(b, c, n, confidence) for b, c in pairings]
            assert interval == (min(low for low, _ in ends), max(high for _, high in ends))

    @few
    @given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n))))
    def test_from_aggregates_changes_sign_when_the_models_are_swapped(self, counts):
        correct_a, correct_b, n = counts
        one, other = from_aggregates(correct_a, correct_b, n), from_aggregates(correct_b, correct_a, n)
        assert one.estimate == -other.estimate
        assert one.p_range == other.p_range
        assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]), abs=1e-12)

    def test_from_aggregates_of_perfect_models_leaves_one_pairing(self):
        found = from_aggregates(30, 30, 30)
        assert found.p_range == (1.0, 1.0)
        assert found.interval == tango(0, 0, 30)

    def test_from_aggregates_reaches_as_far_as_the_farthest_pairing(self):
        found = from_aggregates(990, 989, 1_000)
        widest = max(tango(b, b - 1, 1_000, 0.90)[1] for b in range(1, 12))
        assert found.interval_90[1] == widest

    def test_from_aggregates_of_a_billion_clips_tries_the_fewest_and_the_most_pairings(self):
        n = 10**9
        found = from_aggregates(n // 2 + 50_000, n // 2, n)
        assert found.p_range == (pytest.approx(mcnemar(50_000, 0)), pytest.approx(mcnemar(n // 2, n // 2 - 50_000)))
        assert found.interval == pytest.approx(tango(n // 2, n // 2 - 50_000, n))

    @pytest.mark.parametrize("counts", [(0, 0, 0), (4, 1, 3), (1, -1, 3)])
    def test_from_aggregates_refuses_counts_that_cannot_be(self, counts):
        with pytest.raises(ValueError, match="counts must be"):
            from_aggregates(*counts)


class TestLogLosses:
    def test_log_losses_are_minus_the_logarithm(self):
        assert log_losses(np.array([1.0, 0.5])) == pytest.approx([0.0, np.log(2)])

    def test_log_losses_stop_at_the_floor(self):
        assert log_losses(np.array([0.0, 1e-30])) == pytest.approx([-np.log(paired.PROBABILITY_FLOOR)] * 2)


class TestLogLossDifference:
    losses = np.random.default_rng(7).exponential(size=(2, 40))

    def test_log_loss_difference_is_a_minus_b(self):
        found = log_loss_difference(*self.losses, seed=0)
        assert found.estimate == pytest.approx(float((self.losses[0] - self.losses[1]).mean()))
        assert found.interval is not None
        assert found.interval[0] < found.estimate < found.interval[1]

    def test_log_loss_difference_is_the_same_under_the_same_seed(self):
        assert log_loss_difference(*self.losses, seed=3) == log_loss_difference(*self.losses, seed=3)

    def test_log_loss_difference_finds_a_steady_difference(self):
        noise = np.random.default_rng(1).normal(0, 0.1, 40)
        found = log_loss_difference(self.losses[0] + 0.2 + noise, self.losses[0], seed=0)
        assert found.p_value == pytest.approx(1 / 5_000)
        assert found.interval is not None
        assert found.interval[0] > 0.1

    def test_log_loss_difference_of_equal_losses_is_one_without_an_interval(self):
        found = log_loss_difference(self.losses[0], self.losses[0], seed=0)
        assert (found.estimate, found.p_value, found.interval) == (0.0, 1.0, None)

    def test_log_loss_difference_of_one_clip_has_no_interval(self):
        found = log_loss_difference(np.array([1.0]), np.array([0.5]), seed=0)
        assert (found.p_value, found.interval) == (1.0, None)

    def test_log_loss_difference_with_groups_of_one_is_that_without_groups(self):
        alone = log_loss_difference(*self.losses, seed=0, groups=list(range(40)))
        assert alone == log_loss_difference(*self.losses, seed=0)

    def test_log_loss_difference_of_copied_clips_needs_their_group_to_stay_honest(self):
        copied = np.repeat(self.losses, 5, axis=1)
        groups = np.repeat(np.arange(40), 5)
        honest = log_loss_difference(*copied, seed=0, groups=groups)
        assert honest.interval == pytest.approx(log_loss_difference(*self.losses, seed=0).interval)
        assert honest.p_value > log_loss_difference(*copied, seed=0).p_value

    def test_log_loss_difference_refuses_different_clips(self):
        with pytest.raises(ValueError, match="the same clips"):
            log_loss_difference(np.ones(2), np.ones(3), seed=0)


class TestGroupedDifference:
    def test_groups_of_one_give_the_mean_with_its_standard_error(self) -> None:
        values = np.array([1.0, 0, 0, -1, 1, 1])
        found = grouped_difference(values, np.arange(6))
        assert found.estimate == pytest.approx(values.mean())
        assert found.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(6))
        assert found.df == 5

    def test_clips_of_a_group_that_go_together_count_once(self) -> None:
        values = np.array([1.0, 0, 0, -1, 1, 1])
        once, thrice = (grouped_difference(np.repeat(values, k), np.repeat(np.arange(6), k)) for k in (1, 3))
        assert thrice.standard_error == pytest.approx(once.standard_error)

    def test_unequal_groups_count_as_fewer(self) -> None:
        codes = np.repeat(np.arange(6), [10, 1, 1, 1, 1, 1])
        found = grouped_difference(np.resize([1.0, 0, 0, -1], 15), codes)
        assert found.df == pytest.approx(15**2 / 105 - 1)

    def test_one_group_gives_a_wide_interval(self) -> None:
        found = grouped_difference(np.array([1.0, 0, 1]), np.zeros(3, dtype=np.int64))
        assert found.interval[1] - found.interval[0] > 1
