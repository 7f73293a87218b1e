"""One number of each training and no predictions: what is claimed where nothing differs, by any metric.

Scores are drawn alike for every level: losses are log-normal, AUCs logistic near 1, F1s normal, and RMSEs follow
Student's t with 3 degrees of freedom, so that single trainings go far astray. Accuracies are those of models on clips.
Over folds they are those of the learners of `bench.truth.folds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import scipy

from bench.truth.experiment import Model, concluded, option_claims, runs_of
from bench.truth.folds import APART, FEATURES, judge, points_of
from bench.truth.world import World, draw
from tracker.conclusions.best_configuration import best_configuration
from tracker.runs import Run, RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from bench.truth.settings import Counted

BASE = 0.7

DRAWN: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "val_loss": lambda z: 0.4 * np.exp(0.5 * z),
    "val_f1": lambda z: 0.8 + 0.03 * z,
    "val_auc": lambda z: scipy.special.expit(3 + 0.8 * z),
    "val_rmse": lambda z: 50 + 5 * scipy.special.stdtrit(3, scipy.special.ndtr(z)),
}


@dataclass(frozen=True, slots=True)
class Scores:
    """Trainings of some levels of an option that does nothing, of which one score each was logged.

    Parameters
    ----------
    metric : str
        One of `DRAWN`.
    seeds, more : int
        Trainings of the first level, and of each other one.
    shared : bool
        Whether levels have their seeds in common.
    scatter : float
        How many times as far the first level's scores scatter; only normal ones keep their mean then.
    levels : int
    """

    metric: str
    seeds: int
    more: int
    shared: bool = False
    scatter: float = 1.0
    levels: int = 2

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and say what is claimed of it."""
        runs: list[Run] = []
        for level in range(self.levels):
            z = rng.standard_normal(self.more if level else self.seeds) * (1.0 if level else self.scatter)
            for number, score in enumerate(DRAWN[self.metric](z).tolist()):
                params = {"lr": str(level + 1), "seed": str(number if self.shared else len(runs))}
                runs.append(_logged(len(runs), params, self.metric, score))
        study = concluded(runs)
        return {
            "over trainings": any(claim.supported for claim in option_claims(study)),
            "best_configuration": any(found.verdict == "supported" for found in best_configuration(study)),
        }


@dataclass(frozen=True, slots=True)
class CountedSeeds:
    """Two levels of an option that does nothing to the accuracy on other clips; how many clips there are is known.

    Parameters
    ----------
    clips, seeds : int
    noise : float
        As in `World`.
    suits : float
        The part of a margin's variance that is how well a configuration suits the clip: 0: nothing differs on these
        clips either; 0.8, with clips that are equally hard: errors of two configurations are not correlated.
    shared : bool
    """

    clips: int
    seeds: int
    noise: float
    suits: float = 0.1
    shared: bool = True

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and say what is claimed of it."""
        world = World(self.clips, self.noise, difficulty=0.0 if self.suits > 0.5 else 0.5, suits=self.suits)
        judged = draw(world, [BASE, BASE], self.seeds, rng)
        models = [
            Model({"kernel_size": kernel, "seed": str(seed + (0 if self.shared else 100 * level))}, margins)
            for level, kernel in enumerate("35")
            for seed, margins in enumerate(judged.margins[level])
        ]
        (claim,) = option_claims(concluded(runs_of(models, world, predictions=False)))
        population = {"for other clips": claim.supported and claim.scope == "population"}
        return population | ({} if self.suits else {"over trainings": claim.supported})


@dataclass(frozen=True, slots=True)
class FoldScores:
    """Two learners on every fold of one dataset, of which a score each was logged, and which fold it is of."""

    metric: str
    clips: int
    folds: int

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw a dataset, cross-validate both learners and say what is claimed."""
        classes = np.arange(self.clips) % 2
        points = points_of(classes, np.repeat([APART, APART], FEATURES), rng)
        places = rng.permutation(self.clips) % self.folds
        runs: list[Run] = []
        for fold, half in product(range(self.folds), (0, 1)):
            margins = judge(points, classes, places == fold, half)
            losses = float(np.logaddexp(0, -margins).mean())
            score = float((margins > 0).mean()) if self.metric == "val_f1" else losses
            runs.append(_logged(len(runs), {"model": "ab"[half], "cv_fold": str(fold)}, self.metric, score))
        (claim,) = option_claims(concluded(runs))
        return {"for other clips": claim.supported}


def scores() -> list[Scores]:
    """Return settings of scores: of every metric, seeds shared or not, as many of each level or not."""
    return [
        *(Scores(metric, 3, 3, shared=True) for metric in DRAWN),
        *(Scores(metric, 3, 3) for metric in ("val_loss", "val_f1", "val_auc")),
        Scores("val_auc", 3, 10),
        Scores("val_f1", 3, 10, scatter=4.0),
    ]


def counted() -> list[CountedSeeds]:
    """Return settings of accuracies on a known number of clips."""
    return [
        *(CountedSeeds(n, r, 0.08) for n, r in product((30, 300), (3, 10))),
        CountedSeeds(300, 3, 0.04, suits=0.0),
        CountedSeeds(2_000, 3, 0.08, suits=0.8),
        CountedSeeds(300, 3, 0.04, shared=False),
    ]


def over_folds() -> list[FoldScores]:
    """Return settings of scores by fold."""
    return [FoldScores(metric, 100, k) for metric, k in product(("val_f1", "val_loss"), (5, 10))]


def _logged(number: int, params: dict[str, str], metric: str, score: float) -> Run:
    """Return a run that another program logged, with one score and nothing about its clips."""
    return Run(
        run_id=f"{number:032x}",
        name=f"run {number}",
        status=RunStatus.FINISHED,
        params=params,
        tags={},
        metrics={metric: score},
        curves={},
    )
