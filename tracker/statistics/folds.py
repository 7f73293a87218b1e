"""What cross-validation folds say of a difference, whose training sets overlap."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tracker.statistics.crossed import NOTHING, Effect, constant_effect, t_effect

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST_FOLDS = 3
"""Below it a variance over folds says next to nothing."""


def nadeau_bengio(differences: NDArray[np.float64], n_train: float, n_validation: float) -> Effect:
    """Test a mean difference over folds by the corrected resampled t-test.

    Parameters
    ----------
    differences : ndarray, shape (k,)
        The mean difference of each fold.
    n_train, n_validation : float, clips, above 0
        Clips that a fold trains and validates on, on average.

    Returns
    -------
    Effect
        t = mean / √((1 / k + n_validation / n_train) s²) with k - 1 degrees of freedom. Where all folds agree exactly,
        p is that of a sign test over the folds.

    Raises
    ------
    ValueError
        If there are fewer than three folds, or a number of clips is not above 0.

    References
    ----------
    Nadeau, C. and Bengio, Y. (2003). Inference for the generalization error. Machine Learning 52, 239-281.
    doi:10.1023/A:1024068626366
    """
    k = len(differences)
    if k < FEWEST_FOLDS:
        raise ValueError(f"a test over folds needs at least {FEWEST_FOLDS} of them, got {k}")
    if not (n_train > 0 and n_validation > 0):
        raise ValueError(f"folds must train and validate on clips, got {n_train} and {n_validation}")
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    if deviation <= NOTHING:
        return constant_effect(mean, k, round(k * n_validation))
    return t_effect(mean, deviation * math.sqrt(1 / k + n_validation / n_train), k - 1)
