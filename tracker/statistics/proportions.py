"""Confidence intervals of one accuracy and of the difference of two, over clips or groups of clips.

The binomial distribution is in closed form: exact, and without the import of `scipy.stats`.

Conventions: counts are of clips, `correct` of `n`, at least 1; fractions and interval ends are from 0 to 1, a
confidence is above 0 and below 1; a difference is a minus b. For paired models, b and c count the clips that only the
first or only the second model has correct, and their difference is (b - c) / n. Clips that share an artist, a recording
or a speaker are a group; `groups` has one for each clip, and group codes count from 0 in the order in which the groups
first appear. ValueError is raised for a count or a confidence out of range, and for groups that are not one for each
clip.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

Interval = tuple[float, float]
Groups = Sequence[Hashable] | NDArray[np.int64]

ROUNDING = 1e-12  # a mean square below is rounding: what is summed are whole numbers
_CLOSE = 1e-12  # a step of Newton's method after which an end is as exact as floating point has it
_NEWTON_STEPS, _BISECTIONS = 20, 48  # it takes about six; if it doesn't get there, halving an interval of 2 does


def coin_cdf(k: NDArray[np.integer], n: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the probability of at most `k` heads in `n` tosses of a fair coin; arrays of one shape, -1 ≤ k ≤ n."""
    chances: NDArray[np.float64] = np.where(
        (k >= 0) & (k < n), scipy.special.betainc(np.maximum(n - k, 1), np.maximum(k + 1.0, 1.0), 0.5), k >= n
    )
    return chances


def pmf(k: NDArray[np.integer], n: int, fraction: float) -> NDArray[np.float64]:
    """Return the probability of exactly `k` of `n` successes, 0 ≤ k ≤ n, each of probability `fraction`."""
    ways = scipy.special.gammaln(n + 1) - scipy.special.gammaln(k + 1) - scipy.special.gammaln(n - k + 1)
    chances: NDArray[np.float64] = np.exp(
        ways + scipy.special.xlogy(k, fraction) + scipy.special.xlog1py(n - k, -fraction)
    )
    return chances


def hypergeometric_tail(k: int, drawn: int, successes: int, n: int) -> float:
    """Return the probability of at least `k` successes among `drawn` of `n` things, of which so many are successes.

    It is the one-sided p-value of Fisher's exact test.
    """
    ways = sum(
        math.comb(successes, number) * math.comb(n - successes, drawn - number)
        for number in range(max(k, drawn + successes - n, 0), min(drawn, successes) + 1)
    )
    return ways / math.comb(n, drawn)


