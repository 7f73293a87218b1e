"""Candidates tried one after another against one baseline, as by an agent in a loop: how often a false one is kept."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from bench.truth.world import World, draw
from tracker.report.gate import Question, SeriesPlace
from tracker.statistics.matched_pairs import TrainingNoise, crossed, mean_squares, nested
from tracker.study.looks import Looks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.truth.settings import Counted
    from tracker.statistics.matched_pairs import Effect

VOLATILE = 4.0
BASE = 0.7  # accuracy of the baseline, and of every candidate that is as good


@dataclass(frozen=True, slots=True)
class Series:
    """A baseline and candidates that are no better, but for the last one.

    Parameters
    ----------
    candidates, clips, seeds : int
    noise : float
        Standard deviation of accuracy from seed to seed.
    effect : float
        How much better the last candidate is.
    is_uneven : bool
        Whether every fifth of them scatters four times as much.
    """

    candidates: int
    clips: int
    noise: float
    seeds: int
    effect: float = 0.0
    is_uneven: bool = False

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw a series and say what is kept of it."""
        tables = self._tables(rng)
        squares = [mean_squares(table).rows for table in tables]
        effects = [crossed(tables[1] - tables[0])]  # with two configurations there is no more noise to pool
        for place, candidate in enumerate(tables[2:], start=3):
            noise = TrainingNoise(float(np.mean(squares[:place])), place * (self.seeds - 1))
            effects.append(nested(candidate, tables[0], noise))
        once = Looks((float(self.seeds),), is_recorded=False)
        alone = [_is_kept(effect, Question("better").doubt_at(once)) for effect in effects]
        in_series = [
            _is_kept(effect, Question("better", series=SeriesPlace("s", place, ())).doubt_at(once))
            for place, effect in enumerate(effects, start=1)
        ]
        false = slice(None, -1) if self.effect else slice(None)
        higher = np.array([candidate.mean() > tables[0].mean() for candidate in tables[1:]])
        found = {
            "gate in a series": any(in_series[false]),
            "gate, each by itself": any(alone[false]),
            "highest accuracy wins": bool(higher[false].any()),
        }
        return found | ({"last one kept": in_series[-1], "last one kept by itself": alone[-1]} if self.effect else {})

    def _tables(self, rng: np.random.Generator) -> list[NDArray[np.float64]]:
        """Draw which training is right on which clip, of the baseline and each candidate."""
        accuracies, seed = np.array([BASE] * self.candidates + [BASE + self.effect]), int(rng.integers(2**62))
        usual, volatile = (  # the same clips
            draw(World(self.clips, noise), accuracies, self.seeds, np.random.default_rng(seed)).right.astype(float)
            for noise in (self.noise, self.noise * VOLATILE)
        )
        places = range(1, len(accuracies) + 1)
        return [(volatile if self.is_uneven and place % 5 == 0 else usual)[place - 1] for place in places]


def settings() -> list[Series]:
    nulls = [Series(100, clips, noise, 3) for clips, noise in product((30, 100, 300), (0.02, 0.08))]
    others = [Series(100, 100, 0.02, 6), Series(100, 100, 0.02, 3, is_uneven=True)]
    return [*nulls, *others, *(Series(n, 300, 0.02, seeds, 0.1) for n, seeds in product((1, 10, 100), (3, 6)))]


def _is_kept(effect: Effect, doubt: float) -> bool:
    return effect.p_value <= doubt and effect.interval_at(1 - doubt)[0] > 0
