"""``tracker resume`` and ``tracker close``: go on with an interrupted run, or end it as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracker.cli.options import journals_of, locate_store, uri_option
from tracker.cli.terminal import notice
from tracker.errors import TrackerError

if TYPE_CHECKING:
    from tracker.cli.prepare import Prepared
    from tracker.journal.reader import Journal
    from tracker.runs import RunPlan

_RESUME_EXAMPLES = """
\b
Examples:
  tracker resume 3f2a9c41
  tracker resume k7-lr0.0001-s0
"""

_CLOSE_EXAMPLES = """
\b
Example:
  tracker close 3f2a9c41
"""

_IDENTITY = {
    "tracker.version": "the version of tracker",
    "tracker.dataset": "the data",
    "tracker.split": "the split",
}


@click.command(epilog=_RESUME_EXAMPLES, short_help="Go on with an interrupted run.")
@click.argument("run")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where the data is now, if it was moved; it must be the same.  [default: where it was]",
)
@click.option("--offline", is_flag=True, help="Leave the store alone, until `tracker sync`.")
@uri_option
def resume(*, run: str, data: Path | None, offline: bool, tracking_uri: str | None) -> None:
    """Go on with an interrupted run after its last finished epoch, to the same end; prints the run's id.

    RUN is a run's id, the beginning of one, or its name.
    """
    journal = _found(run, tracking_uri)
    if journal.state == "finished":
        raise TrackerError(f"run {journal.started.name} is finished: there is nothing to go on with")
    _refuse_alive(journal)

    from tracker.cli.prepare import DEMO, prepare
    from tracker.cli.reading import store_of
    from tracker.cli.record import KEEP_GOING_TAG, Place, Recorder
    from tracker.cli.train import refuse_unusable, train_recorded

    plan, tags = _plan(journal), journal.started.tags
    place = Place(store_of(journal), journal.folder.parent, journal.started.experiment, offline)
    refuse_unusable(place.location)
    source = data or (None if tags["tracker.data"] == DEMO else Path(tags["tracker.data"]))
    prepared = prepare(source, plan.split, plan.spectrogram)
    _refuse_changed(journal, prepared)
    notice(f"run {journal.started.name} goes on after epoch {max(journal.epochs, default=0)}")
    note = tags.get("mlflow.note.content")
    keep_going = KEEP_GOING_TAG in tags
    recorder = Recorder(place, journal.started.name, plan, prepared, note, journal, keep_going=keep_going)
    click.echo(train_recorded(recorder, plan, prepared))


@click.command(epilog=_CLOSE_EXAMPLES, short_help="End an interrupted run as it is.")
@click.argument("run")
@uri_option
def close(*, run: str, tracking_uri: str | None) -> None:
    """End a run whose process is gone as killed, with the epochs that it has; prints the run's id.

    RUN is a run's id, the beginning of one, or its name.
    """
    from tracker.cli.courier import deliver
    from tracker.cli.reading import store_of
    from tracker.entries import Ended
    from tracker.journal.writer import JournalWriter

    journal = _found(run, tracking_uri)
    if journal.ended:
        raise TrackerError(f"run {journal.started.name} has ended already, as {journal.state}")
    _refuse_alive(journal)
    with JournalWriter.reopen(journal.folder) as writer:
        writer.append(Ended(_last_time(journal), "KILLED", "its process was gone"))
    delivery = deliver(store_of(journal), journal.folder)
    click.echo(delivery.run_id if delivery else journal.id)


def _found(run: str, tracking_uri: str | None) -> Journal:
    from tracker.journal.place import find_journal
    from tracker.journal.reader import journals

    return find_journal(journals(journals_of(locate_store(tracking_uri))), run)


def _refuse_alive(journal: Journal) -> None:
    """Refuse a run that is or may be trained by another process."""
    name = f"run {journal.started.name}"
    if journal.state == "running":
        owner = f" by process {journal.owner.pid} on {journal.owner.host}" if journal.owner else ""
        raise TrackerError(f"{name} is being trained{owner}: let it end first")
    if journal.state == "unknown" and journal.owner:
        raise TrackerError(
            f"{name} was begun on {journal.owner.host}, and whether it goes on there cannot be told: see to it there"
        )


def _plan(journal: Journal) -> RunPlan:
    from tracker.plans import plan_of
    from tracker.training.networks import parse_options

    try:
        return plan_of(journal.started.params, parse_options)
    except ValueError as error:
        raise TrackerError(f"run {journal.started.name} cannot go on: {error}; train it anew") from error


def _refuse_changed(journal: Journal, prepared: Prepared) -> None:
    """Refuse to go on with anything but what the run began with: it would end as no run would."""
    from tracker.cli.prepare import identity

    tags = journal.started.tags
    changed = [_IDENTITY[tag] for tag, now in identity(prepared).items() if tags.get(tag) != now]
    changed += _environment_changes(journal)
    if changed:
        raise TrackerError(
            f"run {journal.started.name} cannot go on as it began, as this differs: {'; '.join(changed)}; put it back, "
            "or train it anew with `tracker run`"
        )


def _environment_changes(journal: Journal) -> list[str]:
    from tracker.cli.record import ENVIRONMENT, environment_text
    from tracker.journal.reader import ARTIFACTS

    file = journal.folder / ARTIFACTS / ENVIRONMENT
    if not file.exists():
        return []
    before, now = (_versions(text) for text in (file.read_text(encoding="utf-8"), environment_text()))
    names = sorted(before.keys() | now.keys())
    return [
        f"{name} {before.get(name, 'none')} then, {now.get(name, 'none')} now"
        for name in names
        if before.get(name) != now.get(name)
    ]


def _versions(text: str) -> dict[str, str]:
    return {name: version for name, _, version in (line.partition(" ") for line in text.splitlines())}


def _last_time(journal: Journal) -> int:
    """Return when the run was last heard of, in ms."""
    return max(getattr(entry, "time", 0) for entry in journal.entries)
