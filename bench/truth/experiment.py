"""Simulated models as the runs of an experiment, as a store would hand them over, and what is concluded from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import scipy

from bench.truth.world import World, group_numbers
from tracker.conclusions.best_run import best_runs
from tracker.conclusions.comparisons import Family, run_family
from tracker.conclusions.contrasts import CROSSED, Analysis, Decision, analyse_contrast, decide
from tracker.runs import Predictions, Run, RunStatus
from tracker.study.looks import Looks
from tracker.study.metrics import primary_metric
from tracker.study.study import Study, study_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from bench.truth.settings import Counted
    from tracker.conclusions.conclusion import Conclusion, Scope
    from tracker.statistics.matched_pairs import Effect

ALPHA = 0.05
MARGIN = 0.05
SHARPNESS = 2.0
"""How fast a margin becomes a sure answer: a margin of 1 is a probability of 0.88."""

_CLASSES = ("right", "wrong")


@dataclass(frozen=True, slots=True)
class Model:
    """One trained model: its params as text, and what it makes of each clip."""

    params: Mapping[str, str]
    margins: NDArray[np.float64]


def runs_of(models: Sequence[Model], world: World, *, predictions: bool = True, split: str = "split") -> list[Run]:
    """Write models as runs on the same clips, with their predictions or with their accuracy alone."""
    names, groups = _clips(world.clips, split), _groups(world, split)
    tags = {"tracker.dataset": "data", "tracker.split": split, "tracker.validation_clips": str(world.clips)}
    found = []
    for number, model in enumerate(models):
        accuracy = float(np.float32((model.margins > 0).mean()))
        found.append(
            Run(
                run_id=f"{split}{number:04d}",
                name=f"run {number}",
                status=RunStatus.FINISHED,
                params=model.params,
                tags=tags,
                metrics={"best_val_accuracy": accuracy},
                curves={},
                validation=_predictions(names, model.margins) if predictions else None,
                groups=groups,
            )
        )
    return found


def concluded(runs: Sequence[Run]) -> Study:
    """Prepare runs to conclude from, as the report does."""
    return study_of(runs, primary_metric(runs, None), alpha=ALPHA, margin=MARGIN)


def chances(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability that a model gives a clip's true class."""
    found: NDArray[np.float64] = scipy.special.expit(SHARPNESS * margins)
    return found


@dataclass(frozen=True, slots=True)
class Claim:
    """What is said of one contrast of an option; no effect where there are too few repetitions."""

    effect: Effect | None
    supported: bool
    equivalent: bool
    scope: Scope = "population"

    def covers(self, truth: float) -> Counted:
        """Say whether the interval holds the truth, where there is one."""
        if self.effect is None:
            return {}
        low, high = self.effect.interval
        return {"covered": low <= truth <= high}


def option_claims(study: Study) -> list[Claim]:
    """Judge every contrast as `option_effects` does, but for the resampled chance that it prints beside the verdict.

    Resampling would take most of the time and decides nothing. A test holds these verdicts against the report's.
    """
    analyses = [analyse_contrast(study, contrast) for found in study.contrasts.values() for contrast in found]
    decisions = iter(decide(study, [analysis for analysis in analyses if analysis]))
    return [Claim(None, supported=False, equivalent=False) if analysis is None else _claim(next(decisions))
            for analysis in analyses]  # fmt: skip


def only_claim(effect: Effect) -> Claim:
    """Judge the effect of the only contrast of an experiment, as `option_claims` does, without its study.

    Translating all runs would take most of the time, and alpha, margin and metric are all that the judgement takes of a
    study. A test holds these verdicts against those of whole studies.
    """
    analysis = Analysis(effect, CROSSED, None, effect, Looks((), is_recorded=False))
    (decision,) = decide(_any_study(), [analysis])
    return _claim(decision)


@lru_cache(maxsize=1)
def _any_study() -> Study:
    models = [Model({"seed": str(seed)}, np.ones(2)) for seed in range(2)]
    return concluded(runs_of(models, World(2)))


def claims_option(study: Study) -> bool:
    """Tell whether any `option_effect` is supported."""
    return any(claim.supported for claim in option_claims(study))


def _claim(decision: Decision) -> Claim:
    supported, equivalent = decision.verdict == "supported", decision.verdict == "equivalent"
    return Claim(decision.effect, supported, equivalent, decision.scope)


def claims_best(study: Study, family: Family) -> bool:
    """Tell whether any `best_run` is supported."""
    return any(supported(found) for found in best_runs(study, family))


def family_of(study: Study) -> Family:
    """Return the tests of all pairs of runs: those that `run_difference` prints are among them."""
    return run_family(study, ())


def claims_difference(family: Family) -> bool:
    """Tell whether any `run_difference` is supported, printed or not."""
    return any(p <= ALPHA for p in family.adjusted.values())


def supported(found: Conclusion) -> bool:
    """Tell whether a conclusion claims something."""
    return found.verdict == "supported"


def _predictions(names: tuple[str, ...], margins: NDArray[np.float64]) -> Predictions:
    chance = chances(margins)
    labels = (_CLASSES[0],) * len(names)
    return Predictions(names, labels, _CLASSES, np.column_stack([chance, 1 - chance]))


@lru_cache(maxsize=64)
def _clips(n: int, split: str) -> tuple[str, ...]:
    return tuple(f"{split}/{i:05d}.wav" for i in range(n))


@lru_cache(maxsize=64)
def _groups(world: World, split: str) -> Mapping[str, str]:
    if not world.groups:
        return {}
    return {
        clip: f"artist {group}"
        for clip, group in zip(_clips(world.clips, split), group_numbers(world).tolist(), strict=True)
    }
