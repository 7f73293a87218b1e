"""The fewest runs that would turn open conclusions into closed ones.

An option is settled by three matched pairs: the same seeds at two levels, everything else being equal. Options that
never changed alone all start from the best run, so that its further seeds serve each of them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from tracker.conclusions.best_run import BestRun
from tracker.conclusions.commands import command_line, whole_seed
from tracker.conclusions.effects import FEWEST, pairs_wanted
from tracker.conclusions.outcomes import whole_tag
from tracker.conclusions.run_difference import RunDifference
from tracker.conclusions.sentences.words import change_words, listing, option_words, points
from tracker.conclusions.under_training import still_improving
from tracker.runs import number_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tracker.conclusions.conclusion import Conclusion
    from tracker.conclusions.study import Study
    from tracker.design import Contrast

MOST_STEPS = 20
"""Commands that are suggested at once."""

_LONGER = 2
"""A limit that was reached while improving is multiplied by this."""

_LARGEST_SHARE = 0.5
"""Of the clips, to validate on: more leave too few to train on."""


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
class _Config:
    """What is to be trained: as a run was, but for some changes, on the data and split of a run."""

    like: int
    changes: tuple[tuple[str, str], ...] = ()
    on: int | None = None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A configuration wanted under some seeds, and what for."""

    config: _Config
    seeds: frozenset[int]
    why: str


@dataclass(frozen=True, slots=True)
class _Training:
    """A configuration to train, with all that it serves."""

    seeds: frozenset[int] = frozenset()
    settles: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    def and_for(self, wanted: _Wanted, conclusion_id: str) -> _Training:
        """Return the same serving one conclusion more."""
        reasons = (*self.reasons, wanted.why) if wanted.why not in self.reasons else self.reasons
        return _Training(self.seeds | wanted.seeds, (*self.settles, conclusion_id), reasons)


def next_steps(study: Study, conclusions: Sequence[Conclusion], experiment: str) -> tuple[NextStep, ...]:
    """Plan the runs that would settle what is open.

    Parameters
    ----------
    study : Study
    conclusions : sequence of Conclusion
    experiment : str
        Its name, for the commands.

    Returns
    -------
    tuple of NextStep
        In the order in which they help; for as many conclusions as `MOST_STEPS` commands settle.
    """
    plan: dict[_Config, _Training] = {}
    for conclusion in conclusions:
        wanted = _wanted(study, conclusion, conclusions)
        if not wanted or any(_command(study, w.config, experiment, 0, 1) is None for w in wanted):
            continue
        if len(plan.keys() | {w.config for w in wanted}) > MOST_STEPS:
            break
        for one in wanted:
            plan[one.config] = plan.get(one.config, _Training()).and_for(one, conclusion.id)
    return tuple(step for config, training in plan.items() for step in _steps(study, config, training, experiment))


def commands(steps: Iterable[NextStep]) -> dict[str, str]:
    """Join the commands that settle each conclusion, one after the other, into one line.

    Parameters
    ----------
    steps : iterable of NextStep

    Returns
    -------
    dict of conclusion id to str
    """
    lines: dict[str, list[str]] = defaultdict(list)
    for step in steps:
        for settled in step.settles:
            lines[settled].append(step.command)
    return {settled: " && ".join(found) for settled, found in lines.items()}


def _wanted(  # noqa: PLR0911 - a line a kind
    study: Study, conclusion: Conclusion, conclusions: Sequence[Conclusion]
) -> list[_Wanted]:
    """Return what would settle a conclusion; nothing where it is settled, or no reasonable number of runs would."""
    match conclusion.kind, conclusion.verdict:
        case "option_effect", "confounded" if conclusion.option is not None:
            return _star(study, conclusion.option)
        case "option_effect", "inconclusive" if conclusion.option is not None:
            return _completed(study, conclusion.option)
        case "best_run", "inconclusive":
            return _larger_share(study, _against_runner_up(conclusion, conclusions))
        case "run_difference", "inconclusive":
            return _larger_share(study, conclusion)
        case "run_difference", "not_comparable":
            return _on_the_same_clips(study, conclusion)
        case "stability", "unknown":
            return _further_seeds(study)
        case "under_training", "exact":
            return _longer(study, conclusion)
        case _:
            return []


