"""Levels for whoever adds repetitions and looks again: one test after each of several looks at growing data.

At a fixed level something is found in 13 to 19% of experiments in which nothing differs. Here the level is spent as
repetitions come: by r of them a fraction 0.8 (1 - 2 / r) of it at most, whichever look it is. What a look may claim
that none before it did is what has been added to that fraction, so that looks soon after each other, which mostly claim
the same, cost less than as many that are far apart. A fifth is kept back for people who let the last p-value decide how
many repetitions they add: with all of it to spend, the worst habit found claims something in 6% rather than 5%.

Conventions: `sizes` are the numbers of repetitions at each look so far, ascending, each at least 3 (of two levels that
are not paired, their harmonic mean); the last is that of the look in question. Successive statistics are taken to be
normal with the correlation √((r - 2.5) / (r' - 2.5)): less than that of estimates, √(r / r'), as Student's t with few
repetitions is far from 0 for their small spread as well. Simulated in `docs/truth.md`. `alpha`, above 0 and below 1, is
the level of all looks together.

References
----------
Lan, K. K. G. and DeMets, D. L. (1983). Discrete sequential boundaries for clinical trials. Biometrika 70, 659-663.
doi:10.1093/biomet/70.3.659

Armitage, P., McPherson, C. K. and Rowe, B. C. (1969). Repeated significance tests on accumulating data. Journal of the
Royal Statistical Society A 132, 235-244. doi:10.2307/2343787 (the recursion)
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import scipy

from tracker.statistics.proportions import check_open

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FEWEST = 3.0  # repetitions at a first look
_SPENDABLE, _UNSPENT = 0.8, 2.0  # r repetitions may spend a fraction 0.8 (1 - 2 / r)
_LOST = 2.5  # repetitions by which looks are less correlated than estimates are
# Normal scores of the alphas that levels are tabulated for; below, levels are proportional.
_SCORES = np.linspace(-6, 3, 32)
_MOST_LOOKS = 40  # further ones, between the first and the last, are taken for one with the look after them
_FEWEST_NODES = 16  # of Gauss' and Legendre's rule
_HALVINGS = 18  # of the interval, about one standard error, in which a boundary is looked for


def level_at_look(sizes: Sequence[float], alpha: float = 0.05) -> float:
    """Return the level that the last of several looks is held to, so that `alpha` holds over all of them.

    Raises
    ------
    ValueError
        If the sizes are not ascending, the first is below 3, or `alpha` is out of range.
    """
    check_open("alpha", alpha)
    return _level(_checked(sizes), alpha)


def adjusted_for_looks(p_value: float, sizes: Sequence[float]) -> float:
    """Return the smallest `alpha` at which the last of several looks would call a p-value significant; at most 1."""
    levels = _table(_checked(sizes))
    if p_value < levels[0]:
        return float(p_value / levels[0] * scipy.special.ndtr(_SCORES[0]))
    if p_value > levels[-1]:
        return 1.0
    score = np.interp(scipy.special.ndtri(p_value), scipy.special.ndtri(levels), _SCORES)  # it is nearly linear
    return float(scipy.special.ndtr(score))


def _checked(sizes: Sequence[float]) -> tuple[float, ...]:
    found = tuple(map(float, sizes))
    if not found or found[0] < FEWEST or any(a >= b for a, b in pairwise(found)):
        raise ValueError(f"looks must be at ascending numbers of repetitions, at least 3 at the first, got {found}")
    return found


@lru_cache(maxsize=4096)
def _level(sizes: tuple[float, ...], alpha: float) -> float:
    return float(_levels(sizes, np.array([alpha]))[0])


@lru_cache(maxsize=1024)
def _table(sizes: tuple[float, ...]) -> NDArray[np.float64]:
    return _levels(sizes, scipy.special.ndtr(_SCORES))


def _levels(sizes: tuple[float, ...], alphas: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the level at the last look for each of some levels of all looks together, shape (n_alphas,).

    Known at each look is the density of the distance from 0 of a sum that grows by independent normal steps, so far
    within its boundaries: by values at `points` with `weights`, shape (n_alphas, n_nodes).
    """
    looks = np.array((*sizes[:1], *sizes[1:][-_MOST_LOOKS:]))
    spent, information = _SPENDABLE * (1 - _UNSPENT / looks), looks - _LOST
    steps = np.sqrt(np.diff(information))
    levels: NDArray[np.float64] = alphas * spent[0]
    boundary = -scipy.special.ndtri(levels / 2) * np.sqrt(information[0])
    points, weights = _nodes(boundary, steps[:1])
    density = 2 * _normal(points / np.sqrt(information[0])) / np.sqrt(information[0])
    for look, step in enumerate(steps, start=1):
        mass, newly = density * weights, alphas * (spent[look] - spent[look - 1])
        # the level of a look is at least what it newly spends, as if it came alone, and at most all that is spent
        root = np.sqrt(information[look])
        low, high = (-scipy.special.ndtri(most / 2) * root for most in (alphas * spent[look], newly))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            beyond = [scipy.special.ndtr((end * points - middle[:, np.newaxis]) / step) for end in (1, -1)]
            is_far = (mass * sum(beyond)).sum(axis=1) < newly
            low, high = np.where(is_far, low, middle), np.where(is_far, middle, high)
        levels = 2 * scipy.special.ndtr(-high / root)
        if look < len(steps):
            after, weights = _nodes(high, steps[look : look + 1])
            gaps = [(after[:, :, np.newaxis] - end * points[:, np.newaxis, :]) / step for end in (1, -1)]
            density = ((_normal(gaps[0]) + _normal(gaps[1])) * mass[:, np.newaxis, :]).sum(axis=2) / step
            points = after
    return levels


def _nodes(boundary: NDArray[np.float64], step: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points from 0 to each boundary, and their weights, close enough for the next step if there is one."""
    number = _FEWEST_NODES + int(max(boundary.max() / step, default=0.0))
    at, weights = np.polynomial.legendre.leggauss(number)
    half = boundary[:, np.newaxis] / 2
    return half * (1 + at), half * weights


def _normal(z: NDArray[np.float64]) -> NDArray[np.float64]:
    density: NDArray[np.float64] = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return density
