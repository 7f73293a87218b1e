"""The binomial distribution by closed forms, which are exact and spare the import of `scipy.stats`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy

if TYPE_CHECKING:
    from numpy.typing import NDArray


def coin_cdf(k: NDArray[np.integer], n: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the chance of at most `k` heads in `n` throws of a fair coin.

    Parameters
    ----------
    k, n : ndarray of int, of one shape, -1 ≤ k ≤ n

    Returns
    -------
    ndarray, of the same shape
    """
    chances: NDArray[np.float64] = np.where(
        (k >= 0) & (k < n), scipy.special.betainc(np.maximum(n - k, 1), np.maximum(k + 1.0, 1.0), 0.5), k >= n
    )
    return chances


def pmf(k: NDArray[np.integer], n: int, share: float) -> NDArray[np.float64]:
    """Return the chance of exactly `k` of `n`, each with a chance of `share`, 0 ≤ k ≤ n; of the shape of `k`."""
    ways = scipy.special.gammaln(n + 1) - scipy.special.gammaln(k + 1) - scipy.special.gammaln(n - k + 1)
    chances: NDArray[np.float64] = np.exp(ways + scipy.special.xlogy(k, share) + scipy.special.xlog1py(n - k, -share))
    return chances
