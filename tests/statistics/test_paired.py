from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lazy import Lazy
from tracker.statistics import paired
from tracker.statistics.paired import (
    MOST_EXPECTED,
    agreeing,
    critical_score,
    discordant,
    from_aggregates,
    log_loss_difference,
    log_losses,
    mcnemar,
    mcnemar_mid_p,
    paired_interval,
    tango,
    unconditional,
    unconditional_many,
)
from tracker.statistics.proportions import two_sided_z

binomtest = Lazy("scipy.stats", "binomtest")
multinomial = Lazy("scipy.stats", "multinomial")
statsmodels_mcnemar = Lazy("statsmodels.stats.contingency_tables", "mcnemar")

fixed = settings(derandomize=True, deadline=None, max_examples=100)
few = settings(derandomize=True, deadline=None, max_examples=25)
numbers = st.integers(0, 200)
answers = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)
tables = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60)).filter(sum)


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


class TestUnconditional:
    def test_unconditional_agrees_with_a_published_value(self):
        # 8 of 21 children: Bentur et al. as in Fagerland, Lydersen and Laake (2013), doi:10.1186/1471-2288-13-91
        assert unconditional(1, 7, 21) == pytest.approx(0.0353, abs=5e-5)

    @pytest.mark.parametrize("n", [1, 5, 8, 13])
    def test_unconditional_agrees_with_every_table_counted_one_by_one(self, n):
        b, c = np.array([(b, c) for b in range(n + 1) for c in range(n + 1 - b)]).T
        frequencies = np.linspace(0, 1, 2_001)
        shares = np.stack([frequencies / 2, frequencies / 2, 1 - frequencies], axis=1)
        chances = multinomial.pmf(np.stack([b, c, n - b - c], axis=1)[np.newaxis], n, shares[:, np.newaxis])
        scores = np.abs(b - c) / np.sqrt(np.maximum(b + c, 1))
        for i in range(len(b)):
            expected = chances[:, scores >= scores[i] - 1e-9].sum(axis=1).max()
            assert unconditional(int(b[i]), int(c[i]), n) == pytest.approx(expected, rel=2e-4)

    @pytest.mark.parametrize("n", [20, 30, 100, 300])
    def test_unconditional_holds_its_level_for_any_share_of_discordant_clips(self, n):
        b, c = np.array([(b, c) for b in range(n + 1) for c in range(n + 1 - b)]).T
        rejected = unconditional_many(b, c, n) <= 0.05
        for frequency in np.linspace(0.013, 0.991, 40):
            chances = multinomial.pmf(np.stack([b, c, n - b - c], axis=1), n, [frequency / 2] * 2 + [1 - frequency])
            assert chances[rejected].sum() <= 0.05 + 1e-5

    def test_unconditional_finds_more_than_mcnemar(self):
        assert unconditional(5, 0, 30) == pytest.approx(0.0262, abs=1e-4)
        assert mcnemar(5, 0) > 0.05

    def test_unconditional_of_no_discordant_clip_or_as_many_either_way_is_one(self):
        assert (unconditional(0, 0, 30), unconditional(4, 4, 30)) == (1.0, 1.0)

    @fixed
    @given(tables)
    def test_unconditional_does_not_depend_on_the_direction(self, table):
        b, c, concordant = table
        assert unconditional(b, c, b + c + concordant) == unconditional(c, b, b + c + concordant)

    @fixed
    @given(tables)
    def test_unconditional_of_all_clips_discordant_is_at_least_mcnemar(self, table):
        b, c, _ = table
        assert b + c == 0 or unconditional(b, c, b + c) >= mcnemar(b, c) - 1e-12

    def test_unconditional_hardly_changes_where_its_normal_limit_begins(self):
        exact, limit = (unconditional(70, 40, MOST_EXPECTED + more) for more in (0, 1))
        assert limit == pytest.approx(exact, rel=0.01)
        assert unconditional(70, 40, 10**6) == pytest.approx(exact, rel=0.03)

    def test_unconditional_of_very_many_clips_stays_a_probability(self):
        assert 0 <= unconditional(0, 100_000, 200_000) < 1e-300

    def test_unconditional_many_is_that_of_each_pair(self):
        b, c = np.array([0, 3, 3, 12, 0, 7]), np.array([0, 5, 1, 2, 9, 7])
        expected = [unconditional(int(i), int(j), 40) for i, j in zip(b, c, strict=True)]
        assert unconditional_many(b, c, 40).tolist() == pytest.approx(expected, rel=1e-12)

    def test_unconditional_many_of_nothing_is_nothing(self):
        assert unconditional_many(np.array([], dtype=int), np.array([], dtype=int), 3).shape == (0,)

    @pytest.mark.parametrize("counts", [(-1, 3, 10), (3, 4, 6), (0, 0, 0)])
    def test_unconditional_refuses_counts_that_cannot_be(self, counts):
        with pytest.raises(ValueError, match="discordant clips must be"):
            unconditional(*counts)


