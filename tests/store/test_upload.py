from __future__ import annotations

import json
import math
import os
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from bench.at_once import send_at_once
from tests.builders import CLASSES, START, STARTED, epochs, send_run, whole_journal
from tracker.errors import StoreError
from tracker.runs import REASON_TAG
from tracker.runs.events import (
    Attached,
    DatasetUsed,
    Deleted,
    Ended,
    EpochDone,
    Measured,
    Renamed,
    Resumed,
    Tagged,
    UploadState,
)
from tracker.store import GoneError, UnreachableError, run_of_journal
from tracker.store.client import client_of, open_store
from tracker.store.database import reading, relocate
from tracker.store.location import Location, locate
from tracker.store.mlflow_run import JOURNAL_TAG, Value
from tracker.store.reader import read_experiment
from tracker.store.upload import JournalUpload, RunWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlflow.entities import Run

    from tests.running import Served
    from tests.servers import Server
    from tracker.runs.events import Event, Status


@pytest.fixture
def run(location: Location) -> RunWriter:
    """A run just started, in a store of its own."""
    run_id = send_run(location, started=STARTED)
    return RunWriter(open_store(location), run_id)


def as_mlflow_has_it(location: Location, run: RunWriter) -> Run:
    return MlflowClient(location.uri).get_run(run.run_id)


class TestWriteStarted:
    def test_write_logs_more_params_than_mlflow_takes_at_once(
        self, location: Location, run: RunWriter, tmp_path: Path
    ) -> None:
        params = {f"option {i}": str(i) for i in range(250)}
        run.write(replace(STARTED, params=params), tmp_path)
        assert as_mlflow_has_it(location, run).data.params == {**STARTED.params, **params}

    def test_write_refuses_a_param_that_would_be_cut(self, location: Location, run: RunWriter, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="the param note must be at most 6,000 characters, got 6,001"):
            run.write(replace(STARTED, params={"note": "x" * 6_001}), tmp_path)
        assert as_mlflow_has_it(location, run).data.params == STARTED.params


class TestLogValues:
    def test_log_values_writes_each_at_its_step_and_time(self, location: Location, run: RunWriter) -> None:
        run.log_values([Value("loss", 0.5, START + 1, 1), Value("loss", math.nan, START + 2, 2)])
        history = MlflowClient(location.uri).get_metric_history(run.run_id, "loss")
        assert [(metric.step, metric.timestamp) for metric in history] == [(1, START + 1), (2, START + 2)]
        assert math.isnan(as_mlflow_has_it(location, run).data.metrics["loss"])

    def test_log_values_writes_all_or_none(self, location: Location, run: RunWriter) -> None:
        with pytest.raises(StoreError, match="the name of a metric"):
            run.log_values([Value("loss", 0.5, START, 1), Value("a\nb", 0.5, START, 1)])
        assert not as_mlflow_has_it(location, run).data.metrics

    def test_log_values_says_once_what_went_wrong_and_prints_nothing(
        self, run: RunWriter, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "mlflow.db").write_bytes(b"no longer a database" * 1_000)
        with pytest.raises(StoreError, match="file is not a database"):
            run.log_values([Value("loss", 0.5, START, 1)])
        assert capfd.readouterr() == ("", "")


class TestWriteTagged:
    def test_write_sets_tags_over_those_of_the_same_name(
        self, location: Location, run: RunWriter, tmp_path: Path
    ) -> None:
        run.write(Tagged({"tracker.data": "gtzan", "mlflow.note.content": "# What was hard"}), tmp_path)
        tags = as_mlflow_has_it(location, run).data.tags
        assert (tags["tracker.data"], tags["mlflow.note.content"]) == ("gtzan", "# What was hard")

    def test_write_refuses_a_tag_that_would_be_cut(self, location: Location, run: RunWriter, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="at most 8,000 characters"):
            run.write(Tagged({"mlflow.note.content": "x" * 8_001}), tmp_path)
        assert "mlflow.note.content" not in as_mlflow_has_it(location, run).data.tags


