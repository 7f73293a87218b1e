from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lazy import Lazy
from tracker.statistics.proportions import (
    coin_cdf,
    effective_groups,
    group_codes,
    group_sums,
    grouped_proportion_p,
    grouped_wilson,
    more_often_p,
    newcombe,
    pmf,
    proportion_p,
    score_intervals,
    two_sided_z,
    wilson,
)

DataFrame = Lazy("pandas", "DataFrame")
minimize_scalar = Lazy("scipy.optimize", "minimize_scalar")
binom = Lazy("scipy.stats", "binom")
fisher_exact = Lazy("scipy.stats", "fisher_exact")
binomtest = Lazy("scipy.stats", "binomtest")
student = Lazy("scipy.stats", "t")
ols = Lazy("statsmodels.formula.api", "ols")
anova_lm = Lazy("statsmodels.stats.anova", "anova_lm")
confint_proportions_2indep = Lazy("statsmodels.stats.proportion", "confint_proportions_2indep")
proportion_confint = Lazy("statsmodels.stats.proportion", "proportion_confint")

fixed = settings(derandomize=True, deadline=None, max_examples=100)
counts = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
confidences = st.sampled_from([0.5, 0.9, 0.95, 0.99])


def table(*groups: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Answers and groups from (right, size) of each group."""
    right = np.concatenate([np.arange(size) < correct for correct, size in groups])
    return right, np.repeat(np.arange(len(groups)), [size for _, size in groups])


class TestProportionP:
    @fixed
    @given(counts, st.floats(0.01, 0.99))
    def test_proportion_p_is_twice_scipys_smaller_tail(self, count: tuple[int, int], fraction: float) -> None:
        tails = [binomtest(*count, fraction, alternative=side).pvalue for side in ("less", "greater")]
        assert proportion_p(*count, fraction) == pytest.approx(min(1.0, 2 * min(tails)), rel=1e-9, abs=1e-300)

    @pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1])
    def test_proportion_p_needs_a_true_fraction_inside(self, fraction: float) -> None:
        with pytest.raises(ValueError, match="the fraction must be above 0 and below 1"):
            proportion_p(3, 10, fraction)


class TestGroupedProportionP:
    def test_grouped_proportion_p_agrees_with_the_interval(self) -> None:
        correct, groups = table((3, 3), (2, 3), (3, 3), (0, 3), (3, 3), (3, 3), (2, 3), (3, 3), (1, 3), (3, 3))
        low, _ = grouped_wilson(correct, groups)
        assert grouped_proportion_p(correct, groups, low) == pytest.approx(0.05, rel=1e-6)

    def test_grouped_proportion_p_of_single_clips_is_exact(self) -> None:
        correct = np.arange(30) < 22
        assert grouped_proportion_p(correct, range(30), 0.5) == proportion_p(22, 30, 0.5)

    def test_grouped_proportion_p_of_one_group_says_nothing(self) -> None:
        assert grouped_proportion_p(np.ones(30, dtype=bool), [0] * 30, 0.2) == 1.0

    def test_grouped_proportion_p_keeps_its_level(self) -> None:
        """Simulated: ten groups of three clips whose answers are correlated, half of them correct."""
        rng = np.random.default_rng(2)
        own = rng.normal(size=(500, 10, 1)) * 0.6 + rng.normal(size=(500, 10, 3)) * 0.8
        groups = np.repeat(np.arange(10), 3)
        p_values = [grouped_proportion_p((one > 0).ravel(), groups, 0.5) for one in own]
        assert np.mean(np.array(p_values) <= 0.05) < 0.07


class TestWilson:
    def test_wilson_agrees_with_published_values(self, oracles):
        for case in oracles["wilson"]:
            assert wilson(case["correct"], case["n"]) == pytest.approx(case["interval"], abs=1e-6)

    @fixed
    @given(counts, confidences)
    def test_wilson_is_scipys_to_the_last_digits(self, count, confidence):
        expected = binomtest(*count).proportion_ci(confidence, method="wilson")
        assert wilson(*count, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)

    def test_wilson_equals_statsmodels(self):
        assert wilson(25, 30) == pytest.approx(proportion_confint(25, 30, method="wilson"), abs=1e-12)

    def test_wilson_of_all_right_reaches_one(self):
        assert wilson(30, 30)[1] == 1.0

    def test_wilson_of_none_right_reaches_zero(self):
        assert wilson(0, 30)[0] == 0.0

    @fixed
    @given(counts)
    def test_wilson_of_wrong_clips_mirrors_that_of_right_ones(self, count):
        correct, n = count
        low, high = wilson(correct, n)
        assert wilson(n - correct, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)

    @fixed
    @given(counts)
    def test_wilson_holds_the_share_and_stays_between_zero_and_one(self, count):
        low, high = wilson(*count)
        assert 0 <= low <= count[0] / count[1] <= high <= 1

    @pytest.mark.parametrize(("correct", "n"), [(0, 0), (-1, 3), (4, 3)])
    def test_wilson_needs_counts_that_can_be(self, correct, n):
        with pytest.raises(ValueError, match="got"):
            wilson(correct, n)

    @pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, float("nan")])
    def test_wilson_needs_a_confidence_between_zero_and_one(self, confidence):
        with pytest.raises(ValueError, match="confidence must be"):
            wilson(1, 2, confidence)


class TestGroupedWilson:
    def test_grouped_wilson_with_groups_of_one_is_wilsons(self):
        right = np.arange(30) < 25
        assert grouped_wilson(right, list(range(30))) == wilson(25, 30)

    @pytest.mark.parametrize("groups", [[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 2, 3]])
    @pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, 95, math.nan])
    def test_grouped_wilson_refuses_a_confidence_out_of_its_range(self, groups, confidence):
        with pytest.raises(ValueError, match="confidence must be above 0 and below 1"):
            grouped_wilson(np.array([True, False, True, True]), groups, confidence)

    def test_grouped_wilson_of_unrelated_clips_keeps_every_clip_and_takes_students_quantile(self):
        right, groups = table(*[(2, 3)] * 10)
        t = float(student.ppf(0.975, 9))
        assert grouped_wilson(right, groups) == pytest.approx(by_formula(20 / 30, 30, t))

    def test_grouped_wilson_of_groups_that_are_all_right_or_all_wrong_counts_groups(self):
        right, groups = table(*[(3, 3)] * 7, *[(0, 3)] * 3)
        t = float(student.ppf(0.975, 9))
        assert grouped_wilson(right, groups) == pytest.approx(by_formula(0.7, 10, t))

    def test_grouped_wilson_of_everything_right_counts_groups(self):
        right, groups = table(*[(3, 3)] * 10)
        t = float(student.ppf(0.975, 9))
        assert grouped_wilson(right, groups) == pytest.approx(by_formula(1.0, 10, t))

    def test_grouped_wilson_divides_the_clips_by_the_design_effect(self):
        sizes = [(4, 5), (1, 6), (3, 3), (2, 2), (0, 4), (7, 8)]
        right, groups = table(*sizes)
        n, size = len(right), np.array([s for _, s in sizes])
        squares = anova_lm(ols("right ~ C(group)", DataFrame({"right": right * 1.0, "group": groups})).fit())
        between, within = squares["mean_sq"]
        typical = (n - (size**2).sum() / n) / (len(size) - 1)
        correlation = (between - within) / (between + (typical - 1) * within)
        effect = 1 + ((size**2).sum() / n - 1) * correlation
        assert effect > 1.5
        t = float(student.ppf(0.975, len(size) - 1))
        assert grouped_wilson(right, groups) == pytest.approx(by_formula(right.mean(), n / effect, t))

    def test_grouped_wilson_of_one_group_knows_nothing(self):
        assert grouped_wilson(*table((3, 4))) == (0.0, 1.0)

    def test_grouped_wilson_holds_the_share_as_often_as_it_says_where_one_group_is_large(self):
        rng = np.random.default_rng(0)
        sizes, share, correlation = np.array([1, 1, 1, 2, 2, 3, 4, 6, 10, 20]), 0.6, 0.5
        scale = 1 / correlation - 1
        held = []
        for _ in range(500):
            chances = rng.beta(share * scale, (1 - share) * scale, len(sizes))
            low, high = grouped_wilson(*table(*zip(rng.binomial(sizes, chances), sizes, strict=True)))
            held.append(low <= share <= high)
        assert np.mean(held) > 0.93

    @fixed
    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=30), st.randoms())
    def test_grouped_wilson_does_not_depend_on_the_order_of_clips_or_the_names_of_groups(self, clips, random):
        shuffled = random.sample(clips, len(clips))
        one = grouped_wilson(np.array([r for r, _ in clips]), [g for _, g in clips])
        other = grouped_wilson(np.array([r for r, _ in shuffled]), [f"artist {9 - g}" for _, g in shuffled])
        assert one == pytest.approx(other, abs=1e-12)

    @fixed
    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=30))
    def test_grouped_wilson_is_never_shorter_than_wilsons(self, clips):
        right = np.array([r for r, _ in clips])
        low, high = grouped_wilson(right, [g for _, g in clips])
        plain_low, plain_high = wilson(int(right.sum()), len(right))
        assert high - low >= plain_high - plain_low - 1e-12

    def test_grouped_wilson_needs_clips(self):
        with pytest.raises(ValueError, match="at least 1 clip"):
            grouped_wilson(np.array([], dtype=bool), [])

    def test_grouped_wilson_needs_a_group_for_each_clip(self):
        with pytest.raises(ValueError, match="one group for each"):
            grouped_wilson(np.array([True, False]), ["a"])


class TestNewcombe:
    def test_newcombe_agrees_with_published_values(self, oracles):
        for case in oracles["newcombe"]:
            assert difference_interval(case["a"], case["b"]) == pytest.approx(case["interval"], abs=1e-6)

    @fixed
    @given(counts, counts)
    def test_newcombe_equals_statsmodels(self, a, b):
        expected = confint_proportions_2indep(*a, *b, compare="diff", method="newcomb")
        assert difference_interval(a, b) == pytest.approx(expected, abs=1e-9)

    @fixed
    @given(counts, counts, confidences)
    def test_newcombe_changes_sign_when_the_sides_are_swapped(self, a, b, confidence):
        low, high = difference_interval(a, b, confidence)
        assert difference_interval(b, a, confidence) == pytest.approx((-high, -low), abs=1e-12)

    @fixed
    @given(counts, counts)
    def test_newcombe_stays_between_minus_one_and_one(self, a, b):
        low, high = difference_interval(a, b)
        assert -1 - 1e-12 <= low <= a[0] / a[1] - b[0] / b[1] <= high <= 1 + 1e-12


class TestTwoSidedZ:
    def test_two_sided_z_at_95_percent_is_1_96(self):
        assert two_sided_z(0.95) == pytest.approx(1.959963984540054, abs=1e-15)


def by_formula(share: float, n: float, quantile: float) -> tuple[float, float]:
    """Wilson's interval as the two roots of (p̂ - p)² = q² p (1 - p) / n."""
    roots = np.roots([1 + quantile**2 / n, -(2 * share + quantile**2 / n), share**2])
    return float(roots.min()), float(roots.max())


def difference_interval(a: tuple[int, int], b: tuple[int, int], confidence: float = 0.95) -> tuple[float, float]:
    """Newcombe's interval of two counts, from Wilson's of each."""
    return newcombe(a[0] / a[1], wilson(*a, confidence), b[0] / b[1], wilson(*b, confidence))


class TestCoinCdf:
    def test_coin_cdf_is_scipys_from_minus_one_to_n(self):
        for n in (0, 1, 2, 7, 30, 1_001):
            k = np.arange(-1, n + 1)
            assert coin_cdf(k, np.full(n + 2, n)) == pytest.approx(binom.cdf(k, n, 0.5), rel=1e-12, abs=0)

    def test_coin_cdf_of_few_throws_is_exact(self):
        assert coin_cdf(np.array([0, 0]), np.array([4, 5])).tolist() == [0.0625, 0.03125]


class TestPmf:
    @pytest.mark.parametrize("share", [0.0, 0.03, 0.5, 1.0])
    def test_pmf_equals_scipys(self, share):
        for n in (1, 30, 5_000):
            k = np.arange(n + 1)
            assert pmf(k, n, share) == pytest.approx(binom.pmf(k, n, share), rel=1e-9, abs=1e-300)


Z = two_sided_z(0.95)


def likeliest_nuisance(b: int, c: int, n: int, difference: float) -> float:
    """The share of clips that only the second has right, by maximising the trinomial likelihood."""

    def minus_log_likelihood(q: float) -> float:
        shares = np.array([q + difference, q, 1 - 2 * q - difference])
        seen = np.array([b, c, n - b - c])
        return -float((seen * np.log(np.maximum(shares, 1e-300)))[seen > 0].sum())

    least, most = max(0.0, -difference), (1 - difference) / 2
    return float(minimize_scalar(minus_log_likelihood, bounds=(least, most), method="bounded").x)


def halved(b: int, c: int, n: int, z: float, outside: float) -> float:
    """The end of Tango's interval between the estimate and `outside`, by halving the distance 60 times."""
    inside = (b - c) / n
    for _ in range(60):
        middle = (inside + outside) / 2
        linear = (2 * n - b + c) * middle - b - c
        root = math.sqrt(max(linear**2 + 8 * n * c * middle * (1 - middle), 0.0))
        variance = (root - linear) / 2 + n * middle * (1 - middle)
        if (b - c - n * middle) ** 2 > z**2 * variance:
            outside = middle
        else:
            inside = middle
    return (inside + outside) / 2


class TestScoreIntervals:
    @pytest.mark.parametrize(("b", "c", "n"), [(1, 7, 21), (2, 1, 30), (5, 4, 30), (40, 12, 300)])
    def test_score_intervals_end_where_the_score_is_z(self, b, c, n):
        for end, sign in zip(score_intervals(np.array([b]), np.array([c]), n, Z), (1, -1), strict=True):
            difference = float(end[0])
            q = likeliest_nuisance(b, c, n, difference)
            deviation = np.sqrt(n * (2 * q + difference * (1 - difference)))
            assert sign * (b - c - n * difference) / deviation == pytest.approx(Z, abs=1e-4)

    @fixed
    @given(
        st.integers(1, 3_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n))),
        st.sampled_from([0.5, 1.645, Z, 4.0]),
    )
    def test_score_intervals_end_where_halving_a_bracket_ends(self, counts: tuple[int, int, int], z: float) -> None:
        b, c, n = counts
        b, c = (b, c) if b + c <= n else (n - b, n - c)
        found = [float(end[0]) for end in score_intervals(np.array([b]), np.array([c]), n, z)]
        assert found == pytest.approx([halved(b, c, n, z, -1.0), halved(b, c, n, z, 1.0)], abs=1e-9)

    def test_score_intervals_of_many_pairs_are_those_of_each(self):
        b, c = np.array([0, 3, 17]), np.array([0, 9, 4])
        low, high = score_intervals(b, c, 40, Z)
        for i in range(3):
            alone = score_intervals(b[i : i + 1], c[i : i + 1], 40, Z)
            assert (low[i], high[i]) == (alone[0][0], alone[1][0])


