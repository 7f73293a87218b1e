"""Rounds of training within a budget, on a clock of their own and with trainings that take no time."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import tracker as api
from tests.builders import make_run
from tests.cli.conftest import logger_in
from tests.running import Collected
from tracker.next_steps.command_line import read_command
from tracker.recording.answering import Answered, Ending, Trained, answer_questions, seconds_of
from tracker.recording.workers import RunOutcome
from tracker.report import Report, build_report
from tracker.runs import Configuration, Run, RunPlan
from tracker.training.networks import parse_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tracker.next_steps.command_line import Argv

CLIPS = 60


@dataclass
class Laboratory:
    """Trains by drawing which clips are correct; a run takes so many seconds on a clock that nothing else moves."""

    accuracy: Callable[[RunPlan], float]  # of a configuration
    seconds: float = 60.0
    in_a_round: int = 20  # runs that are trained, whatever is asked for
    fails: bool = False
    now: float = 1_000.0
    runs: list[Run] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def train(self, plan: RunPlan) -> str:
        number = next(self.numbers)
        rng = np.random.default_rng([number, plan.seed])
        correct = "".join(np.where(rng.random(CLIPS) < self.accuracy(plan), "1", "0"))
        run = make_run(number, correct, plan.params(), seed=None, tags={"tracker.version": "1"})
        self.runs.append(replace(run, ended=number + round(1_000 * self.seconds)))
        self.now += self.seconds
        return run.run_id

    def train_commands(self, commands: Sequence[Argv], may_start: Callable[[], bool]) -> Trained:
        plans = [plan for command in commands for plan in read_command(command, parse_options).plans]
        if self.fails:
            return Trained(failures=tuple(RunOutcome(plan.run_name(), error="no") for plan in plans))
        return Trained(tuple(self.train(plan) for plan in plans[: self.in_a_round] if may_start()))

    def look(self) -> Report:
        return build_report("tracker", self.runs)

    def answer(self, budget: float) -> Answered:
        return answer_questions(
            self.look, self.train_commands, budget, self.lines.append, jobs=1, clock=lambda: self.now
        )


def laboratory(difference: float, **settings: object) -> Laboratory:
    """Two runs of two kernels, the larger better by so much."""
    accuracy = lambda plan: 0.5 + difference * (plan.configuration.kernel_size == 5)  # noqa: E731
    made = Laboratory(accuracy, **settings)
    for kernel in (3, 5):
        made.train(RunPlan(Configuration(kernel_size=kernel, options=parse_options("cnn", {}).options)))
    return made


class TestRounds:
    def test_rounds_go_on_until_the_questions_are_answered(self) -> None:
        lab = laboratory(0.3, in_a_round=3)
        answered = lab.answer(36_000)
        assert (answered.ending, answered.open, answered.rounds) == (Ending.ANSWERED, (), len(lab.lines))
        assert len(answered.trained.finished) == len(lab.runs) - 2
        assert answered.seconds == 60 * len(answered.trained.finished)
        assert len(lab.lines) > 1
        what = r"Round \d: \d+ more runs \(matched pairs for kernel size 5 instead of 3.*\)"
        assert all(re.fullmatch(what, line) for line in lab.lines)
        ending, best, effect = str(answered).splitlines()
        assert ending.startswith("Every question is answered. ")
        assert best.startswith("Settled: The configuration of runs ")
        assert effect.startswith("Settled: Kernel size 5 instead of 3 raises validation accuracy by ")

    def test_a_run_that_does_not_fit_is_not_started(self) -> None:
        answered = laboratory(0.0).answer(3 * 60 + 59)
        assert (answered.ending, len(answered.trained.finished), answered.seconds) == (Ending.SPENT, 3, 180)
        ending, *rest = str(answered).splitlines()
        assert ending.startswith("No further run fits into 3 min 59 s, since a run takes about 60 s. 3 runs in 1 round")
        assert any(line.startswith("Open: Too few runs to judge kernel size") for line in rest)

    def test_nothing_is_trained_if_no_run_fits(self) -> None:
        answered = laboratory(0.0).answer(59)
        assert (answered.ending, answered.rounds, answered.trained) == (Ending.SPENT, 0, Trained())
        assert "since a run takes about 60 s. Nothing was trained." in str(answered)

    def test_rounds_end_if_no_run_finishes(self) -> None:
        answered = laboratory(0.0, fails=True).answer(36_000)
        assert (answered.ending, answered.rounds, len(answered.trained.failures)) == (Ending.FAILED, 1, 4)

    def test_what_more_runs_would_not_answer_stays_open(self) -> None:
        lab = Laboratory(lambda _: 0.5)
        assert str(lab.answer(60)).startswith("No run has finished yet, so no further run is suggested. Nothing")
        assert lab.answer(60).ending is Ending.NO_SUGGESTION


class TestDoor:
    def test_python_answers_as_the_command_line_does(self, work: Path) -> None:
        log_run = logger_in(work)
        for kernel in "35":
            log_run("1" * 17 + "011", kernel_size=kernel)
        answered = api.train_next("1s", reporter=(said := Collected()))
        assert answered.ending is Ending.SPENT
        assert "since a run takes about 9 s. Nothing was trained." in str(answered)
        assert said.messages == []
        with pytest.raises(ValueError, match="budget must be a time above 0 such as 30m"):
            api.train_next("soon")
        with pytest.raises(ValueError, match="budget must be a time such as '30m' or seconds above 0, got 0"):
            api.train_next(0)


class TestBudget:
    @pytest.mark.parametrize(
        ("text", "seconds"), [("30m", 1_800), ("2h", 7_200), ("90s", 90), ("1h30m", 5_400), ("1.5h", 5_400)]
    )
    def test_a_budget_is_a_time(self, text: str, seconds: float) -> None:
        assert seconds_of(text) == seconds

    @pytest.mark.parametrize("text", ["", "30", "m", "0m", "-5m", "30m1h", "1d", "half an hour", "1e3s"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="must be a time above 0 such as 30m"):
            seconds_of(text)
