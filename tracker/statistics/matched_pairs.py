"""Effect of changing an option, estimated from matched pairs crossed with clips.

The effect is one of the configuration, not of two trained models, so both pairs and clips are samples, and the variance
of the mean has two parts that are estimated separately. Student's t with approximate degrees of freedom keeps about the
level that it was made for, 5%, but rejects several times too often at the small levels that a family of tests asks of
each; the Behrens-Fisher test keeps every level.

Conventions: entries are 1 where the model of level *to* is correct and that of level *from* is wrong, -1 the other way
round and 0 where they agree; a row is a matched pair (a repetition), a column a clip (or a group of clips, if they are
what `by_group` returns). Estimates are *to* minus *from*, as fractions. ValueError is raised for fewer than two rows or
two columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import scipy

from tracker.statistics.proportions import Groups, Interval, group_codes, group_sums, score_intervals, two_sided_z

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

NOTHING = 1e-12  # a mean square below is rounding: entries are whole numbers, so that a true one is far above it
_EXPONENT, _MOST, _LESS = 1.2, 2.9, 9.0  # of `degrees_of_freedom`
_PLAIN = 0.95  # confidence up to which approximate degrees of freedom hold the level
_LEAST_P = 1e-300
_LEAST_FRACTION = 1e-12  # a smaller part of the variance counts as 0
_FAR, _CLOSE = 3.0, 1e-7  # of a critical value's logarithm: how far from Cochran's at most, and how exact
_STEPS = np.arange(-35.0, 35.0, 0.05)  # of the trapezoidal rule: their hyperbolic sines reach from 1e-15 to 1e15
_SINES = np.sinh(_STEPS)


def behrens_fisher_p(t: ArrayLike, fraction: ArrayLike, df: ArrayLike, other_df: ArrayLike) -> NDArray[np.float64]:
    """Return the two-sided p-value of a mean over its standard error.

    Parameters
    ----------
    t : array_like
        The mean over the root of its estimated variance; arguments broadcast.
    fraction : array_like, 0 to 1
        Fraction of that variance that is its first part.
    df, other_df : array_like, above 0
        Degrees of freedom of the estimates of the first and the second part.

    Returns
    -------
    ndarray
        The probability that √fraction T + √(1 - fraction) T' is at least as far from 0 as `t`, where T and T' are
        Student's with these degrees of freedom.

    Raises
    ------
    ValueError
        If a fraction is not from 0 to 1.

    References
    ----------
    Fisher, R. A. (1935). The fiducial argument in statistical inference. Annals of Eugenics 6, 391-398.
    doi:10.1111/j.1469-1809.1935.tb02120.x

    Robinson, G. K. (1976). Properties of Student's t and of the Behrens-Fisher solution to the two means problem.
    Annals of Statistics 4, 963-971. doi:10.1214/aos/1176343594 (it keeps every level)
    """
    t, fraction, df, other_df = np.broadcast_arrays(np.abs(t), fraction, df, other_df)
    if not np.all((fraction >= 0) & (fraction <= 1)):
        outside = fraction[~((fraction >= 0) & (fraction <= 1))]
        raise ValueError(f"the fraction of a variance must be from 0 to 1, got {outside[0]}")
    swapped = fraction > 0.5
    small = np.where(swapped, 1 - fraction, fraction)  # the smaller part a, of the narrow T; b = 1 - a, of the wide T'
    narrow, wide = np.where(swapped, other_df, df), np.where(swapped, df, other_df)
    # P(√a T + √b T' ≥ t) is the mean over T' of a smooth step around t / √b as wide as √(a / b): the substitution
    # follows it.
    a, nu = np.maximum(small, _LEAST_FRACTION), wide[..., np.newaxis]
    centre, width = t / np.sqrt(1 - a), np.sqrt(a / (1 - a))
    x = centre[..., np.newaxis] + width[..., np.newaxis] * _SINES
    log = scipy.special.gammaln((nu + 1) / 2) - scipy.special.gammaln(nu / 2) - np.log(nu * np.pi) / 2
    density = np.exp(log - (nu + 1) / 2 * np.log1p(x**2 / nu))  # Student's
    degrees, which = np.unique(narrow, return_inverse=True)
    below = np.array([_below_sines(each) for each in degrees.tolist()]).reshape(-1, len(_STEPS))
    heights = density * below[which.reshape(narrow.shape)] * np.cosh(_STEPS)
    tail = heights.sum(axis=-1) * width * (_STEPS[1] - _STEPS[0])
    p_values: NDArray[np.float64] = 2 * np.where(small < _LEAST_FRACTION, scipy.special.stdtr(wide, -t), tail)
    return np.minimum(p_values, 1.0)


@lru_cache(maxsize=256)
def _below_sines(df: float) -> NDArray[np.float64]:
    """Return the probability that Student's T is below each of the sines: most of the work, alike for many means."""
    return np.asarray(scipy.special.stdtr(df, _SINES))


