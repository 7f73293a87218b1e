"""Bootstrap over clips: optimism of the best run, and the probability of being the best.

Conventions: `correct` has a row a model and a column a clip. Clips, or groups of clips, are drawn with replacement, the
same ones for all models. The same seed gives the same answer. Everything here is an estimate. Counts are float32, which
holds whole numbers up to 16 million exactly and multiplies twice as fast as float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy

from tracker.statistics.groups import Groups, group_codes, group_sums
from tracker.statistics.proportions import Interval, grouped_wilson, score_interval, two_sided_z, wilson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Counts = NDArray[np.float32]

RESAMPLES = 2_000
"""Draws: a percentile at 2.5 % rests on 50 of them."""

BLOCK = 2**18
"""Numbers per block: 2 MB, which fit a processor's cache."""


@dataclass(frozen=True, slots=True)
class Optimism:
    """Optimism of the best of several runs on the clips that it was selected on.

    Parameters
    ----------
    estimate : float
        Mean over resamples of the accuracy in the resample minus that on all clips, of the run selected there.
    interval : tuple of float
        95 % interval of how much better the best run is on these clips than on new ones.
    """

    estimate: float
    interval: Interval


def optimism_of_best(
    correct: NDArray[np.bool_], seed: int, groups: Groups | None = None, resamples: int = RESAMPLES
) -> Optimism:
    """Estimate how much the best run's accuracy is inflated by having been selected on these clips.

    The interval is Wilson's interval of the best run's accuracy on new clips, subtracted from its accuracy here, with
    percentiles of the bootstrap in place of normal quantiles: those of the score (q - p) / √(p (1 - p)), where q is the
    accuracy in the resample of the run selected there and p its accuracy on all clips. They are widened as Student's
    quantiles are for as many clips or groups, and the lower end is at most Wilson's own.

    Simulated coverage with 2 to 12 models on 30 to 300 clips, 50 % to 90 % of them correct: 94.7 % on average and 91 %
    at worst if all models are equally good, 94 % and 90 % if they are up to ten points apart, and no less with clips in
    groups. Plain percentiles of the optimism cover 85 % to 93 % on average and 75 % at worst.

    Parameters
    ----------
    correct : ndarray of bool, shape (k, n)
        k candidates on the same n clips.
    seed : int
    groups : sequence of hashable, length n, or None
        Groups are drawn as a whole.
    resamples : int, at least 1

    Returns
    -------
    Optimism
        The best is selected again in each resample, ties at random. A single candidate has no optimism beyond chance.

    Raises
    ------
    ValueError
        If there are no candidates, no clips, no resamples or not exactly one group per clip.

    References
    ----------
    Efron, B. (1983). Estimating the error rate of a prediction rule: improvement on cross-validation. Journal of the
    American Statistical Association 78, 316-331. doi:10.1080/01621459.1983.10477973
    """
    rng = np.random.default_rng(seed)
    counts, sizes = _counts(correct, groups)
    at_hand = counts.sum(axis=1) / sizes.sum()
    chosen = []
    for weights in _draws(sizes, resamples, rng, per_draw=len(counts)):
        drawn = weights @ counts.T
        best = _best_of(drawn, rng)
        chosen.append([drawn[np.arange(len(drawn)), best] / (weights @ sizes), at_hand[best]])
    there, here = np.concatenate(chosen, axis=1)
    return _optimism(there, here, correct[at_hand.argmax()], groups)


def optimism_of_best_epoch(
    correct: Sequence[NDArray[np.bool_]],
    losses: Sequence[NDArray[np.float64]],
    seed: int,
    groups: Groups | None = None,
    resamples: int = RESAMPLES,
) -> Optimism:
    """Estimate the optimism of the best run if each run's epoch was selected on the same clips too.

    Parameters
    ----------
    correct : sequence of ndarray of bool, each of shape (n_epochs, n)
        One array per candidate; the number of epochs may differ.
    losses : sequence of ndarray, each of shape (n_epochs, n), nats
        Their log-losses: the epoch with the lowest mean is kept, the first of ties.
    seed, groups, resamples
        As for `optimism_of_best`.

    Raises
    ------
    ValueError
        As for `optimism_of_best`, and if shapes differ.
    """
    if not correct or [a.shape for a in correct] != [a.shape for a in losses]:
        raise ValueError("there must be at least one candidate, and losses of the same shape as its predictions")
    rng = np.random.default_rng(seed)
    runs = [_ByEpoch.of(answers, loss, groups) for answers, loss in zip(correct, losses, strict=True)]
    sizes = _counts(correct[0], groups)[1]
    chosen = []
    for weights in _draws(sizes, resamples, rng, per_draw=len(runs) + max(len(a) for a in correct)):
        drawn, at_hand = np.stack([run.at_kept_epoch(weights) for run in runs], axis=2)
        rows, best = np.arange(len(weights)), _best_of(drawn, rng)
        chosen.append([drawn[rows, best] / (weights @ sizes), at_hand[rows, best] / sizes.sum()])
    kept = [answers[loss.sum(axis=1).argmin()] for answers, loss in zip(correct, losses, strict=True)]
    there, here = np.concatenate(chosen, axis=1)
    return _optimism(there, here, max(kept, key=np.mean), groups)


@dataclass(frozen=True, slots=True, eq=False)
class _ByEpoch:
    """Correct answers and summed losses of one run, shape (n_epochs, G) each."""

    counts: Counts
    losses: NDArray[np.float64]

    @classmethod
    def of(cls, correct: NDArray[np.bool_], losses: NDArray[np.float64], groups: Groups | None) -> _ByEpoch:
        return cls(_counts(correct, groups)[0], _per_group(losses, groups))

    def at_kept_epoch(self, weights: Counts) -> NDArray[np.float64]:
        """Count correct answers at the epoch that each resample keeps: in the resample, and on all clips."""
        kept = (weights @ self.losses.T).argmin(axis=1)
        return np.stack([(weights * self.counts[kept]).sum(axis=1), self.counts.sum(axis=1)[kept]])


