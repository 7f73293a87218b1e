"""What spares tests time: each process loads, or goes through, only once what is the same each time."""

from __future__ import annotations

import gc
import sys
from functools import cache


def freeze_modules() -> None:
    """Spare the garbage collector what has been imported: going through it takes half a second."""
    gc.collect()
    gc.freeze()


def remember_migrations() -> None:
    """Let MLflow, once it is imported, load its 67 migrations for the first store alone: their last stays the last."""
    utils = sys.modules.get("mlflow.store.db.utils")
    if utils and not hasattr(utils._get_latest_schema_revision, "cache_info"):
        utils._get_latest_schema_revision = cache(utils._get_latest_schema_revision)
