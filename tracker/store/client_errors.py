"""Whatever goes wrong between a client and its store, as a `StoreError` of one line.

Clients raise errors of their own kinds: that of a SQLite file `ClientError`, MLflow's and that of a server MLflow's
exceptions, which have the same codes, and requests what the network does. None of these libraries is imported here.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.contained_files import UnsafePathError
from tracker.errors import StoreError
from tracker.store import BusyError, GoneError, UnreachableError
from tracker.store.location import public_text, secrets_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

NOT_THERE = "RESOURCE_DOES_NOT_EXIST"  # the code of an error if a run or an experiment is missing
IS_THERE = "RESOURCE_ALREADY_EXISTS"
INVALID = "INVALID_PARAMETER_VALUE"
MUST_BE_ACTIVE = "must be in the 'active' state"  # what MLflow says of a deleted run that is written to

# What databases say where two wrote at once: SQLite, PostgreSQL and MySQL. MLflow looks whether a dataset is there
# before it adds it, and another run on the same data may come between.
_BUSY = re.compile(r"database is locked|unique constraint|duplicate (key|entry)", re.IGNORECASE)
_TOO_MANY, _SERVERS_FAULT = 429, 500
_FINAL = {NOT_THERE: GoneError, INVALID: StoreError}  # codes that say what kind of error it is


class ClientError(Exception):
    """A store that refuses, or can't do it now, as SQLite says it; status and code are those that a server answers."""

    def __init__(self, message: str, status: int = 500, code: str = "INTERNAL_ERROR") -> None:
        super().__init__(message)
        self.error_code, self._status = code, status

    def get_http_status_code(self) -> int:
        """Return the status that a server would answer with."""
        return self._status


@dataclass(frozen=True)
class Ignored:
    """Goes on after the error of a client that has a code; any other is raised."""

    code: str

    def __enter__(self) -> None:
        """Begin what may raise it."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        """Return whether the error is that one."""
        return getattr(error, "error_code", None) == self.code


@contextmanager
def one_line_errors(what: str, uri: str = "") -> Iterator[None]:
    """Turn what a client, the network or the disk raises into a `StoreError` of one line that begins with `what`.

    Credentials in `uri`, that of the store, are hidden in it.

    It is an `UnreachableError` if the store didn't answer or couldn't do it now, a `BusyError` if another process wrote
    at the same moment, a `GoneError` if the run or experiment isn't there, and a plain one if it was refused.
    """
    try:
        yield
    except _client_errors() as error:
        raise _kind(error)(f"{what}: {in_one_line(error, uri)}") from error


def _client_errors() -> tuple[type[Exception], ...]:
    return (ClientError, OSError, *_raised_by("mlflow.exceptions", "MlflowException"))


def _raised_by(module: str, name: str) -> tuple[type[Exception], ...]:
    """Return an error of a library; nothing unless it is imported, as it can't be raised then."""
    raised = getattr(sys.modules.get(module), name, None)  # another thread may be importing it
    return (raised,) if raised else ()


def _kind(error: Any) -> type[StoreError]:
    code = getattr(error, "error_code", None)
    if code in _FINAL:  # whatever such an error quotes
        return _FINAL[code]
    if _BUSY.search(str(error)):
        return BusyError
    if isinstance(error, OSError):
        response = getattr(error, "response", None)  # of a request that was answered
        if response is None:
            return StoreError if isinstance(error, UnsafePathError) else UnreachableError
        status = response.status_code
    else:
        status = error.get_http_status_code()
    return UnreachableError if status == _TOO_MANY or status >= _SERVERS_FAULT else StoreError


def in_one_line(error: Exception, uri: str = "") -> str:
    """Return the part of an error that says something: not SQLAlchemy's statement, background, advice and classes."""
    text, of_requests = str(error), _raised_by("requests", "RequestException")
    wrapped = error if isinstance(error, of_requests) else error.__context__
    if isinstance(wrapped, of_requests) and wrapped.args:  # twice, in the address and in the request
        reason = getattr(wrapped.args[0], "reason", wrapped.args[0])
        inner = reason.args[-1] if isinstance(reason, Exception) and reason.args else reason
        text = str(inner if isinstance(inner, Exception) else reason).rpartition("): ")[2] or str(inner) or text
    text = re.split(r"\n\[SQL|\(Background on", text)[0]
    text = re.sub(r"\((raised as a result of [^)]*|sqlite3\.\w+)\)", "", text)
    text = public_text(text[:10_000], secrets_of(os.environ, uri))
    return " ".join(text.split())[:500] or type(error).__name__
