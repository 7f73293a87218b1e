"""The sign-flip test for two models on clips that come in groups: its p-value, interval and power.

Clips of one artist, speaker or recording go together, so that groups are what is sampled. Under the null hypothesis
each group's net difference could equally have had the opposite sign.

Conventions: `net`, shape (n_groups,), is how many more clips the first model has correct in each group, `sizes` its
clips, at least 1; differences, discordance, power and `alpha` are as in `error_rates`. `correlation` is the intra-class
correlation of the differences between two models, from 0 (clips of a group have nothing in common) to 1 (a group's
clips all go the same way). ValueError is raised for what is out of range. Power is simulated with a fixed seed.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tracker.statistics.error_rates import approximate_clips, detectable_difference, unconditional_power
from tracker.statistics.matched_pairs import constant_effect
from tracker.statistics.paired import agreeing
from tracker.statistics.proportions import (
    Interval,
    check_open,
    group_sums,
    intraclass_correlation,
    score_intervals,
    two_sided_z,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_ENUMERATED = 16  # groups of which every subset is tried for an interval
MOST_SIMULATED = 1_000  # clips above which power is that of as many independent clips as they are worth
RESOLUTION = 1e-3  # of a detectable difference: a tenth of a point
_EXPERIMENTS = (400, 1_000)  # simulated ones: the fewest, with many clips, and the most
_NUMBERS_DRAWN = 200_000
_SEED = 11_2026


def grouped_sign_flip(net: NDArray[np.int64]) -> float:
    """Return the exact p-value of a sign-flip test over groups; 1 if no model is ahead in any.

    The distribution of the sum over all sign patterns is computed by convolution. With groups of one clip this is
    McNemar's exact test. It is at least 2^(1 - informative groups), so that significance takes `fewest_groups`.

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


def fewest_groups(alpha: float) -> int:
    """Return the fewest informative groups with which the test can give p ≤ `alpha`: 6 for 0.05."""
    check_open("alpha", alpha)
    return 1 + math.ceil(-math.log2(alpha) - 1e-9)


def sign_flip_interval(
    net: NDArray[np.int64], sizes: NDArray[np.int64], p_value: float, confidence: float = 0.95
) -> Interval:
    """Return the interval of the difference: the true ones that the test does not reject.

    Each subset of groups has a difference of its own, and these "typical values" part the line into equally likely
    pieces: the ends of the interval are two of them. Above `MOST_ENUMERATED` groups, the sum over sign patterns is
    taken as normal. So few groups that the test can reject nothing give -1 to 1.

    Grouping clips makes the interval no narrower than Tango's, which holds for independent ones; if all groups agree,
    it is that of as many clips as there are groups. It agrees with `p_value`, the test's own, about 0.

    References
    ----------
    Hartigan, J. A. (1969). Using subsample values as typical values. Journal of the American Statistical Association
    64, 1303-1317. doi:10.1080/01621459.1969.10501057
    """
    n, groups = int(sizes.sum()), len(sizes)
    z, estimate = two_sided_z(confidence), float(net.sum() / n)
    if np.array_equal(net * n, net.sum() * sizes):
        constant = constant_effect(estimate, groups, groups)
        inverted = constant.interval if confidence >= 0.95 else constant.interval_90
    elif groups <= MOST_ENUMERATED:
        inverted = _typical_values(net, sizes, confidence)
    else:
        inverted = _normal_inversion(net, sizes, z)
    ahead, behind = np.array([net[net > 0].sum()]), np.array([-net[net < 0].sum()])
    low, high = score_intervals(ahead, behind, n, z)
    wider = max(-1.0, min(inverted[0], float(low[0]))), min(1.0, max(inverted[1], float(high[0])))
    return agreeing(wider, estimate, p_value, confidence)


def _typical_values(net: NDArray[np.int64], sizes: NDArray[np.int64], confidence: float) -> Interval:
    subsets = _subsets(len(net))
    differences = np.sort((subsets @ net) / (subsets @ sizes))
    beyond = math.floor((1 - confidence) / 2 * 2 ** len(net))  # of the typical values at either end
    return (-1.0, 1.0) if beyond == 0 else (float(differences[beyond - 1]), float(differences[-beyond]))


@lru_cache(maxsize=4)
def _subsets(groups: int) -> NDArray[np.float64]:
    """Return which groups are in each subset but the empty one, shape (2^groups - 1, groups)."""
    return ((np.arange(1, 2**groups)[:, np.newaxis] >> np.arange(groups)) & 1).astype(np.float64)


def _normal_inversion(net: NDArray[np.int64], sizes: NDArray[np.int64], z: float) -> Interval:
    """Return where (Σ d)² ≤ z² Σ d² with d = net - difference · sizes: the roots of a quadratic equation."""
    n, total = float(sizes.sum()), float(net.sum())
    square = n**2 - z**2 * float((sizes**2).sum())
    middle = total * n - z**2 * float((net * sizes).sum())
    constant = total**2 - z**2 * float((net**2).sum())
    if square <= 0:
        return -1.0, 1.0
    half = math.sqrt(max(middle**2 - square * constant, 0.0))
    return (middle - half) / square, (middle + half) / square


def difference_correlation(correct: NDArray[np.bool_], codes: NDArray[np.int64]) -> float:
    """Return the intra-class correlation of the differences between models, pooled over all pairs of them.

    Parameters
    ----------
    correct : ndarray of bool, shape (k, n)
        Which clips each model has correct. That of a single model is that of its own correct clips.
    codes : ndarray of int, shape (n,)
        Group code of each clip.

    Returns
    -------
    float
        0 to 1; 1 if nothing differs or there is one group, so that it cannot be estimated.
    """
    rows = correct.astype(np.float64)
    rows = rows - rows.mean(axis=0) if len(rows) > 1 else rows
    sizes, *sums = group_sums(np.vstack([np.ones(rows.shape[1]), rows]), codes)
    if len(sizes) == 1:
        return 1.0
    return min(1.0, max(0.0, intraclass_correlation(sizes, np.array(sums), float((rows**2).sum()))))


