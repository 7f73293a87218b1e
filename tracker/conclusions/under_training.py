"""Whether a run reached its limit of epochs while it was still improving."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.conclusions.conclusion import Conclusion, Details, Kind, PlannedRun, RunSpec, challenges_of, seeds_of
from tracker.wording import capitalised

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.study.study import Study
    from tracker.wording import Wording

_TOGETHER = "were still improving when they reached their limit of epochs."
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
            if wording.is_all(conclusion.runs):
                what = "no run's limit of epochs and validation loss by epoch are both known"
                return f"Whether the runs were trained long enough is unknown: {what}."
            their, were = ("its", "was") if len(conclusion.runs) == 1 else ("their", "were")
            what, who = (
                f"{their} limit of epochs or validation loss by epoch is not known",
                wording.runs(conclusion.runs),
            )
            return f"Whether {who} {were} trained long enough is unknown: {what}."
        they, their, were = ("it", "its", "was") if len(conclusion.runs) == 1 else ("they", "their", "were")
        return (
            f"{capitalised(wording.runs(conclusion.runs))} {were} still improving when {they} reached {their} limit of "
            f"{self.limit:,} epochs: validation loss was lowest at epoch {self.best_epoch:,}."
        )


def under_training(study: Study) -> Iterator[Conclusion]:
    """Conclude on each run that ended at its limit while improving.

    One `unknown` conclusion covers all runs that did not log their limit, stop or validation loss by epoch. Boosting
    has rounds, and no epochs to reach a limit of.
    """
    unknown = []
    for run in (result for result in study.results if result.rounds is None):
        limit, stop, best = run.limit, run.stop_epoch, run.best_epoch
        if limit is None or stop is None or best is None:
            unknown.append(run.run_id)
        elif limit > 1 and stop >= limit and best > stop - max(1, math.ceil(LAST_PART * limit)):
            yield Conclusion("under_training", "exact", (run.run_id,), UnderTraining(limit, best))
    if unknown:
        yield Conclusion("under_training", "unknown", tuple(unknown), UnderTraining())


def _planned_runs(study: Study, conclusion: Conclusion, _conclusions: Sequence[Conclusion]) -> list[PlannedRun]:
    """Give the best run a longer limit, if it reached its own while improving."""
    run, details = study.index_of[conclusion.runs[0]], conclusion.details
    seeds, is_best = seeds_of(study, [run]), study.ranking[:1] == (run,)
    if not is_best or not seeds or not isinstance(details, UnderTraining) or details.limit is None:
        return []
    why = f"a longer limit for run {study.results[run].number}, which was still improving"
    return [PlannedRun(RunSpec(run, (("epochs", str(2 * details.limit)),)), seeds, why)]


KIND = Kind(
    name="under_training",
    title="Limit of epochs",
    conclude=under_training,
    challenges=lambda found, wording: challenges_of([c for c in found if c.verdict == "exact"], wording, _TOGETHER),
    planned_runs=_planned_runs,
)
