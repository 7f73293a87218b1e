"""The state of a SQLite store, found in milliseconds and without MLflow; and an empty one created from scratch.

MLflow migrates a store of an older version as soon as it opens it, and breaks a new one for ever if two processes
create it at the same time. So a store is examined read-only before MLflow may have it, and a new one is written aside
under a lock and moved into place: from the SQL in ``schema.sql`` if the installed MLflow is the version that it was
taken from, which takes 10 ms, else by MLflow itself.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing, contextmanager
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from tracker.atomic_files import replace_path
from tracker.errors import StoreError
from tracker.store import BrokenError, BusyError, StoreState, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA_VERSION = "3.17.2"  # MLflow that ``schema.sql`` is taken from: the oldest that tracker supports

SCHEMA_REVISION = "dc11669786a5"  # Alembic's name for that schema

BUSY_S = 20.0  # seconds to wait for a writer's exclusive lock: MLflow's own writers wait as long for each other

_PRIMARY = 0xFF  # the part of SQLite's error codes that tells what kind of error it is

# The kinds that waiting does not cure: a table that is missing, a page that is, another kind of file.
_DAMAGED = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

# In a script of Alembic's; the first one has ``down_revision = None``.
_REVISION = re.compile(r'^(revision|down_revision)\b[^=]*= *["\'](\w+)["\']', re.MULTILINE)

MAKING_S = 60.0  # longest wait for another program that is making the store


def state_of(database: Path) -> StoreState:
    """Return the state of a SQLite store without changing it.

    Raises
    ------
    UnreachableError
        If the file stays locked or can't be read now.
    BrokenError
        If it isn't a SQLite file, or is damaged.
    """
    try:
        if not database.exists():
            return StoreState.ABSENT
        if database.is_file() and not database.stat().st_size:
            return StoreState.EMPTY
        if database.is_dir():
            raise UnreachableError(f"the store {database} is a folder: move it away, or give another --tracking-uri")
    except OSError as error:
        raise UnreachableError(f"cannot read the store {database}: {error}") from error
    with reading(database) as connection:
        return _state_within(connection)


def _state_within(connection: sqlite3.Connection) -> StoreState:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and not tables & {"alembic_version", "experiments"}:
        return StoreState.FOREIGN
    revision = _revision(connection, tables)
    if revision == newest_revision():
        return StoreState.READY
    if "experiments" not in tables or not connection.execute("SELECT count(*) FROM experiments").fetchone()[0]:
        return StoreState.HALF_MADE  # making a store ends with its first experiment
    if revision in _supported_revisions():
        return StoreState.UPGRADABLE
    return StoreState.OLDER if revision is None or revision in _migrations() else StoreState.NEWER


def require_readable(database: Path) -> None:
    """Raise `StoreError`, with what to do, if a store can't be read as it is."""
    state = state_of(database)
    if state not in {StoreState.READY, StoreState.UPGRADABLE}:
        raise StoreError(refusal(database, state))


def refusal(database: Path, state: StoreState) -> str:
    """Return in one line why a store that isn't ready can't be used, and what to do."""
    match state:
        case StoreState.ABSENT:
            why = "does not exist: `tracker run` creates it, or give another --tracking-uri"
        case StoreState.EMPTY:
            why = "is an empty file: `tracker run` turns it into a store"
        case StoreState.OLDER:
            why = (
                f"was made by an older MLflow than {SCHEMA_VERSION}, which tracker can't use: give another "
                "--tracking-uri"
            )
        case StoreState.NEWER:
            why = (
                f"was made by a newer MLflow than {version('mlflow')}, which is installed: upgrade MLflow, or give "
                "another --tracking-uri"
            )
        case StoreState.UPGRADABLE:
            why = f"was made by an earlier MLflow than {version('mlflow')}: `tracker run` or `tracker sync` migrates it"
        case StoreState.HALF_MADE:
            why = (
                "was only partly created and holds no run: `tracker repair` sets it aside and creates it again, unless "
                "another program is creating it now"
            )
        case _:
            why = "is a SQLite file but not an MLflow store: give another --tracking-uri"
    return f"the store {database} {why}"


