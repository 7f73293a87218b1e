"""A mean difference over clips, or over groups of them, without assuming how it is distributed.

`scipy.stats` has both methods, and the tests hold these against it; but it takes a second to import and its
permutation test another second for each pair of models on a thousand clips, where this takes milliseconds.

Conventions: `net` is the sum of the differences in each group and `sizes` the group's number of clips; a clip on its
own is a group of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tracker.statistics.proportions import Interval

PERMUTATIONS = 4_999
"""Sign patterns that are drawn where there are too many to try all; with the one at hand p is a multiple of 1/5000."""

RESAMPLES = 1_999
"""Bootstrap draws: some 50 of them lie beyond each end of the interval."""

BLOCK = 2**21
"""Numbers held at a time: 16 MB."""

TIE = 1e-12
"""Relative difference up to which two sums of the same numbers in another order are equal."""


def sign_flip_p(net: NDArray[np.float64], rng: np.random.Generator) -> float:
    """Return the two-sided p-value of a sign-flip permutation test of a mean of 0.

    Parameters
    ----------
    net : ndarray, shape (n_groups,)
    rng : numpy.random.Generator

    Returns
    -------
    float
        Exact where all sign patterns are few enough to try them, else by random ones.

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


def bca_interval(net: NDArray[np.float64], sizes: NDArray[np.float64], rng: np.random.Generator) -> Interval | None:
    """Return the bias-corrected and accelerated bootstrap interval of Σ net / Σ sizes, at 95 %.

    Parameters
    ----------
    net, sizes : ndarray, shape (n_groups,)
    rng : numpy.random.Generator

    Returns
    -------
    tuple of float or None
        None where all groups have the same mean difference: nothing varies to resample.

    References
    ----------
    Efron, B. (1987). Better bootstrap confidence intervals. Journal of the American Statistical Association 82,
    171-185. doi:10.1080/01621459.1987.10478410
    """
    if np.ptp(net / sizes) <= TIE * np.abs(net / sizes).max():
        return None
    estimate = net.sum() / sizes.sum()
    drawn = np.concatenate(list(_bootstrap_means(net, sizes, rng)))
    bias = scipy.special.ndtri(((drawn < estimate).mean() + (drawn <= estimate).mean()) / 2)
    left_out = (net.sum() - net) / (sizes.sum() - sizes)
    pull = left_out.mean() - left_out
    pull /= np.abs(pull).max()
    acceleration = (pull**3).sum() / (6 * (pull**2).sum() ** 1.5)
    shifted = bias + scipy.special.ndtri([0.025, 0.975])
    low, high = np.quantile(drawn, scipy.special.ndtr(bias + shifted / (1 - acceleration * shifted)))
    return float(low), float(high)


def _all_signs(n: int) -> Iterator[NDArray[np.float64]]:
    """Yield every pattern of 0 and 1, shape (2**n, n)."""
    yield ((np.arange(2**n)[:, np.newaxis] >> np.arange(n)) & 1).astype(np.float64)


def _random_signs(n: int, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Yield random patterns of 0 and 1, shape (rows, n), in blocks that fit into memory."""
    for rows in _blocks(PERMUTATIONS, n):
        packed = rng.integers(0, 256, size=(rows, (n + 7) // 8), dtype=np.uint8)
        yield np.unpackbits(packed, axis=1, count=n).astype(np.float64)


def _bootstrap_means(
    net: NDArray[np.float64], sizes: NDArray[np.float64], rng: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    n = len(net)
    for rows in _blocks(RESAMPLES, n):
        drawn = rng.integers(0, n, size=(rows, n))
        yield net[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)


def _blocks(total: int, width: int) -> Iterator[int]:
    """Yield how many rows of `width` to take at a time, `total` in all."""
    block = max(1, BLOCK // width)
    for start in range(0, total, block):
        yield min(block, total - start)