def behrens_fisher_critical(fraction: float, df: float, other_df: float, alpha: float) -> float:
    """Return the t from which `behrens_fisher_p` is at most `alpha`, which is above 0 and below 1.

    References
    ----------
    Cochran, W. G. and Cox, G. M. (1957). Experimental Designs, 2nd ed., section 4.14. Wiley. (where the search begins)
    """
    of_first, of_second = scipy.special.stdtrit([df, other_df], 1 - alpha / 2).tolist()
    near = math.log(fraction * of_first + (1 - fraction) * of_second)

    def over(log_t: float) -> float:
        p_value = float(behrens_fisher_p(math.exp(log_t), fraction, df, other_df))
        return math.log(max(p_value, _LEAST_P) / alpha)  # it is 0 as a number far beyond what is looked for

    return math.exp(float(scipy.optimize.brentq(over, near - _FAR, near + _FAR, xtol=_CLOSE, rtol=_CLOSE)))


@dataclass(frozen=True, slots=True)
class Effect:
    """A mean difference with its uncertainty."""

    estimate: float
    standard_error: float
    df: float  # degrees of freedom of `t`
    t: float  # estimate over standard error; infinite if all entries are equal and not 0
    p_value: float  # two-sided
    strict_p_value: float  # keeps every level, as correcting a family of tests needs; at least `p_value`
    interval: Interval  # at 95% confidence
    interval_90: Interval
    interval_at: Callable[[float], Interval] = field(repr=False, compare=False)  # above 95% as strict as the p-value


@dataclass(frozen=True, slots=True)
class MeanSquares:
    """Mean squares of a table of repetitions by columns."""

    rows: float
    columns: float
    residual: float


def crossed(entries: NDArray[np.float64]) -> Effect:
    """Estimate an effect over matched pairs and clips, both taken as samples: `entries` of shape (r, n).

    The standard error's degrees of freedom are those of `degrees_of_freedom`. If the pairs do not differ in their
    means, the residual replaces their variance, with n - 1 degrees of freedom. If all entries are equal, the effect is
    that of `constant_effect` over the columns. `strict_p_value` is the Behrens-Fisher one.

    References
    ----------
    Dorfman, D. D., Berbaum, K. S. and Metz, C. E. (1992). Receiver operating characteristic rating analysis.
    Investigative Radiology 27, 723-731. doi:10.1097/00004424-199209000-00015

    Hillis, S. L. (2007). A comparison of denominator degrees of freedom methods for multiple observer ROC analysis.
    Statistics in Medicine 26, 596-619. doi:10.1002/sim.2532
    """
    squares = mean_squares(entries)
    r, n = entries.shape
    mean = float(entries.mean())
    steady = squares.rows <= NOTHING
    rows = squares.residual if steady else squares.rows
    variance = rows + max(squares.columns - squares.residual, 0.0)
    if variance <= NOTHING:
        return constant_effect(mean, n, n)
    error = math.sqrt(variance / (r * n))
    if steady:
        return t_effect(mean, error, n - 1)
    fraction = rows / variance
    return t_effect(mean, error, degrees_of_freedom(r, n, fraction), (fraction, r - 1, n - 1))


