from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import stdtr

from tests.lazy import Lazy
from tracker.statistics.matched_pairs import (
    Effect,
    behrens_fisher_critical,
    behrens_fisher_p,
    by_group,
    constant_effect,
    crossed,
    degrees_of_freedom,
    mean_squares,
    nested,
    t_effect,
)
from tracker.statistics.paired import mcnemar, tango

DataFrame = Lazy("pandas", "DataFrame")
integrate = Lazy("scipy", "integrate")
chi2 = Lazy("scipy.stats", "chi2")
norm = Lazy("scipy.stats", "norm")
ttest_1samp = Lazy("scipy.stats", "ttest_1samp")
ttest_ind = Lazy("scipy.stats", "ttest_ind")
student = Lazy("scipy.stats", "t")
ols = Lazy("statsmodels.formula.api", "ols")
anova_lm = Lazy("statsmodels.stats.anova", "anova_lm")

fixed = settings(derandomize=True, deadline=None, max_examples=60)
few = settings(derandomize=True, deadline=None, max_examples=15)


def tables(least: int, most: int, *, rows: int = 5) -> st.SearchStrategy[np.ndarray]:
    shapes = st.tuples(st.integers(2, rows), st.integers(2, 12))
    return shapes.flatmap(lambda shape: arrays(np.int64, shape, elements=st.integers(least, most))).map(
        lambda table: table.astype(np.float64)
    )


two_levels = st.tuples(st.integers(2, 4), st.integers(2, 4), st.integers(2, 10)).flatmap(
    lambda shape: st.tuples(
        arrays(np.int64, (shape[0], shape[2]), elements=st.integers(0, 1)).map(np.float64),
        arrays(np.int64, (shape[1], shape[2]), elements=st.integers(0, 1)).map(np.float64),
    )
)


def same(one: Effect, other: Effect, *, sign: int = 1) -> bool:
    assert (one.df, one.p_value, one.strict_p_value) == pytest.approx(
        (other.df, other.p_value, other.strict_p_value), rel=1e-6, abs=1e-9
    )
    ends = [*one.interval, *one.interval_90]
    others = (
        [*other.interval, *other.interval_90]
        if sign > 0
        else [-x for x in (*other.interval[::-1], *other.interval_90[::-1])]
    )
    mine = [one.estimate, one.standard_error, one.t, *ends]
    theirs = [sign * other.estimate, other.standard_error, sign * other.t, *others]
    return mine == pytest.approx(theirs, rel=1e-6, abs=1e-9)


class TestMeanSquares:
    @few
    @given(tables(-1, 1))
    def test_mean_squares_are_those_of_a_two_way_analysis_of_variance(self, table):
        r, n = table.shape
        frame = DataFrame({"x": table.ravel(), "pair": np.repeat(range(r), n), "clip": np.tile(range(n), r)})
        expected = anova_lm(ols("x ~ C(pair) + C(clip)", frame).fit())["mean_sq"]
        found = mean_squares(table)
        assert [found.rows, found.columns, found.residual] == pytest.approx(list(expected), abs=1e-9)

    @pytest.mark.parametrize("shape", [(1, 5), (3, 1), (0, 5), (3, 0), (6,)])
    def test_mean_squares_need_two_repetitions_by_two_clips(self, shape):
        with pytest.raises(ValueError, match="at least two repetitions by two clips"):
            mean_squares(np.zeros(shape))


