"""Whether a run reached its limit of epochs while it was still improving."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.conclusions.conclusion import Conclusion, Details

if TYPE_CHECKING:
    from tracker.study.run_results import RunResult
    from tracker.study.study import Study

LAST_PART = 0.05
"""A validation loss that is lowest within this last part of the epochs was still falling when they ended."""


@dataclass(frozen=True, slots=True)
class UnderTraining(Details):
    """The evidence.

    Parameters
    ----------
    limit : int or None, epochs
    best_epoch : int or None
        Of the lowest validation loss.
    """

    limit: int | None = None
    best_epoch: int | None = None


def under_training(study: Study) -> tuple[Conclusion, ...]:
    """Conclude on each run that ended at its limit while improving, and on those of which it cannot be known.

    Parameters
    ----------
    study : Study

    Returns
    -------
    tuple of Conclusion
        One for each run that ended so; at most one that is `unknown`, of all runs that did not log their limit, their
        stop or their validation loss by epoch.
    """
    found = tuple(
        Conclusion("under_training", "exact", (run.run_id,), UnderTraining(run.limit, run.best_epoch))
        for run in study.results
        if still_improving(run)
    )
    unknown = tuple(run.run_id for run in study.results if None in (run.limit, run.stop_epoch, run.best_epoch))
    return (*found, Conclusion("under_training", "unknown", unknown, UnderTraining())) if unknown else found


def still_improving(found: RunResult) -> bool:
    """Tell whether a run reached its limit with its lowest validation loss in the last part of its epochs.

    Parameters
    ----------
    found : RunResult

    Returns
    -------
    bool
        False too where limit, stop or best epoch are not known, or only one epoch was asked for.
    """
    if found.limit is None or found.stop_epoch is None or found.best_epoch is None or found.limit < 2:
        return False
    last_part = max(1, math.ceil(LAST_PART * found.limit))
    return found.stop_epoch >= found.limit and found.best_epoch > found.stop_epoch - last_part
