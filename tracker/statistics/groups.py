"""Clips that share an artist, a recording or a speaker, as small integers.

Convention: group codes count from 0 in the order in which the groups first appear.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Groups = Sequence[Hashable] | NDArray[np.int64]


def group_codes(groups: Groups, n: int) -> NDArray[np.int64]:
    """Return a number for each clip's group.

    Parameters
    ----------
    groups : sequence of hashable, length n
        The group of each clip.
    n : int
        Number of clips.

    Returns
    -------
    ndarray of int, shape (n,)
        Codes from 0; equal for clips of the same group.

    Raises
    ------
    ValueError
        If there is not exactly one group per clip.
    """
    if len(groups) != n:
        raise ValueError(f"there must be one group for each of {n} clips, got {len(groups)}")
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)


def group_sums(values: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum the clips of each group.

    Parameters
    ----------
    values : ndarray, shape (..., n)
    codes : ndarray of int, shape (n,)
        As `group_codes` returns; at least one.

    Returns
    -------
    ndarray, shape (..., n_groups)
    """
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    sums: NDArray[np.float64] = np.add.reduceat(values[..., order], starts, axis=-1)
    return sums


def effective_groups(sizes: NDArray[np.float64]) -> float:
    """Return the effective number of groups: how many of equal size would leave a mean as uncertain as these.

    Parameters
    ----------
    sizes : ndarray, shape (n_groups,)
        Number of clips in each group; at least two groups.

    Returns
    -------
    float
        (Σ sizes)² / Σ sizes², which is `n_groups` if all sizes are equal; at least 2.

    References
    ----------
    Carter, A. V., Schnepel, K. T. and Steigerwald, D. G. (2017). Asymptotic behavior of a t-test robust to cluster
    heterogeneity. Review of Economics and Statistics 99, 698-709. doi:10.1162/REST_a_00639
    """
    return max(2.0, float(sizes.sum() ** 2 / (sizes**2).sum()))
