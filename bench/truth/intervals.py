"""Whether the intervals hold the truth, kind by kind, among them the resampled ones; no interval is ever too short."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import scipy

from bench.truth.experiment import Model, chances, concluded, family_of, runs_of
from bench.truth.world import World, draw
from tracker.conclusions.overfitting import Overfitting, overfitting
from tracker.conclusions.run_difference import RunDifference, run_differences
from tracker.conclusions.selection_optimism import selection_optimism
from tracker.conclusions.stability import Spread, stability
from tracker.statistics.paired import log_losses
from tracker.statistics.proportions import grouped_wilson, wilson

if TYPE_CHECKING:
    from bench.truth.settings import Counted

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class TwoModels:
    """Two models of known accuracy on the same clips; the first may be surer of itself than it should be."""

    clips: int
    groups: int
    first: float
    second: float
    surer: float = 1.0

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and look at the intervals of their difference, in accuracy and in log-loss."""
        world = World(self.clips, groups=self.groups)
        judged = draw(world, [self.first, self.second], 1, rng)
        margins = judged.margins[:, 0] * [[self.surer], [1.0]]
        models = [Model({"kernel_size": k, "seed": "0"}, m) for k, m in zip("35", margins, strict=True)]
        study = concluded(runs_of(models, world))
        (found,) = run_differences(study, [(0, 1)], family_of(study))
        counted = {"difference of accuracy": _holds(found.interval, self.first - self.second)}
        if isinstance(found.details, RunDifference) and found.details.log_loss is not None:
            truth = _expected_loss(self.first, self.surer) - _expected_loss(self.second)
            counted["difference of log-loss"] = _holds(found.details.log_loss.interval, truth)
        return counted


@dataclass(frozen=True, slots=True)
class OneModel:
    """One model of known accuracy."""

    clips: int
    groups: int
    accuracy: float

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and look at the interval that the report gives its accuracy."""
        world = World(self.clips, groups=self.groups)
        right = draw(world, [self.accuracy], 1, rng).right[0, 0]
        if not self.groups:
            return {"accuracy": _holds(wilson(int(right.sum()), self.clips), self.accuracy)}
        groups = np.arange(self.clips) * self.groups // self.clips
        return {"accuracy": _holds(grouped_wilson(right, groups), self.accuracy)}


@dataclass(frozen=True, slots=True)
class Gap:
    """A model that is better on its training clips by a known amount, or not at all."""

    training: int
    validation: int
    fitted: float
    accuracy: float

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and look at the interval of its gap, and at a threshold that people use."""
        world = World(self.validation)
        (run,) = runs_of([Model({"seed": "0"}, draw(world, [self.accuracy], 1, rng).margins[0, 0])], world)
        fitted = rng.binomial(self.training, self.fitted) / self.training
        run = replace(
            run,
            tags={**run.tags, "tracker.training_clips": str(self.training)},
            metrics={**run.metrics, "fit_accuracy": fitted},
        )
        (found,) = overfitting(concluded([run]))
        if not isinstance(found.details, Overfitting) or found.details.gap is None:
            raise TypeError("the gap of a run with both accuracies must be known")
        gap = found.details.gap
        return {
            "gap": _holds(gap.interval, self.fitted - self.accuracy),
            "gap above max(.03, .10 · train)": gap.estimate > max(0.03, 0.10 * fitted),
            "interval above 0": gap.interval[0] > 0,
        }


@dataclass(frozen=True, slots=True)
class Seeds:
    """One configuration trained with several seeds."""

    clips: int
    groups: int
    seeds: int
    noise: float
    accuracy: float = 0.7

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and look at the interval of its mean accuracy."""
        world = World(self.clips, self.noise, self.groups)
        judged = draw(world, [self.accuracy], self.seeds, rng)
        models = [Model({"seed": str(seed)}, margins) for seed, margins in enumerate(judged.margins[0])]
        found = stability(concluded(runs_of(models, world)))
        spreads = [one.details for one in found if isinstance(one.details, Spread)]
        return {"mean over seeds": _holds(spreads[0].interval, self.accuracy)}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The best of several equally good models on the clips that it was chosen on."""

    clips: int
    groups: int
    runs: int
    accuracy: float

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and look at the interval of the optimism: what the best has here beyond its true share."""
        world = World(self.clips, groups=self.groups)
        judged = draw(world, [self.accuracy] * self.runs, 1, rng)
        models = [Model({"kernel_size": str(i), "seed": "0"}, m) for i, m in enumerate(judged.margins[:, 0])]
        (found,) = selection_optimism(concluded(runs_of(models, world)))
        return {"optimism": _holds(found.interval, float(judged.right.mean(axis=2).max()) - self.accuracy)}


def plain() -> list[OneModel | Gap | Seeds]:
    """Return settings whose intervals follow from a formula."""
    accuracies = (0.5, 0.6, 0.7, 0.8, 0.9)
    models = [OneModel(n, 0, p) for n, p in product((30, 100, 300, 1_000), accuracies)]
    grouped = [OneModel(n, g, p) for (n, g), p in product(((30, 10), (100, 20), (300, 30)), accuracies)]
    gaps = [
        Gap(4 * n, n, round(p + gap, 2), p)
        for n, p, gap in product((30, 100, 300, 1_000), (0.6, 0.7, 0.8), (0.0, 0.05, 0.15))
    ]
    sizes = ((30, 0), (300, 0), (30, 10), (300, 30))
    seeds = [Seeds(n, g, r, noise) for (n, g), r, noise in product(sizes, (2, 3, 5, 10), (0.0, 0.04, 0.08))]
    return [*models, *grouped, *gaps, *seeds]


def resampled() -> list[TwoModels | Chosen]:
    """Return settings whose intervals are resampled, or stand beside one that is."""
    pairs = ((0.7, 0.7), (0.75, 0.65), (0.8, 0.6))
    sizes = ((30, 0), (100, 0), (300, 0), (30, 10), (100, 20), (300, 30))
    models = [TwoModels(n, g, a, b) for (n, g), (a, b) in product(sizes, pairs)]
    models += [TwoModels(n, g, a, b, surer=3.0) for (n, g), (a, b) in product(((30, 0), (300, 0), (100, 20)), pairs)]
    chosen = [Chosen(n, g, k, p) for (n, g), k, p in product(((30, 0), (300, 0), (100, 20)), (2, 12), (0.7, 0.9))]
    return [*models, *chosen]


def _holds(interval: Interval | None, truth: float) -> bool:
    """Tell whether the truth is inside; where nothing varied, an interval that is not given holds it."""
    return interval is None or interval[0] <= truth <= interval[1]


@lru_cache(maxsize=64)
def _expected_loss(accuracy: float, surer: float = 1.0) -> float:
    """Return the mean log-loss of a model on endlessly many clips."""
    normal = np.linspace(-10, 10, 20_001)
    margins = surer * (normal + scipy.special.ndtri(accuracy))
    return float(np.average(log_losses(chances(margins)), weights=np.exp(-(normal**2) / 2)))
