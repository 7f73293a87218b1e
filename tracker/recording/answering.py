"""The runs that would tell most, trained round by round until the questions are answered or a budget of time is spent.

A round trains the first suggestion of `tracker.next_steps`, then looks at all runs again. Each round is a further look
at the data, which the level of every test takes into account (`tracker.study.looks`).
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tracker.conclusions.conclusion import OPEN
from tracker.next_steps.command_line import read_command
from tracker.next_steps.steps import why_no_step
from tracker.recording.stores import LogTarget, experiment_or_default, find_store
from tracker.recording.sweep import open_sweep, runs_at_once
from tracker.runs import shown
from tracker.runs.sweeps import RunList
from tracker.training.networks import parse_options
from tracker.wording import counted, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.next_steps.command_line import Argv
    from tracker.next_steps.steps import NextStep
    from tracker.recording.reporter import Reporter
    from tracker.recording.sweep import Sweep
    from tracker.recording.workers import RunOutcome
    from tracker.report import Report
    from tracker.runs import RunPlan
    from tracker.runs.planned import DataPlan

_BUDGET = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_SECONDS = (3600, 60, 1)
_QUESTIONS = {"best_configuration", "option_effect"}  # the kinds that are named at the end
_UNFINISHED = "No run has finished yet, so no further run is suggested."


class Ending(StrEnum):
    """Why no further round is begun."""

    ANSWERED = "answered"
    NO_SUGGESTION = "no further run would tell"
    SPENT = "budget spent"
    FAILED = "no run finished"


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of the runs of a round."""

    finished: tuple[str, ...] = ()  # ids of those that weren't there before
    failures: tuple[RunOutcome, ...] = ()

    def __add__(self, other: Trained) -> Trained:
        return Trained((*self.finished, *other.finished), (*self.failures, *other.failures))


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a budget of time. A question is a sentence of the report."""

    ending: Ending
    budget: float  # seconds
    seconds: float  # that were spent
    rounds: int
    settled: tuple[str, ...]
    open: tuple[str, ...]
    trained: Trained = field(default_factory=Trained)
    why: str = ""  # why no run is suggested, as a sentence
    typical: float = 0.0  # seconds that a run takes; 0 if that isn't known

    def __str__(self) -> str:
        """Return in lines why it ended, what is settled and what is open."""
        return "\n".join(
            [
                f"{self._ending}. {self._spent}.",
                *(f"Settled: {sentence}" for sentence in self.settled),
                *(f"Open: {sentence}" for sentence in self.open),
            ]
        )

    @property
    def _ending(self) -> str:
        return {
            Ending.ANSWERED: "Every question is answered",
            Ending.NO_SUGGESTION: self.why.removesuffix("."),
            Ending.SPENT: self._no_time,
            Ending.FAILED: "No run of the last round finished",
        }[self.ending]

    @property
    def _no_time(self) -> str:
        if self.seconds >= self.budget:
            return f"The budget of {_exactly(self.budget)} is spent"
        takes = f", since a run takes {duration(self.typical)}" if self.typical else ""
        return f"No further run fits into {_exactly(self.budget)}{takes}"

    @property
    def _spent(self) -> str:
        if not self.rounds:
            return "Nothing was trained"
        return f"{counted(len(self.trained.finished), 'run')} in {counted(self.rounds, 'round')}, {_time(self.seconds)}"


def checked_seconds(budget: object) -> float:
    """Return the seconds of a budget, given as a text or a number; raise ValueError if it is none."""
    if isinstance(budget, str):
        try:
            return seconds_of(budget)
        except ValueError as error:
            raise ValueError(f"budget {error}") from error
    if not isinstance(budget, int | float) or isinstance(budget, bool) or not 0 < budget < math.inf:
        raise ValueError(f"budget must be a time such as '30m' or seconds above 0, got {shown(budget)}")
    return float(budget)


def seconds_of(budget: str) -> float:
    """Return the seconds of a time such as ``30m``, ``2h``, ``90s`` or ``1h30m``; raise ValueError if it is none."""
    found = _BUDGET.fullmatch(budget.strip().lower())
    parts = found.groups() if found else ()
    seconds = sum(float(part) * unit for part, unit in zip(parts, _SECONDS, strict=False) if part)
    if not seconds:
        raise ValueError(f"must be a time above 0 such as 30m, 2h, 90s or 1h30m, got {shown(budget)}")
    return seconds


def answer_questions(
    look: Callable[[], Report],
    train: Callable[[Sequence[Argv], Callable[[], bool]], Trained],
    budget: float,
    log: Callable[[str], None],
    *,
    jobs: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Answered:
    """Train what would tell most, as often as the budget allows, and return what is settled and what is open.

    Parameters
    ----------
    look : callable
        Reports on all runs that there are.
    train : callable
        Trains the runs of some commands; before each it asks the function that it is given whether there is time.
    budget : float
        Seconds. A run that would take more than what is left, by the median of the runs so far, isn't started.
    log : callable
        Takes a line a round.
    jobs : int, optional
        How many runs are trained at once.
    clock : callable
        Returns seconds.
    """
    started = clock()
    report, rounds, trained = look(), 0, Trained()
    while True:
        typical = _typical_seconds(report)

        def may_start(typical: float = typical) -> bool:
            return clock() - started + typical <= budget

        steps = _suggestion(report)
        ending = _ending(report, steps) or (None if may_start() else Ending.SPENT)
        if ending is None:
            rounds += 1
            log(f"Round {rounds}: {_described(steps, budget - (clock() - started), jobs)}")
            of_round = train([step.command for step in steps], may_start)
            report, trained = look(), trained + of_round
            if not of_round.finished:
                ending = Ending.FAILED if of_round.failures or may_start() else Ending.SPENT
        if ending:
            settled, still_open = _sentences(report)
            why = why_no_step(report.conclusions, has_commands=report.has_commands) if report.entries else _UNFINISHED
            spent = clock() - started
            return Answered(ending, budget, spent, rounds, settled, still_open, trained, why, _typical_seconds(report))


def train_commands(
    commands: Sequence[Argv],
    follow: Callable[[Sweep], Trained],
    reporter: Reporter,
    *,
    jobs: int | None = None,
    may_start: Callable[[], bool] = lambda: True,
) -> Trained:
    """Train what some ``tracker run`` commands would: those on one data set and Keras backend as a sweep.

    `follow` trains it.
    The runs of one seed come before those of the next, so that matched pairs are whole if time runs out.
    """
    by_place: dict[tuple[str | None, LogTarget, DataPlan, str], list[RunPlan]] = {}
    for words in commands:
        command = read_command(words, parse_options)
        store = find_store(command.tracking_uri)
        target = LogTarget(store, experiment_or_default(command.experiment, store))
        for one in command.plans:
            key = (command.data, target, one.data, one.configuration.keras_backend)
            by_place.setdefault(key, []).append(one)
    trained = Trained()
    for (data, target, *_), listed in by_place.items():
        plan = RunList(tuple(sorted(listed, key=lambda one: one.seed)))
        folder = None if data is None else Path(data)
        with open_sweep(plan, folder, target, reporter, jobs=jobs, may_start=may_start) as opened:
            trained += follow(opened)
    return trained


def _ending(report: Report, steps: Sequence[NextStep]) -> Ending | None:
    """Return why there is nothing to be trained, if there isn't."""
    if steps:
        return None
    settled, still_open = _sentences(report)
    return Ending.ANSWERED if settled and not still_open else Ending.NO_SUGGESTION