class TestCriticalScore:
    @pytest.mark.parametrize("n", [6, 17, 30, 100])
    @pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1])
    def test_critical_score_parts_the_tables_that_the_test_rejects_from_the_others(self, n, alpha):
        b, c = np.array([(b, c) for b in range(n + 1) for c in range(n + 1 - b) if b + c]).T
        critical = critical_score(n, alpha)
        beyond = np.zeros(len(b), bool) if critical is None else np.abs(b - c) / np.sqrt(b + c) >= critical
        assert np.array_equal(unconditional_many(b, c, n) <= alpha, beyond)

    def test_critical_score_of_five_clips_does_not_exist(self):
        assert critical_score(5) is None


class TestPairedInterval:
    @fixed
    @given(tables, st.sampled_from([0.90, 0.95]))
    def test_paired_interval_excludes_0_only_if_the_test_does(self, table, confidence):
        b, c, concordant = table
        n = b + c + concordant
        low, high = paired_interval(b, c, n, confidence)
        assert (low < 0 < high) <= (unconditional(b, c, n) > 1 - confidence) <= (low <= 0 <= high)

    def test_paired_interval_is_tangos_if_that_agrees_with_the_test(self):
        assert paired_interval(3, 2, 30) == tango(3, 2, 30)

    def test_paired_interval_ends_at_0_if_tangos_lies_beside_it_and_the_test_is_not_significant(self):
        assert tango(5, 0, 20, 0.99)[0] < 0 < tango(4, 0, 60)[0]
        assert unconditional(4, 0, 60) > 0.05
        assert paired_interval(4, 0, 60)[0] == 0


class TestAgreeing:
    def test_agreeing_moves_the_end_that_is_on_the_wrong_side_of_0(self):
        assert agreeing((0.01, 0.3), 0.1, 0.06) == (0.0, 0.3)
        assert agreeing((-0.3, -0.01), -0.1, 0.06) == (-0.3, 0.0)
        assert agreeing((-0.01, 0.3), 0.1, 0.05) == (0.0, 0.3)
        assert agreeing((-0.3, 0.01), -0.1, 0.04) == (-0.3, 0.0)

    def test_agreeing_leaves_an_interval_that_agrees(self):
        assert agreeing((0.01, 0.3), 0.1, 0.04) == (0.01, 0.3)
        assert agreeing((-0.01, 0.3), 0.1, 0.06) == (-0.01, 0.3)


class TestFromAggregates:
    def test_from_aggregates_of_26_and_24_of_30_says_what_the_writeup_could_have_said(self):
        found = from_aggregates(26, 24, 30)
        assert found.p_range == pytest.approx((unconditional(2, 0, 30), unconditional(6, 4, 30)))
        assert found.p_value == found.p_range[1]
        assert found.estimate == pytest.approx(2 / 30)

    @few
    @given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n))))
    def test_from_aggregates_goes_through_every_pairing(self, counts):
        correct_a, correct_b, n = counts
        pairings = [(correct_a - both_right, correct_b - both_right) for both_right in range(n + 1)]
        pairings = [(b, c) for b, c in pairings if b >= 0 and c >= 0 and correct_a + c <= n]
        found = from_aggregates(correct_a, correct_b, n)
        p_values = [unconditional(b, c, n) for b, c in pairings]
        assert found.p_range == pytest.approx((min(p_values), max(p_values)))
        for confidence, interval in ((0.95, found.interval), (0.90, found.interval_90)):
            ends = [tango(b, c, n, confidence) for b, c in pairings]
            widest = min(low for low, _ in ends), max(high for _, high in ends)
            assert interval == agreeing(widest, found.estimate, found.p_value, confidence)

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
        least, largest = found.p_range
        assert least == pytest.approx(0.0, abs=1e-300)
        assert largest == unconditional(n // 2, n // 2 - 50_000, n)
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
