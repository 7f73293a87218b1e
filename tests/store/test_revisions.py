"""Stores of every year's MLflow are read, and nothing about them changes."""

from __future__ import annotations

import hashlib
import math
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.builders import STARTED
from tests.store.make_revisions import FOLDER, REVISIONS, RUNS
from tracker.errors import StoreError
from tracker.store import StoreState, store_at
from tracker.store.database import state_of
from tracker.store.reader import run_names

if TYPE_CHECKING:
    from pathlib import Path

LABELS = sorted(REVISIONS)


def store_of(label: str, folder: Path, *statements: str) -> Path:
    """Make a store of a revision in a folder."""
    database = folder / "mlflow.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript((FOLDER / f"{label}.sql").read_text(encoding="utf-8"))
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return database


def digests(folder: Path) -> dict[str, str]:
    """The digest of every file, by its name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


class TestReadingAnyRevision:
    @pytest.mark.parametrize("label", LABELS)
    def test_read_brings_back_the_runs_of_every_revision_and_changes_nothing(self, label: str, tmp_path: Path) -> None:
        store_of(label, tmp_path)
        before = digests(tmp_path)
        store = store_at(None, tmp_path)
        experiment = store.read("theirs")
        assert [(run.run_id, run.name, run.status.value) for run in experiment.runs] == [
            (RUNS[0], "run 0", "FINISHED"),
            (RUNS[1], "run 1", "FAILED"),
        ]
        first, second = experiment.runs
        assert (first.params, second.params) == ({"lr": "0.1"}, {"lr": "0.2"})
        assert first.curves["val_loss"].steps.tolist() == [0, 1, 2]
        assert second.curves["val_loss"].values.tolist() == [0.5, 0.25, 1.75]
        assert (first.metrics["val_loss"], second.metrics["val_loss"]) == (0.75, 1.75)
        assert math.isnan(first.metrics["nothing"]) is ("451aebb31d03" not in label)  # which has no NaN
        assert experiment.tags == ({} if label < "2019-89" else {"owner": "somebody"})
        assert not experiment.unreadable
        assert not experiment.unreadable_rows
        assert [name.name for name in store.run_names()] == ["run 1", "run 0"]
        assert digests(tmp_path) == before

    @pytest.mark.parametrize("label", LABELS)
    def test_writing_is_refused_and_nobody_is_told_to_upgrade_the_store(self, label: str, tmp_path: Path) -> None:
        database = store_of(label, tmp_path)
        before = digests(tmp_path)
        store = store_at(None, tmp_path)
        assert state_of(database) is StoreState.OLDER
        year = label.partition("-")[0]
        said = rf"older MLflow than 3\.17\.2, of about {year}, which alone can write to it.*another --tracking-uri$"
        for refused in (
            store.check_usable,
            lambda: store.open_upload("a-journal", None, print).send([STARTED], tmp_path),
            lambda: store.matching_runs("theirs", "params.lr = '0.1'"),
            store.relocate,
            lambda: store.serve_ui().__enter__(),
        ):
            with pytest.raises(StoreError, match=said) as error:
                refused()
            assert "upgrade" not in str(error.value)
        condition = store.examine()
        assert (condition.is_broken, condition.state) == (False, StoreState.OLDER)
        assert digests(tmp_path) == before

    def test_read_brings_back_the_runs_of_a_newer_mlflow(self, tmp_path: Path) -> None:
        label = LABELS[-1]
        store_of(
            label,
            tmp_path,
            "UPDATE alembic_version SET version_num = 'ffffffffffff'",
            "ALTER TABLE runs ADD COLUMN more",
        )
        assert len(store_at(None, tmp_path).read("theirs").runs) == 2
        with pytest.raises(StoreError, match=r"newer MLflow than 3\.17\.2, which alone can write to it"):
            store_at(None, tmp_path).check_usable()

    def test_read_names_the_columns_that_are_missing(self, tmp_path: Path) -> None:
        store_of(LABELS[0], tmp_path, "ALTER TABLE params RENAME COLUMN value TO text", "DROP TABLE tags")
        with pytest.raises(StoreError, match=r"lacks params\.value, tags\.key, tags\.run_uuid, tags\.value"):
            store_at(None, tmp_path).read("theirs")


class TestReadingWithoutATrace:
    @pytest.mark.parametrize("is_open", [True, False])
    def test_read_changes_nothing_of_a_store_in_wal_mode(self, tmp_path: Path, is_open: bool) -> None:
        database = store_of("2024-f5a4f2784254", tmp_path)
        with closing(sqlite3.connect(database)) as writer:
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute("UPDATE params SET value = '7'")
            writer.commit()
            if not is_open:  # as it is left by a program that was killed
                for name in ("mlflow.db", "mlflow.db-wal"):
                    (tmp_path / "killed").mkdir(exist_ok=True)
                    shutil.copy(tmp_path / name, tmp_path / "killed" / name)
            folder = tmp_path if is_open else tmp_path / "killed"
            before = digests(folder)
            assert [run.params["lr"] for run in store_at(None, folder).read("theirs").runs] == ["7", "7"]
            assert digests(folder) == before

    def test_read_leaves_nothing_beside_a_store_in_wal_mode(self, tmp_path: Path) -> None:
        with closing(sqlite3.connect(store_of("2024-f5a4f2784254", tmp_path))) as writer:
            writer.execute("PRAGMA journal_mode = WAL")
        before = digests(tmp_path)
        assert run_names(tmp_path / "mlflow.db") == ()
        assert len(store_at(None, tmp_path).read("theirs").runs) == 2
        assert digests(tmp_path) == before
