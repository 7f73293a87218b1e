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
    from tracker.wording import Wording


def with_sentence(conclusion: Conclusion, wording: Wording) -> Conclusion:
    """Return a conclusion with its sentence."""
    return replace(conclusion, sentence=_sentence(conclusion, wording))


def _sentence(conclusion: Conclusion, wording: Wording) -> str:  # noqa: C901, PLR0911, PLR0912 - a line a kind
    match conclusion.details:
        case BestRun() as details:
            return inference.best_run(conclusion, details, wording)
        case RunDifference() as details:
            return inference.run_difference(conclusion, details, wording)
        case OptionEffect() as details:
            return options.option_effect(conclusion, details, wording)
        case Overfitting() as details:
            return training.overfitting(conclusion, details, wording)
        case EarlyStopping() as details:
            return training.early_stopping(conclusion, details, wording)
        case LearningRate() as details:
            return training.learning_rate(conclusion, details, wording)
        case UnderTraining() as details:
            return training.under_training(conclusion, details, wording)
        case Spread() as details:
            return clips.spread(conclusion, details, wording)
        case OneSeed() as details:
            return clips.one_seed(conclusion, details, wording)
        case Diverged() as details:
            return clips.diverged(conclusion, details, wording)
        case Classes() as details:
            return clips.classes(conclusion, details, wording)
        case SelectionOptimism() as details:
            return clips.selection_optimism(conclusion, details, wording)
        case SampleSize() as details:
            return clips.sample_size(conclusion, details, wording)
        case details:
            raise ValueError(f"a conclusion's details must be of a known kind, got {type(details).__name__}")
