"""The crossed analysis where clips are endlessly many and pairs are not: how often it claims what is not there.

Then the part of the variance that clips have is known, and what is left is how the few pairs happened to differ: MS_P
is σ² χ² / (r − 1), the estimate is normal with variance σ² + c, and a share follows from one integral.
"""

from __future__ import annotations

import numpy as np
import scipy

_SHARES = np.array([0.02, *np.arange(0.05, 1.0, 0.05), 0.99])
"""What part of the variance is from pair to pair, σ² / (σ² + c)."""

_QUANTILES = (np.arange(20_000) + 0.5) / 20_000


def false_claims(pairs: int, exponent: float, level: float = 0.05) -> tuple[float, float]:
    """Return the smallest and the largest share of null experiments called significant, over all `_SHARES`.

    Parameters
    ----------
    pairs : int, at least 2
    exponent : float
        Of V / MS_P in the degrees of freedom (r − 1) (V / MS_P)^exponent; Hillis' has 2.
    level : float
        Of the test.
    """
    spread = 2 * scipy.special.gammaincinv((pairs - 1) / 2, _QUANTILES) / (pairs - 1)
    rows = _SHARES[:, np.newaxis] * spread
    variance = rows + 1 - _SHARES[:, np.newaxis]
    critical = scipy.special.stdtrit((pairs - 1) * (variance / rows) ** exponent, 1 - level / 2)
    claimed = 2 * scipy.special.ndtr(-critical * np.sqrt(variance)).mean(axis=1)
    return float(claimed.min()), float(claimed.max())