class TestWriteDatasets:
    def test_write_names_a_dataset_by_the_end_of_a_path_that_is_too_long(
        self, location: Location, run: RunWriter, tmp_path: Path
    ) -> None:
        path = "/a" * 300 + "/genres"
        used = DatasetUsed(path, "e" * 64, path, "validation", CLASSES, 4)
        run.write(replace(STARTED, datasets=(used,)), tmp_path)
        held = [one.dataset for one in as_mlflow_has_it(location, run).inputs.dataset_inputs]
        (found,) = [dataset for dataset in held if dataset.name != "demo"]
        assert (found.name, json.loads(found.source)) == (path[-500:], {"uri": path})


class TestWriteAttached:
    def test_write_attaches_a_file_where_mlflow_finds_it(
        self, location: Location, run: RunWriter, tmp_path: Path
    ) -> None:
        (tmp_path / "journal/figures").mkdir(parents=True)
        (tmp_path / "journal/figures/curves.png").write_bytes(b"\x89PNG\xff")
        run.write(Attached("figures/curves.png"), tmp_path / "journal")
        (found,) = MlflowClient(location.uri).list_artifacts(run.run_id, "figures")
        assert (found.path, found.file_size) == ("figures/curves.png", 5)
        assert (
            tmp_path / "mlruns/tracker" / run.run_id / "artifacts/figures/curves.png"
        ).read_bytes() == b"\x89PNG\xff"

    def test_write_says_in_one_line_which_file_could_not_be_written(self, run: RunWriter, tmp_path: Path) -> None:
        (tmp_path / "mlruns").touch()
        (tmp_path / "a.txt").touch()
        with pytest.raises(StoreError, match=rf"cannot write the a.txt of run {run.run_id} to .*mlflow.db: ") as error:
            run.write(Attached("a.txt"), tmp_path)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("link", ["journal", "journal/model", "journal/model/weights"])
    def test_write_sends_nothing_from_behind_a_link(self, run: RunWriter, tmp_path: Path, link: str) -> None:
        (tmp_path / "home").mkdir()
        (tmp_path / "home/weights").write_text("secret")
        place = tmp_path / link
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(tmp_path / ("home/weights" if place.name == "weights" else "home"))
        path = "weights" if link == "journal" else "model"
        with pytest.raises(StoreError, match=r"is a symbolic link|is listed in the journal but missing from"):
            run.write(Attached(path), tmp_path / "journal")
        assert not [file for file in (tmp_path / "mlruns").rglob("*") if file.is_file()]

    @pytest.mark.parametrize("path", ["../home/key", "/etc/hostname", "pipe", "a/../../home/key", ".", ""])
    def test_write_sends_nothing_but_files_and_folders_of_the_run(
        self, run: RunWriter, tmp_path: Path, path: str
    ) -> None:
        (tmp_path / "journal/a").mkdir(parents=True)
        os.mkfifo(tmp_path / "journal/pipe")
        (tmp_path / "home").mkdir()
        (tmp_path / "home/key").write_text("secret")
        with pytest.raises(StoreError, match="is listed in the journal but missing from"):
            run.write(Attached(path), tmp_path / "journal")

    @pytest.mark.parametrize("link", ["mlruns", "mlruns/tracker", "run", "artifacts", "artifacts/figures"])
    def test_write_writes_nothing_behind_a_link(self, run: RunWriter, tmp_path: Path, link: str) -> None:
        (tmp_path / "journal/figures").mkdir(parents=True)
        (tmp_path / "journal/figures/curves.png").write_bytes(b"\x89PNG")
        (tmp_path / "home").mkdir()
        of_run = tmp_path / "mlruns/tracker" / run.run_id
        known = {"run": of_run, "artifacts": of_run / "artifacts", "artifacts/figures": of_run / "artifacts/figures"}
        place = known.get(link, tmp_path / link)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(tmp_path / "home")
        with pytest.raises(StoreError, match=f"{place.name} is a symbolic link"):
            run.write(Attached("figures/curves.png"), tmp_path / "journal")
        assert list((tmp_path / "home").iterdir()) == []

    def test_write_replaces_a_link_in_the_place_of_a_file(self, run: RunWriter, tmp_path: Path) -> None:
        (tmp_path / "journal").mkdir()
        (tmp_path / "journal/a.txt").write_text("ours")
        (tmp_path / "precious").write_text("mine")
        place = tmp_path / "mlruns/tracker" / run.run_id / "artifacts/a.txt"
        place.parent.mkdir(parents=True)
        place.symlink_to(tmp_path / "precious")
        run.write(Attached("a.txt"), tmp_path / "journal")
        assert ((tmp_path / "precious").read_text(), place.read_text()) == ("mine", "ours")

    @pytest.mark.parametrize("uri", ["file:///home", "s3://bucket/x", "http://127.0.0.1:1/x", "http://[", "../home"])
    def test_write_writes_to_no_other_place_that_a_store_names(self, run: RunWriter, tmp_path: Path, uri: str) -> None:
        (tmp_path / "journal").mkdir()
        (tmp_path / "journal/a.txt").write_text("ours")
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
            store.execute("UPDATE runs SET artifact_uri = ?", (uri.replace("///home", f"//{tmp_path.parent}/home"),))
            store.commit()
        with pytest.raises(StoreError, match=r"which is not below the store's folder|it leads out of"):
            run.write(Attached("a.txt"), tmp_path / "journal")
        assert not (tmp_path.parent / "home").exists()


