"""A run that a script logs is like any other: whole after a kill, read back from its journal, in the report."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tracker
from tests.running import Collected
from tracker.errors import StoreError
from tracker.journal.reader import journals
from tracker.recording.script_run import summary_metrics
from tracker.runs.facts import environment_of

if TYPE_CHECKING:
    from tracker.runs import Run

EPOCHS = (
    {"loss": 1.0, "val_loss": 0.9, "val_accuracy": 0.5},
    {"loss": 0.8, "val_loss": 0.7, "val_accuracy": 0.75},
    {"loss": 0.6, "val_loss": 0.8, "val_accuracy": 0.7},
)
CLIPS, LABELS, CLASSES = ["c", "a", "b", "d"], ["x", "y", "x", "y"], ["x", "y"]
ROWS = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])


def logged(**changes: object) -> Run:
    """Log a run offline, and read it back from its journal."""
    with tracker.start_run({"learning_rate": 1e-3, "seed": 0} | changes, offline=True) as run:
        for metrics in EPOCHS:
            run.log_epoch(metrics)
        run.log_predictions(CLIPS, LABELS, ROWS, classes=CLASSES, groups=["g", "h", "g", "h"])
    return tracker.load_runs().find(run.run_id)


@pytest.mark.usefixtures("work")
class TestScriptRun:
    def test_script_run_holds_what_the_format_asks_for(self) -> None:
        run = logged()
        assert (run.status, run.name) == ("FINISHED", "lr0.001-s0")
        assert run.params == {"learning_rate": "0.001", "seed": "0", "keep": "last"}
        assert run.curves["val_loss"].steps.tolist() == [1, 2, 3]
        assert run.curves["val_loss"].values.tolist() == [0.9, 0.7, 0.8]
        assert set(run.curves) >= {"loss", "val_accuracy", "epoch_seconds"}
        final = {name: run.metrics[name] for name in summary_metrics({1: EPOCHS[0]})}
        assert final == {
            "best_epoch": 2,
            "best_val_loss": 0.7,
            "best_val_accuracy": 0.75,
            "last_val_loss": 0.8,
            "last_val_accuracy": 0.7,
            "stop_epoch": 3,
        }
        assert run.validation is not None
        assert run.validation.clips == ("a", "b", "c", "d")
        assert run.validation.correct.tolist() == [True, True, True, False]
        assert run.groups == {"a": "h", "b": "g", "c": "g", "d": "h"}
        expected = {
            "tracker.version": tracker.__version__,
            "tracker.sample_name": "sample",
            "tracker.validation_clips": "4",
            "tracker.classes": json.dumps(CLASSES),
            "tracker.pid": str(os.getpid()),
        }
        assert expected.items() <= run.tags.items()
        assert environment_of(run.tags)["cores"] == str(os.cpu_count())

    def test_script_run_keeps_figures_a_description_and_the_environment(self) -> None:
        run = logged()
        folder = Path(".tracker", run.run_id, "artifacts")
        assert {"curves.png", "confusion.png", "environment.txt", "dataset.csv"} <= {p.name for p in folder.iterdir()}
        assert f"numpy {np.__version__}\n" in (folder / "environment.txt").read_text()

    def test_script_run_is_reported_on_like_any_other(self) -> None:
        for seed in range(2):
            for rate in (1e-3, 1e-4):
                logged(seed=seed, learning_rate=rate)
        report = tracker.build_report(tracker.load_runs())
        assert len(report.entries) == 4
        assert not report.excluded
        assert report.options == ("learning_rate",)
        assert {entry.result.correct for entry in report.entries} == {3}

    def test_script_run_of_one_fit_without_epochs_has_the_scores_of_its_predictions(self) -> None:
        with tracker.start_run({"C": 10}, offline=True) as run:
            run.log_predictions(CLIPS, LABELS, ROWS, classes=CLASSES)
            run.log_metrics({"train_accuracy": 1.0})
        found = tracker.load_runs().find(run.run_id)
        assert found.metrics["val_accuracy"] == 0.75
        assert found.metrics["val_loss"] == pytest.approx(-np.log([0.9, 0.8, 0.6, 0.3]).mean())
        assert found.metrics["train_accuracy"] == 1.0

    def test_script_run_counts_how_often_it_was_evaluated_on_test_clips(self) -> None:
        with tracker.start_run({}, offline=True) as run:
            for _ in range(2):
                run.log_predictions(CLIPS, LABELS, ROWS, classes=CLASSES, split="test")
        found = tracker.load_runs().find(run.run_id)
        assert found.tags["tracker.test_evaluations"] == "2"
        assert found.metrics["test_accuracy"] == 0.75
        assert found.validation is None
        assert Path(".tracker", run.run_id, "artifacts/predictions/test.csv").is_file()

    def test_script_run_keeps_files_folders_and_bytes(self, work: Path) -> None:
        (work / "notes.txt").write_text("a note")
        (work / "plots/deep").mkdir(parents=True)
        (work / "plots/deep/p.svg").write_text("<svg/>")
        with tracker.start_run({}, offline=True) as run:
            run.log_artifact("notes.txt")
            run.log_artifact(work / "plots", "figures/all")
            run.log_artifact(b"\x00", "raw/zero.bin")
            with pytest.raises(ValueError, match="bytes need a path"):
                run.log_artifact(b"x")
            with pytest.raises(tracker.TrackerError, match=r"cannot read 'gone\.txt': No such file"):
                run.log_artifact("gone.txt")
        folder = Path(".tracker", run.run_id, "artifacts")
        assert (folder / "notes.txt").read_text() == "a note"
        assert (folder / "figures/all/deep/p.svg").read_text() == "<svg/>"
        assert (folder / "raw/zero.bin").read_bytes() == b"\x00"

    def test_that_was_logged_again_with_another_result_is_no_duplicate(self) -> None:
        logged()
        with tracker.start_run({"learning_rate": 1e-3, "seed": 0}, offline=True) as run:
            run.log_epoch({"val_loss": 0.1, "val_accuracy": 1.0})
            run.log_predictions(CLIPS, LABELS, ROWS[:, ::-1], classes=CLASSES)
        assert len(tracker.build_report(tracker.load_runs()).entries) == 2

    def test_script_run_survives_figures_that_cannot_be_drawn(self) -> None:
        reporter = Collected()
        with tracker.start_run({}, offline=True, reporter=reporter) as run:
            run.log_epoch({"val_loss": math.nan})
        assert tracker.load_runs().find(run.run_id).status == "FINISHED"
        assert not [message for message in reporter.warnings if "figures" in message]

    @pytest.mark.parametrize("content", [3, None, "", ".", "..", b""])
    def test_script_run_refuses_what_is_no_file_and_the_folder_that_it_is_written_to(self, content: Any) -> None:
        with tracker.start_run({}, offline=True) as run, pytest.raises(ValueError, match=r"must|need"):
            run.log_artifact(content)
        assert tracker.load_runs().find(run.run_id).status == "FINISHED"

    def test_script_run_cannot_be_used_before_it_is_entered(self) -> None:
        run = tracker.start_run({}, offline=True)
        with pytest.raises(tracker.TrackerError, match=r"not been started: log within `with tracker.start_run"):
            run.log_epoch({"loss": 1.0})
        assert not Path(".tracker").exists()

    def test_script_run_takes_nothing_after_its_end(self) -> None:
        run = tracker.start_run({}, offline=True)
        with run:
            run.log_epoch({"loss": 1.0})
        for log in (
            lambda: run.log_epoch({"loss": 2.0}),
            lambda: run.log_metrics({"f1": 1.0}),
            lambda: run.log_predictions(CLIPS, LABELS, ROWS, classes=CLASSES),
            lambda: run.log_artifact(b"x", "x"),
        ):
            with pytest.raises(tracker.TrackerError, match="has ended and takes nothing more"):
                log()
        with pytest.raises(tracker.TrackerError, match="was started already"), run:
            pass
        found = tracker.load_runs().find(run.run_id)
        assert (found.status, found.curves["loss"].values.tolist()) == ("FINISHED", [1.0])

    def test_script_runs_may_be_nested(self) -> None:
        with tracker.start_run({"a": 1}, offline=True) as outer:
            with tracker.start_run({"a": 2}, offline=True) as inner:
                inner.log_epoch({"loss": 2.0})
            outer.log_epoch({"loss": 1.0})
        assert [run.curves["loss"].values.tolist() for run in tracker.load_runs()] == [[1.0], [2.0]]

    def test_script_run_keeps_the_groups_of_validation_where_test_clips_have_the_same_names(self) -> None:
        with tracker.start_run({}, offline=True) as run:
            run.log_predictions(CLIPS, LABELS, ROWS, classes=CLASSES, groups=list("ghgh"))
            run.log_predictions(CLIPS, LABELS, ROWS, classes=CLASSES, groups=list("wxyz"), split="test")
        assert set(tracker.load_runs().find(run.run_id).groups.values()) == {"g", "h"}

    @pytest.mark.parametrize(
        "option",
        [
            {"name": 3}, {"name": "a\nb"}, {"note": 3}, {"tags": ["a"]}, {"tags": {"tracker.validation_clips": "7"}},
            {"metric": 3}, {"metric": ""}, {"sample_name": None}, {"experiment": 3}, {"experiment": " "},
            {"tracking_uri": 3}, {"reporter": "x"}, {"reporter": tracker.PrintReporter}, {"params": None},
            {"params": [("a", 1)]}, {"params": {"keep": "first"}}, {"params": {"plateau": (0.3,)}},
            {"params": {"plateau": (0.3, 10), "plateau_factor": 0.3}}, {"params": {"optimizer": object()}},
        ],
    )  # fmt: skip
    def test_start_run_refuses_what_is_not_of_its_type(self, option: Any) -> None:
        with pytest.raises(ValueError, match="must") as raised:
            tracker.start_run(**({"params": {}, "offline": True} | option))
        assert "\n" not in str(raised.value)
        assert not Path(".tracker").exists()


@pytest.mark.usefixtures("work")
class TestLogEpoch:
    def test_log_epoch_counts_on_from_the_last_epoch(self) -> None:
        with tracker.start_run({}, offline=True) as run:
            run.log_epoch({"loss": 1.0})
            run.log_epoch({"loss": 0.5}, epoch=5)
            run.log_epoch({"loss": 0.4})
        assert tracker.load_runs().find(run.run_id).curves["loss"].steps.tolist() == [1, 5, 6]

    def test_log_epoch_loses_none_of_several_threads(self) -> None:
        with tracker.start_run({}, offline=True) as run, ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda i: run.log_epoch({"loss": float(i)}), range(40)))
        curve = tracker.load_runs().find(run.run_id).curves["loss"]
        assert curve.steps.tolist() == list(range(1, 41))
        assert sorted(curve.values.tolist()) == list(range(40))

    @pytest.mark.parametrize("epoch", [0, -1, 2**31, 1.0])
    def test_log_epoch_says_what_the_number_of_the_first_epoch_may_be(self, epoch: int) -> None:
        with tracker.start_run({}, offline=True) as run:
            with pytest.raises(ValueError, match=f"from 1 to 2,147,483,647, got {epoch!r}"):
                run.log_epoch({"loss": 1.0}, epoch=epoch)
            run.log_epoch({"loss": 1.0}, epoch=np.int64(3))
        assert tracker.load_runs().find(run.run_id).metrics["stop_epoch"] == 3

    def test_log_epoch_and_log_metrics_never_mix_a_value_of_the_run_into_a_curve(self) -> None:
        with tracker.start_run({}, offline=True) as run:
            run.log_epoch({"val_loss": 1.0})
            run.log_metrics({"f1": 1.0})
            with pytest.raises(ValueError, match="'val_loss' is logged by epoch"):
                run.log_metrics({"val_loss": 0.5})
            for name in ("best_epoch", "last_val_accuracy", "f1"):
                with pytest.raises(ValueError, match=f"'{name}' is one that a run has once"):
                    run.log_epoch({name: 1.0})
        assert tracker.load_runs().find(run.run_id).curves["val_loss"].steps.tolist() == [1]

    @pytest.mark.parametrize("epoch", [0, 1, -1, True, 1.5, "2"])
    def test_log_epoch_refuses_an_epoch_that_does_not_come_next(self, epoch: int) -> None:
        with tracker.start_run({}, offline=True) as run:
            run.log_epoch({"loss": 1.0})
            with pytest.raises(ValueError, match=f"whole number above 1, the last one logged, got {epoch!r}"):
                run.log_epoch({"loss": 1.0}, epoch=epoch)

    def test_log_epoch_refuses_a_name_that_the_store_would_refuse(self) -> None:
        with tracker.start_run({}, offline=True) as run:
            with pytest.raises(StoreError, match="the name of a metric must be"):
                run.log_epoch({"loss%": 1.0})
            with pytest.raises(StoreError, match="the name of a metric must be"):
                run.log_metrics({"a\nb": 1.0})
        assert tracker.load_runs().find(run.run_id).status == "FINISHED"


class TestSummaryMetrics:
    def test_summary_metrics_has_nothing_without_epochs(self) -> None:
        assert summary_metrics({}) == {}

    def test_summary_metrics_takes_the_first_of_equal_losses_for_the_best(self) -> None:
        assert summary_metrics({1: {"val_loss": 1.0}, 2: {"val_loss": 0.5}, 3: {"val_loss": 0.5}})["best_epoch"] == 2

    def test_summary_metrics_never_takes_a_loss_that_is_not_finite_for_the_best(self) -> None:
        found = summary_metrics({1: {"val_loss": math.nan}, 2: {"val_loss": 3.0}, 3: {"val_loss": -math.inf}})
        assert (found["best_epoch"], found["last_val_loss"]) == (2, -math.inf)

    def test_summary_metrics_has_no_best_epoch_without_a_validation_loss(self) -> None:
        assert summary_metrics({1: {"val_accuracy": 0.5}}) == {"stop_epoch": 1, "last_val_accuracy": 0.5}

    def test_summary_metrics_knows_other_names_of_the_same_metrics(self) -> None:
        found = summary_metrics({1: {"validation_loss": 0.5, "eval/accuracy": 0.9}})
        assert (found["best_val_loss"], found["best_val_accuracy"]) == (0.5, 0.9)


@pytest.mark.usefixtures("work")
class TestEnding:
    def ended(self, error: BaseException | None) -> tuple[str, str | None]:
        """Let an error leave the context of a run, and return its status and reason."""
        with suppress(BaseException), tracker.start_run({}, offline=True) as run:
            run.log_epoch({"val_loss": 1.0})
            if error:
                raise error
        found = tracker.load_runs().find(run.run_id)
        assert found.metrics["best_epoch"] == 1
        return found.status, found.tags.get("tracker.reason")

    def test_a_run_that_ends_without_an_epoch_claims_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        reporter = tracker.PrintReporter()
        with suppress(ZeroDivisionError), tracker.start_run({}, offline=True, reporter=reporter):
            raise ZeroDivisionError
        (line,) = [line for line in capsys.readouterr().out.splitlines() if "failed" in line]
        assert line.endswith(" failed before an epoch was finished. Start the script again for a new run")

    @pytest.mark.parametrize(
        ("error", "status", "reason"),
        [
            (None, "FINISHED", None),
            (SystemExit(), "FINISHED", None),
            (SystemExit(0), "FINISHED", None),
            (SystemExit(2), "FAILED", "SystemExit: 2"),
            (SystemExit("no data"), "FAILED", "SystemExit: no data"),
            (SystemExit(143), "KILLED", "interrupted"),
            (KeyboardInterrupt(), "KILLED", "interrupted"),
            (ZeroDivisionError("a\nb"), "FAILED", "ZeroDivisionError: a b"),
        ],
    )
    def test_ending_is_what_left_the_context(
        self, error: BaseException | None, status: str, reason: str | None
    ) -> None:
        assert self.ended(error) == (status, reason)

    def test_by_an_error_says_that_the_script_can_be_started_again(self) -> None:
        reporter = Collected()
        with suppress(ZeroDivisionError), tracker.start_run({}, offline=True, reporter=reporter):
            raise ZeroDivisionError
        assert "Start the script again for a new run" in reporter.messages[0]
        assert "tracker resume" not in reporter.messages[0]

    @pytest.mark.parametrize("offline", [True, False])
    def test_a_store_that_is_only_read_takes_no_run(self, work: Path, *, offline: bool) -> None:
        store = "postgresql://127.0.0.1:9/runs"
        with pytest.raises(StoreError, match="only reads"), tracker.start_run({}, tracking_uri=store, offline=offline):
            raise AssertionError
        assert not (work / ".tracker").exists()

    def test_ending_refuses_a_param_that_would_be_cut_and_leaves_nothing_behind(self) -> None:
        with pytest.raises(StoreError, match="at most 6,000 characters"), tracker.start_run({"x": "y" * 6_001}):
            pass
        assert not Path(".tracker").exists()


SCRIPT = """
import sys, time
import tracker

