"""The sentence of each conclusion, written from its data, in one voice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracker.conclusions.early_stopping import EarlyStopping
from tracker.conclusions.option_effect import OptionEffect
from tracker.conclusions.overfitting import Overfitting
from tracker.conclusions.run_difference import RunDifference
from tracker.conclusions.sample_size import SampleSize
from tracker.conclusions.sentences import clips, inference, training

if TYPE_CHECKING:
    from tracker.conclusions.conclusion import Conclusion
    from tracker.conclusions.sentences.words import Voice


def with_sentence(conclusion: Conclusion, voice: Voice) -> Conclusion:
    """Return a conclusion with its sentence."""
    return replace(conclusion, sentence=_sentence(conclusion, voice))


def _sentence(conclusion: Conclusion, voice: Voice) -> str:
    match conclusion.details:
        case RunDifference() as details:
            return inference.run_difference(conclusion, details, voice)
        case OptionEffect() as details:
            return inference.option_effect(conclusion, details, voice)
        case Overfitting() as details:
            return training.overfitting(conclusion, details, voice)
        case EarlyStopping() as details:
            return training.early_stopping(conclusion, details, voice)
        case SampleSize() as details:
            return clips.sample_size(conclusion, details, voice)
        case details:
            raise ValueError(f"a conclusion's details must be of a known kind, got {type(details).__name__}")