def design_effect(sizes: NDArray[np.int64], correlation: float) -> float:
    """Return how many clips count for one independent clip: 1 + (m - 1) correlation, m a clip's group's mean size."""
    return 1 + (float((sizes**2).sum() / sizes.sum()) - 1) * correlation


def sign_flip_power(
    sizes: NDArray[np.int64], difference: float, discordance: float, correlation: float, alpha: float = 0.05
) -> float:
    """Return the power of the sign-flip test: the probability that it detects a difference.

    Of two clips of a group, both go the way of their group with probability `correlation`, and each its own otherwise.
    Above `MOST_SIMULATED` clips it is the power of the unconditional test with as many independent clips as they are
    worth.
    """
    _check(sizes, correlation)
    if int(sizes.sum()) > MOST_SIMULATED:
        n = max(1, round(sizes.sum() / design_effect(sizes, correlation)))
        return unconditional_power(n, difference, discordance, alpha)
    check_open("alpha", alpha)
    discordance = max(discordance, abs(difference))
    ahead, behind = (discordance + abs(difference)) / 2, (discordance - abs(difference)) / 2
    drawn = _uniform(tuple(sizes.tolist()), correlation)
    signs = (drawn < ahead).astype(np.int8) - (drawn > 1 - behind)
    starts = np.cumsum(sizes) - sizes
    nets = np.add.reduceat(signs, starts, axis=1, dtype=np.int64)
    return float(np.mean(sign_flip_many(nets) <= alpha + 1e-9))


def detectable_grouped_difference(
    sizes: NDArray[np.int64], discordance: float, correlation: float, power: float = 0.8, alpha: float = 0.05
) -> float | None:
    """Return the smallest true difference that the sign-flip test detects with the given power.

    None if not even a difference of 1 is detected that often, as with too few groups.
    """
    _check(sizes, correlation)
    check_open("the power", power)
    if int(sizes.sum()) > MOST_SIMULATED:
        n = max(1, round(sizes.sum() / design_effect(sizes, correlation)))
        return detectable_difference(n, discordance, power, alpha)
    if sign_flip_power(sizes, 1.0, discordance, correlation, alpha) < power:
        return None
    too_small, enough = 0.0, 1.0
    while enough - too_small > RESOLUTION:
        middle = (too_small + enough) / 2
        if sign_flip_power(sizes, middle, discordance, correlation, alpha) >= power:
            enough = middle
        else:
            too_small = middle
    return enough


def approximate_grouped_clips(
    sizes: NDArray[np.int64],
    difference: float,
    discordance: float,
    correlation: float,
    power: float = 0.8,
    alpha: float = 0.05,
) -> int:
    """Return about how many clips, in groups like these, the test needs to detect a difference that is not 0."""
    _check(sizes, correlation)
    independent = approximate_clips(difference, discordance, power, alpha)
    return math.ceil(independent * design_effect(sizes, correlation))


def sign_flip_many(net: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the p-value of `grouped_sign_flip` of each row of nets, shape (k, n_groups), by their Fourier transform.

    The sum of the groups' signed nets has the characteristic function Π cos(net θ).
    """
    size = np.abs(net)
    most = int(size.sum(axis=1).max(initial=0))
    angles = np.pi * np.arange(most + 1) / (most + 0.5)  # of a transform of 2 · most + 1 points: half of them
    cosines = np.cos(np.arange(int(size.max(initial=0)) + 1)[:, np.newaxis] * angles)
    counts = np.stack([(size == value).sum(axis=1) for value in range(len(cosines))], axis=1).astype(np.float64)
    sizes = np.exp(counts @ np.log(np.maximum(np.abs(cosines), 1e-300)))
    negative = (counts @ (cosines < 0)) % 2 == 1
    transform = np.where(negative, -sizes, sizes) * np.where(angles == 0, 1.0, 2.0)
    by_total = np.cos(np.arange(most + 1)[:, np.newaxis] * angles) * np.where(np.arange(most + 1) == 0, 1, 2)[:, None]
    tails = np.cumsum(by_total[::-1], axis=0)[::-1]  # of |sum| ≥ total
    p_values: NDArray[np.float64] = (transform * tails[np.abs(net.sum(axis=1))]).sum(axis=1) / (2 * most + 1)
    return np.clip(p_values, 0.0, 1.0)


@lru_cache(maxsize=4)
def _uniform(sizes: tuple[int, ...], correlation: float) -> NDArray[np.float64]:
    """Draw a uniform number for each clip, group after group, shape (experiments, clips): often that of its group."""
    fewest, most = _EXPERIMENTS
    n, rng = sum(sizes), np.random.default_rng(_SEED)
    rows = min(most, max(fewest, _NUMBERS_DRAWN // n))
    own, of_group = rng.random((rows, n)), np.repeat(rng.random((rows, len(sizes))), sizes, axis=1)
    return np.where(rng.random((rows, n)) < math.sqrt(correlation), of_group, own)


def _check(sizes: NDArray[np.int64], correlation: float) -> None:
    if not len(sizes) or sizes.min() < 1:
        raise ValueError("there must be at least one group, and at least one clip in each")
    if not 0 <= correlation <= 1:
        raise ValueError(f"the correlation must be from 0 to 1, got {correlation}")
