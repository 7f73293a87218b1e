"""Journals sent to their store: in the background while a run grows, afterwards in one go, or again to repair it."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tracker.atomic_files import disk_errors
from tracker.contained_files import contains, open_file
from tracker.errors import StoreError, TrackerError
from tracker.journal.format import from_lines
from tracker.journal.process_lock import sending
from tracker.journal.reader import ARTIFACTS, JOURNAL, read, read_upload_state, unsettled
from tracker.journal.writer import write_upload_state
from tracker.recording.stores import (
    check_not_gone,
    command_on,
    divide_journals,
    journals_folder,
    journals_for,
    journals_here,
)
from tracker.runs import RunStatus
from tracker.runs.events import Attached, Tagged
from tracker.store import StoreState, UnreachableError, public_text
from tracker.wording import counted, some

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tracker.journal.reader import Journal, Journals
    from tracker.recording.reporter import Reporter
    from tracker.runs.events import Event, UploadState
    from tracker.store import Store, Upload

BATCH_INTERVAL_S = 5.0  # between uploads, so that several short epochs share one request
RETRY_PAUSES_S = (2.0, 5.0, 15.0, 60.0)  # after the first failure in a row, the second, and so on
DRAIN_TIMEOUT_S = 60.0  # that the end of a run waits for a store that accepts nothing: a large artifact takes its time
QUIET_WAIT_S = 5.0  # how much of that passes without a message
LOOK_S = 0.05  # between looks whether a run that has ended is in the store
FOLLOW_POLL_S = 1.0  # between looks whether another process has added to its journal
LOCK_POLL_S = 1.0  # between checks whether another process, such as `tracker sync`, is still sending the journal


@dataclass(frozen=True)
class UploadResult:
    """What came of sending one run; without a `run_id` and an `error`, another process is sending it."""

    journal: Journal  # as it was before
    run_id: str | None = None  # in the store, if that has all of the run now
    error: str | None = None

    @property
    def name(self) -> str:
        """The run's name."""
        return self.journal.name


@dataclass(frozen=True)
class OtherStore:
    """A run that wasn't sent, because it is logged to another store than the one that was given."""

    journal: Journal
    shown: str  # path or address of that store
    command: str  # what uploads it there

    @property
    def name(self) -> str:
        """The run's name."""
        return self.journal.name


@dataclass(frozen=True)
class JournalProblem:
    """Something that cannot be read in the folder of the journals, in one line."""

    message: str


@dataclass(frozen=True)
class MovedArtifacts:
    """The new place of artifacts whose store was moved or copied."""

    place: str


Repaired = MovedArtifacts | UploadResult | JournalProblem


def sync_runs(store: Store) -> Iterator[UploadResult | OtherStore | JournalProblem]:
    """Send every run of a store that is kept beside it and not, or not wholly, in it; yield each as soon as it is done.

    A journal may be anybody's: one that names another store is only listed, and nothing is sent to that; so are those
    of the working directory if the store is elsewhere. It may be called at any time and stopped at any moment; the next
    call continues.
    """
    folder, here = journals_folder(store), journals_here()
    own, others = divide_journals(_waiting(folder), store)
    if here.resolve() != folder.resolve():
        others += divide_journals(_waiting(here), store)[1]
    yield from map(JournalProblem, own.problems)
    for journal, other in others:
        yield OtherStore(journal, other.shown, command_on(other, journal.folder.parent.parent, "sync"))
    if not own and not own.problems:
        check_not_gone(store)
    for journal in own:
        yield _result(store, journal)


def _waiting(folder: Path) -> Journals:
    return unsettled(folder).where(lambda journal: bool(journal.unsent))


def _result(store: Store, journal: Journal, events: Callable[[], Sequence[Event]] | None = None) -> UploadResult:
    try:
        state = send(store, journal.folder, events)
    except TrackerError as error:
        return UploadResult(journal, error=str(error))
    return UploadResult(journal, state.run_id if state else None)


