"""Levels of several looks: recomputed from the definition, and kept by simulated experiments."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm
from scipy.stats import t as student

from tracker.statistics.looks import adjusted_for_looks, level_at_look


class TestLevelAtLook:
    @pytest.mark.parametrize("size", [3, 6, 24])
    def test_a_first_look_has_what_so_many_repetitions_may_spend(self, size):
        assert level_at_look((size,), 0.05) == pytest.approx(0.8 * 0.05 * (1 - 2 / size))

    def test_a_second_look_newly_claims_what_the_first_left_over(self):
        sizes, alpha = (4, 9), 0.05
        first, second = level_at_look(sizes[:1], alpha), level_at_look(sizes, alpha)
        bounds = norm.ppf(1 - np.array([first, second]) / 2)
        correlation = np.sqrt((4 - 2.5) / (9 - 2.5))
        both = multivariate_normal([0, 0], [[1, correlation], [correlation, 1]])
        within = both.cdf(bounds, lower_limit=-bounds)
        assert 1 - within == pytest.approx(0.8 * alpha * (1 - 2 / 9), abs=1e-5)

    def test_a_look_soon_after_another_has_far_more_than_what_is_newly_spent(self):
        newly = 0.04 * (2 / 11 - 2 / 12)
        assert 4 * newly < level_at_look(range(3, 13)) < level_at_look((3, 12)) < level_at_look((12,))

    def test_many_looks_have_a_level_still(self):
        assert 0 < level_at_look(range(3, 80)) < level_at_look(range(3, 40))

    @pytest.mark.parametrize("sizes", [tuple(range(3, 13)), (3, 6, 12, 24), (3, 4, 8, 16), (5, 10, 20)])
    def test_levels_hold_over_all_looks_at_students_t(self, sizes):
        values = np.random.default_rng(1).standard_normal((40_000, int(sizes[-1])))
        claimed = np.zeros(len(values), dtype=bool)
        for look, size in enumerate(sizes, start=1):
            so_far = values[:, :size]
            t = so_far.mean(axis=1) / so_far.std(axis=1, ddof=1) * np.sqrt(size)
            claimed |= 2 * student.sf(np.abs(t), size - 1) <= level_at_look(sizes[:look])
        assert 0.025 < claimed.mean() < 0.04

    def test_levels_hold_if_the_last_p_value_decides_how_many_are_added(self):
        values = np.random.default_rng(2).standard_normal((40_000, 24))
        p_values = {
            size: 2 * student.sf(
                np.abs(values[:, :size].mean(axis=1) / values[:, :size].std(axis=1, ddof=1) * np.sqrt(size)), size - 1
            )
            for size in range(3, 25)
        }  # fmt: skip
        claimed, open_ = np.zeros(len(values), dtype=bool), {(3,): np.ones(len(values), dtype=bool)}
        while open_:  # one more if it is close, else as many as there may be
            sizes, here = open_.popitem()
            significant = here & (p_values[sizes[-1]] <= level_at_look(sizes))
            claimed |= significant
            if sizes[-1] < 24:
                near = p_values[sizes[-1]] < 0.2
                rest = here & ~significant
                further = {(*sizes, sizes[-1] + 1): rest & near, (*sizes, 24): rest & ~near}
                open_ |= further if sizes[-1] < 23 else {(*sizes, 24): rest}
        assert 0.04 < claimed.mean() < 0.05

    @pytest.mark.parametrize("sizes", [(), (2,), (3, 3), (6, 3)])
    def test_looks_must_be_at_ascending_numbers_of_at_least_three(self, sizes):
        with pytest.raises(ValueError, match="ascending numbers of repetitions, at least 3"):
            level_at_look(sizes)

    def test_alpha_must_be_a_level(self):
        with pytest.raises(ValueError, match="alpha"):
            level_at_look((3,), 1.0)


class TestAdjustedForLooks:
    @pytest.mark.parametrize("sizes", [(3,), (3, 6, 12), (3.5, 4.25)])
    @pytest.mark.parametrize("alpha", [1e-12, 0.001, 0.05, 0.4])
    def test_a_p_value_at_the_level_is_adjusted_to_alpha(self, sizes, alpha):
        level = level_at_look(sizes, alpha)
        assert adjusted_for_looks(level, sizes) == pytest.approx(alpha, rel=5e-3 if alpha > 1e-10 else 0.2)

    def test_a_p_value_is_never_adjusted_to_less_or_to_more_than_one(self):
        found = [adjusted_for_looks(p, (3, 4, 8)) for p in (0.0, 1e-9, 0.01, 0.2, 0.9, 1.0)]
        assert found == sorted(found)
        assert found[0] == 0.0
        assert found[-1] == 1.0
        assert all(p <= q for p, q in zip((0.0, 1e-9, 0.01, 0.2, 0.9, 1.0), found, strict=True))
