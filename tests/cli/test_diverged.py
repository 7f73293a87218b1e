"""Runs whose loss is lost on the way, from training to the report: nothing else is lost, and what is said is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.running import LATE_NETWORK

if TYPE_CHECKING:
    from tests.running import Tracker

LATE = ("--segment", "0.5", "--batch-size", "64", "--lr", "1e10", "--model", LATE_NETWORK)
"""One step an epoch, so large that the second makes nothing better; the third meets numbers that are none."""

REASON = "failed: training diverged: loss became nan in epoch 3; try a lower learning rate"


@pytest.mark.xdist_group("keras")
class TestAReportOnDivergedRuns:
    def test_a_report_on_diverged_runs_has_all_of_a_run_that_went_on_and_no_warning(
        self, tracker: Tracker, genres: Path
    ) -> None:
        halved = ("--plateau", "0.5,1", "--epochs", "6", "--keep-going")
        assert tracker("run", "--data", genres, *LATE, *halved).status == 0
        result = tracker("report", "--format", "json")
        assert (result.status, result.err) == (0, "")
        told = {one["kind"]: one for one in json.loads(result.out)["conclusions"]}
        first = told["early_stopping"]["details"]["patiences"][0]
        assert (first["stop_epoch"], first["kept_epoch"], first["correct"], first["clips_changed"]) == (2, 1, 2, 0)
        assert told["learning_rate"]["sentence"].startswith(
            "Run 1's learning rate fell from 10000000000 to 5000000000 after epoch 2"
        )
        for words in (("report", "--format", "markdown"), ("report", "--format", "html"), ("runs",)):
            result = tracker(*words)
            assert (result.status, result.err) == (0, "")

    def test_a_report_on_diverged_runs_says_why_another_failed(self, tracker: Tracker, genres: Path) -> None:
        assert tracker("run", "--data", genres, *LATE, "--epochs", "4").status == 1
        (left_out,) = json.loads(tracker("report", "--format", "json").out)["excluded"]
        assert left_out["reason"] == REASON
        assert f"| {REASON} |" in tracker("report").out
        assert tracker("report", "--format", "html", "--output", "R.html").status == 0
        assert f"<td>{REASON}</td>" in Path("R.html").read_text(encoding="utf-8")
