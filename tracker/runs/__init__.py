"""What a run is: `planned` has what it is asked for, `logged` what it left. All of it is frozen."""

from __future__ import annotations

from tracker.runs.events import RunStatus
from tracker.runs.logged import (
    HEARD_CLIPS,
    NOTE_END,
    REASON_TAG,
    UNSENT_TAG,
    Curve,
    EpochPredictions,
    Predictions,
    Run,
    UsedDataset,
    is_resumable,
)
from tracker.runs.options import (
    ALPHAS,
    MARGINS,
    OFF,
    Compound,
    OptionValue,
    Panel,
    Range,
    Role,
    RunOption,
    Value,
    as_number,
    check_line,
    check_name_in_store,
    check_range,
    number_text,
    shown,
    value_text,
)
from tracker.runs.planned import (
    COLUMNS,
    DEFAULT_EXPERIMENT,
    FLOOR_DB,
    LOGGED_OPTIONS,
    RUN_OPTIONS,
    SEEDS,
    Backend,
    Configuration,
    DataPlan,
    Fold,
    Keep,
    Plateau,
    RunPlan,
    Spectrogram,
    SplitPlan,
    data_plan_of,
    option_named,
    options_set_by,
    plan_of,
    plan_with,
    plans_under,
    reserved_for,
    spectrogram_of,
    split_of,
)

__all__ = [
    "ALPHAS", "COLUMNS", "DEFAULT_EXPERIMENT", "FLOOR_DB", "HEARD_CLIPS", "LOGGED_OPTIONS", "MARGINS", "NOTE_END",
    "OFF", "REASON_TAG", "RUN_OPTIONS", "SEEDS", "UNSENT_TAG", "Backend", "Compound", "Configuration", "Curve",
    "DataPlan", "EpochPredictions", "Fold", "Keep", "OptionValue", "Panel", "Plateau", "Predictions", "Range", "Role",
    "Run", "RunOption", "RunPlan", "RunStatus", "Spectrogram", "SplitPlan", "UsedDataset", "Value", "as_number",
    "check_line", "check_name_in_store", "check_range", "data_plan_of", "is_resumable", "number_text", "option_named",
    "options_set_by", "plan_of", "plan_with", "plans_under", "reserved_for", "shown", "spectrogram_of", "split_of",
    "value_text",
]  # fmt: skip
