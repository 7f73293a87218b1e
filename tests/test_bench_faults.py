"""The proof that runs survive must be able to fail: what it counts, and how it says it."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench.faults.document import Effort, Results, document, missed_aims
from bench.faults.kills import Epochs, Survived
from bench.faults.moments import AIMS
from bench.faults.server import Sent, values_sent
from bench.faults.stored import Stored, is_broken, opens, stored
from tests.builders import START, STARTED, send_run
from tracker.atomic_files import replace_path
from tracker.journal.writer import JournalWriter
from tracker.runs.events import Ended, EpochDone
from tracker.store.location import locate

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.store.location import Location

WELL = Survived(kills=("at any moment",), lost=0, again=0, differing=0, broken=0, ended=True)


class TestAims:
    @pytest.mark.parametrize(
        ("aim", "folder"),
        [
            ("while a checkpoint was written", "checkpoints"),
            ("while an artifact, or the note on what was sent, was written", "."),
        ],
    )
    def test_an_aim_is_hit_only_while_a_file_is_being_written(self, tmp_path: Path, aim: str, folder: str) -> None:
        (tmp_path / folder).mkdir(exist_ok=True)
        is_hit, seen = AIMS[aim](tmp_path, tmp_path), []

        def write(path: Path) -> None:
            path.write_bytes(b"x")
            seen.append(is_hit())

        assert not is_hit()
        replace_path(tmp_path / folder / "file", write)
        assert (seen, is_hit()) == ([True], False)

    def test_an_aim_that_a_hundred_kills_missed_is_named(self) -> None:
        hit = [aim for aim in AIMS if aim != "while the store was written"]
        survived = tuple(replace(WELL, kills=(aim,)) for aim in hit * 25)
        assert missed_aims(survived) == ["while the store was written"]
        assert missed_aims(survived[:50]) == []


class TestEpochs:
    def test_finished_and_gone_from_the_journal_are_lost(self) -> None:
        epochs = Epochs()
        epochs.count(frozenset({1, 2, 3}), frozenset({1, 2}))
        assert (epochs.lost, epochs.again) == (1, 0)

    def test_trained_after_they_were_finished_are_trained_again(self) -> None:
        epochs = Epochs()
        epochs.count(frozenset({1, 2}), frozenset({1, 2, 3}))
        epochs.count(frozenset({3, 4}), frozenset({1, 2, 3, 4}))
        assert (epochs.lost, epochs.again) == (0, 1)

    def test_each_finished_once_are_well(self) -> None:
        epochs = Epochs()
        epochs.count(frozenset({1, 2}), frozenset({1, 2, 3}))
        epochs.count(frozenset({4}), frozenset({1, 2, 3, 4}))
        assert (epochs.lost, epochs.again) == (0, 0)


class TestStored:
    @pytest.fixture
    def found(self, location: Location, tmp_path: Path) -> Stored:
        losses = EpochDone(START, 1, {"val_loss": 0.5}), EpochDone(START + 1, 2, {"val_loss": 0.25})
        send_run(location, *losses, Ended(START + 2, "FINISHED"), files={"curves.png": b"png"})
        (found,) = stored(tmp_path)
        return found

    def test_stored_differs_from_itself_in_nothing(self, found: Stored) -> None:
        assert found.differing(found) == 0

    def test_stored_differs_by_a_value_by_an_artifact_and_by_one_that_is_not_there(self, found: Stored) -> None:
        curve = replace(found.run.curves["val_loss"], values=np.array([0.5, np.nextafter(0.25, 1)]))
        assert replace(found, run=replace(found.run, curves={"val_loss": curve})).differing(found) == 1
        assert replace(found, files={}).differing(found) == 1
        assert replace(found, files={"curves.png": "other"}).differing(found) == 2

    def test_stored_differs_by_a_value_that_is_there_twice(self, tmp_path: Path, found: Stored) -> None:
        with sqlite3.connect(tmp_path / "mlflow.db") as connection:
            connection.execute(
                "INSERT INTO metrics (key, value, timestamp, run_uuid, step) "
                "SELECT key, value, timestamp + 1, run_uuid, step FROM metrics WHERE step = 2"
            )
        (twice,) = stored(tmp_path)
        assert found.rows["val_loss", 2] == 1
        assert twice.run.curves["val_loss"].values.tolist() == [0.5, 0.25]
        assert twice.differing(found) == 1

    def test_stored_holds_of_a_model_its_weights_alone(self, tmp_path: Path) -> None:
        digests = []
        for folder, date in (("one", "today"), ("two", "tomorrow")):
            work = tmp_path / folder
            run = send_run(locate(None, work), Ended(START, "FINISHED"), files={"model/MLmodel": date.encode()})
            model = work / "mlruns" / "tracker" / run / "artifacts" / "model" / "data" / "model.keras"
            model.parent.mkdir(parents=True)
            with zipfile.ZipFile(model, "w") as archive:
                archive.writestr("metadata.json", json.dumps(date))
                archive.writestr("model.weights.h5", b"weights")
            digests.append(stored(work)[0].files)
        assert digests[0] == digests[1]
        assert digests[0].keys() == {"model/MLmodel", "model/data/model.keras"}


class TestIsBroken:
    def test_is_broken_is_told_of_an_index_that_lacks_a_row(self, location: Location, tmp_path: Path) -> None:
        send_run(location, Ended(START, "FINISHED"))
        assert not is_broken(tmp_path)
        opens(tmp_path)
        with sqlite3.connect(tmp_path / "mlflow.db") as connection:
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("UPDATE sqlite_master SET sql = sql || ' WHERE 0' WHERE name = 'index_params_run_uuid'")
            assert connection.total_changes == 1
        assert is_broken(tmp_path)

    def test_is_broken_is_not_told_of_a_store_that_is_not_there(self, tmp_path: Path) -> None:
        assert not is_broken(tmp_path)


class TestValuesSent:
    def test_count_what_is_lost_and_what_is_there_beyond_one_of_each(self, location: Location, tmp_path: Path) -> None:
        journal = tmp_path / ".tracker" / ("0" * 32)
        with JournalWriter.create(journal, STARTED) as writer:
            for epoch in (1, 2):
                writer.append(EpochDone(START, epoch, {"val_loss": 1 / epoch}))
        sent = EpochDone(START, 1, {"val_loss": 1.0}), EpochDone(START + 1, 1, {"val_loss": 1.0, "loss": 2.0})
        send_run(location, *sent)
        assert values_sent(journal, tmp_path / "mlflow.db") == Sent(values=2, lost=1, duplicated=2)


class TestDocument:
    @pytest.mark.parametrize(
        ("kills", "deaths", "said"),
        [
            (1, 1, ("| 1 kill of 1 run |", "| 1 value, 1 death |")),
            (2, 2, ("| 2 kills of 2 runs |", "| 1 value, 2 deaths |")),
        ],
    )
    def test_document_counts_in_good_grammar(self, kills: int, deaths: int, said: tuple[str, str]) -> None:
        page = document(Results((WELL,) * kills, Sent(1, 0, 0), 0), Effort(kills, deaths, 1, 7))
        assert all(words in page for words in said)
        assert f"--kills {kills} --server-deaths {deaths} --opens 1 --seed 7" in page


class TestResults:
    def test_results_without_a_fault_have_none(self) -> None:
        assert Results((WELL,), Sent(9, 0, 0), 0).wrong == 0

    @pytest.mark.parametrize("fault", ["lost", "again", "differing", "broken"])
    def test_count_what_went_wrong_with_a_run(self, fault: str) -> None:
        assert Results((replace(WELL, **{fault: 2}),), None, 0).wrong == 2

    def test_count_a_run_that_did_not_end_what_a_server_lost_and_doubled_and_a_broken_store(self) -> None:
        assert Results((replace(WELL, ended=False),), Sent(9, 2, 3), 4).wrong == 1 + 2 + 3 + 4
