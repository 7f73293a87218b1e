"""Runs that would settle an open conclusion: which configuration to train, and under which seeds.

An option is settled by three matched pairs: the same seeds at two levels, everything else being equal. Options that
never changed alone all start from the best run, so that its further seeds serve each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from tracker.conclusions.contrast_analysis import FEWEST
from tracker.study.options import as_number
from tracker.wording import option_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.study.options import Terms
    from tracker.study.study import Study


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A configuration to train, by the run that it is like.

    Parameters
    ----------
    like : int
        Position of the run that it is like.
    changes : tuple of (option or part of the split, level)
        What is changed.
    on : int or None
        Position of the run whose data and split are used, if not its own.
    """

    like: int
    changes: tuple[tuple[str, str], ...] = ()
    on: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A configuration to train under some seeds, and what for.

    Parameters
    ----------
    spec : RunSpec
    seeds : frozenset of int
    why : str
        A phrase.
    in_plan : bool
        Whether it is worth a place among the report's next steps, not only beside its conclusion.
    """

    spec: RunSpec
    seeds: frozenset[int]
    why: str
    in_plan: bool = True


def further_seeds(study: Study) -> list[PlannedRun]:
    """Bring the best run's configuration to three seeds."""
    best = best_position(study)
    have = seeds_of(study, _repeats_of(study, best))
    why = f"further seeds of run {study.results[best].number}"
    return [PlannedRun(RunSpec(best), filled_up(sorted(have), FEWEST) - have, why)]


def vary_one_option(study: Study, option: str) -> list[PlannedRun]:
    """Change the option alone, starting from the best run, under three seeds."""
    best = best_position(study)
    own = study.design.level(best, option)
    others = [study.design.level(run, option) for run in study.ranking if study.design.level(run, option) != own]
    target = (others or [level for level in study.design.levels[option] if level != own])[0]
    seeds = filled_up(sorted(seeds_of(study, _repeats_of(study, best))), FEWEST)
    why = f"matched pairs for {option_words(option)}, with run {study.results[best].number}"
    return [*further_seeds(study), PlannedRun(RunSpec(best, ((option, target),)), seeds, why)]


def best_position(study: Study) -> int:
    """Return the position of the best run, of the first one if none has the primary metric."""
    return study.ranking[0] if study.ranking else 0


def seeds_of(study: Study, runs: Iterable[int]) -> frozenset[int]:
    """Return the seeds of runs, as far as ``tracker run`` can take them."""
    seeds = (whole_seed(study.design.terms[run]) for run in runs)
    return frozenset(seed for seed in seeds if seed is not None)


def filled_up(seeds: Sequence[int], number: int) -> frozenset[int]:
    """Return the first of `seeds`, filled up to `number` with the next ones."""
    fresh = count(max(seeds, default=-1) + 1)
    return frozenset([*seeds[:number], *(next(fresh) for _ in range(number - len(seeds)))])


def whole_seed(terms: Terms) -> int | None:
    """Return the seed of a run if ``tracker run`` can take it: one whole number of at least 0."""
    number = as_number(dict(terms.seed).get("seed", "")) if len(terms.seed) == 1 else None
    return int(number) if number is not None and number == int(number) and number >= 0 else None


def _repeats_of(study: Study, run: int) -> list[int]:
    """Return the runs that differ from one in nothing but the seed."""
    return [
        other
        for runs in study.design.configurations
        if run in runs
        for other in runs
        if study.design.repeats[other] == study.design.repeats[run]
    ]
