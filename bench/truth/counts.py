"""Only the count of right clips was logged: what is claimed, beside what predictions would have allowed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from bench.truth.experiment import Model, claims_best, claims_difference, claims_option, concluded, family_of, runs_of
from bench.truth.rivals import mcnemar_claims, z_test_claims
from bench.truth.world import World, draw
from tracker.statistics.paired import from_aggregates

if TYPE_CHECKING:
    from bench.truth.settings import Counted

BASE = 0.7


@dataclass(frozen=True, slots=True)
class CountsAlone:
    """Runs of which the accuracy and the number of clips were logged and nothing else."""

    clips: int
    runs: int
    effect: float

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and say what is claimed of it."""
        world = World(self.clips)
        accuracies = np.full(self.runs, BASE - self.effect / 2)
        accuracies[-1] += self.effect
        judged = draw(world, accuracies.tolist(), 1, rng)
        models = [
            Model({"kernel_size": str(i + 1), "seed": "0"}, margins) for i, margins in enumerate(judged.margins[:, 0])
        ]
        study = concluded(runs_of(models, world, predictions=False))
        family = family_of(study)
        first, last = judged.right[0, 0], judged.right[-1, 0]
        low, high = from_aggregates(int(last.sum()), int(first.sum()), self.clips).interval
        return {
            "best_run": claims_best(study, family),
            "run_difference": claims_difference(family),
            "option_effect": claims_option(study),
            "McNemar, were there predictions": mcnemar_claims(first, last),
            "z-test": z_test_claims(first, last),
            "covered": low <= self.effect <= high,
        }


def settings() -> list[CountsAlone]:
    return [CountsAlone(n, k, effect) for n, (k, effect) in product((30, 300), ((2, 0.0), (4, 0.0), (2, 0.20)))]
