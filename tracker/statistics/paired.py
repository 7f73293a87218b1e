"""Tests and intervals for two trained models on the same clips.

The exact unconditional test decides. McNemar's, which is better known, is shown beside it: it holds its level for each
number of discordant clips rather than over all of them, and for that finds less (at 30 clips, 20 points in 36% rather
than 46% of experiments). Clips that share groups are for `grouped`.

Conventions: b counts the clips that only model a has correct, c those that only model b has correct (discordant clips,
at least 0 and among the n clips); a difference is a minus b, (b - c) / n, as a fraction. P-values are two-sided. An
interval at 95% confidence excludes 0 where p is at most 0.05 and only there; it may end at 0 in either case.
ValueError is raised for counts or a confidence out of range, and for two arrays of different shapes. None of this says
anything about the configurations that the two models came from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import scipy

from tracker.statistics.proportions import (
    Groups,
    Interval,
    check_open,
    coin_cdf,
    group_codes,
    group_sums,
    score_intervals,
    two_sided_z,
)
from tracker.statistics.resampling import bootstrap_t_interval, sign_flip_p

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROBABILITY_FLOOR = 1e-7  # as in Keras, so that one confident mistake cannot outweigh the rest of a log-loss
MOST_TRIED = 10_000  # numbers of discordant clips that two counts of correct clips allow and that are tried
MOST_EXPECTED = 1_000  # discordant clips above which the unconditional test's p-value is that of its normal limit
TIE = 1e-9  # of a clip: two scores that differ by less are equal, and were rounded differently
_CLOSE = 1e-7  # a critical score is found as closely as that
_FREQUENCIES = 256  # true fractions of discordant clips over which the unconditional test takes its worst case
_SCORES_AT_ONCE = 2**20  # entries of the table of scores by numbers of discordant clips


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
    _check_discordant(np.array([b]), np.array([c]))
    return min(1.0, 2 * float(coin_cdf(np.array([min(b, c)]), np.array([b + c]))[0]))


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


def unconditional(b: int, c: int, n: int) -> float:
    """Return the p-value of the exact unconditional test of Suissa and Shuster; 1 if no clip is discordant.

    The score is |b - c| / √(b + c), McNemar's own. The p-value is the probability of one at least as large, whatever
    the number of discordant clips, if both models are equally accurate: the largest over their true fraction ψ, of
    Σ_m Binom(n, m; ψ) P(|2B - m| ≥ score √m) with B ~ Binom(m, ½).

    References
    ----------
    Suissa, S. and Shuster, J. J. (1991). The 2 x 2 matched-pairs trial: exact unconditional design and analysis.
    Biometrics 47, 361-372. doi:10.2307/2532131
    """
    return float(unconditional_many(np.array([b]), np.array([c]), n)[0])


def paired_interval(b: int, c: int, n: int, confidence: float = 0.95) -> Interval:
    """Return Tango's interval of the difference, made to agree with the exact unconditional test about 0."""
    return agreeing(tango(b, c, n, confidence), b - c, unconditional(b, c, n), confidence)


