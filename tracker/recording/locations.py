"""Where runs are logged and how that is written down: the store, the journals beside it, the cache, data and networks.

Data, and a network's file, are named relative to the folder of the store if a run was started there, so that a store
can be moved together with them; else by an absolute path. Suggested commands name the store unless it is the current
folder's own.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tracker.errors import StoreError
from tracker.journal.reader import journals
from tracker.next_steps.command_line import DEMO, Where
from tracker.runs import option_named
from tracker.runs.logged import SHORT_ID
from tracker.store import store_at, store_beside
from tracker.training.networks import USER_FOLDER, canonical_name, is_path, user_networks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracker.journal.reader import Journal
    from tracker.store import Store

HOST_TAG = "tracker.elsewhere"  # the host of a run whose process cannot be checked from this machine
STORE_VARIABLE = option_named("tracking_uri").environment
_DATA_VARIABLE = option_named("data").environment
_CREDENTIALS = re.compile(r"(?<=://)[^/]*@")


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
    """Check that a store that runs were uploaded to is still there.

    Raises
    ------
    StoreError
        If it is not.
    """
    if store.has_no_file and any(
        journal.upload_state for journal in journals(journals_folder(store)).where(is_for(store))
    ):
        raise StoreError(
            f"the store {store.shown} is gone, and runs were uploaded to it: restore it, or rebuild it from the "
            "journals with `tracker repair`"
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
    """

    store: Store
    journals: Path
    experiment: str
    offline: bool = False

    @classmethod
    def at(cls, store: Store, experiment: str, *, offline: bool = False) -> Self:
        """Return the target whose journals lie where they belong."""
        return cls(store, journals_folder(store), experiment, offline)


def interrupted_message(name: str, run_id: str, store: Store, *, resumable: bool = True) -> str:
    """Return that a run was interrupted, and which commands continue or close it."""
    run = _run_words(run_id, store)
    if not resumable:
        return f"run {name} was interrupted: start its script again, and close this run with `tracker close {run}`"
    return f"run {name} was interrupted: continue it with `tracker resume {run}` or close it with `tracker close {run}`"


def elsewhere_message(name: str, run_id: str, host: str, store: Store) -> str:
    """Return that a run may still be running on another host, and which commands continue or close it if it isn't."""
    run = _run_words(run_id, store)
    return (
        f"run {name} was started on {host} and may still be running there. If it isn't, continue it with "
        f"`tracker resume {run} --gone` or close it with `tracker close {run} --gone`"
    )


def _run_words(run_id: str, store: Store) -> str:
    uri = here(store).tracking_uri
    return run_id[:SHORT_ID] + (f" --tracking-uri {shlex.quote(uri)}" if uri else "")


def where_from(store: Store, folder: Path, environment: Mapping[str, str]) -> Where:
    """Return what commands that are run in a folder have to name to reach a store and its data.

    A server that the environment names with credentials is not named, for commands must not repeat them.
    """
    start = store.folder.resolve() if store.folder else None
    return Where(
        tracking_uri=None if _is_known(store, folder, environment) else _CREDENTIALS.sub("", _plain_uri(store)),
        folder=str(start) if start and start != folder.resolve() else None,
        networks={name: f"{USER_FOLDER}/{name}.py" for name in user_networks(start)} if start else {},
        data_in_environment=bool(environment.get(_DATA_VARIABLE)),
    )


def _is_known(store: Store, folder: Path, environment: Mapping[str, str]) -> bool:
    named = environment.get(STORE_VARIABLE)
    if named:
        return bool(_CREDENTIALS.search(store.uri)) and store_at(named, folder).uri == store.uri
    return _plain_uri(store_at(None, folder)) == _plain_uri(store)


def _plain_uri(store: Store) -> str:
    """Return the URI of a store without ``..`` and links in the path of its folder."""
    if store.folder is None:
        return store.uri
    return store_at(str(store.folder.resolve() / Path(store.shown).name), store.folder).uri


def here(store: Store) -> Where:
    """Return the same for the working directory and this process's environment."""
    return where_from(store, Path.cwd(), os.environ)


def data_tag(data: Path | None, store: Store, folder: Path) -> str:
    """Return how a run that is started in a folder names its data: ``demo`` for the built-in set."""
    if data is None:
        return DEMO
    if _is_elsewhere(store, folder):
        return str((folder / data).absolute())
    return f"./{data}" if str(data) == DEMO else str(data)


def data_path(tag: str, folder: Path) -> Path | None:
    """Return the data that a run's tag names, relative to the folder of its store; None for the built-in set.

    Earlier runs named data relative to the working directory, wherever the store was.
    """
    if tag == DEMO:
        return None
    return folder / tag if (folder / tag).exists() else Path(tag)


def model_param(model: str, store: Store, folder: Path) -> str:
    """Return how a run that is started in a folder names its network, given by its name or the path of its file.

    A file has one name however it was given: that of a module in ``models``, or its absolute path if the store is in
    another folder.
    """
    name = canonical_name(model, folder)
    if name in user_networks(folder) and store.folder and _is_elsewhere(store, folder):
        return str((folder / USER_FOLDER / f"{name}.py").absolute())
    if not is_path(name) or not (name.startswith("~") or _is_elsewhere(store, folder)):
        return name
    return str((folder / Path(name).expanduser()).absolute())


def model_path(param: str, folder: Path) -> str:
    """Return the network that a run's param names; a path is relative to the folder of its store, as data is.

    So is a name, unless the network is built in or also in the working directory.
    """
    if is_path(param):
        return str(folder / param) if (folder / param).is_file() else param
    is_there = param in user_networks(folder) - user_networks(Path.cwd())
    return str(folder / USER_FOLDER / f"{param}.py") if is_there else param


def _is_elsewhere(store: Store, folder: Path) -> bool:
    return store.folder is None or store.folder.resolve() != folder.resolve()
