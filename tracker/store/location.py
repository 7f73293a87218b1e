"""Where a store is: what a tracking URI means, told without opening anything.

Conventions: a store is either one SQLite database, with its artifacts under ``mlruns/`` beside it, or a tracking
server. URIs are absolute, so that a change of the working directory changes nothing.

Why a store was not written to or read, where what to do next depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from tracker.errors import StoreError

DATABASE_NAME = "mlflow.db"
"""MLflow's own default, so that a plain ``mlflow ui`` in the same folder shows the same runs."""

_ARTIFACTS = "mlruns"
_DATABASE_SUFFIXES = {".db", ".sqlite", ".sqlite3"}


@dataclass(frozen=True, slots=True)
class Location:
    """Where a store is.

    Parameters
    ----------
    uri : str
        Absolute, as MLflow takes it.
    database : Path or None
        The SQLite file; None for a tracking server.
    artifacts : str
        URI that new experiments keep their artifacts under; empty for a tracking server, which decides itself.
    """

    uri: str
    database: Path | None
    artifacts: str

    @property
    def shown(self) -> str:
        """The store as a person names it: a path or an address."""
        return str(self.database) if self.database else _without_password(self.uri)


def locate(tracking_uri: str | None, folder: Path) -> Location:
    """Say where the store of a tracking URI is.

    Parameters
    ----------
    tracking_uri : str or None
        ``sqlite:///`` with a relative or absolute path, a path to a database or to its folder, or the address of a
        tracking server; None or empty: MLflow's default, ``sqlite:///mlflow.db``.
    folder : Path
        What relative paths are relative to: the working directory.

    Raises
    ------
    StoreError
        If it is a folder of MLflow's file store, or of a kind that cannot be read safely.
    """
    given = (tracking_uri or "").strip()
    scheme = _scheme(given)
    if scheme in {"http", "https"}:
        return Location(given.rstrip("/"), None, "")
    if scheme in {"sqlite", "sqlite+pysqlite"}:
        return _beside(_sqlite_path(given), folder)
    if scheme == "file":
        raise _file_store(given)
    if scheme:
        raise StoreError(
            f"cannot use the store {_without_password(given)}: tracker takes a SQLite file or a tracking server; "
            "start `mlflow server` on that database and give its http address"
        )
    return _beside(_database_at(Path(given), folder), folder)


def _scheme(given: str) -> str:
    """Return what stands before a colon, unless that comes after a slash: a path may have one."""
    scheme, colon, _ = given.partition(":")
    return scheme.lower() if colon and "/" not in scheme else ""


def _sqlite_path(uri: str) -> Path:
    """Return the path in a SQLite URI as SQLAlchemy reads it: after three slashes, percent-decoded."""
    path = unquote(uri.partition("://")[2].partition("?")[0])
    if not path.startswith("/") or path in {"/", "/:memory:"}:
        raise StoreError(f"{uri} names no file: a SQLite store is sqlite:///PATH, such as sqlite:///{DATABASE_NAME}")
    return Path(path[1:])


def _database_at(path: Path, folder: Path) -> Path:
    """Return the database that a bare path means: itself, or the default one in that folder."""
    there = folder / path
    if there.is_file() or (path.suffix in _DATABASE_SUFFIXES and not there.is_dir()):
        return path
    if any(there.glob("*/meta.yaml")):
        raise _file_store(str(path))
    return path / DATABASE_NAME


def _beside(path: Path, folder: Path) -> Location:
    database = Path((folder / path).absolute())
    quoted = str(database).replace("%", "%25").replace("?", "%3F")
    return Location(f"sqlite:///{quoted}", database, (database.parent / _ARTIFACTS).as_uri())


def _file_store(given: str) -> StoreError:
    return StoreError(
        f"{given} is one of MLflow's file stores, which MLflow itself no longer opens: convert it with "
        "`mlflow migrate-filestore` and give the SQLite store that it writes, as sqlite:///PATH"
    )


def _without_password(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


class UnreachableError(StoreError):
    """A store is away, locked or full; nothing was refused, and the same may be done another time."""


class BusyError(UnreachableError):
    """Another writer was at the same rows at the same moment; the same may be done at once."""


class GoneError(StoreError):
    """A store answers and has not, or no longer, what is to be written to or read: the run, or its experiment."""


class BrokenError(StoreError):
    """A store's file is damaged, or is none: nothing but setting it aside helps."""
