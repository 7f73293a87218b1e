"""The SQLite file of a store: the state that it is in, found in milliseconds, and how it is made, copied and repaired.

MLflow migrates a store of an older version as soon as it opens it, and breaks a new one for ever if two processes
create it at the same time. So a store is examined read-only before MLflow may have it, and a new one is written aside
under a lock and moved into place: from the SQL in ``schema.sql`` if the installed MLflow is the version that it was
taken from, which takes 10 ms, else by MLflow itself.

The revision of a store decides who may write to it. Reading needs columns only, which MLflow's schemas have had since
2019, and changes nothing: neither the file nor what SQLite keeps beside it.

A broken store is set aside, never deleted, and created again by uploading all journals; what only it had can then still
be looked for. If the folder of a project was moved, MLflow looks for artifacts where they were: the paths that are
gone are rewritten to where the same folders are now, below the store's own. In a copy of a project they would be those
of the original, and are rewritten to the copy's own. Nothing here imports MLflow.
"""

from __future__ import annotations

import codecs
import os
import re
import shutil
import sqlite3
import stat
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from filelock import FileLock

from tracker.atomic_files import replace_path
from tracker.contained_files import open_regular
from tracker.errors import StoreError
from tracker.store import ArtifactPath, BrokenError, BusyError, Condition, StoreState, UnreachableError
from tracker.store.location import DATABASE_NAME, folder_below, written_to
from tracker.store.mlflow_run import JOURNAL_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.store.location import Location

SCHEMA_VERSION = "3.17.2"  # MLflow that ``schema.sql`` is taken from: the oldest that tracker supports

SCHEMA_REVISION = "dc11669786a5"  # Alembic's name for that schema

BUSY_S = 20.0  # seconds to wait for a writer's exclusive lock: MLflow's own writers wait as long for each other

_PRIMARY = 0xFF  # the part of SQLite's error codes that tells what kind of error it is

# The kinds that waiting does not cure: a table that is missing, a page that is, another kind of file.
_ONCE_FREE = "end that program, or try again once it is done"
_DAMAGED = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_OF_TEXTS = frozenset({".csv", ".tsv", ".txt", ".md", ".json", ".yaml", ".yml", ".py", ".log"})  # no store ends so

# In a script of Alembic's; the first one has ``down_revision = None``.
_REVISION = re.compile(r'^(revision|down_revision)\b[^=]*= *["\'](\w+)["\']', re.MULTILINE)
_CREATED_IN = re.compile(r"^Create Date: +(\d{4})-", re.MULTILINE)

MAKING_S = 60.0  # longest wait for another program that is making the store

# What a store looks like while MLflow makes it, version by version; at first it might be any program's.
_UNFINISHED = {StoreState.EMPTY, StoreState.HALF_MADE, StoreState.OLDER, StoreState.FOREIGN}

# Seconds without a change after which such a store is taken for what it is: MLflow commits several times a second.
_QUIET_S = 3.0

# Columns that these tables have had in every version of MLflow.
_OWN_COLUMNS = {
    "experiments": {"experiment_id", "name", "artifact_location", "lifecycle_stage"},
    "runs": {"run_uuid", "experiment_id", "artifact_uri", "lifecycle_stage"},
}
# Tables that runs are read from. A view in the place of one would compute what is read, for ever if it likes.
READ = {
    "experiments", "experiment_tags", "runs", "params", "tags", "latest_metrics", "metrics", "inputs", "datasets",
    "input_tags",
}  # fmt: skip
# Tables that are otherwise read and written by what lists kept models.
_OF_MODELS = {"logged_models", "logged_model_metrics", "logged_model_params", "logged_model_tags"}
# Tables of which half must be named in what is left of a damaged file: MLflow has had them since 1.8.
_TABLES = {b"experiments", b"runs", b"metrics", b"params", b"latest_metrics", b"experiment_tags", b"model_versions"}
_CREATED = re.compile(rb"CREATE TABLE \"?(\w+)")
_LOOKED_AT = 4_096  # bytes that show whether a file is text
_SCHEMA_BYTES = 1 << 20  # of a file's beginning, where SQLite keeps the schema

