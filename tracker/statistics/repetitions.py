"""Inference over repeated trainings: folds, accuracy over seeds, and how many pairs or clips are needed.

Conventions: as in `matched_pairs`; `correct` has a row a repetition and a column a clip. A true difference to detect is
not 0; `power` and the significance level `alpha` are above 0 and below 1; anything else raises ValueError. The two
planning functions (`pairs_needed`, `columns_needed`) extrapolate from the spread in a few repetitions, and are as rough
as that.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy

from tracker.statistics.looks import level_at_look
from tracker.statistics.matched_pairs import (
    NOTHING,
    Effect,
    by_group,
    constant_effect,
    degrees_of_freedom,
    mean_squares,
    t_effect,
)
from tracker.statistics.proportions import (
    Groups,
    Interval,
    check_open,
    effective_groups,
    group_codes,
    group_sums,
    score_interval,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FEWEST_FOLDS = 3  # fewer give no usable variance over folds
FEWEST_PAIRS = 3  # fewer give no usable spread between pairs
FARTHEST = 20.0  # standard errors above which power is 1 (within 1e-8), and SciPy's distribution may give NaN
MOST_PAIRS = 1_000  # more matched pairs than anyone would train


def detectable_effect(effect: Effect, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """Return the smallest true difference that an analysis as precise as this one detects with the given power.

    None if nothing varied, so that the precision is unknown.
    """
    check_open("the power", power)
    check_open("alpha", alpha)
    if effect.standard_error == 0:
        return None
    threshold = scipy.special.stdtrit(effect.df, 1 - alpha / 2)
    return effect.standard_error * float(scipy.special.nctdtrinc(effect.df, 1 - power, threshold))


@dataclass(frozen=True, slots=True)
class PairVariance:
    """How much matched pairs on some clips vary: enough to say what any number of them would show."""

    rows: float  # mean square of the pairs, or of the residual if they don't differ in their means
    clips: float  # variance from clip to clip that all pairs share, at least 0: more pairs do not average it out
    columns: int  # clips or groups, at least 2
    steady: bool = False  # whether the pairs don't differ in their means

    @classmethod
    def of(cls, entries: NDArray[np.float64]) -> PairVariance:
        """Return that of existing matched pairs: entries of shape (r, n)."""
        squares, (r, n) = mean_squares(entries), entries.shape
        steady = squares.rows <= NOTHING
        shared = max(squares.columns - squares.residual, 0.0) / r
        return cls(squares.residual if steady else squares.rows, shared, n, steady)


def crossed_power(
    variance: PairVariance,
    pairs: int,
    difference: float,
    alpha: float = 0.05,
    tests: int = 1,
    before: Sequence[float] | None = None,
) -> float:
    """Return the probability that the crossed analysis of so many matched pairs detects a difference in its direction.

    Parameters
    ----------
    pairs : int, at least 2
    difference : float, not 0
        The true one.
    tests : int, at least 1
        How many tests share `alpha`. If there are several, the Behrens-Fisher p-value decides, at alpha / tests as in
        Holm's first step; its critical value is Cochran's. (Simulated with 3 to 10 pairs and 30 to 100 clips: within 5
        points of the power, 2 on average.)
    before : sequence of float, optional
        Numbers of pairs at earlier looks: then this one is held to its own level, as by `looks`, and Behrens and
        Fisher's p-value decides too. Not given: the whole level is for this one.

    References
    ----------
    Hillis (2007), doi:10.1002/sim.2532, as for `crossed`.

    Cochran, W. G. and Cox, G. M. (1957). Experimental Designs, 2nd ed., section 4.14. Wiley. (the critical value)
    """
    _check(difference, 0.5, alpha, "pairs")
    test = _crossed_test(variance, pairs, alpha, tests, before)
    if test is None:
        return 1.0
    standard_error, df, critical = test
    shift = min(abs(difference) / standard_error, FARTHEST)  # of t's mean, in standard errors
    return float(1 - scipy.special.nctdtr(df, shift, critical))


def detectable_by_pairs(
    variance: PairVariance,
    pairs: int,
    power: float = 0.8,
    alpha: float = 0.05,
    tests: int = 1,
    before: Sequence[float] | None = None,
) -> float | None:
    """Return the smallest true difference that `crossed_power` gives this power; None if nothing varies."""
    check_open("the power", power)
    test = _crossed_test(variance, pairs, alpha, tests, before)
    return None if test is None else test[0] * float(scipy.special.nctdtrinc(test[1], 1 - power, test[2]))


def _crossed_test(
    variance: PairVariance, pairs: int, alpha: float, tests: int, before: Sequence[float] | None
) -> tuple[float, float, float] | None:
    """Return standard error, degrees of freedom and critical value of the crossed analysis; None if nothing varies."""
    total = variance.rows + pairs * variance.clips
    if total <= NOTHING:
        return None
    fraction, columns = variance.rows / total, variance.columns
    df = columns - 1 if variance.steady else degrees_of_freedom(pairs, columns, fraction)
    level = alpha / tests if before is None else level_at_look((*before, pairs), alpha / tests)
    critical, of_rows, of_columns = scipy.special.stdtrit([df, pairs - 1, columns - 1], 1 - level / 2)
    if (tests > 1 or before is not None) and not variance.steady:
        critical = max(critical, fraction * of_rows + (1 - fraction) * of_columns)
    return math.sqrt(total / (pairs * columns)), float(df), float(critical)


def pairs_needed(
    entries: NDArray[np.float64],
    difference: float,
    power: float = 0.8,
    alpha: float = 0.05,
    tests: int = 1,
    before: Sequence[float] | None = None,
) -> int | None:
    """Return how many matched pairs, at least 3, give `crossed_power` this power on these clips.

    `entries`, shape (r, n), are the existing matched pairs; of looks `before` there must be more pairs than at the last
    of them. None if no number of pairs is enough: then there are too
    few clips (`columns_needed`).
    """
    _check(difference, power, alpha, "pairs")
    variance = PairVariance.of(entries)

    def enough(pairs: int) -> bool:
        return crossed_power(variance, pairs, difference, alpha, tests, before) >= power

    least = max(FEWEST_PAIRS, int(before[-1]) + 1 if before else 0)
    fewest = bisect_left(range(MOST_PAIRS + 1), x=True, lo=least, key=enough)
    return fewest if fewest <= MOST_PAIRS else None


def columns_needed(entries: NDArray[np.float64], difference: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Return how many clips (or groups) like these are needed to detect a difference, given any number of pairs.

    At least 2. Variation between clips that all trainings share does not shrink with more pairs.
    """
    _check(difference, power, alpha, "clips")
    squares = mean_squares(entries)
    clips = max(squares.columns - squares.residual, 0.0) / len(entries)
    shift = float(scipy.special.ndtri(1 - alpha / 2) + scipy.special.ndtri(power))
    return max(2, math.ceil(clips * (shift / difference) ** 2))


