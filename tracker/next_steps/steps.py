"""The fewest runs that would turn open conclusions into closed ones, as commands to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.conclusions.option_effect import OptionEffect
from tracker.next_steps.command_line import command_line
from tracker.next_steps.planned_runs import PlannedRun, RunSpec, wanted
from tracker.wording import listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.conclusions.conclusion import Conclusion
    from tracker.study.study import Study

MOST_STEPS = 20
"""Commands that are suggested at once."""

MOST_PAIRS = 20
"""Matched pairs that the plan asks of anybody; beside its conclusion a command may ask for more."""

_ANY = 1_000
"""More matched pairs than anybody trains."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """A command worth running.

    Parameters
    ----------
    command : str
        A command line, quoted for a POSIX shell.
    settles : tuple of str
        Ids of the conclusions that it would settle.
    why : str
        The same as a phrase.
    estimated_seconds : float or None
    """

    command: str
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


def next_steps(study: Study, conclusions: Sequence[Conclusion], experiment: str) -> tuple[NextStep, ...]:
    """Plan the runs that would settle what is open.

    Two models that cannot be told apart are no reason to train again, unless one of them is the best.

    Parameters
    ----------
    study : Study
    conclusions : sequence of Conclusion
    experiment : str
        Its name, for the commands.

    Returns
    -------
    tuple of NextStep
        In the order of the conclusions; as many as `MOST_STEPS` configurations settle.
    """
    plan: dict[RunSpec, _Training] = {}
    first_of: dict[str | None, RunSpec] = {}
    for conclusion in conclusions:
        asked = _sayable(study, conclusion, conclusions, experiment, MOST_PAIRS)
        if (conclusion.kind, conclusion.verdict) == ("run_difference", "inconclusive"):
            continue
        if len(plan.keys() | {one.config for one in asked}) > MOST_STEPS:
            break
        for one in asked:
            config = first_of.setdefault(_command(study, one.config, experiment, 0, 1), one.config)
            plan[config] = plan.get(config, _Training()).and_for(one, conclusion.id)
    return tuple(step for config, training in plan.items() for step in _steps(study, config, training, experiment))


def command(study: Study, conclusion: Conclusion, conclusions: Sequence[Conclusion], experiment: str) -> str | None:
    """Return what would settle one conclusion, as one line for a POSIX shell.

    Parameters
    ----------
    study : Study
    conclusion : Conclusion
    conclusions : sequence of Conclusion
        All of them.
    experiment : str

    Returns
    -------
    str or None
        Commands one after the other; None where it is settled, or no command can be given.
    """
    asked = _sayable(study, conclusion, conclusions, experiment, _ANY)
    steps = [
        step.command
        for one in asked
        for step in _steps(study, one.config, _Training().and_for(one, conclusion.id), experiment)
    ]
    return " && ".join(steps) or None


def why_no_step(conclusions: Sequence[Conclusion]) -> str:
    """Say why no run is suggested.

    Parameters
    ----------
    conclusions : sequence of Conclusion
        All of them, with their commands.
    """
    if any(c.command and c.kind == "option_effect" for c in conclusions):
        return (
            f"No few runs would settle what is open: it takes more than {MOST_PAIRS} matched pairs, by the commands "
            "beside the conclusions on options."
        )
    needs = (found.need for c in conclusions if isinstance(c.details, OptionEffect) for found in c.details.contrasts)
    if any(need and need.pairs is None for need in needs):
        return "What is open takes more clips, not more runs: the conclusions on options say how many at least."
    return "No further run is suggested."


def _sayable(
    study: Study, conclusion: Conclusion, conclusions: Sequence[Conclusion], experiment: str, most_pairs: int
) -> list[PlannedRun]:
    """Return what would settle a conclusion, nothing if any of it cannot be said as a command."""
    asked = wanted(study, conclusion, conclusions, most_pairs)
    return [] if any(_command(study, one.config, experiment, 0, 1) is None for one in asked) else asked


def _steps(study: Study, config: RunSpec, training: _Training, experiment: str) -> Iterator[NextStep]:
    """Yield a command for each row of seeds."""
    for first, number in _rows(sorted(training.seeds)):
        line = _command(study, config, experiment, first, number)
        if line is not None:
            seconds = _seconds(study, config)
            yield NextStep(
                command=line,
                settles=training.settles,
                why=listing(training.reasons),
                estimated_seconds=None if seconds is None else round(seconds * number, 1),
            )


def _command(study: Study, config: RunSpec, experiment: str, seed: int, seeds: int) -> str | None:
    changes, run = dict(config.changes), study.results[config.like].run
    if config.on is None:
        return command_line(run, experiment, changes, seed, seeds)
    data = study.results[config.on].run.tags.get("tracker.data")
    split = dict(study.design.terms[config.on].split)
    return command_line(run, experiment, changes, seed, seeds, data=data, split=split)


def _seconds(study: Study, config: RunSpec) -> float | None:
    """Estimate what one training takes by the run that is most like it."""
    changes = dict(config.changes)
    kernel = changes.get("kernel_size", dict(study.design.terms[config.like].levels).get("kernel_size"))
    like = [study.results[config.like], *study.results]
    alike = [found for found in like if dict(study.design.terms[found.number - 1].levels).get("kernel_size") == kernel]
    timed = next((found for found in [*alike, *like] if found.seconds and found.stop_epoch), None)
    own = study.results[config.like]
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