# Columns that runs are read from, and what MLflow added later, if it did: `tracker.store.reader` does without.
NEEDED = {
    "experiments": {"experiment_id", "name", "lifecycle_stage"},
    "runs": {
        "run_uuid",
        "experiment_id",
        "name",
        "status",
        "start_time",
        "end_time",
        "lifecycle_stage",
        "artifact_uri",
    },
    "params": {"run_uuid", "key", "value"},
    "tags": {"run_uuid", "key", "value"},
    "metrics": {"run_uuid", "key", "value", "timestamp", "step"},
}

_CURRENT = {StoreState.READY, StoreState.UPGRADABLE}  # the installed MLflow reads and writes these
_OF_ANOTHER = {StoreState.OLDER, StoreState.NEWER}  # these are read by their columns, and not written to

# Where MLflow keeps places.
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_OF_THEIR_OWN = {"experiments", "runs", "logged_models"}  # these places end in folders by which they are found again

# What SQLite keeps beside a database goes along, and first: a journal left behind would be played into the next.
_BESIDE = ("-journal", "-wal", "-shm", "")


def state_of(database: Path) -> StoreState:
    """Return the state of a SQLite store without changing it; raises what `reading` raises."""
    try:
        if not database.exists():
            return StoreState.ABSENT
        if database.is_dir():
            raise UnreachableError(f"the store {database} is a folder: move it away, or give another --tracking-uri")
        with open_regular(database):  # nothing is waited for
            pass
        for beside in (Path(f"{database}{ending}") for ending in _BESIDE if ending):
            if _is_no_file(beside):
                raise UnreachableError(f"{beside} is not a regular file, and SQLite would open it: remove it")
        if not database.stat().st_size:
            return StoreState.EMPTY
    except OSError as error:
        raise UnreachableError(f"cannot read the store {database}: {error}") from error
    with reading(database) as connection:
        return _state_within(connection)


def _is_no_file(path: Path) -> bool:
    """Return whether something other than a file is there, by one look: whoever writes makes and removes journals."""
    try:
        return not stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def settled_state(database: Path) -> StoreState:
    """Return the state of a store once no other program, such as a UI just started, is creating it."""
    deadline = time.monotonic() + MAKING_S
    while (state := state_of(database)) in _UNFINISHED and time.monotonic() < deadline:
        if time.time() - database.stat().st_mtime > _QUIET_S:
            break
        time.sleep(0.1)
    return state


def check_own(database: Path) -> None:
    """Raise `StoreError` if a store that is to be written to is a link: it may lead into another project."""
    if database.is_symlink():
        target = os.path.realpath(database)
        raise StoreError(
            f"the store {database} is a link to {target}, and nothing is written through links: give that path as "
            "--tracking-uri"
        )


def has_run(database: Path, *run_ids: str) -> bool:
    """Return whether a store has any of some runs, deleted ones included, without changing anything."""
    require_readable(database)
    with reading(database) as connection:
        rows = (connection.execute("SELECT 1 FROM runs WHERE run_uuid = ?", (run_id,)) for run_id in run_ids)
        return any(row.fetchone() for row in rows)


def has_run_of(database: Path, run_id: str, journal: str) -> bool:
    """Return whether a store has a run, a deleted one included, that was uploaded from a journal."""
    require_readable(database)
    query = "SELECT 1 FROM runs JOIN tags USING (run_uuid) WHERE run_uuid = ? AND key = ? AND value = ?"
    with reading(database) as connection:
        return connection.execute(query, (run_id, JOURNAL_TAG, journal)).fetchone() is not None


def _state_within(connection: sqlite3.Connection) -> StoreState:
    tables, views = _names(connection, "table"), _names(connection, "view")
    revision = _revision(connection, tables)
    if tables and (views & (READ | _OF_MODELS) or not _is_of_mlflow(connection, tables, revision)):
        return StoreState.FOREIGN
    if revision == supported_revisions()[0]:
        return StoreState.READY
    if "experiments" not in tables or not connection.execute("SELECT count(*) FROM experiments").fetchone()[0]:
        return StoreState.HALF_MADE  # making a store ends with its first experiment
    if revision in supported_revisions():
        return StoreState.UPGRADABLE
    return StoreState.OLDER if revision is None or revision in _migrations() else StoreState.NEWER


def _names(connection: sqlite3.Connection, kind: str) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = ?", (kind,))}


