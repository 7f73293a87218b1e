"""Seeds are added and looked at again: how often anything is claimed at any look, and after how many trainings.

An option's matched pairs are tested at each look as the report tests them: by `crossed`, or by `paired_effect` where
clips are endlessly many and an accuracy has no other error than that of one training, each corrected for the looks so
far as `contrasts.decide` corrects it. A test holds these claims against those of whole studies.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from bench.truth.experiment import ALPHA
from bench.truth.world import World, draw
from tracker.conclusions.contrasts import adjusted_p_values
from tracker.statistics.matched_pairs import crossed
from tracker.statistics.trainings import paired_effect
from tracker.study.looks import Looks

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from bench.truth.settings import Counted
    from tracker.statistics.matched_pairs import Effect

BASE = 0.7
ENDLESS = 0
"""As a number of clips: accuracies are exact."""

NOISES = (0.02, 0.04, 0.08)
CLIPS = (30, 300, ENDLESS)

LOOKED = "looked at again and again"
"""Claimed at any look, each held to its level."""
FINAL = "fixed plan"
"""Claimed of all pairs at once, at the whole level."""
CARELESS = "5% at each look"
"""Claimed at any look if each is held to the whole level."""
HALVED = "halved at each look"
"""Claimed at any look if the first is held to 3% and each further one to half of that."""

_NEAR = 0.1
"""A p-value below which somebody who hopes adds a single pair."""


@dataclass(frozen=True, slots=True)
class Habit:
    """How somebody adds matched pairs: the number at a first look, and how many are there at the next one.

    Parameters
    ----------
    name : str
    first, most : int
    after : callable
        Given the number of pairs and the last p-value.
    """

    name: str
    first: int
    most: int
    after: Callable[[int, float], int]


HABITS = {
    habit.name: habit
    for habit in (
        Habit("one by one, 3 to 12", 3, 12, lambda pairs, _: pairs + 1),
        Habit("doubled: 3, 6, 12, 24", 3, 24, lambda pairs, _: 2 * pairs),
        Habit("one more if p < 0.1, else doubled", 3, 24, lambda pairs, p: pairs + 1 if p < _NEAR else 2 * pairs),
        Habit("one more if p < 0.1, else to 24", 3, 24, lambda pairs, p: pairs + 1 if p < _NEAR or pairs == 24 else 24),
    )
}


@dataclass(frozen=True, slots=True)
class Look:
    """One look: numbers of pairs at it and at those before, the raw p-value, and the one that decides."""

    sizes: tuple[float, ...]
    p_value: float
    p_adjusted: float


@dataclass(frozen=True, slots=True)
class AddedSeeds:
    """Two levels of one option, to which seeds are added by a habit until something is claimed.

    Parameters
    ----------
    clips : int
        Or `ENDLESS`.
    noise, effect : float
        As in `OneOption`.
    habit : str
        One of `HABITS`.
    """

    clips: int
    noise: float
    effect: float
    habit: str

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and say what is claimed of it, and which pairs were trained before."""
        entries, most = self.entries(rng), HABITS[self.habit].most
        every = self.looks(entries)
        claimed = next((int(one.sizes[-1]) for one in every if one.p_adjusted <= ALPHA), None)
        trained = claimed or int(every[-1].sizes[-1])
        return {
            LOOKED: claimed is not None,
            FINAL: self.look(entries, Looks((float(most),), is_final=True)).p_adjusted <= ALPHA,
            CARELESS: any(one.p_value <= ALPHA for one in every),
            HALVED: any(one.p_value <= 0.6 * ALPHA * 2.0**-number for number, one in enumerate(every)),
            **{f"pair {number}": number <= trained for number in range(1, most + 1)},
        }

    def entries(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw what each pair differs by on each clip, shape (most, clips); endlessly many are one."""
        world, most = World(max(self.clips, 1), self.noise), HABITS[self.habit].most
        judged = draw(world, [BASE - self.effect / 2, BASE + self.effect / 2], most, rng)
        start, end = judged.right.astype(float) if self.clips else judged.accuracies[:, :, np.newaxis]
        return end - start

    def looks(self, entries: NDArray[np.float64]) -> list[Look]:
        """Return every look up to the most pairs, as if nothing were claimed before."""
        habit, found = HABITS[self.habit], list[Look]()
        pairs = habit.first
        while pairs <= habit.most:
            sizes = (*(found[-1].sizes if found else ()), float(pairs))
            found.append(self.look(entries[:pairs], Looks(sizes)))
            pairs = habit.after(pairs, found[-1].p_value)
        return found

    def look(self, entries: NDArray[np.float64], looks: Looks) -> Look:
        """Return what the report's test of so many pairs gives at the last of the looks."""
        effect = self._effect(entries)
        (adjusted,) = adjusted_p_values([(effect, looks)])
        return Look(looks.sizes, effect.p_value if effect else 1.0, adjusted)

    def _effect(self, entries: NDArray[np.float64]) -> Effect | None:
        return crossed(entries) if self.clips else paired_effect(entries[:, 0])


def settings() -> list[AddedSeeds]:
    """Return every habit where nothing differs, and where something does, from hardly noticeable to plain."""
    nulls = [AddedSeeds(n, noise, 0.0, habit) for habit, n, noise in product(HABITS, CLIPS, NOISES)]
    effects = [(ENDLESS, 0.04, 0.04), (ENDLESS, 0.04, 0.08), (300, 0.04, 0.05), (300, 0.04, 0.10), (30, 0.04, 0.20)]
    return nulls + [AddedSeeds(n, noise, effect, habit) for habit, (n, noise, effect) in product(HABITS, effects)]