class TestDegreesOfFreedom:
    @pytest.mark.parametrize("pairs", [3, 4, 6, 20])
    def test_degrees_of_freedom_are_those_of_one_part_if_it_is_all(self, pairs):
        assert degrees_of_freedom(pairs, 300, 1.0) == pytest.approx(pairs - 1)
        assert degrees_of_freedom(pairs, 300, 1e-9) == pytest.approx(299, rel=1e-3)

    def test_degrees_of_freedom_of_three_pairs_are_worked_out_by_hand(self):
        odds = (0.4 / 0.6) ** 1.2 / (2.9 - 9 / 4)
        weight = odds / (1 + odds)
        assert degrees_of_freedom(3, 101, 0.4) == pytest.approx(1 / (weight / 2 + 0.36 / 100))

    @pytest.mark.parametrize("pairs", [3, 5, 10, 50])
    def test_degrees_of_freedom_are_never_more_for_a_larger_part_of_pairs(self, pairs):
        found = [degrees_of_freedom(pairs, 10**6, fraction) for fraction in np.linspace(0.01, 1, 100)]
        assert found == sorted(found, reverse=True)


class TestCrossed:
    def test_crossed_agrees_with_the_worked_matrices(self, oracles):
        for case in oracles["crossed"]:
            entries = np.array(case["entries"], dtype=float)
            found, squares = crossed(entries), mean_squares(entries)
            assert [squares.rows, squares.columns, squares.residual] == pytest.approx(
                [case["rows"], case["columns"], case["residual"]]
            )
            for name in ("estimate", "standard_error", "df", "t", "p_value", "interval"):
                assert getattr(found, name) == pytest.approx(case[name]), name

    def test_crossed_has_a_90_percent_interval_from_the_same_t(self, oracles):
        found = crossed(np.array(oracles["crossed"][1]["entries"], dtype=float))
        half = student.ppf(0.95, found.df) * found.standard_error
        assert found.interval_90 == pytest.approx((found.estimate - half, found.estimate + half))

    @fixed
    @given(tables(-1, 1))
    def test_crossed_changes_sign_with_the_levels(self, entries):
        assert same(crossed(-entries), crossed(entries), sign=-1)

    @fixed
    @given(tables(-1, 1), st.randoms())
    def test_crossed_does_not_depend_on_the_order_of_pairs_and_clips(self, entries, random):
        rows, columns = (random.sample(range(k), k) for k in entries.shape)
        assert same(crossed(entries[rows][:, columns]), crossed(entries))

    def test_crossed_without_clip_to_clip_variance_is_a_t_test_over_pairs(self):
        entries = np.random.default_rng(0).integers(-1, 2, (4, 50)).astype(float)
        squares = mean_squares(entries)
        assert squares.columns < squares.residual
        expected = ttest_1samp(entries.mean(axis=1), 0)
        assert crossed(entries).p_value == pytest.approx(expected.pvalue)
        assert crossed(entries).df == pytest.approx(3)

    def test_crossed_has_the_degrees_of_freedom_of_its_variances(self):
        entries = (np.random.default_rng(3).random((5, 40)) < np.linspace(0, 0.9, 40)).astype(float)
        squares = mean_squares(entries)
        fraction = squares.rows / (squares.rows + squares.columns - squares.residual)
        assert 0.01 < fraction < 0.5
        assert crossed(entries).df == pytest.approx(degrees_of_freedom(5, 40, fraction))

    @fixed
    @given(tables(-1, 1))
    def test_crossed_has_a_strict_p_value_that_is_never_the_smaller(self, entries):
        found = crossed(entries)
        assert found.p_value <= found.strict_p_value <= 1

    def test_crossed_has_the_strict_p_value_of_behrens_and_fisher(self, oracles):
        entries = np.array(oracles["crossed"][0]["entries"], dtype=float)
        found, squares = crossed(entries), mean_squares(entries)
        share = squares.rows / (squares.rows + squares.columns - squares.residual)
        assert found.strict_p_value == behrens_fisher_p(found.t, share, 3, 5) > found.p_value

    def test_crossed_of_pairs_that_agree_in_their_mean_takes_the_residual_with_n_minus_1_degrees_of_freedom(self):
        entries = np.array([[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0.0]])
        squares = mean_squares(entries)
        assert squares.rows < 1e-12 < squares.residual
        found = crossed(entries)
        assert found.df == 5
        assert found.standard_error == pytest.approx(np.sqrt(max(squares.residual, squares.columns) / 18))
        assert found.p_value == pytest.approx(2 * student.sf(found.estimate / found.standard_error, 5))

    def test_crossed_of_identical_pairs_is_a_t_test_over_clips(self):
        row = np.array([1, 0, 0, 1, -1, 1, 0, 1.0])
        found, expected = crossed(np.stack([row] * 3)), ttest_1samp(row, 0)
        assert (found.t, found.p_value, found.df) == pytest.approx((expected.statistic, expected.pvalue, 7))

    @pytest.mark.parametrize("n", [2, 30, 1_000])
    def test_crossed_of_nothing_but_zeros_is_one_with_tangos_interval(self, n):
        found = crossed(np.zeros((3, n)))
        half = 1.959963984540054**2 / (n + 1.959963984540054**2)
        assert (found.estimate, found.t, found.p_value) == (0.0, 0.0, 1.0)
        assert found.interval == pytest.approx((-half, half))
        assert found.interval_90 == pytest.approx(tango(0, 0, n, 0.90))

    @pytest.mark.parametrize("sign", [1.0, -1.0])
    def test_crossed_of_the_same_answer_everywhere_is_mcnemar_over_the_clips(self, sign):
        found = crossed(np.full((3, 8), sign))
        assert found.p_value == mcnemar(8, 0)
        assert found.estimate == sign
        assert found.interval == pytest.approx(tango(8, 0, 8) if sign > 0 else tango(0, 8, 8))

    @fixed
    @given(tables(-1, 1))
    def test_always_gives_a_probability_and_a_finite_interval_around_the_estimate(self, entries):
        found = crossed(entries)
        assert 0 <= found.p_value <= 1
        assert np.isfinite([found.estimate, found.standard_error, found.df, *found.interval, *found.interval_90]).all()
        assert found.interval[0] <= found.interval_90[0] <= found.estimate + 1e-9
        assert found.interval[1] >= found.interval_90[1] >= found.estimate - 1e-9

    def test_crossed_claims_something_in_about_one_null_experiment_in_twenty(self):
        rng = np.random.default_rng(11)
        assert np.mean([crossed(null_pairs(rng, 5, 60)).p_value <= 0.05 for _ in range(600)]) < 0.08


