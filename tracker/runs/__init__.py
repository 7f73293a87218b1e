"""What a run is: `planned` has what it is asked for, `logged` what it left. All of it is frozen."""

from __future__ import annotations

from tracker.runs.logged import (
    FINISHED,
    INTERRUPTED,
    NOTE_END,
    REASON_TAG,
    UNSENT_TAG,
    Curve,
    EpochPredictions,
    Predictions,
    Run,
)
from tracker.runs.planned import FLOOR_DB, Configuration, Fold, Keep, Plateau, RunPlan, Spectrogram, SplitPlan
from tracker.runs.text import OptionValue, number_text, value_text

__all__ = [
    "FINISHED",
    "FLOOR_DB",
    "INTERRUPTED",
    "NOTE_END",
    "REASON_TAG",
    "UNSENT_TAG",
    "Configuration",
    "Curve",
    "EpochPredictions",
    "Fold",
    "Keep",
    "OptionValue",
    "Plateau",
    "Predictions",
    "Run",
    "RunPlan",
    "Spectrogram",
    "SplitPlan",
    "number_text",
    "value_text",
]
