"""Journals read back, whatever ended the process that wrote them.

A torn last line is what a kill leaves of an entry that nobody was told is safe: it does not count. A damaged line among
whole ones costs that entry alone: those after it are read, and `Journal.lost` says which is missing.

Which journal a person means.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tracker.atomic_files import disk_errors
from tracker.errors import JournalError
from tracker.journal.format import Lines, from_lines
from tracker.journal.process_lock import Owner, read_owner, running
from tracker.journal.upload_state import read_delivery
from tracker.runs.events import Delivery, Ended, Entry, EpochDone, Resumed, Started
from tracker.runs.find import Called, meant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

JOURNAL = "journal.jsonl"
ARTIFACTS = "artifacts"

State = Literal["running", "interrupted", "unknown", "finished", "failed", "killed"]

_STATES: dict[str, State] = {"FINISHED": "finished", "FAILED": "failed", "KILLED": "killed"}
_ID = re.compile("[0-9a-f]{32}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Journal:
    """A run's journal as it was when it was read.

    Parameters
    ----------
    id : str
    folder : Path
    entries : tuple of Entry
        The first is `Started`. One that is lost is a `Tagged` without tags.
    delivery : Delivery or None
        None: no store has anything of it.
    owner : Owner or None
        Who writes it, or wrote it and did not close it.
    torn : bool
        Whether something that is no whole line follows the last entry.
    lost : tuple of int
        Numbers, from 1, of entries before the last that cannot be read.
    alive : bool or None
        Whether a process is at the run, which did not end; None where another host was and cannot be asked.
    """

    id: str
    folder: Path
    entries: tuple[Entry, ...]
    delivery: Delivery | None
    owner: Owner | None
    torn: bool
    lost: tuple[int, ...]
    alive: bool | None

    @property
    def started(self) -> Started:
        """How the run was started."""
        first = self.entries[0]
        assert isinstance(first, Started)  # noqa: S101  (`read` refuses what opens otherwise)
        return first

    @property
    def ended(self) -> Ended | None:
        """How the run ended; None where it did not, or went on since."""
        return _end(self.entries)

    @property
    def epochs(self) -> dict[int, EpochDone]:
        """The finished epochs by number, in order; of one that was finished twice the first."""
        done = [entry for entry in self.entries if isinstance(entry, EpochDone)]
        first = {epoch.number: epoch for epoch in reversed(done)}
        return {number: first[number] for number in sorted(first)}

    @property
    def unsent(self) -> tuple[Entry, ...]:
        """The entries that no store has yet."""
        return self.entries[self.delivery.entries if self.delivery else 0 :]

    @property
    def state(self) -> State:
        """What became of the run; unknown where another host was at it and cannot be asked."""
        if self.ended:
            return _STATES[self.ended.status]
        if self.alive is None:
            return "unknown"
        return "running" if self.alive else "interrupted"


def read(folder: Path) -> Journal:
    """Read the journal in a folder.

    Parameters
    ----------
    folder : Path
        Named by the journal's id.

    Returns
    -------
    Journal

    Raises
    ------
    JournalError
        If there is none, its start is damaged, or a newer version wrote it.
    """
    journal = _read_once(folder)
    if journal.ended or journal.alive:
        return journal
    return _read_once(folder)  # whoever is gone now may have ended it since


def _read_once(folder: Path) -> Journal:
    data = read_bytes(folder)
    lines = parse(folder, data)
    return Journal(
        id=folder.name,
        folder=folder,
        entries=lines.entries,
        delivery=read_delivery(folder),
        owner=read_owner(folder),
        torn=lines.size < len(data),
        lost=lines.lost,
        alive=not _end(lines.entries) and running(folder),
    )


def journals(folder: Path) -> tuple[Journal, ...]:
    """Read all journals in a folder; one that cannot be read costs a warning, and so does a folder that cannot.

    Parameters
    ----------
    folder : Path
        May be missing: it holds none then.

    Returns
    -------
    tuple of Journal
        By the time they were started.
    """
    return _in_order(_folders(folder))


def unsettled(folder: Path) -> tuple[Journal, ...]:
    """Read the journals in a folder that still want something: they did not end, or no store has all of them.

    The others are told by their last line, so that a thousand old runs cost next to nothing; otherwise as `journals`.
    """
    doubtful = _in_order(path for path in _folders(folder) if not _is_settled(path))
    return tuple(journal for journal in doubtful if journal.unsent or not journal.ended)


def is_id(text: str) -> bool:
    """Tell whether a text is a journal's id: 32 lower-case hexadecimal digits."""
    return bool(_ID.fullmatch(text))


