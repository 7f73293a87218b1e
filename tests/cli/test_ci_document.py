"""The commands of docs/ci.md run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.running import TRACKER

if TYPE_CHECKING:
    from tests.running import LogRun, Tracker

DOCUMENT = Path(__file__).parents[2] / "docs" / "ci.md"


def steps() -> dict[str, str]:
    """Return the commands of the document's named steps."""
    blocks = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    workflow, *lists = map(yaml.safe_load, blocks)
    listed = [*workflow["jobs"]["report"]["steps"], *(step for block in lists for step in block)]
    return {step["name"]: step["run"] for step in listed if "run" in step}


def run(step: str) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does, but for the commands of other programs than tracker."""
    script = "\n".join(line for line in steps()[step].splitlines() if line.startswith("tracker "))
    variables = os.environ | {"PATH": f"{TRACKER.parent}:{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": "summary.md"}
    return subprocess.run(["bash", "-e", "-c", script], env=variables, capture_output=True, text=True, check=False)


@pytest.mark.usefixtures("writeup")
class TestWorkflow:
    def test_the_summary_and_the_comment_open_with_the_finding(self) -> None:
        for step in ("Show the report on the job's page", "Comment on the pull request"):
            assert run(step).returncode == 0
        assert Path("summary.md").read_text() == Path("comment.md").read_text()
        assert Path("comment.md").read_text().startswith("# ")

    def test_the_check_fails_once_the_committed_report_is_out_of_date(self, writeup: Tracker) -> None:
        writeup("report", "--output", "REPORT.md")
        assert run("Fail if the committed report is out of date").returncode == 0
        Path("REPORT.md").write_text("old\n")
        assert run("Fail if the committed report is out of date").returncode == 1


class TestTrainAndCompare:
    def test_a_worse_candidate_fails_and_the_page_has_its_title(self, log_run: LogRun) -> None:
        log_run("1" * 40, name="baseline", kernel_size="3")
        log_run("0" * 40, name="candidate", kernel_size="7")
        assert run("Fail if the candidate is worse").returncode == 1
        assert run("Write the page").returncode == 0
        assert "<h1>Candidate against baseline</h1>" in Path("report.html").read_text()
        assert run("Keep the report with the runs").returncode == 0
        assert [*Path("mlruns").rglob("report.html")]

    def test_training_takes_options_that_there_are(self, tracker: Tracker) -> None:
        for line in steps()["Train the baseline and the candidate"].splitlines():
            *words, _ = line.split()[1:]  # the name is its value
            known = tracker(words[0], "--help").out
            assert all(word in known for word in words if word.startswith("--"))
