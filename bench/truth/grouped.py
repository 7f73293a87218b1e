"""Clips that share an artist: whether runs and options are told apart as often as they may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.truth.experiment import Model, claims_best, claims_difference, concluded, family_of, only_claim, runs_of
from bench.truth.rivals import mcnemar_claims
from bench.truth.world import Judged, World, draw, group_numbers
from tracker.statistics.matched_pairs import by_group, crossed

if TYPE_CHECKING:
    from bench.truth.settings import Counted

BASE = 0.7
SIZES = ((30, 10), (100, 20), (300, 30))
"""Clips and groups."""


@dataclass(frozen=True, slots=True)
class GroupedRuns:
    """Runs on clips that come in groups."""

    clips: int
    groups: int
    runs: int
    effect: float = 0.0

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and say what is claimed of it."""
        world = World(self.clips, groups=self.groups)
        accuracies = np.full(self.runs, BASE - self.effect / 2)
        accuracies[-1] += self.effect
        judged = draw(world, accuracies.tolist(), 1, rng)
        models = [
            Model({"kernel_size": str(i + 1), "seed": "0"}, margins) for i, margins in enumerate(judged.margins[:, 0])
        ]
        study = concluded(runs_of(models, world))
        family = family_of(study)
        return {
            "best_run": claims_best(study, family),
            "run_difference": claims_difference(family),
            "McNemar, groups forgotten": mcnemar_claims(*judged.right[:2, 0]),
        }


@dataclass(frozen=True, slots=True)
class GroupedOption:
    """One option with several seeds on clips that come in groups."""

    clips: int
    groups: int
    seeds: int
    noise: float
    effect: float

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and say what is claimed of it."""
        world = World(self.clips, self.noise, self.groups)
        judged = draw(world, [BASE - self.effect / 2, BASE + self.effect / 2], self.seeds, rng)
        start, end = judged.right.astype(float)
        claim = only_claim(crossed(by_group(end - start, group_numbers(world))))
        return {"option_effect": claim.supported, **claim.covers(self.effect)}

    def models(self, judged: Judged) -> list[Model]:
        """Return the models of an experiment, with their params."""
        return [
            Model({"kernel_size": kernel, "seed": str(seed)}, margins)
            for kernel, of_level in zip("35", judged.margins, strict=True)
            for seed, margins in enumerate(of_level)
        ]


def run_settings() -> list[GroupedRuns]:
    return [GroupedRuns(n, g, k) for n, g in SIZES for k in (2, 12)] + [GroupedRuns(n, g, 2, 0.20) for n, g in SIZES]


def option_settings() -> list[GroupedOption]:
    return [
        GroupedOption(n, g, r, noise, effect)
        for n, g in SIZES
        for r in (3, 5)
        for noise in (0.0, 0.04)
        for effect in (0.0, 0.10)
    ]
