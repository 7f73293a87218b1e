"""Scores over classes rather than clips: balanced accuracy and the macro-averaged F1.

Conventions: `labels` and `predicted` have one class a clip; a prediction of None is no class and never correct.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.statistics.proportions import Interval


def balanced_accuracy(labels: Sequence[str], predicted: Sequence[str | None]) -> float:
    """Return the mean over the classes of `labels` of the fraction of each class that is predicted correctly.

    References
    ----------
    Brodersen, K. H., Ong, C. S., Stephan, K. E. and Buhmann, J. M. (2010). The balanced accuracy and its posterior
    distribution. Proceedings of the 20th International Conference on Pattern Recognition, 3121-3124.
    doi:10.1109/ICPR.2010.764
    """
    sizes, hits = _counts(labels, predicted)
    return math.fsum(hits[name] / size for name, size in sizes.items()) / len(sizes)


def macro_f1(labels: Sequence[str], predicted: Sequence[str | None]) -> float:
    """Return the mean F1 over all classes that are labelled or predicted; the F1 of a class without a hit is 0.

    References
    ----------
    Sokolova, M. and Lapalme, G. (2009). A systematic analysis of performance measures for classification tasks.
    Information Processing and Management 45, 427-437. doi:10.1016/j.ipm.2009.03.002
    """
    sizes, hits = _counts(labels, predicted)
    answers = Counter(name for name in predicted if name is not None)
    names = sizes.keys() | answers.keys()
    return math.fsum(2 * hits[name] / (sizes[name] + answers[name]) for name in names) / len(names)


def mean_interval(fractions: Sequence[float], intervals: Sequence[Interval]) -> Interval:
    """Return the interval of the mean of independent fractions, given the interval of each.

    The distances of the ends from the fractions add up as standard errors do: the "method of variance estimates
    recovery", of which Newcombe's interval of a difference is a case.

    References
    ----------
    Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect measures: a general approach.
    Statistics in Medicine 27, 1693-1702. doi:10.1002/sim.3095
    """
    if not fractions or len(fractions) != len(intervals):
        raise ValueError(f"there must be an interval for each fraction, got {len(intervals)} for {len(fractions)}")
    n, mean = len(fractions), math.fsum(fractions) / len(fractions)
    below = math.hypot(*(value - low for value, (low, _) in zip(fractions, intervals, strict=True))) / n
    above = math.hypot(*(high - value for value, (_, high) in zip(fractions, intervals, strict=True))) / n
    return max(0.0, mean - below), min(1.0, mean + above)


def _counts(labels: Sequence[str], predicted: Sequence[str | None]) -> tuple[Counter[str], Counter[str]]:
    """Return how many clips each class has, and how many of those are predicted correctly."""
    if not labels or len(labels) != len(predicted):
        raise ValueError(f"there must be a prediction for each label, got {len(predicted)} for {len(labels)}")
    return Counter(labels), Counter(a for a, b in zip(labels, predicted, strict=True) if a == b)
