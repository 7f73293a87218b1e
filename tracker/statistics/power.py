"""Power of McNemar's exact test: what a number of clips can detect.

Conventions: `difference` is the true difference of two models' accuracies, `discordance` the fraction of clips that
exactly one of them has correct, both as fractions. A difference needs at least as much discordance: a smaller value is
raised to it. Power counts both directions, as the test does.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np
import scipy

from tracker.statistics.proportions import check_open, coin_cdf, pmf

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPREADS = 9  # standard deviations of discordant clips that are summed: leaves out a probability of 1e-18
MOST_EXACT = 100_000  # clips above which the normal approximation is within half a percent
RESOLUTION = 1e-5  # of a detectable difference: a thousandth of a point


def mcnemar_power(n: int, difference: float, discordance: float, alpha: float = 0.05) -> float:
    """Return the power of McNemar's exact test: the probability that it detects a difference.

    Parameters
    ----------
    n : int, at least 1
        Clips.
    difference : float, from -1 to 1
    discordance : float, from 0 to 1
    alpha : float, above 0 and below 1
        Significance level.

    Returns
    -------
    float
        Averaged over the possible numbers of discordant clips.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    Duffy, S. W. (1984). Asymptotic and exact power for the McNemar test and its analogue with R controls per case.
    Biometrics 40, 1005-1015. doi:10.2307/2531151
    """
    _check(difference, discordance, alpha)
    if n < 1:
        raise ValueError(f"power needs at least 1 clip, got {n}")
    discordance = max(discordance, abs(difference))
    if discordance == 0:
        return 0.0
    reach = SPREADS * math.sqrt(n * discordance * (1 - discordance)) + SPREADS**2 / 3
    m = np.arange(max(0, math.floor(n * discordance - reach)), min(n, math.ceil(n * discordance + reach)) + 1)
    chance_of_m = pmf(m, n, discordance)
    favours = (discordance + abs(difference)) / (2 * discordance)
    return min(1.0, float((chance_of_m * _rejection_chance(m, favours, alpha)).sum()))


def detectable_difference(n: int, discordance: float, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """Return the smallest true difference that the test detects with the given power.

    Parameters
    ----------
    n : int, at least 1
        Clips.
    discordance : float, from 0 to 1
        As observed; raised to the difference if that is larger.
    power, alpha : float, above 0 and below 1

    Returns
    -------
    float or None
        None if not even a difference of 1 is detected that often.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    check_open("the power", power)
    if mcnemar_power(n, 1.0, discordance, alpha) < power:
        return None
    too_small, enough = 0.0, 1.0
    while enough - too_small > RESOLUTION:
        middle = (too_small + enough) / 2
        if mcnemar_power(n, middle, discordance, alpha) < power:
            too_small = middle
        else:
            enough = middle
    return enough


def clips_needed(difference: float, discordance: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Return how many clips the test needs to detect a difference with the given power.

    Parameters
    ----------
    difference : float, from -1 to 1, not 0
    discordance : float, from 0 to 1
    power, alpha : float, above 0 and below 1

    Returns
    -------
    int
        This many clips reach the power, one fewer does not; above `MOST_EXACT` by the normal approximation. (Exact
        power doesn't rise with every clip, so that a smaller number may reach it as well.)

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    guess = approximate_clips(difference, discordance, power, alpha)
    if guess > MOST_EXACT:
        return guess

    def enough(n: int) -> bool:
        return mcnemar_power(n, difference, discordance, alpha) >= power

    most = guess
    while not enough(most):
        most *= 2
    return bisect_left(range(most), x=True, lo=1, key=enough)


def approximate_clips(difference: float, discordance: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Return the clips needed by the normal approximation; the exact search starts from it.

    Parameters and errors are those of `clips_needed`.

    References
    ----------
    Connor, R. J. (1987). Sample size for testing differences in proportions for the paired-sample design. Biometrics
    43, 207-211. doi:10.2307/2531961
    """
    _check(difference, discordance, alpha)
    check_open("the power", power)
    if difference == 0:
        raise ValueError("the difference must not be 0: no number of clips can show it")
    discordance = max(discordance, abs(difference))
    z_alpha, z_power = float(-scipy.special.ndtri(alpha / 2)), float(scipy.special.ndtri(power))
    root = z_alpha * math.sqrt(discordance) + z_power * math.sqrt(discordance - difference**2)
    return max(1, math.ceil((root / difference) ** 2))


def _check(difference: float, discordance: float, alpha: float) -> None:
    if not -1 <= difference <= 1:
        raise ValueError(f"a difference of accuracies must be from -1 to 1, got {difference}")
    if not 0 <= discordance <= 1:
        raise ValueError(f"the discordance must be from 0 to 1, got {discordance}")
    check_open("alpha", alpha)


def _rejection_chance(m: NDArray[np.int64], favours: float, alpha: float) -> NDArray[np.float64]:
    """Return the probability that the test rejects, given `m` discordant clips; a fraction `favours` one model."""
    fewest = _critical_count(m, alpha)
    rejects = fewest >= 0
    k, m = np.where(rejects, fewest, 0), np.where(rejects, m, 1)
    either = scipy.special.bdtr(k, m, 1 - favours) + scipy.special.bdtr(k, m, favours)
    chances: NDArray[np.float64] = np.where(rejects, either, 0.0)
    return chances


def _critical_count(m: NDArray[np.int64], alpha: float) -> NDArray[np.int64]:
    """Return the largest minority count of `m` at which the exact p is at most `alpha`; -1 if there is none."""
    bound = np.floor(m / 2 + float(scipy.special.ndtri(alpha / 2)) * np.sqrt(m) / 2).astype(np.int64) + 2
    k: NDArray[np.int64] = np.minimum(np.maximum(bound, -1), (m - 1) // 2)
    while (too_many := 2 * coin_cdf(k, m) > alpha).any():
        k = k - too_many
    return k
