"""A simulated sweep of many one-second runs on Dask workers, and what the store takes of them.

    python -m bench.scale [--runs 10000] [--jobs 8] [--stored 400] [--server]

A run sleeps for a second in all, between its epochs, and is logged as a training is, but for its model: params, tags,
twenty epochs, metrics, predictions. TensorFlow isn't loaded. The workers, the scheduler and the sweeping process share
this machine; the latter two are one process, whose processor time is what scheduling costs. Journals aren't uploaded
meanwhile. Afterwards some of them are, by one process and by several, into SQLite and, with --server, through an MLflow
server on SQLite. The figures stand in docs/scale.md.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, chdir
from functools import partial
from pathlib import Path

from bench.compat import Bench
from tracker.errors import TrackerError
from tracker.journal.reader import JOURNAL, journals, read
from tracker.recording.backends import open_cluster
from tracker.recording.cluster import ClusterSweep, Joined, Joining
from tracker.recording.reporter import SilentReporter
from tracker.recording.run_writer import RunWriter
from tracker.recording.stores import LogTarget, find_store
from tracker.recording.uploader import send
from tracker.recording.workers import RunOutcome, RunTask, Work
from tracker.runs import Configuration, RunPlan, Spectrogram
from tracker.runs.events import DatasetUsed, Measured
from tracker.runs.facts import TrainingPlan
from tracker.store import DATASET, VALIDATION, now_ms, store_at
from tracker.store.mlflow_run import values_of
from tracker.store.mlflow_store import free_port

EPOCHS, SECONDS, CLIPS = 20, 1.0, 40
ATTEMPTS = 100  # to send a journal, while other processes write to the store
METRICS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "epoch_seconds")
CLASSES = ("high", "low")


def joined(_joining: Joining) -> Joined:
    return Joined(has_journals=True)


def simulated(joining: Joining, task: RunTask) -> RunOutcome:
    """Log a run of a second."""
    begun = time.perf_counter()
    work, seed = joining.work, task.plan.seed
    with chdir(joining.folder), RunWriter(work.target, task.name, None, SilentReporter()) as writer:
        tags = {"tracker.dataset": work.fingerprint, **work.training_plan.tags()}
        used = DatasetUsed("data", work.fingerprint, "data", "training", CLASSES, CLIPS)
        writer.start(task.plan.params(), tags, "tracker run", datasets=(used,))
        names = [f"{CLASSES[clip % 2]}/{clip}.wav" for clip in range(CLIPS)]
        writer.attach_file(DATASET, "".join(f"{name},{name[:3]},validation\n" for name in names))
        for number in range(1, EPOCHS + 1):
            time.sleep(SECONDS / EPOCHS)
            writer.log_epoch(number, {name: (seed + place) / number for place, name in enumerate(METRICS)})
        writer.append(Measured(now_ms(), {"best_val_loss": 0.5, "best_val_accuracy": 0.75, "stop_epoch": EPOCHS}))
        writer.attach_file(VALIDATION, "".join(f"{name},high,{seed / 1e4!r},{1 - seed / 1e4!r}\n" for name in names))
    return RunOutcome(task.name, writer.run_id, seconds=time.perf_counter() - begun)


def sweep(folder: Path, runs: int, jobs: int) -> None:
    """Run the sweep, and print how busy the workers were and what scheduling cost."""
    target = LogTarget(find_store(str(folder / "mlflow.db")), "scale", offline=True)
    work = Work(folder, "data", "0" * 64, target, TrainingPlan("0" * 32, runs), token="0" * 32)
    work.journals.mkdir(0o700)
    joining = Joining(work, folder, Spectrogram(), {})
    tasks = [RunTask(str(n), RunPlan(Configuration(epochs=EPOCHS), seed=n), f"run {n}") for n in range(runs)]
    cluster = open_cluster("dask", None, jobs)
    try:
        scheduled = ClusterSweep(cluster, joining, SilentReporter(), jobs, joined, simulated)
        [*scheduled.outcomes(tasks[:jobs])]  # so that all workers have loaded what they need
        begun, before = time.perf_counter(), time.process_time()
        outcomes = [*scheduled.outcomes(tasks[jobs:])]
        taken, processor = time.perf_counter() - begun, time.process_time() - before
    finally:
        cluster.close()
    failed = [outcome for outcome in outcomes if outcome.error]
    busy = sum(outcome.seconds for outcome in outcomes)
    print(f"{len(outcomes):,} runs on {jobs} workers in {taken:,.0f} s, {len(failed)} failed")
    asleep = len(outcomes) * SECONDS
    print(f"workers busy: {busy / (jobs * taken):.1%}; asleep, as if training: {asleep / (jobs * taken):.1%}")
    print(f"scheduling: {1_000 * processor / len(outcomes):.1f} ms of processor a run")
    print(f"load of the machine meanwhile: {os.getloadavg()[2]:.1f} on {os.cpu_count()} cores", flush=True)


def sizes(folder: Path, runs: int) -> None:
    """Print how large a run's journal is."""
    files = [file for file in (folder / ".tracker").rglob("*") if file.is_file()]
    lines = sum(file.stat().st_size for file in files if file.name == JOURNAL)
    rest = sum(file.stat().st_size for file in files if file.name != JOURNAL)
    print(
        f"a run: journal {lines / runs:,.0f} bytes, {len(files) / runs:.1f} files, the others {rest / runs:,.0f} bytes",
        flush=True,
    )


