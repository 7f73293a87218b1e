"""The one door to MLflow, which is quiet and bounded: its settings come before it.

Importing this module imports MLflow, which takes two seconds, so only what asks a server does, or what has MLflow write
to a file: `tracker.store.database_client` writes most of what is written to one.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.store.location import Location

# Environment that MLflow reads, some of it when it is imported; what the user has set goes before.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing here talks to anybody
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # which is for results
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # the default, 7, blocks each call to a dead server for four minutes
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "12",  # seconds that one call may take with its retries
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # a database moved aside is never written to any more
    "GIT_PYTHON_REFRESH": "quiet",
}

for _name, _value in SETTINGS.items():
    os.environ.setdefault(_name, _value)
try:
    Path.home()
except RuntimeError:  # an account without a name: MLflow builds a path from the home when it is imported
    os.environ["HOME"] = "/nonexistent"  # as Debian has it for accounts that have none

from mlflow import MlflowClient  # noqa: E402 -- after its settings
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_TIMEOUT  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.utils.credentials import get_default_host_creds  # noqa: E402
from mlflow.utils.rest_utils import http_request  # noqa: E402

for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # errors are raised, and printed once

__all__ = [
    "MLFLOW_HTTP_REQUEST_TIMEOUT",
    "MlflowClient",
    "MlflowException",
    "get_default_host_creds",
    "http_request",
    "make_database",
    "mlflow_client",
]


def mlflow_client(location: Location) -> MlflowClient:
    """Return MLflow's client of a SQLite file, which must be ready: MLflow would create or migrate it.

    Raises `OSError` if it is locked, or MLflow's own errors.
    """
    from sqlalchemy.exc import OperationalError  # which a client of a server does without

    try:
        return MlflowClient(location.uri)
    except OperationalError as error:  # if it is locked; later calls raise MLflow's own error
        raise OSError(str(error)) from error


def make_database(uri: str, artifacts: str) -> None:
    """Have MLflow make a SQLite file of its own schema, which takes it 4 s."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(uri, artifacts)
