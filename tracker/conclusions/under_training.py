"""Whether a run reached its limit of epochs while it was still improving."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.conclusions.conclusion import Conclusion, Details, Kind, PlannedRun, RunSpec, challenges_of, seeds_of
from tracker.wording import capitalised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.study.run_results import RunResult
    from tracker.study.study import Study
    from tracker.wording import Wording

_LONGER = 2  # factor for a limit that was reached while improving

# fraction of the epochs: a validation loss that is lowest in this last part was still falling at the end
LAST_PART = 0.05


@dataclass(frozen=True, slots=True)
class UnderTraining(Details):
    """The evidence."""

    limit: int | None = None  # epochs
    best_epoch: int | None = None  # the epoch of the lowest validation loss

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return that a run ended at its limit while improving, or that it is not known."""
        if conclusion.verdict == "unknown":
            their = "its" if len(conclusion.runs) == 1 else "their"
            what = f"{their} limit of epochs or {their} validation loss by epoch was not logged"
            return f"Whether {wording.runs(conclusion.runs)} ended too early cannot be said: {what}."
        run = capitalised(wording.run(conclusion.runs[0]))
        return (
            f"{run} reached its limit of {self.limit} epochs while it was still improving: its validation loss was "
            f"lowest at epoch {self.best_epoch}."
        )


def under_training(study: Study) -> tuple[Conclusion, ...]:
    """Conclude on each run that ended at its limit while improving.

    One `unknown` conclusion covers all runs that did not log their limit, stop or validation loss by epoch.
    """
    known = tuple(
        Conclusion("under_training", "exact", (run.run_id,), UnderTraining(run.limit, run.best_epoch))
        for run in study.results
        if still_improving(run)
    )
    unknown = tuple(run.run_id for run in study.results if None in (run.limit, run.stop_epoch, run.best_epoch))
    return (*known, Conclusion("under_training", "unknown", unknown, UnderTraining())) if unknown else known


def still_improving(result: RunResult) -> bool:
    """Return whether a run reached its limit with its lowest validation loss in the last part of its epochs.

    False too if limit, stop or best epoch are not known, or the limit is a single epoch.
    """
    if result.limit is None or result.stop_epoch is None or result.best_epoch is None or result.limit < 2:
        return False
    last_part = max(1, math.ceil(LAST_PART * result.limit))
    return result.stop_epoch >= result.limit and result.best_epoch > result.stop_epoch - last_part


def _planned_runs(study: Study, conclusion: Conclusion, _conclusions: Sequence[Conclusion]) -> list[PlannedRun]:
    """Give the best run a longer limit, if it reached its own while improving."""
    run = study.index_of[conclusion.runs[0]]
    result, seeds = study.results[run], seeds_of(study, [run])
    is_best = conclusion.verdict == "exact" and study.ranking[:1] == (run,)
    if not is_best or not seeds or result.limit is None or not still_improving(result):
        return []
    why = f"a longer limit for run {result.number}, which was still improving"
    return [PlannedRun(RunSpec(run, (("epochs", str(_LONGER * result.limit)),)), seeds, why)]


def _challenges(conclusions: Sequence[Conclusion], wording: Wording) -> tuple[str, ...]:
    stopped = [conclusion for conclusion in conclusions if conclusion.verdict == "exact"]
    return challenges_of(stopped, wording, "reached their limit of epochs while they were still improving.")


KIND = Kind(
    name="under_training",
    title="Limit of epochs",
    conclude=under_training,
    challenges=_challenges,
    planned_runs=_planned_runs,
    headlines=lambda conclusions, focus: [c for c in conclusions if c.runs == (focus,) and c.verdict == "exact"][:1],
    headline_rank=6,
)
