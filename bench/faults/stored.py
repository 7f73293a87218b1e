"""What a store has of a run, held against the same run that nobody killed: to the last bit, and to the last file."""

from __future__ import annotations

import hashlib
import logging
import shutil
import sqlite3
import tempfile
import zipfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import StoreError
from tracker.store.database import examine
from tracker.store.location import locate
from tracker.store.reader import read_experiment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tracker.runs import Run

STORE = "mlflow.db"
EXPERIMENT = "tracker"

_WEIGHTS = "model.weights.h5"
_DATED = frozenset({"model/MLmodel"})
"""Artifacts that say when they were written, or of which run: they must be there, and no more."""


@dataclass(frozen=True)
class Stored:
    """A run as a store has it.

    Parameters
    ----------
    run : Run
    files : mapping of str to str
        A digest of each artifact by its path; of the model, of its weights alone.
    rows : mapping of (str, int) to int
        How many values the store has of a metric at an epoch: whoever reads a curve takes the last of them.
    """

    run: Run
    files: Mapping[str, str]
    rows: Mapping[tuple[str, int], int]

    def differing(self, expected: Stored) -> int:
        """Count what is not the same to the last bit, or there twice: metrics, curves, predictions, artifacts."""
        files = set(expected.files.items()) ^ set(self.files.items())
        return _differing(self.run, expected.run) + len(files) + sum(n > 1 for n in self.rows.values())


def stored(work: Path) -> tuple[Stored, ...]:
    """Return the runs that the store in a folder has, none where it cannot be read."""
    try:
        runs = read_experiment(locate(None, work), EXPERIMENT).runs
    except StoreError:
        return ()
    return tuple(
        Stored(run, _files(work / "mlruns" / EXPERIMENT / run.run_id / "artifacts"), _rows(work, run)) for run in runs
    )


def is_broken(work: Path) -> bool:
    """Tell whether the store in a folder is damaged or half-made; one that is not there yet is neither."""
    return examine(locate(None, work)).is_broken or not _is_whole(work)


def opens(work: Path) -> None:
    """Read the store in a folder as MLflow does; what it cannot read, it raises."""
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    client = MlflowClient(locate(None, work).uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    for run in client.search_runs([experiment.experiment_id]):
        for key in run.data.metrics:
            client.get_metric_history(run.info.run_id, key)


def _is_whole(work: Path) -> bool:
    """Have SQLite check a copy, index by index, so that whoever opens the store next finds it as the kill left it."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (STORE, f"{STORE}-journal"):
            if (work / name).exists():
                shutil.copyfile(work / name, Path(folder, name))
        with closing(sqlite3.connect(Path(folder, STORE))) as copy:
            return copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _differing(run: Run, expected: Run) -> int:
    names = expected.metrics.keys() - {"epoch_seconds"}
    ends = [run.metrics.get(name) == expected.metrics[name] for name in names]
    curves = [
        name in run.curves and np.array_equal(run.curves[name].values, expected.curves[name].values)
        for name in names & expected.curves.keys()
    ]
    return [*ends, *curves, np.array_equal(_said(run), _said(expected))].count(False)


def _said(run: Run) -> NDArray[np.float64]:
    """Return what a run says of the validation clips; nothing where it came to no end."""
    return run.validation.probabilities if run.validation else np.empty(0)


def _rows(work: Path, run: Run) -> dict[tuple[str, int], int]:
    query = "SELECT key, step, count(*) FROM metrics WHERE run_uuid = ? AND step > 0 GROUP BY key, step"
    with closing(sqlite3.connect(work / STORE)) as connection:
        return {(key, step): n for key, step, n in connection.execute(query, (run.run_id,))}


def _files(artifacts: Path) -> dict[str, str]:
    files = {path.relative_to(artifacts).as_posix(): path for path in artifacts.rglob("*") if path.is_file()}
    return {name: "" if name in _DATED else hashlib.sha256(_content(path)).hexdigest() for name, path in files.items()}


def _content(path: Path) -> bytes:
    if path.suffix != ".keras":
        return path.read_bytes()
    with zipfile.ZipFile(path) as model:
        return model.read(_WEIGHTS)
