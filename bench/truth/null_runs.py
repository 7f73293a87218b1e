"""Nothing differs among many runs: whether any of them is called better, or any option said to do something."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from bench.truth.experiment import Model, claims_best, claims_difference, claims_option, concluded, family_of, runs_of
from bench.truth.rivals import mcnemar_claims
from bench.truth.world import World, draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.truth.settings import Counted

BASE = 0.7

LAYOUTS: dict[str, tuple[tuple[dict[str, str], ...], int]] = {
    "2 runs": (tuple({"kernel_size": k} for k in "35"), 1),
    "4 runs: 2 × 2 options": (
        tuple({"kernel_size": k, "learning_rate": rate} for k, rate in product("35", ("0.001", "0.0001"))),
        1,
    ),
    "12 runs: 4 levels × 3 seeds": (tuple({"kernel_size": k} for k in "3579"), 3),
    "12 runs: 2 × 2 options × 3 seeds": (
        tuple({"kernel_size": k, "learning_rate": rate} for k, rate in product("35", ("0.001", "0.0001"))),
        3,
    ),
    "20 runs: 4 levels × 5 seeds": (tuple({"kernel_size": k} for k in "3579"), 5),
    "50 runs: 5 levels × 10 seeds": (tuple({"kernel_size": k} for k in "34579"), 10),
}
"""Configurations, and seeds of each."""


@dataclass(frozen=True, slots=True)
class NullRuns:
    """Configurations that are all equally good."""

    layout: str
    clips: int
    noise: float

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and say what is claimed of it."""
        configurations, seeds = LAYOUTS[self.layout]
        world = World(self.clips, self.noise)
        judged = draw(world, [BASE] * len(configurations), seeds, rng)
        models = [
            Model(params | {"seed": str(seed)}, judged.margins[i, seed])
            for i, params in enumerate(configurations)
            for seed in range(seeds)
        ]
        study = concluded(runs_of(models, world))
        found = {"option_effect": claims_option(study)}
        if self.noise:
            return found
        family = family_of(study)
        right = judged.right.reshape(-1, self.clips)
        return found | {
            "best_run": claims_best(study, family),
            "run_difference": claims_difference(family),
            **_as_people_do(right),
        }


def settings() -> list[NullRuns]:
    return [NullRuns(layout, n, noise) for layout in LAYOUTS for n in (30, 100, 300) for noise in (0.0, 0.04)]


def _as_people_do(right: NDArray[np.bool_]) -> Counted:
    """Say what looking at the table, or testing its two ends, would claim."""
    order = np.argsort(-right.sum(axis=1), kind="stable")
    best, second, worst = right[order[0]], right[order[1]], right[order[-1]]
    return {
        "highest accuracy wins": bool(best.sum() > second.sum()),
        "McNemar, best against worst": mcnemar_claims(best, worst),
    }
