"""Corrections for testing many hypotheses at once, and the test of whether the best run really is the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def holm(p_values: NDArray[np.float64], m: int | None = None) -> NDArray[np.float64]:
    """Adjust p-values by Holm's step-down method.

    Parameters
    ----------
    p_values : ndarray, shape (k,)
        Raw p-values, from 0 to 1.
    m : int or None, at least k
        Number of tests in the family; those not computed count as p = 1. None: k.

    Returns
    -------
    ndarray, shape (k,)
        Adjusted p-values in the order of `p_values`; reject those that are at most the family-wise level.

    Raises
    ------
    ValueError
        If `m` is below k, or a p-value is NaN or out of range.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6,
    65-70. https://www.jstor.org/stable/4615733
    """
    family = len(p_values) if m is None else m
    if family < len(p_values):
        raise ValueError(f"a family must have at least as many tests as p-values ({len(p_values)}), got {family}")
    if not np.all((p_values >= 0) & (p_values <= 1)):
        raise ValueError("p-values must be from 0 to 1")
    order = np.argsort(p_values, kind="stable")
    stepped = p_values[order] * (family - np.arange(len(p_values)))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def is_best(p_values: NDArray[np.float64], alpha: float = 0.05) -> bool:
    """Return whether the best run is verified: its tests against all others, the runner-up included, give p ≤ `alpha`.

    No correction is needed: the winner is the best with an error of at most `alpha`, although the data chose it.

    Parameters
    ----------
    p_values : ndarray, shape (k - 1,)
        Two-sided and unadjusted, of the best against each of the others.
    alpha : float

    Returns
    -------
    bool
        False if there is no other run.

    References
    ----------
    Hung, K. and Fithian, W. (2019). Rank verification for exponential families. Annals of Statistics 47, 758-782.
    doi:10.1214/17-AOS1634
    """
    return bool(len(p_values) and p_values.max() <= alpha)
