"""Tests and intervals for two trained models on the same clips.

Conventions: b counts the clips that only model a has correct, c those that only model b has correct (discordant clips,
at least 0 and among the n clips); a difference is a minus b, (b - c) / n, as a fraction. P-values are two-sided.
ValueError is raised for counts or a confidence out of range, and for two arrays of different shapes. None of this says
anything about the configurations that the two models came from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.statistics.matched_pairs import NOTHING, Effect, constant_effect, t_effect
from tracker.statistics.proportions import (
    Groups,
    Interval,
    coin_cdf,
    effective_groups,
    group_codes,
    group_sums,
    score_intervals,
    two_sided_z,
)
from tracker.statistics.resampling import bootstrap_t_interval, sign_flip_p

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROBABILITY_FLOOR = 1e-7  # as in Keras, so that one confident mistake cannot outweigh the rest of a log-loss
LARGEST_TABLE = 2**26  # entries of the largest look-up table of p-values: half a gigabyte
MOST_TRIED = 10_000  # numbers of discordant clips that two counts of correct clips allow and that are tried


@dataclass(frozen=True, slots=True)
class Aggregates:
    """Difference of two models of which only the counts are known, over all pairings of clips that the counts allow."""

    estimate: float
    p_value: float  # the largest over all pairings: the safe one
    p_range: Interval  # the smallest and the largest
    interval: Interval  # the union of Tango's intervals, at 95% confidence
    interval_90: Interval


@dataclass(frozen=True, slots=True)
class LossDifference:
    """A difference of mean log-loss, a minus b, in nats; the interval is None if too little varies."""

    estimate: float
    interval: Interval | None
    p_value: float


def discordant(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> tuple[int, int]:
    """Count the clips that only the first, and only the second, of two models has correct; both of shape (n,)."""
    if a.shape != b.shape:
        raise ValueError(f"both models must be evaluated on the same clips, got shapes {a.shape} and {b.shape}")
    return int((a & ~b).sum()), int((b & ~a).sum())


def mcnemar(b: int, c: int) -> float:
    """Return the p-value of McNemar's exact test; 1 if no clip is discordant.

    References
    ----------
    McNemar, Q. (1947). Note on the sampling error of the difference between correlated proportions or percentages.
    Psychometrika 12, 153-157. doi:10.1007/BF02295996
    """
    return float(mcnemar_many(np.array([b]), np.array([c]))[0])


def mcnemar_mid_p(b: int, c: int) -> float:
    """Return the mid-p-value of McNemar's test: less conservative, but not guaranteed to keep its level.

    References
    ----------
    Fagerland, M. W., Lydersen, S. and Laake, P. (2013). The McNemar test for binary matched-pairs data: mid-p and
    asymptotic are better than exact conditional. BMC Medical Research Methodology 13, 91. doi:10.1186/1471-2288-13-91
    """
    _check_discordant(np.array([b]), np.array([c]))
    if b + c == 0:
        return 1.0
    fewer = min(b, c)
    below, upto = coin_cdf(np.array([fewer - 1, fewer]), np.array([b + c, b + c])).tolist()
    return float(upto + below if b != c else 1 - (upto - below) / 2)


def mcnemar_many(b: NDArray[np.integer], c: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the p-values of `mcnemar` for many pairs of counts, of one shape; each distinct pair is computed once."""
    _check_discordant(b, c)
    fewer, more = np.minimum(b, c), np.maximum(b, c)
    width = int(more.max(initial=0)) + 1
    size = (int(fewer.max(initial=0)) + 1) * width
    if size > min(LARGEST_TABLE, 4 * fewer.size):
        return _exact_p(fewer, more)
    keys = fewer.astype(np.int64) * width + more
    seen = np.zeros(size, dtype=bool)
    seen[keys] = True
    present = np.flatnonzero(seen)
    table = np.empty(size)
    table[present] = _exact_p(present // width, present % width)
    p_values: NDArray[np.float64] = table[keys]
    return p_values


def tango(b: int, c: int, n: int, confidence: float = 0.95) -> Interval:
    """Return Tango's score interval of the difference of two paired proportions, (b - c) / n.

    References
    ----------
    Tango (1998), doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B, as for `score_intervals`.
    """
    if min(b, c) < 0 or n < max(1, b + c):
        raise ValueError(f"discordant clips must be at least 0 and among the n clips, got {b} and {c} of {n}")
    low, high = score_intervals(np.array([b]), np.array([c]), n, two_sided_z(confidence))
    return float(low[0]), float(high[0])


def grouped_sign_flip(net: NDArray[np.int64]) -> float:
    """Return the exact p-value of a sign-flip test over groups.

    Under the null hypothesis each group's net difference could equally have had the opposite sign; the distribution of
    their sum over all sign patterns is computed by convolution. With groups of one clip this is McNemar's exact test.

    Parameters
    ----------
    net : ndarray of int, shape (n_groups,)
        How many more clips the first model has correct in each group. If all are 0, p is 1.

    Returns
    -------
    float
        At least 2^(1 - informative groups): significance at 0.05 takes 6 of them.

    References
    ----------
    Fisher, R. A. (1935). The Design of Experiments. Oliver and Boyd. The convolution: Pagano, M. and Tritchler, D.
    (1983). On obtaining permutation distributions in polynomial time. Journal of the American Statistical Association
    78, 435-440. doi:10.1080/01621459.1983.10477990
    """
    sizes = np.abs(net[net != 0])
    total = int(sizes.sum())
    chances = np.ones(1)  # chances[i]: that the groups with a positive sign add up to i
    for size in sizes:
        longer = np.zeros(len(chances) + size)
        longer[: len(chances)] = chances / 2
        longer[size:] += chances / 2
        chances = longer
    fewer = (total - abs(int(net.sum()))) // 2
    return min(1.0, 2 * float(chances[: fewer + 1].sum()))


def informative_groups(net: NDArray[np.int64]) -> int:
    """Count the groups in which one model has more clips correct than the other."""
    return int(np.count_nonzero(net))


def from_aggregates(correct_a: int, correct_b: int, n: int) -> Aggregates:
    """Compare two models on the same `n` clips if only the counts of clips that each has correct are known.

    All numbers of clips that only the first has correct are tried, of more than `MOST_TRIED` so many, at equal steps.
    """
    if n < 1 or not (0 <= correct_a <= n and 0 <= correct_b <= n):
        raise ValueError(f"counts must be of the same clips, at least 1, got {correct_a} and {correct_b} of {n}")
    net = correct_a - correct_b
    fewest, most = max(0, net), min(correct_a, n - correct_b)
    b = np.linspace(fewest, most, min(most - fewest + 1, MOST_TRIED)).round().astype(np.int64)
    p_values = mcnemar_many(b, b - net)
    low, high = score_intervals(b, b - net, n, two_sided_z(0.95))
    low_90, high_90 = score_intervals(b, b - net, n, two_sided_z(0.90))
    return Aggregates(
        estimate=float(net / n),
        p_value=float(p_values.max()),
        p_range=(float(p_values.min()), float(p_values.max())),
        interval=(float(low.min()), float(high.max())),
        interval_90=(float(low_90.min()), float(high_90.max())),
    )


def log_losses(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log-loss of each clip, in nats, given the probabilities of their true classes, shape (n,)."""
    losses: NDArray[np.float64] = -np.log(np.clip(probabilities, PROBABILITY_FLOOR, 1.0))
    return losses


def log_loss_difference(
    losses_a: NDArray[np.float64], losses_b: NDArray[np.float64], seed: int, groups: Groups | None = None
) -> LossDifference:
    """Compare the log-losses of two models on the same clips.

    Parameters
    ----------
    losses_a, losses_b : ndarray, shape (n,), nats
    seed : int
        Seed of the resampling.
    groups : sequence of hashable, length n, or None
        Groups are resampled and flipped as a whole.

    Returns
    -------
    LossDifference
        With the p-value of `sign_flip_p` and the interval of `bootstrap_t_interval`.

    Raises
    ------
    ValueError
        If the shapes differ, there are no clips, or not exactly one group per clip.
    """
    if losses_a.shape != losses_b.shape or not losses_a.size:
        raise ValueError(f"both models must be evaluated on the same clips, got {losses_a.shape} and {losses_b.shape}")
    n = len(losses_a)
    codes = np.arange(n) if groups is None else group_codes(groups, n)
    net, sizes = group_sums(np.stack([losses_a - losses_b, np.ones(n)]), codes)
    rng = np.random.default_rng(seed)
    p_value = sign_flip_p(net, rng)
    return LossDifference(float(net.sum() / n), bootstrap_t_interval(net, sizes, rng), p_value)


def _check_discordant(b: NDArray[np.integer], c: NDArray[np.integer]) -> None:
    if b.shape != c.shape:
        raise ValueError(f"counts must come in pairs, got shapes {b.shape} and {c.shape}")
    if min(b.min(initial=0), c.min(initial=0)) < 0:
        raise ValueError("discordant clips must be at least 0")


def _exact_p(fewer: NDArray[np.integer], more: NDArray[np.integer]) -> NDArray[np.float64]:
    return np.minimum(1.0, 2 * coin_cdf(fewer, fewer + more))


def grouped_difference(difference: NDArray[np.float64], codes: NDArray[np.int64]) -> Effect:
    """Estimate a mean difference over clips that come in groups.

    It is the ratio of group sums to group sizes with its linearised standard error, and one degree of freedom fewer
    than the effective number of groups. (Simulated coverage with very unequal groups: 94%; with one degree of freedom
    fewer than the plain number of groups 92%, and 88% at worst.) If all groups agree, the interval is that of as many
    independent clips as there are groups.

    Parameters
    ----------
    difference : ndarray, shape (n,)
        1, 0 or -1 for each clip.
    codes : ndarray of int, shape (n,)
        Group code of each clip.

    References
    ----------
    Cochran, W. G. (1977). Sampling Techniques, 3rd ed., chapter 6. Wiley. ISBN 978-0-471-16240-7

    Carter et al. (2017), doi:10.1162/REST_a_00639, as for `effective_groups`.
    """
    sums, sizes = group_sums(np.stack([difference, np.ones(len(difference))]), codes)
    mean, n, groups = float(difference.mean()), len(difference), effective_groups(sizes)
    residual = sums - sizes * mean
    variance = float((residual**2).sum()) * groups / (groups - 1) / n**2
    if len(sums) < 2 or variance <= NOTHING:
        return constant_effect(mean, len(sums), len(sums))
    return t_effect(mean, math.sqrt(variance), groups - 1)