def degrees_of_freedom(pairs: int, columns: int, fraction: float) -> float:
    """Return those of the crossed analysis; `fraction` of the whole variance, above 0, is the pairs' part of it.

    Satterthwaite's are 1 / (f² / (r - 1) + (1 - f)² / (n - 1)), and if clips are many Hillis' (r - 1) / f². But pairs
    that happen to differ little get too small a standard error and too many degrees of freedom at once: three of them
    reject in up to 7.8% of null experiments, ten in 5.2%. So w takes the place of f², where

        w / (1 - w) = (f / (1 - f))^1.2 / b,  b = 2.9 - 9 / (r + 1)

    These numbers were fitted so that with endlessly many clips, whatever the true fraction and for any number of pairs
    from three on, at most 5.0% are rejected at 5% and 10.0% at 10%, and hardly fewer: 3.5% to 5.0% with three pairs,
    4.5% to 5.0% with five (tabulated in `docs/truth.md`). That critical values depend on the estimated fraction for
    this very purpose is Welch's idea. Two pairs have the b of three.

    References
    ----------
    Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. Biometrics Bulletin 2,
    110-114. doi:10.2307/3002019

    Welch, B. L. (1947). The generalization of "Student's" problem when several different population variances are
    involved. Biometrika 34, 28-35. doi:10.1093/biomet/34.1-2.28
    """
    odds, against = math.pow(fraction, _EXPONENT), math.pow(1 - fraction, _EXPONENT)
    weight = odds / (odds + (_MOST - _LESS / (max(pairs, 3) + 1)) * against)
    return 1 / (weight / (pairs - 1) + (1 - fraction) ** 2 / (columns - 1))


def by_group(entries: NDArray[np.float64], groups: Groups) -> NDArray[np.float64]:
    """Merge columns of clips, shape (r, n), into columns of groups, shape (r, G), given one group for each clip.

    A column is (G / n) Σ (x_ij - m) + m over the clips j of its group, m the mean of all entries: row means stay as
    they are, and groups of one clip change nothing.

    Raises
    ------
    ValueError
        If there is not exactly one group per clip.
    """
    n = entries.shape[1]
    mean = entries.mean()
    sums = group_sums(entries - mean, group_codes(groups, n))
    columns: NDArray[np.float64] = sums * (sums.shape[1] / n) + mean
    return columns


@dataclass(frozen=True, slots=True)
class TrainingNoise:
    """How repetitions scatter, pooled over several configurations on the same clips."""

    mean_square: float  # of repetitions, as `MeanSquares.rows`
    df: int  # its degrees of freedom


def pooled_noise(tables: Sequence[NDArray[np.float64]]) -> TrainingNoise:
    """Pool the scatter of repetitions over configurations: tables of shape (r, n), each of at least two repetitions."""
    df = [len(table) - 1 for table in tables]
    squares = [mean_squares(table).rows for table in tables]
    return TrainingNoise(float(np.average(squares, weights=df)), sum(df))


