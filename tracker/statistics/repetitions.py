"""What an analysis over repetitions could have shown, and what more repetitions would show.

Conventions: as in `crossed`. Both answers plan ahead from the spread in a few repetitions, and are as rough as that.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

import scipy

from tracker.statistics.crossed import NOTHING, degrees_of_freedom, mean_squares

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tracker.statistics.crossed import Effect

FEWEST_PAIRS = 3
"""With fewer the spread between pairs says next to nothing."""

FARTHEST = 20.0
"""Standard errors beyond which nothing is missed (a chance under 1e-8) and scipy's distribution may give NaN."""

MOST_PAIRS = 1_000
"""More matched pairs than anybody trains."""


def detectable_effect(effect: Effect, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """Return the smallest true difference that an analysis as precise as this one finds with the wanted power.

    Parameters
    ----------
    effect : Effect
    power, alpha : float, above 0 and below 1

    Returns
    -------
    float or None
        None where nothing varied, so that there is no measure of the precision.

    Raises
    ------
    ValueError
        If `power` or `alpha` is out of its range.
    """
    _check(power, alpha)
    if effect.standard_error == 0:
        return None
    threshold = scipy.special.stdtrit(effect.df, 1 - alpha / 2)
    return effect.standard_error * float(scipy.special.nctdtrinc(effect.df, 1 - power, threshold))


def pairs_needed(
    entries: NDArray[np.float64], difference: float, power: float = 0.8, alpha: float = 0.05
) -> int | None:
    """Return how many matched pairs the crossed analysis needs on these clips to find a difference.

    Parameters
    ----------
    entries : ndarray, shape (r, n)
        The matched pairs there are, as for `crossed.crossed`.
    difference : float, not 0
        The true difference to find.
    power, alpha : float, above 0 and below 1

    Returns
    -------
    int or None
        Pairs in all, at least 3. None where no number of pairs will do: then the clips are too few (`columns_needed`).

    Raises
    ------
    ValueError
        If there are fewer than two pairs or two clips, or another argument is out of its range.

    References
    ----------
    Hillis, S. L. (2007). A comparison of denominator degrees of freedom methods for multiple observer ROC analysis.
    Statistics in Medicine 26, 596-619. doi:10.1002/sim.2532
    """
    _check(power, alpha)
    if difference == 0:
        raise ValueError("no number of pairs shows a difference of 0")
    squares, (r, n) = mean_squares(entries), entries.shape
    steady = squares.rows <= NOTHING
    rows = squares.residual if steady else squares.rows
    clips = max(squares.columns - squares.residual, 0.0) / r

    def enough(pairs: int) -> bool:
        variance = rows + pairs * clips
        if variance <= NOTHING:
            return True
        df = n - 1 if steady else degrees_of_freedom(pairs, variance / rows)
        return _t_power(abs(difference) / math.sqrt(variance / (pairs * n)), df, alpha) >= power

    found = bisect_left(range(MOST_PAIRS + 1), x=True, lo=FEWEST_PAIRS, key=enough)
    return found if found <= MOST_PAIRS else None


def columns_needed(entries: NDArray[np.float64], difference: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Return how many clips like these (or groups) it takes to find a difference with as many pairs as one likes.

    Parameters
    ----------
    entries, difference, power, alpha
        As for `pairs_needed`.

    Returns
    -------
    int
        At least 2. What clips differ in for all trainings does not go away with more of these.

    Raises
    ------
    ValueError
        As `pairs_needed`.
    """
    _check(power, alpha)
    if difference == 0:
        raise ValueError("no number of clips shows a difference of 0")
    squares = mean_squares(entries)
    clips = max(squares.columns - squares.residual, 0.0) / len(entries)
    shift = float(scipy.special.ndtri(1 - alpha / 2) + scipy.special.ndtri(power))
    return max(2, math.ceil(clips * (shift / difference) ** 2))


def _t_power(shift: float, df: float, alpha: float) -> float:
    """Return the chance that t passes its threshold on the right side where it is `shift` standard errors from 0."""
    threshold = scipy.special.stdtrit(df, 1 - alpha / 2)
    return float(1 - scipy.special.nctdtr(df, min(shift, FARTHEST), threshold))


def _check(power: float, alpha: float) -> None:
    for name, value in (("the power", power), ("alpha", alpha)):
        if not 0 < value < 1:
            raise ValueError(f"{name} must be above 0 and below 1, got {value}")
