"""The sentence of each conclusion, written from its data, in one voice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracker.conclusions.best_run import BestRun
from tracker.conclusions.classes import Classes
from tracker.conclusions.early_stopping import EarlyStopping
from tracker.conclusions.learning_rate import LearningRate
from tracker.conclusions.option_effect import OptionEffect
from tracker.conclusions.overfitting import Overfitting
from tracker.conclusions.run_difference import RunDifference
from tracker.conclusions.sample_size import SampleSize
from tracker.conclusions.selection_optimism import SelectionOptimism
from tracker.conclusions.sentences import clips, inference, options, training
from tracker.conclusions.stability import Diverged, OneSeed, Spread
from tracker.conclusions.under_training import UnderTraining

if TYPE_CHECKING:
    from tracker.conclusions.conclusion import Conclusion
    from tracker.wording import Voice


def with_sentence(conclusion: Conclusion, voice: Voice) -> Conclusion:
    """Return a conclusion with its sentence."""
    return replace(conclusion, sentence=_sentence(conclusion, voice))


def _sentence(conclusion: Conclusion, voice: Voice) -> str:  # noqa: C901, PLR0911, PLR0912 - a line a kind
    match conclusion.details:
        case BestRun() as details:
            return inference.best_run(conclusion, details, voice)
        case RunDifference() as details:
            return inference.run_difference(conclusion, details, voice)
        case OptionEffect() as details:
            return options.option_effect(conclusion, details, voice)
        case Overfitting() as details:
            return training.overfitting(conclusion, details, voice)
        case EarlyStopping() as details:
            return training.early_stopping(conclusion, details, voice)
        case LearningRate() as details:
            return training.learning_rate(conclusion, details, voice)
        case UnderTraining() as details:
            return training.under_training(conclusion, details, voice)
        case Spread() as details:
            return clips.spread(conclusion, details, voice)
        case OneSeed() as details:
            return clips.one_seed(conclusion, details, voice)
        case Diverged() as details:
            return clips.diverged(conclusion, details, voice)
        case Classes() as details:
            return clips.classes(conclusion, details, voice)
        case SelectionOptimism() as details:
            return clips.selection_optimism(conclusion, details, voice)
        case SampleSize() as details:
            return clips.sample_size(conclusion, details, voice)
        case details:
            raise ValueError(f"a conclusion's details must be of a known kind, got {type(details).__name__}")
