"""Which journal a person means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.errors import JournalError
from tracker.meant import Called, meant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.journal.reader import Journal


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
