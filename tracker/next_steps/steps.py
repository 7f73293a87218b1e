"""The fewest runs that would turn open conclusions into closed ones, as commands to run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracker.conclusions import kind_of, kinds, of_kind
from tracker.conclusions.conclusion import OPEN
from tracker.study.options import as_number
from tracker.wording import listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.conclusions.conclusion import Conclusion, PlannedRun, RunSpec
    from tracker.next_steps.command_line import Argv, CommandWriter
    from tracker.study.study import Study

MOST_STEPS = 20  # configurations that are suggested at once


@dataclass(frozen=True, slots=True)
class NextStep:
    """A command worth running."""

    command: Argv  # its arguments, the program's name first
    settles: tuple[str, ...]  # ids of the conclusions that it would settle
    why: str  # the same as a phrase
    estimated_seconds: float | None


@dataclass(frozen=True, slots=True)
class _Training:
    """A configuration to train, with all that it serves."""

    seeds: frozenset[int] = frozenset()
    settles: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    def and_for(self, planned: PlannedRun, conclusion_id: str) -> _Training:
        """Return the training with one more conclusion that it serves."""
        reasons = self.reasons if planned.why in self.reasons else (*self.reasons, planned.why)
        return _Training(self.seeds | planned.seeds, (*self.settles, conclusion_id), reasons)


def next_steps(study: Study, conclusions: Sequence[Conclusion], writer: CommandWriter) -> tuple[NextStep, ...]:
    """Plan the runs that would settle what is open, in order, for at most `MOST_STEPS` configurations."""
    plan: dict[RunSpec, _Training] = {}
    first_of: dict[Argv | None, RunSpec] = {}
    for conclusion in conclusions:
        runs = [planned for planned in _trainable(study, conclusion, conclusions, writer) if planned.in_plan]
        if len(plan.keys() | {planned.spec for planned in runs}) > MOST_STEPS:
            break
        for planned in runs:
            spec = first_of.setdefault(_command(study, planned.spec, writer, 0, 1), planned.spec)
            plan[spec] = plan.get(spec, _Training()).and_for(planned, conclusion.id)
    return tuple(step for spec, training in plan.items() for step in _steps(study, spec, training, writer))


def with_commands(study: Study, conclusions: Sequence[Conclusion], writer: CommandWriter) -> tuple[Conclusion, ...]:
    """Return the conclusions, the open ones each with the commands that would settle it."""
    return tuple(
        replace(conclusion, commands=commands(study, conclusion, conclusions, writer))
        if conclusion.verdict in OPEN
        else conclusion
        for conclusion in conclusions
    )


def commands(
    study: Study, conclusion: Conclusion, conclusions: Sequence[Conclusion], writer: CommandWriter
) -> tuple[Argv, ...]:
    """Return the commands that would settle one of the conclusions, to be run in this order; maybe none."""
    return tuple(
        step.command
        for planned in _trainable(study, conclusion, conclusions, writer)
        for step in _steps(study, planned.spec, _Training().and_for(planned, conclusion.id), writer)
    )


def why_no_step(conclusions: Sequence[Conclusion]) -> str:
    """Return why no run is suggested, given all conclusions with their commands."""
    reasons = (why for kind in kinds() for why in kind.why_no_run(of_kind(conclusions, kind)))
    return next(reasons, "No further run is suggested.")


def _trainable(
    study: Study, conclusion: Conclusion, conclusions: Sequence[Conclusion], writer: CommandWriter
) -> list[PlannedRun]:
    """Return the runs that would settle a conclusion, none if any of them has no command."""
    runs = list(kind_of(conclusion).planned_runs(study, conclusion, conclusions))
    return [] if any(_command(study, planned.spec, writer, 0, 1) is None for planned in runs) else runs


def _steps(study: Study, spec: RunSpec, training: _Training, writer: CommandWriter) -> Iterator[NextStep]:
    """Yield a command for each run of consecutive seeds."""
    seeds, seconds = sorted(training.seeds), _seconds(study, spec)
    start = 0
    for end in range(1, len(seeds) + 1):
        if end < len(seeds) and seeds[end] == seeds[end - 1] + 1:
            continue
        command = _command(study, spec, writer, seeds[start], end - start)
        if command is not None:
            estimated = None if seconds is None else round(seconds * (end - start), 1)
            yield NextStep(command, training.settles, listing(training.reasons), estimated)
        start = end


def _command(study: Study, spec: RunSpec, writer: CommandWriter, seed: int, seeds: int) -> Argv | None:
    changes, run = dict(spec.changes), study.results[spec.like].run
    if spec.on is None:
        return writer.train_again(run, changes, seed, seeds)
    data = study.results[spec.on].run.tags.get("tracker.data")
    split = dict(study.design.terms[spec.on].split)
    return writer.train_again(run, changes, seed, seeds, data=data, split=split)


def _seconds(study: Study, spec: RunSpec) -> float | None:
    """Estimate what one training takes, from the run that is most like it."""
    changes = dict(spec.changes)
    kernels = [dict(terms.levels).get("kernel_size") for terms in study.design.terms]
    kernel = changes.get("kernel_size", kernels[spec.like])
    nearest = [spec.like, *range(len(study.results))]
    candidates = [*(run for run in nearest if kernels[run] == kernel), *nearest]
    epochs = as_number(changes.get("epochs", study.results[spec.like].stop_epoch or 0))  # some run's may be off
    for result in (study.results[run] for run in candidates):
        if result.seconds and result.stop_epoch and epochs:
            return float(result.seconds / result.stop_epoch * epochs)
    return None
