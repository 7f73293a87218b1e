"""What is true of clips and models, and drawing what each model says.

A model is right on a clip where its margin is above 0. Margins are normal with variance 1 around what the model's own
accuracy asks for, and have three parts: how hard the clip is for every model, how well the configuration suits the
clip, and what this one training makes of it. Where clips share groups, half of each part is shared within a group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FARTHEST = 2.0
"""Training noise is cut off here, in standard deviations, so that accuracies stay below 1 and their mean is exact."""


@dataclass(frozen=True, slots=True)
class World:
    """What clips and trainings are like.

    Parameters
    ----------
    clips : int
    noise : float
        Standard deviation of accuracy from seed to seed, before it is cut off.
    groups : int
        How many groups the clips come in, of equal size; 0: each clip is on its own.
    difficulty, suits : float
        The parts of a margin's variance that a clip has for all models, and for all of one configuration.
    """

    clips: int
    noise: float = 0.0
    groups: int = 0
    difficulty: float = 0.5
    suits: float = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What models make of the same clips.

    Parameters
    ----------
    accuracies : ndarray, shape (n_configurations, n_seeds)
        What each model would reach on endlessly many clips.
    margins : ndarray, shape (n_configurations, n_seeds, n_clips)
    """

    accuracies: NDArray[np.float64]
    margins: NDArray[np.float64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which model is right on which clip."""
        return self.margins > 0


def draw(world: World, accuracies: Sequence[float], seeds: int, rng: np.random.Generator) -> Judged:
    """Train each configuration with each seed and judge it on clips.

    Parameters
    ----------
    world : World
    accuracies : sequence of float
        The mean accuracy of each configuration over seeds and clips.
    seeds : int
    rng : numpy.random.Generator
    """
    noise = world.noise * np.clip(rng.standard_normal((len(accuracies), seeds)), -FARTHEST, FARTHEST)
    reached = np.asarray(accuracies)[:, np.newaxis] + noise
    shape = (len(accuracies), seeds, world.clips)
    own = 1 - world.difficulty - world.suits
    margins = (
        scipy.special.ndtri(reached)[:, :, np.newaxis]
        + _part(world, (1, 1, world.clips), world.difficulty, rng)
        + _part(world, (len(accuracies), 1, world.clips), world.suits, rng)
        + _part(world, shape, own, rng)
    )
    return Judged(reached, margins)


def group_numbers(world: World) -> NDArray[np.int64]:
    """Return the group of each clip: neighbours share one."""
    return np.arange(world.clips) * world.groups // world.clips


def _part(world: World, shape: tuple[int, ...], variance: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw one part of the margins."""
    values: NDArray[np.float64] = np.sqrt(variance) * rng.standard_normal(shape)
    if world.groups:
        of_group = rng.standard_normal((*shape[:-1], world.groups))[..., group_numbers(world)]
        values = (values + np.sqrt(variance) * of_group) / np.sqrt(2)
    return values
