"""Interrupted runs: continued after their last finished epoch, or ended as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.errors import DataError, TrackerError
from tracker.journal.process_lock import resuming
from tracker.journal.reader import journals, read
from tracker.journal.writer import JournalWriter
from tracker.recording.locations import SHORT_ID, LogTarget, data_path, is_resumable, journals_folder, store_of
from tracker.recording.uploader import send
from tracker.runs import RunStatus
from tracker.runs.events import Ended
from tracker.runs.find import find_run
from tracker.store import note_of

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.journal.reader import Journal
    from tracker.recording.prepare import Prepared
    from tracker.recording.reporter import Reporter
    from tracker.runs import RunPlan
    from tracker.store import Store


def resume_run(
    run: str,
    store: Store,
    reporter: Reporter,
    *,
    data: Path | None = None,
    offline: bool = False,
    gone: bool = False,
) -> str:
    """Continue an interrupted run after its last finished epoch, to the same end, and return its id.

    Parameters
    ----------
    run : str
        A run's id, the beginning of one, or its name.
    store : Store
        The store beside which its journal lies.
    reporter : Reporter
    data : Path, optional
        Where the data is now, if it was moved.
    offline : bool
        Whether the store is left alone until `tracker sync`.
    gone : bool
        Whether the caller knows that the run's process has ended, on whatever machine.

    Raises
    ------
    TrackerError
        If there is no such run, it is finished or may still be running, or it could not end as it would have.
    """
    found = _find(run, store, reporter)
    with resuming(found.folder) as is_ours:
        if not is_ours:
            raise TrackerError(f"run {found.started.name} is being resumed by another process: let it end first")
        journal = read(found.folder)  # another process may have ended it meanwhile
        if journal.status is RunStatus.FINISHED:
            raise TrackerError(f"run {journal.started.name} is finished: there is nothing to go on with")
        _refuse_alive(journal, gone=gone)
        _refuse_script(journal)
        return _continue(journal, data, reporter, offline=offline)


def close_run(run: str, store: Store, reporter: Reporter, *, gone: bool = False) -> str:
    """End a run whose process is gone as KILLED, with the epochs that it has, and return its id.

    Parameters
    ----------
    run, store, reporter, gone
        As in `resume_run`.

    Raises
    ------
    TrackerError
        If there is no such run, it has ended or may still be running.
    """
    journal = _find(run, store, reporter)
    _refuse_alive(journal, gone=gone)
    with JournalWriter.reopen(journal.folder) as writer:
        journal = read(journal.folder)  # another process may have resumed it meanwhile
        if journal.ended:
            raise TrackerError(f"run {journal.started.name} has ended already, as {journal.status}")
        writer.append(Ended(_last_time(journal), RunStatus.KILLED, "its process was gone"))
    try:
        delivery = send(store_of(journal), journal.folder)
    except TrackerError as error:
        delivery = None
        reporter.warn(f"run {journal.started.name} is closed, but not sent: {error}; `tracker sync` sends it")
    return delivery.run_id if delivery else journal.id


def _find(run: str, store: Store, reporter: Reporter) -> Journal:
    found = journals(journals_folder(store))
    for problem in found.problems:
        reporter.warn(problem)
    return find_run(found, run)


def _refuse_alive(journal: Journal, *, gone: bool) -> None:
    """Refuse a run that another process is training, or may be."""
    name = f"run {journal.started.name}"
    if journal.status is RunStatus.RUNNING:
        owner = f" by process {journal.owner.pid} on {journal.owner.host}" if journal.owner else ""
        raise TrackerError(f"{name} is being trained{owner}: let it end first")
    if journal.status is RunStatus.UNKNOWN and journal.owner and not gone:
        raise TrackerError(
            f"{name} was begun by process {journal.owner.pid} on {journal.owner.host}, and whether it goes on there "
            "cannot be told from here: see to it there, or say --gone once you know that it does not"
        )


def _continue(journal: Journal, data: Path | None, reporter: Reporter, *, offline: bool) -> str:
    from tracker.recording.recorder import KEEP_GOING_TAG, Recorder
    from tracker.recording.train import train_recorded

    plan, tags = _plan(journal), journal.started.tags
    target = LogTarget(store_of(journal), journal.folder.parent, journal.started.experiment, offline)
    target.store.check_usable()
    prepared = _prepared(data_path(tags["tracker.data"], target.journals.parent), data, plan, reporter)
    _refuse_changed(journal, plan, prepared)
    _log_start(journal, reporter)
    note = note_of(journal.started)
    keep_going = KEEP_GOING_TAG in tags
    recorder = Recorder(target, journal.started.name, plan, prepared, note, reporter, journal, keep_going=keep_going)
    return train_recorded(recorder, plan, prepared, reporter)


def _refuse_script(journal: Journal) -> None:
    """Refuse a run of somebody's own script, which alone can train it."""
    if not is_resumable(journal.started.tags):
        raise TrackerError(
            f"run {journal.started.name} was logged by a script with tracker.start_run: run the script again, and end "
            f"this run with `tracker close {journal.id[:SHORT_ID]}`"
        )


def _plan(journal: Journal) -> RunPlan:
    from tracker.runs import plan_of
    from tracker.training.networks import parse_options

    try:
        return plan_of(journal.started.params, parse_options)
    except ValueError as error:
        raise TrackerError(f"run {journal.started.name} cannot go on: {error}; train it anew") from error


def _prepared(before: Path | None, now: Path | None, plan: RunPlan, reporter: Reporter) -> Prepared:
    """Prepare the data that a run was started with, where it is now."""
    from tracker.recording.prepare import prepare

    if now or before is None:
        return prepare(now, plan.split, plan.spectrogram, reporter)
    try:
        return prepare(before, plan.split, plan.spectrogram, reporter)
    except DataError as error:
        raise DataError(f"{error}; if the data was moved, say by --data PATH where it is now") from error


def _refuse_changed(journal: Journal, plan: RunPlan, prepared: Prepared) -> None:
    from tracker.recording.resume_check import changes

    changed = changes(journal, plan, prepared)
    if changed:
        raise TrackerError(
            f"run {journal.started.name} cannot go on as it began, as this differs: {'; '.join(changed)}; put it back, "
            "or train it anew with `tracker run`"
        )


def _log_start(journal: Journal, reporter: Reporter) -> None:
    """Say after which epoch the run continues, and which it trains again because their checkpoint is lost."""
    from tracker.recording.recorder import CHECKPOINTS
    from tracker.training.checkpoint import finished_epochs

    name, done = journal.started.name, max(journal.epochs, default=0)
    safe = len(finished_epochs(journal.folder / CHECKPOINTS))
    if safe < done:
        again = f"what comes after epoch {safe}" if safe else "all of its epochs"
        reporter.warn(
            f"the checkpoint of epoch {done} is damaged or gone: run {name} trains {again} again, to the same values"
        )
    reporter.log(f"run {name} goes on after epoch {safe}" if safe else f"run {name} begins at its first epoch")


def _last_time(journal: Journal) -> int:
    """Return when the run last wrote something, in ms."""
    return max(getattr(entry, "time", 0) for entry in journal.entries)
