"""A sweep of eight runs by four processes into a server on PostgreSQL that is restarted meanwhile.

    python -m bench.team [--folder .compat]

Needs what `make compat` installs into the folder, and PostgreSQL. The sweep is one command; while it trains, the server
is ended and started again. Afterwards every value of every journal must be in the database, once, and the report must
be written from it. The exit status is 1 if anything is missing or there twice.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.compat import Bench, postgres
from bench.sweep import write_clips
from tracker.journal.reader import Journal, journals
from tracker.store import store_at
from tracker.store.mlflow_run import values_of
from tracker.store.mlflow_store import free_port

EXPERIMENT = "team"
RUNS, AWAY_S, POLL_S = 8, 5.0, 0.2
WORDS = ("--kernel", "3,5", "--seeds", "4", "--epochs", "15", "--segment", "1", "--jobs", "4", "--yes")
ROWS = "SELECT count(*), count(DISTINCT (run_uuid, key, step, value)) FROM metrics"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench.team", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path(".compat"), help="what `make compat` installed")
    folder = parser.parse_args().folder.resolve()
    sys.path.append(str(folder / "drivers"))
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(folder, Path(scratch))
        write_clips(bench.scratch / "data")
        work = bench.scratch / "work"
        work.mkdir()
        with postgres(bench) as uri:
            faults = trained_and_found(bench, uri, work)
    for fault in faults:
        print(fault)
    print("every value is there once" if not faults else f"{len(faults)} faults")
    return 1 if faults else 0


def trained_and_found(bench: Bench, uri: str, work: Path) -> list[str]:
    """Run the sweep, with the server away for some seconds, and return what is wrong with what it logged."""
    port = free_port(0)
    options = (f"--backend-store-uri={uri.replace(':', '+psycopg2:', 1)}", "--serve-artifacts",
               f"--artifacts-destination={bench.scratch / 'artifacts'}")  # fmt: skip
    environment = {**bench.environment(), "PYTHONPATH": os.environ.get("PYTHONPATH", str(Path.cwd()))}
    server = bench.server(None, bench.with_drivers(), *options, port=port)
    experiment = ("--experiment", EXPERIMENT)

    def tracker(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tracker", *words, "--tracking-uri", f"http://127.0.0.1:{port}"]
        return subprocess.Popen(command, cwd=work, env=environment, stdout=subprocess.PIPE, text=True)

    with server:
        sweep = tracker("sweep", "--data", str(bench.scratch / "data"), *WORDS, *experiment)
        while sweep.poll() is None and sum(one.ended is not None for one in kept(work)) < RUNS // 4:
            time.sleep(POLL_S)
        print(f"the server ends; {len(kept(work))} runs have begun", flush=True)
    time.sleep(AWAY_S)
    with bench.server(None, bench.with_drivers(), *options, port=port) as address:
        faults = [] if sweep.wait() == 0 else [f"tracker sweep exited with {sweep.returncode}"]
        synced = tracker("sync")
        synced.wait()
        faults += differences(kept(work), address, uri, bench)
        report = tracker("report", "--format", "summary", *experiment)
        title = (report.communicate()[0].splitlines() or ["no report"])[0]
        print(f"report: {title}")
        return faults + ([] if report.returncode == 0 else [f"tracker report exited with {report.returncode}"])


def kept(work: Path) -> list[Journal]:
    """Return the journals of the trainings, without that of the run that holds them together."""
    return [one for one in journals(work / ".tracker") if one.started.params]


def differences(found: list[Journal], address: str, uri: str, bench: Bench) -> list[str]:
    """Return what the store lacks of the journals, and what it has twice."""
    import psycopg2

    faults = [] if len(found) == RUNS else [f"{len(found)} journals"]
    faults += [f"run {one.name} is not wholly sent" for one in found if one.unsent]
    stored = {run.journal_id: run for run in store_at(address, bench.scratch).read(EXPERIMENT).runs}
    faults += (
        [] if len([run for run in stored.values() if run.curves]) == RUNS else [f"{len(stored)} runs in the store"]
    )
    for journal in found:
        run = stored.get(journal.id)
        sent = [value for values in values_of(journal.events) for value in values]
        here = sum(len(curve.steps) for curve in run.curves.values()) if run else 0
        if run is None or here != len({(value.key, value.step) for value in sent}) or not run.validation:
            faults.append(f"run {journal.name}: {here} of {len(sent)} values")
    with psycopg2.connect(uri) as connection, connection.cursor() as cursor:
        cursor.execute(ROWS)
        rows, distinct = cursor.fetchone()
    expected = sum(len(values) for journal in found for values in values_of(journal.events))
    print(f"{len(found)} runs, {expected} values logged, {rows} rows in PostgreSQL, {distinct} of them distinct")
    return faults + ([] if rows == expected else [f"{rows} rows for {expected} values"])


if __name__ == "__main__":
    sys.exit(main())
