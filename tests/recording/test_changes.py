from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from mlflow import MlflowClient

from tests.builders import STARTED, send_run
from tests.running import Collected
from tracker.errors import TrackerError
from tracker.journal.reader import read
from tracker.journal.writer import JournalWriter
from tracker.recording.changes import delete_run, rename_run, tag_run
from tracker.recording.stores import journals_folder, load_runs, run_from_journal
from tracker.recording.uploader import repair_store, send
from tracker.runs.events import Ended, EpochDone, Renamed
from tracker.store import store_at

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.journal.reader import Journal
    from tracker.store import Store
    from tracker.store.location import Location

BEGUN = STARTED.time


@pytest.fixture
def store(work: Path) -> Store:
    return store_at(None, work)


def journalled(store: Store, name: str = "mine", *, ends: bool = True) -> Journal:
    """Write a run's journal, as `tracker run` leaves it."""
    folder = journals_folder(store) / uuid4().hex
    begun = type(STARTED)(BEGUN, store.uri, "tracker", name, "val_accuracy", {"seed": "0"}, {})
    with JournalWriter.create(folder, begun) as writer:
        writer.append(EpochDone(BEGUN + 5, 1, {"val_loss": 0.5}))
        if ends:
            writer.append(Ended(BEGUN + 9, "FINISHED"))
    return read(folder)


def shown(store: Store) -> dict[str, dict[str, str]]:
    """The tags of each run by its name."""
    return {run.name: dict(run.tags) for run in load_runs(store, "tracker")}


