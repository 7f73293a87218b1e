"""Which runs would tell most about what is open, as at most three commands to run.

None of them is sure to decide anything: each comes with the chance that the test which will be used detects an effect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from tracker.conclusions import kind_of, kinds, of_kind
from tracker.conclusions.comparisons import cross_validation
from tracker.conclusions.conclusion import OPEN, RunSpec
from tracker.runs import as_number
from tracker.wording import chance_words, listing, losses, points

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tracker.conclusions.conclusion import Chance, Conclusion, PlannedRun
    from tracker.next_steps.command_line import Argv, CommandWriter
    from tracker.study.study import Study

MOST_COMMANDS = 3  # that are suggested at once
_OF_TRAININGS = {"best_configuration", "best_run", "option_effect"}  # kinds that further trainings bear on


@dataclass(frozen=True, slots=True)
class NextStep:
    """A command worth running."""

    command: Argv  # its arguments, the program's name first
    answers: tuple[str, ...]  # ids of the conclusions that it bears on
    why: str  # what it trains, and for what: a phrase
    estimated_seconds: float | None
    # of the likeliest of them, once all commands that bear on it have been run; None if nothing is tested
    chance: Chance | None = None
    outlook: str = ""  # the chance in words: ``this would detect a difference of 5 points about 3 times in 10``
    chance_of: str = ""  # id of the conclusion whose chance it is
    # the steps of the first suggestion, run together, give one question its chance, the most for each minute of all
    suggestion: int = 1

    @property
    def minutes(self) -> float | None:
        """The estimated time in minutes."""
        return None if self.estimated_seconds is None else self.estimated_seconds / 60


@dataclass(frozen=True, slots=True)
class _Training:
    """A configuration to train, with all that it serves."""

    seeds: frozenset[int] = frozenset()
    answers: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    chances: tuple[tuple[Chance, str], ...] = ()  # each with the id of its conclusion
    suggestion: int = 1

    def and_for(self, planned: PlannedRun, conclusion_id: str) -> _Training:
        """Return the training with one more conclusion that it serves."""
        reasons = self.reasons if planned.why in self.reasons else (*self.reasons, planned.why)
        chances = self.chances if planned.chance is None else (*self.chances, (planned.chance, conclusion_id))
        answers = (*self.answers, conclusion_id)
        return _Training(self.seeds | planned.seeds, answers, reasons, chances, self.suggestion)


_Plan = dict["RunSpec", _Training]


def next_steps(study: Study, conclusions: Sequence[Conclusion], writer: CommandWriter) -> tuple[NextStep, ...]:
    """Plan the runs that tell most for their time: at most `MOST_COMMANDS` commands.

    What is open is taken up one by one, by the chance of its test for each second that it adds, or for each run if
    it isn't known how long they take; what is not tested comes last, in the report's order.
    """
    first_of: dict[Argv | None, RunSpec] = {}
    still_open: dict[str, list[PlannedRun]] = {}
    for conclusion in conclusions:
        runs = _trainable(study, conclusion, conclusions, writer)
        specs = [first_of.setdefault(_command(study, run.spec, writer, 0, 1), run.spec) for run in runs]
        if runs:
            still_open[conclusion.id] = [replace(run, spec=spec) for run, spec in zip(runs, specs, strict=True)]
    timed = all(_seconds(study, run.spec) is not None for runs in still_open.values() for run in runs)

    def cost(plan: _Plan) -> float:
        of_one = {spec: _seconds(study, spec) if timed else 1.0 for spec in plan}
        return sum(len(training.seeds) * (of_one[spec] or 0.0) for spec, training in plan.items())

    plan: _Plan = {}
    while still_open:
        wider = {found: _with(plan, runs, found) for found, runs in still_open.items()}
        fitting = [found for found, larger in wider.items() if sum(map(_stretches, larger.values())) <= MOST_COMMANDS]
        if not fitting:
            break
        added = {found: cost(wider[found]) - cost(plan) for found in fitting}
        power = {found: _power(still_open[found]) for found in fitting}
        chosen = max(fitting, key=lambda found: (not added[found], power[found] / (added[found] or 1.0)))
        number = max((training.suggestion for training in plan.values()), default=0) + 1
        plan = {spec: replace(tr, suggestion=number) if spec not in plan else tr for spec, tr in wider[chosen].items()}
        del still_open[chosen]
    of_plan = [(step, tr) for spec, tr in plan.items() for step in _steps(study, spec, tr, writer)]
    return tuple(_with_outlook(study, step, training) for step, training in of_plan)


def in_one_list(of_each: Iterable[Sequence[NextStep]]) -> tuple[NextStep, ...]:
    """Return the steps of several data sets, a suggestion of each in turn, as many as `MOST_COMMANDS` allow.

    Their outlook says which other steps the chance takes as well.
    """
    suggestions = [
        (number, place, [step for step in steps if step.suggestion == number])
        for place, steps in enumerate(of_each)
        for number in dict.fromkeys(step.suggestion for step in steps)
    ]
    chosen: list[NextStep] = []
    for _, _, steps in sorted(suggestions, key=lambda found: found[:2]):
        if len(chosen) + len(steps) <= MOST_COMMANDS:
            number = chosen[-1].suggestion + 1 if chosen else 1
            chosen += [replace(step, suggestion=number) for step in steps]
    return tuple(replace(step, outlook=f"{_together(step, chosen)}{step.outlook}") for step in chosen)


def _together(step: NextStep, steps: Sequence[NextStep]) -> str:
    others = [str(number) for number, other in enumerate(steps, start=1)
              if step.chance_of in other.answers and other != step]  # fmt: skip
    return f"together with {'step' if len(others) == 1 else 'steps'} {listing(others)}, " if others else ""


def _with_outlook(study: Study, step: NextStep, training: _Training) -> NextStep:
    """Return a step with its best chance, in words too."""
    if not training.chances:
        return step
    chance, answer = max(training.chances, key=lambda of_one: of_one[0].power)
    return replace(step, chance=chance, chance_of=answer, outlook=_outlook(study, chance))


def _power(runs: Sequence[PlannedRun]) -> float:
    return max((run.chance.power for run in runs if run.chance), default=0.0)


def _with(plan: Mapping[RunSpec, _Training], runs: Sequence[PlannedRun], conclusion_id: str) -> _Plan:
    """Return a plan with the runs for one more conclusion."""
    wider = dict(plan)
    for run in runs:
        if run.seeds:
            wider[run.spec] = wider.get(run.spec, _Training()).and_for(run, conclusion_id)
    return wider


def _stretches(training: _Training) -> int:
    """Return how many commands a training takes: one for each run of consecutive seeds."""
    return sum(seed - 1 not in training.seeds for seed in training.seeds)


def with_commands(study: Study, conclusions: Sequence[Conclusion], writer: CommandWriter) -> tuple[Conclusion, ...]:
    """Return the conclusions, the open ones each with the commands of the runs that bear on it."""
    return tuple(
        replace(conclusion, commands=commands(study, conclusion, conclusions, writer))
        if conclusion.verdict in OPEN
        else conclusion
        for conclusion in conclusions
    )


def commands(
    study: Study, conclusion: Conclusion, conclusions: Sequence[Conclusion], writer: CommandWriter
) -> tuple[Argv, ...]:
    """Return the commands of the runs that bear on one of the conclusions, to be run in this order; maybe none."""
    return tuple(
        step.command
        for planned in _trainable(study, conclusion, conclusions, writer)
        for step in _steps(study, planned.spec, _Training().and_for(planned, conclusion.id), writer)
    )


def seeds_commands(study: Study, run: int, seeds: Iterable[int], writer: CommandWriter) -> tuple[Argv, ...]:
    """Return the commands that train a run's configuration under these seeds; none if a run has no command."""
    training = _Training(frozenset(seeds))
    return tuple(step.command for step in _steps(study, RunSpec(run), training, writer))