def probability_best(
    correct: NDArray[np.bool_], seed: int, groups: Groups | None = None, resamples: int = RESAMPLES
) -> NDArray[np.float64]:
    """Estimate how often each of several models would be the best on new clips of the same kind.

    Parameters
    ----------
    correct, seed, groups, resamples
        As for `optimism_of_best`.

    Returns
    -------
    ndarray, shape (k,)
        The fraction of resamples in which each is the best; ties share one. Sums to 1.

    Raises
    ------
    ValueError
        As for `optimism_of_best`.
    """
    counts, sizes = _counts(correct, groups)
    wins = np.zeros(len(counts))
    for weights in _draws(sizes, resamples, np.random.default_rng(seed), per_draw=len(counts)):
        drawn = weights @ counts.T
        top = drawn == drawn.max(axis=1, keepdims=True)
        wins += (top / top.sum(axis=1, keepdims=True)).sum(axis=0)
    return wins / resamples


def probability_better(
    entries: NDArray[np.float64], seed: int, groups: Groups | None = None, resamples: int = RESAMPLES
) -> float:
    """Estimate the probability that one level beats another on new clips and with new seeds.

    Parameters
    ----------
    entries : ndarray, shape (r, n)
        -1, 0 or 1 for each matched pair and clip, as for `matched_pairs.crossed`.
    seed, groups, resamples
        As for `optimism_of_best`.

    Returns
    -------
    float
        The fraction of resamples, pairs and clips drawn together, with a mean above 0; a mean of 0 counts half.

    Raises
    ------
    ValueError
        As for `optimism_of_best`.
    """
    rng = np.random.default_rng(seed)
    sums, sizes = _counts(entries, groups)
    rows, better = len(sums), 0.0
    for weights in _draws(sizes, resamples, rng, per_draw=2 * rows):
        totals = np.einsum("ij,ij->i", weights @ sums.T, _times_drawn(len(weights), rows, rng))
        better += np.count_nonzero(totals > 0) + np.count_nonzero(totals == 0) / 2
    return better / resamples


def _counts(correct: NDArray[np.generic], groups: Groups | None) -> tuple[Counts, NDArray[np.float64]]:
    """Sum the counts of each group, shape (k, G), and its clips, shape (G,)."""
    if correct.ndim != 2 or not correct.size:
        raise ValueError(f"there must be at least one candidate and one clip, got shape {correct.shape}")
    sums, sizes = _per_group(correct, groups), _per_group(np.ones((1, correct.shape[1])), groups)
    return sums.astype(np.float32), sizes[0]


def _per_group(values: NDArray[np.generic], groups: Groups | None) -> NDArray[np.float64]:
    """Sum the clips of each group, shape (k, G)."""
    clips = values.astype(np.float64)
    return clips if groups is None else group_sums(clips, group_codes(groups, values.shape[1]))


def _draws(sizes: NDArray[np.float64], resamples: int, rng: np.random.Generator, per_draw: int) -> Iterator[Counts]:
    """Draw groups with replacement, in blocks that fit into memory; yield how often each came up, shape (block, G)."""
    if resamples < 1:
        raise ValueError(f"there must be at least one resample, got {resamples}")
    block = max(1, BLOCK // (len(sizes) + per_draw))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        yield _times_drawn(rows, len(sizes), rng)


def _times_drawn(rows: int, n: int, rng: np.random.Generator) -> Counts:
    """Draw `n` of `n` with replacement, `rows` times; return how often each was drawn, shape (rows, n)."""
    cells = rng.integers(0, n, size=(rows, n)) + n * np.arange(rows)[:, np.newaxis]
    return np.bincount(cells.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float32)


def _best_of(counts: Counts, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the column of each row's largest count, ties at random."""
    chosen: NDArray[np.int64] = (counts + rng.uniform(0, 0.5, size=counts.shape)).argmax(axis=1)
    return chosen


def _optimism(
    there: NDArray[np.float64], here: NDArray[np.float64], best: NDArray[np.bool_], groups: Groups | None
) -> Optimism:
    """Return the optimism of `best` from the accuracies of the selected runs, in each resample and on all clips."""
    gains, deviation = there - here, np.sqrt(here * (1 - here))
    scores = np.divide(gains, deviation, out=np.zeros_like(gains), where=deviation > 0)
    low, high = np.percentile(scores, [2.5, 97.5]) * _widening(len(best) if groups is None else len(set(groups)))
    accuracy, alone = float(best.mean()), _accuracy_interval(best, groups)
    least = min(_fraction_at(accuracy, high), alone[0])
    return Optimism(float(gains.mean()), (accuracy - _fraction_at(accuracy, low), accuracy - least))


def _widening(columns: int) -> float:
    """Return the factor that widens bootstrap scores of so few clips or groups."""
    if columns == 1:
        return 1.0
    return float(scipy.special.stdtrit(columns - 1, 0.975)) / two_sided_z(0.95) * math.sqrt(columns / (columns - 1))


def _accuracy_interval(correct: NDArray[np.bool_], groups: Groups | None) -> Interval:
    return wilson(int(correct.sum()), len(correct)) if groups is None else grouped_wilson(correct, groups)


def _fraction_at(fraction: float, score: float) -> float:
    """Return the true fraction p at which (fraction - p) / √(p (1 - p)) is `score`."""
    low, high = score_interval(fraction, 1, abs(score))
    return low if score >= 0 else high
