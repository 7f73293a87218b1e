from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy.special import stdtr
from scipy.stats import chi2, norm
from scipy.stats import t as student

from tracker.statistics.crossed import behrens_fisher_p

fixed = settings(derandomize=True, deadline=None, max_examples=40)
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
    def test_agrees_with_the_table_of_fisher_and_yates_at_5_percent(self, df, other_df, critical):
        share = np.sin(np.radians([0, 15, 30, 45, 60, 75, 90])) ** 2
        assert behrens_fisher_p(critical, share, df, other_df) == pytest.approx([0.05] * 7, abs=1.5e-4)

    @fixed
    @given(st.floats(0.01, 12), st.floats(0.02, 0.98), degrees, degrees)
    def test_agrees_with_adaptive_quadrature(self, t, share, df, other_df):
        a, b = np.sqrt(share), np.sqrt(1 - share)
        centre = t / b

        def height(x: float) -> float:
            return float(student.pdf(x, other_df) * stdtr(df, (b * x - t) / a))

        ends = [-np.inf, 0.0, centre / 2, centre, 2 * centre, np.inf]
        tail = sum(integrate.quad(height, *piece, epsabs=1e-11)[0] for piece in pairwise(ends))
        assert behrens_fisher_p(t, share, df, other_df) == pytest.approx(2 * tail, rel=1e-5, abs=1e-8)

    @fixed
    @given(st.floats(0, 50), degrees, degrees)
    def test_of_a_variance_in_one_part_is_students(self, t, df, other_df):
        expected = 2 * student.sf(t, df), 2 * student.sf(t, other_df)
        assert behrens_fisher_p([t, t], [1, 0], df, other_df) == pytest.approx(expected, rel=1e-4, abs=1e-9)

    @fixed
    @given(st.floats(-20, 20), shares, degrees, degrees)
    def test_is_a_probability_whatever_the_sign_and_the_order_of_the_parts(self, t, share, df, other_df):
        found = behrens_fisher_p(t, share, df, other_df)
        assert 0 < found <= 1
        assert found == pytest.approx(behrens_fisher_p(-t, 1 - share, other_df, df), rel=1e-9)

    def test_falls_with_the_distance_from_zero(self):
        assert np.all(np.diff(behrens_fisher_p(np.linspace(0, 30, 100), 0.7, 2, 29)) < 0)

    @pytest.mark.parametrize("level", [0.05, 0.05 / 6, 0.05 / 15])
    @pytest.mark.parametrize("pairs", [3, 5])
    def test_holds_every_level_where_one_part_is_known(self, pairs, level):
        chances = (np.arange(2_000) + 0.5) / 2_000
        table = critical_values(level, pairs - 1)
        for truth in (0.05, 0.3, 0.6, 0.9, 0.99):
            rows = truth * chi2.ppf(chances, pairs - 1) / (pairs - 1)
            total = rows + 1 - truth
            critical = np.interp(rows / total, *table)
            assert 2 * norm.sf(critical * np.sqrt(total)).mean() <= level * 1.001

    def test_refuses_a_share_that_is_none(self):
        with pytest.raises(ValueError, match=r"from 0 to 1, got 1\.5"):
            behrens_fisher_p(2.0, 1.5, 2, 29)


def critical_values(level: float, df: int) -> tuple[np.ndarray, np.ndarray]:
    """Return shares of the variance, and where the p-value is `level` at each of them."""
    shares_of_it = np.linspace(0, 1, 40)
    values = np.linspace(1.9, student.ppf(1 - level / 2, df) * 1.001, 150)
    p_values = behrens_fisher_p(values, shares_of_it[:, np.newaxis], df, 1e9)
    return shares_of_it, np.array([np.interp(-level, -row, values) for row in p_values])