def _further_seeds(study: Study) -> list[_Wanted]:
    """Bring the best run's configuration to three seeds."""
    base = study.ranking[0] if study.ranking else 0
    have = _seeds(study, _repeats_of(study, base))
    why = f"further seeds of run {study.outcomes[base].number}"
    return [_Wanted(_Config(base), _filled(sorted(have), FEWEST) - have, why)]


def _star(study: Study, option: str) -> list[_Wanted]:
    """Change the option alone, starting from the best run, under three seeds."""
    base = study.ranking[0] if study.ranking else 0
    own = study.design.level(base, option)
    others = [study.design.level(run, option) for run in study.ranking if study.design.level(run, option) != own]
    target = (others or [level for level in study.design.levels[option] if level != own])[0]
    have = _seeds(study, _repeats_of(study, base))
    seeds = _filled(sorted(have), FEWEST)
    why = f"matched pairs for {option_words(option)}, with run {study.outcomes[base].number}"
    return [*_further_seeds(study), _Wanted(_Config(base, ((option, target),)), seeds, why)]


def _completed(study: Study, option: str) -> list[_Wanted]:
    """Complete the matched pairs of the contrast that has most repetitions."""
    found = study.contrasts[option]
    contrast = max(found, key=lambda c: max(min(map(len, setting)) for setting in c.repetitions))
    pairs = pairs_wanted(study, contrast)
    if pairs is None:
        return []
    start, end = max(contrast.repetitions, key=lambda setting: (min(map(len, setting)), sum(map(len, setting))))
    return _pairs(study, contrast, (start, end), pairs)


def _pairs(study: Study, contrast: Contrast, setting: tuple[Sequence[int], Sequence[int]], pairs: int) -> list[_Wanted]:
    """Bring a contrast to so many matched pairs by runs in one setting of everything else."""
    seeds = [_seeds(study, runs) for runs in setting]
    both, either = seeds[0] & seeds[1], seeds[0] | seeds[1]
    elsewhere = len(contrast.pairs) - len(both)
    chosen = _filled([*sorted(both), *sorted(either - both)], pairs - elsewhere)
    change = change_words(contrast.option, contrast.start, contrast.end)
    why = f"matched pairs for {option_words(contrast.option)}: {change}"
    return [_Wanted(_Config(runs[0]), chosen - have, why) for runs, have in zip(setting, seeds, strict=True)]


def _larger_share(study: Study, conclusion: Conclusion | None) -> list[_Wanted]:
    """Train two runs' configurations again with so many validation clips that the difference would be found."""
    details = conclusion.details if conclusion is not None else None
    if conclusion is None or not isinstance(details, RunDifference) or details.clips_needed is None:
        return []
    runs = [study.positions[run_id] for run_id in conclusion.runs]
    share = _share_for(study, runs[0], details.clips_needed)
    seeds = [whole_seed(study.design.terms[run]) for run in runs]
    if share is None or None in seeds:
        return []
    why = f"the same two on enough clips to show a difference of {points(conclusion.estimate or 0.0)}"
    changes = (("validation_fraction", share),)
    return [
        _Wanted(_Config(run, changes), frozenset([seed]), why)
        for run, seed in zip(runs, seeds, strict=True)
        if seed is not None
    ]


def _share_for(study: Study, run: int, clips: int) -> str | None:
    """Return the validation fraction that holds so many clips, None where it would leave too few to train on."""
    found = study.outcomes[run]
    training, n = whole_tag(found.run, "tracker.training_clips"), found.n
    if not training or not n or "fold" in dict(study.design.terms[run].split):
        return None
    share = math.ceil(20 * clips / (training + n)) / 20
    return number_text(share) if n / (training + n) < share <= _LARGEST_SHARE else None


