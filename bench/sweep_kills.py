"""A sweep whose workers and whose own process are killed at random, held against the same one that nobody disturbs.

    .venv/bin/python -m bench.sweep_kills [--kills 20] [--seed 0]

Six runs on two worker processes. Each kill comes after a random number of further epochs, now and then before the
first, and takes a worker or the sweeping process, by chance. If that is gone, the same command is given again. At the
end the store must have each run once, with every value once, and all that it learned and predicted the same to the last
bit. The exit status is 1 otherwise.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.sweep import write_clips
from tracker.journal.reader import journals
from tracker.recording.stores import find_store, load_runs
from tracker.runs import RunStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator

    from tracker.runs import Run

RUNS, EPOCHS = 6, 30
WORDS = (
    "--kernel",
    "3,5",
    "--seeds",
    "3",
    "--epochs",
    str(EPOCHS),
    "--width",
    "8",
    "--segment",
    "1",
    "--jobs",
    "2",
    "--yes",
)
OF_TIME = {"epoch_seconds"}
LOOK_S, PATIENCE_S = 0.1, 3_600.0
WORKER = "popen_loky"  # in its command line


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench.sweep_kills", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("kills", 20), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        write_clips(scratch / "data")
        os.environ |= {"TRACKER_CACHE": str(scratch / "cache"), "PYTHONPATH": str(Path.cwd())}
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        calm, killed = scratch / "calm", scratch / "killed"
        calm.mkdir()
        killed.mkdir()
        end(start(calm, scratch / "data"))
        kills, commands = disturb(killed, scratch / "data", asked.kills, np.random.default_rng(asked.seed))
        row = compared(killed, calm)
    print("| workers killed | sweeps killed | commands | runs | in the store once | as undisturbed |")
    print("| --- | --- | --- | --- | --- | --- |")
    print(f"| {kills['worker']} | {kills['sweep']} | {commands} | {' | '.join(row)} |")
    return 0 if [kills.total(), *row] == [asked.kills, str(RUNS), "yes", "yes"] else 1


def start(folder: Path, data: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tracker", "sweep", "--data", str(data), *WORDS]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=sys.stderr)


def end(sweep: subprocess.Popen[bytes]) -> None:
    if sweep.wait(PATIENCE_S):
        sys.exit(f"the sweep exited with {sweep.returncode}")


def disturb(folder: Path, data: Path, kills: int, rng: Generator) -> tuple[Counter[str], int]:
    """Kill so often, then let the sweep end; return how often what was killed, and how often the command was given."""
    done, commands, sweep = Counter[str](), 1, start(folder, data)
    while done.total() < kills:
        goal = epochs(folder) + int(rng.integers(0, 2 * RUNS * EPOCHS // (3 * kills) + 1))
        victim = str(rng.choice(["worker", "sweep"]))
        workers: Sequence[int] = []
        while sweep.poll() is None and not (workers and epochs(folder) >= goal):
            time.sleep(LOOK_S)
            workers = workers_of(sweep.pid)
        if sweep.poll() is None:
            try:
                os.kill(int(rng.choice(workers if victim == "worker" else [sweep.pid])), signal.SIGKILL)
            except ProcessLookupError:  # it was just about to end
                continue
            done[victim] += 1
            print(f"kill {done.total()}: {victim}, after {epochs(folder)} epochs", file=sys.stderr, flush=True)
        elif not sweep.returncode:
            break  # it has come to its end
        if victim == "sweep" or sweep.poll() is not None:
            sweep.wait()
            sweep, commands = start(folder, data), commands + 1
    while sweep.wait(PATIENCE_S):  # a run whose worker was killed three times before an epoch is given up
        sweep, commands = start(folder, data), commands + 1
    return done, commands


def epochs(folder: Path) -> int:
    """Return how many epochs there are of all runs."""
    place = folder / ".tracker"
    return sum(len(journal.epochs) for journal in journals(place)) if place.is_dir() else 0


def workers_of(pid: int) -> list[int]:
    """Return the worker processes of a sweep."""
    found = []
    for place in Path("/proc").iterdir():
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            if place.name.isdigit() and parent == pid and WORKER in (place / "cmdline").read_text():
                found.append(int(place.name))
        except (OSError, IndexError, ValueError):
            continue
    return sorted(found)


def compared(folder: Path, calm: Path) -> list[str]:
    """Return how many finished runs there are, and whether all is there once and as it should be."""
    there, expected = finished(folder), finished(calm)
    names = Counter(run.name for run in there)
    steps = [curve.steps.tolist() for run in there for curve in run.curves.values()]
    is_once = set(names.values()) == {1} and all(len(each) == len({*each}) for each in steps)
    stored, wanted = ({run.name: learned(run) for run in runs} for runs in (there, expected))
    for name in sorted(wanted):
        for key, value in wanted[name].items():
            if stored.get(name, {}).get(key) != value:
                print(f"{name}, {key}: {stored.get(name, {}).get(key)}, undisturbed {value}", file=sys.stderr)
    return [str(len(there)), "yes" if is_once else "NO", "yes" if stored == wanted else "NO"]


def finished(folder: Path) -> list[Run]:
    runs = load_runs(find_store(str(folder / "mlflow.db")), "tracker")
    return [run for run in runs if run.status is RunStatus.FINISHED]


def learned(run: Run) -> dict[str, object]:
    """Return all numbers that a run logged, but times."""
    found: dict[str, object] = {name: value for name, value in run.metrics.items() if name not in OF_TIME}
    for name, curve in run.curves.items():
        if name not in OF_TIME:
            found[f"{name} by epoch"] = [*zip(curve.steps.tolist(), curve.values.tolist(), strict=True)]
    if run.validation is not None and run.validation.probabilities is not None:
        found["probabilities"] = np.asarray(run.validation.probabilities).tolist()
    return found


if __name__ == "__main__":
    sys.exit(main())
