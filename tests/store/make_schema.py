"""Write tracker/store/schema.sql: the empty store that the oldest supported MLflow makes, as SQL.

    python tests/store/make_schema.py

Run it with that MLflow when it changes, and put its version and revision into tracker/store/database.py; the tests
compare the file with a store made by MLflow.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

HEADER = f"-- The empty store of MLflow {version('mlflow')}, written by tests/store/make_schema.py"
SCHEMA = Path(__file__).parents[2] / "tracker" / "store" / "schema.sql"


def migrated(folder: Path) -> Path:
    """Let MLflow make a store in `folder`."""
    from mlflow import MlflowClient

    database = folder / "by_mlflow.db"
    MlflowClient(f"sqlite:///{database}")
    return database


def dump(database: Path) -> str:
    """Return a store as SQL without its Default experiment, whose location and time are those of its making."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DELETE FROM experiments")
        return "\n".join([HEADER, *connection.iterdump()]) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        SCHEMA.write_text(dump(migrated(Path(made))), encoding="utf-8")
