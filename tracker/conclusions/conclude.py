"""Every conclusion of a study, in the report's order, each with its sentence and the command that would settle it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracker.conclusions.best_run import best_runs
from tracker.conclusions.classes import classes
from tracker.conclusions.early_stopping import early_stopping
from tracker.conclusions.learning_rate import learning_rates
from tracker.conclusions.option_effect import option_effects
from tracker.conclusions.overfitting import overfitting
from tracker.conclusions.run_difference import run_differences
from tracker.conclusions.run_pairs import printed_pairs, run_family
from tracker.conclusions.sample_size import sample_sizes
from tracker.conclusions.selection_optimism import selection_optimism
from tracker.conclusions.sentences import with_sentence
from tracker.conclusions.stability import stability
from tracker.conclusions.under_training import under_training
from tracker.next_steps.steps import NextStep, command, next_steps
from tracker.wording import Wording

if TYPE_CHECKING:
    from tracker.conclusions.conclusion import Conclusion
    from tracker.study.study import Study

OPEN = ("inconclusive", "confounded", "not_comparable", "unknown")
"""Verdicts that leave something to settle."""


def conclude(study: Study, experiment: str) -> tuple[tuple[Conclusion, ...], tuple[NextStep, ...]]:
    """Draw every conclusion that the runs bear, and plan what would settle the open ones.

    Parameters
    ----------
    study : Study
    experiment : str
        Its name, for the commands.

    Returns
    -------
    conclusions : tuple of Conclusion
        By kind, each kind in its own stable order.
    steps : tuple of NextStep
    """
    found, wording = _conclusions(study), wording_of(study)
    settled = (replace(c, command=command(study, c, found, experiment)) if c.verdict in OPEN else c for c in found)
    return tuple(with_sentence(c, wording) for c in settled), next_steps(study, found, experiment)


def wording_of(study: Study) -> Wording:
    """Return what sentences have to know of a study."""
    numbers = {outcome.run_id: outcome.number for outcome in study.results}
    return Wording(numbers, study.metric.name, study.metric.lower_is_better, study.alpha, study.margin)


def _conclusions(study: Study) -> tuple[Conclusion, ...]:
    printed = printed_pairs(study)
    family = run_family(study, printed)
    return (
        *best_runs(study, family),
        *option_effects(study),
        *run_differences(study, printed, family),
        *overfitting(study),
        *early_stopping(study),
        *learning_rates(study),
        *under_training(study),
        *stability(study),
        *classes(study),
        *selection_optimism(study),
        *sample_sizes(study),
    )
