from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.builders import make_run
from tracker.recording.earlier_runs import expected_seconds, surely_missing
from tracker.recording.reporter import SilentReporter
from tracker.recording.stores import LogTarget
from tracker.recording.sweep import _longest_first
from tracker.recording.train import plan_id, run_key
from tracker.recording.workers import RunTask, Work, train_all
from tracker.runs import Configuration, Run, RunPlan, RunStatus
from tracker.runs.facts import TrainingPlan
from tracker.store import store_at

if TYPE_CHECKING:
    from pathlib import Path

PLAN = RunPlan(Configuration(epochs=10))


def ran(plan: RunPlan, seconds: float, epoch_seconds: tuple[float, ...]) -> Run:
    """A finished run of a plan that took so long."""
    metrics = {"stop_epoch": float(len(epoch_seconds))}
    run = make_run(1, params=plan.params(), seed=None, metrics=metrics, epoch_seconds=epoch_seconds)
    return replace(run, status=RunStatus.FINISHED, started=1, ended=1 + round(1_000 * seconds))


class TestExpectedSeconds:
    def test_without_a_finished_run_it_is_not_known(self) -> None:
        assert expected_seconds([PLAN], []) is None
        assert expected_seconds([PLAN], [replace(ran(PLAN, 9, (1, 1)), status=RunStatus.FAILED)]) is None

    def test_runs_of_the_configuration_say_it_whatever_their_seed(self) -> None:
        logged = [ran(replace(PLAN, seed=5), 20, (1,) * 4), ran(replace(PLAN, seed=6), 30, (1,) * 4)]
        assert expected_seconds([PLAN, replace(PLAN, seed=1)], logged) == [25, 25]

    def test_epochs_of_others_are_counted_apart_from_their_start_and_end(self) -> None:
        other = RunPlan(Configuration(epochs=2))
        assert expected_seconds([PLAN], [ran(other, 24, (3, 1))]) == [20 + 10 * 2]


class TestSurelyMissing:
    def test_a_run_that_has_finished_or_is_trained_may_be_the_one_whatever_its_data(self) -> None:
        plans = [replace(PLAN, seed=seed) for seed in range(4)]
        statuses = [RunStatus.FINISHED, RunStatus.RUNNING, RunStatus.FAILED]
        logged = [
            replace(make_run(seed, params=plans[seed].params(), seed=None), status=status)
            for seed, status in enumerate(statuses)
        ]
        assert surely_missing([*plans, plans[3]], logged) == 2


class TestLongestFirst:
    def test_equal_runs_keep_their_order(self) -> None:
        tasks = {name: RunTask(name, PLAN, name) for name in "abcd"}
        assert [*_longest_first(tasks, [1, 3, 1, 3])] == ["b", "d", "a", "c"]
        assert [*_longest_first(tasks, None)] == [*tasks]


class TestKeys:
    def test_a_key_is_of_all_that_decides_a_result_and_of_nothing_else(self) -> None:
        tags = {"tracker.version": "1", "tracker.dataset": "d", "tracker.split": "s", "tracker.code": "c"}
        key = run_key(PLAN.params(), tags)
        assert key == run_key(dict(reversed(PLAN.params().items())), {**tags, "tracker.host": "here"})
        assert all(run_key(PLAN.params(), {**tags, name: "other"}) != key for name in tags)
        assert run_key(replace(PLAN, seed=1).params(), tags) != key

    def test_a_plan_has_one_id_whenever_and_in_whatever_order_it_is_asked_for(self) -> None:
        assert plan_id("tracker", ["a", "b"]) == plan_id("tracker", ["b", "a"])
        assert len({plan_id("tracker", ["a", "b"]), plan_id("tracker", ["a"]), plan_id("mine", ["a", "b"])}) == 3


class TestTimeLeft:
    def test_no_further_run_is_started_once_there_is_no_time(self, work: Path) -> None:
        target = LogTarget(store_at(None, work), "tracker", False)
        work_to_do = Work(None, "demo", "of the data", target, TrainingPlan("a plan", 1, is_final=False))
        tasks = [RunTask(name, PLAN, name) for name in "ab"]
        outcomes = train_all(work_to_do, tasks, 1, SilentReporter(), lambda left: left, may_start=lambda: False)
        assert list(outcomes) == []