class TestOwnRun:
    """The run's journal is here."""

    @pytest.fixture
    def journal(self, store: Store) -> Journal:
        journal = journalled(store)
        send(store, journal.folder)
        journalled(store, "other")
        return journal

    def test_a_name_and_tags_are_in_store_and_journal(self, store: Store, journal: Journal) -> None:
        reporter = Collected()
        run_id = rename_run("mine", "baseline", store, "tracker", reporter)
        assert tag_run("baseline", {"reviewed": True, "note": ""}, store, "tracker", reporter) == run_id
        assert shown(store)["baseline"].items() >= {"reviewed": "true", "note": ""}.items()
        assert read(journal.folder).name == "baseline"
        assert not read(journal.folder).unsent
        assert not reporter.warnings

    def test_a_change_comes_after_one_that_is_not_uploaded_yet(self, store: Store, journal: Journal) -> None:
        with JournalWriter.reopen(journal.folder) as writer:
            writer.append(Renamed("baseline"))
        tag_run("baseline", {"reviewed": True}, store, "tracker", Collected())
        assert shown(store)["baseline"]["reviewed"] == "true"
        assert run_from_journal(read(journal.folder)).tags["reviewed"] == "true"
        assert not read(journal.folder).unsent

    def test_a_deleted_run_stays_deleted_where_the_store_is_rebuilt(self, store: Store, journal: Journal) -> None:
        run_id = delete_run("mine", store, "tracker", Collected())
        assert list(shown(store)) == ["other"]
        client = MlflowClient(store.uri)
        assert client.get_run(run_id).info.lifecycle_stage == "deleted"
        (store.folder / "mlflow.db").unlink()
        assert all(result.run_id for result in repair_store(store, Collected()))
        assert list(shown(store)) == ["other"]
        rebuilt = read(journal.folder).upload_state.run_id
        client.restore_run(rebuilt)
        assert set(shown(store)) == {"mine", "other"}

    @pytest.mark.usefixtures("journal")
    def test_a_run_that_was_deleted_before_says_since_when_and_how_to_restore_it(self, store: Store) -> None:
        run_id = delete_run("mine", store, "tracker", Collected())
        restore = f"bring it back with `mlflow runs restore --run-id {run_id}`"
        with pytest.raises(TrackerError, match=rf"run mine is deleted already, since 20\d\d-\d\d-\d\d .*: {restore}"):
            delete_run("mine", store, "tracker", Collected())
        with pytest.raises(TrackerError, match=rf"run mine is deleted, since .*: {restore}"):
            rename_run(run_id[:9], "ours", store, "tracker", Collected())
        MlflowClient(store.uri).restore_run(run_id)
        rename_run("mine", "ours", store, "tracker", Collected())
        assert set(shown(store)) == {"ours", "other"}
        delete_run("ours", store, "tracker", Collected())
        assert set(shown(store)) == {"other"}
        MlflowClient(store.uri).restore_run(run_id)
        reporter = Collected()
        rename_run("ours", "other", store, "tracker", reporter)
        assert reporter.warnings == ["another run is called other too: name each by its id"]
        delete_run(run_id, store, "tracker", reporter)
        with pytest.raises(TrackerError, match="no run has the id or name 'another'"):
            delete_run("another", store, "tracker", Collected())

    def test_changes_wait_in_the_journal_while_the_store_takes_none(self, store: Store) -> None:
        journal = journalled(store)
        (store.folder / "mlflow.db").write_text("no database")
        reporter = Collected()
        rename_run("mine", "baseline", store, "tracker", reporter)
        assert reporter.warnings[-1].startswith("run mine is renamed, but not uploaded: ")
        assert [run.name for run in load_runs(store, "tracker")] == ["baseline"]
        delete_run("baseline", store, "tracker", reporter)
        (store.folder / "mlflow.db").unlink()
        send(store, journal.folder)
        with pytest.raises(TrackerError, match="were all deleted: restore some with `mlflow runs restore`"):
            load_runs(store, "tracker")

    def test_a_deleted_interrupted_run_has_ended(self, store: Store) -> None:
        journal = journalled(store, ends=False)
        delete_run("mine", store, "tracker", Collected())
        assert read(journal.folder).ended == Ended(BEGUN + 5, "KILLED", "deleted")

    def test_a_run_that_is_being_trained_is_left_alone(self, store: Store) -> None:
        journal = journalled(store, ends=False)
        with (
            JournalWriter.reopen(journal.folder),
            pytest.raises(TrackerError, match=r"run mine is still being trained by process .*: wait until it ends"),
        ):
            delete_run("mine", store, "tracker", Collected())

    @pytest.mark.parametrize(
        ("tags", "error"),
        [
            ({}, "give at least one tag, got none"),
            ({"tracker.seed": 1}, "a tag must not begin with 'tracker.'"),
            ({"mlflow.runName": "x"}, "a tag must not begin with 'mlflow.', which MLflow sets itself"),
        ],
    )
    def test_tags_that_are_somebody_elses_are_refused(self, store: Store, tags: dict[str, object], error: str) -> None:
        with pytest.raises((ValueError, TrackerError), match=error):
            tag_run("mine", tags, store, "tracker", Collected())

    def test_a_tag_that_the_store_would_cut_is_refused_before_the_journal_has_it(
        self, store: Store, journal: Journal
    ) -> None:
        before = read(journal.folder).events
        with pytest.raises(TrackerError, match="the tag about must be at most 8,000 characters, got 8,001"):
            tag_run("mine", {"about": "x" * 8_001}, store, "tracker", Collected())
        assert read(journal.folder).events == before


class TestForeignRun:
    """No journal is here."""

    def test_a_run_of_another_program_is_changed_in_its_store(self, location: Location, tmp_path: Path) -> None:
        store = store_at(None, tmp_path)
        run_id = send_run(location)
        reporter = Collected()
        assert rename_run(run_id[:8], "theirs", store, "tracker", reporter) == run_id
        tag_run("theirs", {"seen": "yes"}, store, "tracker", reporter)
        assert shown(store)["theirs"]["seen"] == "yes"
        delete_run("theirs", store, "tracker", reporter)
        assert MlflowClient(location.uri).get_run(run_id).info.lifecycle_stage == "deleted"
        with pytest.raises(TrackerError, match=rf"run theirs is deleted already, since .* --run-id {run_id}`"):
            delete_run("theirs", store, "tracker", reporter)

    def test_a_store_that_is_only_read_is_left_alone(self, tmp_path: Path) -> None:
        run = tmp_path / "mlruns/1" / ("ab" * 16)
        run.mkdir(parents=True)
        (run.parent / "meta.yaml").write_text("name: tracker\nlifecycle_stage: active\n")
        (run / "meta.yaml").write_text(f"run_id: {'ab' * 16}\nstatus: 3\nlifecycle_stage: active\nstart_time: 1\n")
        with pytest.raises(TrackerError, match=r"which tracker only reads"):
            delete_run("abab", store_at("mlruns", tmp_path), "tracker", Collected())