def read_bytes(folder: Path) -> bytes:
    """Return a journal's file."""
    path = folder / JOURNAL
    with disk_errors("read the journal", path):
        return path.read_bytes()


def parse(folder: Path, data: bytes) -> Lines:
    """Return what a journal's file holds, refusing one that does not open with a start."""
    try:
        lines = from_lines(data)
    except JournalError as error:
        raise JournalError(f"cannot read the journal {folder / JOURNAL}: {error}") from error
    if not lines.entries or not isinstance(lines.entries[0], Started):
        raise JournalError(
            f"cannot read the journal {folder / JOURNAL}: its first line, which says what run it is, is not whole; "
            "bring the file back from a copy, or delete that folder"
        )
    return lines


def _end(entries: tuple[Entry, ...]) -> Ended | None:
    for entry in reversed(entries):
        if isinstance(entry, Ended):
            return entry
        if isinstance(entry, Resumed | EpochDone):
            return None
    return None


def _folders(folder: Path) -> list[Path]:
    try:
        with disk_errors("read the journals in", folder):
            return [path for path in folder.iterdir() if is_id(path.name)]
    except JournalError as error:
        _warn_unless_missing(error)
        return []


def _in_order(folders: Iterable[Path]) -> tuple[Journal, ...]:
    read_well = [journal for folder in folders if (journal := _read_or_warn(folder))]
    return tuple(sorted(read_well, key=lambda journal: (journal.started.time, journal.id)))


def _read_or_warn(folder: Path) -> Journal | None:
    try:
        journal = read(folder)
    except JournalError as error:
        _warn_unless_missing(error)
        return None
    if journal.lost:
        lines = ", ".join(map(str, journal.lost))
        logger.warning("%s is damaged: what line %s of it said is lost, all else is there", folder / JOURNAL, lines)
    return journal


def _warn_unless_missing(error: JournalError) -> None:
    """Warn of what is there and cannot be read; what is not there, or no longer, is none."""
    if not isinstance(error.__cause__, FileNotFoundError):
        logger.warning("%s", error)


def _is_settled(folder: Path) -> bool:
    """Tell whether the last line is an end that a store has; in doubt it is not, and the whole journal is read."""
    try:
        delivery, data = read_delivery(folder), read_bytes(folder)
        last = from_lines(data[data.rfind(b"\n", 0, -1) + 1 :])
    except JournalError:
        return False
    return bool(delivery and last.size and _end(last.entries) and delivery.entries >= len(last.entries))


def find_journal(journals: Sequence[Journal], text: str) -> Journal:
    """Return the journal that a text means: by an id, else the run's name, else the beginning of an id.

    Parameters
    ----------
    journals : sequence of Journal
    text : str
        An id may be the journal's own or the one that the run has in a store.

    Raises
    ------
    JournalError
        If it means none or several.
    """
    try:
        return meant(text, [Called(journal, _ids(journal), journal.started.name) for journal in journals], "journal")
    except ValueError as error:
        raise JournalError(str(error)) from error


def _ids(journal: Journal) -> tuple[str, ...]:
    return (journal.id, journal.delivery.run_id) if journal.delivery else (journal.id,)