class TestGroupCodes:
    def test_count_from_zero_in_order_of_appearance(self):
        assert group_codes(["nina", "bob", "nina", "ella"], 4).tolist() == [0, 1, 0, 2]

    def test_group_codes_take_any_hashable(self):
        assert group_codes([("a", 1), None, ("a", 1)], 3).tolist() == [0, 1, 0]

    def test_group_codes_of_codes_are_codes(self):
        assert group_codes(np.array([7, 7, 3]), 3).tolist() == [0, 0, 1]

    def test_group_codes_need_one_group_for_each_clip(self):
        with pytest.raises(ValueError, match="one group for each of 3 clips, got 2"):
            group_codes(["a", "b"], 3)


class TestGroupSums:
    def test_group_sums_add_up_the_clips_of_each_group(self):
        codes = group_codes(["a", "b", "a"], 3)
        assert group_sums(np.array([1.0, 2.0, 4.0]), codes).tolist() == [5.0, 2.0]

    def test_group_sums_keep_the_leading_axes(self):
        codes = group_codes(["a", "b", "a", "b"], 4)
        values = np.arange(24.0).reshape(2, 3, 4)
        sums = group_sums(values, codes)
        assert sums.shape == (2, 3, 2)
        assert np.array_equal(sums[..., 1], values[..., 1] + values[..., 3])


class TestEffectiveGroups:
    def test_effective_groups_of_one_size_are_all_of_them(self):
        assert effective_groups(np.full(7, 4.0)) == pytest.approx(7)

    def test_effective_groups_are_fewer_where_one_is_large(self):
        assert effective_groups(np.array([6.0, 1, 1, 1, 1])) == pytest.approx(100 / 40)

    def test_effective_groups_are_never_under_two(self):
        assert effective_groups(np.array([100.0, 1])) == 2


class TestMoreOftenP:
    @pytest.mark.parametrize("counts", [(1, 6, 0, 6), (10, 14, 0, 4), (0, 3, 0, 3), (3, 3, 1, 4), (2, 5, 3, 5)])
    def test_it_is_fishers_one_sided_p(self, counts: tuple[int, int, int, int]) -> None:
        a, n, b, m = counts
        expected = fisher_exact([[a, n - a], [b, m - b]], alternative="greater").pvalue
        assert more_often_p(*counts) == pytest.approx(expected)

    def test_more_successes_than_there_are_is_refused(self) -> None:
        with pytest.raises(ValueError, match="successes must be 0 to n, got 4 of 3 and 0 of 1"):
            more_often_p(4, 3, 0, 1)
