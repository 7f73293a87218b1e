"""Other tests on the same data: what people use, and what else could have been used."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import scipy

from tracker.statistics.matched_pairs import NOTHING, MeanSquares, mean_squares
from tracker.statistics.paired import discordant, mcnemar

if TYPE_CHECKING:
    from numpy.typing import NDArray

T_SEEDS = "t over seeds"
T_CLIPS = "t over clips"
BOTH = "both t-tests"
COCHRAN = "Cochran's critical value"
HILLIS = "crossed, Hillis' degrees of freedom"
LINEAR = "crossed, degrees of freedom (r − 1) V / MS_P"

_NUISANCE = np.linspace(0.01, 0.99, 99)
"""Shares of discordant clips over which the unconditional test takes its worst case."""


def over_seeds(entries: NDArray[np.float64]) -> dict[str, bool]:
    """Say which tests of an option call its effect significant at 5%.

    Parameters
    ----------
    entries : ndarray, shape (r, n)
        As for `tracker.statistics.matched_pairs.crossed`, at least two pairs.

    References
    ----------
    Cochran, W. G. and Cox, G. M. (1957). Experimental Designs, 2nd ed., section 4.14. Wiley.
    """
    squares, (r, n), mean = mean_squares(entries), entries.shape, abs(float(entries.mean()))
    rows = squares.rows if squares.rows > NOTHING else max(squares.residual, NOTHING)
    total = rows + _clips_part(squares)
    scale = np.sqrt(r * n)
    seeds = 2 * scipy.special.stdtr(r - 1, -mean * scale / np.sqrt(max(squares.rows, NOTHING)))
    clips = 2 * scipy.special.stdtr(n - 1, -mean * scale / np.sqrt(max(squares.columns, NOTHING)))
    t = mean * scale / np.sqrt(total)
    critical = (rows * _quantile(r - 1) + (total - rows) * _quantile(n - 1)) / total
    return {
        T_SEEDS: bool(seeds <= 0.05),
        T_CLIPS: bool(clips <= 0.05),
        BOTH: bool(max(seeds, clips) <= 0.05),
        COCHRAN: bool(t >= critical),
        HILLIS: bool(t >= _quantile(_df(squares, r, n, 2))),
        LINEAR: bool(t >= _quantile(_df(squares, r, n, 1))),
    }


def mcnemar_claims(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> bool:
    """Tell whether exact McNemar's test of two models gives p ≤ 0.05."""
    return mcnemar(*discordant(a, b)) <= 0.05


def z_test_claims(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> bool:
    """Tell whether the z-test of two proportions, as if the clips were not the same, gives p ≤ 0.05."""
    pooled = (a.mean() + b.mean()) / 2
    error = np.sqrt(pooled * (1 - pooled) * 2 / len(a))
    return bool(error and abs(a.mean() - b.mean()) / error >= scipy.special.ndtri(0.975))


def unconditional_claims(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> bool:
    """Tell whether the exact unconditional test of two models on the same clips gives p ≤ 0.05.

    References
    ----------
    Suissa, S. and Shuster, J. J. (1991). The 2 × 2 matched-pairs trial: exact unconditional design and analysis.
    Biometrics 47, 361-372. doi:10.2307/2532131
    """
    only_a, only_b = discordant(a, b)
    return bool(only_a != only_b and _unconditional_p(abs(only_a - only_b) / np.sqrt(only_a + only_b), len(a)) <= 0.05)


def _clips_part(squares: MeanSquares) -> float:
    return max(squares.columns - squares.residual, 0.0)


def _df(squares: MeanSquares, r: int, n: int, exponent: int) -> float:
    """Return the degrees of freedom of the crossed analysis: Hillis' with exponent 2."""
    if squares.rows <= NOTHING:
        return n - 1
    return (r - 1) * ((squares.rows + _clips_part(squares)) / squares.rows) ** exponent


def _quantile(df: float) -> float:
    return float(scipy.special.stdtrit(df, 0.975))


@lru_cache(maxsize=16)
def _weights(n: int) -> NDArray[np.float64]:
    """Return the chance of each number of discordant clips, shape (nuisance, n + 1)."""
    numbers = np.arange(n + 1)
    log = scipy.special.gammaln(n + 1) - scipy.special.gammaln(numbers + 1) - scipy.special.gammaln(n - numbers + 1)
    shares = _NUISANCE[:, np.newaxis]
    log = log + scipy.special.xlogy(numbers, shares) + scipy.special.xlog1py(n - numbers, -shares)
    chances: NDArray[np.float64] = np.exp(log)
    return chances


@lru_cache(maxsize=65_536)
def _unconditional_p(statistic: float, n: int) -> float:
    numbers = np.arange(n + 1)
    fewer = np.floor((numbers - statistic * np.sqrt(numbers)) / 2 + 1e-9)
    tails = np.where(fewer >= 0, 2 * scipy.special.bdtr(np.maximum(fewer, 0), numbers, 0.5), 0.0)
    tails[0] = 0.0
    return float((_weights(n) @ np.minimum(tails, 1.0)).max())