def unconditional_many(b: NDArray[np.integer], c: NDArray[np.integer], n: int) -> NDArray[np.float64]:
    """Return the p-values of `unconditional` for many pairs of counts, of shape (k,); each score is computed once."""
    _check_discordant(b, c)
    if n < max(1, int((b + c).max(initial=0))):
        raise ValueError(f"discordant clips must be among the n clips, got {int((b + c).max())} of {n}")
    scores = np.abs(b - c) / np.sqrt(np.maximum(b + c, 1))
    distinct, inverse = np.unique(scores, return_inverse=True)
    p_values = np.ones(len(distinct))
    block = max(1, _SCORES_AT_ONCE // n)
    for start in range(int(distinct[:1].tolist() == [0.0]), len(distinct), block):
        p_values[start : start + block] = _unconditional_p(distinct[start : start + block], n)
    found: NDArray[np.float64] = p_values[inverse]
    return found


@lru_cache(maxsize=4_096)
def critical_score(n: int, alpha: float = 0.05) -> float | None:
    """Return a score |b - c| / √(b + c) from which on `unconditional` gives p ≤ `alpha`; None if there is none.

    It lies just above the largest score with a larger p-value.
    """
    check_open("alpha", alpha)

    def is_significant(score: float) -> bool:
        return float(_unconditional_p(np.array([score]), n)[0]) <= alpha

    normal, largest = two_sided_z(1 - alpha), math.sqrt(n)  # the largest score is that of n clips in one direction
    accepted, rejected = min(0.97 * normal, largest), min(1.1 * normal, largest)
    while not is_significant(rejected):
        if rejected == largest:
            return None
        accepted, rejected = rejected, min(1.1 * rejected, largest)
    if is_significant(accepted):
        accepted = 0.0
    while rejected - accepted > _CLOSE:
        middle = (accepted + rejected) / 2
        accepted, rejected = (accepted, middle) if is_significant(middle) else (middle, rejected)
    return rejected


def _unconditional_p(scores: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return the p-value of each score, above 0, shape (k,)."""
    weights = _chances_of_discordance(n)
    m = np.broadcast_to(np.arange(1, weights.shape[1] + 1), (len(scores), weights.shape[1]))
    fewer = np.floor((m - scores[:, np.newaxis] * np.sqrt(m)) / 2 + TIE).astype(np.int64)
    tails = np.where(fewer >= 0, 2 * coin_cdf(np.maximum(fewer, -1), m), 0.0)
    p_values: NDArray[np.float64] = (tails @ weights.T).max(axis=1)
    if n > MOST_EXPECTED:
        p_values = np.maximum(p_values, 2 * scipy.special.ndtr(-scores))
    return np.minimum(p_values, 1.0)


@lru_cache(maxsize=16)
def _chances_of_discordance(n: int) -> NDArray[np.float64]:
    """Return the probability of each number of discordant clips from 1 on, shape (true fractions, numbers).

    The true fractions are spaced evenly on the arcsine scale, a third of a standard deviation apart or less.
    """
    largest = min(1.0, MOST_EXPECTED / n)
    most = min(n, math.ceil(MOST_EXPECTED + 9 * math.sqrt(MOST_EXPECTED)))
    angles = np.linspace(0, math.asin(math.sqrt(largest)), _FREQUENCIES + 1)[1:, np.newaxis]
    m, fractions = np.arange(1, most + 1), np.minimum(np.sin(angles) ** 2, largest)
    ways = scipy.special.gammaln(n + 1) - scipy.special.gammaln(m + 1) - scipy.special.gammaln(n - m + 1)
    chances: NDArray[np.float64] = np.exp(
        ways + scipy.special.xlogy(m, fractions) + scipy.special.xlog1py(n - m, -fractions)
    )
    return chances


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


def agreeing(interval: Interval, estimate: float, p_value: float, confidence: float = 0.95) -> Interval:
    """Return an interval that agrees with a test about 0: an end on the wrong side of 0 is moved to 0.

    If p is above 1 - `confidence`, 0 is not outside; otherwise it is not inside.
    """
    low, high = interval
    if p_value > 1 - confidence + TIE:
        return min(low, 0.0), max(high, 0.0)
    return (max(low, 0.0), high) if estimate > 0 else (low, min(high, 0.0))


def from_aggregates(correct_a: int, correct_b: int, n: int) -> Aggregates:
    """Compare two models on the same `n` clips if only the counts of clips that each has correct are known.

    All numbers of clips that only the first has correct are tried, of more than `MOST_TRIED` so many, at equal steps.
    """
    least, largest = aggregate_p_range(correct_a, correct_b, n)
    net = correct_a - correct_b
    fewest, most = _only_first(correct_a, correct_b, n)
    b = np.linspace(fewest, most, min(most - fewest + 1, MOST_TRIED)).round().astype(np.int64)
    estimate = float(net / n)

    def interval(confidence: float) -> Interval:
        low, high = score_intervals(b, b - net, n, two_sided_z(confidence))
        return agreeing((float(low.min()), float(high.max())), estimate, largest, confidence)

    return Aggregates(estimate, largest, (least, largest), interval(0.95), interval(0.90))


def aggregate_p_range(correct_a: int, correct_b: int, n: int) -> Interval:
    """Return the smallest and the largest p-value of `from_aggregates`, without the intervals, which take longer."""
    if n < 1 or not (0 <= correct_a <= n and 0 <= correct_b <= n):
        raise ValueError(f"counts must be of the same clips, at least 1, got {correct_a} and {correct_b} of {n}")
    ends = np.array(_only_first(correct_a, correct_b, n))  # score and p change in one direction between them
    least, largest = sorted(unconditional_many(ends, ends - (correct_a - correct_b), n).tolist())
    return least, largest


def _only_first(correct_a: int, correct_b: int, n: int) -> tuple[int, int]:
    """Return the fewest and the most clips that only the first model can have correct."""
    return max(0, correct_a - correct_b), min(correct_a, n - correct_b)


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
