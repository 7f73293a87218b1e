"""Runs read from a store in PostgreSQL, MySQL or SQL Server, as MLflow's servers have them: nothing is written there.

They are read through SQLAlchemy, which MLflow brings, and by the statements that a SQLite file is read by. The driver
of the database is the user's to install.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tracker.errors import StoreError
from tracker.store import UnreachableError
from tracker.store.database import NEEDED, READ
from tracker.store.location import find_artifacts, path_of, public_text, secrets_of
from tracker.store.reader import Rows, check_has_runs, id_of_experiment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import sqlalchemy

    from tracker.store import ByEpoch, Experiment
    from tracker.store.location import Location
    from tracker.store.mlflow_run import Record
    from tracker.store.reader import Cursor

_CONNECTING_S = 10
# The drivers of a database under SQLAlchemy's names, with their modules; and the package of one that lacks.
_DRIVERS = {
    "postgresql": {"psycopg2": "psycopg2", "psycopg": "psycopg", "pg8000": "pg8000"},
    "mysql": {"mysqldb": "MySQLdb", "pymysql": "pymysql"},
    "mssql": {"pyodbc": "pyodbc", "pymssql": "pymssql"},
}
_PACKAGES = {"postgresql": "psycopg2-binary", "mysql": "pymysql", "mssql": "pyodbc"}
_PARAMETER = re.compile(r"\?")
_KEY = re.compile(r"\bkey\b")  # a name that some databases want quoted


def read_sql(location: Location, folder: Path, name: str, by_epoch: ByEpoch) -> Experiment:
    """Read an experiment; relative paths of artifacts are relative to a folder. Raises what reading a store raises."""
    with _connected(location) as connection:
        columns = _columns(connection.connection)
        missing = sorted(f"{table}.{name}" for table, names in NEEDED.items() for name in names - columns[table])
        if missing:
            raise StoreError(
                f"{location.shown} is not an MLflow store, as it lacks {', '.join(missing[:3])}: give another "
                "--tracking-uri"
            )
        true = "true" if connection.connection.dialect.name == "postgresql" else "1"
        rows = Rows(connection, id_of_experiment(connection, location, name), columns, true).read()

    def fetch(record: Record, path: str) -> bytes | None:
        return _fetch(record, path, folder)

    return check_has_runs(rows.experiment(name, fetch, by_epoch), location.shown)


def sql_experiment_name(location: Location, experiment_id: str) -> str | None:
    """Return the name of an experiment; see `tracker.store.Store.experiment_name`."""
    if not experiment_id.isdecimal():
        return None
    with _connected(location) as connection:
        statement = "SELECT name FROM experiments WHERE experiment_id = ?"
        row = connection.execute(statement, (int(experiment_id),)).fetchone()
        return row[0] if row and isinstance(row[0], str) else None


def _fetch(record: Record, path: str, folder: Path) -> bytes | None:
    """Return an artifact; raise `OSError` if it isn't known whether it is there, as it would be on another machine."""
    if record.artifact_uri.startswith("mlflow-artifacts:"):
        raise OSError("the run's artifacts are kept by its tracking server: give its address as --tracking-uri")
    found = find_artifacts(record.artifact_uri, folder, record.run_id)
    if found:
        return found.read(path)
    place = path_of(record.artifact_uri)
    if place and not (folder / place).parent.parent.is_dir():
        raise OSError(f"the run's artifacts are at {place}, and only those on this machine are read")
    return None


@dataclass(frozen=True, slots=True)
class _Connection:
    """A connection that takes statements as SQLite does."""

    connection: sqlalchemy.Connection

    def execute(self, statement: str, parameters: tuple[object, ...] = (), /) -> Cursor:
        from sqlalchemy import text

        numbers = iter(range(len(parameters)))
        key = self.connection.dialect.identifier_preparer.quote("key")
        named = _PARAMETER.sub(lambda _: f":p{next(numbers)}", _KEY.sub(lambda _: key, statement))
        cursor: Any = self.connection.execute(text(named), {f"p{i}": value for i, value in enumerate(parameters)})
        return cursor  # type: ignore[no-any-return]


def _columns(connection: sqlalchemy.Connection) -> dict[str, set[str]]:
    from sqlalchemy import inspect

    inspector = inspect(connection)
    present = set(inspector.get_table_names())  # a view would compute what is read
    return {
        table: {column["name"] for column in inspector.get_columns(table)} if table in present else set()
        for table in sorted(READ)
    }


@contextmanager
def _connected(location: Location) -> Iterator[_Connection]:
    """Connect to read one moment of a database; what is wrong is an error of one line, without the password."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
    from sqlalchemy.pool import NullPool

    kind = location.uri.partition(":")[0].lower().partition("+")[0]
    has_timeout = kind in {"postgresql", "mysql"}
    options: dict[str, Any] = {"connect_args": {"connect_timeout": _CONNECTING_S}} if has_timeout else {}
    try:
        engine = create_engine(_with_driver(location.uri, kind), poolclass=NullPool, **options)
        level = {"isolation_level": "REPEATABLE READ"} if has_timeout else {}
        with engine.connect().execution_options(**level) as connection:
            yield _Connection(connection)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise StoreError(
            f"reading {location.shown} needs a driver of that database: `pip install {_PACKAGES[kind]}`"
        ) from error
    except ArgumentError as error:
        raise StoreError(f"{location.shown} isn't an address of a database: {_reason(error, location)}") from error
    except DBAPIError as error:
        raise UnreachableError(f"cannot read the store {location.shown}: {_reason(error.orig, location)}") from error
    except SQLAlchemyError as error:
        raise UnreachableError(f"cannot read the store {location.shown}: {_reason(error, location)}") from error


def _with_driver(uri: str, kind: str) -> str:
    """Return a URI that names a driver that is installed, if there is one and it names none."""
    scheme, colon, rest = uri.partition(":")
    installed = next((name for name, module in _DRIVERS.get(kind, {}).items() if find_spec(module)), None)
    return f"{kind}+{installed}{colon}{rest}" if installed and "+" not in scheme else uri


def _reason(error: BaseException | None, location: Location) -> str:
    text = public_text(str(error)[:10_000], secrets_of(os.environ, location.uri))
    return " ".join(text.split())[:300] or type(error).__name__