class TestByGroup:
    @fixed
    @given(tables(-1, 1))
    def test_by_group_of_groups_of_one_changes_nothing(self, entries):
        assert np.allclose(by_group(entries, list(range(entries.shape[1]))), entries, atol=1e-12)

    @fixed
    @given(tables(-1, 1), st.lists(st.integers(0, 3), min_size=12, max_size=12))
    def test_by_group_keeps_the_mean_of_every_row(self, entries, groups):
        grouped = by_group(entries, groups[: entries.shape[1]])
        assert np.allclose(grouped.mean(axis=1), entries.mean(axis=1), atol=1e-12)

    def test_by_group_follows_its_formula(self):
        entries = np.array([[1, 0, 1, -1.0], [0, 0, 1, 0]])
        m = 2 / 8
        expected = [[0.5 * (1 - 3 * m + 1) + m, 0.5 * (-1 - m) + m], [0.5 * (1 - 3 * m) + m, 0.5 * (-m) + m]]
        assert by_group(entries, ["a", "a", "a", "b"]) == pytest.approx(np.array(expected))

    def test_by_group_keeps_copied_clips_from_counting_twice(self):
        entries = np.random.default_rng(5).integers(-1, 2, (4, 15)).astype(float)
        copied = by_group(np.repeat(entries, 4, axis=1), np.repeat(np.arange(15), 4))
        assert same(crossed(copied), crossed(entries))

    def test_by_group_needs_a_group_for_each_clip(self):
        with pytest.raises(ValueError, match="one group for each"):
            by_group(np.zeros((2, 3)), ["a"])


