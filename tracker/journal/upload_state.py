"""How much of a journal a store has, and the lock under which one at a time sends it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tracker.atomic_files import disk_errors, replace_file
from tracker.journal.process_lock import locking
from tracker.runs.events import UploadState

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

_FILE = "delivery.json"
_LOCK = "sending.lock"


def read_upload_state(folder: Path) -> UploadState | None:
    """Return how much of the journal in a folder a store is known to have.

    Returns
    -------
    UploadState or None
        None if nothing is known: nothing was sent, or the file is damaged. An upload then looks for the run in the
        store before it makes one.

    Raises
    ------
    JournalError
        If the file is there and cannot be read.
    """
    path = folder / _FILE
    with disk_errors("read", path):
        if not path.exists():
            return None
        data = path.read_bytes()
    try:
        row = json.loads(data)
        state = UploadState(row["run_id"], row["artifacts"], row["entries"])
    except (KeyError, TypeError, ValueError):
        return None
    return state if _is_sound(state) else None


def _is_sound(state: UploadState) -> bool:
    """Return whether the fields have the types that they should have."""
    texts = isinstance(state.run_id, str) and isinstance(state.artifacts, str)
    return texts and type(state.events) is int and state.events >= 0


def write_upload_state(folder: Path, state: UploadState) -> None:
    """Keep how much of the journal in a folder a store has; the caller is the one that sends.

    Raises
    ------
    JournalError
        If it cannot be written; what was kept before stays.
    """
    with disk_errors("write", folder / _FILE):
        row = {"run_id": state.run_id, "artifacts": state.artifacts, "entries": state.events}
        replace_file(folder / _FILE, json.dumps(row).encode())


def sending(folder: Path) -> AbstractContextManager[bool]:
    """Be the only one that sends the journal in a folder, as a context: it gives False where another does.

    Raises
    ------
    JournalError
        If the folder cannot be written to.
    """
    return locking(folder / _LOCK)
