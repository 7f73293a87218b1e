"""Twelve short runs as a sweep on two processes, beside the same one after the other, and what scheduling a run costs.

    .venv/bin/python bench/sweep.py [--runs 12] [--jobs 2] [--epochs 60] [--timeline]

The data are 40 clips of 5 s, tones in noise; each sweep is a process of its own in a folder of its own, so that loading
TensorFlow, making the store and starting the workers count. Times are on the clock and on the processor, the latter of
the sweep and its workers together; twice the ratio of processor times is what a quiet machine of two cores would give
at best, however busy this one is. Scheduling is measured with tasks that do nothing, given to the same workers as
tracker gives them runs: seconds on the clock for each. Products of small matrices, as many at once, show what the cores
allow at that moment: on a virtual machine, two may do less than twice the work of one.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from bench.timeline import Watch, timeline
from tracker.recording.pool import Workers, call_in_workers
from tracker.recording.stores import LogTarget, find_store
from tracker.recording.workers import RunTask, Work
from tracker.runs import Configuration, RunPlan
from tracker.runs.facts import TrainingPlan

SR, SECONDS, CLIPS = 8_000, 5, 20  # of each of two classes
TASKS = 200


class Times(NamedTuple):
    """Seconds that a sweep took."""

    clock: float
    processor: float


def write_clips(folder: Path) -> None:
    rng = np.random.default_rng(0)
    times = np.arange(SR * SECONDS) / SR
    for label, hertz in (("high", 2_000), ("low", 200)):
        (folder / label).mkdir(parents=True)
        for clip in range(CLIPS):
            tone = 0.3 * np.sin(2 * np.pi * hertz * (1 + clip / 50) * times) + 0.2 * rng.normal(size=len(times))
            soundfile.write(folder / label / f"{clip}.wav", tone, SR)


def processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def sweep(folder: Path, data: Path, runs: int, epochs: int, jobs: int, *, watched: bool = False) -> Times:
    folder.mkdir()
    words = ["--data", data, "--epochs", epochs, "--segment", 1, "--seeds", runs, "--jobs", jobs]
    begun, before = time.perf_counter(), processor()
    command = [sys.executable, "-m", "tracker", "sweep", *map(str, words)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        watch = Watch(process.pid) if watched else None
        if process.wait():
            sys.exit(f"the sweep exited with {process.returncode}")
    times = Times(time.perf_counter() - begun, processor() - before)
    if watch:
        watch.close()
        print(*timeline(watch, folder), sep="\n", flush=True)
    return times


def nothing(_work: Work, task: RunTask) -> str:
    return task.key


def scheduling(folder: Path, jobs: int) -> float:
    """Return the seconds that a task costs which does nothing, once the workers have been started."""
    plan, target = TrainingPlan("0" * 32, 1), LogTarget(find_store(str(folder / "mlflow.db")), "tracker")
    work = Work(folder, "data", "0" * 64, target, plan)
    tasks = [RunTask(str(number), RunPlan(Configuration()), "a run") for number in range(TASKS)]
    workers = Workers(jobs, 1, "tensorflow", abs)
    for _ in range(2):  # the first time starts the workers
        begun = time.perf_counter()
        for _key in call_in_workers(workers, nothing, ((work, task) for task in tasks)):
            pass
        taken = time.perf_counter() - begun
    return taken / TASKS


def multiply(seed: int) -> float:
    matrix = np.random.default_rng(seed).normal(size=(400, 400)).astype(np.float32)
    return sum(float((matrix @ matrix)[0, 0]) for _ in range(400))


def arithmetic(jobs: int) -> float:
    """Return how many times as fast the workers multiply matrices all at once as one after the other."""
    from joblib import Parallel, delayed

    taken = []
    for at_once in (jobs, 1, jobs):  # the first time starts the workers
        parallel = Parallel(n_jobs=jobs, batch_size=1, pre_dispatch=at_once)
        begun = time.perf_counter()
        parallel(delayed(multiply)(number) for number in range(6 * jobs))
        taken.append(time.perf_counter() - begun)
    return taken[1] / taken[2]


def main() -> None:
    parser = argparse.ArgumentParser(description="How much faster a sweep is on several processes.")
    for name, default in (("runs", 12), ("jobs", 2), ("epochs", 60)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--timeline", action="store_true", help="what each process did when")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_clips(folder / "data")
        os.environ |= {"TRACKER_CACHE": str(folder / "cache")}
        sweep(folder / "first", folder / "data", 1, 1, 1)  # so that features are cached and files read once
        alone = sweep(folder / "alone", folder / "data", asked.runs, asked.epochs, 1)
        together = sweep(
            folder / "together", folder / "data", asked.runs, asked.epochs, asked.jobs, watched=asked.timeline
        )
        task, most = scheduling(folder, asked.jobs), arithmetic(asked.jobs)
    print(f"{asked.runs} runs one after the other: {alone.clock:.1f} s, {alone.processor:.1f} s of processor")
    print(f"the same, {asked.jobs} at once: {together.clock:.1f} s, {together.processor:.1f} s of processor")
    at_best = asked.jobs * alone.processor / together.processor
    print(f"{alone.clock / together.clock:.2f} times as fast; {at_best:.2f} times at best by the processor's time")
    print(f"products of matrices, {asked.jobs} at once: {most:.2f} times as fast as one after the other")
    print(f"scheduling a run: {1_000 * task:.1f} ms")


if __name__ == "__main__":
    main()