def why_no_step(conclusions: Sequence[Conclusion], *, has_commands: bool = True) -> str:
    """Return why no run is suggested, given all conclusions and whether any run can be trained again by a command."""
    reasons = (why for kind in kinds() for why in kind.why_no_run(of_kind(conclusions, kind)))
    is_open = any(c.kind in _OF_TRAININGS and c.verdict in {"inconclusive", "confounded"} for c in conclusions)
    own_alone = "Questions remain open, but tracker has commands only for runs that it trained itself."
    return next(reasons, own_alone if is_open and not has_commands else "No further run is suggested.")


def _trainable(
    study: Study, conclusion: Conclusion, conclusions: Sequence[Conclusion], writer: CommandWriter
) -> list[PlannedRun]:
    """Return the runs that bear on a conclusion, none if any of them has no command.

    None in a cross-validation either: one run is a single fold there, and whole ones are more than anyone would add.
    """
    if cross_validation(study) is not None:
        return []
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
            why = _reasons_text(training.reasons)
            yield NextStep(command, training.answers, why, estimated, suggestion=training.suggestion)
        start = end


def _reasons_text(reasons: Sequence[str]) -> str:
    """Return ``matched pairs for A and for B``; nothing for none."""
    if not reasons:
        return ""
    shared = "matched pairs "
    first, *others = sorted(reasons, key=lambda reason: not reason.startswith(shared))
    rest = [other.removeprefix(shared) if first.startswith(shared) else other for other in others]
    return listing([first, *rest])


def _outlook(study: Study, chance: Chance) -> str:
    """Return the chance that a test detects an effect, in words."""
    outlook = f"this would detect a difference of {_size(study, chance.effect)} {chance_words(chance.power)}"
    reliable = chance.detectable
    if reliable is None or chance.power >= 0.75 or (study.metric.is_accuracy and reliable >= 1):
        return outlook
    return f"{outlook}, and one of {_size(study, reliable)} 4 times in 5"


def _size(study: Study, difference: float) -> str:
    if study.metric.is_accuracy:
        return points(difference)
    return f"{losses(difference)[0]} in {study.metric.name}"


def _command(study: Study, spec: RunSpec, writer: CommandWriter, seed: int, seeds: int) -> Argv | None:
    changes, run = dict(spec.changes), study.results[spec.like].run
    if spec.on is None:
        return writer.train_again(run, changes, seed, seeds)
    data = study.results[spec.on].run.tags.get("tracker.data")
    split = dict(study.design.terms[spec.on].split)
    return writer.train_again(run, changes, seed, seeds, data=data, split=split)


def _seconds(study: Study, spec: RunSpec) -> float | None:
    """Estimate what one training takes, from the run that is most like it."""
    changes, runs = dict(spec.changes), [spec.like, *range(len(study.results))]
    kernel = changes.get("kernel_size", _kernel(study, spec.like))
    nearest = chain((run for run in runs if _kernel(study, run) == kernel), runs)
    epochs = as_number(changes.get("epochs", study.results[spec.like].stop_epoch or 0))  # some run's may be off
    for result in (study.results[run] for run in nearest):
        if result.seconds and result.stop_epoch and epochs:
            return float(result.seconds / result.stop_epoch * epochs)
    return None


def _kernel(study: Study, run: int) -> str | None:
    return dict(study.design.terms[run].levels).get("kernel_size")
