"""One option changes the accuracy by a known amount, or not at all: how often its effect is found."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from bench.truth.experiment import Model, claims_difference, concluded, family_of, only_claim, option_claims, runs_of
from bench.truth.rivals import mcnemar_claims, over_seeds, unconditional_claims, z_test_claims
from bench.truth.world import Judged, World, draw
from tracker.statistics.matched_pairs import crossed, nested

if TYPE_CHECKING:
    import numpy as np

    from bench.truth.settings import Counted

BASE = 0.7
"""The mean accuracy of the two levels."""

CLIPS = (30, 100, 300, 1_000)
NOISES = (0.0, 0.04, 0.08)
SEEDS = (1, 3, 4, 5, 10)
EFFECTS = (0.0, 0.05, 0.10, 0.20)


@dataclass(frozen=True, slots=True)
class OneOption:
    """Two levels of one option, each trained with the same seeds.

    Parameters
    ----------
    clips, seeds : int
    noise, effect : float
        The effect is the second level's mean accuracy minus the first's.
    shared : bool
        Whether the two levels share their seeds; if not, repetitions are unmatched.
    suits : float
        As in `World`.
    """

    clips: int
    seeds: int
    noise: float
    effect: float
    shared: bool = True
    suits: float = 0.1

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and say what is claimed of it."""
        world = World(self.clips, self.noise, suits=self.suits)
        judged = draw(world, [BASE - self.effect / 2, BASE + self.effect / 2], self.seeds, rng)
        if self.seeds == 1:
            study = concluded(runs_of(self.models(judged), world))
            (claim,) = option_claims(study)
            said = {"option_effect": claim.supported, "equivalent": claim.equivalent}
            return said | {"run_difference": claims_difference(family_of(study))} | _one_seed(judged)
        start, end = judged.right.astype(float)
        claim = only_claim(crossed(end - start) if self.shared else nested(end, start))
        counted = {"option_effect": claim.supported, "equivalent": claim.equivalent, **claim.covers(self.effect)}
        return counted | (over_seeds(end - start) if self.shared else {})

    def models(self, judged: Judged) -> list[Model]:
        """Return the models of an experiment, with their params."""
        return [
            Model({"kernel_size": kernel, "seed": str(seed + (0 if self.shared else 100 * level))}, margins)
            for level, kernel in enumerate("35")
            for seed, margins in enumerate(judged.margins[level])
        ]


def settings() -> list[OneOption]:
    return [OneOption(n, r, noise, effect) for n, r, noise, effect in product(CLIPS, SEEDS, NOISES, EFFECTS)]


def other_worlds() -> list[OneOption]:
    """Return settings in which the option changes which clips are right by chance alone, or by more than usual.

    By most, a training hardly has errors of its own.
    """
    some = product((0.0, 0.3), (100, 300), (3, 5, 10), NOISES)
    most = product((0.45,), CLIPS, SEEDS[1:], NOISES)
    return [OneOption(n, r, noise, 0.0, suits=suits) for suits, n, r, noise in (*some, *most)]


def unmatched() -> list[OneOption]:
    """Return settings in which no seed is shared: the nested form."""
    return [
        OneOption(n, r, noise, effect, shared=False)
        for n, r, noise, effect in product((30, 300), (3, 5), NOISES, (0.0, 0.10))
    ]


def _one_seed(judged: Judged) -> Counted:
    """Say what people would say of the option after one training each."""
    a, b = judged.right[:, 0]
    return {
        "McNemar": mcnemar_claims(a, b),
        "exact unconditional": unconditional_claims(a, b),
        "z-test": z_test_claims(a, b),
        "highest accuracy wins": bool(a.sum() != b.sum()),
    }