def stored(folder: Path, address: str, journal: Path) -> tuple[int, float]:
    """Send a journal, and return how many values it has and how many seconds of processor that took here."""
    begun = time.process_time()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            send(store_at(address, folder), journal)
            break
        except TrackerError:  # others write to it at this moment
            if attempt == ATTEMPTS:
                raise
    values = sum(len(values) for values in values_of(read(journal).events))
    return values, time.process_time() - begun


def writes(folder: Path, address: str, kept: list[Path], jobs: int) -> None:
    """Print how many values a second a store takes."""
    with ProcessPoolExecutor(jobs) as pool:
        [*pool.map(partial(stored, folder, address), kept[:jobs])]  # makes the store, and loads what writes to it
        begun = time.perf_counter()
        sent = [*pool.map(partial(stored, folder, address), kept[jobs:])]
        taken = time.perf_counter() - begun
    values, processor = (sum(of_all) for of_all in zip(*sent, strict=True))
    runs, where = len(kept) - jobs, "a server" if address.startswith("http") else "SQLite"
    rates = f"{runs / taken:.1f} runs and {values / taken:,.0f} values a second"
    print(f"{where}, {jobs} at once: {rates}; {1_000 * processor / runs:.0f} ms of processor a run", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Many short runs on a cluster.")
    for name, default in (("runs", 10_000), ("jobs", 8), ("stored", 400)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--server", action="store_true", help="also write through an MLflow server")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folder = Path(place)
        sweep(folder, asked.runs, asked.jobs)
        sizes(folder, asked.runs)
        kept = [journal.folder for journal in journals(folder / ".tracker")][: asked.stored]
        each = len(kept) // 4
        writes(folder, f"sqlite:///{folder}/mlflow.db", kept[:each], 1)
        writes(folder, f"sqlite:///{folder}/mlflow.db", kept[each : 2 * each], asked.jobs)
        if asked.server:
            bench = Bench(Path(".compat"), folder / "served")
            (folder / "served").mkdir()
            uri = f"sqlite:///{folder}/served/mlflow.db"
            server = bench.server(None, bench.environment(), f"--backend-store-uri={uri}", port=free_port(0))
            address = stack.enter_context(server)
            writes(folder, address, kept[2 * each : 3 * each], 1)
            writes(folder, address, kept[3 * each :], asked.jobs)


if __name__ == "__main__":
    from bench import scale  # so that workers find what they are to do by its name

    scale.main()
