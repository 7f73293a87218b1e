"""`tracker runs` where there is more to a run than its accuracy and its place in a store."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.builders import START, STARTED, send_run
from tracker.journal.writer import JournalWriter
from tracker.runs.events import Ended, Measured
from tracker.store.location import locate

if TYPE_CHECKING:
    from tests.running import LogRun, Tracker


def measured(metric: str, *values: float) -> None:
    """Log a run each for the values of a metric, which the experiment names as its primary one."""
    for number, value in enumerate(values):
        begun = replace(STARTED, time=START + number, metric=metric, name=f"run {number}")
        events = Measured(START, {metric: value}), Ended(START + 9, "FINISHED")
        send_run(locate(None, Path.cwd()), *events, started=begun)


def rows(listed: str) -> list[list[str]]:
    """Return the cells of a table, which two spaces or more divide."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in listed.splitlines()]


class TestMetric:
    def test_metric_stands_in_a_column_of_its_own_with_the_digits_that_tell_the_runs_apart(
        self, tracker: Tracker
    ) -> None:
        measured("val_f1", 0.81234, 0.81231)
        head, *listed = rows(tracker("runs").out)
        assert head == ["number", "run", "name", "val_f1", "status", "age"]
        assert [row[3] for row in listed] == ["0.81234", "0.81231"]

    def test_metric_stands_there_too_as_an_accuracy_of_clips_that_nobody_counted(self, tracker: Tracker) -> None:
        measured("val_accuracy", 0.8125)
        assert [row[3] for row in rows(tracker("runs").out)] == ["val_accuracy", "0.813"]

    def test_metric_does_not_stand_beside_the_counts_that_say_it(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("1101")
        assert rows(tracker("runs").out)[0] == ["number", "run", "name", "correct", "best", "stop", "status", "age"]

    def test_metric_that_is_asked_for_stands_there_in_the_reports_unit(self, tracker: Tracker) -> None:
        Path("results.csv").write_text("lr,val_f1,val_acc\n0.1,0.8,85\n0.2,0.7,90\n")
        assert [row[-2] for row in rows(tracker("runs", "results.csv", "--metric", "val_f1").out)[1:]] == ["0.8", "0.7"]
        assert [row[-2] for row in rows(tracker("runs", "results.csv").out)[1:]] == ["0.85", "0.90"]
        unknown = tracker("runs", "results.csv", "--metric", "val_f2")
        assert (unknown.status, "did you mean val_f1" in unknown.err) == (2, True)

    def test_metric_is_named_in_json(self, tracker: Tracker) -> None:
        measured("val_f1", 0.75)
        (run,) = json.loads(tracker("runs", "--format", "json").out)
        assert run["metric"] == {"name": "val_f1", "value": 0.75}


class TestFolds:
    def test_folds_have_a_column(self, tracker: Tracker, log_run: LogRun) -> None:
        for number in (1, 2):
            log_run("1101", clip=f"{number}-{{}}.wav", fold=f"{number}/2")
        head, *listed = rows(tracker("runs").out)
        assert head == ["number", "run", "name", "fold", "correct", "best", "stop", "status", "age"]
        assert sorted(row[3] for row in listed) == ["1/2", "2/2"]
        found = json.loads(tracker("runs", "--format", "json").out)
        assert sorted(run["split"]["fold"] for run in found) == ["1/2", "2/2"]


class TestSent:
    def test_sent_is_said_where_it_is_not_so(self, tracker: Tracker) -> None:
        measured("val_f1", 0.75)
        place = locate(None, Path.cwd())
        begun = replace(STARTED, uri=place.uri, time=START + 1, name="waiting")
        with JournalWriter.create(Path(".tracker").absolute() / uuid4().hex, begun) as writer:
            writer.append(Ended(START + 9, "FINISHED"))
        listed = rows(tracker("runs").out)
        assert [row[-2] for row in listed[1:]] == ["FINISHED", "FINISHED, not sent"]
        assert [run["sent"] for run in json.loads(tracker("runs", "--format", "json").out)] == [True, False]


class TestInterrupted:
    def interrupt(self, uri: str) -> str:
        """Journal a run in the folder of a store, and leave it at that; returns its id."""
        place = locate(uri, Path.cwd())
        assert place.database
        folder = place.database.parent.absolute() / ".tracker" / uuid4().hex
        with JournalWriter.create(folder, replace(STARTED, uri=place.uri, name="cut")):
            return folder.name

    @pytest.mark.parametrize("folder", ["runs", "it's a «Größe»"])
    def test_interrupted_names_commands_that_reach_the_store_given(self, tracker: Tracker, folder: str) -> None:
        Path(folder).mkdir()
        uri = f"sqlite:///{folder}/mlflow.db"
        run_id = self.interrupt(uri)
        said = tracker("runs", "--tracking-uri", uri).err.splitlines()[-1]
        start, _, ends = said.partition("close it with `")
        assert start.startswith("run cut was interrupted: continue it with `tracker resume ")
        words = shlex.split(ends.partition("`")[0])
        assert words == ["tracker", "close", run_id[:8], "--tracking-uri", f"sqlite:///{Path.cwd()}/{folder}/mlflow.db"]
        assert tracker(*words[1:]).status == 0

    def test_interrupted_names_a_store_of_the_environment_for_other_shells(
        self, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Path("runs").mkdir()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///runs/mlflow.db")
        run_id = self.interrupt("sqlite:///runs/mlflow.db")[:8]
        words = f"{run_id} --tracking-uri sqlite:///{Path.cwd()}/runs/mlflow.db"
        assert tracker("runs").err.splitlines()[-1].endswith(f"or close it with `tracker close {words}`")


class TestTable:
    def test_table_lists_options_that_differ_and_accuracy_as_counts(self, writeup: Tracker) -> None:
        result = writeup("runs")
        assert result.status == 0, result.err
        head, *rows = result.out.splitlines()
        assert head.split()[:4] == ["number", "run", "name", "kernel_size"]
        assert len(rows) == 4
        assert "26/30" in rows[2]
        assert [row.split()[0] for row in rows] == ["1", "2", "3", "4"]  # as the report numbers them
        assert "×0.3 after 10" in rows[0]
        assert " 1e-4 " in rows[0]

    def test_table_in_json_gives_every_run(self, writeup: Tracker) -> None:
        listed = json.loads(writeup("runs", "--format", "json").out)
        assert [run["validation"] for run in listed][2] == {"correct": 26, "n": 30}
        assert [run["options"]["plateau"] for run in listed] == ["0.3x10", "off", "0.5x15", "0.1x5"]

    def test_table_keeps_escape_sequences_from_the_terminal(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run(name="\x1b[31mred\x1b[0m [bold]x[/bold]")
        result = tracker("runs")
        assert "\x1b" not in result.out
        assert "[bold]x[/bold]" in result.out
