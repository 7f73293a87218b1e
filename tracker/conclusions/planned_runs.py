"""Runs that would settle an open conclusion: which configuration to train, and under which seeds.

An option is settled by three matched pairs: the same seeds at two levels, everything else being equal. Options that
never changed alone all start from the best run, so that its further seeds serve each of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from tracker.runs import LOGGED_OPTIONS, number_text
from tracker.statistics.repetitions import FEWEST_PAIRS
from tracker.study.options import NETWORK, OFF, as_number
from tracker.wording import change_words, option_words, points

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.study.options import Terms
    from tracker.study.study import Contrast, Pair, Study

_LARGEST_FRACTION = 0.5  # of the clips, to validate on: more would leave too few to train on


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A configuration to train, by the run that it is like."""

    like: int  # position of the run that it is like
    changes: tuple[tuple[str, str], ...] = ()  # what is changed
    on: int | None = None  # position of the run whose data and split are used, if not its own


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A configuration to train under some seeds, and what for."""

    spec: RunSpec
    seeds: frozenset[int]
    why: str  # a phrase
    in_plan: bool = True  # whether it is worth a place among the report's next steps, not only beside its conclusion


def further_seeds(study: Study) -> list[PlannedRun]:
    """Bring the best run's configuration to three seeds."""
    return _further_seeds(study, *_best_with_seeds(study))


def _further_seeds(study: Study, best: int, have: frozenset[int]) -> list[PlannedRun]:
    why = f"further seeds of run {study.results[best].number}"
    return [PlannedRun(RunSpec(best), filled_up(sorted(have), FEWEST_PAIRS) - have, why)]


def vary_one_option(study: Study, option: str) -> list[PlannedRun]:
    """Change the option alone, starting from the best run that has it, under three seeds."""
    best, have = _best_with_seeds(study, option)
    own = study.design.level(best, option)
    ranked = [study.design.level(run, option) for run in study.ranking if study.design.has(run, option)]
    target = next(level for level in (*ranked, *study.design.levels[option]) if level != own)
    changes = _to_network(study, best, target) if option == NETWORK else ((option, target),)
    seeds = filled_up(sorted(have), FEWEST_PAIRS)
    why = f"matched pairs for {option_words(option)}, with run {study.results[best].number}"
    return [*_further_seeds(study, best, have), PlannedRun(RunSpec(best, changes), seeds, why)]


def _to_network(study: Study, run: int, network: str) -> tuple[tuple[str, str], ...]:
    """Return the changes from a run's network to another, which brings the options that only it has."""
    like = next(
        other for other in (*study.ranking, *range(len(study.results))) if _own(study, other)[NETWORK] == network
    )
    before, after = _own(study, run), _own(study, like)
    dropped = dict.fromkeys(before.keys() - after.keys(), OFF)
    added = {name: after[name] for name in after.keys() - before.keys()}
    return ((NETWORK, network), *sorted((dropped | added).items()))


def _own(study: Study, run: int) -> dict[str, str]:
    """Return a run's network and the levels of the options that not every network has."""
    levels = dict(study.design.terms[run].levels)
    return {name: level for name, level in levels.items() if name not in LOGGED_OPTIONS} | {
        NETWORK: levels.get(NETWORK, OFF)
    }


def complete_pairs(study: Study, contrast: Contrast, pairs: int, *, in_plan: bool) -> list[PlannedRun]:
    """Bring a contrast to so many matched pairs, in the setting of everything else that has most repetitions."""
    setting = max(contrast.repetitions, key=lambda runs: (min(map(len, runs)), sum(map(len, runs))))
    seeds = [seeds_of(study, runs) for runs in setting]
    both, either = seeds[0] & seeds[1], seeds[0] | seeds[1]
    elsewhere = len(contrast.pairs) - len(both)
    needed = filled_up([*sorted(both), *sorted(either - both)], pairs - elsewhere)
    change = change_words(contrast.option, contrast.start, contrast.end)
    why = f"matched pairs for {option_words(contrast.option)}: {change}"
    return [
        PlannedRun(RunSpec(runs[0]), needed - have, why, in_plan) for runs, have in zip(setting, seeds, strict=True)
    ]


def larger_validation_set(study: Study, pair: Pair, clips: int, difference: float) -> list[PlannedRun]:
    """Train two runs' configurations again with so many validation clips that their difference would be found."""
    fraction = _validation_fraction(study, pair[0], clips)
    seeds = [seeds_of(study, [run]) for run in pair]
    if fraction is None or not all(seeds):
        return []
    why = f"the same two on enough clips to show a difference of {points(difference)}"
    changes = (("validation_fraction", fraction),)
    return [PlannedRun(RunSpec(run, changes), of_run, why) for run, of_run in zip(pair, seeds, strict=True)]


def same_clips(study: Study, pair: Pair) -> list[PlannedRun]:
    """Train the second run's configuration on the first one's data and split, unless that was done already."""
    first, second = pair
    terms, seeds = study.design.terms, seeds_of(study, [second])
    done = any(
        (terms[run].levels, terms[run].seed) == (terms[second].levels, terms[second].seed)
        for run in study.clip_set_of[first].members
    )
    if not seeds or done or "tracker.data" not in study.results[first].run.tags:
        return []
    why = f"the configuration of run {second + 1} on the clips of run {first + 1}"
    return [PlannedRun(RunSpec(second, (), first), seeds, why)]


def _best_with_seeds(study: Study, option: str | None = None) -> tuple[int, frozenset[int]]:
    """Return the best run and the seeds that it was repeated with.

    The first run if none has the primary metric; only runs that have `option`, if it is given.
    """
    runs = (*study.ranking, *range(len(study.results)))
    best = next(run for run in runs if option is None or study.design.has(run, option))
    repeats = study.design.repeats
    configuration = next(runs for runs in study.design.configurations if best in runs)
    return best, seeds_of(study, [run for run in configuration if repeats[run] == repeats[best]])


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


def _validation_fraction(study: Study, run: int, clips: int) -> str | None:
    """Return the validation fraction that holds so many clips, None if it would leave too few to train on."""
    result = study.results[run]
    training, n = result.training_clips, result.n
    if not training or not n or "fold" in dict(study.design.terms[run].split):
        return None
    fraction = math.ceil(20 * clips / (training + n)) / 20
    return number_text(fraction) if n / (training + n) < fraction <= _LARGEST_FRACTION else None
