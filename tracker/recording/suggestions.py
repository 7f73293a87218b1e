"""How suggested commands name the store and the data, and how a run's tags name its data.

Data is named relative to the folder of the store if a run was started there, so that a store can be moved together
with its data; else by an absolute path.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.next_steps.command_line import DEMO, Where
from tracker.store import store_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.store import Store

_STORE_VARIABLE = "MLFLOW_TRACKING_URI"
_DATA_VARIABLE = "TRACKER_DATA"
_CREDENTIALS = re.compile(r"(?<=://)[^/]*@")


def where_from(store: Store, folder: Path, environment: Mapping[str, str]) -> Where:
    """Return what commands that are run in a folder have to name to reach a store and its data.

    A server that the environment names with credentials is not named, for commands must not repeat them.
    """
    start = store.folder.resolve() if store.folder else None
    return Where(
        tracking_uri=None if _is_known(store, folder, environment) else _CREDENTIALS.sub("", store.uri),
        folder=str(start) if start and start != folder.resolve() else None,
        data_in_environment=bool(environment.get(_DATA_VARIABLE)),
    )


def _is_known(store: Store, folder: Path, environment: Mapping[str, str]) -> bool:
    named = environment.get(_STORE_VARIABLE)
    if named:
        return bool(_CREDENTIALS.search(store.uri)) and store_at(named, folder).uri == store.uri
    return store_at(None, folder).uri == store.uri


def here(tracking_uri: str | None) -> Where:
    """Return the same for the working directory, this process's environment and a store as a person named it."""
    return where_from(store_at(tracking_uri, Path.cwd()), Path.cwd(), os.environ)


def data_tag(data: Path | None, store: Store, folder: Path) -> str:
    """Return how a run that is started in a folder names its data: ``demo`` for the built-in set."""
    if data is None:
        return DEMO
    if store.folder is None or store.folder.resolve() != folder.resolve():
        return str((folder / data).absolute())
    return f"./{data}" if str(data) == DEMO else str(data)


def data_path(tag: str, folder: Path) -> Path | None:
    """Return the data that a run's tag names, relative to the folder of its store; None for the built-in set.

    Earlier runs named data relative to the working directory, wherever the store was.
    """
    if tag == DEMO:
        return None
    return folder / tag if (folder / tag).exists() else Path(tag)