class TestWriteEnded:
    @pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
    def test_write_ends_the_run_at_the_time_of_its_end(
        self, location: Location, run: RunWriter, tmp_path: Path, status: Status
    ) -> None:
        run.write(Ended(START + 2_000, status), tmp_path)
        info = as_mlflow_has_it(location, run).info
        assert (info.status, info.end_time) == (status, START + 2_000)


JOURNAL = "a1-b2.c3_d4"


class Journal:
    """A journal's folder as far as sending is concerned: what was saved of the delivery, and the files."""

    def __init__(self, location: Location, folder: Path) -> None:
        self.location = location
        self.artifacts = folder / "journal/artifacts"
        self.saved: list[UploadState] = []
        self.artifacts.mkdir(parents=True)

    def send(self, events: Sequence[Event], *, knowing: UploadState | None = None) -> UploadState:
        sender = JournalUpload(self.location, JOURNAL, knowing, self.saved.append)
        return sender.send(events, self.artifacts)

    def runs(self) -> list[Run]:
        client = MlflowClient(self.location.uri)
        experiment = client.get_experiment_by_name("tracker")
        return list(client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL))


@pytest.fixture
def journal(location: Location, tmp_path: Path) -> Journal:
    return Journal(location, tmp_path)


def dump(database: Path) -> list[str]:
    """All that a store holds, but for the ids that MLflow draws for datasets' inputs."""
    with reading(database) as connection:
        return sorted(line for line in connection.iterdump() if not line.startswith('INSERT INTO "input'))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestSender:
    def test_sender_sends_a_whole_journal(self, journal: Journal, tmp_path: Path) -> None:
        events = whole_journal(journal.artifacts)
        delivery = journal.send(events)
        (run,) = journal.runs()
        assert (run.info.run_id, run.info.artifact_uri) == (delivery.run_id, delivery.artifacts)
        assert delivery.events == len(events)
        assert (run.info.run_name, run.info.status) == ("a run", "FINISHED")
        assert (run.info.start_time, run.info.end_time) == (START, START + 5_000)
        assert run.data.params == STARTED.params
        assert run.data.tags == {
            "tracker.data": "demo",
            "mlflow.runName": "a run",
            "mlflow.note.content": "what came out",
            JOURNAL_TAG: JOURNAL,
        }
        assert run.data.metrics["best_epoch"] == 2
        assert math.isnan(run.data.metrics["val_loss"])
        assert files(tmp_path / "mlruns/tracker" / delivery.run_id / "artifacts") == files(journal.artifacts)

    def test_sender_sends_the_datasets_with_what_they_served_for(self, journal: Journal) -> None:
        delivery = journal.send([STARTED])
        journal.send([STARTED], knowing=UploadState(delivery.run_id, delivery.artifacts, 0))
        inputs = journal.runs()[0].inputs.dataset_inputs
        found = {one.tags[0].value: one.dataset for one in inputs}
        assert sorted(found) == ["training", "validation"]
        assert len(inputs) == 2
        assert found["training"].digest == "ffffffffffff-training"
        assert json.loads(found["training"].profile) == {"clips": 4, "classes": 3}

    def test_sent_again_from_the_start_leaves_the_same(self, journal: Journal, tmp_path: Path) -> None:
        events = whole_journal(journal.artifacts)
        first = journal.send(events)
        before = dump(tmp_path / "mlflow.db"), files(tmp_path / "mlruns")
        assert journal.send(events) == first
        assert journal.send(events, knowing=UploadState(first.run_id, first.artifacts, 0)) == first
        assert (dump(tmp_path / "mlflow.db"), files(tmp_path / "mlruns")) == before

    def test_broken_off_after_any_step_and_gone_on_with_leaves_the_same(self, tmp_path: Path) -> None:
        events = whole_journal(tmp_path / "whole/journal/artifacts")
        whole = Journal(locate(None, tmp_path / "whole"), tmp_path / "other")
        whole.artifacts = tmp_path / "whole/journal/artifacts"
        whole.send(events)
        for point in range(len(whole.saved)):
            broken = Journal(locate(None, tmp_path / f"{point}"), tmp_path / f"{point}")
            whole_journal(broken.artifacts)

            def save(delivery: UploadState, journal: Journal = broken, last: int = point) -> None:
                if len(journal.saved) == last:
                    raise InterruptedError
                journal.saved.append(delivery)

            with pytest.raises(InterruptedError):
                JournalUpload(broken.location, JOURNAL, None, save).send(events, broken.artifacts)
            broken.send(events, knowing=broken.saved[-1] if broken.saved else None)
            (run,) = broken.runs()
            assert plain(run) == plain(whole.runs()[0])
            held, expected = (read_experiment(j.location, "tracker").runs[0].curves for j in (broken, whole))
            assert {key: str(curve.values) for key, curve in held.items()} == {
                key: str(curve.values) for key, curve in expected.items()
            }

    def test_sender_tells_after_every_step_how_far_it_is(self, journal: Journal) -> None:
        events = [STARTED, *epochs(1.0, 0.5), Tagged({"a": "b"}), *epochs(0.25, first=3)]
        journal.send(events)
        assert [delivery.events for delivery in journal.saved] == [0, 1, 3, 4, 5]

    def test_sender_sends_as_a_journal_grows(self, journal: Journal) -> None:
        events = whole_journal(journal.artifacts)
        sender = JournalUpload(journal.location, JOURNAL, None, journal.saved.append)
        for length in range(1, len(events) + 1):
            assert sender.send(events[:length], journal.artifacts).events == length
        assert [delivery.events for delivery in journal.saved] == list(range(len(events) + 1))
        assert len(journal.runs()) == 1

    def test_sender_sends_waiting_epochs_in_as_few_calls_as_mlflow_allows(self, journal: Journal) -> None:
        events = [STARTED, *epochs(*[1.0] * 1_234)]
        journal.send(events)
        assert [delivery.events for delivery in journal.saved] == [0, 1, 501, 1_001, 1_235]
        assert len(read_experiment(journal.location, "tracker").runs[0].curves["loss"].steps) == 1_234

    def test_sender_sends_an_epoch_of_more_values_than_a_call_takes(self, journal: Journal) -> None:
        journal.send([STARTED, EpochDone(START, 1, {f"metric {i}": float(i) for i in range(2_500)})])
        assert len(read_experiment(journal.location, "tracker").runs[0].metrics) == 2_500

    def test_sender_makes_no_second_run_where_the_answer_was_lost(self, journal: Journal) -> None:
        first = journal.send([STARTED])
        assert journal.send([STARTED, *epochs(1.0)]) == UploadState(first.run_id, first.artifacts, 2)
        assert len(journal.runs()) == 1

    def test_sender_keeps_one_run_where_a_server_made_two(self, journal: Journal) -> None:
        store = open_store(journal.location)
        experiment = store.ensure_experiment("tracker")
        for _ in range(2):
            store.client.create_run(experiment, START, {JOURNAL_TAG: JOURNAL}, "a run")
        delivery = journal.send([STARTED, *epochs(1.0)])
        stages = {run.info.run_id: run.info.lifecycle_stage for run in journal.runs()}
        assert sorted(stages.values()) == ["active", "deleted"]
        assert stages[delivery.run_id] == "active"

    def test_sender_asks_a_store_that_has_all_for_nothing(self, journal: Journal) -> None:
        events = [STARTED, *epochs(1.0)]
        known = UploadState("ab" * 16, "file:///nowhere", 2)
        away = JournalUpload(Location("http://127.0.0.1:9", None, ""), JOURNAL, known, journal.saved.append)
        assert away.send(events, journal.artifacts) == known
        assert not journal.saved

    def test_sender_sends_all_again_of_a_journal_that_lost_its_end(self, journal: Journal) -> None:
        delivery = journal.send([STARTED, *epochs(1.0, 0.5, 0.25)])
        assert journal.send([STARTED, *epochs(1.0, 0.7)], knowing=delivery).events == 3
        curve = read_experiment(journal.location, "tracker").runs[0].curves["val_loss"]
        assert curve.steps.tolist() == [1, 2, 3]

    def test_sender_lets_a_resumed_run_be_running_and_then_finished(self, journal: Journal) -> None:
        interrupted = [STARTED, *epochs(1.0), Ended(START + 2_000, "KILLED", "interrupted")]
        journal.send(interrupted)
        (run,) = journal.runs()
        assert (run.info.status, run.data.tags[REASON_TAG]) == ("KILLED", "interrupted")
        resumed = [*interrupted, Resumed(START + 9_000, 1), *epochs(0.5, first=2, start=START + 9_000)]
        journal.send(resumed)
        (run,) = journal.runs()
        assert run.info.status == "RUNNING"
        assert REASON_TAG not in run.data.tags
        assert read_experiment(journal.location, "tracker").runs[0].ended is None
        journal.send([*resumed, Ended(START + 20_000, "FINISHED")])
        (run,) = journal.runs()
        assert (run.info.status, run.info.end_time) == ("FINISHED", START + 20_000)

    def test_sender_takes_the_epochs_as_they_come_whatever_the_clock_says(self, journal: Journal) -> None:
        times = [START, START - 3_600_000, START - 3_600_000, 0]
        events = [EpochDone(time, n, {"loss": 1 / n}) for n, time in enumerate(times, 1)]
        delivery = journal.send([STARTED, *events, Ended(START - 5, "FINISHED")])
        (run,) = read_experiment(journal.location, "tracker").runs
        assert run.curves["loss"].steps.tolist() == [1, 2, 3, 4]
        assert run.curves["loss"].values.tolist() == [1, 1 / 2, 1 / 3, 1 / 4]
        assert run.metrics["loss"] == 1 / 4
        history = MlflowClient(journal.location.uri).get_metric_history(delivery.run_id, "loss")
        assert {one.step: (one.value, one.timestamp) for one in history} == {
            n: (1 / n, time) for n, time in enumerate(times, 1)
        }

    @pytest.mark.parametrize("later", [0, -3_600_000])
    def test_sender_takes_the_last_written_of_an_epoch_whatever_the_clock_says(
        self, journal: Journal, later: int
    ) -> None:
        again = [EpochDone(START + later * n, 1, {"loss": loss}) for n, loss in enumerate([0.5, 0.9, 0.1])]
        once = [Measured(START + later * n, {"best_epoch": best}) for n, best in enumerate([7, 3])]
        delivery = journal.send([STARTED, *again, *once])
        journal.send([STARTED, *again, *once], knowing=UploadState(delivery.run_id, delivery.artifacts, 0))
        (run,) = read_experiment(journal.location, "tracker").runs
        assert run.curves["loss"].values.tolist() == [0.1]
        assert run.metrics == {"loss": 0.1, "best_epoch": 3.0}
        history = MlflowClient(journal.location.uri).get_metric_history(delivery.run_id, "loss")
        assert [one.value for one in history] == [0.5, 0.9, 0.1]

    @pytest.mark.parametrize("last", [0.25, float("nan"), float("inf"), -float("inf")])
    def test_sender_has_the_last_epoch_for_the_latest_in_whatever_order_it_is_sent(
        self, journal: Journal, last: float
    ) -> None:
        losses = [float("inf"), 9.0, float("nan"), last]
        times = [START + 9, START + 5, START + 7, START - 3_600_000]
        done = [EpochDone(time, n, {"loss": loss}) for n, (time, loss) in enumerate(zip(times, losses, strict=True), 1)]
        events = [STARTED, *done, Ended(START, "FINISHED")]
        delivery = journal.send(events)
        for known in (0, 3, 1, 4, 2):
            journal.send(events, knowing=UploadState(delivery.run_id, delivery.artifacts, known))
            (run,) = read_experiment(journal.location, "tracker").runs
            assert str(run.metrics["loss"]) == str(last)
            history = MlflowClient(journal.location.uri).get_metric_history(delivery.run_id, "loss")
            assert sorted((one.step, one.timestamp) for one in history) == list(enumerate(times, 1))
        (shown,) = journal.runs()
        assert (shown.info.start_time, shown.info.end_time) == (START, START)

    def test_sender_waits_for_a_database_that_is_locked(self, journal: Journal, tmp_path: Path) -> None:
        sender = JournalUpload(journal.location, JOURNAL, None, journal.saved.append)
        sender.send([STARTED], journal.artifacts)
        other = sqlite3.connect(tmp_path / "mlflow.db", check_same_thread=False, isolation_level=None)
        with closing(other):
            other.execute("BEGIN EXCLUSIVE")
            order: list[str] = []

            def unlock() -> None:
                order.append("unlocked")
                other.execute("ROLLBACK")

            release = threading.Timer(0.5, unlock)
            release.start()
            assert sender.send([STARTED, *epochs(1.0)], journal.artifacts).events == 2
            order.append("sent")
            release.join()
        assert order == ["unlocked", "sent"]

    def test_sender_says_that_a_server_is_away(self, journal: Journal) -> None:
        journal.location = Location("http://127.0.0.1:9", None, "")
        with pytest.raises(UnreachableError, match="no tracking server answers at"):
            journal.send([STARTED])
        assert not journal.saved

    def test_sender_says_that_the_database_is_away_and_makes_no_other(self, journal: Journal, tmp_path: Path) -> None:
        delivery = journal.send([STARTED])
        (tmp_path / "mlflow.db").rename(tmp_path / "taken away")
        with pytest.raises(UnreachableError, match=r"mlflow\.db is no longer there: bring it back"):
            journal.send([STARTED, *epochs(1.0)], knowing=delivery)
        assert not (tmp_path / "mlflow.db").exists()
        (tmp_path / "taken away").rename(tmp_path / "mlflow.db")
        assert journal.send([STARTED, *epochs(1.0)], knowing=delivery).events == 2

    def test_sender_never_writes_to_a_database_that_was_moved_aside(self, journal: Journal, tmp_path: Path) -> None:
        sender = JournalUpload(journal.location, JOURNAL, None, journal.saved.append)
        sender.send([STARTED], journal.artifacts)
        (tmp_path / "mlflow.db").rename(tmp_path / "aside.db")
        aside = (tmp_path / "aside.db").read_bytes()
        open_store(journal.location)
        with pytest.raises(GoneError, match=r"run \w+ is not in .*mlflow\.db, though it was sent there: `tracker"):
            sender.send([STARTED, *epochs(1.0)], journal.artifacts)
        assert (tmp_path / "aside.db").read_bytes() == aside

    def test_sender_writes_nothing_to_where_a_project_was_before_it_was_moved(self, tmp_path: Path) -> None:
        events = whole_journal(tmp_path / "old/journal/artifacts")
        location, moved = (locate(None, tmp_path / name) for name in ("old", "new"))
        saved: list[UploadState] = []
        JournalUpload(location, "whole", None, saved.append).send(events, tmp_path / "old/journal/artifacts")
        JournalUpload(location, JOURNAL, None, saved.append).send([STARTED], tmp_path)
        (tmp_path / "old").rename(tmp_path / "new")
        going_on = JournalUpload(moved, JOURNAL, saved[-1], saved.append)
        for sender in (going_on, JournalUpload(moved, "another", None, saved.append)):
            with pytest.raises(StoreError, match=r"was moved, .*: run `tracker repair` first"):
                sender.send(events, tmp_path / "new/journal/artifacts")
        relocate(moved)
        assert going_on.send(events, tmp_path / "new/journal/artifacts").events == len(events)
        assert not (tmp_path / "old").exists()

    def test_sender_says_that_files_cannot_be_written_now(self, journal: Journal, tmp_path: Path) -> None:
        events = whole_journal(journal.artifacts)
        (tmp_path / "mlruns").touch()
        with pytest.raises(UnreachableError, match=r"cannot write the dataset\.csv of run \w+ to .*mlflow\.db: "):
            journal.send(events)
        (tmp_path / "mlruns").unlink()
        assert journal.send(events, knowing=journal.saved[-1]).events == len(events)

    @pytest.mark.parametrize("events", [[STARTED], [STARTED, *epochs(1.0)]])
    def test_sender_says_how_to_bring_a_deleted_run_back(self, journal: Journal, events: list[Event]) -> None:
        delivery = journal.send([STARTED])
        MlflowClient(journal.location.uri).delete_run(delivery.run_id)
        known = delivery if len(events) > 1 else None
        with pytest.raises(StoreError, match=rf"run {delivery.run_id} was deleted in .*`mlflow runs restore") as error:
            journal.send(events, knowing=known)
        assert not isinstance(error.value, UnreachableError)

    def test_sender_deletes_a_run_once_and_takes_a_lost_answer_for_that(self, journal: Journal) -> None:
        events = [STARTED, *epochs(1.0), Ended(START, "KILLED", "deleted"), Renamed("another"), Deleted(START)]
        state = journal.send(events)
        (run,) = journal.runs()
        assert (run.info.lifecycle_stage, run.info.run_name) == ("deleted", "another")
        assert journal.send(events, knowing=replace(state, events=len(events) - 1)) == state
        assert journal.send(events) == state

    def test_sender_refuses_a_store_of_another_schema(self, journal: Journal, tmp_path: Path) -> None:
        open_store(journal.location)
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
            connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
            connection.commit()
        with pytest.raises(StoreError, match="made by a newer MLflow"):
            journal.send([STARTED])

    def test_sender_refuses_what_mlflow_would_cut(self, journal: Journal) -> None:
        with pytest.raises(StoreError, match="at most 8,000 characters"):
            journal.send([STARTED, Tagged({"note": "x" * 8_001})])

    @pytest.mark.parametrize("path", ["gone.csv", "../secret.txt", "/etc/hostname"])
    def test_sender_refuses_a_file_that_is_not_the_journals(self, journal: Journal, path: str) -> None:
        (journal.artifacts.parent / "secret.txt").touch()
        with pytest.raises(StoreError, match="listed in the journal but missing") as error:
            journal.send([STARTED, Attached(path)])
        assert not isinstance(error.value, UnreachableError)

    @pytest.mark.parametrize("tags", [{}, {JOURNAL_TAG: "another"}])
    def test_sender_writes_nothing_to_a_run_that_another_journal_or_program_logged(
        self, journal: Journal, location: Location, tmp_path: Path, tags: dict[str, str]
    ) -> None:
        store = open_store(location)
        theirs = store.full_client.create_run(
            store.ensure_experiment("tracker"), tags=tags, run_name="theirs"
        ).info.run_id
        before, known = dump(tmp_path / "mlflow.db"), UploadState(theirs, "", 1)
        sender = JournalUpload(location, JOURNAL, known, journal.saved.append)
        for _ in range(2):
            with pytest.raises(StoreError, match=f"run {theirs} in .* wasn't uploaded from journal {JOURNAL}, though"):
                sender.send([STARTED, *epochs(1.0), Tagged({"note": "ours"})], journal.artifacts)
        assert dump(tmp_path / "mlflow.db") == before
        assert not journal.saved

    def test_sender_never_gives_a_run_the_id_of_another_journal(self, journal: Journal) -> None:
        started = replace(STARTED, tags={JOURNAL_TAG: "another"})
        journal.send([started, Tagged({JOURNAL_TAG: "another", "note": "ours"})])
        (run,) = journal.runs()
        assert (run.data.tags[JOURNAL_TAG], run.data.tags["note"]) == (JOURNAL, "ours")

    def test_sender_refuses_events_that_begin_elsewhere(self, journal: Journal) -> None:
        with pytest.raises(ValueError, match="must begin with how the run was started"):
            journal.send(epochs(1.0))

    def test_sender_refuses_an_id_that_is_none(self, location: Location) -> None:
        with pytest.raises(ValueError, match="a journal's id must be"):
            JournalUpload(location, "it's", None, print)