@np.errstate(divide="ignore", invalid="ignore")  # a slope may be 0 or unknown: then the bracket is halved
def score_intervals(
    b: NDArray[np.number], c: NDArray[np.number], n: int, z: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower and upper ends of Tango's score intervals: where a true difference scores within ±z.

    Each end is found by Newton's method, kept in a bracket, and is the same whichever others are computed with it.

    Parameters
    ----------
    b, c : ndarray, shape (m,)
        Discordant clips, of `n` each; need not be whole numbers.
    z : float
        A normal quantile.

    References
    ----------
    Tango, T. (1998). Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design. Statistics in Medicine 17, 891-908.
    doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B
    """
    ahead, behind = np.asarray(b, dtype=np.float64), np.asarray(c, dtype=np.float64)
    estimate, side = (ahead - behind) / n, np.array([[-1.0], [1.0]])
    inside, outside = np.stack([estimate] * 2), np.repeat(side, len(estimate), axis=1)
    # Wald's end, moved outwards to where the interval ends if no clip is discordant
    deviation = np.sqrt(np.maximum(_variance(ahead, behind, n, estimate)[0], 0.0))
    end = np.clip(estimate + side * (z * deviation + z**2) / n, -1.0, 1.0)
    is_close = np.zeros(end.shape, dtype=bool)
    for iteration in range(_NEWTON_STEPS + _BISECTIONS):
        variance, slope = _variance(ahead, behind, n, end)
        distance = ahead - behind - n * end
        excess = distance**2 - z**2 * variance  # of the squared score over that of ±z, times the variance
        inside, outside = np.where(excess > 0, inside, end), np.where(excess > 0, end, outside)
        newton = end + excess / (2 * n * distance + z**2 * slope)
        in_bracket = (newton - inside) * (newton - outside) <= 0
        following = np.where(in_bracket & (iteration < _NEWTON_STEPS), newton, (inside + outside) / 2)
        following = np.where(is_close, end, following)
        is_close |= np.abs(following - end) <= _CLOSE
        end = following
        if is_close.all():
            break
    low, high = end
    return low, high


def _variance(
    b: NDArray[np.float64], c: NDArray[np.float64], n: int, difference: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the variance of b - c if the true difference is `difference`, and its derivative by that.

    It uses the restricted maximum-likelihood estimate of the fraction of clips that only the second model has correct:
    the larger root of a quadratic equation.
    """
    spread, linear = difference * (1 - difference), (2 * n - b + c) * difference - b - c
    root = np.sqrt(np.maximum(linear**2 + 8 * n * c * spread, 0.0))
    towards = 1 - 2 * difference
    steepness = (linear * (2 * n - b + c) + 4 * n * c * towards) / root
    return (root - linear) / 2 + n * spread, (steepness - (2 * n - b + c)) / 2 + n * towards


def wilson(correct: int, n: int, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of a proportion.

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. Journal of the American
    Statistical Association 22, 209-212. doi:10.1080/01621459.1927.10502953
    """
    _check_counts(correct, n)
    return score_interval(correct / n, n, two_sided_z(confidence))


def grouped_wilson(correct: NDArray[np.bool_], groups: Groups, confidence: float = 0.95) -> Interval:
    """Return Wilson's interval of a proportion whose clips come in groups: `correct` of shape (n,), one group for each.

    The number of clips is divided by the design effect 1 + (m - 1) ICC, at least 1, and the normal quantile is replaced
    by Student's with one degree of freedom fewer than groups. m is the size of a clip's group, averaged over clips: the
    average over groups makes the interval too short if one large group stands beside many small ones (85% coverage
    instead of 95% in simulations). The intraclass correlation is estimated by analysis of variance; if nothing varies
    it cannot be estimated and is taken as 1. Groups of one clip each count as no groups. A single group says nothing
    about others, so the interval is then 0 to 1.

    References
    ----------
    Dean, N. and Pagano, M. (2015). Evaluating confidence interval methods for binomial proportions in clustered
    surveys. Journal of Survey Statistics and Methodology 3, 484-503. doi:10.1093/jssam/smv024

    Donner, A. (1986). A review of inference procedures for the intraclass correlation coefficient in the one-way random
    effects model. International Statistical Review 54, 67-82. doi:10.2307/1403259
    """
    _check_counts(int(correct.sum()), len(correct))
    check_open("the confidence", confidence)
    effective, n_groups = _effective_clips(correct, groups)
    if n_groups == len(correct):
        return wilson(int(correct.sum()), len(correct), confidence)
    if n_groups == 1:
        return 0.0, 1.0
    quantile = float(scipy.special.stdtrit(n_groups - 1, 0.5 + confidence / 2))
    return score_interval(float(correct.mean()), effective, quantile)


def _effective_clips(correct: NDArray[np.bool_], groups: Groups) -> tuple[float, int]:
    """Return how many independent clips those in groups are worth, and how many groups there are."""
    n = len(correct)
    sizes, counts = group_sums(np.stack([np.ones(n), correct]), group_codes(groups, n))
    if len(sizes) in (1, n):
        return float(len(sizes)), len(sizes)
    size_of_a_clips_group = float((sizes**2).sum()) / n
    effect = max(1.0, 1 + (size_of_a_clips_group - 1) * intraclass_correlation(sizes, counts, float(counts.sum())))
    return n / effect, len(sizes)


def proportion_p(correct: int, n: int, fraction: float) -> float:
    """Return the p-value of the exact binomial test of a true `fraction`: twice the smaller tail.

    References
    ----------
    Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial limits illustrated in the case of the
    binomial. Biometrika 26, 404-413. doi:10.1093/biomet/26.4.404
    """
    _check_counts(correct, n)
    check_open("the fraction", fraction)
    at_most = float(scipy.special.bdtr(correct, n, fraction))
    at_least = float(scipy.special.bdtrc(correct - 1, n, fraction)) if correct else 1.0
    return min(1.0, 2 * min(at_most, at_least))


def more_often_p(k_a: int, n_a: int, k_b: int, n_b: int) -> float:
    """Return Fisher's exact one-sided p-value of a having more successes, `k_a` of `n_a`, than b, `k_b` of `n_b`.

    References
    ----------
    Fisher (1935), The Logic of Inductive Inference. Journal of the Royal Statistical Society 98:39-82,
    doi:10.2307/2342435.
    """
    if not (0 <= k_a <= n_a and 0 <= k_b <= n_b):
        raise ValueError(f"successes must be 0 to n, got {k_a} of {n_a} and {k_b} of {n_b}")
    successes = k_a + k_b
    ways = sum(math.comb(n_a, k) * math.comb(n_b, successes - k) for k in range(k_a, min(n_a, successes) + 1))
    return ways / math.comb(n_a + n_b, successes)


def grouped_proportion_p(correct: NDArray[np.bool_], groups: Groups, fraction: float) -> float:
    """Return the p-value of a true `fraction` if clips come in groups: by the score that `grouped_wilson` inverts.

    It is never smaller than that of the exact test, which holds for independent clips.

    References
    ----------
    Dean and Pagano (2015), doi:10.1093/jssam/smv024, as for `grouped_wilson`.
    """
    n, number = len(correct), int(correct.sum())
    exact = proportion_p(number, n, fraction)
    effective, n_groups = _effective_clips(correct, groups)
    if n_groups == n:
        return exact
    if n_groups == 1:
        return 1.0
    score = abs(number / n - fraction) / math.sqrt(fraction * (1 - fraction) / effective)
    return max(exact, 2 * float(scipy.special.stdtr(n_groups - 1, -score)))


def newcombe(a: float, interval_a: Interval, b: float, interval_b: Interval) -> Interval:
    """Return Newcombe's interval of the difference of two independent proportions, a minus b.

    Their own intervals are Wilson's, or wider if clips share groups.

    References
    ----------
    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions: comparison of eleven
    methods. Statistics in Medicine 17, 873-890 (method 10).
    doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I
    """
    (low_a, high_a), (low_b, high_b) = interval_a, interval_b
    return a - b - math.hypot(a - low_a, high_b - b), a - b + math.hypot(high_a - a, b - low_b)


def score_interval(fraction: float, n: float, quantile: float) -> Interval:
    """Return Wilson's score interval for an effective number of clips `n`, above 0, which need not be whole.

    The quantile is normal or Student's. The interval starts at exactly 0 if `fraction` is 0, ends at exactly 1 if it is
    1.
    """
    square = quantile**2
    centre = (fraction + square / (2 * n)) / (1 + square / n)
    half = quantile / (1 + square / n) * math.sqrt(fraction * (1 - fraction) / n + square / (4 * n**2))
    return (0.0 if fraction == 0 else max(0.0, centre - half)), (1.0 if fraction == 1 else min(1.0, centre + half))


def two_sided_z(confidence: float) -> float:
    """Return the two-sided normal quantile of a confidence level: 1.96 for 0.95."""
    check_open("the confidence", confidence)
    return float(scipy.special.ndtri(0.5 + confidence / 2))


def check_open(name: str, value: float) -> None:
    """Raise a ValueError unless a value is above 0 and below 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} must be above 0 and below 1, got {value}")


def _check_counts(correct: int, n: int) -> None:
    if n < 1:
        raise ValueError(f"an accuracy needs at least 1 clip, got {n}")
    if not 0 <= correct <= n:
        raise ValueError(f"the number of correct clips must be from 0 to {n}, got {correct}")


def intraclass_correlation(sizes: NDArray[np.float64], sums: NDArray[np.float64], squares: float) -> float:
    """Estimate by one-way analysis of variance how alike the clips of a group are; 1 if nothing varies.

    Parameters
    ----------
    sizes : ndarray, shape (n_groups,)
        Clips of each group, of which at least one has several and at least two groups are there.
    sums : ndarray, shape (n_groups,) or (k, n_groups)
        Sum over each group's clips; of several rows the estimate is pooled.
    squares : float
        Sum of squares over all clips, and rows.
    """
    sums = np.atleast_2d(sums)
    n, g, rows = sizes.sum(), len(sizes), len(sums)
    of_groups = float((sums**2 / sizes).sum())
    between = (of_groups - float((sums.sum(axis=1) ** 2).sum()) / n) / (g - 1) / rows
    within = max(0.0, squares - of_groups) / (n - g) / rows
    if between + within <= ROUNDING:
        return 1.0
    typical_size = (n - (sizes**2).sum() / n) / (g - 1)
    return float((between - within) / (between + (typical_size - 1) * within))


def group_codes(groups: Groups, n: int) -> NDArray[np.int64]:
    """Return the code of each clip's group, shape (n,): equal for clips of the same group."""
    if len(groups) != n:
        raise ValueError(f"there must be one group for each of {n} clips, got {len(groups)}")
    if isinstance(groups, np.ndarray):
        _, first, of_clip = np.unique(groups, return_index=True, return_inverse=True)
        codes: NDArray[np.int64] = np.argsort(np.argsort(first))[of_clip]
        return codes
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)


def group_sums(values: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum the clips, at least one, of each group, given their codes: from shape (..., n) to (..., n_groups)."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    sums: NDArray[np.float64] = np.add.reduceat(values[..., order], starts, axis=-1)
    return sums


def effective_groups(sizes: NDArray[np.float64]) -> float:
    """Return the effective number of groups: how many of equal size would leave a mean as uncertain as these.

    That is (Σ sizes)² / Σ sizes², the number of groups if all have equally many clips; at least 2. `sizes`, shape
    (n_groups,), has the clips of each group, at least two.

    References
    ----------
    Carter, A. V., Schnepel, K. T. and Steigerwald, D. G. (2017). Asymptotic behavior of a t-test robust to cluster
    heterogeneity. Review of Economics and Statistics 99, 698-709. doi:10.1162/REST_a_00639
    """
    return max(2.0, float(sizes.sum() ** 2 / (sizes**2).sum()))
