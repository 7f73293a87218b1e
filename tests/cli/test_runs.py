"""`tracker runs` where there is more to a run than its accuracy and its place in a store."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from tests.logged import START, STARTED, send_run
from tracker.entries import Ended, Measured
from tracker.journal.writer import JournalWriter
from tracker.store.location import locate

if TYPE_CHECKING:
    from tests.cli.conftest import LogRun, Tracker


def measured(metric: str, *values: float) -> None:
    """Log a run each for the values of a metric, which the experiment names as its primary one."""
    for number, value in enumerate(values):
        begun = replace(STARTED, time=START + number, metric=metric, name=f"run {number}")
        entries = Measured(START, {metric: value}), Ended(START + 9, "FINISHED")
        send_run(locate(None, Path.cwd()), *entries, started=begun)


def rows(listed: str) -> list[list[str]]:
    """Return the cells of a table, which two spaces or more divide."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in listed.splitlines()]


class TestMetric:
    def test_stands_in_a_column_of_its_own_with_the_digits_that_tell_the_runs_apart(self, tracker: Tracker) -> None:
        measured("val_f1", 0.81234, 0.81231)
        head, *listed = rows(tracker("runs").out)
        assert head == ["run", "name", "val_f1", "status", "age"]
        assert [row[2] for row in listed] == ["0.81234", "0.81231"]

    def test_stands_there_too_as_an_accuracy_of_clips_that_nobody_counted(self, tracker: Tracker) -> None:
        measured("val_accuracy", 0.8125)
        assert [row[2] for row in rows(tracker("runs").out)] == ["val_accuracy", "0.8125"]

    def test_does_not_stand_beside_the_counts_that_say_it(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("1101")
        assert rows(tracker("runs").out)[0] == ["run", "name", "right", "best", "stop", "status", "age"]

    def test_is_named_in_json(self, tracker: Tracker) -> None:
        measured("val_f1", 0.75)
        (run,) = json.loads(tracker("runs", "--format", "json").out)
        assert run["metric"] == {"name": "val_f1", "value": 0.75}


class TestSent:
    def test_is_said_where_it_is_not_so(self, tracker: Tracker) -> None:
        measured("val_f1", 0.75)
        place = locate(None, Path.cwd())
        begun = replace(STARTED, uri=place.uri, time=START + 1, name="waiting")
        with JournalWriter.create(Path(".tracker").absolute() / uuid4().hex, begun) as writer:
            writer.append(Ended(START + 9, "FINISHED"))
        listed = rows(tracker("runs").out)
        assert [row[-2] for row in listed[1:]] == ["FINISHED", "FINISHED, not sent"]
        assert [run["sent"] for run in json.loads(tracker("runs", "--format", "json").out)] == [True, False]
