"""Where runs are logged: the store, the journals beside it, the cache, and what to call them in a suggested command."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tracker.errors import StoreError
from tracker.journal.reader import journals
from tracker.store import store_at, store_beside

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.journal.reader import Journal
    from tracker.store import Store

DEFAULT_EXPERIMENT = "tracker"

SHORT_ID = 8
"""Digits of a run's id in messages and suggested commands."""

HOST_TAG = "tracker.elsewhere"
"""On a run whose process cannot be checked from this machine: the host that it was started on."""


def find_store(tracking_uri: str | None) -> Store:
    """Return the store of a tracking URI, relative to the working directory; None is ``mlflow.db`` there.

    Raises
    ------
    StoreError
        As in `store_at`.
    """
    return store_at(tracking_uri, Path.cwd())


def journals_folder(store: Store) -> Path:
    """Return the folder of the journals of a store's runs: beside its database, else in the working directory."""
    return (store.folder or Path.cwd()) / ".tracker"


def cache_folder() -> Path:
    """Return where features and the demo set are cached: ``TRACKER_CACHE`` or the system's own place."""
    import platformdirs

    return Path(os.environ.get("TRACKER_CACHE") or platformdirs.user_cache_dir("tracker"))


def store_of(journal: Journal) -> Store:
    """Return the store that a journal is for; one in a file lies beside the journals, wherever they were moved."""
    return store_beside(journal.started.uri, journal.folder.parent.parent)


def is_for(store: Store) -> Callable[[Journal], bool]:
    """Return a predicate: whether a journal is for `store`."""
    return lambda journal: store_of(journal).uri == store.uri


def check_not_gone(store: Store) -> None:
    """Check that a store that runs were sent to is still there.

    Raises
    ------
    StoreError
        If it is not.
    """
    if store.has_no_file and any(journal.delivery for journal in journals(journals_folder(store)).where(is_for(store))):
        raise StoreError(
            f"the store {store.shown} is gone, and runs were sent to it: bring it back, or let `tracker repair` "
            "make it anew from the journals"
        )


@dataclass(frozen=True)
class LogTarget:
    """Where a run is logged.

    Parameters
    ----------
    store : Store
    journals : Path
        The folder of the journals.
    experiment : str
    offline : bool
        Whether the store is left alone until `tracker sync`.
    named_store : str or None
        The store as the caller named it, to be repeated in suggested commands; None for the default one.
    """

    store: Store
    journals: Path
    experiment: str
    offline: bool = False
    named_store: str | None = None

    @classmethod
    def at(cls, store: Store, experiment: str, *, offline: bool = False, named_store: str | None = None) -> Self:
        """Return the target whose journals lie where they belong."""
        return cls(store, journals_folder(store), experiment, offline, named_store)


def interrupted_message(name: str, run_id: str, named_store: str | None) -> str:
    """Say that a run was interrupted, and which commands continue or end it."""
    end = _run_words(run_id, named_store)
    return f"run {name} was interrupted: `tracker resume {end}` goes on with it, `tracker close {end}` ends it"


def elsewhere_message(name: str, run_id: str, host: str, named_store: str | None) -> str:
    """Say that a run may still be running on another host, and which commands continue or end it if it is not."""
    resumes, closes = (f"`tracker {verb} {_run_words(run_id, named_store)} --gone`" for verb in ("resume", "close"))
    return (
        f"run {name} was begun on {host}, and whether it goes on there cannot be told from here: once you know that it "
        f"does not, {resumes} goes on with it, {closes} ends it"
    )


def _run_words(run_id: str, named_store: str | None) -> str:
    return run_id[:SHORT_ID] + ("" if named_store is None else f" --tracking-uri={shlex.quote(named_store)}")