class TestNested:
    def test_nested_agrees_with_the_worked_matrices(self, oracles):
        for case in oracles["nested"]:
            found = nested(np.array(case["a"], dtype=float), np.array(case["b"], dtype=float))
            for name in ("estimate", "standard_error", "df", "t", "p_value"):
                assert getattr(found, name) == pytest.approx(case[name]), name

    @fixed
    @given(two_levels)
    def test_nested_changes_sign_with_the_levels(self, levels):
        assert same(nested(*levels[::-1]), nested(*levels), sign=-1)

    @fixed
    @given(two_levels, st.randoms())
    def test_nested_does_not_depend_on_the_order_of_repetitions_and_clips(self, levels, random):
        clips = random.sample(range(levels[0].shape[1]), levels[0].shape[1])
        shuffled = [level[random.sample(range(len(level)), len(level))][:, clips] for level in levels]
        assert same(nested(*shuffled), nested(*levels))

    def test_nested_without_clip_to_clip_variance_is_welchs_t_test_over_repetitions(self):
        for seed in range(100):
            a, b = (np.random.default_rng([seed, i]).integers(0, 2, (r, 40)).astype(float) for i, r in ((0, 3), (1, 4)))
            residual = mean_squares(a).residual / a.size + mean_squares(b).residual / b.size
            if (a.mean(axis=0) - b.mean(axis=0)).var(ddof=1) / 40 < residual:
                expected = ttest_ind(a.mean(axis=1), b.mean(axis=1), equal_var=False)
                assert nested(a, b).p_value == pytest.approx(expected.pvalue)
                assert nested(a, b).df == pytest.approx(expected.df)
                return
        pytest.fail("no such table among a hundred")

    def test_nested_of_repetitions_that_agree_is_a_t_test_over_clips(self):
        a, b = np.array([1, 1, 0, 1, 1, 1, 0, 1.0]), np.array([0, 1, 0, 0, 1, 0, 1, 1.0])
        found, expected = nested(np.stack([a] * 3), np.stack([b] * 4)), ttest_1samp(a - b, 0)
        assert (found.t, found.p_value, found.df) == pytest.approx((expected.statistic, expected.pvalue, 7))

    def test_nested_of_equal_answers_everywhere_is_one(self):
        level = np.stack([np.array([1, 0, 1, 1.0])] * 3)
        assert nested(level, level) == crossed(np.zeros((3, 4)))

    def test_nested_of_all_right_against_all_wrong_is_mcnemar_over_the_clips(self):
        assert nested(np.ones((3, 7)), np.zeros((4, 7))).p_value == mcnemar(7, 0)

    @fixed
    @given(two_levels)
    def test_always_gives_a_probability_and_a_finite_interval(self, levels):
        found = nested(*levels)
        assert 0 <= found.p_value <= 1
        assert np.isfinite([found.estimate, found.standard_error, found.df, *found.interval, *found.interval_90]).all()

    @few
    @given(two_levels, st.lists(st.integers(0, 3), min_size=10, max_size=10))
    def test_nested_takes_groups_as_columns(self, levels, groups):
        groups = [*groups[: levels[0].shape[1] - 2], "x", "y"]
        found = nested(*(by_group(level, groups) for level in levels))
        assert found.estimate == pytest.approx(float(levels[0].mean() - levels[1].mean()), abs=1e-9)
        assert 0 <= found.p_value <= 1

    def test_nested_claims_something_in_about_one_null_experiment_in_twenty(self):
        rng = np.random.default_rng(12)
        assert np.mean([nested(*null_levels(rng, 4, 60)).p_value <= 0.05 for _ in range(600)]) < 0.08

    def test_nested_refuses_different_clips(self):
        with pytest.raises(ValueError, match="the same clips, got 3 and 4"):
            nested(np.zeros((2, 3)), np.zeros((2, 4)))

    def test_nested_refuses_a_single_repetition(self):
        with pytest.raises(ValueError, match="at least two repetitions"):
            nested(np.zeros((1, 3)), np.zeros((2, 3)))


