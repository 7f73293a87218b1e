"""Sending a journal to the store beside the training, which never waits for it."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracker.atomic_files import disk_errors
from tracker.cli.console import notice, warn
from tracker.errors import TrackerError
from tracker.journal.format import from_lines
from tracker.journal.reader import ARTIFACTS, JOURNAL, read
from tracker.journal.upload_state import read_delivery, sending, write_delivery
from tracker.store import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tracker.runs.events import Delivery, Entry
    from tracker.store.location import Location
    from tracker.store.upload import Sender

REST_S = 5.0
"""How long a store is left alone after it took something: several short epochs are then one call."""

PAUSES_S = (2.0, 5.0, 15.0, 60.0)
"""How long a store that is away is left alone: after the first failure in a row, the second, and so on."""

PATIENCE_S = 60.0
"""How long the end of a run waits for a store that takes nothing: a large artifact may take its time."""

SILENCE_S = 5.0
"""How much of that it waits without a word."""

TURN_S = 1.0
"""Pause between looks whether another process, such as `tracker sync`, still sends the journal."""


@contextmanager
def sender_of(
    location: Location, folder: Path, saved: Callable[[], None] = lambda: None, *, anew: bool = False
) -> Iterator[Sender | None]:
    """Be the one that sends a journal, as a context.

    Parameters
    ----------
    location : Location
    folder : Path
        The journal's.
    saved : callable
        Told whenever the store has taken something.
    anew : bool
        Whether to send it as if nothing of it had been sent.

    Yields
    ------
    Sender or None
        None where another process is at it.

    Raises
    ------
    JournalError
        If the folder cannot be written to.
    """
    from tracker.store.upload import Sender

    def save(delivery: Delivery) -> None:
        write_delivery(folder, delivery)
        saved()

    with sending(folder) as mine:
        known = read_delivery(folder) if mine and not anew else None
        yield Sender(location, folder.name, known, save) if mine else None


def deliver(location: Location, folder: Path) -> Delivery | None:
    """Bring what a journal holds to a store, now and in one go.

    Parameters
    ----------
    location : Location
    folder : Path
        The journal's.

    Returns
    -------
    Delivery or None
        None where another process is at it.

    Raises
    ------
    StoreError
        If the store is away, or refuses.
    JournalError
        If the journal cannot be read.
    """
    with sender_of(location, folder) as sender:
        if not sender:
            return None
        delivery = sender.send(read(folder).entries, folder / ARTIFACTS)
    let_go(folder)
    return delivery


def let_go(folder: Path) -> bool:
    """Tell whether a store has all of a journal; what it then has twice, the journal lets go."""
    journal = read(folder)
    if journal.state == "finished" and not journal.unsent:
        shutil.rmtree(folder / ARTIFACTS, ignore_errors=True)
    return not journal.unsent


class Courier:
    """Brings what a journal holds to a store, as it grows; as many tries as need be cost one warning and no metric.

    Parameters
    ----------
    location : Location
    folder : Path
        The journal's.
    patience_s : float, s
        How long the end of a run waits for a store that takes nothing.
    """

    def __init__(self, location: Location, folder: Path, patience_s: float = PATIENCE_S) -> None:
        self._location = location
        self._folder = folder
        self._patience_s = patience_s
        self._account = _Account(folder)
        self._news = threading.Event()
        self._closing = threading.Event()
        self._steps = 0
        self._warned = False
        self._thread = threading.Thread(target=self._work, name="courier", daemon=True)

    def start(self) -> None:
        """Begin; there must be a journal."""
        self._thread.start()

    def wake(self) -> None:
        """Tell that the journal has grown; returns at once."""
        self._news.set()

    def finish(self) -> None:
        """Wait until all has been brought, or patience is at its end; says so where it takes long.

        One that never began has nothing to bring.
        """
        if self._thread.ident is None:
            return
        self._closing.set()
        self._news.set()
        self._thread.join(min(SILENCE_S, self._patience_s))
        if self._thread.is_alive():
            notice(f"the rest of the run is being sent to {self._location.shown}")
        steps = -1
        while self._thread.is_alive() and steps != self._steps:
            steps = self._steps
            self._thread.join(self._patience_s)
        if self._thread.is_alive():
            self._warn_of_absence(f"the store {self._location.shown} has taken nothing for {self._patience_s:g} s")

    def _work(self) -> None:
        try:
            while not self._brought():
                time.sleep(TURN_S)
        except TrackerError as error:  # refused for good: a further try would not help, and it says what would
            self._warn(f"{error}; the run is kept in {self._folder}")

    def _brought(self) -> bool:
        """Bring all there is until the run ends; False where another process is at it."""
        with sender_of(self._location, self._folder, self._taken) as sender:
            if sender:
                self._bring(sender)
            return sender is not None

    def _bring(self, sender: Sender) -> None:
        failures = 0
        while not self._closing.is_set():
            self._news.wait()
            self._news.clear()
            failures = 0 if self._sent(sender) else failures + 1
            if failures:
                self._news.set()
            self._closing.wait(PAUSES_S[min(failures, len(PAUSES_S)) - 1] if failures else REST_S)
        self._sent(sender)

    def _sent(self, sender: Sender) -> bool:
        try:
            sender.send(self._account.entries(), self._folder / ARTIFACTS)
        except UnreachableError as error:
            self._warn_of_absence(error)
            return False
        return True

    def _taken(self) -> None:
        self._steps += 1

    def _warn_of_absence(self, why: object) -> None:
        self._warn(f"{why}; the run is kept in {self._folder}, and `tracker sync` sends it")

    def _warn(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            warn(message)


class _Account:
    """A journal that grows, read on from where it was read to; whole lines never change."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL
        self._entries: list[Entry] = []
        self._size = 0

    def entries(self) -> Sequence[Entry]:
        """Return all entries that are there by now."""
        with disk_errors("read the journal", self._path), self._path.open("rb") as file:
            file.seek(self._size)
            lines = from_lines(file.read())
        self._entries += lines.entries[len(self._entries) :]  # those read before stand in it as lost
        self._size += lines.size
        return self._entries
