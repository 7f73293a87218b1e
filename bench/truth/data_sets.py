"""Several configurations on several data sets of different difficulty: what is claimed across them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np
import scipy

from bench.truth.experiment import ALPHA, concluded
from tracker.conclusions.across_data_sets import AcrossDataSets, across_data_sets
from tracker.runs import Run, RunStatus
from tracker.statistics.error_rates import holm
from tracker.statistics.ranks import critical_difference, ranks, signed_rank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.truth.settings import Counted
    from tracker.conclusions.conclusion import Conclusion

EASY, DIFFICULTY = 0.7, 0.12  # mean accuracy of data sets, and how far they lie apart
NOISE = 0.03  # of one score
VOLATILE = 3.0  # how many times as much two of the configurations vary, if they do
_SCORES = 200  # clips that an accuracy is of


@dataclass(frozen=True, slots=True)
class DataSets:
    """Configurations with one accuracy on each data set.

    Parameters
    ----------
    configurations, data_sets : int
    effect : float
        How much better the last configuration is than the first on any data set; the others lie evenly between.
    is_volatile : bool
        Whether two of them vary more than the others.
    """

    configurations: int
    data_sets: int
    effect: float
    is_volatile: bool = False

    def experiment(self, rng: np.random.Generator) -> Counted:
        """Draw an experiment and say what is claimed of it."""
        scores = self._scores(rng)
        (found,) = across_data_sets(concluded(_runs(scores)))
        k = self.configurations
        p_values = np.array([signed_rank(scores[:, a], scores[:, b]) for a, b in combinations(range(k), 2)])
        means = ranks(scores).mean(axis=0)
        best, worst = int(means.argmin()), int(means.argmax())
        with np.errstate(all="ignore"):
            t_test = scipy.stats.ttest_rel(scores[:, best], scores[:, worst]).pvalue
        return {
            "across_data_sets": _claims(found),
            "best called so": found.verdict == "supported",
            "signed ranks, Holm alone": bool(holm(p_values).min() <= ALPHA),
            "Nemenyi": bool(means.max() - means.min() >= critical_difference(k, self.data_sets)),
            "t-test, best against worst": bool(t_test <= ALPHA),
        }

    def _scores(self, rng: np.random.Generator) -> NDArray[np.float64]:
        difficulty = rng.normal(EASY, DIFFICULTY, (self.data_sets, 1))
        spread = np.full(self.configurations, NOISE)
        spread[:2] *= VOLATILE if self.is_volatile else 1.0
        noise = rng.standard_normal((self.data_sets, self.configurations)) * spread
        scores = difficulty + np.linspace(0, self.effect, self.configurations) + noise
        rounded: NDArray[np.float64] = np.round(np.clip(scores, 0, 1) * _SCORES) / _SCORES
        return rounded


def settings() -> list[DataSets]:
    nulls = [*(DataSets(k, n, 0.0) for k, n in product((2, 3, 5), (6, 10, 30))), DataSets(10, 10, 0.0)]
    volatile = [DataSets(5, n, 0.0, is_volatile=True) for n in (10, 30)]
    return [*nulls, *volatile, *(DataSets(k, n, 0.06) for k, n in product((2, 3, 5), (6, 10, 20)))]


def _claims(found: Conclusion) -> bool:
    """Return whether any configuration is said to be better than another."""
    details = found.details
    others = details.configurations if isinstance(details, AcrossDataSets) else ()
    groups = details.groups if isinstance(details, AcrossDataSets) else ()
    differ = bool(groups or others[1:2]) and found.method is not None and tuple(range(len(others))) not in groups
    return found.verdict == "supported" or differ


def _runs(scores: NDArray[np.float64]) -> list[Run]:
    places = product(range(scores.shape[0]), range(scores.shape[1]))
    return [
        Run(
            run_id=f"{number:06d}",
            name=f"run {number}",
            status=RunStatus.FINISHED,
            params={"dataset": f"set{data:02d}", "width": str(configuration + 1), "seed": "0"},
            tags={},
            metrics={"val_accuracy": float(scores[data, configuration])},
            curves={},
        )
        for number, (data, configuration) in enumerate(places)
    ]
