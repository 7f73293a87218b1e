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
        beyond = np.abs(_score(ahead, behind, n, middle)) > z
        outside, inside = np.where(beyond, middle, outside), np.where(beyond, inside, middle)
    low, high = (outside + inside) / 2
    return low, high


def _score(
    b: NDArray[np.float64], c: NDArray[np.float64], n: int, difference: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the score of a true `difference`, its nuisance parameter at the restricted maximum likelihood."""
    linear = (2 * n - b + c) * difference - b - c
    constant = -c * difference * (1 - difference)
    nuisance = (np.sqrt(np.maximum(linear**2 - 8 * n * constant, 0.0)) - linear) / (4 * n)
    variance = n * (2 * nuisance + difference * (1 - difference))
    with np.errstate(divide="ignore", invalid="ignore"):
        score: NDArray[np.float64] = (b - c - n * difference) / np.sqrt(np.maximum(variance, 0.0))
    return score
