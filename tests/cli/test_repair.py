"""A store that is broken, gone, moved or well, mended from the journals beside it."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4
from zlib import crc32

import pytest

from tracker.journal.process_lock import sending
from tracker.journal.writer import JournalWriter
from tracker.runs.events import Ended, EpochDone, Started
from tracker.store.location import locate
from tracker.store.reader import read_experiment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.running import Tracker
    from tracker.runs import Run

BEGUN = 1_700_000_000_000
DATABASE = Path("mlflow.db")
RECOGNISED = "`tracker repair` sets it aside and creates it again from the journals"
NOT_RECOGNISED = "give another --tracking-uri or, if runs were uploaded to this one, run `tracker repair`"


def journalled(name: str, *, artifact: str = "notes/said.txt", ended: bool = True) -> Path:
    """Write the journal of a run in the working folder, with an artifact, and return its folder."""
    begun = Started(BEGUN, locate(None, Path.cwd()).uri, "tracker", name, "val_accuracy", {"kernel_size": "3"}, {})
    folder = Path(".tracker").absolute() / uuid4().hex
    with JournalWriter.create(folder, begun) as writer:
        writer.attach_bytes(artifact, name.encode())
        for epoch in (1, 2, 3):
            writer.append(EpochDone(BEGUN + epoch, epoch, {"val_loss": 1 / epoch}))
        if ended:
            writer.append(Ended(BEGUN + 4, "FINISHED"))
    return folder


def half_made() -> None:
    """Leave a store whose making was broken off long ago."""
    with closing(sqlite3.connect(DATABASE)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('451aebb31d03')")
        connection.commit()
    os.utime(DATABASE, (0, 0))


def execute(statement: str) -> None:
    with closing(sqlite3.connect(DATABASE)) as connection:
        connection.execute(statement)
        connection.commit()


def statuses() -> list[tuple[str, str]]:
    """Return the status and the stage of every run that the store has, deleted ones too."""
    with closing(sqlite3.connect(DATABASE)) as connection:
        return connection.execute("SELECT status, lifecycle_stage FROM runs").fetchall()


def stored() -> tuple[Run, ...]:
    return read_experiment(locate(None, Path.cwd()), "tracker").runs


def said_in(run: Run) -> str:
    """Return what the artifact of a run says, found by where the store says it is."""
    with closing(sqlite3.connect(DATABASE)) as connection:
        (uri,) = connection.execute("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run.run_id,)).fetchone()
    return Path(uri.removeprefix("file://"), "notes/said.txt").read_text()


class TestABrokenStore:
    def test_half_made_is_moved_aside_and_rebuilt(self, tracker: Tracker) -> None:
        folder = journalled("done")
        half_made()
        assert "`tracker repair` sets it aside" in tracker("sync").err
        result = tracker("repair")
        (run,) = stored()
        assert (result.status, result.out.strip()) == (0, run.run_id)
        assert result.err.splitlines() == [
            f"the store {DATABASE.absolute()} is broken: it was only partly created",
            "to do: move it aside; rebuild from the journals: done",
            f"it was moved aside to {DATABASE.absolute()}.broken-1, with everything that only it holds",
            "run done was rebuilt with 3 epochs",
        ]
        assert (run.status, run.started, run.ended) == ("FINISHED", BEGUN, BEGUN + 4)
        assert run.curves["val_loss"].values.tolist() == [1, 1 / 2, 1 / 3]
        assert not (folder / "artifacts").exists()

    def test_damaged_gives_its_runs_back_with_the_artifacts_that_journals_had_let_go(self, tracker: Tracker) -> None:
        folder = journalled("done")
        tracker("sync")
        (before,) = stored()
        assert not (folder / "artifacts").exists()
        DATABASE.write_bytes(b"no longer a database" * 1_000)
        result = tracker("repair")
        (after,) = stored()
        assert (result.status, result.out.strip()) == (0, after.run_id)
        assert result.err.startswith(
            f"the store {DATABASE.absolute()} is broken: file is not a database\n"
            "to do: move it aside; rebuild from the journals: done\nit was moved aside to "
        )
        assert after.run_id != before.run_id
        assert (after.tags, str(after.metrics), after.ended) == (before.tags, str(before.metrics), before.ended)
        assert said_in(after) == "done"

    @pytest.mark.parametrize(
        ("damage", "said", "remedy"),
        [
            (lambda: DATABASE.write_bytes(b"no database"), "it is not an SQLite database", NOT_RECOGNISED),
            (lambda: os.truncate(DATABASE, 300_000), "database disk image is malformed", RECOGNISED),
            (lambda: execute("DROP TABLE metrics"), "no such table: metrics", RECOGNISED),
        ],
    )
    def test_a_broken_store_is_reported_in_one_line_with_the_remedy(
        self, tracker: Tracker, damage: Callable[[], None], said: str, remedy: str
    ) -> None:
        journalled("done")
        tracker("sync")
        damage()
        result = tracker("runs")
        assert (result.status, result.out) == (1, "")
        assert result.err == f"tracker: cannot read the store {DATABASE.absolute()}: {said}: {remedy}\n"
        assert tracker("repair").status == 0
        assert [run.status for run in stored()] == ["FINISHED"]

    def test_that_is_a_folder_is_left_to_the_person(self, tracker: Tracker) -> None:
        DATABASE.mkdir()
        for command in ("runs", "repair"):
            result = tracker(command)
            said = f"the store {DATABASE.absolute()} is a folder: move it away, or give another --tracking-uri"
            assert (result.status, result.err) == (1, f"tracker: {said}\n")

    def test_a_broken_store_gives_back_what_there_is_where_an_artifact_is_nowhere(self, tracker: Tracker) -> None:
        journalled("done")
        tracker("sync")
        for file in Path("mlruns").rglob("said.txt"):
            file.unlink()
        DATABASE.write_bytes(b"no longer a database" * 1_000)
        result = tracker("repair")
        assert result.status == 0
        assert "warning: run done was rebuilt, but these artifacts could not be found: notes/said.txt" in result.err
        assert [run.status for run in stored()] == ["FINISHED"]
        assert tracker("sync").err == "Nothing to upload.\n"

    def test_a_broken_store_is_rebuilt_without_a_run_whose_journal_cannot_be_read(self, tracker: Tracker) -> None:
        broken = journalled("broken") / "journal.jsonl"
        journalled("done")
        broken.write_bytes(b"torn" + broken.read_bytes())
        half_made()
        result = tracker("repair")
        assert result.status == 1
        assert result.err.startswith(f"tracker: cannot read the journal {broken}: ")
        assert [run.name for run in stored()] == ["done"]

    def test_a_broken_store_leaves_runs_of_other_stores_to_them(self, tracker: Tracker) -> None:
        half_made()
        DATABASE.rename("other.db")
        journalled("done")
        result = tracker("repair", "--tracking-uri", "sqlite:///other.db")
        assert (result.status, result.out) == (0, "")
        assert "no journal beside it has a run to rebuild" in result.err
        assert Path("other.db.broken-1").exists()

    def test_a_broken_store_waits_for_nobody_who_sends_a_run(self, tracker: Tracker) -> None:
        folder = journalled("busy")
        journalled("done")
        half_made()
        with sending(folder):
            result = tracker("repair")
        assert result.status == 1
        assert "run busy is being sent by another process: run `tracker repair` again" in result.err
        assert [run.name for run in stored()] == ["done"]
        assert tracker("sync").status == 0
        assert sorted(run.name for run in stored()) == ["busy", "done"]


class TestAStoreThatIsGone:
    def test_a_store_that_is_gone_is_made_anew_from_the_journals(self, tracker: Tracker) -> None:
        journalled("done")
        journalled("cut", ended=False)
        tracker("sync")
        DATABASE.unlink()
        result = tracker("repair")
        assert result.status == 0
        assert result.err.startswith(f"the store {DATABASE.absolute()} is gone\n")
        assert sorted((run.name, said_in(run)) for run in stored()) == [("cut", "cut"), ("done", "done")]

    def test_a_store_that_is_gone_is_told_of_with_the_remedy_whatever_asks_for_it(self, tracker: Tracker) -> None:
        journalled("done")
        tracker("sync")
        DATABASE.unlink()
        said = f"tracker: the store {DATABASE.absolute()} is gone, and runs were uploaded to it: restore it, or "
        for command in ("runs", "report", "sync"):
            result = tracker(command)
            assert (result.status, result.out) == (1, "")
            assert said in result.err
        journalled("waiting")
        assert said in tracker("report").err
        assert tracker("repair").status == 0
        assert sorted(run.name for run in stored()) == ["done", "waiting"]

    def test_a_store_that_is_gone_is_made_anew_with_one_epoch_in_the_singular(self, tracker: Tracker) -> None:
        journal = journalled("short", ended=False) / "journal.jsonl"
        assert tracker("sync").status == 0
        journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:3]))
        DATABASE.unlink()
        assert tracker("repair").err.splitlines()[-1] == "run short was rebuilt with 1 epoch"

    def test_and_never_had_a_run_is_not_made(self, tracker: Tracker) -> None:
        journalled("done")
        result = tracker("repair")
        assert (result.status, result.out) == (1, "")
        assert "does not exist: `tracker run`" in result.err
        assert not DATABASE.exists()

    def test_a_store_that_is_gone_in_part_gets_the_runs_again_that_it_lacks(self, tracker: Tracker) -> None:
        journalled("kept")
        tracker("sync")
        before = DATABASE.read_bytes()
        journalled("lost")
        tracker("sync")
        DATABASE.write_bytes(before)
        result = tracker("repair")
        assert result.status == 0
        assert "lacks runs that were uploaded to it: lost\n" in result.err
        assert sorted((run.name, said_in(run)) for run in stored()) == [("kept", "kept"), ("lost", "lost")]


class TestARunThatIsStuck:
    def test_a_run_that_is_stuck_is_sent_without_the_file_that_is_nowhere(self, tracker: Tracker) -> None:
        (journalled("stuck") / "artifacts/notes/said.txt").unlink()
        journalled("well")
        sent = tracker("sync")
        assert (sent.status, len(sent.out.split())) == (1, 1)
        assert "bring it back, or let `tracker repair` send the run without it\n" in sent.err
        result = tracker("repair")
        assert result.status == 0
        assert result.err.splitlines() == [
            "files of these runs are missing here, and not known to be in the store: stuck",
            "to do: rebuild from the journals: stuck",
            "warning: run stuck was rebuilt, but these artifacts could not be found: notes/said.txt",
            "run stuck was rebuilt with 3 epochs",
        ]
        assert sorted((run.name, run.status) for run in stored()) == [("stuck", "FINISHED"), ("well", "FINISHED")]
        assert tracker("sync").err == "Nothing to upload.\n"
        assert tracker("repair").err == f"nothing is wrong with the store {DATABASE.absolute()}\n"


class TestAMovedStore:
    def test_a_moved_store_learns_where_its_artifacts_are_now(
        self, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journalled("done")
        tracker("sync")
        moved = Path.cwd().with_name("moved")
        Path.cwd().rename(moved)
        monkeypatch.chdir(moved)
        (run,) = stored()
        result = tracker("repair")
        assert result.status == 0
        assert result.out.splitlines() == [
            f"{moved.as_uri()}/mlruns/0",
            f"{moved.as_uri()}/mlruns/tracker",
            f"{moved.as_uri()}/mlruns/tracker/{run.run_id}/artifacts",
        ]
        assert result.err.splitlines() == [
            f"the store {moved / DATABASE} was moved or copied",
            "to do: keep a copy of it and update 3 artifact paths",
            f"a copy of the store as it was is kept in {moved / DATABASE}.before-repair-1",
        ]
        assert said_in(run) == "done"
        again = tracker("repair")
        assert (again.out, again.err) == ("", f"nothing is wrong with the store {moved / DATABASE}\n")


def everything() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


class TestDryRun:
    @pytest.mark.parametrize(
        ("damage", "work"),
        [
            (lambda: DATABASE.write_bytes(b"no database"), "move it aside; rebuild from the journals: done"),
            (lambda: execute("DELETE FROM metrics"), None),
            (lambda: os.truncate(DATABASE, 300_000), "move it aside; rebuild from the journals: done"),
            (DATABASE.unlink, "rebuild from the journals: done"),
            (
                lambda: execute("UPDATE runs SET artifact_uri = replace(artifact_uri, '/work/', '/gone/')"),
                "keep a copy of it and update 1 artifact path",
            ),
            (
                lambda: execute("UPDATE runs SET run_uuid = 'another'"),
                "rebuild from the journals: done",
            ),
        ],
    )
    def test_it_says_what_would_be_done_and_does_nothing(
        self, tracker: Tracker, damage: Callable[[], object], work: str | None
    ) -> None:
        journalled("done")
        tracker("sync")
        damage()
        before = everything()
        result = tracker("repair", "--dry-run")
        assert (result.status, result.out) == (0, "")
        last = result.err.splitlines()[-1]
        assert last == (f"to do: {work}" if work else f"nothing is wrong with the store {DATABASE.absolute()}")
        assert everything() == before
        assert f"{last}\n" in tracker("repair").err

    def test_python_may_ask_for_it_too(self, tracker: Tracker) -> None:
        import tracker as package

        journalled("done")
        tracker("sync")
        DATABASE.unlink()
        assert package.repair(dry_run=True) == ()
        assert not DATABASE.exists()


class TestAnotherProgramsFile:
    @pytest.mark.parametrize(
        "content", [b"x\n", b"\xff\xd8\xff\xe0", b"SQLite format 3\0" + bytes(2_000), b"#!/bin/sh\n"], ids=range(4)
    )
    @pytest.mark.parametrize("options", [(), ("--dry-run",)])
    def test_it_is_left_alone(self, tracker: Tracker, content: bytes, options: tuple[str, ...]) -> None:
        journalled("of another store")
        tracker("sync")
        Path("mine.db").write_bytes(content)
        before = everything()
        result = tracker("repair", "--tracking-uri", "mine.db", *options)
        assert (result.status, result.out) == (1, "")
        assert "mine.db is another program's file, not an MLflow store: give another --tracking-uri\n" in result.err
        assert everything() == before

    def test_nothing_is_made_or_moved_for_a_mistyped_path(self, tracker: Tracker) -> None:
        journalled("done")
        tracker("sync")
        before = everything()
        result = tracker("repair", "--tracking-uri", "mlfow.db")
        assert (result.status, result.out) == (1, "")
        assert "mlfow.db does not exist" in result.err
        assert everything() == before


class TestAStrangersProject:
    def test_nothing_is_copied_from_or_written_to_elsewhere(self, tracker: Tracker) -> None:
        home = Path("../home")
        home.mkdir()
        for name in (".bashrc", "id_rsa"):
            (home / name).write_text(f"my {name}")
        stored_at = Path("mlruns/tracker/run/artifacts").absolute()
        deep = stored_at / "a/b/c/d/e/f/g/h/i/j/k/l"
        deep.mkdir(parents=True)
        (stored_at / "l").symlink_to("a/b/c/d/e/f/g/h/i/j/k/l")
        (stored_at / "a/b/c/d/e/home").mkdir()
        (stored_at / "a/b/c/d/e/home/.bashrc").write_text("hostile")
        up = "../" * 7
        for uri, path in ((stored_at.as_uri(), f"l/{up}home/.bashrc"), (home.resolve().as_uri(), "id_rsa")):
            folder = journalled("hostile")
            file = folder / "journal.jsonl"
            first, attached, *rest = file.read_bytes().splitlines()
            row = json.loads(attached) | {"path": path}
            del row["crc"]
            body = json.dumps(row, separators=(",", ":"))[:-1].encode()
            line = body + b',"crc":"%08x"}' % crc32(body)
            file.write_bytes(b"\n".join([first, line, *rest, b""]))
            (folder / "delivery.json").write_text(json.dumps({"run_id": "e" * 32, "artifacts": uri, "entries": 6}))
        tracker("repair")
        assert (home / ".bashrc").read_text() == "my .bashrc"
        assert not [path for path in Path().rglob("*") if path.is_file() and b"my id_rsa" in path.read_bytes()]


class TestAStoreThatIsWell:
    def test_a_store_that_is_well_stays_as_it_is(self, tracker: Tracker) -> None:
        journalled("done")
        tracker("sync")
        before = everything()
        for _ in range(2):
            result = tracker("repair")
            assert (result.status, result.out) == (0, "")
            assert result.err == f"nothing is wrong with the store {DATABASE.absolute()}\n"
        assert everything() == before

    def test_a_store_that_is_well_gets_no_run_back_that_was_deleted_in_it(self, tracker: Tracker) -> None:
        journalled("unwanted")
        tracker("sync")
        execute("UPDATE runs SET lifecycle_stage = 'deleted'")
        assert tracker("repair").err == f"nothing is wrong with the store {DATABASE.absolute()}\n"
        assert statuses() == [("FINISHED", "deleted")]

    def test_a_store_that_is_well_of_a_newer_mlflow_is_refused_as_ever(self, tracker: Tracker) -> None:
        journalled("done")
        tracker("sync")
        execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        result = tracker("repair")
        assert (result.status, result.out) == (1, "")
        assert "was made by a newer MLflow" in result.err
        assert DATABASE.exists()

    def test_that_is_a_server_is_refused_in_one_line(self, tracker: Tracker) -> None:
        result = tracker("repair", "--tracking-uri", "http://127.0.0.1:9")
        assert result.status == 1
        assert result.err == (
            "tracker: http://127.0.0.1:9 is a tracking server, which is repaired where it runs: give its database\n"
        )