def send(store: Store, folder: Path, events: Callable[[], Sequence[Event]] | None = None) -> UploadState | None:
    """Send what a journal has and its store has not, or other events as if nothing had been sent.

    Returns what the store has then; None if another process is sending the journal.
    """
    with _open_upload(store, folder, from_start=events is not None) as upload:
        if not upload:
            return None
        state = upload.send(events() if events else read(folder).events, folder / ARTIFACTS)
    drop_uploaded_artifacts(folder)
    return state


@contextmanager
def _open_upload(
    store: Store, folder: Path, on_uploaded: Callable[[], None] = lambda: None, *, from_start: bool = False
) -> Iterator[Upload | None]:
    """Lock a journal for sending, as if nothing had been sent if `from_start`; None: another process is sending it."""

    def save(state: UploadState) -> None:
        write_upload_state(folder, state)
        on_uploaded()

    with sending(folder) as is_ours:
        known = read_upload_state(folder) if is_ours and not from_start else None
        yield store.open_upload(folder.name, known, save) if is_ours else None


def drop_uploaded_artifacts(folder: Path) -> bool:
    """Return whether a journal is fully uploaded; if the run is finished, too, delete its local artifacts."""
    journal = read(folder)
    if journal.status is RunStatus.FINISHED and not journal.unsent:
        shutil.rmtree(folder / ARTIFACTS, ignore_errors=True)
    return not journal.unsent


def repair_store(store: Store, reporter: Reporter, *, dry_run: bool = False) -> Iterator[Repaired]:
    """Do what a store is in need of; nothing is deleted, and a store that is well stays as it is.

    A broken store is moved aside and made again from the journals; a run that is rebuilt has a new id. In one that was
    moved or copied the places of the artifacts are rewritten, and a copy of the store as it was is kept. A tracking
    server is only sent again what it lacks. What will be done is logged first; with `dry_run` it isn't done.
    """
    kept = journals_for(store)
    yield from map(JournalProblem, kept.problems)
    plan = _planned(store, kept)
    for line in plan.lines:
        reporter.log(line)
    if dry_run:
        return
    if plan.is_broken:
        aside = store.set_aside(has_uploads=_has_uploads(kept))
        reporter.log(f"it was moved aside to {aside}, with everything that only it holds")
    if plan.is_moved:
        places, copy = store.relocate()
        if copy:
            reporter.log(f"a copy of the store as it was is kept in {copy}")
        yield from (MovedArtifacts(place.new) for place in places)
    yield from _rebuild(store, plan.rebuilt, reporter)


@dataclass(frozen=True)
class _Plan:
    """What a store is in need of."""

    lines: Sequence[str]  # what is wrong, and what is to be done
    rebuilt: Sequence[Journal] = ()
    is_broken: bool = False
    is_moved: bool = False


def _planned(store: Store, kept: Sequence[Journal]) -> _Plan:
    """Return what a store is in need of; raise `StoreError` if it can't be helped, or is another program's file."""
    if store.folder is None and kept:
        return _completion(store, kept, 0)
    condition = store.examine(has_uploads=_has_uploads(kept))
    rebuilding = f"rebuild from the journals: {_names(kept)}"
    if condition.is_broken:
        damage = condition.damage or "it was only partly created"
        nothing = "no journal beside it has a run to rebuild; the next `tracker run` creates a new store"
        lines = [
            f"the store {store.shown} is broken: {damage}",
            f"to do: move it aside; {rebuilding if kept else nothing}",
        ]
        return _Plan(lines, kept, is_broken=True)
    if condition.state in {StoreState.READY, StoreState.UPGRADABLE}:
        return _completion(store, kept, len(condition.moved))
    if condition.state in {StoreState.ABSENT, StoreState.EMPTY} and _has_uploads(kept):
        return _Plan([f"the store {store.shown} is gone", f"to do: {rebuilding}"], kept)
    raise StoreError(condition.refusal or f"the store {store.shown} cannot be used")


