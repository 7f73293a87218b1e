"""Tango's score interval of a paired difference, for many pairs of counts at once.

Conventions: as in `paired`: b and c count the clips that only the first or only the second model has right, and the
difference is (b - c) / n.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BISECTIONS = 48
"""Halvings of an interval of at most 2 down to 1e-14."""


def score_intervals(
    b: NDArray[np.number], c: NDArray[np.number], n: int, z: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the score of a true difference is within ±z.

    Parameters
    ----------
    b, c : ndarray, shape (m,)
        Discordant clips, of `n` each time; they need not be whole.
    n : int
    z : float
        A normal quantile.

    Returns
    -------
    tuple of ndarray, shape (m,) each
        The lower and the upper ends.

    References
    ----------
    Tango, T. (1998). Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design. Statistics in Medicine 17, 891-908.
    doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B
    """
    ahead, behind = np.asarray(b, dtype=np.float64), np.asarray(c, dtype=np.float64)
    inside = np.stack([(ahead - behind) / n] * 2)  # the estimate, whose score is 0
    outside = np.stack([np.full(ahead.shape, -1.0), np.full(ahead.shape, 1.0)])
    for _ in range(BISECTIONS):
        middle = (outside + inside) / 2
        beyond = _is_beyond(ahead, behind, n, middle, z)
        outside, inside = np.where(beyond, middle, outside), np.where(beyond, inside, middle)
    low, high = (outside + inside) / 2
    return low, high


def _is_beyond(
    b: NDArray[np.float64], c: NDArray[np.float64], n: int, difference: NDArray[np.float64], z: float
) -> NDArray[np.bool_]:
    """Tell where the score of a true `difference` is farther from 0 than z.

    Its variance takes the share of clips that only the second model has right at the restricted maximum likelihood,
    the larger root of a quadratic equation.
    """
    spread = difference * (1 - difference)
    linear = (2 * n - b + c) * difference - b - c
    root = np.sqrt(np.maximum(linear**2 + 8 * n * c * spread, 0.0))
    variance = (root - linear) / 2 + n * spread
    beyond: NDArray[np.bool_] = (b - c - n * difference) ** 2 > z**2 * variance
    return beyond
