"""Journals read back, whatever ended the process that wrote them, and how much of each a store has.

A torn last line is what a kill leaves of an event that was never reported as safe: it does not count. A damaged line
among whole ones costs that event alone: those after it are read, and `Journal.lost` says which is missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, overload

from msgspec import Meta, Struct

from tracker.atomic_files import disk_errors
from tracker.contained_files import LARGEST_JOURNAL, LARGEST_RECORD, open_folder, read_file
from tracker.errors import JournalError
from tracker.journal.format import MOST_LINES, Lines, Place, decoded, from_lines, last_event
from tracker.journal.process_lock import Owner, is_running, read_owner
from tracker.runs.events import Deleted, Ended, EpochDone, Event, Renamed, Resumed, RunStatus, Started, UploadState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JOURNAL = "journal.jsonl"
ARTIFACTS = "artifacts"
UPLOAD_STATE = "delivery.json"

_ID = re.compile("[0-9a-f]{32}")
_SHOWN = 10  # numbers of lost lines that are named


class _UploadState(Struct):
    """What `UPLOAD_STATE` holds."""

    run_id: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,255}\Z")]  # as MLflow has it
    artifacts: Place
    entries: Annotated[int, Meta(ge=0, le=MOST_LINES)]


@dataclass(frozen=True, slots=True)
class Journal:
    """A run's journal as it was when it was read."""

    id: str
    folder: Path
    events: tuple[Event, ...]  # the first is `Started`; one that is lost is a `Tagged` without tags
    upload_state: UploadState | None  # None: no store has anything of it
    owner: Owner | None  # who writes it, or wrote it and did not close it
    torn: bool  # whether an incomplete line follows the last event
    lost: tuple[int, ...]  # numbers, from 1, of events before the last that can't be read
    alive: bool | None  # whether a process trains the run; None if another machine did and can't be asked
    problems: tuple[str, ...] = ()  # what of it can't be read, each in one line

    @property
    def started(self) -> Started:
        """How the run was started."""
        first = self.events[0]
        assert isinstance(first, Started)  # noqa: S101  (`read` refuses what opens otherwise)
        return first

    @property
    def name(self) -> str:
        """The run's name, the latest that it was given."""
        names = (event.name for event in reversed(self.events) if isinstance(event, Renamed))
        return next(names, self.started.name)

    @property
    def is_deleted(self) -> bool:
        """Whether the run was deleted, by `tracker delete` rather than in a store alone."""
        return isinstance(self.events[-1], Deleted)

    @property
    def ids(self) -> tuple[str, ...]:
        """The id that its run has in a store, by which `tracker runs` shows it, and the journal's own."""
        return (self.upload_state.run_id, self.id) if self.upload_state else (self.id,)

    @property
    def ended(self) -> Ended | None:
        """How the run ended; None if it didn't, or was resumed since."""
        return _end(self.events)

    @property
    def epochs(self) -> dict[int, EpochDone]:
        """The finished epochs by number, in order; of one that was finished twice the first."""
        done = [event for event in self.events if isinstance(event, EpochDone)]
        first = {epoch.number: epoch for epoch in reversed(done)}
        return {number: first[number] for number in sorted(first)}

    @property
    def unsent(self) -> tuple[Event, ...]:
        """The events that no store has yet."""
        return self.events[self.upload_state.events if self.upload_state else 0 :]

    @property
    def status(self) -> RunStatus:
        """What became of the run; UNKNOWN if another machine was at it and can't be asked."""
        if self.ended:
            return RunStatus(self.ended.status)
        if self.alive is None:
            return RunStatus.UNKNOWN
        return RunStatus.RUNNING if self.alive else RunStatus.INTERRUPTED


def read(folder: Path) -> Journal:
    """Read the journal in a folder, which is named by its id.

    Raises `JournalError` if there is none, its start is damaged, or a newer version wrote it.
    """

    def read_once() -> Journal:
        data = read_bytes(folder)
        lines = parse(folder, data)
        torn, alive = lines.size < len(data), not _end(lines.events) and is_running(folder)
        problems: list[str] = [_losses(folder, lines.lost)] if lines.lost else []
        state, owner = read_upload_state(folder, problems.append), read_owner(folder, problems.append)
        return Journal(folder.name, folder, lines.events, state, owner, torn, lines.lost, alive, tuple(problems))

    journal = read_once()
    # Its process may have ended the run just before it was gone.
    return journal if journal.ended or journal.alive else read_once()


