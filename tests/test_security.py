"""SECURITY.md states the limits that the code has."""

from __future__ import annotations

import re
from pathlib import Path

from tracker.contained_files import (
    LARGEST_ARTIFACT,
    LARGEST_CHECKPOINT,
    LARGEST_JOURNAL,
    LARGEST_RECORD,
    LARGEST_SOURCE,
)
from tracker.runs.samples import MOST_CLASSES, MOST_SAMPLES
from tracker.store.connection import LONGEST_ANSWER, MOST_PAGES
from tracker.store.mlflow_client import SETTINGS
from tracker.store.run_files import LARGEST_NPZ, MOST_PROBABILITIES, MOST_ROWS
from tracker.store.run_files import LARGEST_TABLE as LARGEST_LOGGED_TABLE
from tracker.store.server import LARGEST_ARCHIVE, LARGEST_TABLE, MOST_RUNS
from tracker.table import cells
from tracker.table.runs import MOST_RUNS as MOST_TABLE_RUNS

PAGE = Path(__file__).parents[1] / "SECURITY.md"


def test_limits_are_those_of_the_code() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("\n## Limits\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+) \| (.+) \|$", section, re.MULTILINE)
    sizes = (LARGEST_RECORD, LARGEST_ARTIFACT, LARGEST_JOURNAL, LARGEST_CHECKPOINT, LARGEST_NPZ)
    stated = [f"{size >> 30} GiB" if size >= 1 << 30 else f"{size >> 20} MiB" for size in sizes]
    assert [limit for _, limit in rows][2:] == [
        *stated,
        f"{MOST_SAMPLES:,}; {MOST_CLASSES:,}; {MOST_PROBABILITIES:,}; {MOST_ROWS:,}",
        f"{cells.MOST_ROWS:,}; {cells.MOST_COLUMNS:,}; {cells.MOST_CELLS:,}; {MOST_TABLE_RUNS:,}",
        f"{LONGEST_ANSWER >> 20} MiB",
        f"{MOST_PAGES:,}; {MOST_RUNS:,}",
        SETTINGS["MLFLOW_HTTP_REQUEST_TIMEOUT"],
    ]
    assert LARGEST_SOURCE == LARGEST_ARTIFACT == LARGEST_ARCHIVE
    assert LARGEST_TABLE == LONGEST_ANSWER == LARGEST_LOGGED_TABLE
