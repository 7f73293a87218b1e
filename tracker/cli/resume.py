"""``tracker resume`` and ``tracker close``: go on with an interrupted run, or end it as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracker.cli.console import notice, say, warn
from tracker.cli.options import journals_of, locate_store, uri_option
from tracker.errors import DataError, TrackerError

if TYPE_CHECKING:
    from tracker.journal.reader import Journal
    from tracker.recording.prepare import Prepared
    from tracker.runs import RunPlan

_RESUME_EXAMPLES = """
\b
Examples:
  tracker resume 3f2a9c41
  tracker resume k7-lr0.0001-s0
  tracker resume 3f2a9c41 --data /mnt/music
"""

_CLOSE_EXAMPLES = """
\b
Example:
  tracker close 3f2a9c41
"""

_gone_option = click.option(
    "--gone",
    is_flag=True,
    help="Its process is gone: to be said of a run that was begun on another host, which cannot be asked from here.",
)


@click.command(epilog=_RESUME_EXAMPLES, short_help="Go on with an interrupted run.")
@click.argument("run")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where the data is now, if it was moved; it must be the same.  [default: where it was]",
)
@click.option("--offline", is_flag=True, help="Leave the store alone, until `tracker sync`.")
@_gone_option
@uri_option
def resume(*, run: str, data: Path | None, offline: bool, gone: bool, tracking_uri: str | None) -> None:
    """Go on with an interrupted run after its last finished epoch, to the same end; prints the run's id.

    RUN is a run's id, the beginning of one, or its name.
    """
    from tracker.journal.process_lock import resuming
    from tracker.journal.reader import read

    found = _found(run, tracking_uri)
    with resuming(found.folder) as alone:
        if not alone:
            raise TrackerError(f"run {found.started.name} is being resumed by another process: let it end first")
        journal = read(found.folder)  # another may have ended it meanwhile
        if journal.state == "finished":
            raise TrackerError(f"run {journal.started.name} is finished: there is nothing to go on with")
        _refuse_alive(journal, gone=gone)
        say(_go_on(journal, data, offline=offline))


def _go_on(journal: Journal, data: Path | None, *, offline: bool) -> str:
    """Train a run on to its end, and return its id."""
    from tracker.recording.read_runs import store_of
    from tracker.recording.recorder import KEEP_GOING_TAG, Place, Recorder
    from tracker.recording.train import refuse_unusable, train_recorded

    plan, tags = _plan(journal), journal.started.tags
    place = Place(store_of(journal), journal.folder.parent, journal.started.experiment, offline)
    refuse_unusable(place.location)
    prepared = _prepared(tags["tracker.data"], data, plan)
    _refuse_changed(journal, plan, prepared)
    _tell_where(journal)
    note = tags.get("mlflow.note.content")
    keep_going = KEEP_GOING_TAG in tags
    recorder = Recorder(place, journal.started.name, plan, prepared, note, journal, keep_going=keep_going)
    return train_recorded(recorder, plan, prepared)


def _prepared(before: str, now: Path | None, plan: RunPlan) -> Prepared:
    """Prepare the data that a run began with, where it is now."""
    from tracker.recording.prepare import DEMO, prepare

    if now or before == DEMO:
        return prepare(now, plan.split, plan.spectrogram)
    try:
        return prepare(Path(before), plan.split, plan.spectrogram)
    except DataError as error:
        raise DataError(f"{error}; if the data was moved, say by --data PATH where it is now") from error


@click.command(epilog=_CLOSE_EXAMPLES, short_help="End an interrupted run as it is.")
@click.argument("run")
@_gone_option
@uri_option
def close(*, run: str, gone: bool, tracking_uri: str | None) -> None:
    """End a run whose process is gone as killed, with the epochs that it has; prints the run's id.

    RUN is a run's id, the beginning of one, or its name.
    """
    from tracker.journal.reader import read
    from tracker.journal.writer import JournalWriter
    from tracker.recording.read_runs import store_of
    from tracker.recording.uploader import deliver
    from tracker.runs.events import Ended

    journal = _found(run, tracking_uri)
    _refuse_alive(journal, gone=gone)
    with JournalWriter.reopen(journal.folder) as writer:
        journal = read(journal.folder)  # another may have resumed it meanwhile
        if journal.ended:
            raise TrackerError(f"run {journal.started.name} has ended already, as {journal.state}")
        writer.append(Ended(_last_time(journal), "KILLED", "its process was gone"))
    try:
        delivery = deliver(store_of(journal), journal.folder)
    except TrackerError as error:
        delivery = None
        warn(f"run {journal.started.name} is closed, but not sent: {error}; `tracker sync` sends it")
    say(delivery.run_id if delivery else journal.id)


def _found(run: str, tracking_uri: str | None) -> Journal:
    from tracker.journal.reader import find_journal, journals

    return find_journal(journals(journals_of(locate_store(tracking_uri))), run)


def _refuse_alive(journal: Journal, *, gone: bool) -> None:
    """Refuse a run that is or may be trained by another process, unless that is said to be gone."""
    name = f"run {journal.started.name}"
    if journal.state == "running":
        owner = f" by process {journal.owner.pid} on {journal.owner.host}" if journal.owner else ""
        raise TrackerError(f"{name} is being trained{owner}: let it end first")
    if journal.state == "unknown" and journal.owner and not gone:
        raise TrackerError(
            f"{name} was begun by process {journal.owner.pid} on {journal.owner.host}, and whether it goes on there "
            "cannot be told from here: see to it there, or say --gone once you know that it does not"
        )


def _plan(journal: Journal) -> RunPlan:
    from tracker.runs import plan_of
    from tracker.training.networks import parse_options

    try:
        return plan_of(journal.started.params, parse_options)
    except ValueError as error:
        raise TrackerError(f"run {journal.started.name} cannot go on: {error}; train it anew") from error


def _refuse_changed(journal: Journal, plan: RunPlan, prepared: Prepared) -> None:
    """Refuse to go on with anything but what the run began with."""
    from tracker.recording.resume_check import changes

    changed = changes(journal, plan, prepared)
    if changed:
        raise TrackerError(
            f"run {journal.started.name} cannot go on as it began, as this differs: {'; '.join(changed)}; put it back, "
            "or train it anew with `tracker run`"
        )


def _tell_where(journal: Journal) -> None:
    """Say after which epoch the run goes on, and which it trains again for lack of a checkpoint."""
    from tracker.recording.recorder import CHECKPOINTS
    from tracker.training.checkpoint import finished_epochs

    name, done = journal.started.name, max(journal.epochs, default=0)
    safe = len(finished_epochs(journal.folder / CHECKPOINTS))
    if safe < done:
        again = f"what comes after epoch {safe}" if safe else "all of its epochs"
        warn(f"the checkpoint of epoch {done} is damaged or gone: run {name} trains {again} again, to the same values")
    notice(f"run {name} goes on after epoch {safe}" if safe else f"run {name} begins at its first epoch")


def _last_time(journal: Journal) -> int:
    """Return when the run was last heard of, in ms."""
    return max(getattr(entry, "time", 0) for entry in journal.entries)