def test_many_processes_send_to_one_store_while_others_read_it(tmp_path: Path) -> None:
    assert send_at_once(tmp_path, writers=6, epochs=5, readers=2) == []


def plain(run: Run) -> tuple[object, ...]:
    info, data = run.info, run.data
    return info.run_name, info.status, info.start_time, info.end_time, data.params, data.tags, str(data.metrics)


def keep(_delivery: UploadState) -> None:
    """Nobody goes on with these journals."""


class TestSenderToAServer:
    def test_sent_twice_leaves_what_the_journal_says(
        self, served: Served, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        client_of(served.http).create_experiment("sent", artifact_location="mlflow-artifacts:/sent")
        events = [replace(STARTED, experiment="sent"), *whole_journal(tmp_path)[1:]]
        first = JournalUpload(served.http, "sent", None, keep).send(events, tmp_path)
        resumed = [*events, Resumed(1, 3), *epochs(0.1, first=4), Ended(2, "FAILED", "disk full"), Renamed("again")]
        for known in (None, first, UploadState(first.run_id, first.artifacts, 0)):
            assert JournalUpload(served.http, "sent", known, keep).send(resumed, tmp_path).run_id == first.run_id
        expected = run_of_journal(resumed, tmp_path, first.run_id, "FAILED")
        assert JournalUpload(served.http, "sent", None, keep).send(resumed, tmp_path / "gone").run_id == first.run_id
        for location in served:
            (run,) = read_experiment(location, "sent").runs
            assert (run.name, run.tags) == ("again", {**expected.tags, JOURNAL_TAG: "sent"})
            assert (run.params, str(run.metrics)) == (expected.params, str(dict(expected.metrics)))
            assert (run.status, run.started, run.ended) == ("FAILED", expected.started, 2)
            assert run.curves["loss"].steps.tolist() == [1, 2, 3, 4]
            assert run.validation is not None
        paths = [found.path for found in MlflowClient(served.http.uri).list_artifacts(first.run_id, "model")]
        assert paths == ["model/MLmodel", "model/data"]
        assert capfd.readouterr().out == ""

    def test_sender_to_a_server_says_that_a_run_is_not_there(self, served: Served, tmp_path: Path) -> None:
        known = UploadState("ab" * 16, "mlflow-artifacts:/elsewhere", 1)
        with pytest.raises(GoneError, match=r"run (ab)+ is not in http.*, though it was sent there: `tracker repair`"):
            JournalUpload(served.http, "gone", known, keep).send([STARTED, *epochs(1.0)], tmp_path)

    def test_sender_to_a_server_writes_nothing_to_a_run_of_another_journal(
        self, served: Served, tmp_path: Path
    ) -> None:
        theirs = JournalUpload(served.http, "theirs", None, keep).send([STARTED, *epochs(1.0)], tmp_path)
        known = UploadState(theirs.run_id, theirs.artifacts, 1)
        with pytest.raises(StoreError, match=f"run {theirs.run_id} in http.* wasn't uploaded from journal ours"):
            JournalUpload(served.http, "ours", known, keep).send([STARTED, *epochs(0.5, 0.25)], tmp_path)
        (run,) = (run for run in read_experiment(served.http, "tracker").runs if run.run_id == theirs.run_id)
        assert run.curves["val_loss"].values.tolist() == [1.0]

    def test_sender_to_a_server_goes_on_once_a_server_that_ended_is_back(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        events = [replace(STARTED, experiment="cut off"), *whole_journal(tmp_path)[1:]]
        sender = JournalUpload(server.ways.http, "cut-off", None, keep)
        half = sender.send(events[:4], tmp_path)
        server.kill()
        for _ in range(2):
            with pytest.raises(UnreachableError, match=r"127\.0\.0\.1"):
                sender.send(events, tmp_path)
        server.start()
        assert sender.send(events, tmp_path).run_id == half.run_id
        (run,) = read_experiment(server.store, "cut off").runs
        assert run.status == "FINISHED"
        assert run.curves["val_loss"].values.tolist()[:2] == [1.0, 0.5]
        assert run.validation is not None
