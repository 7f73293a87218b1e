"""A store that is broken, gone, moved or lacks runs: set aside and made again from the journals, or corrected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.errors import StoreError, TrackerError
from tracker.journal.reader import ARTIFACTS, journals
from tracker.recording.locations import is_for, journals_folder
from tracker.recording.uploader import JournalProblem, UploadResult, drop_uploaded_artifacts, open_upload
from tracker.runs.events import Attached, Tagged
from tracker.store import StoreState
from tracker.wording import counted, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.journal.reader import Journal
    from tracker.recording.reporter import Reporter
    from tracker.runs.events import Event, UploadState
    from tracker.store import Store


@dataclass(frozen=True)
class MovedArtifacts:
    """The new place of artifacts whose store was moved or copied."""

    place: str


Repaired = MovedArtifacts | UploadResult | JournalProblem


def repair_store(store: Store, reporter: Reporter) -> Iterator[Repaired]:
    """Do what a store is in need of; nothing is deleted, and a store that is well stays as it is.

    A broken store is moved aside and made again from the journals; a run that is rebuilt has a new id. In one that was
    moved or copied the places of the artifacts are rewritten, and a copy of the store as it was is kept. A tracking
    server is only sent again what it lacks.

    Yields
    ------
    JournalProblem, MovedArtifacts or UploadResult
        As each happens.

    Raises
    ------
    StoreError
        If the store is of another version, absent without journals, or cannot be read.
    """
    found = journals(journals_folder(store)).where(is_for(store))
    yield from map(JournalProblem, found.problems)
    yield from _repair(store, found, reporter)


def _repair(store: Store, kept: Sequence[Journal], reporter: Reporter) -> Iterator[Repaired]:
    if store.folder is None and kept:
        yield from _complete(store, kept, reporter, moved=False)
        return
    condition = store.examine()
    if condition.broken:
        reporter.log(f"the store {store.shown} is broken: {condition.damage or 'it was only partly created'}")
        reporter.log(f"it was moved aside to {store.set_aside()}, with everything that only it holds")
        yield from _rebuild(store, kept, reporter)
    elif condition.state in {StoreState.READY, StoreState.UPGRADABLE}:
        yield from _complete(store, kept, reporter, moved=bool(condition.moved))
    elif condition.state in {StoreState.ABSENT, StoreState.EMPTY} and any(journal.upload_state for journal in kept):
        reporter.log(f"the store {store.shown} is gone")
        yield from _rebuild(store, kept, reporter)
    else:
        raise StoreError(condition.refusal or f"the store {store.shown} cannot be used")


def _complete(store: Store, kept: Sequence[Journal], reporter: Reporter, *, moved: bool) -> Iterator[Repaired]:
    """Rewrite what was moved, and send again what is lost or stuck."""
    if moved:
        yield from _relocate(store, reporter)
    lost = _lost(store, kept)
    if lost:
        reporter.log(f"the store {store.shown} lacks runs that were uploaded to it: {_names(lost)}")
    stuck = [journal for journal in kept if journal not in lost and _is_stuck(journal)]
    if stuck:
        reporter.log(f"runs that cannot be uploaded completely, because files are missing: {_names(stuck)}")
    if lost or stuck:
        yield from _rebuild(store, [*lost, *stuck], reporter)
    elif not moved:
        reporter.log(f"nothing is wrong with the store {store.shown}")


def _relocate(store: Store, reporter: Reporter) -> Iterator[MovedArtifacts]:
    moved, copy = store.relocate()
    reporter.log(f"the store {store.shown} was moved or copied: {counted(len(moved), 'artifact path')} updated")
    if copy:
        reporter.log(f"a copy of the store as it was is kept in {copy}")
    yield from (MovedArtifacts(place.new) for place in moved)


def _lost(store: Store, kept: Sequence[Journal]) -> list[Journal]:
    """Return the journals whose run was sent and is not in the store; one that was deleted there is not lost."""
    return [journal for journal in kept if journal.upload_state and not store.has_run(journal.upload_state.run_id)]


def _is_stuck(journal: Journal) -> bool:
    """Return whether a journal lacks a file that is still to be sent."""
    folder = (journal.folder / ARTIFACTS).resolve()
    waiting = [(folder / event.path).resolve() for event in journal.unsent if isinstance(event, Attached)]
    return not all(file.is_relative_to(folder) and file.exists() for file in waiting)


def _names(journals: Sequence[Journal]) -> str:
    return some([journal.started.name for journal in journals])


def _rebuild(store: Store, kept: Sequence[Journal], reporter: Reporter) -> Iterator[UploadResult]:
    """Send journals from their first event on, each as far as it goes."""
    if not kept:
        reporter.log("no journal beside it has a run to rebuild; the next `tracker run` creates a new store")
    for journal in kept:
        try:
            delivery = _send_again(store, journal, reporter)
        except TrackerError as error:
            yield UploadResult(journal, error=str(error))
            continue
        if delivery:
            reporter.log(f"run {journal.started.name} was rebuilt with {counted(len(journal.epochs), 'epoch')}")
        yield UploadResult(journal, delivery.run_id if delivery else None)


def _send_again(store: Store, journal: Journal, reporter: Reporter) -> UploadState | None:
    """Send a journal as if nothing had been sent; None if another process is sending it."""
    with open_upload(store, journal.folder, from_start=True) as upload:
        if not upload:
            return None
        delivery = upload.send(_with_artifacts(store, journal, reporter), journal.folder / ARTIFACTS)
    drop_uploaded_artifacts(journal.folder)
    return delivery


def _with_artifacts(store: Store, journal: Journal, reporter: Reporter) -> list[Event]:
    """Bring a journal's artifacts back from the store; events whose artifact is nowhere become empty ones."""
    attached = sorted({event.path for event in journal.events if isinstance(event, Attached)})
    uri = journal.upload_state.artifacts if journal.upload_state else None
    folder = store.folder or journal.folder.parent.parent
    missing = store.restore_artifacts(uri, attached, journal.folder / ARTIFACTS, folder)
    if missing:
        reporter.warn(
            f"run {journal.started.name} was rebuilt, but these artifacts could not be found: {some(missing)}"
        )
    return [Tagged({}) if isinstance(event, Attached) and event.path in missing else event for event in journal.events]