def nested(a: NDArray[np.float64], b: NDArray[np.float64], noise: TrainingNoise | None = None) -> Effect:
    """Estimate an effect, a minus b, from repetitions of two levels with no seed in common.

    If neither level's repetitions differ in their means, or nothing differs at all, it is estimated as by `crossed`.

    Parameters
    ----------
    a, b : ndarray, shapes (r_a, n) and (r_b, n)
        Correct (1) or wrong (0) of each repetition of the two levels, on the same clips or groups.
    noise : TrainingNoise, optional
        Scatter pooled over more configurations than these two. It gives the variance of the repetitions more degrees of
        freedom, and replaces their own where that is smaller: a level that scatters more keeps its own.

    Raises
    ------
    ValueError
        If the levels do not have the same number of clips.

    References
    ----------
    Hillis (2007), doi:10.1002/sim.2532, as for `crossed`.
    """
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"both levels must be evaluated on the same clips, got {a.shape[1]} and {b.shape[1]}")
    n = a.shape[1]
    of_a, of_b = mean_squares(a), mean_squares(b)
    residual = of_a.residual / a.size + of_b.residual / b.size
    row_a, row_b = of_a.rows / a.size, of_b.rows / b.size
    steady = max(of_a.rows, of_b.rows, noise.mean_square if noise else 0.0) <= NOTHING
    pooled = noise.mean_square * (1 / a.size + 1 / b.size) if noise else 0.0
    rows = residual if steady else max(row_a + row_b, pooled)
    difference = a.mean(axis=0) - b.mean(axis=0)
    variance = rows + max(float(difference.var(ddof=1)) / n - residual, 0.0)
    mean = float(difference.mean())
    if variance <= NOTHING / n:
        return constant_effect(mean, n, n)
    if noise is not None and not steady:
        df = noise.df * (variance / rows) ** 2
        return t_effect(mean, math.sqrt(variance), df, (rows / variance, noise.df, n - 1))
    df = n - 1 if steady else variance**2 / (row_a**2 / (len(a) - 1) + row_b**2 / (len(b) - 1))
    return t_effect(mean, math.sqrt(variance), df)


def mean_squares(table: NDArray[np.float64]) -> MeanSquares:
    """Return the mean squares of a table of repetitions (rows) by clips (columns)."""
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] < 2:
        raise ValueError(f"entries must be at least two repetitions by two clips, got shape {table.shape}")
    r, n = table.shape
    mean = table.mean()
    rows = table.mean(axis=1, keepdims=True) - mean
    columns = table.mean(axis=0, keepdims=True) - mean
    residual = table - mean - rows - columns
    return MeanSquares(
        rows=float(n * (rows**2).sum() / (r - 1)),
        columns=float(r * (columns**2).sum() / (n - 1)),
        residual=float((residual**2).sum() / ((r - 1) * (n - 1))),
    )


def t_effect(mean: float, standard_error: float, df: float, parts: tuple[float, float, float] | None = None) -> Effect:
    """Return the effect of a mean that follows Student's t with `df` degrees of freedom.

    If these are approximate, `parts` are what `behrens_fisher_p` asks for: the first part's fraction of the variance
    and the degrees of freedom of both parts.
    """
    t = mean / standard_error

    def interval(confidence: float) -> Interval:
        critical = float(scipy.special.stdtrit(df, 0.5 + confidence / 2))
        if parts and confidence > _PLAIN:
            critical = max(critical, behrens_fisher_critical(*parts, 1 - confidence))
        return mean - standard_error * critical, mean + standard_error * critical

    p_value = 2 * float(scipy.special.stdtr(df, -abs(t)))
    strict = max(p_value, float(behrens_fisher_p(t, *parts))) if parts else p_value
    return Effect(mean, standard_error, float(df), t, p_value, strict, interval(_PLAIN), interval(0.90), interval)


def constant_effect(mean: float, repeats: int, n: int) -> Effect:
    """Return the effect of `repeats` values that all equal `mean`, measured on `n` clips.

    The p-value is that of a sign test: 1 for a mean of 0, else 2^(1 - repeats). The interval is Tango's if a fraction
    |mean| of the clips is discordant, all in one direction: ±z² / (n + z²) for a mean of 0. It includes 0 if there are
    too few values for the test to exclude it.
    """
    nil = abs(mean) <= NOTHING
    t = 0.0 if nil else math.copysign(math.inf, mean)
    p_value = 1.0 if nil else min(1.0, 2.0 ** (1 - repeats))

    def interval(confidence: float) -> Interval:
        ahead, behind = np.array([max(mean, 0.0) * n]), np.array([max(-mean, 0.0) * n])
        low, high = (float(end[0]) for end in score_intervals(ahead, behind, n, two_sided_z(confidence)))
        return (min(low, 0.0), max(high, 0.0)) if p_value > 1 - confidence else (low, high)

    estimate, df = 0.0 if nil else mean, float(repeats - 1)
    return Effect(estimate, 0.0, df, t, p_value, p_value, interval(_PLAIN), interval(0.90), interval)
