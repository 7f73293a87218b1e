"""``tracker repair``: set a broken store aside and make it anew from the journals, or tell a moved one where it is."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from tracker.cli.console import complain, counted, notice, say, some, warn
from tracker.cli.options import journals_of, locate_store, uri_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.journal.reader import Journal
    from tracker.runs.events import Delivery, Entry
    from tracker.store import Condition
    from tracker.store.location import Location

_EXAMPLES = """
\b
Examples:
  tracker repair
  tracker repair --tracking-uri sqlite:///runs/mlflow.db
"""


@click.command(epilog=_EXAMPLES, short_help="Mend a broken or moved store.")
@uri_option
def repair(*, tracking_uri: str | None) -> int:
    """Mend a store that is broken, gone, moved or lacks runs; prints the ids of the runs rebuilt, the new places.

    A broken store is moved aside and made anew from the journals in .tracker/; a run that is rebuilt has a new id.
    In one that was moved or copied, the places of the artifacts are rewritten, so that MLflow finds them too and adds
    to them there, and a copy of the store as it was is kept. Nothing is deleted, and a store that is well stays as it
    is. A tracking server is only sent again what it lacks.
    """
    from tracker.recording.read_runs import complaining_of_unread

    location = locate_store(tracking_uri)
    with complaining_of_unread() as unread:
        kept = _journals(location)
    status = _repaired(location, kept)
    return 1 if unread else status


def _repaired(location: Location, kept: Sequence[Journal]) -> int:
    """Do what the store is in need of, and return the exit status."""
    from tracker.errors import StoreError
    from tracker.store import StoreState
    from tracker.store.sqlite_state import refusal

    if not location.database and kept:
        return _mend(location, kept, moved=False)
    condition = _settled(location)
    if condition.broken:
        _set_aside(location, condition)
        return _rebuild(location, kept)
    if condition.state is StoreState.READY:
        return _mend(location, kept, moved=bool(condition.moved))
    if condition.state in {StoreState.ABSENT, StoreState.EMPTY} and any(journal.delivery for journal in kept):
        notice(f"the store {location.shown} is gone")
        return _rebuild(location, kept)
    assert location.database is not None  # noqa: S101  (`examine` refuses a server)
    assert condition.state is not None  # noqa: S101  (it is broken otherwise)
    raise StoreError(refusal(location.database, condition.state))


def _settled(location: Location) -> Condition:
    """Examine a store, once no other program is just making it."""
    from tracker.errors import StoreError
    from tracker.store import StoreState
    from tracker.store.repair import examine

    condition = examine(location)
    if condition.state is StoreState.HALF_MADE:
        from tracker.store.client import open_store

        with suppress(StoreError):
            open_store(location)
            return examine(location)
    return condition


def _journals(location: Location) -> list[Journal]:
    """Return the journals of a store's runs."""
    from tracker.journal.reader import journals
    from tracker.recording.read_runs import store_of

    return [journal for journal in journals(journals_of(location)) if store_of(journal).uri == location.uri]


def _set_aside(location: Location, condition: Condition) -> None:
    from tracker.store.repair import set_aside

    notice(f"the store {location.shown} is broken: {condition.damage or 'its making was broken off'}")
    notice(f"moved aside to {set_aside(location)}: what only that store had is still there")


def _mend(location: Location, kept: Sequence[Journal], *, moved: bool) -> int:
    """Rewrite what was moved, and send again what is lost or stuck; a store that is well stays as it is."""
    if moved:
        _relocate(location)
    lost = _lost(location, kept)
    if lost:
        notice(f"the store {location.shown} lacks what was sent to it: {_names(lost)}")
    stuck = [journal for journal in kept if journal not in lost and _is_stuck(journal)]
    if stuck:
        notice(f"runs that cannot be sent whole, as files of theirs are gone: {_names(stuck)}")
    if not (moved or lost or stuck):
        notice(f"nothing is wrong with the store {location.shown}")
    return _rebuild(location, [*lost, *stuck]) if lost or stuck else 0


def _names(journals: Sequence[Journal]) -> str:
    return some([journal.started.name for journal in journals])


def _is_stuck(journal: Journal) -> bool:
    """Tell whether a journal lacks a file that is still to be sent."""
    from tracker.journal.reader import ARTIFACTS
    from tracker.runs.events import Attached
    from tracker.store.location import within

    waiting = [entry.path for entry in journal.unsent if isinstance(entry, Attached)]
    return not all(within(journal.folder / ARTIFACTS, path) for path in waiting)


def _relocate(location: Location) -> None:
    from tracker.store.repair import relocate

    moved, copy = relocate(location)
    notice(f"the store {location.shown} was moved or copied: places of artifacts rewritten: {len(moved)}")
    if copy:
        notice(f"the store as it was is kept in {copy}")
    for place in moved:
        say(place.new)


def _lost(location: Location, kept: Sequence[Journal]) -> list[Journal]:
    """Return the journals whose run was sent and is not in the store; one that was deleted there is not lost."""
    sent = [(journal, journal.delivery.run_id) for journal in kept if journal.delivery]
    if not sent:
        return []

    from tracker.store import GoneError
    from tracker.store.client import open_store

    store, lost = open_store(location), []
    for journal, run_id in sent:
        try:
            store.check_run(run_id)
        except GoneError:
            lost.append(journal)
    return lost


def _rebuild(location: Location, kept: Sequence[Journal]) -> int:
    """Send journals from their first entry on, each as far as it goes."""
    if not kept:
        notice("no journal beside it holds a run to rebuild: the next `tracker run` makes a new store")
    rebuilt = [_rebuilt(location, journal) for journal in kept]
    return 0 if all(rebuilt) else 1


def _rebuilt(location: Location, journal: Journal) -> bool:
    """Send one journal, and say what came of it."""
    from tracker.errors import TrackerError

    name = f"run {journal.started.name}"
    try:
        delivery = _sent_again(location, journal)
    except TrackerError as error:
        complain(f"{name} is not rebuilt: {error}")
        return False
    if delivery is None:
        complain(f"{name} is being sent by another process: run `tracker repair` again once that has ended")
        return False
    notice(f"{name} is rebuilt with {counted(len(journal.epochs), 'epoch')}")
    say(delivery.run_id)
    return True


def _sent_again(location: Location, journal: Journal) -> Delivery | None:
    """Send a journal as if nothing had been; None where another process sends it."""
    from tracker.journal.reader import ARTIFACTS
    from tracker.recording.uploader import let_go, sender_of

    with sender_of(location, journal.folder, anew=True) as sender:
        if not sender:
            return None
        delivery = sender.send(_at_hand(location, journal), journal.folder / ARTIFACTS)
    let_go(journal.folder)
    return delivery


def _at_hand(location: Location, journal: Journal) -> list[Entry]:
    """Return a journal's entries, its artifacts brought back; one that is nowhere leaves an entry that says nothing."""
    from tracker.journal.reader import ARTIFACTS
    from tracker.runs.events import Attached, Tagged
    from tracker.store.repair import restore_artifacts

    attached = sorted({entry.path for entry in journal.entries if isinstance(entry, Attached)})
    uri = journal.delivery.artifacts if journal.delivery else None
    folder = location.database.parent if location.database else journal.folder.parent.parent
    missing = restore_artifacts(uri, attached, journal.folder / ARTIFACTS, folder)
    if missing:
        warn(f"run {journal.started.name} is rebuilt without what is nowhere any more: {some(missing)}")
    return [Tagged({}) if isinstance(entry, Attached) and entry.path in missing else entry for entry in journal.entries]
