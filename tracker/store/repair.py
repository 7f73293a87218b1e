"""A SQLite store that is broken or was moved: what is wrong with it, and how it is repaired.

A broken store is set aside, never deleted, and created again by uploading all journals; what only it had can then still
be looked for. If the folder of a project was moved, MLflow looks for artifacts where they were: the paths that are
gone are rewritten to where the same folders are now, below the store's own. In a copy of a project they would be those
of the original, and are rewritten to the copy's own. Nothing here imports MLflow.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.atomic_files import copy_path
from tracker.errors import StoreError
from tracker.store import ArtifactPath, BrokenError, Condition, StoreState
from tracker.store.location import find_folder, folder_below, resolve_inside, written_to
from tracker.store.sqlite_state import (
    BUSY_S,
    copy_database,
    free_path,
    lacks,
    making_lock,
    reading,
    refusal,
    require_readable,
    state_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.store.location import Location

# Where MLflow keeps places.
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)

# Those whose places end in folders of their own, by which they are found again.
_OF_THEIR_OWN = {"experiments", "runs", "logged_models"}

# What SQLite keeps beside a database goes along, and first: a journal left behind would be played into the next.
_BESIDE = ("-journal", "-wal", "-shm", "")


def examine(location: Location) -> Condition:
    """Return what is wrong with a store, without changing it.

    Raises
    ------
    UnreachableError
        If it stays locked.
    StoreError
        If it is a tracking server.
    """
    database = _database(location)
    try:
        state = state_of(database)
        if state not in {StoreState.READY, StoreState.UPGRADABLE}:
            return Condition(state, refusal=refusal(database, state))
        with reading(database) as connection:
            damage = _damage(connection)
            return Condition(state, damage, () if damage else tuple(_moved(connection, database.parent)))
    except BrokenError as error:
        return Condition(None, str(error.__cause__))


def _damage(connection: sqlite3.Connection) -> str | None:
    (checked,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if checked != "ok":
        return " ".join(checked.split())
    lacking = lacks(connection)
    return f"it lacks {', '.join(lacking[:5])}{', …' if len(lacking) > 5 else ''}" if lacking else None


def set_aside(location: Location) -> Path:
    """Move a broken store out of the way, so that another can be created in its place, and return where it is now.

    Raises
    ------
    StoreError
        If it isn't broken, or can't be moved.
    """
    database = _database(location)
    try:
        with making_lock(database):
            if not examine(location).is_broken:
                raise StoreError(f"the store {database} isn't broken: it stays where it is")
            aside = free_path(database, "broken")
            for ending in _BESIDE:
                if (part := Path(f"{database}{ending}")).exists():
                    part.rename(f"{aside}{ending}")
    except OSError as error:
        raise StoreError(f"cannot move the store {database} aside: {error}") from error
    return aside


def relocate(location: Location) -> tuple[tuple[ArtifactPath, ...], Path | None]:
    """Update the artifact paths of a moved or copied store; see `tracker.store.Store.relocate`."""
    database = _database(location)
    require_readable(database)
    try:
        with closing(sqlite3.connect(database, timeout=BUSY_S, isolation_level=None)) as store:
            store.execute("BEGIN IMMEDIATE")  # no other process writes to it, or sets it aside: it isn't broken
            moved = tuple(_moved(store, database.parent))
            copy = copy_database(database, "before-repair") if moved else None
            for place in moved:
                statement = f"UPDATE {place.table} SET {place.column} = ? WHERE rowid = ?"  # noqa: S608 -- _COLUMNS only
                store.execute(statement, (place.new, place.row))
            store.execute("COMMIT")
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"cannot update the artifact paths in {database}: {error}") from error
    return moved, copy


def restore_artifacts(uri: str | None, paths: Iterable[str], artifacts: Path, folder: Path) -> tuple[str, ...]:
    """Copy uploaded artifacts back into their journal; see `tracker.store.Store.restore_artifacts`.

    Raises
    ------
    StoreError
        If one can't be copied.
    """
    try:
        uploaded = find_folder(uri, folder) if uri else None
    except OSError:  # not on this machine
        uploaded = None
    missing = [path for path in paths if not resolve_inside(artifacts, path)]
    located = {path: source for path in missing if uploaded and (source := resolve_inside(uploaded, path))}
    try:
        for path, source in located.items():
            copy_path(source, artifacts / path)
    except OSError as error:
        raise StoreError(f"cannot bring artifacts back from {uploaded}: {error}") from error
    return tuple(path for path in missing if path not in located)


def _database(location: Location) -> Path:
    if location.database is None:
        raise StoreError(f"{location.shown} is a tracking server, which is repaired where it runs: give its database")
    return location.database


def _moved(connection: sqlite3.Connection, folder: Path) -> list[ArtifactPath]:
    """Find the paths that are gone, or belong to another store that this is a copy of.

    Each is found below the store's folder, or moved as others were that are found there. An experiment's path that
    still exists belongs to another store only if a run's does: run ids are unique.
    """
    astray = _astray(connection, folder)
    located: dict[Path, Path] = {}
    for place, path in astray:
        if place.table in _OF_THEIR_OWN and not (place.table == "experiments" and path.exists()):
            new = folder_below(folder, path)
            if new:
                located[path] = new
    bases = sorted({_bases(old, new) for old, new in located.items()})
    moved = ((place, path, located.get(path) or _rebased(path, bases, folder)) for place, path in astray)
    return [
        replace(place, new=_as_written(place.old, new))
        for place, path, new in moved
        if new and (new.exists() or not path.exists())
    ]


def _astray(connection: sqlite3.Connection, folder: Path) -> list[tuple[ArtifactPath, Path]]:
    """List the paths on this machine that don't exist, or aren't below the store's folder."""
    places = [
        ArtifactPath(table, column, row, old, old)
        for table, column in _COLUMNS
        for row, old in connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall()  # noqa: S608 -- _COLUMNS only
        if old
    ]
    paths = ((place, written_to(place.old)) for place in places)
    return [(place, path) for place, path in paths if path and not (path.is_relative_to(folder) and path.exists())]


def _bases(old: Path, new: Path) -> tuple[Path, Path]:
    """Return which folder became which: two paths without the folders that they end in alike."""
    while old.name == new.name:
        old, new = old.parent, new.parent
    return old, new


def _rebased(path: Path, bases: Sequence[tuple[Path, Path]], folder: Path) -> Path | None:
    """Return where a path has gone if it was moved as others were, and into the store's folder."""
    moved = (new / path.relative_to(old) for old, new in bases if path.is_relative_to(old))
    return next((place for place in moved if place.is_relative_to(folder)), None)


def _as_written(old: str, new: Path) -> str:
    return new.as_uri() if "://" in old else str(new)
