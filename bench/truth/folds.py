"""Cross-validation of real learners: two that see equally good features, or one that sees better ones.

Clips are points of two classes. Each learner is a nearest-centroid classifier that sees its own half of the features;
the halves are drawn alike, so that where they are equally far apart neither learner is the better, whatever the
training clips. What a trained classifier would reach on endlessly many clips follows from its centroids.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import scipy

from bench.truth.experiment import Model, concluded, family_of, option_claims, runs_of, supported
from bench.truth.rivals import mcnemar_claims
from bench.truth.world import World
from tracker.conclusions.best_run import best_runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.truth.settings import Counted
    from tracker.runs import Run

FEATURES = 5
APART = 0.5
"""How far each feature's two class means lie apart, in standard deviations, for the first learner."""

_TRUTH_FROM = 20_000
"""Trainings over which a learner's expected accuracy is taken: it is then known to a fiftieth of a point."""


@dataclass(frozen=True, slots=True)
class Folds:
    """Two learners on every fold of one dataset.

    Parameters
    ----------
    clips, folds : int
        All clips, and how many parts they are cut into.
    farther : float
        How much farther apart the second learner's classes are.
    """

    clips: int
    folds: int
    farther: float

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw a dataset, cross-validate both learners and say what is claimed."""
        apart = np.repeat([APART, APART + self.farther], FEATURES)
        classes = np.arange(self.clips) % 2
        points = points_of(classes, apart, rng)
        places = rng.permutation(self.clips) % self.folds
        margins = [[judge(points, classes, places == fold, half) for fold in range(self.folds)] for half in (0, 1)]
        study = concluded(self._runs(margins))
        (claim,) = option_claims(study)
        a, b = (np.concatenate(of_learner) > 0 for of_learner in margins)
        return {
            "option_effect": claim.supported,
            "best_run": any(map(supported, best_runs(study, family_of(study)))),
            **claim.covers(self.truth()),
            "t over folds": _t_over_folds(margins),
            "McNemar over all clips": mcnemar_claims(a, b),
        }

    def truth(self) -> float:
        """Return how much better the second learner is, trained on as many clips."""
        trained_on = self.clips - self.clips // self.folds
        return _expected(APART + self.farther, trained_on) - _expected(APART, trained_on)

    def _runs(self, margins: list[list[NDArray[np.float64]]]) -> list[Run]:
        found: list[Run] = []
        for fold in range(self.folds):
            params = {"seed": "0", "split_seed": "0", "fold": f"{fold + 1}/{self.folds}"}
            models = [Model(params | {"model": name}, margins[i][fold]) for i, name in enumerate(("first", "second"))]
            found += runs_of(models, World(len(margins[0][fold])), split=f"fold{fold}")
        return found


def settings() -> list[Folds]:
    return [Folds(n, k, farther) for n in (100, 300) for k in (5, 10) for farther in (0.0, 0.25)]


def points_of(classes: NDArray[np.int64], apart: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw clips, shape (n, 2 FEATURES): the first learner's features and the second's."""
    return rng.standard_normal((len(classes), len(apart))) + (classes[:, np.newaxis] - 0.5) * apart


def judge(
    points: NDArray[np.float64], classes: NDArray[np.int64], held_out: NDArray[np.bool_], half: int
) -> NDArray[np.float64]:
    """Train one learner on all but a fold and return its margins on the fold."""
    seen = points[:, half * FEATURES : (half + 1) * FEATURES]
    low, high = (seen[~held_out & (classes == label)].mean(axis=0) for label in (0, 1))
    margins: NDArray[np.float64] = (seen[held_out] - (low + high) / 2) @ (high - low)
    return margins * (2 * classes[held_out] - 1)


@lru_cache(maxsize=64)
def _expected(apart: float, trained_on: int) -> float:
    """Return the mean accuracy of a learner over trainings, on endlessly many clips."""
    rng = np.random.default_rng(0)
    spread = np.sqrt(2 / trained_on)
    low, high = spread * rng.standard_normal((2, _TRUTH_FROM, FEATURES)) + np.array([-apart, apart])[:, None, None] / 2
    axis, middle = high - low, (low + high) / 2
    length = np.linalg.norm(axis, axis=1)
    ends = [(side * (side * apart / 2 - middle) * axis).sum(axis=1) / length for side in (-1, 1)]
    return float(scipy.special.ndtr(ends).mean())


def _t_over_folds(margins: list[list[NDArray[np.float64]]]) -> bool:
    """Tell whether a plain paired t-test over folds gives p ≤ 0.05."""
    first, second = ([float((of_fold > 0).mean()) for of_fold in of_learner] for of_learner in margins)
    differences = np.subtract(second, first)
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return bool(error and abs(differences.mean()) / error >= scipy.special.stdtrit(len(differences) - 1, 0.975))
