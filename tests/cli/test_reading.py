"""`tracker report`, `tracker runs` and `tracker ui` on runs in a store."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.builders import START, WRITEUP, WRITEUP_TITLES, send_run
from tracker.runs.events import Ended, Measured, Started
from tracker.store.location import locate

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import LogRun, Tracker


@pytest.fixture
def writeup(tracker: Tracker, tmp_path: Path) -> Tracker:
    """The command line in a folder whose store holds the writeup's four runs: final metrics only."""
    tags = {"tracker.validation_clips": "30", "tracker.dataset": "d", "tracker.split": "s"}
    for number, written in enumerate(WRITEUP):
        name, params = f"run {written.params['kernel_size']}", written.params | {"seed": "0"}
        begun = Started(START + number, "", "tracker", name, "val_accuracy", params, tags)
        values = {"best_val_loss": written.val_loss, "best_val_accuracy": written.val_accuracy}
        measured = Measured(START, values | {"best_epoch": 30, "stop_epoch": 45})
        send_run(locate(None, tmp_path / "work"), measured, Ended(START + 9, "FINISHED"), started=begun)
    return tracker


class TestReport:
    def test_titles_each_run_as_the_writeup_does(self, writeup: Tracker) -> None:
        result = writeup("report")
        assert result.status == 0, result.err
        headings = [line for line in result.out.splitlines() if line.startswith("### Conv")]
        assert headings == [f"### {title}" for title in WRITEUP_TITLES]

    def test_says_loss_and_accuracy_as_they_were_logged(self, writeup: Tracker) -> None:
        text = writeup("report").out
        assert "0.40432727336883545" in text
        assert "0.8333333134651184" in text

    def test_is_the_same_bytes_each_time(self, writeup: Tracker) -> None:
        assert writeup("report").out == writeup("report").out

    def test_links_to_figures_that_are_there(self, writeup: Tracker, tmp_path: Path) -> None:
        text = writeup("report").out
        linked = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
        assert linked
        assert all((tmp_path / "work" / file).is_file() for file in linked)

    def test_draws_links_relative_to_its_output(self, writeup: Tracker, tmp_path: Path) -> None:
        result = writeup("report", "--output", "docs/REPORT.md")
        assert result.status == 0, result.err
        assert result.out == ""
        assert "(../reports/figures/" in (tmp_path / "work" / "docs" / "REPORT.md").read_text()

    def test_in_json_supports_nothing_and_finds_the_kernel_confounded(self, writeup: Tracker) -> None:
        report = json.loads(writeup("report", "--format", "json").out)
        assert report["schema"] == "tracker.report/1"
        inferred = [c for c in report["conclusions"] if c["kind"] in {"best_run", "run_difference", "option_effect"}]
        assert "supported" not in {conclusion["verdict"] for conclusion in inferred}
        (kernel,) = [c for c in inferred if c["option"] == "kernel_size"]
        assert kernel["verdict"] == "confounded"
        assert set(kernel["details"]["aliases"]) == {"learning_rate", "plateau", "early_stopping_patience"}
        assert [run["validation"]["correct"] for run in report["runs"]] == [25, 25, 26, 24]

    def test_in_html_is_one_file_without_scripts(self, writeup: Tracker, tmp_path: Path) -> None:
        result = writeup("report", "--format", "html")
        assert "<script" not in result.out
        assert "data:image/png;base64," in result.out
        assert not (tmp_path / "work" / "reports").exists()

    def test_checked_against_itself_is_no_difference(self, writeup: Tracker) -> None:
        writeup("report", "--output", "REPORT.md")
        result = writeup("report", "--check", "REPORT.md")
        assert (result.status, result.out) == (0, "")

    def test_checked_against_another_exits_with_the_difference(self, writeup: Tracker, tmp_path: Path) -> None:
        (tmp_path / "work" / "REPORT.md").write_text("old\n")
        result = writeup("report", "--check", "REPORT.md")
        assert result.status == 1
        assert "-old" in result.out

    def test_of_an_unknown_experiment_names_those_there_are(self, writeup: Tracker) -> None:
        result = writeup("report", "--experiment", "other")
        assert result.status == 1
        assert "tracker" in result.err


class TestRuns:
    def test_lists_options_that_differ_and_accuracy_as_counts(self, writeup: Tracker) -> None:
        result = writeup("runs")
        assert result.status == 0, result.err
        head, *rows = result.out.splitlines()
        assert head.split()[:3] == ["run", "name", "kernel_size"]
        assert len(rows) == 4
        assert "26/30" in rows[2]
        assert "0.3x10" in rows[0]

    def test_in_json_gives_every_run(self, writeup: Tracker) -> None:
        listed = json.loads(writeup("runs", "--format", "json").out)
        assert [run["validation"] for run in listed][2] == {"correct": 26, "n": 30}
        assert [run["options"]["plateau"] for run in listed] == ["0.3x10", "off", "0.5x15", "0.1x5"]

    def test_keeps_escape_sequences_from_the_terminal(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run(name="\x1b[31mred\x1b[0m [bold]x[/bold]")
        result = tracker("runs")
        assert "\x1b" not in result.out
        assert "[bold]x[/bold]" in result.out
