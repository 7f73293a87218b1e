"""Intervals, paired tests, corrections and power, as pure functions on arrays.

Conventions: counts are of clips; accuracies, differences and interval ends are fractions from 0 to 1 (-1 to 1);
intervals are pairs, lower end first. Every method names its source. Importing this package imports neither NumPy nor
SciPy: each function is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.statistics.calibration import CalibrationError, ConfidenceBin, calibration_error, confidence_bins
    from tracker.statistics.classification import balanced_accuracy, macro_f1, mean_interval
    from tracker.statistics.error_rates import (
        approximate_clips,
        clips_needed,
        detectable_difference,
        holm,
        is_best,
        series_level,
        unconditional_power,
    )  # fmt: skip
    from tracker.statistics.grouped import (
        approximate_grouped_clips,
        design_effect,
        detectable_grouped_difference,
        difference_correlation,
        fewest_groups,
        grouped_sign_flip,
        informative_groups,
        sign_flip_interval,
        sign_flip_many,
        sign_flip_power,
    )  # fmt: skip
    from tracker.statistics.matched_pairs import Effect, behrens_fisher_p, by_group, crossed, nested
    from tracker.statistics.paired import (
        Aggregates,
        LossDifference,
        aggregate_p_range,
        agreeing,
        critical_score,
        discordant,
        from_aggregates,
        log_loss_difference,
        log_losses,
        mcnemar,
        mcnemar_mid_p,
        paired_interval,
        tango,
        unconditional,
        unconditional_many,
    )  # fmt: skip
    from tracker.statistics.proportions import (
        Interval,
        effective_groups,
        group_codes,
        group_sums,
        grouped_proportion_p,
        grouped_wilson,
        intraclass_correlation,
        newcombe,
        proportion_p,
        score_interval,
        score_intervals,
        wilson,
    )  # fmt: skip
    from tracker.statistics.repetitions import (
        PairVariance,
        accuracy_over_seeds,
        columns_needed,
        crossed_power,
        detectable_by_pairs,
        detectable_effect,
        nadeau_bengio,
        pairs_needed,
    )  # fmt: skip
    from tracker.statistics.resampling import (
        Chances,
        Optimism,
        bootstrap_t_interval,
        optimism_of_best,
        optimism_of_best_epoch,
        probability_best,
        probability_better,
        sign_flip_p,
    )  # fmt: skip
    from tracker.statistics.trainings import (
        counted_accuracy_interval,
        largest_clip_variance,
        on_other_clips,
        paired_effect,
        training_mean_interval,
        unpaired_effect,
        unpaired_p_value,
    )  # fmt: skip

_MODULES = ("proportions", "error_rates", "grouped", "matched_pairs", "paired", "repetitions", "resampling",
            "trainings", "calibration", "classification")  # fmt: skip

__all__ = [
    "Aggregates",
    "CalibrationError",
    "Chances",
    "ConfidenceBin",
    "Effect",
    "Interval",
    "LossDifference",
    "Optimism",
    "PairVariance",
    "accuracy_over_seeds",
    "aggregate_p_range",
    "agreeing",
    "approximate_clips",
    "approximate_grouped_clips",
    "balanced_accuracy",
    "behrens_fisher_p",
    "bootstrap_t_interval",
    "by_group",
    "calibration_error",
    "clips_needed",
    "columns_needed",
    "confidence_bins",
    "counted_accuracy_interval",
    "critical_score",
    "crossed",
    "crossed_power",
    "design_effect",
    "detectable_by_pairs",
    "detectable_difference",
    "detectable_effect",
    "detectable_grouped_difference",
    "difference_correlation",
    "discordant",
    "effective_groups",
    "fewest_groups",
    "from_aggregates",
    "group_codes",
    "group_sums",
    "grouped_proportion_p",
    "grouped_sign_flip",
    "grouped_wilson",
    "holm",
    "informative_groups",
    "intraclass_correlation",
    "is_best",
    "largest_clip_variance",
    "log_loss_difference",
    "log_losses",
    "macro_f1",
    "mcnemar",
    "mcnemar_mid_p",
    "mean_interval",
    "nadeau_bengio",
    "nested",
    "newcombe",
    "on_other_clips",
    "optimism_of_best",
    "optimism_of_best_epoch",
    "paired_effect",
    "paired_interval",
    "pairs_needed",
    "probability_best",
    "probability_better",
    "proportion_p",
    "score_interval",
    "score_intervals",
    "series_level",
    "sign_flip_interval",
    "sign_flip_many",
    "sign_flip_p",
    "sign_flip_power",
    "tango",
    "training_mean_interval",
    "unconditional",
    "unconditional_many",
    "unconditional_power",
    "unpaired_effect",
    "unpaired_p_value",
    "wilson",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in _MODULES:
            if hasattr(import_module(f"{__name__}.{module}"), name):
                return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
