"""Whether the best of several runs is the best, after having been chosen for looking so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracker.statistics.paired import group_net, grouped_sign_flip, mcnemar_many

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracker.statistics.groups import Groups


def against_others(right: NDArray[np.bool_], best: int, groups: Groups | None = None) -> NDArray[np.float64]:
    """Test one run against each of the others by the exact two-sided test.

    Parameters
    ----------
    right : ndarray of bool, shape (k, n)
        k runs on the same n clips.
    best : int
        The row of the best.
    groups : sequence of hashable, length n, or None
        With groups the sign-flip test over them takes the place of McNemar's.

    Returns
    -------
    ndarray, shape (k - 1,)
        Unadjusted p-values, in the order of the other rows.

    Raises
    ------
    ValueError
        If `best` is not a row, or there is not one group for each clip.
    """
    if not 0 <= best < len(right):
        raise ValueError(f"the best must be one of {len(right)} runs, got {best}")
    others = np.delete(right, best, axis=0)
    if groups is not None:
        return np.array([grouped_sign_flip(group_net(right[best], other, groups)) for other in others])
    return mcnemar_many((right[best] & ~others).sum(axis=1), (others & ~right[best]).sum(axis=1))


def is_best(p_values: NDArray[np.float64], alpha: float = 0.05) -> bool:
    """Whether the best is verified: its test against every other, the runner-up included, gives p ≤ `alpha`.

    No correction is due: the winner is the best with an error of at most `alpha`, although it was chosen by looking.

    Parameters
    ----------
    p_values : ndarray, shape (k - 1,)
        Two-sided and unadjusted, as by `against_others`.
    alpha : float

    Returns
    -------
    bool
        False where there is no other run.

    References
    ----------
    Hung, K. and Fithian, W. (2019). Rank verification for exponential families. Annals of Statistics 47, 758-782.
    doi:10.1214/17-AOS1634
    """
    return bool(len(p_values) and p_values.max() <= alpha)
