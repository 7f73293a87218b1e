"""Error rates of tests: corrections for testing many hypotheses at once, and which differences two models can show.

Power is that of the test that decides, the exact unconditional one (`paired.unconditional`). Conventions of these
functions: `n` counts clips, at least 1; `difference` is the true difference of two models' accuracies, from -1 to 1;
`discordance` is the fraction of clips that exactly one of them has correct, from 0 to 1, and is raised to the
difference if it is smaller; `power` and the significance level `alpha` are above 0 and below 1. Any other value raises
ValueError. Power counts both directions, as the test does. If clips share groups, `grouped` has the same functions for
the sign-flip test.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np
import scipy

from tracker.statistics.paired import critical_score
from tracker.statistics.proportions import check_open, pmf

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FALL = 1.6  # how fast the levels of a series fall
SPREADS = 9  # standard deviations of discordant clips that are summed: leaves out a probability of 1e-18
MOST_EXACT = 1_000  # clips above which the normal approximation is within one percent
RESOLUTION = 1e-5  # of a detectable difference: a thousandth of a point


def holm(p_values: NDArray[np.float64], m: int | None = None) -> NDArray[np.float64]:
    """Adjust p-values by Holm's step-down method: reject those that are at most the family-wise level.

    Parameters
    ----------
    p_values : ndarray, shape (k,)
        Raw p-values, from 0 to 1.
    m : int or None, at least k
        Number of tests in the family; those not computed count as p = 1. None: k.

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


def series_level(position: int, alpha: float = 0.05) -> float:
    """Return the level at which a test of a series is held, so that any of them errs with a probability of `alpha`.

    However long the series becomes, whatever its tests have in common and whatever came out of those before: the levels
    sum to `alpha`. They fall as position^-1.6, slowly enough for the hundredth test to find what is plain.

    Parameters
    ----------
    position : int, at least 1
        Which test of the series it is.

    Raises
    ------
    ValueError
        If the position is below 1.

    References
    ----------
    Tian, J. and Ramdas, A. (2021). Online control of the familywise error rate. Statistical Methods in Medical Research
    30, 976-993. doi:10.1177/0962280220983381 (Alpha-Spending)
    """
    if position < 1:
        raise ValueError(f"the position in a series must be at least 1, got {position}")
    return float(alpha * position**-_FALL / scipy.special.zeta(_FALL))


def is_best(p_values: NDArray[np.float64], alpha: float = 0.05) -> bool:
    """Return whether the best run is verified: its tests against all others, the runner-up included, give p ≤ `alpha`.

    `p_values` are two-sided and unadjusted, of the best against each of the others, shape (k - 1,). No correction is
    needed: the winner is the best with an error of at most `alpha`, although the data chose it. False if there is no
    other run.

    References
    ----------
    Hung, K. and Fithian, W. (2019). Rank verification for exponential families. Annals of Statistics 47, 758-782.
    doi:10.1214/17-AOS1634
    """
    return bool(len(p_values) and p_values.max() <= alpha)


def unconditional_power(n: int, difference: float, discordance: float, alpha: float = 0.05) -> float:
    """Return the power of the exact unconditional test: the probability that it detects a difference.

    It is summed over the possible numbers of discordant clips.

    References
    ----------
    Suissa and Shuster (1991), doi:10.2307/2532131, as for `paired.unconditional`.
    """
    _check(difference, discordance, alpha)
    if n < 1:
        raise ValueError(f"power needs at least 1 clip, got {n}")
    return _power(n, abs(difference), max(discordance, abs(difference)), critical_score(n, alpha))


def detectable_difference(n: int, discordance: float, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """Return the smallest true difference that the test detects with the given power.

    None if not even a difference of 1 is detected that often. `discordance` is the observed one. Above `MOST_EXACT`
    clips it is that of the normal approximation.
    """
    check_open("the power", power)

    def is_detected(difference: float) -> bool:
        if n > MOST_EXACT:
            return approximate_clips(difference, discordance, power, alpha) <= n
        return unconditional_power(n, difference, discordance, alpha) >= power

    if not is_detected(1.0):
        return None
    too_small, enough = 0.0, 1.0
    while enough - too_small > RESOLUTION:
        middle = (too_small + enough) / 2
        if is_detected(middle):
            enough = middle
        else:
            too_small = middle
    return enough


def clips_needed(difference: float, discordance: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Return how many clips the test needs to detect a difference, which is not 0, with the given power.

    This many clips reach the power, one fewer does not; above `MOST_EXACT` by the normal approximation. (Exact power
    doesn't rise with every clip, so that a smaller number may reach it as well.) Above 300 clips the critical score,
    which hardly changes any more, is that of 300 or 500 clips.
    """
    guess = approximate_clips(difference, discordance, power, alpha)
    if guess > MOST_EXACT:
        return guess
    size = abs(difference)

    def enough(n: int) -> bool:
        critical = critical_score(n if n <= 300 else 300 if n < 500 else 500, alpha)
        return _power(n, size, max(discordance, size), critical) >= power

    most = guess
    while not enough(most):
        most *= 2
    return bisect_left(range(most), x=True, lo=1, key=enough)


def approximate_clips(difference: float, discordance: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Return what `clips_needed` does by the normal approximation, from which the exact search starts.

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


def _power(n: int, difference: float, discordance: float, critical: float | None) -> float:
    """Return the probability of a score of at least `critical`, summed over the likely numbers of discordant clips."""
    if discordance == 0 or critical is None:
        return 0.0
    reach = SPREADS * math.sqrt(n * discordance * (1 - discordance)) + SPREADS**2 / 3
    m = np.arange(max(1, math.floor(n * discordance - reach)), min(n, math.ceil(n * discordance + reach)) + 1)
    fewer = np.floor((m - critical * np.sqrt(m)) / 2)  # the most clips of the rarer kind that are significant
    favours, k = (discordance + difference) / (2 * discordance), np.maximum(fewer, 0)
    either = scipy.special.bdtr(k, m, 1 - favours) + scipy.special.bdtr(k, m, favours)
    return min(1.0, float((pmf(m, n, discordance) * np.where(fewer >= 0, either, 0.0)).sum()))