def _is_of_mlflow(connection: sqlite3.Connection, tables: set[str], revision: str | None) -> bool:
    """Return whether a database has tables with MLflow's columns, or nothing but one of its revisions."""
    if revision is not None and not (isinstance(revision, str) and re.fullmatch("[0-9a-f]{12}", revision)):
        return False
    for table, expected in _OWN_COLUMNS.items():
        columns = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
        if columns >= expected:
            return True
    return tables == {"alembic_version"} and revision in _migrations()


def _shows_schema(database: Path) -> bool:
    """Return whether a file that SQLite can't read has the statements in it that made MLflow's tables."""
    try:
        with open_regular(database) as file:
            start = file.read(_SCHEMA_BYTES)
    except OSError:
        return False
    return len({table for table in _CREATED.findall(start) if table in _TABLES}) >= len(_TABLES) // 2


def require_readable(database: Path) -> None:
    """Raise `StoreError`, with what to do, if a store can't be read as it is."""
    state = state_of(database)
    if state in _OF_ANOTHER:
        with reading(database) as connection:
            present = columns_of(connection)
        missing = sorted(f"{table}.{name}" for table, names in NEEDED.items() for name in names - present[table])
        if missing:
            raise StoreError(
                f"the store {database} can't be read, as it lacks {', '.join(missing[:5])}, which MLflow has had since "
                "1.0: give another --tracking-uri"
            )
    elif state not in _CURRENT:
        raise StoreError(refusal(database, state))


def check_current(database: Path) -> None:
    """Raise `StoreError` if the installed MLflow can't open a store without a change that its owner didn't ask for."""
    state = state_of(database)
    if state not in _CURRENT:
        raise StoreError(refusal(database, state))


def columns_of(connection: sqlite3.Connection) -> dict[str, frozenset[str]]:
    """Return the columns of each table that runs are read from; none of one that is missing."""
    names = "SELECT name FROM pragma_table_info(?)"
    return {table: frozenset(name for (name,) in connection.execute(names, (table,))) for table in sorted(READ)}


def refusal(database: Path, state: StoreState) -> str:
    """Return in one line why a store that isn't ready can't be used, and what to do."""
    installed, another = version("mlflow"), "give another --tracking-uri"
    year = _year_of(database) if state is StoreState.OLDER else ""
    only = "which alone can write to it, search it or show it; tracker only reads its runs"
    reasons = {
        StoreState.ABSENT: f"does not exist: `tracker run` creates it, or {another}",
        StoreState.EMPTY: "is an empty file: `tracker run` turns it into a store",
        StoreState.OLDER: f"was made by an older MLflow than {SCHEMA_VERSION}{year}, {only}: {another}",
        StoreState.NEWER: f"was made by a newer MLflow than {installed}, {only}: install that MLflow, or {another}",
        StoreState.UPGRADABLE: (
            f"was made by an earlier MLflow than {installed}: `tracker run` or `tracker sync` migrates it"
        ),
        StoreState.HALF_MADE: (
            "was only partly created and holds no run: `tracker repair` sets it aside and creates it again, unless "
            "another program is creating it now"
        ),
    }
    foreign = f"is another program's file, not an MLflow store: {another}"
    return f"the store {database} {reasons.get(state, foreign)}"


def _year_of(database: Path) -> str:
    """Return in words when the schema of a store was made; nothing if that isn't known."""
    with reading(database) as connection:
        revision = _revision(connection, _names(connection, "table"))
    year = _CREATED_IN.search(_scripts().get(revision or "", ""))
    return f", of about {year[1]}" if year else ""


@contextmanager
def reading(database: Path) -> Iterator[sqlite3.Connection]:
    """Open a SQLite file to read one consistent state of it.

    Raises `UnreachableError` if it stays locked or can't be read now, and `BrokenError` if it isn't a SQLite file,
    is damaged, or lacks what is asked for.
    """
    try:
        with _undisturbed(database) as connection:
            yield connection
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        message, code = f"cannot read the store {database}: {damage_of(error)}", _code_of(error)
        if code == sqlite3.SQLITE_NOTADB and not _shows_schema(database):
            message = f"cannot read the store {database}: it is not an SQLite database"
            # the default store may have been overwritten, others are more likely mistyped
            if database.suffix.lower() in _OF_TEXTS or (database.name != DATABASE_NAME and _is_text(database)):
                raise BrokenError(f"{message} but a text: give another --tracking-uri") from error
        if code in _DAMAGED:
            known, unknown = (
                "`tracker repair` sets it aside and creates it again from the journals",
                "give another --tracking-uri or, if runs were uploaded to this one, run `tracker repair`",
            )
            raise BrokenError(f"{message}: {known if _shows_schema(database) else unknown}") from error
        if code == sqlite3.SQLITE_BUSY:
            raise BusyError(f"cannot read the store {database}: another program has it locked; {_ONCE_FREE}") from error
        raise UnreachableError(message) from error