def _completion(store: Store, kept: Sequence[Journal], moved: int) -> _Plan:
    """Return how to rewrite what was moved, and to send again what is lost or stuck."""
    lines, work = [], []
    if moved:
        lines.append(f"the store {store.shown} was moved or copied")
        work.append(f"keep a copy of it and update {counted(moved, 'artifact path')}")
    # A run that was deleted in the store is still there, so it isn't lost.
    lost = [
        journal
        for journal in kept
        if journal.upload_state and not store.has_run(journal.upload_state.run_id, journal.id)
    ]
    if lost:
        lines.append(f"the store {store.shown} lacks runs that were uploaded to it: {_names(lost)}")
    stuck = [journal for journal in kept if journal not in lost and _lacks_file(journal)]
    if stuck:
        lines.append(f"files of these runs are missing here, and not known to be in the store: {_names(stuck)}")
    if lost or stuck:
        work.append(f"rebuild from the journals: {_names([*lost, *stuck])}")
    if not work:
        return _Plan([f"nothing is wrong with the store {store.shown}"])
    return _Plan([*lines, f"to do: {'; '.join(work)}"], [*lost, *stuck], is_moved=bool(moved))


def _has_uploads(journals: Sequence[Journal]) -> bool:
    return any(journal.upload_state for journal in journals)


def _lacks_file(journal: Journal) -> bool:
    """Return whether a journal lacks a file that is still to be sent."""
    waiting = (event.path for event in journal.unsent if isinstance(event, Attached))
    return not all(contains(journal.folder / ARTIFACTS, path, journal.folder) for path in waiting)


def _names(journals: Sequence[Journal]) -> str:
    return some([journal.name for journal in journals])


def _rebuild(store: Store, kept: Sequence[Journal], reporter: Reporter) -> Iterator[UploadResult]:
    """Send journals from their first event on, each as far as it goes."""
    for journal in kept:
        if journal.upload_state is None and _lacks_file(journal):  # the store may have it all, and nobody here knows
            result = _result(store, journal)
            if result.run_id:
                reporter.log(f"run {journal.name} was found in the store, with all of its files")
                yield result
                continue
        result = _result(store, journal, partial(_with_artifacts, store, journal, reporter))
        if result.run_id:
            reporter.log(f"run {journal.name} was rebuilt with {counted(len(journal.epochs), 'epoch')}")
        yield result


def _with_artifacts(store: Store, journal: Journal, reporter: Reporter) -> list[Event]:
    """Bring a journal's artifacts back from the store; events whose artifact is nowhere become empty ones."""
    attached = sorted({event.path for event in journal.events if isinstance(event, Attached)})
    uri = journal.upload_state.artifacts if journal.upload_state else None
    folder = store.folder or journal.folder.parent.parent
    missing = store.restore_artifacts(uri, attached, journal.folder / ARTIFACTS, folder)
    if missing:
        reporter.warn(f"run {journal.name} was rebuilt, but these artifacts could not be found: {some(missing)}")
    return [Tagged({}) if isinstance(event, Attached) and event.path in missing else event for event in journal.events]


