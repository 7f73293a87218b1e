"""A tracking server that is away, ill, silent or killed amid a run costs one warning and no value of the run."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.builders import START, STARTED, epochs
from tests.processes import Forked, command
from tests.running import SMALL_NETWORK
from tests.servers import ROWS
from tracker.journal.reader import journals, read, read_upload_state
from tracker.journal.writer import JournalWriter
from tracker.runs.events import Ended, EpochDone, Measured, Started
from tracker.store.reader import read_experiment

if TYPE_CHECKING:
    from tests.running import Tracker
    from tests.servers import Server
    from tracker.journal.reader import Journal

pytestmark = pytest.mark.xdist_group("processes")


def process(*words: object) -> Forked:
    """Start a command that asks a dead server once more, not three times."""
    return command(words, environment=os.environ | {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"})


def begin(uri: str, experiment: str = "tracker") -> JournalWriter:
    """Begin a journal in the working folder."""
    return JournalWriter.create(Path(".tracker").absolute() / uuid4().hex, _started(uri, experiment))


def _started(uri: str, experiment: str) -> Started:
    return Started(START, uri, experiment, "a run", "val_loss", STARTED.params, STARTED.tags, STARTED.datasets)


def assert_sent_as_told(server: Server, journal: Journal) -> None:
    """Hold what a store has of a run against its journal: each value once, with its time."""
    assert journal.upload_state
    assert journal.ended
    run_id = journal.upload_state.run_id
    with closing(sqlite3.connect(server.store.database or "")) as connection:
        found = connection.execute(
            "SELECT key, step, timestamp, value FROM metrics WHERE run_uuid = ? ORDER BY 1, 2", (run_id,)
        ).fetchall()
        run = connection.execute(
            "SELECT name, status, start_time, end_time FROM runs WHERE run_uuid = ?", (run_id,)
        ).fetchone()
    told = [event for event in journal.events if isinstance(event, EpochDone | Measured)]
    assert found == sorted(
        (key, event.number if isinstance(event, EpochDone) else 0, event.time, value)
        for event in told
        for key, value in event.metrics.items()
    )
    assert run == (journal.started.name, journal.ended.status, journal.started.time, journal.ended.time)


def test_a_run_whose_server_is_killed_is_reported_on_and_sent_whole_once_it_is_back(
    tracker: Tracker, server: Server, genres: Path
) -> None:
    quick = ("--data", genres, "--segment", 0.5, "--epochs", 100, "--model", SMALL_NETWORK)
    with process("run", *quick, "--tracking-uri", server.uri) as run:
        while not (folders := list(Path(".tracker").glob("*/delivery.json"))):
            assert run.poll() is None
            time.sleep(0.01)
        server.kill()
        out, err = run.communicate()
    delivery = read_upload_state(folders[0].parent.absolute())
    assert delivery
    assert (run.returncode, out.strip()) == (0, delivery.run_id)
    (warning,) = (line for line in err.splitlines() if line.startswith("warning: "))
    assert warning.startswith("warning: cannot write the ")
    assert f" to {server.uri}: " in warning
    sync = f"`tracker sync --tracking-uri {server.uri}` uploads it"
    assert warning.endswith(f" until {sync}")
    assert err.splitlines()[-1].startswith(
        f"run networks-small-k3-lr0.001-epochs100-seg0.5-s0 is not in the store yet: {sync} from "
    )

    (journal,) = journals(Path(".tracker").absolute())
    assert (journal.status, list(journal.epochs)) == ("FINISHED", list(range(1, 101)))
    assert journal.unsent
    report = tracker("report", "--format", "summary", "--tracking-uri", server.uri)
    assert report.status == 0
    assert "Run 1 is not yet in the store, or not whole: tracker sync sends what is not." in report.out

    server.start()
    kept = {path: path.stat().st_size for path in journal.folder.glob("artifacts/**/*") if path.is_file()}
    assert tracker("sync").out == ""  # to the folder's own store
    assert tracker("sync", "--tracking-uri", server.uri).out.strip() == delivery.run_id
    assert_sent_as_told(server, read(journal.folder))
    assert server.files(delivery.run_id) == {
        str(path.relative_to(journal.folder / "artifacts")): size for path, size in kept.items()
    }
    before = server.rows()
    assert tracker("sync", "--tracking-uri", server.uri).err == "Nothing to upload.\n"
    assert server.rows() == before


def test_a_server_that_only_lacks_the_experiment_is_not_warned_of(tracker: Tracker, server: Server) -> None:
    with begin(server.uri, "nobody sent") as writer:
        writer.append(Ended(START + 9_000, "FINISHED"))
    result = tracker("runs", "--experiment", "nobody sent", "--tracking-uri", server.uri)
    assert (result.status, result.err) == (0, "")
    assert "FINISHED, not sent" in result.out


def test_sync_that_is_killed_is_gone_on_with_by_two_at_once(tracker: Tracker, server: Server) -> None:
    folders = []
    for _ in range(2):
        with begin(server.uri, "killed") as writer:
            for number in range(50):
                writer.attach_bytes(f"notes/{number}.txt", b"x" * 1_000)
            for epoch in epochs(1.0, float("nan"), 0.5):
                writer.append(epoch)
            writer.append(Ended(START + 9_000, "FINISHED"))
        folders.append(writer.folder)
    with process("sync", "--tracking-uri", server.uri) as killed:
        while not any(delivery and delivery.events > 5 for delivery in map(read_upload_state, folders)):
            assert killed.poll() is None
            time.sleep(0.001)
        killed.kill()
    assert any(read(folder).unsent for folder in folders)
    both = [process("sync", "--tracking-uri", server.uri), process("sync", "--tracking-uri", server.uri)]
    said = [one.communicate() for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert not any(read(folder).unsent for folder in folders)
    runs = read_experiment(server.store, "killed").runs
    assert [run.status for run in runs] == ["FINISHED", "FINISHED"]
    assert [len(server.files(run.run_id)) for run in runs] == [50, 50]
    assert tracker("sync", "--tracking-uri", server.uri).err == "Nothing to upload.\n"


def test_a_server_that_lost_its_store_is_sent_again_what_it_lacks(tracker: Tracker, server: Server) -> None:
    with begin(server.uri, "lost") as writer:
        writer.attach_bytes("a.txt", b"a")
        writer.append(epochs(1.0)[0])
        writer.append(Ended(START + 9_000, "FINISHED"))
    tracker("sync", "--tracking-uri", server.uri)
    delivery = read_upload_state(writer.folder)
    assert delivery
    well = tracker("repair", "--tracking-uri", server.uri)
    assert (well.status, well.err) == (0, f"nothing is wrong with the store {server.uri}\n")
    with closing(sqlite3.connect(server.store.database or "")) as connection:
        for table in (*ROWS, "runs"):
            connection.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (delivery.run_id,))  # noqa: S608
        connection.commit()
    result = tracker("repair", "--tracking-uri", server.uri)
    assert result.status == 0
    assert f"the store {server.uri} lacks runs that were uploaded to it: a run\n" in result.err
    (run,) = read_experiment(server.store, "lost").runs
    assert (run.run_id, run.status) == (result.out.strip(), "FINISHED")
