"""How long it takes to make, write and read a store, beside MLflow's own ways on the same store.

    python bench/store.py [--runs 1000] [--server]

With `--server` the store is only read, from its file and over HTTP, from `mlflow server` with the four workers and the
artifacts of its own that it has by default. Each line is one way: what it did, seconds, and how many times as long as
tracker's way took. Every run has 6 metrics over 30 epochs, 12 params and the predictions on 30
clips. The median of several goes is shown where one takes less than a second; imports are not counted.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from tracker.journal.reader import read
from tracker.journal.writer import JournalWriter, write_upload_state
from tracker.runs import Predictions
from tracker.runs.events import Ended, EpochDone, Started
from tracker.store import DATASET, VALIDATION, predictions_csv
from tracker.store.client import open_store
from tracker.store.location import Location, locate
from tracker.store.mlflow_store import HOST, await_answer, free_port
from tracker.store.reader import read_experiment
from tracker.store.server_reader import read_server
from tracker.store.upload import JournalUpload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlflow.entities import Metric, Run

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "epoch_seconds")
EPOCHS = 30
CLIPS = 30
CLASSES = ("blues", "country", "disco", "jazz", "rock")
GOES = 5


def seconds(work: Callable[[], object]) -> float:
    """Return how long it takes; the median of several goes where one is short."""
    took: list[float] = []
    while len(took) < GOES and sum(took) < 1:
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def show(what: str, ours: float, **theirs: float) -> None:
    print(f"\n{what}\n  {ours:9.4f} s         tracker")
    for way, took in theirs.items():
        print(f"  {took:9.4f} s  {took / ours:5.0f} ×  {way.replace('_', ' ')}")


def making(folder: Path) -> None:
    numbers = itertools.count()

    def fresh() -> str:
        return f"sqlite:///{folder}/{next(numbers)}.db"

    show(
        "An empty store made and opened",
        seconds(lambda: open_store(locate(fresh(), folder))),
        MLflow_migrates_one=seconds(lambda: MlflowClient(fresh())),
    )


def writing(location: Location, folder: Path) -> None:
    """Write an epoch into a journal, which is what training waits for, and send it, as happens beside the training."""
    steps = itertools.count(1)
    begun = Started(0, location.uri, "writing", "a run", "val_accuracy", {}, {})
    with JournalWriter.create(folder / "journals" / uuid4().hex, begun) as journal:
        sender = JournalUpload(
            location, journal.folder.name, None, lambda state: write_upload_state(journal.folder, state)
        )
        run_id, client = sender.send([begun], folder).run_id, MlflowClient(location.uri)

        def journalled() -> None:
            journal.append(an_epoch(next(steps)))

        def sent() -> None:
            sender.send(read(journal.folder).events, folder)

        def one_by_one() -> None:
            step = next(steps)
            for key in METRICS:
                client.log_metric(run_id, key, 0.5, step=step)

        show(
            "The six metrics of an epoch kept, for which training waits",
            seconds(journalled),
            tracker_keeps_and_sends_them=seconds(lambda: (journalled(), sent())),
            log_metric_six_times=seconds(one_by_one),
        )


def an_epoch(number: int) -> EpochDone:
    rng = np.random.default_rng(number)
    return EpochDone(number, number, {key: rng.random() for key in METRICS})


def fill(
    location: Location, runs: int, epochs: int = EPOCHS, share: Callable[[int], float] = lambda _number: 1.0
) -> None:
    """Send one run and copy its rows; of the run of each number, every metric is multiplied by its share."""
    params, tags = {f"option {i}": str(i) for i in range(12)}, {"tracker.dataset": "f" * 64}
    begun = Started(0, location.uri, "many", "a run", "val_accuracy", params, tags)
    events = [begun, *(an_epoch(number) for number in range(1, epochs + 1)), Ended(epochs, "FINISHED")]
    run_id = JournalUpload(location, uuid4().hex, None, lambda _delivery: None).send(events, Path()).run_id
    with closing(sqlite3.connect(location.database)) as connection:
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):  # nobody needs it after all
            connection.execute(f"PRAGMA {setting}")
        connection.execute("CREATE TEMP TABLE others (run_id TEXT, share REAL)")
        others = ((f"{number:032x}", share(number)) for number in range(1, runs))
        connection.executemany("INSERT INTO others VALUES (?, ?)", others)
        for table in ("runs", "params", "tags", "metrics", "latest_metrics"):
            copy_rows(connection, table, run_id)
        connection.commit()


def copy_rows(connection: sqlite3.Connection, table: str, run_id: str) -> None:
    """Copy the rows of a run for all others, in SQL: a hundred thousand runs have millions."""
    names = [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
    copied = ", ".join(
        f"CASE typeof(row.{name}) WHEN 'text' THEN replace(row.{name}, :run, others.run_id) "
        f"WHEN 'real' THEN row.{name} * others.share ELSE row.{name} END"
        for name in names
    )
    rows = f"(SELECT * FROM {table} WHERE run_uuid = :run)"  # noqa: S608 -- one of those above
    statement = f"INSERT INTO {table} SELECT {copied} FROM others CROSS JOIN {rows} AS row"  # noqa: S608
    connection.execute(statement, {"run": run_id})


def add_files(location: Location) -> None:
    """Give every run predictions and a manifest."""
    labels = tuple(CLASSES[i % len(CLASSES)] for i in range(CLIPS))
    clips = tuple(f"{i:04}.wav" for i in range(CLIPS))
    said = np.random.default_rng(0).dirichlet(np.ones(len(CLASSES)), CLIPS).astype(np.float32).astype(np.float64)
    rows = "".join(f"{clip},{label},,validation,\n" for clip, label in zip(clips, labels, strict=True))
    texts = {
        VALIDATION: predictions_csv(Predictions(clips, labels, CLASSES, said)),
        DATASET: f"path,label,group,split,fold\n{rows}",
    }
    for run in read_experiment(location, "many").runs:
        for path, text in texts.items():
            file = location.database.parent / "mlruns/many" / run.run_id / "artifacts" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)


def reading_rows(location: Location, runs: int) -> None:
    client = MlflowClient(location.uri)
    store = SqlAlchemyStore(location.uri, location.artifacts)
    experiment_id = client.get_experiment_by_name("many").experiment_id

    def search() -> list[Run]:
        return client.search_runs([experiment_id], max_results=50_000)

    run_ids = [run.info.run_id for run in search()]

    def one_by_one() -> list[list[Metric]]:
        return [client.get_metric_history(run_id, key) for run_id in run_ids for key in METRICS]

    def in_bulk() -> list[list[Metric]]:
        parts = [run_ids[i : i + 100] for i in range(0, len(run_ids), 100)]
        return [store.get_metric_history_bulk(part, key, 25_000) for part in parts for key in METRICS]

    show(
        f"{runs:,} runs read: params, tags, latest values and all {runs * len(METRICS) * EPOCHS:,} by epoch",
        seconds(lambda: read_experiment(location, "many")),
        search_runs_alone_without_the_values_by_epoch=seconds(search),
        the_bulk_call_of_MLflows_store_the_values_by_epoch_alone=seconds(in_bulk),
        get_metric_history_once_a_run_and_metric=seconds(one_by_one),
    )


def reading_whole(location: Location, runs: int) -> None:
    show(f"{runs:,} runs read with predictions and manifests", seconds(lambda: read_experiment(location, "many")))


def over_http(location: Location, runs: int) -> None:
    direct = seconds(lambda: read_experiment(location, "many", by_epoch=0))
    with serving_artifacts(location) as address:
        through = seconds(lambda: read_server(locate(address, Path()), "many", by_epoch=0))
    show(f"{runs:,} runs read with predictions and manifests", direct, tracker_over_http=through)


@contextmanager
def serving_artifacts(location: Location) -> Iterator[str]:
    """Run MLflow's server with its defaults, as if all runs had been logged to it, and yield its address."""
    with closing(sqlite3.connect(location.database)) as connection:
        statement = "UPDATE runs SET artifact_uri = replace(artifact_uri, ?, 'mlflow-artifacts:')"
        connection.execute(statement, (location.artifacts,))
        connection.commit()
    port = free_port(0)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    command += ["--backend-store-uri", location.uri, "--artifacts-destination", location.artifacts]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, start_new_session=True, **quiet) as process:
        try:
            address = f"http://{HOST}:{port}"
            await_answer(address, process)
            yield address
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # its workers too


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--server", action="store_true", help="only read, over HTTP too: starts MLflow's server")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        location = locate(None, Path(folder, "store"))
        if not asked.server:
            making(Path(folder))
            writing(location, Path(folder))
        open_store(location)
        fill(location, asked.runs)
        if not asked.server:
            reading_rows(location, asked.runs)
        add_files(location)
        if asked.server:
            over_http(location, asked.runs)
        else:
            reading_whole(location, asked.runs)


if __name__ == "__main__":
    main()