class Uploader:
    """Uploads a journal in the background as it grows. Retries as often as needed, warns once, never loses a metric.

    The reporter is called from the uploading thread, too. The end of a run waits `drain_timeout_s` seconds for a store
    that accepts nothing.
    """

    def __init__(
        self, store: Store, folder: Path, reporter: Reporter, drain_timeout_s: float = DRAIN_TIMEOUT_S
    ) -> None:
        self._store = store
        self._folder = folder
        self._reporter = reporter
        self._remedy = command_on(store, folder.parent.parent, "sync")
        self._drain_timeout_s = drain_timeout_s
        self._events: list[Event] = []  # the journal as far as it was read; whole lines never change
        self._size = 0  # bytes of that
        self._grown = threading.Event()
        self._closing = threading.Event()
        self._uploads = 0
        self._warned = False
        self._thread = threading.Thread(target=self._work, name="uploader", daemon=True)

    def start(self) -> None:
        """Start uploading; the journal must exist."""
        self._thread.start()

    def wake(self) -> None:
        """Tell the uploader that the journal has grown; returns at once."""
        self._grown.set()

    def finish(self) -> None:
        """Wait until everything is uploaded, or the store has accepted nothing for `drain_timeout_s`."""
        if self._thread.ident is None:
            return
        self._closing.set()
        self._grown.set()
        self._thread.join(min(QUIET_WAIT_S, self._drain_timeout_s))
        if self._thread.is_alive():
            self._reporter.log(f"the rest of the run is being uploaded to {self._store.shown}")
        before = -1
        while self._thread.is_alive() and before != self._uploads:
            before = self._uploads
            self._thread.join(self._drain_timeout_s)
        if self._thread.is_alive():
            self._warn_of_absence(f"the store {self._store.shown} has accepted nothing for {self._drain_timeout_s:g} s")

    def _work(self) -> None:
        try:
            while not self._upload_unless_locked():
                time.sleep(LOCK_POLL_S)
        except TrackerError as error:  # refused for good: another try would not help, and the error says what would
            self._warn(f"{error}; the run is kept in {self._folder}")
        except Exception as error:  # noqa: BLE001  (nothing may end silently in a thread, whatever a library raises)
            reason = public_text(f"{type(error).__name__}: {error}")
            self._warn_of_absence(f"cannot upload the run to {self._store.shown}: {reason}")

    def _upload_unless_locked(self) -> bool:
        """Upload until the run ends; False if another process is sending the journal."""
        with _open_upload(self._store, self._folder, self._count_upload) as upload:
            if not upload:
                return False
            pauses = iter(RETRY_PAUSES_S)
            while not self._closing.is_set():
                self._await_growth()
                self._grown.clear()
                if self._try_send(upload):
                    pauses, pause = iter(RETRY_PAUSES_S), BATCH_INTERVAL_S
                else:
                    self._grown.set()
                    pause = next(pauses, RETRY_PAUSES_S[-1])
                self._closing.wait(pause)
            self._try_send(upload)
            return True

    def _await_growth(self) -> None:
        self._grown.wait()

    def _try_send(self, upload: Upload) -> bool:
        try:
            upload.send(self._read_on(), self._folder / ARTIFACTS)
        except UnreachableError as error:
            self._warn_of_absence(error)
            return False
        return True

    def _read_on(self) -> Sequence[Event]:
        path = self._folder / JOURNAL
        with disk_errors("read the journal", path), open_file(path, self._folder) as file:
            file.seek(self._size)
            lines = from_lines(file.read(), before=len(self._events))
        self._events += lines.events
        self._size += lines.size
        return self._events

    def _count_upload(self) -> None:
        self._uploads += 1

    def _warn_of_absence(self, why: object) -> None:
        self._warn(f"{why}; the run is kept in {self._folder} until `{self._remedy}` uploads it")

    def _warn(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            self._reporter.warn(message)


class Follower(Uploader):
    """Uploads a journal that another process writes, and may have yet to begin."""

    @property
    def is_alive(self) -> bool:
        """Whether it is still at work."""
        return self._thread.is_alive()

    def end(self) -> str | None:
        """Say that nothing will be added, and return the run's id in the store: soon, or None if it has none yet."""
        self.close()
        deadline = time.monotonic() + QUIET_WAIT_S
        while not (state := read_upload_state(self._folder)):
            if not self.is_alive or self._warned or time.monotonic() > deadline:
                return None
            self._thread.join(LOOK_S)
        return state.run_id

    def close(self) -> None:
        """Say that nothing will be added; the rest is uploaded while this process lasts."""
        self._closing.set()
        self._grown.set()

    def _await_growth(self) -> None:
        while not (self._grown.is_set() or self._has_grown()):
            self._grown.wait(FOLLOW_POLL_S)

    def _has_grown(self) -> bool:
        try:
            return (self._folder / JOURNAL).stat().st_size > self._size
        except OSError:
            return False

    def _upload_unless_locked(self) -> bool:
        self._await_growth()
        if not self._has_grown():
            return True  # it was never begun
        is_ours = super()._upload_unless_locked()
        if is_ours:
            drop_uploaded_artifacts(self._folder)
        return is_ours