def _on_the_same_clips(study: Study, conclusion: Conclusion) -> list[_Wanted]:
    """Train the second run's configuration on the first one's data and split."""
    first, second = (study.positions[run_id] for run_id in conclusion.runs)
    seed = whole_seed(study.design.terms[second])
    if seed is None or "tracker.data" not in study.outcomes[first].run.tags:
        return []
    why = f"the configuration of run {second + 1} on the clips of run {first + 1}"
    return [_Wanted(_Config(second, (), first), frozenset([seed]), why)]


def _longer(study: Study, conclusion: Conclusion) -> list[_Wanted]:
    """Give the best run a longer limit, if it is the one that reached it."""
    run = study.positions[conclusion.runs[0]]
    found, seed = study.outcomes[run], whole_seed(study.design.terms[run])
    is_best = study.ranking[:1] == (run,)
    if not is_best or seed is None or found.limit is None or not still_improving(found):
        return []
    why = f"a longer limit for run {found.number}, which was still improving"
    return [_Wanted(_Config(run, (("epochs", str(_LONGER * found.limit)),)), frozenset([seed]), why)]


def _against_runner_up(conclusion: Conclusion, conclusions: Sequence[Conclusion]) -> Conclusion | None:
    details = conclusion.details
    if not isinstance(details, BestRun) or details.runner_up is None:
        return None
    pair = (conclusion.runs[0], details.runner_up)
    return next((c for c in conclusions if c.kind == "run_difference" and c.runs == pair), None)


def _steps(study: Study, config: _Config, training: _Training, experiment: str) -> Iterator[NextStep]:
    """Yield a command for each row of seeds."""
    for first, number in _rows(sorted(training.seeds)):
        command = _command(study, config, experiment, first, number)
        if command is not None:
            seconds = _seconds(study, config)
            yield NextStep(
                command=command,
                settles=training.settles,
                why=listing(training.reasons),
                estimated_seconds=None if seconds is None else round(seconds * number, 1),
            )


def _command(study: Study, config: _Config, experiment: str, seed: int, seeds: int) -> str | None:
    changes, run = dict(config.changes), study.outcomes[config.like].run
    if config.on is None:
        return command_line(run, experiment, changes, seed, seeds)
    data = study.outcomes[config.on].run.tags.get("tracker.data")
    split = dict(study.design.terms[config.on].split)
    return command_line(run, experiment, changes, seed, seeds, data=data, split=split)


def _seconds(study: Study, config: _Config) -> float | None:
    """Estimate what one training takes by the run that is most like it."""
    changes = dict(config.changes)
    kernel = changes.get("kernel_size", dict(study.design.terms[config.like].levels).get("kernel_size"))
    like = [study.outcomes[config.like], *study.outcomes]
    alike = [found for found in like if dict(study.design.terms[found.number - 1].levels).get("kernel_size") == kernel]
    timed = next((found for found in [*alike, *like] if found.seconds and found.stop_epoch), None)
    own = study.outcomes[config.like]
    epochs = float(changes.get("epochs", own.stop_epoch or 0))
    return (
        timed.seconds / timed.stop_epoch * epochs if timed and timed.seconds and timed.stop_epoch and epochs else None
    )


def _repeats_of(study: Study, run: int) -> list[int]:
    """Return the runs that differ from one in nothing but the seed."""
    return [
        other
        for runs in study.design.configurations
        if run in runs
        for other in runs
        if study.design.repeats[other] == study.design.repeats[run]
    ]


def _seeds(study: Study, runs: Iterable[int]) -> frozenset[int]:
    found = (whole_seed(study.design.terms[run]) for run in runs)
    return frozenset(seed for seed in found if seed is not None)


def _filled(seeds: Sequence[int], number: int) -> frozenset[int]:
    """Return the first of `seeds`, filled up to `number` with the next ones."""
    fresh = count(max(seeds, default=-1) + 1)
    return frozenset([*seeds[:number], *(next(fresh) for _ in range(number - len(seeds)))])


def _rows(seeds: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield each row of consecutive seeds by its first and its length."""
    start = 0
    for end in range(1, len(seeds) + 1):
        if end == len(seeds) or seeds[end] != seeds[end - 1] + 1:
            yield seeds[start], end - start
            start = end