def _suggestion(report: Report) -> tuple[NextStep, ...]:
    """Return the steps that have the most chance of an answer for their time, together."""
    return tuple(step for step in report.next_steps if step.suggestion == report.next_steps[0].suggestion)


def _described(steps: Sequence[NextStep], left: float, jobs: int | None) -> str:
    """Return what a round trains, for what, and how long that takes."""
    plans = [plan for step in steps for plan in read_command(step.command, parse_options).plans]
    reasons = [step.why for step in steps]
    why = [reason for reason in dict.fromkeys(reasons) if not any(reason in other != reason for other in reasons)]
    times = [step.estimated_seconds for step in steps if step.estimated_seconds is not None]
    takes = ""
    if len(times) == len(steps):
        seconds = sum(times) / runs_at_once(jobs, len(plans))
        takes = f", {duration(seconds)}" if seconds <= left else f", as many as fit in {_time(left)}"
    return f"{counted(len(plans), 'more run')} ({'; '.join(why)}){takes}"


def _typical_seconds(report: Report) -> float:
    """Return the median time of the runs so far, from start to end; 0 if none is known."""
    runs = [entry.result.run for entry in report.entries]
    return median([(run.ended - run.started) / 1_000 for run in runs if run.ended and run.started] or [0.0])


def _sentences(report: Report) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the sentences of the questions that are settled, and of those that are open."""
    found = [conclusion for conclusion in report.conclusions if conclusion.kind in _QUESTIONS]
    settled = (conclusion.sentence for conclusion in found if conclusion.verdict not in OPEN)
    return tuple(settled), tuple(conclusion.sentence for conclusion in found if conclusion.verdict in OPEN)


def _exactly(seconds: float) -> str:
    """Return a time to the second: ``1 h 30 min``."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [(hours, "h"), (minutes, "min"), (round(rest, 1), "s")]
    return " ".join(f"{number:g} {unit}" for number, unit in parts if number)


def _time(seconds: float) -> str:
    return duration(max(0.0, seconds)).removeprefix("about ")