def _check(difference: float, power: float, alpha: float, of_what: str) -> None:
    check_open("the power", power)
    check_open("alpha", alpha)
    if difference == 0:
        raise ValueError(f"the difference must not be 0: no number of {of_what} can show it")


def nadeau_bengio(differences: NDArray[np.float64], n_train: float, n_validation: float) -> Effect:
    """Test a mean difference over folds by the corrected resampled t-test.

    t = mean / √((1 / k + n_validation / n_train) s²) with k - 1 degrees of freedom. If all folds agree exactly, p is
    that of a sign test over the folds.

    Parameters
    ----------
    differences : ndarray, shape (k,)
        Mean difference of each fold.
    n_train, n_validation : float, clips, above 0
        Average number of clips that a fold trains and validates on.

    Raises
    ------
    ValueError
        If there are fewer than three folds, or a number of clips is not positive.

    References
    ----------
    Nadeau, C. and Bengio, Y. (2003). Inference for the generalization error. Machine Learning 52, 239-281.
    doi:10.1023/A:1024068626366
    """
    k = len(differences)
    if k < FEWEST_FOLDS:
        raise ValueError(f"a test over folds needs at least {FEWEST_FOLDS} of them, got {k}")
    if not (n_train > 0 and n_validation > 0):
        raise ValueError(f"folds must have training and validation clips, got {n_train} and {n_validation}")
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    if deviation <= NOTHING:
        return constant_effect(mean, k, round(k * n_validation))
    return t_effect(mean, deviation * math.sqrt(1 / k + n_validation / n_train), k - 1)


