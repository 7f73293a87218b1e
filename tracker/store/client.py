"""The one door to MLflow: its client, quiet and bounded, the names that others need, and its errors in one line.

Importing this module imports MLflow (2 to 5 s), so only what writes, or reads from a server, imports it.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracker.errors import StoreError
from tracker.store.failures import BusyError, GoneError, UnreachableError

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing here talks to anybody
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # which is for results
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # the default, 7, blocks each call to a dead server for four minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # a database moved aside is never written to any more
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Environment that MLflow reads, some of it when it is imported; what the user has set goes before."""

_GREETING_S = 10
_TOO_MANY, _SERVERS_FAULT = 429, 500
_NOT_THERE = "RESOURCE_DOES_NOT_EXIST"

_BUSY = re.compile(r"database is locked|unique constraint|duplicate (key|entry)", re.IGNORECASE)
"""What databases say where two wrote at once: SQLite, PostgreSQL and MySQL. MLflow looks whether a dataset is there
before it adds it, and another run on the same data may come between."""

for _name, _value in SETTINGS.items():
    os.environ.setdefault(_name, _value)

from mlflow import MlflowClient  # noqa: E402 -- after its settings
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.utils.credentials import get_default_host_creds  # noqa: E402
from mlflow.utils.rest_utils import http_request  # noqa: E402
from requests import HTTPError, RequestException  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.store.location import Location

__all__ = [
    "Dataset",
    "DatasetInput",
    "InputTag",
    "Metric",
    "MlflowClient",
    "MlflowException",
    "Param",
    "RunTag",
    "ViewType",
    "client_of",
    "get_default_host_creds",
    "http_request",
    "one_line_errors",
]


def client_of(location: Location) -> MlflowClient:
    """Return a client of a store. On SQLite the store must be ready: MLflow would make or migrate it otherwise.

    Raises
    ------
    StoreError
        If the store cannot be opened; `UnreachableError` if the server does not answer.
    """
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)  # what goes wrong is raised, and said once
    with one_line_errors(f"cannot open the store {location.shown}"):
        if location.database:
            return _database_client(location.uri)
        _greet(location)
        return MlflowClient(location.uri)


def _database_client(uri: str) -> MlflowClient:
    """Open a database, which raises SQLAlchemy's own error where it is locked; what a client does later does not."""
    from sqlalchemy.exc import OperationalError  # which a client of a server does without

    try:
        return MlflowClient(uri)
    except OperationalError as error:
        raise OSError(str(error)) from error


def _greet(location: Location) -> None:
    """See that a server answers at all, whatever it answers: the first real call would be tried for 13 s."""
    try:
        http_request(get_default_host_creds(location.uri), "/health", "GET", max_retries=0, timeout=_GREETING_S)
    except MlflowException as error:
        raise UnreachableError(
            f"no tracking server answers at {location.shown}: start it, or give another --tracking-uri"
        ) from error


@contextmanager
def one_line_errors(what: str) -> Iterator[None]:
    """Turn what MLflow, the network or the disk raises into a `StoreError` of one line that begins with `what`.

    Raises
    ------
    UnreachableError
        If nobody answered, or who answered could not do it now: a full disk, a fault of the server's own.
    BusyError
        If it was only that another wrote at the same moment.
    GoneError
        If what was asked for is not in the store.
    StoreError
        If it was refused.
    """
    try:
        yield
    except (MlflowException, OSError) as error:
        raise _kind(error)(f"{what}: {_one_line(error)}") from error


def _kind(error: MlflowException | OSError) -> type[StoreError]:
    if _BUSY.search(str(error)):
        return BusyError
    if isinstance(error, MlflowException):
        return GoneError if error.error_code == _NOT_THERE else _kind_of_status(error.get_http_status_code())
    if isinstance(error, HTTPError) and error.response is not None:
        return _kind_of_status(error.response.status_code)
    return UnreachableError


def _kind_of_status(status: int) -> type[StoreError]:
    return UnreachableError if status == _TOO_MANY or status >= _SERVERS_FAULT else StoreError


def _one_line(error: Exception) -> str:
    """Return the part of an error that says something: not SQLAlchemy's statement, background, advice and classes."""
    text = re.split(r"\n\[SQL|\(Background on", _unanswered(error) or str(error))[0]
    text = re.sub(r"\((raised as a result of [^)]*|sqlite3\.\w+)\)", "", text)
    return " ".join(text.split())[:500] or type(error).__name__


def _unanswered(error: Exception) -> str | None:
    """Return what was wrong with a connection, which comes wrapped in whose it was and what was asked, twice."""
    wrapped = error if isinstance(error, RequestException) else error.__context__
    if not isinstance(wrapped, RequestException) or not wrapped.args:
        return None
    return str(getattr(wrapped.args[0], "reason", wrapped)).rpartition("): ")[2]
