from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from tracker.statistics.proportions import score_intervals, two_sided_z

Z = two_sided_z(0.95)


def likeliest_nuisance(b: int, c: int, n: int, difference: float) -> float:
    """The share of clips that only the second has right, by maximising the trinomial likelihood."""

    def minus_log_likelihood(q: float) -> float:
        shares = np.array([q + difference, q, 1 - 2 * q - difference])
        seen = np.array([b, c, n - b - c])
        return -float((seen * np.log(np.maximum(shares, 1e-300)))[seen > 0].sum())

    least, most = max(0.0, -difference), (1 - difference) / 2
    return float(minimize_scalar(minus_log_likelihood, bounds=(least, most), method="bounded").x)


class TestScoreIntervals:
    @pytest.mark.parametrize(("b", "c", "n"), [(1, 7, 21), (2, 1, 30), (5, 4, 30), (40, 12, 300)])
    def test_end_where_the_score_is_z(self, b, c, n):
        for end, sign in zip(score_intervals(np.array([b]), np.array([c]), n, Z), (1, -1), strict=True):
            difference = float(end[0])
            q = likeliest_nuisance(b, c, n, difference)
            deviation = np.sqrt(n * (2 * q + difference * (1 - difference)))
            assert sign * (b - c - n * difference) / deviation == pytest.approx(Z, abs=1e-4)

    def test_of_many_pairs_are_those_of_each(self):
        b, c = np.array([0, 3, 17]), np.array([0, 9, 4])
        low, high = score_intervals(b, c, 40, Z)
        for i in range(3):
            alone = score_intervals(b[i : i + 1], c[i : i + 1], 40, Z)
            assert (low[i], high[i]) == (alone[0][0], alone[1][0])