def _is_text(file: Path) -> bool:
    """Return whether the beginning of a file is text."""
    try:
        with open_regular(file) as stream:
            start = stream.read(_LOOKED_AT)
        return b"\0" not in start and bool(codecs.getincrementaldecoder("utf-8")().decode(start))
    except (OSError, UnicodeDecodeError):
        return False


def damage_of(error: BaseException | None) -> str:
    """Return what SQLite says is wrong; it quotes what it read, which may be no text at all."""
    return "its schema is damaged" if isinstance(error, UnicodeDecodeError) else str(error)


def _code_of(error: Exception) -> int:
    if isinstance(error, UnicodeDecodeError):
        return sqlite3.SQLITE_CORRUPT
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY


def text_or_bytes(data: bytes) -> str | bytes:
    """Return a text of a database; its bytes if they are no UTF-8, as they may be if another program wrote them."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


@contextmanager
def _undisturbed(database: Path) -> Iterator[sqlite3.Connection]:
    """Open a file to read one moment of it, or a copy if SQLite would write to it, or beside it, in order to read it.

    That is so of a file in WAL mode, and of one with the journal of a killed writer, which has to be rolled back.
    """
    connection = None
    if not is_in_wal_mode(database):
        try:
            connection = _begun(database)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                raise
    with ExitStack() as stack:
        if connection is None:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            connection = _begun(_copied(database, folder), "rw")
        yield stack.enter_context(closing(connection))


def is_in_wal_mode(database: Path) -> bool:
    """Return whether SQLite would write beside a file only to read it."""
    with suppress(OSError), open_regular(database) as file:
        header = file.read(20)
        return header.startswith(b"SQLite format 3\0") and header.endswith(b"\2")
    return False


def _copied(database: Path, folder: Path) -> Path:
    """Copy a file and what it can't be read without into a folder, as they are at one moment."""
    parts = [Path(f"{database}{ending}") for ending in ("", "-wal", "-journal")]
    deadline = time.monotonic() + BUSY_S
    try:
        while time.monotonic() < deadline:
            before = [_last_change(part) for part in parts]
            for part in parts:
                copy = folder / part.name
                copy.unlink(missing_ok=True)
                with suppress(FileNotFoundError), open_regular(part) as source, copy.open("wb") as target:
                    shutil.copyfileobj(source, target)
            if [_last_change(part) for part in parts] == before:
                return folder / database.name
    except OSError as error:
        raise UnreachableError(f"cannot read the store {database}: {error}") from error
    raise BusyError(f"cannot read the store {database}: another program keeps writing to it; {_ONCE_FREE}")


def _last_change(path: Path) -> tuple[int, int] | None:
    """Return the time and size of a file; None if it isn't there."""
    with suppress(FileNotFoundError):
        status = path.stat()
        return status.st_mtime_ns, status.st_size
    return None


def _begun(database: Path, mode: str = "ro") -> sqlite3.Connection:
    """Open and begin a transaction: all that is read in it is of one moment."""
    uri = f"{database.as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
    connection.text_factory = text_or_bytes
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        connection.close()
        raise
    return connection


def _revision(connection: sqlite3.Connection, tables: set[str]) -> str | None:
    if "alembic_version" not in tables:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None  # another program's may be of any type


def has_own_schema() -> bool:
    """Return whether the installed MLflow is the one that ``schema.sql`` is taken from."""
    return version("mlflow") == SCHEMA_VERSION


@cache
def supported_revisions() -> tuple[str, ...]:
    """Return Alembic's names for the schemas that the installed MLflow uses or migrates: its own, then ever older ones.

    The last is `SCHEMA_REVISION`; if that isn't among its migrations, there is its own alone.
    """
    if has_own_schema():
        return (SCHEMA_REVISION,)
    migrations = _migrations()
    newest = migrations.keys() - set(migrations.values())
    supported = [newest.pop() if len(newest) == 1 else SCHEMA_REVISION]
    while supported[-1] != SCHEMA_REVISION and (earlier := migrations.get(supported[-1])):
        supported.append(earlier)
    return tuple(supported if supported[-1] == SCHEMA_REVISION else supported[:1])


