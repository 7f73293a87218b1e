"""Whether the best of several runs is the best, after having been chosen for looking so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def is_best(p_values: NDArray[np.float64], alpha: float = 0.05) -> bool:
    """Whether the best is verified: its test against every other, the runner-up included, gives p ≤ `alpha`.

    No correction is due: the winner is the best with an error of at most `alpha`, although it was chosen by looking.

    Parameters
    ----------
    p_values : ndarray, shape (k - 1,)
        Two-sided and unadjusted, of the best against each of the others.
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