@contextmanager
def reading(database: Path) -> Iterator[sqlite3.Connection]:
    """Open a SQLite file to read one consistent state of it.

    Raises
    ------
    UnreachableError
        If the file stays locked or can't be read now.
    BrokenError
        If it isn't a SQLite file, is damaged, or lacks what is asked for.
    """
    try:
        with closing(_open_read_only(database)) as connection:
            yield connection
    except sqlite3.DatabaseError as error:
        message, code = f"cannot read the store {database}: {error}", getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        if code in _DAMAGED:
            remedy = "`tracker repair` sets it aside and creates it again from the journals"
            raise BrokenError(f"{message}: {remedy}") from error
        raise (BusyError if code == sqlite3.SQLITE_BUSY else UnreachableError)(message) from error


def _open_read_only(database: Path) -> sqlite3.Connection:
    """Open without the right to write; a killed writer's journal needs that right once, to be rolled back."""
    try:
        return _begun(database, "ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
            raise
    _begun(database, "rw").close()
    return _begun(database, "ro")


def _begun(database: Path, mode: str) -> sqlite3.Connection:
    """Open and begin a transaction: all that is read in it is of one moment."""
    uri = f"{database.as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _revision(connection: sqlite3.Connection, tables: set[str]) -> str | None:
    if "alembic_version" not in tables:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


def has_own_schema() -> bool:
    """Return whether the installed MLflow is the one that ``schema.sql`` is taken from."""
    return version("mlflow") == SCHEMA_VERSION


@cache
def newest_revision() -> str:
    """Return Alembic's name for the schema of the installed MLflow."""
    if has_own_schema():
        return SCHEMA_REVISION
    migrations = _migrations()
    newest = migrations.keys() - set(migrations.values())
    return newest.pop() if len(newest) == 1 else SCHEMA_REVISION


@cache
def _supported_revisions() -> frozenset[str]:
    """Return the schemas from `SCHEMA_REVISION` up to the one before the installed MLflow's."""
    migrations, revision = _migrations(), newest_revision()
    supported = set()
    while revision != SCHEMA_REVISION and (earlier := migrations.get(revision)):
        supported.add(earlier)
        revision = earlier
    return frozenset(supported) if revision == SCHEMA_REVISION else frozenset()


@cache
def _migrations() -> dict[str, str | None]:
    """Return the installed MLflow's migrations, each with the one before it; MLflow itself is not imported."""
    mlflow = find_spec("mlflow")
    folders = mlflow.submodule_search_locations if mlflow else None
    scripts = Path(folders[0], "store", "db_migrations", "versions").glob("*.py") if folders else ()
    texts = (script.read_text("utf-8") for script in scripts)
    names_of = (dict(_REVISION.findall(text)) for text in texts)
    return {names["revision"]: names.get("down_revision") for names in names_of if "revision" in names}


def making_lock(database: Path) -> FileLock:
    """Return the lock under which a store is created or moved aside, a file beside it."""
    return FileLock(database.with_name(f"{database.name}.lock"), timeout=MAKING_S)


def make(database: Path, artifacts: str, now: int) -> None:
    """Create or replace an empty store of `SCHEMA_REVISION`, complete or not at all.

    Parameters
    ----------
    artifacts : str
        URI that the Default experiment keeps its artifacts under.
    now : int, ms since 1970

    Raises
    ------
    OSError, sqlite3.Error
        If it can't be written.
    """

    def write(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(_statements())
            connection.execute(
                "INSERT INTO experiments VALUES (0, 'Default', ?, 'active', ?, ?, 'default')",
                (f"{artifacts}/0", now, now),
            )
            connection.commit()

    replace_path(database, write)


def copy_database(database: Path, word: str) -> Path:
    """Copy a database, complete or not at all, and return the copy's path."""
    copy = free_path(database, word)

    def back_up(path: Path) -> None:
        with reading(database) as source, closing(sqlite3.connect(path)) as target:
            source.backup(target)

    replace_path(copy, back_up)
    return copy


def free_path(database: Path, word: str) -> Path:
    """Return a path beside a database that isn't taken."""
    paths = (database.with_name(f"{database.name}.{word}-{number}") for number in count(1))
    return next(path for path in paths if not path.exists())


def lacks(connection: sqlite3.Connection) -> list[str]:
    """Return the tables and columns that a store of `SCHEMA_REVISION` lacks, sorted; none of one of another schema."""
    if _revision(connection, {"alembic_version"}) != SCHEMA_REVISION:
        return []
    with closing(sqlite3.connect(":memory:")) as whole:
        whole.executescript(_statements())
        return sorted(_columns(whole) - _columns(connection))


def _columns(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute(
        "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_xinfo(m.name) c WHERE m.type = 'table'"
    )
    return {name for (name,) in rows}


def _statements() -> str:
    return files("tracker.store").joinpath("schema.sql").read_text("utf-8")
