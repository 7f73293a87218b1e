"""Sending a journal to the store beside the training, which never waits for it."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

from tracker.cli.terminal import warn
from tracker.errors import TrackerError
from tracker.journal.delivery import read_delivery, sending, write_delivery
from tracker.journal.reader import ARTIFACTS, read
from tracker.store.failures import UnreachableError

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.entries import Delivery
    from tracker.store.location import Location
    from tracker.store.send import Sender

REST_S = 5.0
"""How long a store is left alone after it took something: several short epochs are then one call."""

PAUSES_S = (2.0, 5.0, 15.0, 60.0)
"""How long a store that is away is left alone: after the first failure in a row, the second, and so on."""

PATIENCE_S = 60.0
"""How long the end of a run waits for a store that takes nothing."""


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
    from tracker.store.send import Sender

    with sending(folder) as mine:
        if not mine:
            return None
        sender = Sender(location, folder.name, read_delivery(folder), lambda found: write_delivery(folder, found))
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
    """

    def __init__(self, location: Location, folder: Path) -> None:
        self._location = location
        self._folder = folder
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
        """Wait until all has been brought, or the store has taken nothing for `PATIENCE_S` seconds."""
        self._closing.set()
        self._news.set()
        steps = -1
        while self._thread.is_alive() and steps != self._steps:
            steps = self._steps
            self._thread.join(PATIENCE_S)

    def _work(self) -> None:
        try:
            with sending(self._folder) as mine:
                if mine:
                    self._bring()
        except TrackerError as error:  # refused for good: a further try would not help
            self._warn(error)

    def _bring(self) -> None:
        from tracker.store.send import Sender

        sender = Sender(self._location, self._folder.name, read_delivery(self._folder), self._save)
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
            sender.send(read(self._folder).entries, self._folder / ARTIFACTS)
        except UnreachableError as error:
            self._warn(error)
            return False
        return True

    def _save(self, delivery: Delivery) -> None:
        write_delivery(self._folder, delivery)
        self._steps += 1

    def _warn(self, error: TrackerError) -> None:
        if not self._warned:
            self._warned = True
            warn(f"{error}; the run goes on and is kept in {self._folder}: `tracker sync` sends it")
