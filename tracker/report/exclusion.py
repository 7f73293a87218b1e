"""Which runs count: failed, interrupted and duplicate ones are named and left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.conclusions.clips import clip_key
from tracker.conclusions.twins import identical
from tracker.design import terms_of
from tracker.report.contents import Excluded
from tracker.runs import FINISHED, Run

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

_REASONS = {
    "FAILED": "failed",
    "KILLED": "was killed",
    "RUNNING": "is still running or was interrupted",
    "SCHEDULED": "has not begun",
}


def chosen(runs: Sequence[Run]) -> tuple[tuple[Run, ...], tuple[Excluded, ...]]:
    """Sort out the runs that count.

    Parameters
    ----------
    runs : sequence of Run
        In any order.

    Returns
    -------
    kept : tuple of Run
        By start time, then by id.
    excluded : tuple of Excluded
        In the same order.
    """
    first: dict[Hashable, list[Run]] = {}
    kept, excluded = [], []
    for run in sorted(runs, key=_order):
        twin = None
        if run.status == FINISHED:
            alike = first.setdefault(_identity(run), [])
            twin = next((other for other in alike if _logged_twice(run, other)), None)
            alike.append(run)
        if twin is not None:
            excluded.append(Excluded(run.run_id, run.name, f"is the same run as {twin.run_id}, logged twice"))
        elif run.status == FINISHED:
            kept.append(run)
        else:
            excluded.append(Excluded(run.run_id, run.name, _REASONS.get(run.status, "did not finish")))
    return tuple(kept), tuple(excluded)


def _order(run: Run) -> tuple[bool, int, str]:
    return run.started is None, run.started or 0, run.run_id


def _identity(run: Run) -> Hashable:
    """Return what makes two runs one: configuration, seed, fold, data and version."""
    version = run.tags.get("tracker.version") or run.tags.get("mlflow.source.git.commit")
    return terms_of(run.params), clip_key(run), version


def _logged_twice(run: Run, other: Run) -> bool:
    """Without a logged seed two runs are the same only if they went the same way."""
    return bool(terms_of(run.params).seed) or identical(run, other)
