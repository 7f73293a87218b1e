"""Which runs count: failed, interrupted and duplicate ones are named and left out, with the reason if one is known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracker.report.model import Excluded
from tracker.runs import REASON_TAG, Run, RunStatus, is_resumable
from tracker.runs.logged import SHORT_ID
from tracker.study.clip_sets import clip_key
from tracker.study.epochs import identical
from tracker.study.options import terms_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

_REASONS = {
    RunStatus.FAILED: "failed",
    RunStatus.KILLED: "was killed",
    RunStatus.RUNNING: "is still running or was interrupted",
    RunStatus.INTERRUPTED: "was interrupted",
    RunStatus.SCHEDULED: "has not begun",
}

# before a reason: tracker's own errors need no name before their words
_OWN_ERROR = re.compile(r"^(?:Data|Journal|Store|Training)Error: ")
_LONGEST_WHY = 200  # of a reason's characters that are shown: one line, not all of a stranger's error
_RESUME, _CLOSE = "tracker resume {run} goes on with it, ", "tracker close {run} ends it"
_SWEEP = "only holds other runs together and trained nothing itself"


def select_runs(runs: Sequence[Run]) -> tuple[tuple[Run, ...], tuple[Excluded, ...]]:
    """Return the runs that count and those that are left out, each by start time, then by id."""
    same_configuration: dict[Hashable, list[Run]] = {}
    kept, excluded = [], []
    sweeps = _sweeps(runs)
    for run in sorted(runs, key=lambda run: (run.started is None, run.started or 0, run.run_id)):
        reason = _SWEEP if run.run_id in sweeps else _unfinished(run) or _twice(run, same_configuration)
        if reason is None:
            kept.append(run)
        else:
            excluded.append(Excluded(run.run_id, run.name, reason))
    return tuple(kept), tuple(excluded)


def _unfinished(run: Run) -> str | None:
    if run.status == RunStatus.FINISHED:
        return None
    reason = _REASONS.get(run.status, "did not finish")
    if run.status == RunStatus.INTERRUPTED:
        reason += ": " + (_RESUME if is_resumable(run.tags) else "") + _CLOSE
    reason = reason.format(run=run.run_id[:SHORT_ID])
    why = _why(run) if run.status in {RunStatus.FAILED, RunStatus.KILLED} else ""
    return f"{reason}: {why}" if why else reason


def _why(run: Run) -> str:
    """Return on one line why a run did not finish, as far as it says so."""
    reason = _OWN_ERROR.sub("", " ".join(run.tags.get(REASON_TAG, "").split()))
    return reason if len(reason) <= _LONGEST_WHY else f"{reason[: _LONGEST_WHY - 1]}…"


def _twice(run: Run, same_configuration: dict[Hashable, list[Run]]) -> str | None:
    """Return that a run is a copy of one before it, None if it isn't, and add it to those before."""
    version = run.tags.get("tracker.version") or run.commit
    earlier = same_configuration.setdefault((terms_of(run.settings), clip_key(run), version), [])
    original = next((other for other in earlier if _logged_twice(run, other)), None)
    earlier.append(run)
    return None if original is None else f"is the same run as {original.run_id}, logged twice"


def _sweeps(runs: Sequence[Run]) -> frozenset[str]:
    """Return the ids of the runs that hold others together, as sweeps and searches do, and have no curves."""
    parents = {run.parent_id for run in runs if run.parent_id and run.params}
    curves = {run.run_id: any(len(curve.values) > 1 for curve in run.curves.values()) for run in runs}
    return frozenset(run_id for run_id in parents if not curves.get(run_id, True))


def _logged_twice(run: Run, other: Run) -> bool:
    """Return whether two runs of one configuration are the same run.

    Without a logged seed, on unlogged clips, or if the same seed may give another result, they are only if they went
    the same way.
    """
    is_repeatable = run.tags.get("tracker.deterministic") != "false"
    known = is_repeatable and terms_of(run.settings).seed and clip_key(run) is not None
    return bool(known) or identical(run, other)
