from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from tracker.statistics.proportions import coin_cdf, pmf


class TestCoinCdf:
    def test_is_scipys_from_minus_one_to_n(self):
        for n in (0, 1, 2, 7, 30, 1_001):
            k = np.arange(-1, n + 1)
            assert coin_cdf(k, np.full(n + 2, n)) == pytest.approx(binom.cdf(k, n, 0.5), rel=1e-12, abs=0)

    def test_of_few_throws_is_exact(self):
        assert coin_cdf(np.array([0, 0]), np.array([4, 5])).tolist() == [0.0625, 0.03125]


class TestPmf:
    @pytest.mark.parametrize("share", [0.0, 0.03, 0.5, 1.0])
    def test_is_scipys(self, share):
        for n in (1, 30, 5_000):
            k = np.arange(n + 1)
            assert pmf(k, n, share) == pytest.approx(binom.pmf(k, n, share), rel=1e-9, abs=1e-300)
