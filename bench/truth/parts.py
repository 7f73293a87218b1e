"""All settings, by the part of the document that they are for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.truth import (
    confounded,
    counts,
    data_sets,
    folds,
    grouped,
    intervals,
    least_favourable,
    looks,
    null_runs,
    one_option,
    series,
    trainings,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.truth.settings import Setting


@dataclass(frozen=True, slots=True)
class Part:
    """Settings that are measured alike; fewer experiments of `slow` ones are drawn."""

    settings: Sequence[Setting]
    slow: bool = False


PARTS: dict[str, Part] = {
    "null runs": Part(null_runs.settings()),
    "one option": Part(one_option.settings()),
    "other worlds": Part(one_option.other_worlds()),
    "added seeds": Part(looks.settings()),
    "unmatched": Part(one_option.unmatched()),
    "confounded": Part(confounded.settings()),
    "grouped runs": Part(grouped.run_settings()),
    "grouped option": Part(grouped.option_settings()),
    "counts": Part(counts.settings()),
    "folds": Part(folds.settings()),
    "least favourable": Part(least_favourable.settings()),
    "scores": Part(trainings.scores()),
    "counted seeds": Part(trainings.counted()),
    "fold scores": Part(trainings.over_folds()),
    "data sets": Part(data_sets.settings(), slow=True),
    "series": Part(series.settings(), slow=True),
    "plain intervals": Part(intervals.plain()),
    "resampled intervals": Part(intervals.resampled(), slow=True),
}
