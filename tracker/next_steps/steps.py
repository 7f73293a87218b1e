"""The fewest runs that would turn open conclusions into closed ones, as commands to run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracker.conclusions import kind_of, kinds, of_kind
from tracker.conclusions.conclusion import OPEN
from tracker.wording import listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.conclusions.conclusion import Conclusion
    from tracker.conclusions.planned_runs import PlannedRun, RunSpec
    from tracker.next_steps.command_line import Argv, CommandWriter
    from tracker.study.study import Study

MOST_STEPS = 20
"""Commands that are suggested at once."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """A command worth running.

    Parameters
    ----------
    command : tuple of str
        Its arguments, the program's name first.
    settles : tuple of str
        Ids of the conclusions that it would settle.
    why : str
        The same as a phrase.
    estimated_seconds : float or None
    """

    command: Argv
    settles: tuple[str, ...]
    why: str
    estimated_seconds: float | None


@dataclass(frozen=True, slots=True)
class _Training:
    """A configuration to train, with all that it serves."""

    seeds: frozenset[int] = frozenset()
    settles: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    def and_for(self, one: PlannedRun, conclusion_id: str) -> _Training:
        """Return the same serving one conclusion more."""
        reasons = (*self.reasons, one.why) if one.why not in self.reasons else self.reasons
        return _Training(self.seeds | one.seeds, (*self.settles, conclusion_id), reasons)


def next_steps(study: Study, conclusions: Sequence[Conclusion], writer: CommandWriter) -> tuple[NextStep, ...]:
    """Plan the runs that would settle what is open.

    Parameters
    ----------
    study : Study
    conclusions : sequence of Conclusion
    writer : CommandWriter

    Returns
    -------
    tuple of NextStep
        In the order of the conclusions; as many as `MOST_STEPS` configurations settle.
    """
    plan: dict[RunSpec, _Training] = {}
    first_of: dict[Argv | None, RunSpec] = {}
    for conclusion in conclusions:
        planned = [one for one in _trainable(study, conclusion, conclusions, writer) if one.in_plan]
        if len(plan.keys() | {one.spec for one in planned}) > MOST_STEPS:
            break
        for one in planned:
            spec = first_of.setdefault(_command(study, one.spec, writer, 0, 1), one.spec)
            plan[spec] = plan.get(spec, _Training()).and_for(one, conclusion.id)
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
    """Return the commands that would settle one conclusion, one after the other; none if it is settled or none can.

    Parameters
    ----------
    study : Study
    conclusion : Conclusion
    conclusions : sequence of Conclusion
        All of them.
    writer : CommandWriter
    """
    return tuple(
        step.command
        for one in _trainable(study, conclusion, conclusions, writer)
        for step in _steps(study, one.spec, _Training().and_for(one, conclusion.id), writer)
    )


def why_no_step(conclusions: Sequence[Conclusion]) -> str:
    """Say why no run is suggested.

    Parameters
    ----------
    conclusions : sequence of Conclusion
        All of them, with their commands.
    """
    reasons = (why for kind in kinds() for why in kind.why_no_run(of_kind(conclusions, kind)))
    return next(reasons, "No further run is suggested.")


def _trainable(
    study: Study, conclusion: Conclusion, conclusions: Sequence[Conclusion], writer: CommandWriter
) -> list[PlannedRun]:
    """Return the runs that would settle a conclusion, none if any of them has no command."""
    planned = list(kind_of(conclusion).planned_runs(study, conclusion, conclusions))
    return [] if any(_command(study, one.spec, writer, 0, 1) is None for one in planned) else planned


def _steps(study: Study, spec: RunSpec, training: _Training, writer: CommandWriter) -> Iterator[NextStep]:
    """Yield a command for each row of seeds."""
    for first, number in _rows(sorted(training.seeds)):
        command = _command(study, spec, writer, first, number)
        if command is not None:
            seconds = _seconds(study, spec)
            yield NextStep(
                command=command,
                settles=training.settles,
                why=listing(training.reasons),
                estimated_seconds=None if seconds is None else round(seconds * number, 1),
            )


def _command(study: Study, spec: RunSpec, writer: CommandWriter, seed: int, seeds: int) -> Argv | None:
    changes, run = dict(spec.changes), study.results[spec.like].run
    if spec.on is None:
        return writer.train_again(run, changes, seed, seeds)
    data = study.results[spec.on].run.tags.get("tracker.data")
    split = dict(study.design.terms[spec.on].split)
    return writer.train_again(run, changes, seed, seeds, data=data, split=split)


def _seconds(study: Study, spec: RunSpec) -> float | None:
    """Estimate what one training takes by the run that is most like it."""
    changes = dict(spec.changes)
    kernel = changes.get("kernel_size", dict(study.design.terms[spec.like].levels).get("kernel_size"))
    like = [study.results[spec.like], *study.results]
    alike = [found for found in like if dict(study.design.terms[found.number - 1].levels).get("kernel_size") == kernel]
    timed = next((found for found in [*alike, *like] if found.seconds and found.stop_epoch), None)
    own = study.results[spec.like]
    epochs = float(changes.get("epochs", own.stop_epoch or 0))
    return (
        timed.seconds / timed.stop_epoch * epochs if timed and timed.seconds and timed.stop_epoch and epochs else None
    )


def _rows(seeds: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield each row of consecutive seeds by its first and its length."""
    start = 0
    for end in range(1, len(seeds) + 1):
        if end == len(seeds) or seeds[end] != seeds[end - 1] + 1:
            yield seeds[start], end - start
            start = end
