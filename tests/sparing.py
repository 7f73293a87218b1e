"""What spares tests time: each process loads, or goes through, only once what is the same each time."""

from __future__ import annotations

import gc
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def freeze_modules() -> None:
    """Spare the garbage collector what has been imported: going through it takes half a second."""
    gc.collect()
    gc.freeze()


def collect_garbage_seldom() -> None:
    """Let the garbage collector run every 50,000 objects instead of every 700: it would take a seventh of all time."""
    gc.set_threshold(50_000, 20, 100)


def remember_migrations() -> None:
    """Let MLflow, once it is imported, load its 67 migrations for the first store alone: their last stays the last."""
    utils = sys.modules.get("mlflow.store.db.utils")
    if utils and not hasattr(utils._get_latest_schema_revision, "cache_info"):
        utils._get_latest_schema_revision = cache(utils._get_latest_schema_revision)


def compile_tests(config: pytest.Config) -> None:
    """Compile all files of tests as pytest does when it imports them: in a fresh checkout each worker would do it."""
    from _pytest.assertion import rewrite

    if sys.dont_write_bytecode:
        return
    state = config.stash[rewrite.assertstate_key]
    tests = Path(__file__).parent
    for path in (*tests.rglob("test_*.py"), *tests.rglob("conftest.py")):
        folder = rewrite.get_cache_dir(path)
        compiled = folder / f"{path.stem}{rewrite.PYC_TAIL}"
        if rewrite.try_makedirs(folder) and rewrite._read_pyc(path, compiled) is None:
            source, code = rewrite._rewrite_test(path, config)
            rewrite._write_pyc(state, code, source, compiled)
