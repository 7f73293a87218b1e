"""What can be concluded from an experiment's runs: one module a kind, registered here in the report's order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracker.conclusions import (
    across_data_sets,
    baseline,
    best_configuration,
    best_run,
    calibration,
    classes,
    data_checks,
    early_stopping,
    imbalance,
    learning_rate,
    option_effect,
    overfitting,
    range_edge,
    run_difference,
    sample_size,
    selection_optimism,
    stability,
    under_training,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.conclusions.conclusion import Conclusion, Kind, KindName
    from tracker.study.study import Study
    from tracker.wording import Wording

KINDS: tuple[Kind, ...] = (best_run.KIND, best_configuration.KIND, option_effect.KIND, run_difference.KIND,
                           overfitting.KIND, early_stopping.KIND, learning_rate.KIND, under_training.KIND,
                           stability.KIND, classes.KIND, selection_optimism.KIND, sample_size.KIND,
                           baseline.KIND, imbalance.KIND, calibration.KIND, range_edge.KIND,
                           data_checks.KIND, across_data_sets.KIND)  # fmt: skip


def conclude(study: Study) -> tuple[Conclusion, ...]:
    """Draw every conclusion that the runs support, by kind, without commands and sentences.

    Of several data sets that is what holds across them; each has conclusions of its own, from its part of the study.
    """
    kinds_of_study = KINDS if study.data is None else (across_data_sets.KIND,)
    found = tuple(conclusion for kind in kinds_of_study for conclusion in kind.conclude(study))
    return tuple(replace(conclusion, data_set=study.data_set) for conclusion in found) if study.data_set else found


def kind_of(conclusion: Conclusion) -> Kind:
    """Return the kind of a conclusion."""
    return next(kind for kind in KINDS if kind.name == conclusion.kind)


def kinds(*first: KindName) -> tuple[Kind, ...]:
    """Return every kind: those named first, then the others in the report's order."""
    return tuple(sorted(KINDS, key=lambda kind: first.index(kind.name) if kind.name in first else len(first)))


def of_kind(conclusions: Sequence[Conclusion], kind: Kind) -> tuple[Conclusion, ...]:
    """Return the conclusions of one kind, in their order."""
    return tuple(conclusion for conclusion in conclusions if conclusion.kind == kind.name)


def with_sentence(conclusion: Conclusion, wording: Wording) -> Conclusion:
    """Return a conclusion with its sentence; a command that it should point to must be there already."""
    return replace(conclusion, sentence=wording.sample.put_into(conclusion.details.sentence(conclusion, wording)))
