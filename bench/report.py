"""How long `tracker report` takes as a whole command, and how much memory, beside a loop over MLflow's own calls.

    python bench/report.py [--form json] [--most 10000] [--epochs 30]

Each line of the table is one experiment: its runs, seconds from starting the command to its end, processor seconds, the
limit, the memory at its peak, and the seconds of `search_runs` with `get_metric_history` once a run and metric, which
only reads. Every run has 6 metrics over 30 epochs and 12 params; three options vary, under several seeds. The exit
status is 1 if a limit is exceeded. On a busy machine compare the processor seconds. With `--most 100000` an experiment
of 100,000 runs is measured too: its store takes 5 GB of disk, with `--epochs 10` 1.7 GB.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient

from bench.store import EPOCHS, METRICS, fill
from tracker.store.location import Location, locate

TRACKER = Path(sys.executable).with_name("tracker")
EXPERIMENT = "many"
# runs, and the seconds and MB that their report may take
LIMITS = ((4, 1.5, 1_000), (1_000, 2.5, 1_000), (10_000, 15.0, 1_000), (100_000, 150.0, 3_000))
LEVELS = (5, 3, 2)  # of the options 1, 2 and 3
TIMES_FASTER = 10  # than the loop, at the experiment with which the two are compared
COMPARED = 1_000


@dataclass(frozen=True)
class Measured:
    """A command's seconds, those of processors, and its memory at the peak."""

    seconds: float
    processor: float
    megabytes: float


def make_experiment(folder: Path, runs: int, epochs: int) -> Location:
    """Return a store of runs that differ in three options, in their seed and in every metric."""
    location = locate(None, folder)
    fill(location, runs, epochs, lambda number: 0.5 + number * 0.618 % 1 / 2)
    with closing(sqlite3.connect(location.database)) as connection:
        ids = sorted(run_id for (run_id,) in connection.execute("SELECT run_uuid FROM runs"))
        columns = ", ".join(f"'option {place}' TEXT" for place in range(1 + len(LEVELS)))
        connection.execute(f"CREATE TEMP TABLE planned (id TEXT PRIMARY KEY, number INT, {columns})")
        marks = ", ".join("?" * (3 + len(LEVELS)))
        connection.executemany(f"INSERT INTO planned VALUES ({marks})", map(planned, ids, range(runs)))  # noqa: S608
        for place in range(1 + len(LEVELS)):
            of_run = f"(SELECT planned.'option {place}' FROM planned WHERE id = run_uuid)"  # noqa: S608
            connection.execute(f"UPDATE params SET value = {of_run} WHERE key = 'option {place}'")  # noqa: S608
        connection.execute("UPDATE params SET key = 'seed' WHERE key = 'option 0'")
        connection.execute("UPDATE runs SET start_time = (SELECT number FROM planned WHERE id = run_uuid)")
        connection.commit()
    return location


def planned(run_id: str, number: int) -> tuple[object, ...]:
    """Return a run's id and number, its seed and its levels."""
    rest, levels = number, list[str]()
    for count in LEVELS:
        levels.append(str(rest % count))
        rest //= count
    return run_id, number, str(rest), *levels


def measure(folder: Path, form: str) -> Measured:
    words = [TRACKER, "report", "--experiment", EXPERIMENT, "--format", form, "--output", f"report.{form}"]
    began = time.perf_counter()
    process = subprocess.Popen([*words], cwd=folder, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"})
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"tracker report exits with {process.returncode}")
    return Measured(
        seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    )


def loop_seconds(location: Location) -> float:
    client = MlflowClient(location.uri)
    experiment_id = client.get_experiment_by_name(EXPERIMENT).experiment_id
    began = time.perf_counter()
    for run in client.search_runs([experiment_id], max_results=50_000):
        for key in METRICS:
            client.get_metric_history(run.info.run_id, key)
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--form", default="json", choices=("markdown", "html", "pdf", "latex", "csv", "json"))
    parser.add_argument("--most", type=int, default=10_000, help="runs of the largest experiment")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of each run")
    asked = parser.parse_args()
    kept = True
    heads = ("runs", "seconds", "of them processor", "limit", "peak MB", "loop, seconds", "times faster")
    print(f"| {' | '.join(heads)} |\n|{' ---: |' * len(heads)}")
    for runs, limit, most_mb in LIMITS:
        if runs > asked.most:
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            location = make_experiment(folder, runs, asked.epochs)
            measure(folder, asked.form)  # so that files and byte code are in memory
            found = min(
                (measure(folder, asked.form) for _ in range(3 if runs < COMPARED else 1)), key=lambda m: m.seconds
            )
            loop = loop_seconds(location) if runs == COMPARED else None
        faster = None if loop is None else loop / found.seconds
        kept &= found.seconds < limit and found.megabytes < most_mb
        kept &= faster is None or faster >= TIMES_FASTER
        beside = "| – | – |" if loop is None or faster is None else f"| {loop:.1f} | {faster:.0f} |"
        print(
            f"| {runs:,} | {found.seconds:.2f} | {found.processor:.2f} | {limit} | {found.megabytes:.0f} {beside}",
            flush=True,
        )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