with tracker.start_run({"seed": 0}, offline=True) as run:
    for epoch in range(10_000):
        run.log_epoch({"val_loss": 1.0 + epoch})
        print(epoch, flush=True)
        time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("sent", "status"),
    [(signal.SIGINT, "KILLED"), (signal.SIGTERM, "KILLED"), (signal.SIGKILL, "INTERRUPTED")],
)
def test_a_script_that_is_killed_leaves_its_epochs(sent: signal.Signals, status: str, work: Path) -> None:
    script = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n{SCRIPT}"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while process.stdout.readline() != b"2\n":
            assert process.poll() is None
        process.send_signal(sent)
        process.communicate()
    (run,) = tracker.load_runs()
    assert run.status == status
    assert len(run.curves["val_loss"].values) >= 3
    if status == "INTERRUPTED":
        with pytest.raises(tracker.TrackerError, match="start_run: run the script again"):
            tracker.resume(run.run_id)
        assert tracker.close(run.run_id).status == "KILLED"
    assert journals(work / ".tracker")[0].ended


FORKING = """
import os, sys, time
import tracker

with tracker.start_run({"seed": 0}, offline=True) as run:
    run.log_epoch({"val_loss": 1.0})
    child = os.fork()
    if child == 0 and sys.argv[1] == "leaves":
        try:
            run.log_epoch({"val_loss": 2.0})
        except tracker.TrackerError as error:
            print(error, flush=True)
        sys.exit(3)
    if child == 0:
        time.sleep(60)
    if sys.argv[1] == "leaves":
        os.waitpid(child, 0)
        assert tracker.load_runs()[0].status == "RUNNING"
        run.log_epoch({"val_loss": 3.0})
    else:
        print(child, flush=True)
        time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.usefixtures("work")
class TestFork:
    def test_forked_child_that_outlives_a_killed_script_does_not_keep_its_run_running(self) -> None:
        with subprocess.Popen([sys.executable, "-c", FORKING, "stays"], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            child = int(process.stdout.readline())
            process.kill()
            process.wait()
            try:
                os.kill(child, 0)
                assert tracker.load_runs()[0].status == "INTERRUPTED"
            finally:
                os.kill(child, signal.SIGKILL)

    def test_forked_child_neither_logs_nor_ends_the_run(self) -> None:
        result = subprocess.run(
            [sys.executable, "-c", FORKING, "leaves"], capture_output=True, text=True, check=True, timeout=60
        )
        assert "was started by another process" in result.stdout
        (run,) = tracker.load_runs()
        assert (run.status, run.curves["val_loss"].values.tolist()) == ("FINISHED", [1.0, 3.0])
