"""Sign-flip test and bootstrap-t interval of a mean difference over clips, or over groups of clips.

Neither assumes a distribution. `scipy.stats` has a permutation test, and the tests compare this one with it; but it
takes a second to import, and another second per pair of models on a thousand clips, where this takes milliseconds.

Conventions: `net` is the sum of the differences in each group, `sizes` the number of clips in each group; without
groups, every clip is a group of one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tracker.statistics.proportions import Interval

PERMUTATIONS = 4_999
"""Random sign patterns, if there are too many to try all; with the observed one, p is a multiple of 1/5000."""

RESAMPLES = 999
"""Bootstrap draws: the interval reaches the 950th smallest distance, so 50 lie beyond it."""

BLOCK = 2**17
"""Numbers per block: 1 MB, which fits a processor's cache."""

TIE = 1e-12
"""Relative difference below which two sums of the same numbers in different order count as equal."""


def sign_flip_p(net: NDArray[np.float64], rng: np.random.Generator) -> float:
    """Return the two-sided p-value of a sign-flip permutation test of a mean of 0.

    Parameters
    ----------
    net : ndarray, shape (n_groups,)
    rng : numpy.random.Generator

    Returns
    -------
    float
        Exact if all sign patterns can be tried, otherwise from random ones.

    References
    ----------
    Phipson, B. and Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical Applications in Genetics
    and Molecular Biology 9, 39. doi:10.2202/1544-6115.1585
    """
    threshold = abs(net.sum()) - TIE * np.abs(net).sum()
    exact = 2 ** min(len(net), 63) <= PERMUTATIONS
    patterns = _all_signs(len(net)) if exact else _random_signs(len(net), rng)
    as_far = sum(int((np.abs(2 * (signs @ net) - net.sum()) >= threshold).sum()) for signs in patterns)
    return as_far / 2 ** len(net) if exact else (as_far + 1) / (PERMUTATIONS + 1)


def bootstrap_t_interval(
    net: NDArray[np.float64], sizes: NDArray[np.float64], rng: np.random.Generator
) -> Interval | None:
    """Return the symmetric bootstrap-t interval of Σ net / Σ sizes, at 95 %.

    The half width is a number of standard errors: the 95th percentile of how far resampled estimates lie from this one,
    each in standard errors of its own. Standard errors are those of the linearised ratio.

    Simulated coverage with the log-loss of two models on 30 to 300 clips: 95 % on average, 92 % at worst; with clips in
    10 to 30 groups 96 % and 94 %; if one model is sure of its mistakes, so that few clips make the difference, 94 % and
    91 %, in groups 92 % and 90 %. The bias-corrected and accelerated interval, 6 % shorter (20 % in groups), covers
    92.5 %, 89 %, 92.5 % and 88 % on average, and 82 % at worst.

    Parameters
    ----------
    net, sizes : ndarray, shape (n_groups,)
    rng : numpy.random.Generator

    Returns
    -------
    tuple of float or None
        None if all groups have the same mean difference, or if so few differ that one resample in twenty contains none
        of them: then there is no variation to resample.

    References
    ----------
    Hall, P. (1988). Theoretical comparison of bootstrap confidence intervals. Annals of Statistics 16, 927-953.
    doi:10.1214/aos/1176350933

    Hall, P. (1988). On symmetric bootstrap confidence intervals. Journal of the Royal Statistical Society B 50, 35-45.
    """
    n, estimate = len(net), net.sum() / sizes.sum()
    residuals = net - estimate * sizes
    if np.abs(residuals).max() <= TIE * np.abs(net).max():
        return None
    distances = np.concatenate(list(_bootstrap_t(residuals, rng)))
    farthest = np.sort(distances)[round(0.95 * (RESAMPLES + 1)) - 1]
    if not np.isfinite(farthest):
        return None
    half = farthest * math.sqrt(n / (n - 1) * (residuals**2).sum()) / sizes.sum()
    return float(estimate - half), float(estimate + half)


def _all_signs(n: int) -> Iterator[NDArray[np.float64]]:
    """Yield every pattern of 0 and 1, shape (2**n, n)."""
    yield ((np.arange(2**n)[:, np.newaxis] >> np.arange(n)) & 1).astype(np.float64)


def _random_signs(n: int, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Yield random patterns of 0 and 1, shape (rows, n), in blocks that fit into memory."""
    for rows in _blocks(PERMUTATIONS, n):
        packed = rng.integers(0, 256, size=(rows, (n + 7) // 8), dtype=np.uint8)
        yield np.unpackbits(packed, axis=1, count=n).astype(np.float64)


def _bootstrap_t(residuals: NDArray[np.float64], rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Yield how far resampled sums of residuals are from 0, in standard errors; infinite if nothing varies."""
    n = len(residuals)
    for rows in _blocks(RESAMPLES, n):
        drawn = residuals[rng.integers(0, n, size=(rows, n))]
        total = drawn.sum(axis=1)
        squares = np.einsum("ij,ij->i", drawn, drawn)
        variance = squares - total**2 / n
        varies = variance > TIE * squares
        error = np.sqrt(n / (n - 1) * variance, where=varies, out=np.ones(rows))
        yield np.where(varies, np.abs(total) / error, np.inf)


def _blocks(total: int, width: int) -> Iterator[int]:
    """Yield block sizes, in rows of `width`, that add up to `total`."""
    block = max(1, BLOCK // width)
    for start in range(0, total, block):
        yield min(block, total - start)
