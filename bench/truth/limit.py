"""The crossed analysis where clips are endlessly many and pairs are not: how often it claims what is not there.

Then the part of the variance that clips have is known, and what is left is how the few pairs happened to differ: MS_P
is σ² χ² / (r − 1), the estimate is normal with variance σ² + c, and a share follows from one integral.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import scipy

from tracker.statistics.matched_pairs import behrens_fisher_p, degrees_of_freedom

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ENDLESS = 10**9
"""Degrees of freedom of what is known."""

_SHARES = np.array([0.02, *np.arange(0.05, 1.0, 0.05), 0.99])
"""What part of the variance is from pair to pair, σ² / (σ² + c)."""

_QUANTILES = (np.arange(5_000) + 0.5) / 5_000


Rule = Callable[["NDArray[np.float64]", int, float], "NDArray[np.float64]"]
"""The critical value of t by the share of the variance that is from pair to pair, the pairs and the level."""


def hillis(share: NDArray[np.float64], pairs: int, level: float) -> NDArray[np.float64]:
    """Return Student's critical values with (r - 1) (V / MS_P)² degrees of freedom."""
    return _students((pairs - 1) / share**2, level)


def linear(share: NDArray[np.float64], pairs: int, level: float) -> NDArray[np.float64]:
    """Return Student's critical values with (r - 1) V / MS_P degrees of freedom."""
    return _students((pairs - 1) / share, level)


def reported(share: NDArray[np.float64], pairs: int, level: float) -> NDArray[np.float64]:
    """Return Student's critical values with the degrees of freedom of the report, interpolated."""
    shares = np.linspace(1e-6, 1, 2_001)
    inverse = np.array([1 / degrees_of_freedom(pairs, _ENDLESS, each) for each in shares.tolist()])
    return _students(1 / np.interp(share, shares, inverse), level)


def cochran(share: NDArray[np.float64], pairs: int, level: float) -> NDArray[np.float64]:
    """Return Cochran's critical values: the mean of those of the two parts, weighted by them."""
    of_pairs, of_clips = scipy.special.stdtrit([pairs - 1, _ENDLESS], 1 - level / 2).tolist()
    critical: NDArray[np.float64] = share * of_pairs + (1 - share) * of_clips
    return critical


def both_t_tests(share: NDArray[np.float64], pairs: int, level: float) -> NDArray[np.float64]:
    """Return what t has to exceed for t-tests over pairs and over clips both to reject, if no training is of its own.

    Then the mean squares of pairs and of clips are the two parts of the variance.
    """
    of_pairs, of_clips = scipy.special.stdtrit([pairs - 1, _ENDLESS], 1 - level / 2).tolist()
    critical: NDArray[np.float64] = np.maximum(of_pairs * np.sqrt(share), of_clips * np.sqrt(1 - share))
    return critical


def behrens_fisher(share: NDArray[np.float64], pairs: int, level: float) -> NDArray[np.float64]:
    """Return the critical values of Behrens and Fisher, interpolated."""
    shares, most = np.linspace(0, 1, 41), scipy.special.stdtrit(pairs - 1, 1 - level / 2)
    values = np.geomspace(1.9, 1.001 * most, 40)  # a level of at most 5% is reached beyond the first
    p_values = np.log(behrens_fisher_p(values, shares[:, np.newaxis], pairs - 1, _ENDLESS))
    found: NDArray[np.float64] = np.interp(share, shares, [np.interp(-np.log(level), -row, values) for row in p_values])
    return found


@functools.cache
def false_claims(pairs: int, rule: Rule, level: float = 0.05) -> tuple[float, float]:
    """Return the smallest and the largest share of null experiments called significant, over all `_SHARES`.

    Parameters
    ----------
    pairs : int, at least 2
    rule : callable
    level : float
        Of the test.
    """
    spread = 2 * scipy.special.gammaincinv((pairs - 1) / 2, _QUANTILES) / (pairs - 1)
    rows = _SHARES[:, np.newaxis] * spread
    variance = rows + 1 - _SHARES[:, np.newaxis]
    claimed = 2 * scipy.special.ndtr(-rule(rows / variance, pairs, level) * np.sqrt(variance)).mean(axis=1)
    return float(claimed.min()), float(claimed.max())


def _students(df: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    critical: NDArray[np.float64] = scipy.special.stdtrit(df, 1 - level / 2)
    return critical
