"""Sweeps on clusters of two workers that are started for it, one of which is killed while it trains.

    .compat/cluster/bin/python -m bench.cluster [--only dask]

Needs what `make cluster` installs. The same four runs are trained undisturbed, one after the other, and on each
cluster, all in one folder for each: of Dask a scheduler and two workers, of Ray a head that starts workers of its own.
Once some run has finished two epochs, the process that trains it is killed. Afterwards each run must be in the journals
and in the store once, with every value once and, but for the times, the same. The exit status is 1 otherwise.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.sweep import write_clips
from tracker.journal.process_lock import read_owner
from tracker.journal.reader import journals
from tracker.recording.stores import find_store, load_runs
from tracker.runs import RunStatus
from tracker.store.mlflow_store import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.journal.reader import Journal

WORDS = ("--kernel", "3,5", "--seeds", "2", "--epochs", "40", "--width", "8", "--segment", "1", "--yes")
RUNS, WORKERS, KILL_AFTER, POLL_S, PATIENCE_S = 4, 2, 2, 0.1, 900.0
TIMES = {"epoch_seconds"}
Curves = dict[str, dict[str, list[tuple[int, float]]]]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench.cluster", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("dask", "ray"), help="one backend alone")
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        write_clips(scratch / "data")
        os.environ |= {"TRACKER_CACHE": str(scratch / "cache"), "PYTHONPATH": str(Path.cwd())}
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        calm = scratch / "calm"
        end(start_sweep(calm, scratch / "data", "--jobs", "1"))
        expected, faults = curves(calm), 0
        print("| backend | a worker killed | runs | in the store once | as undisturbed | seconds |")
        print("| --- | --- | --- | --- | --- | --- |")
        for name, cluster in (("dask", dask), ("ray", ray)):
            if only in {None, name}:
                folder, begun = scratch / name, time.monotonic()
                folder.mkdir()
                with cluster(folder) as address:
                    sweep = start_sweep(folder, scratch / "data", "--backend", name, "--address", address)
                    killed = kill_one(folder, sweep)
                    said = end(sweep)
                row = compared(folder, expected)
                faults += [killed, *row] != [f"after epoch {killed.split()[-1]}", str(RUNS), "yes", "yes"]
                print(f"| {name} | {killed} | {' | '.join(row)} | {time.monotonic() - begun:.0f} |", flush=True)
                print("\n".join(line for line in said.splitlines() if "worker" in line), file=sys.stderr)
    return 1 if faults else 0


def start_sweep(folder: Path, data: Path, *words: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tracker", "sweep", "--data", str(data), *WORDS, *words]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def end(sweep: subprocess.Popen[str]) -> str:
    """Wait for a sweep, and return what it said; it must have come to an end by itself."""
    said = sweep.communicate(timeout=PATIENCE_S)[1]
    if sweep.returncode:
        sys.exit(f"the sweep exited with {sweep.returncode}: {said.strip().splitlines()[-1:]}")
    return said


def kept(folder: Path) -> list[Journal]:
    """Return the journals of the trainings, without that of the run that holds them together."""
    place = folder / ".tracker"
    return [one for one in journals(place) if one.started.params] if place.is_dir() else []


def kill_one(folder: Path, sweep: subprocess.Popen[str]) -> str:
    """Kill the process that trains a run, once it has finished some epochs; return after which."""
    while sweep.poll() is None:
        for journal in kept(folder):
            owner = read_owner(journal.folder)
            if owner and journal.status is RunStatus.RUNNING and len(journal.epochs) >= KILL_AFTER:
                os.kill(owner.pid, signal.SIGKILL)
                return f"after epoch {len(journal.epochs)}"
        time.sleep(POLL_S)
    return "no: it ended too soon"


def curves(folder: Path) -> Curves:
    """Return the values of each run in the store, by its name and theirs."""
    runs = load_runs(find_store(str(folder / "mlflow.db")), "tracker")
    return {
        run.name: {
            name: [*zip(curve.steps.tolist(), curve.values.tolist(), strict=True)]
            for name, curve in run.curves.items()
            if name not in TIMES
        }
        for run in runs
    }


def compared(folder: Path, expected: Curves) -> list[str]:
    """Return how many runs there are, and whether all is there once and as it should be."""
    finished = [journal.name for journal in kept(folder) if journal.status is RunStatus.FINISHED]
    stored = curves(folder)
    steps = [[step for step, _ in values] for run in stored.values() for values in run.values()]
    is_once = sorted(stored) == sorted(finished) and all(len(each) == len({*each}) for each in steps)
    for run, values in expected.items():
        for name in sorted(values.keys() | stored.get(run, {}).keys()):
            if (there := stored.get(run, {}).get(name)) != values.get(name):
                print(f"{run}, {name}: {there}, undisturbed {values.get(name)}", file=sys.stderr)
    return [str(len(kept(folder))), "yes" if is_once else "NO", "yes" if stored == expected else "NO"]


@contextmanager
def processes(commands: Sequence[Sequence[str]], folder: Path, **environment: str) -> Iterator[None]:
    """Run programs in groups of their own, and end these groups."""
    started = []
    try:
        for command in commands:
            with (folder / f"cluster-{len(started)}.log").open("w") as log:
                started.append(
                    subprocess.Popen(
                        command,
                        cwd=folder,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                        env=os.environ | environment,
                    )
                )
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in reversed(started):
                try:
                    os.killpg(process.pid, number)
                except ProcessLookupError:
                    continue
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    continue


@contextmanager
def dask(folder: Path) -> Iterator[str]:
    address = f"tcp://127.0.0.1:{free_port(0)}"
    port, python = address.rpartition(":")[2], [sys.executable, "-m"]
    scheduler = [*python, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    worker = [*python, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    with processes([scheduler, *[worker] * WORKERS], folder):
        await_port(int(port))
        yield address


@contextmanager
def ray(folder: Path) -> Iterator[str]:
    port = free_port(0)
    head = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--port", str(port),
            "--num-cpus", str(WORKERS), "--include-dashboard=false", "--disable-usage-stats",
            "--node-ip-address", "127.0.0.1"]  # fmt: skip
    with processes([head], folder):
        await_port(port)
        yield f"127.0.0.1:{port}"


def await_port(port: int) -> None:
    import socket

    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(POLL_S)
        else:
            return
    sys.exit(f"nothing answers on port {port}")


if __name__ == "__main__":
    sys.exit(main())
