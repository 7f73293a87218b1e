"""Which journal a person means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.journal.reader import Journal

_SHOWN = 10
_SHORT_ID, _ID_LENGTH = 8, 32


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
    for meant in (
        [journal for journal in journals if text in _ids(journal)],
        [journal for journal in journals if text and journal.started.name == text],
        [journal for journal in journals if text and any(own.startswith(text.lower()) for own in _ids(journal))],
    ):
        if len(meant) == 1:
            return meant[0]
        if meant:
            raise JournalError(f"{text!r} means {len(meant)} journals: {_listed(meant)}; give more of the id")
    raise JournalError(f"no journal has the id or name {text!r}; there are: {_listed(journals) or 'none'}")


def _ids(journal: Journal) -> tuple[str, ...]:
    return (journal.id, journal.delivery.run_id) if journal.delivery else (journal.id,)


def _listed(journals: Sequence[Journal]) -> str:
    lengths = range(_SHORT_ID, _ID_LENGTH)
    length = next((n for n in lengths if len({journal.id[:n] for journal in journals}) == len(journals)), _ID_LENGTH)
    shown = ", ".join(f"{journal.id[:length]} ({journal.started.name!r})" for journal in journals[:_SHOWN])
    return shown + (", …" if len(journals) > _SHOWN else "")
