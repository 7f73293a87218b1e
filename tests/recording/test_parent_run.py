from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

from tests.running import Collected
from tracker.journal.reader import journals
from tracker.recording.earlier_runs import logged_runs
from tracker.recording.parent_run import parent_run
from tracker.recording.run_writer import RunWriter
from tracker.recording.stores import LogTarget, journals_folder, load_runs, run_names
from tracker.recording.uploader import send, sync_runs
from tracker.runs.facts import TrainingPlan
from tracker.store import store_at

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow.entities import Run

PLAN = TrainingPlan("5" * 32, 2)


def log_two(target: LogTarget, *, error: BaseException | None = None, failed: str = "") -> None:
    """Log two runs of a plan, of which nothing was trained."""
    with parent_run(target, PLAN, "two seeds", 2, None, Collected()) as failures:
        for seed in "01":
            with RunWriter(target, f"s{seed}", None, Collected()) as writer:
                writer.start({"seed": seed}, PLAN.tags(), "tracker run")
                writer.begin_upload()
        if failed:
            failures.append(failed)
        if error:
            raise error


def in_mlflow(work: Path) -> dict[str, Run]:
    client = MlflowClient(f"sqlite:///{work}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'tracker'")
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


class TestParentRun:
    @pytest.mark.parametrize("offline", [False, True])
    def test_runs_are_nested_in_one_that_counts_nowhere_as_a_run(self, work: Path, offline: bool) -> None:
        store = store_at(None, work)
        log_two(LogTarget(store, "tracker", offline))
        assert {name.name for name in run_names(store)} >= {"s0", "s1"}
        if offline:
            assert [run.name for run in load_runs(store, "tracker")] == ["s0", "s1"]
            assert len([*sync_runs(store)]) == 3
        logged = in_mlflow(work)
        parent = logged.pop("two seeds")
        assert (parent.info.status, parent.data.metrics, parent.data.params) == ("FINISHED", {}, {})
        assert {run.data.tags["mlflow.parentRunId"] for run in logged.values()} == {parent.info.run_id}
        assert [run.name for run in load_runs(store, "tracker")] == ["s0", "s1"]

    def test_runs_that_were_uploaded_before_it_are_nested_once_it_is(self, work: Path) -> None:
        store = store_at(None, work)
        log_two(LogTarget(store, "tracker", offline=True))
        kept = sorted(journals(journals_folder(store)), key=lambda journal: journal.id == PLAN.id)
        for journal in kept:
            send(store, journal.folder)
        logged = in_mlflow(work)
        parent = logged.pop("two seeds")
        assert {run.data.tags["mlflow.parentRunId"] for run in logged.values()} == {parent.info.run_id}
        assert "mlflow.parentRunId" not in parent.data.tags

    def test_the_same_plan_continues_it(self, work: Path) -> None:
        target = LogTarget(store_at(None, work), "tracker")
        with pytest.raises(KeyboardInterrupt):
            log_two(target, error=KeyboardInterrupt())
        assert in_mlflow(work)["two seeds"].info.status == "KILLED"
        log_two(target, failed="s1")
        (parent,) = (run for name, run in in_mlflow(work).items() if name == "two seeds")
        assert (parent.info.status, parent.data.tags["tracker.reason"]) == ("FAILED", "1 of 2 runs failed: s1")
        assert len(in_mlflow(work)) == 3

    def test_of_an_interrupted_sweep_only_its_runs_are_looked_for(self, work: Path) -> None:
        target = LogTarget(store_at(None, work), "tracker", offline=True)
        with pytest.raises(KeyboardInterrupt):
            log_two(target, error=KeyboardInterrupt())
        assert sorted(run.name for runs in logged_runs(target).values() for run in runs) == ["s0", "s1"]
