"""The worlds that the widest intervals are made for: there they hold the truth as often as they should, and no oftener.

Whoever has only the counts of two models cannot rule out that their errors exclude each other, and whoever has one
cross-validation cannot tell how far its folds are correlated. An interval that is narrower would not be valid here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from tracker.statistics.paired import from_aggregates
from tracker.statistics.repetitions import nadeau_bengio

if TYPE_CHECKING:
    from bench.truth.settings import Counted


@dataclass(frozen=True, slots=True)
class ExclusiveErrors:
    """Two models of known accuracies, no clip being wrong by both, of which only the counts were logged."""

    clips: int
    first: float
    second: float

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and look at the interval of the difference."""
        wrong = rng.multinomial(self.clips, [1 - self.first, 1 - self.second, self.first + self.second - 1])
        low, high = _interval(int(self.clips - wrong[0]), int(self.clips - wrong[1]), self.clips)
        return {"covered": low <= self.first - self.second <= high}


@dataclass(frozen=True, slots=True)
class CorrelatedFolds:
    """Differences of folds that are correlated as Nadeau and Bengio assume: by the share of clips in a fold."""

    folds: int
    effect: float

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and look at the interval of the effect."""
        share = 1 / self.folds
        own, common = rng.standard_normal(self.folds), rng.standard_normal()
        differences = self.effect + 0.05 * (np.sqrt(1 - share) * own + np.sqrt(share) * common)
        low, high = nadeau_bengio(differences, self.folds - 1, 1).interval
        return {"covered": low <= self.effect <= high}


def settings() -> list[ExclusiveErrors | CorrelatedFolds]:
    exclusive = [ExclusiveErrors(n, a, b) for n, (a, b) in product((30, 300), ((0.7, 0.7), (0.8, 0.6), (0.55, 0.55)))]
    return [*exclusive, *(CorrelatedFolds(k, effect) for k, effect in product((5, 10), (0.0, 0.1)))]


@lru_cache(maxsize=65_536)
def _interval(first: int, second: int, n: int) -> tuple[float, float]:
    return from_aggregates(first, second, n).interval