class TestBehrensFisherCritical:
    @pytest.mark.parametrize("alpha", [0.05, 1e-3, 1e-6])
    @pytest.mark.parametrize(
        ("fraction", "df", "other_df"), [(0.5, 2, 29), (0.99, 2, 299), (0.01, 3, 5), (1.0, 2, 9), (0.5, 200, 299)]
    )
    def test_behrens_fisher_critical_is_where_the_p_value_is_alpha(
        self, fraction: float, df: int, other_df: int, alpha: float
    ) -> None:
        critical = behrens_fisher_critical(fraction, df, other_df, alpha)
        assert float(behrens_fisher_p(critical, fraction, df, other_df)) == pytest.approx(alpha, rel=1e-4)


class TestIntervalAt:
    def test_interval_at_leaves_out_0_exactly_where_the_strict_p_value_is_below_the_level(self) -> None:
        rng = np.random.default_rng(0)
        for _ in range(40):
            entries = rng.integers(-1, 2, (3, 20)) + rng.integers(0, 2)
            effect = crossed(entries.astype(float))
            for level in (0.01, 0.001):
                low, high = effect.interval_at(1 - level)
                assert (low > 0 or high < 0) == (effect.strict_p_value < level)
            assert effect.interval_at(0.95) == effect.interval
            assert effect.interval_at(0.90) == effect.interval_90


class TestTEffect:
    def test_t_effect_is_students(self):
        found = t_effect(0.2, 0.1, 7)
        assert found.p_value == pytest.approx(2 * student.sf(2, 7))
        assert found.interval == pytest.approx(student.interval(0.95, 7, 0.2, 0.1))
        assert found.interval_90 == pytest.approx(student.interval(0.90, 7, 0.2, 0.1))


class TestConstantEffect:
    def test_constant_effect_of_one_value_cannot_decide(self):
        assert constant_effect(0.3, 1, 10).p_value == 1.0

    def test_constant_effect_gives_an_interval_around_a_mean_between_zero_and_one(self):
        found = constant_effect(0.1, 6, 60)
        assert found.p_value == 2.0**-5
        assert found.interval == pytest.approx(tango(6, 0, 60))

    def test_constant_effect_does_not_rule_out_nothing_where_the_sign_test_cannot(self):
        for mean in (0.3, -0.3):
            found = constant_effect(mean, 3, 60)
            assert found.p_value == 0.25
            assert 0.0 in found.interval
            assert 0.0 in found.interval_90

    def test_rules_nothing_out_at_the_confidence_at_which_the_sign_test_does(self):
        found = constant_effect(0.3, 5, 60)  # p = 0.0625
        assert found.interval[0] == 0.0
        assert found.interval_90[0] > 0.0