@dataclass(frozen=True, slots=True)
class Journals(Sequence[Journal]):
    """The journals of a folder, ordered by start.

    `problems` says in one line each what can't be read: a whole journal, or lines of one.
    """

    readable: tuple[Journal, ...]
    problems: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.readable)

    @overload
    def __getitem__(self, index: int) -> Journal: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Journal, ...]: ...
    def __getitem__(self, index: int | slice) -> Journal | tuple[Journal, ...]:
        return self.readable[index]

    def where(self, keep: Callable[[Journal], bool]) -> Journals:
        """Return some of the journals, with all of the problems."""
        return Journals(tuple(filter(keep, self.readable)), self.problems)


def journals(folder: Path) -> Journals:
    """Read all journals in a folder; a missing folder has none, and unreadable ones are named in `problems`."""
    return _read_folder(folder, lambda _folder: True)


def unsettled(folder: Path) -> Journals:
    """Read the journals of runs that did not end, or of which no store has everything; otherwise as `journals`.

    The others are recognised by their last line, so that a thousand old runs cost next to nothing.
    """

    def may_be_unsettled(folder: Path) -> bool:
        try:
            state, last = read_upload_state(folder), last_event(read_bytes(folder))
        except JournalError:
            return True
        return not (state and last and isinstance(last[1], Ended | Deleted) and state.events >= last[0])

    return _read_folder(folder, may_be_unsettled).where(lambda journal: bool(journal.unsent or not journal.ended))


def is_id(text: str) -> bool:
    """Return whether a text is a journal's id: 32 lower-case hexadecimal digits."""
    return bool(_ID.fullmatch(text))


def read_upload_state(folder: Path, warn: Callable[[str], None] = lambda _problem: None) -> UploadState | None:
    """Return how much of the journal in a folder a store is known to have; raise `JournalError` if that can't be read.

    None if nothing was uploaded, or the file is damaged, of which `warn` is told: an upload looks for the run in the
    store before it makes one.
    """
    path = folder / UPLOAD_STATE
    try:
        with disk_errors("read", path):
            data = read_file(path, folder, LARGEST_RECORD)
    except JournalError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
    try:
        state = decoded(data, _UploadState)
    except ValueError as error:
        warn(f"{path} is damaged ({error}): `tracker sync` looks for the run in the store and writes it again")
        return None
    return UploadState(state.run_id, state.artifacts, state.entries)


def read_bytes(folder: Path) -> bytes:
    """Return a journal's file; neither its folder nor the one above that may be a link, nor may it be one."""
    path = folder / JOURNAL
    with disk_errors("read the journal", path):
        return read_file(path, folder.parent.parent, LARGEST_JOURNAL)


def parse(folder: Path, data: bytes) -> Lines:
    """Return what a journal's file holds, refusing one that does not open with a start."""
    try:
        lines = from_lines(data)
    except JournalError as error:
        raise JournalError(f"cannot read the journal {folder / JOURNAL}: {error}") from error
    if not lines.events or not isinstance(lines.events[0], Started):
        raise JournalError(
            f"cannot read the journal {folder / JOURNAL}: its first line, which says what run it is, is not whole; "
            "bring the file back from a copy, or delete that folder"
        )
    return lines


def _end(events: tuple[Event, ...]) -> Ended | None:
    for event in reversed(events):
        if isinstance(event, Ended):
            return event
        if isinstance(event, Resumed | EpochDone):
            return None
    return None


def _read_folder(folder: Path, is_wanted: Callable[[Path], bool]) -> Journals:
    readable: list[Journal] = []
    problems: list[str] = []
    try:
        with disk_errors("read the journals in", folder), open_folder(folder, folder.parent) as opened:
            paths = [folder / name for name in opened.names() if is_id(name)]
    except JournalError as error:
        return Journals((), _problem(error))
    for path in filter(is_wanted, paths):
        try:
            journal = read(path)
        except JournalError as error:
            problems += _problem(error)
            continue
        readable.append(journal)
        problems += journal.problems
    return Journals(tuple(sorted(readable, key=lambda journal: (journal.started.time, journal.id))), tuple(problems))


def _losses(folder: Path, lost: Sequence[int]) -> str:
    lines = ", ".join(map(str, lost[:_SHOWN])) + (f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else "")
    return f"{folder / JOURNAL} is damaged: what line {lines} of it said is lost, all else is there"


def _problem(error: JournalError) -> tuple[str, ...]:
    """Return what can't be read; what is missing isn't a problem."""
    return () if isinstance(error.__cause__, FileNotFoundError) else (str(error),)
