"""The commands of docs/ci.md run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from tests.running import LogRun, Tracker

DOCUMENT = Path(__file__).parents[2] / "docs" / "ci.md"


def steps() -> dict[str, str]:
    """Return the commands of the document's named steps."""
    blocks = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    workflow, *lists = map(yaml.safe_load, blocks)
    listed = [*workflow["jobs"]["report"]["steps"], *(step for block in lists for step in block)]
    return {step["name"]: step["run"] for step in listed if "run" in step}


AS_READ = """tracker() { readlink "/proc/$$/fd/1" >&2; printf '%s\\0' "$@" >&2; }\n"""
"""Tells to what a command would write, and its words: how an installed command starts is for other tests."""


def run(step: str, tracker: Tracker) -> int:
    """Run a step as GitHub does, but for the commands of other programs than tracker, and return its exit status."""
    variables = os.environ | {"GITHUB_STEP_SUMMARY": "summary.md"}
    for line in steps()[step].splitlines():
        if line.startswith("tracker "):
            bash = ["bash", "-e", "-c", AS_READ + line]
            read = subprocess.run(bash, env=variables, capture_output=True, text=True, check=True).stderr
            output, _, words = read.partition("\n")
            result = tracker(*words.split("\0")[:-1])
            if not output.startswith("pipe:"):
                with Path(output).open("a", encoding="utf-8") as file:
                    file.write(result.out)
            if result.status:
                return result.status
    return 0


class TestWorkflow:
    def test_the_summary_and_the_comment_open_with_the_finding(self, writeup: Tracker) -> None:
        for step in ("Show the report on the job's page", "Comment on the pull request"):
            assert run(step, writeup) == 0
        assert Path("summary.md").read_text() == Path("comment.md").read_text()
        assert Path("comment.md").read_text().startswith("# ")

    def test_the_check_fails_once_the_committed_report_is_out_of_date(self, writeup: Tracker) -> None:
        writeup("report", "--output", "REPORT.md")
        assert run("Fail if the committed report is out of date", writeup) == 0
        Path("REPORT.md").write_text("old\n")
        assert run("Fail if the committed report is out of date", writeup) == 1


class TestTrainAndCompare:
    def test_a_worse_candidate_fails_and_the_page_has_its_title(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("1" * 40, name="baseline", kernel_size="3")
        log_run("0" * 40, name="candidate", kernel_size="7")
        assert run("Fail if the candidate is worse", tracker) == 1
        assert run("Write the page", tracker) == 0
        assert "<h1>Candidate against baseline</h1>" in Path("report.html").read_text()
        assert run("Keep the report with the runs", tracker) == 0
        assert [*Path("mlruns").rglob("report.html")]

    def test_training_takes_options_that_there_are(self, tracker: Tracker) -> None:
        for line in steps()["Train the baseline and the candidate"].splitlines():
            *words, _ = line.split()[1:]  # the name is its value
            known = tracker(words[0], "--help").out
            assert all(word in known for word in words if word.startswith("--"))
