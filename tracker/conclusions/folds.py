"""Cross-validated configurations: runs on the folds of one dataset, joined by what they were asked for.

Splits of one dataset under several split seeds are joined alike, if every configuration was run on all of them: that is
repeated random subsampling, which the test over folds is as good for. Their validation clips may overlap.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.contrast_analysis import fold_effect, one_dataset
from tracker.statistics.multiple_comparisons import holm
from tracker.statistics.repetitions import FEWEST_FOLDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.study.study import Study

Configuration = tuple[int, ...]

MOST_COMPARED = 60
"""Up to so many configurations every pair is tested; above, those of the best one."""


@dataclass(frozen=True, eq=False)
class Folded:
    """Configurations that were run on every fold.

    Parameters
    ----------
    study : Study
    places : tuple of int
        The folds, as places among the study's clip sets.
    configurations : tuple of Configuration
        The runs of each, the configuration with the most clips right first.
    splits: bool
        Whether they are splits under several split seeds rather than folds.
    """

    study: Study
    places: tuple[int, ...]
    configurations: tuple[Configuration, ...]
    splits: bool = False

    def share(self, configuration: Configuration) -> float:
        """Return the share of clips that a configuration's runs have right, over all folds."""
        correct, n = self.pooled(configuration)
        return correct / n

    def pooled(self, configuration: Configuration) -> tuple[int, int]:
        """Return the clips that a configuration's runs have right and those judged, over all folds."""
        return _pooled(self.study, configuration)

    def p_value(self, a: Configuration, b: Configuration) -> float:
        """Return the raw p-value of two configurations; 1 where they were not tested."""
        return self._tests.get((a, b), self._tests.get((b, a), (1.0, 1.0)))[0]

    def separated(self, a: Configuration, b: Configuration) -> bool:
        """Tell whether two configurations differ after correction for all pairs of them."""
        return self._tests.get((a, b), self._tests.get((b, a), (1.0, 1.0)))[1] <= self.study.alpha

    @cached_property
    def _tests(self) -> Mapping[tuple[Configuration, Configuration], tuple[float, float]]:
        """The raw and the adjusted p-value of each tested pair."""
        found = self.configurations
        pairs = list(combinations(found, 2)) if len(found) <= MOST_COMPARED else [(found[0], b) for b in found[1:]]
        p_values = np.array([self._test(a, b) for a, b in pairs])
        adjusted = holm(p_values, len(found) * (len(found) - 1) // 2)
        return dict(zip(pairs, zip(p_values.tolist(), adjusted.tolist(), strict=True), strict=True))

    def _test(self, a: Configuration, b: Configuration) -> float:
        of_a, of_b = self._by_fold(a), self._by_fold(b)
        effect = fold_effect(self.study, {place: of_a[place] - of_b[place] for place in self.places})
        return 1.0 if effect is None else effect.p_value

    def _by_fold(self, configuration: Configuration) -> dict[int, float]:
        shares = defaultdict(list)
        for run in configuration:
            correct, n = _pooled(self.study, (run,))
            shares[self.study.clip_set_index[run]].append(correct / n)
        return {place: float(np.mean(found)) for place, found in shares.items()}


def folded(study: Study) -> Folded | None:
    """Find the folds of an experiment and the configurations that were run on all of them.

    Parameters
    ----------
    study : Study

    Returns
    -------
    Folded or None
        None where there are not at least three folds or splits of one dataset, or accuracy is not the metric.
    """
    if not study.metric.is_accuracy:
        return None
    return _joined(study, splits=False) or _joined(study, splits=True)


def _joined(study: Study, *, splits: bool) -> Folded | None:
    """Join configurations over folds, or over splits, which all of at least two have to share."""
    found = {run: _place(study, run, "split_seed" if splits else "fold") for run in range(len(study.results))}
    places = tuple(sorted({place for place in found.values() if place is not None}))
    if len(places) < FEWEST_FOLDS or not one_dataset(study, places):
        return None
    complete = []
    for runs in study.design.configurations:
        mine = tuple(run for run in runs if found[run] is not None)
        if {found[run] for run in mine} == set(places):
            complete.append(mine)
    if splits and (len(complete) < 2 or sum(map(len, complete)) < len(found)):
        return None
    ranked = sorted(complete, key=lambda runs: (-np.divide(*_pooled(study, runs)), min(study.ids(runs))))
    return Folded(study, places, tuple(ranked), splits) if ranked else None


def _place(study: Study, run: int, param: str) -> int | None:
    """Return the clip set of a run that was asked for a fold, or a split, and whose clips are counted."""
    outcome = study.results[run]
    asked = param in dict(study.design.terms[run].split)
    return study.clip_set_index[run] if asked and study.clip_set_of[run].known and outcome.correct is not None else None


def _pooled(study: Study, runs: Configuration) -> tuple[int, int]:
    counts = [(study.results[run].correct or 0, study.results[run].n or 0) for run in runs]
    return sum(correct for correct, _ in counts), sum(n for _, n in counts)