def null_levels(rng: np.random.Generator, r: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Right and wrong of two levels that differ in nothing but the luck of training and of the clips."""
    easiness = rng.normal(1.2, 1.2, n)
    levels = [easiness + rng.normal(0, 0.4, n) + rng.normal(0, 0.3, (r, 1)) + rng.normal(0, 0.7, (r, n)) for _ in "ab"]
    return (levels[0] > 0).astype(float), (levels[1] > 0).astype(float)


def null_pairs(rng: np.random.Generator, r: int, n: int) -> np.ndarray:
    one, other = null_levels(rng, r, n)
    return one - other


shares = st.floats(0, 1)
degrees = st.integers(1, 300)


class TestBehrensFisherP:
    @pytest.mark.parametrize(
        ("df", "other_df", "critical"),
        [
            (6, 6, [2.447, 2.440, 2.435, 2.435, 2.435, 2.440, 2.447]),
            (6, 8, [2.306, 2.310, 2.331, 2.364, 2.398, 2.430, 2.447]),
            (6, 12, [2.179, 2.193, 2.239, 2.301, 2.367, 2.423, 2.447]),
            (6, 1e9, [1.960, 1.993, 2.082, 2.201, 2.322, 2.412, 2.447]),
        ],
    )
    def test_behrens_fisher_p_agrees_with_the_table_of_fisher_and_yates_at_5_percent(self, df, other_df, critical):
        share = np.sin(np.radians([0, 15, 30, 45, 60, 75, 90])) ** 2
        assert behrens_fisher_p(critical, share, df, other_df) == pytest.approx([0.05] * 7, abs=1.5e-4)

    @fixed
    @given(st.floats(0.01, 12), st.floats(0.02, 0.98), degrees, degrees)
    def test_behrens_fisher_p_agrees_with_adaptive_quadrature(self, t, share, df, other_df):
        a, b = np.sqrt(share), np.sqrt(1 - share)
        centre = t / b

        def height(x: float) -> float:
            return float(student.pdf(x, other_df) * stdtr(df, (b * x - t) / a))

        ends = [-np.inf, 0.0, centre / 2, centre, 2 * centre, np.inf]
        tail = sum(integrate.quad(height, *piece, epsabs=1e-11)[0] for piece in pairwise(ends))
        assert behrens_fisher_p(t, share, df, other_df) == pytest.approx(2 * tail, rel=1e-5, abs=1e-8)

    @fixed
    @given(st.floats(0, 50), degrees, degrees)
    def test_behrens_fisher_p_of_a_variance_in_one_part_is_students(self, t, df, other_df):
        expected = 2 * student.sf(t, df), 2 * student.sf(t, other_df)
        assert behrens_fisher_p([t, t], [1, 0], df, other_df) == pytest.approx(expected, rel=1e-4, abs=1e-9)

    @fixed
    @given(st.floats(-20, 20), shares, degrees, degrees)
    def test_behrens_fisher_p_is_a_probability_whatever_the_sign_and_the_order_of_the_parts(
        self, t, share, df, other_df
    ):
        found = behrens_fisher_p(t, share, df, other_df)
        assert 0 < found <= 1
        assert found == pytest.approx(behrens_fisher_p(-t, 1 - share, other_df, df), rel=1e-9)

    def test_behrens_fisher_p_falls_with_the_distance_from_zero(self):
        assert np.all(np.diff(behrens_fisher_p(np.linspace(0, 30, 100), 0.7, 2, 29)) < 0)

    @pytest.mark.parametrize("level", [0.05, 0.05 / 6, 0.05 / 15])
    @pytest.mark.parametrize("pairs", [3, 5])
    def test_behrens_fisher_p_holds_every_level_where_one_part_is_known(self, pairs, level):
        chances = (np.arange(2_000) + 0.5) / 2_000
        table = critical_values(level, pairs - 1)
        for truth in (0.05, 0.3, 0.6, 0.9, 0.99):
            rows = truth * chi2.ppf(chances, pairs - 1) / (pairs - 1)
            total = rows + 1 - truth
            critical = np.interp(rows / total, *table)
            assert 2 * norm.sf(critical * np.sqrt(total)).mean() <= level * 1.001

    def test_behrens_fisher_p_refuses_a_share_that_is_none(self):
        with pytest.raises(ValueError, match=r"from 0 to 1, got 1\.5"):
            behrens_fisher_p(2.0, 1.5, 2, 29)


def critical_values(level: float, df: int) -> tuple[np.ndarray, np.ndarray]:
    """Return shares of the variance, and where the p-value is `level` at each of them."""
    shares_of_it = np.linspace(0, 1, 40)
    values = np.geomspace(1.9, student.ppf(1 - level / 2, df) * 1.001, 40)
    p_values = behrens_fisher_p(values, shares_of_it[:, np.newaxis], df, 1e9)
    return shares_of_it, np.array([np.interp(-level, -row, values) for row in p_values])