@cache
def _migrations() -> dict[str, str | None]:
    """Return the installed MLflow's migrations, each with the one before it; MLflow itself is not imported."""
    return {revision: dict(_REVISION.findall(text)).get("down_revision") for revision, text in _scripts().items()}


@cache
def _scripts() -> dict[str, str]:
    mlflow = find_spec("mlflow")
    folders = mlflow.submodule_search_locations if mlflow else None
    scripts = Path(folders[0], "store", "db_migrations", "versions").glob("*.py") if folders else ()
    texts = (script.read_text("utf-8") for script in scripts)
    return {names["revision"]: text for text in texts if "revision" in (names := dict(_REVISION.findall(text)))}


def making_lock(database: Path) -> FileLock:
    """Return the lock under which a store is created or moved aside, a file beside it."""
    return FileLock(database.with_name(f"{database.name}.lock"), timeout=MAKING_S)


def make(database: Path, artifacts: str, now: int) -> None:
    """Create or replace an empty store of `SCHEMA_REVISION` at the time `now`, complete or not at all.

    `artifacts` is the URI that the Default experiment keeps its artifacts under.
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
    statement = (
        "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_xinfo(m.name) c WHERE m.type = 'table'"
    )
    with closing(sqlite3.connect(":memory:")) as whole:
        whole.executescript(_statements())
        columns, ours = ({name for (name,) in each.execute(statement)} for each in (whole, connection))
    return sorted(columns - ours)


def _statements() -> str:
    return files("tracker.store").joinpath("schema.sql").read_text("utf-8")


def examine(location: Location, *, has_uploads: bool = False) -> Condition:
    """Return what is wrong with a store, without changing it; raises `UnreachableError` if it stays locked.

    See `tracker.store.Store.examine`.
    """
    database = _database(location)
    try:
        state = state_of(database)
        if state not in _CURRENT:
            return Condition(state, refusal=refusal(database, state))
        with reading(database) as connection:
            (checked,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if checked != "ok":
                return Condition(state, " ".join(str(checked).split()))
            lacking = lacks(connection)
            if lacking:
                return Condition(state, f"it lacks {', '.join(lacking[:5])}{', …' if len(lacking) > 5 else ''}")
            return Condition(state, moved=tuple(_moved(connection, database.parent)))
    except BrokenError as error:
        if has_uploads or _shows_schema(database):
            return Condition(None, damage_of(error.__cause__))
        return Condition(StoreState.FOREIGN, refusal=refusal(database, StoreState.FOREIGN))


def set_aside(location: Location, *, has_uploads: bool = False) -> Path:
    """Move a broken store out of the way, so that another can be created in its place, and return where it is now."""
    database = _database(location)
    check_own(database)
    try:
        with making_lock(database):
            if not examine(location, has_uploads=has_uploads).is_broken:
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
    check_own(database)
    check_current(database)
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
    moved = []
    for place, path in astray:
        as_others = (new / path.relative_to(old) for old, new in bases if path.is_relative_to(old))
        goal = located.get(path) or next((other for other in as_others if other.is_relative_to(folder)), None)
        if goal and (goal.exists() or not path.exists()):
            moved.append(replace(place, new=goal.as_uri() if "://" in place.old else str(goal)))
    return moved


def _astray(connection: sqlite3.Connection, folder: Path) -> list[tuple[ArtifactPath, Path]]:
    """List the paths on this machine that don't exist, or aren't below the store's folder."""
    places = [
        ArtifactPath(table, column, row, old, old)
        for table, column in _COLUMNS
        for row, old in connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall()  # noqa: S608 -- _COLUMNS only
        if isinstance(old, str) and old
    ]
    paths = ((place, written_to(place.old)) for place in places)
    return [(place, path) for place, path in paths if path and not (path.is_relative_to(folder) and path.exists())]


def _bases(old: Path, new: Path) -> tuple[Path, Path]:
    """Return which folder became which: two paths without the folders that they end in alike."""
    while old.name == new.name:
        old, new = old.parent, new.parent
    return old, new
