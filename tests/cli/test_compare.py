"""`tracker compare` on runs in a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import copy_store
from tests.cli.conftest import logger_in

if TYPE_CHECKING:
    from tests.running import LogRun, Tracker


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A store of four runs, to be copied, and their ids."""
    folder = tmp_path_factory.mktemp("four")
    log_run = logger_in(folder)
    return folder, [
        log_run("1" * 17 + "011", name="k3", kernel_size="3"),
        log_run("1" * 18 + "00", name="k5", kernel_size="5"),
        log_run("1" * 16 + "0011", name="k7", kernel_size="7"),
        log_run("0" * 16 + "1111", name="k7-hot", kernel_size="7", learning_rate="0.1"),
    ]


@pytest.fixture
def four(tracker: Tracker, logged: tuple[Path, list[str]]) -> list[str]:
    """Four runs on 20 clips, the last much worse than the others."""
    folder, ids = logged
    copy_store(folder, Path.cwd())
    return ids


class TestTheTable:
    @pytest.mark.usefixtures("four")
    def test_the_table_has_what_differs_the_verdict_the_clips_and_the_classes(self, tracker: Tracker) -> None:
        result = tracker("compare", "k5", "k3")
        assert result.status == 0, result.err
        lines = [" ".join(line.split()) for line in result.out.splitlines()]
        assert lines[:2] == ["run 1 run 2", "name k3 k5"]
        assert "kernel size 3 5" in lines
        assert any(line.startswith("Inconclusive. Run 1 ") for line in lines)
        assert (
            "This is about these two models: one training each cannot separate kernel size from training noise."
            in lines
        )
        assert (
            "2 clips that only run 1 gets correct, clearest first; confidence is the probability given to the label:"
            in lines
        )
        assert "018.wav high 75.0% 25.0% low" in lines
        assert lines[-2:] == ["high 10 10 9", "low 10 9 9"]

    @pytest.mark.usefixtures("four")
    def test_the_table_shows_the_first_clips_and_counts_the_rest(self, tracker: Tracker) -> None:
        said = tracker("compare", "k3", "k7-hot").out
        assert said.count(".wav") == 15 + 1
        assert "\n1 more: --format json has all of them.\n" in said

    def test_the_table_says_where_no_clip_tells_the_two_apart(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("110", name="a", kernel_size="3")
        log_run("110", name="b", kernel_size="5")
        assert "No clip is correct in one run only." in tracker("compare", "a", "b").out

    def test_the_table_has_the_command_that_would_settle_what_is_open(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("1111", name="a", kernel_size="3", clip="a{}.wav")
        log_run("1110", name="b", kernel_size="5", clip="b{}.wav")
        lines = tracker("compare", "a", "b").out.splitlines()
        command = lines[lines.index("To find out more:") + 1]
        assert command == "  tracker run --kernel 5 --lr 0.001"

    def test_the_table_keeps_escape_sequences_from_the_terminal(self, tracker: Tracker, log_run: LogRun) -> None:
        strange = "\x1b[31m[bold]x\u202e"
        one = log_run("11", name=strange, labels=(strange, "low"), clip=strange + "{}", model=strange)
        other = log_run("00", name=strange, labels=(strange, "low"), clip=strange + "{}")
        said = tracker("compare", one, other).out
        assert "\x1b" not in said
        assert "\u202e" not in said
        assert "\N{REPLACEMENT CHARACTER}[31m[bold]x\N{REPLACEMENT CHARACTER}0" in said


class TestJson:
    def test_json_is_the_comparison_with_every_clip(self, tracker: Tracker, four: list[str]) -> None:
        found = json.loads(tracker("compare", "k3", "k7-hot", "--format", "json").out)
        assert found["schema"] == "tracker.comparison/1"
        assert [run["run_id"] for run in found["runs"]] == [four[0], four[3]]
        assert [option["option"] for option in found["options"]] == ["kernel_size", "learning_rate"]
        assert [clip["right"] for clip in found["clips"]] == [four[0]] * 16 + [four[3]]
        assert found["conclusion"]["verdict"] == "supported"

    @pytest.mark.usefixtures("four")
    @pytest.mark.parametrize(
        "how", ["", "--alpha 0.5 --margin 0.4", "--metric val_loss", "--metric epoch_seconds --maximise"]
    )
    def test_json_has_the_reports_conclusion_but_for_the_correction_for_every_pair_that_the_report_prints(
        self, tracker: Tracker, how: str
    ) -> None:
        report = json.loads(tracker("report", "--format", "json", *how.split()).out)
        printed = [found for found in report["conclusions"] if found["kind"] == "run_difference"]
        assert len(printed) >= 3
        for conclusion in printed:
            found = json.loads(tracker("compare", *conclusion["runs"], "--format", "json", *how.split()).out)
            assert without_correction(found["conclusion"]) == without_correction(conclusion)
            assert (found["corrected"] and found["corrected"]["p_value"]) == conclusion["p_adjusted"]
            assert found["runs"] == [
                next(run for run in report["runs"] if run["run_id"] == run_id) for run_id in conclusion["runs"]
            ]


def without_correction(conclusion: dict[str, object]) -> dict[str, object]:
    return (
        conclusion
        | dict.fromkeys(("verdict", "p_adjusted", "sentence"))
        | {"details": conclusion["details"] | {"family": 0}}
    )


class TestExitStatus:
    @pytest.mark.usefixtures("four")
    def test_exit_status_with_fail_if_worse_is_1_only_for_a_first_run_that_is_significantly_worse(
        self, tracker: Tracker
    ) -> None:
        assert tracker("compare", "k7-hot", "k3").status == 0
        assert tracker("compare", "k7-hot", "k3", "--fail-if-worse").status == 1
        assert tracker("compare", "k3", "k7-hot", "--fail-if-worse").status == 0
        assert tracker("compare", "k3", "k5", "--fail-if-worse").status == 0

    def test_exit_status_with_fail_if_worse_is_1_for_runs_that_cannot_be_compared(
        self, tracker: Tracker, log_run: LogRun
    ) -> None:
        log_run("1111", name="a", kernel_size="3", clip="a{}.wav")
        log_run("1110", name="b", kernel_size="5", clip="b{}.wav")
        assert tracker("compare", "a", "b").status == 0
        result = tracker("compare", "a", "b", "--fail-if-worse")
        assert (result.status, result.err) == (1, "the two cannot be compared\n")


class TestMarkdown:
    @pytest.mark.usefixtures("four")
    def test_markdown_is_for_github(self, tracker: Tracker) -> None:
        said = tracker("compare", "k3", "k5", "--format", "markdown").out
        assert said.startswith("# Run 1 against run 2\n")
        assert "| <code>018.wav</code> | high | 75.0% | 25.0% | low |" in said


class TestARunThatIsLeftOut:
    def test_a_run_that_is_left_out_is_shown_without_a_verdict(
        self, tracker: Tracker, four: list[str], log_run: LogRun
    ) -> None:
        failed = log_run("1" * 20, name="broken", status="FAILED", kernel_size="9")
        result = tracker("compare", "broken", "k3")
        assert result.status == 0, result.err
        assert f"Run {failed[:8]} failed: reports leave it out, and nothing is concluded from it" in result.out
        assert "Inconclusive" not in result.out
        assert f"1 clip that only run {failed[:8]} gets correct" in result.out
        found = json.loads(tracker("compare", "broken", four[0], "--format", "json").out)
        assert found["conclusion"] is None
        assert found["excluded"] == [{"run_id": failed, "reason": "failed"}]


class TestWhichRuns:
    def test_which_runs_may_be_named_by_the_beginning_of_an_id(self, tracker: Tracker, four: list[str]) -> None:
        assert tracker("compare", four[0], four[1]).out == tracker("compare", four[0][:12], "k5").out

    def test_which_runs_must_be_two(self, tracker: Tracker, four: list[str]) -> None:
        result = tracker("compare", "k3", four[0])
        assert (result.status, result.out) == (2, "")
        (line,) = result.err.splitlines()
        assert line.startswith("tracker compare: ")
        assert four[0] in line

    @pytest.mark.usefixtures("four")
    def test_that_are_not_there_are_told_in_one_line_with_those_that_are(self, tracker: Tracker) -> None:
        result = tracker("compare", "k3", "k99")
        assert (result.status, result.out) == (1, "")
        assert len(result.err.splitlines()) == 1
        assert "no run has the id or name 'k99'; there are: " in result.err

    def test_which_runs_in_no_store_are_told_in_one_line_and_none_is_made(self, tracker: Tracker) -> None:
        result = tracker("compare", "a", "b")
        assert result.status == 1
        assert len(result.err.splitlines()) == 1
        assert list(Path.cwd().iterdir()) == []

    def test_which_runs_are_those_of_the_store_and_experiment_asked_for(
        self, tracker: Tracker, log_run: LogRun
    ) -> None:
        where = {"uri": "sqlite:///other.db", "experiment": "mine"}
        log_run("10", name="a", kernel_size="3", **where)
        log_run("01", name="b", kernel_size="5", **where)
        result = tracker("compare", "a", "b", "--tracking-uri", "sqlite:///other.db", "--experiment", "mine")
        assert result.status == 0, result.err

    def test_which_runs_are_settled_by_commands_in_the_same_store(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("1111", name="a", kernel_size="3", clip="a{}.wav", uri="other.db")
        log_run("1110", name="b", kernel_size="5", clip="b{}.wav", uri="other.db")
        result = tracker("compare", "a", "b", "--tracking-uri", "other.db")
        assert (
            f"  tracker run --kernel 5 --lr 0.001 --tracking-uri sqlite:///{Path.cwd()}/other.db"
            in result.out.splitlines()
        )
