"""What of a plan's runs is logged already, and how long the others may take, by what was logged before."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import StoreError
from tracker.journal.reader import journals, unsettled
from tracker.recording.stores import counts, journals_folder, journals_for, run_from_journal
from tracker.recording.train import run_key
from tracker.runs import LOGGED_OPTIONS, Role, Run, RunStatus
from tracker.store import GoneError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracker.recording.stores import LogTarget
    from tracker.runs import RunPlan

_ORDER = {  # which of several runs says how far a task is
    RunStatus.FINISHED: 0,
    RunStatus.RUNNING: 1,
    RunStatus.INTERRUPTED: 2,
    RunStatus.KILLED: 3,
    RunStatus.FAILED: 4,
}


def logged_runs(target: LogTarget) -> Mapping[str, list[Run]]:
    """Return the runs of an experiment by their keys, also if the store is away: then as the journals have them."""
    stored: tuple[Run, ...] = ()
    waiting = unsettled
    try:
        if not target.offline:
            stored = target.store.read(target.experiment, by_epoch=0).runs
    except StoreError as error:
        if not (isinstance(error, GoneError) or target.store.has_no_file):
            waiting = journals
    if target.offline:
        waiting = journals
    kept = journals_for(target.store, waiting).where(lambda one: one.started.experiment == target.experiment)
    ids = {name for journal in kept for name in journal.ids}
    runs = [run_from_journal(journal) for journal in kept if counts(journal)]
    runs += [run for run in stored if not ids & {*run.ids}]
    by_key: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_key[run_key(run.params, run.tags)].append(run)
    return by_key


def decisive_run(runs: Iterable[Run], target: LogTarget) -> Run | None:
    """Return the run that says how far a task is: a finished one, else one that is trained, else one to continue."""
    folder = journals_folder(target.store)
    usable = [
        run
        for run in runs
        if run.status is RunStatus.FINISHED
        or (run.status in _ORDER and run.journal_id and (folder / run.journal_id).is_dir())
    ]
    return min(usable, key=lambda run: (_ORDER[run.status], run.started or 0), default=None)


def surely_missing(plans: Sequence[RunPlan], logged: Iterable[Run]) -> int:
    """Return of how many plans no run has finished or is trained, whatever their data: what is known before it is read.

    The plans have their networks named as the runs' params name them.
    """
    there = (run.params for run in logged if run.status in {RunStatus.FINISHED, RunStatus.RUNNING})
    return len({frozenset(plan.params().items()) for plan in plans} - {frozenset(params.items()) for params in there})


def expected_seconds(plans: Sequence[RunPlan], logged: Sequence[Run]) -> list[float] | None:
    """Estimate how long each of some trainings takes, from the finished runs; None if there is none.

    A run of the same configuration counts before one of the same network and kernel, and that before any other.
    """
    timed = [run for run in logged if run.status is RunStatus.FINISHED and run.metrics.get("stop_epoch")]
    if not timed:
        return None
    by_kind: dict[object, list[Run]] = defaultdict(list)
    for run in timed:
        for kind in (_configured(run.params), (run.params.get("model"), run.params.get("kernel_size")), None):
            by_kind[kind].append(run)
    expected = []
    for plan in plans:
        params = plan.params()
        if alike := by_kind.get(_configured(params)):
            expected.append(sum(_ran(run) for run in alike) / len(alike))
        else:
            others = by_kind.get((params["model"], params.get("kernel_size"))) or timed
            expected.append(sum(_would_run(run, plan.configuration.epochs) for run in others) / len(others))
    return expected


def _configured(params: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """Return the params but for those that repeat a training."""
    repeating = {
        name for entry in LOGGED_OPTIONS.values() if entry.role is not Role.CONFIGURATION for name in entry.params
    }
    return frozenset((name, text) for name, text in params.items() if name not in repeating)


def _would_run(run: Run, epochs: int) -> float:
    """Return the seconds that a run would take for so many epochs: most of a short one is loading and saving."""
    logged = run.curves.get("epoch_seconds")
    if logged is None or not len(logged.values):
        return _ran(run) / run.metrics["stop_epoch"] * epochs
    return max(0.0, _ran(run) - float(logged.values.sum())) + float(np.median(logged.values)) * epochs


def _ran(run: Run) -> float:
    """Return the seconds that a run took."""
    return ((run.ended or 0) - (run.started or 0)) / 1_000 if run.ended and run.started else 0.0
