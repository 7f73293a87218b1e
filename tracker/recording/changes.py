"""What people do to a run that was logged: rename it, tag it, delete it.

A change goes through the run's journal if that is here, so that it is made once the store is back, and again when the
store is rebuilt; another program's run is changed in its store alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from tracker.errors import TrackerError
from tracker.journal.reader import is_id, journals, read
from tracker.journal.writer import JournalWriter
from tracker.printable import with_command
from tracker.recording.arguments import checked_line, tag_texts
from tracker.recording.resume import ended_as_it_is, refuse_alive, send_change
from tracker.recording.stores import journals_folder, journals_for, load_runs, store_of
from tracker.runs import RunStatus
from tracker.runs.events import Deleted, Renamed, Tagged
from tracker.runs.logged import find_run
from tracker.store import DeletedRun, now_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.journal.reader import Journal
    from tracker.recording.reporter import Reporter
    from tracker.runs import Run
    from tracker.runs.events import Change
    from tracker.store import Store


def rename_run(run: str, name: str, store: Store, experiment: str, reporter: Reporter) -> str:
    """Give a run another name, and return its id.

    Raises
    ------
    ValueError
        If the name isn't one line of text.
    TrackerError
        If there is no such run, it is still being trained, or its store is only read or away.
    """
    return _change(run, Renamed(checked_line("name", name)), "renamed", store, experiment, reporter)


def tag_run(run: str, tags: Mapping[str, object], store: Store, experiment: str, reporter: Reporter) -> str:
    """Set tags of a run, over those of the same name, and return its id; otherwise as `rename_run`."""
    texts = tag_texts(tags)
    if not texts:
        raise ValueError("give at least one tag, got none")
    return _change(run, Tagged(texts), "tagged", store, experiment, reporter)


def delete_run(run: str, store: Store, experiment: str, reporter: Reporter) -> str:
    """Delete a run as its store does it, so that it can be brought back there, and return its id.

    An interrupted run is ended. Otherwise as `rename_run`.
    """
    return _change(run, Deleted(now_ms()), "deleted", store, experiment, reporter)


def _change(run: str, change: Change, done: str, store: Store, experiment: str, reporter: Reporter) -> str:
    store.check_change(change)
    try:
        found = load_runs(store, experiment, by_epoch=0, results_of=frozenset())
        for problem in found.problems:
            reporter.warn(problem)
        target = found.find(run)
    except TrackerError as error:
        raise _deleted_before(run, store, experiment, again=isinstance(change, Deleted)) or error from error
    if isinstance(change, Renamed) and any(other.name == change.name for other in found if other is not target):
        reporter.warn(f"another run is called {change.name} too: name each by its id")
    journal = journal_of(target, store)
    if journal is None or journal.is_deleted:  # if it was, it was brought back in its store
        if target.status is RunStatus.RUNNING and isinstance(change, Deleted):
            reporter.warn(f"run {target.name} may still be running: its program will fail to log")
        store.change_run(target.run_id, change)
        return target.run_id
    refuse_alive(journal)
    with JournalWriter.reopen(journal.folder) as writer:
        journal = read(journal.folder)  # another process may have resumed or deleted it meanwhile
        if journal.is_deleted:
            raise TrackerError(f"run {target.name} was deleted by another process")
        if isinstance(change, Deleted) and not journal.ended:
            writer.append(ended_as_it_is(journal, "deleted"))
        writer.append(change)
    return send_change(journal, done, store, reporter)


def _deleted_before(run: str, store: Store, experiment: str, *, again: bool) -> TrackerError | None:
    """Return that a run was deleted, and how it is brought back; None if none of the name was."""
    kept = journals_for(store, journals).where(lambda one: one.is_deleted and one.started.experiment == experiment)
    last = [(one, one.events[-1]) for one in kept]
    by_journal = [DeletedRun(one.ids[0], one.name, end.time) for one, end in last if isinstance(end, Deleted)]
    known = {one.run_id for one in by_journal}
    try:
        gone = find_run([*by_journal, *(one for one in store.deleted_runs(experiment) if one.run_id not in known)], run)
    except TrackerError:
        return None
    since = "" if gone.time is None else f", since {datetime.fromtimestamp(gone.time / 1_000):%Y-%m-%d %H:%M}"
    restore = with_command(("mlflow", "runs", "restore", "--run-id", gone.run_id))
    return TrackerError(f"run {gone.name} is deleted{' already' if again else ''}{since}: bring it back{restore}")


def journal_of(run: Run, store: Store) -> Journal | None:
    """Return the journal that a run was uploaded from, or will be, if it is here."""
    name = run.journal_id or run.run_id
    folder = journals_folder(store) / name
    if not (is_id(name) and folder.is_dir()):
        return None
    journal = read(folder)
    return journal if store_of(journal).uri == store.uri and run.run_id in journal.ids else None