def accuracy_over_seeds(correct: NDArray[np.bool_], groups: Groups | None = None) -> Interval:
    """Return the 95% interval of a configuration's mean accuracy on other clips under other seeds.

    This is Wilson's score interval for the effective number of clips: as many independent ones, evaluated once each, as
    would leave the mean equally uncertain. The variance is that of the crossed analysis, MS_R + max(MS_C - MS_E, 0)
    over r n. A fraction w of it, that of MS_R, is estimated from the r repetitions alone, the rest from the n clips, so
    that the quantile lies between Student's with r - 1 and with n - 1 degrees of freedom: their geometric mean,
    weighted by w and 1 - w. If the repetitions do not differ in their means, MS_E replaces MS_R.

    Simulated coverage (30 to 1,000 clips, training noise of 0 to 8 points, accuracies of 50 to 90%): 91% to 99% with
    2 seeds, 96% on average; 94% to 98% with 3 to 10 seeds; 91% to 99% with clips in 10 to 100 groups, equal or
    very unequal. With 2 seeds, Satterthwaite's degrees of freedom cover 84% at worst, a bootstrap over seeds and clips
    76%, and Cochran's weights (the arithmetic mean of the quantiles) 97.5% on average.

    Parameters
    ----------
    correct : ndarray of bool, shape (r, n)
        At least two repetitions on the same n clips.
    groups : sequence of hashable, length n, or None
        Each group is one column; unequal groups give fewer degrees of freedom.

    Returns
    -------
    tuple of float
        0 to 1 if there is only one clip or group. If nothing varies, Wilson's for as many clips as the effective number
        of columns.

    Raises
    ------
    ValueError
        If there are fewer than two repetitions or not exactly one group per clip.

    References
    ----------
    Dorfman et al. (1992), doi:10.1097/00004424-199209000-00015 (the variance)

    Dean and Pagano (2015), doi:10.1093/jssam/smv024 (Wilson's interval for an effective number of clips)

    Cochran, W. G. and Cox, G. M. (1957). Experimental Designs, 2nd ed., section 4.14. Wiley. (quantiles weighted by the
    parts of the variance)
    """
    if len(correct) < 2:
        raise ValueError(f"an interval over seeds needs at least two repetitions, got {len(correct)}")
    columns, mean = correct.astype(np.float64), float(correct.mean())
    worth = float(correct.shape[1])  # columns of equal size
    if groups is not None:
        columns = by_group(columns, groups)
        worth = effective_groups(group_sums(np.ones(len(groups)), group_codes(groups, len(groups))))
    r, n = columns.shape
    if n < 2:
        return 0.0, 1.0
    squares = mean_squares(columns)
    rows = squares.rows if squares.rows > NOTHING else squares.residual
    variance = rows + max(squares.columns - squares.residual, 0.0)
    of_rows, of_columns = scipy.special.stdtrit([r - 1, worth - 1], 0.975)
    if variance <= NOTHING:
        return score_interval(mean, worth, float(of_columns))
    weight = rows / variance
    independent = mean * (1 - mean) * r * n / variance
    return score_interval(mean, independent, float(of_rows**weight * of_columns ** (1 - weight)))
