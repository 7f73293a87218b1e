"""When things are played: patterns laid over the bars of a clip.

Conventions: times are seconds from the clip's beginning; a bar is 16 steps; patterns are those of `genres`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from tracker.data.demo.genres import Groove

STEPS = 16
"""Sixteenth notes of a bar, four to a beat."""

LOOSE_S = 0.004
"""Standard deviation of what a player is early or late."""

SHORTEST_S = 0.03
"""Length of the shortest note; lengths are rounded to hundredths, so that few different notes need be made."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something played: the bar that it is in, its time and length, how hard, and the mark that stands for it."""

    bar: int
    start: float
    seconds: float
    force: float
    mark: str


@dataclass(frozen=True, slots=True)
class Bars:
    """The time of a clip.

    Parameters
    ----------
    count : int
        Bars that fill the clip; the last may reach beyond its end.
    seconds : float
        Length of each.
    swing : float, share of a beat
        By how much the middle of each beat is late.
    """

    count: int
    seconds: float
    swing: float

    @classmethod
    def of(cls, groove: Groove, seconds: float, rng: np.random.Generator) -> Bars:
        """Fill `seconds` at a tempo from the groove's range."""
        bar = 4 * 60.0 / rng.uniform(groove.slowest, groove.fastest)
        return cls(math.ceil(seconds / bar), bar, groove.swing)

    def time(self, bar: int, step: int) -> float:
        """Return when a step of a bar is."""
        beat, sixteenth = divmod(step, 4)
        middle = 0.5 + self.swing
        within = (0.0, middle / 2, middle, (1 + middle) / 2)[sixteenth]
        return (bar + (beat + within) / 4) * self.seconds


def play(patterns: Sequence[str], held: float, bars: Bars, rng: np.random.Generator) -> Iterator[Note]:
    """Yield what a player makes of some patterns: one of them in each bar, a little uneven in time and force.

    Parameters
    ----------
    patterns : sequence of str, each of `STEPS` marks
    held : float, from 0 to 1
        Share of the time to the next note that a note lasts.
    bars : Bars
    rng : numpy.random.Generator
    """
    for bar in range(bars.count):
        pattern = patterns[int(rng.integers(len(patterns)))]
        steps = [step for step, mark in enumerate(pattern) if mark != "."]
        for step, following in zip(steps, [*steps[1:], STEPS], strict=False):
            if pattern[step] == "?" and rng.random() < 0.5:
                continue
            start, end = bars.time(bar, step), bars.time(bar, following)
            seconds = max(SHORTEST_S, round((end - start) * held, 2))
            force = rng.uniform(0.75, 1.1) * (0.45 if pattern[step] == "o" else 1.0)
            yield Note(bar, max(0.0, start + rng.normal(0.0, LOOSE_S)), seconds, force, pattern[step])
