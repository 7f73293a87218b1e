"""Several configurations on several data sets: their ranks, whether they differ at all, and which pairs do.

A data set is one observation: its difficulty, and how well its scores are known, say nothing about the next one. So the
tests are over data sets, with one score for each configuration on each. Matrices have the shape (data sets,
configurations). Ranks count from 1, the best, and equal scores share the mean of their ranks.

Which pairs differ is decided by Wilcoxon's signed-rank test, not by mean ranks: whether two configurations differ in
mean rank depends on the others that happen to be compared (Benavoli, Corani and Mangili 2016).

References
----------
Demšar, J. (2006). Statistical comparisons of classifiers over multiple data sets. Journal of Machine Learning Research
7, 1-30. https://jmlr.org/papers/v7/demsar06a.html
García, S. and Herrera, F. (2008). An extension on "Statistical comparisons of classifiers over multiple data sets" for
all pairwise comparisons. Journal of Machine Learning Research 9, 2677-2694. https://jmlr.org/papers/v9/garcia08a.html
Benavoli, A., Corani, G. and Mangili, F. (2016). Should we really use post-hoc tests based on mean-ranks? Journal of
Machine Learning Research 17(5), 1-10. https://jmlr.org/papers/v17/benavoli16a.html
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import comb, sqrt
from typing import TYPE_CHECKING

import numpy as np
import scipy

from tracker.statistics.grouped import fewest_groups, grouped_sign_flip

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIGITS = 9  # significant, of a score: means of the same values added up in another order are equal


def ranks(scores: NDArray[np.float64], *, lower_is_better: bool = False) -> NDArray[np.float64]:
    """Return the rank of each configuration on each data set."""
    rounded = np.array([[float(f"{score:.{_DIGITS}g}") for score in row] for row in scores]).reshape(scores.shape)
    found: NDArray[np.float64] = scipy.stats.rankdata(rounded if lower_is_better else -rounded, axis=1)
    return found


@dataclass(frozen=True, slots=True)
class Friedman:
    """Friedman's test, and its form after Iman and Davenport.

    That form finds more, but up to 7% of what does not exist with six to eight data sets, where Friedman's own holds
    its 5%.
    """

    chi_square: float  # corrected for equal scores
    p_value: float  # of `chi_square`, on k - 1 degrees of freedom
    f: float  # after Iman and Davenport; infinite if every data set has the same order
    f_p_value: float  # on k - 1 and (k - 1)(N - 1) degrees of freedom


def friedman(of_ranks: NDArray[np.float64]) -> Friedman:
    """Test whether configurations differ in any way, given their ranks; p = 1 if all scores are equal.

    References
    ----------
    Iman, R. L. and Davenport, J. M. (1980). Approximations of the critical region of the Friedman statistic.
    Communications in Statistics 9, 571-595. doi:10.1080/03610928008827904
    """
    n, k = of_ranks.shape
    spread = float(((of_ranks - (k + 1) / 2) ** 2).sum())
    if not spread:
        return Friedman(0.0, 1.0, 0.0, 1.0)
    sums = of_ranks.sum(axis=0) - n * (k + 1) / 2
    chi_square = (k - 1) * float((sums**2).sum()) / spread
    p_value, rest = float(scipy.stats.chi2.sf(chi_square, k - 1)), n * (k - 1) - chi_square
    if rest <= 1e-9 * n * k:
        return Friedman(chi_square, p_value, np.inf, 0.0)
    f = (n - 1) * chi_square / rest
    return Friedman(chi_square, p_value, f, float(scipy.stats.f.sf(f, k - 1, (k - 1) * (n - 1))))


@cache
def critical_difference(k: int, n: int, alpha: float = 0.05) -> float:
    """Return Nemenyi's critical difference of the mean ranks of `k` configurations over `n` data sets."""
    quantile = float(scipy.stats.studentized_range.ppf(1 - alpha, k, np.inf))
    return quantile / sqrt(2) * sqrt(k * (k + 1) / (6 * n))


def signed_rank(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the exact two-sided p-value of Wilcoxon's signed-rank test of paired scores; equal ones are dropped.

    It is at least 2^(1 - n) for `n` data sets that differ, so that significance at 0.05 takes six.

    References
    ----------
    Wilcoxon, F. (1945). Individual comparisons by ranking methods. Biometrics Bulletin 1, 80-83. doi:10.2307/3001968
    """
    scale = np.maximum(np.abs(first), np.abs(second))
    differences = first - second
    differences = np.where(np.abs(differences) <= scale * 10.0**-_DIGITS, 0.0, differences)
    informative = differences[differences != 0]
    if not len(informative):
        return 1.0
    sizes = np.array([float(f"{size:.{_DIGITS}g}") for size in np.abs(informative)])
    doubled = np.rint(2 * scipy.stats.rankdata(sizes)).astype(np.int64)
    return grouped_sign_flip(np.sign(informative).astype(np.int64) * doubled)


def adjusted_for_all_pairs(p_values: NDArray[np.float64], k: int, overall: float) -> NDArray[np.float64]:
    """Adjust the p-values of every pair of `k` configurations by Shaffer's static procedure after a test of all.

    It is Holm's, but counts only as many hypotheses as can still be true together. Once the overall test says that not
    all of three configurations are equal, at most one pair of them is.

    Parameters
    ----------
    p_values : ndarray, shape (k (k - 1) / 2,)
        Raw p-values, one for each pair in any order.
    overall : float
        The p-value of the hypothesis that all are equal, which no adjusted one falls below; unused for a single pair.

    References
    ----------
    Shaffer, J. P. (1986). Modified sequentially rejective multiple test procedures. Journal of the American
    Statistical Association 81, 826-831. doi:10.1080/01621459.1986.10478341
    """
    pairs = comb(k, 2)
    if len(p_values) != pairs:
        raise ValueError(f"{k} configurations have {pairs} pairs, got {len(p_values)} p-values")
    order = np.argsort(p_values, kind="stable")
    possible = np.array(sorted(_true_together(k)))
    remaining = pairs - np.arange(pairs)
    most = possible[np.searchsorted(possible, remaining, side="right") - 1]
    if k > 2:
        most = np.minimum(most, comb(k - 1, 2))
    adjusted = np.empty(pairs)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * np.maximum(most, 1)), 1.0)
    return adjusted if k == 2 else np.maximum(adjusted, overall)


def fewest_for_a_pair(k: int, alpha: float) -> int:
    """Return the fewest data sets with which two of `k` configurations can differ after correction."""
    return fewest_groups(alpha / max(1, comb(k - 1, 2)))


@cache
def _true_together(k: int) -> frozenset[int]:
    """Return how many of the pairs of `k` configurations can be equal while no other pair is."""
    return frozenset({0}.union(*({comb(j, 2) + rest for rest in _true_together(k - j)} for j in range(2, k + 1))))
