"""Every conclusion of a study, in the report's order, each with its sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.conclusions.early_stopping import early_stopping
from tracker.conclusions.option_effect import option_effects
from tracker.conclusions.overfitting import overfitting
from tracker.conclusions.pairs import printed_pairs, run_family
from tracker.conclusions.run_difference import run_differences
from tracker.conclusions.sample_size import sample_sizes
from tracker.conclusions.sentences import with_sentence
from tracker.conclusions.sentences.words import Voice

if TYPE_CHECKING:
    from tracker.conclusions.conclusion import Conclusion
    from tracker.conclusions.study import Study


def conclude(study: Study) -> tuple[Conclusion, ...]:
    """Draw every conclusion that the runs bear.

    Parameters
    ----------
    study : Study

    Returns
    -------
    tuple of Conclusion
        By kind, each kind in its own stable order.
    """
    printed = printed_pairs(study)
    family = run_family(study, printed)
    found = (
        *option_effects(study),
        *run_differences(study, printed, family),
        *overfitting(study),
        *early_stopping(study),
        *sample_sizes(study),
    )
    voice = Voice(
        {outcome.run_id: outcome.number for outcome in study.outcomes}, study.metric.name, study.alpha, study.margin
    )
    return tuple(with_sentence(conclusion, voice) for conclusion in found)
