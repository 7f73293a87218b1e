"""What would settle an open conclusion: configurations to train, and under which seeds.

An option is settled by three matched pairs: the same seeds at two levels, everything else being equal. Options that
never changed alone all start from the best run, so that its further seeds serve each of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from tracker.conclusions.best_run import BestRun
from tracker.conclusions.contrast_analysis import FEWEST, pairs_wanted
from tracker.conclusions.run_difference import RunDifference
from tracker.conclusions.under_training import still_improving
from tracker.next_steps.command_line import whole_seed
from tracker.runs import number_text
from tracker.study.run_results import count_tag
from tracker.wording import change_words, option_words, points

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.conclusions.conclusion import Conclusion
    from tracker.study.contrasts import Contrast
    from tracker.study.study import Study

_LONGER = 2
"""A limit that was reached while improving is multiplied by this."""

_LARGEST_SHARE = 0.5
"""Of the clips, to validate on: more leave too few to train on."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What is to be trained.

    Parameters
    ----------
    like : int
        The run that it is like.
    changes : tuple of (option or part of the split, level)
        What is changed.
    on : int or None
        The run whose data and split are used, if not its own.
    """

    like: int
    changes: tuple[tuple[str, str], ...] = ()
    on: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A configuration that is wanted.

    Parameters
    ----------
    config : RunSpec
    seeds : frozenset of int
    why : str
        What for, as a phrase.
    """

    config: RunSpec
    seeds: frozenset[int]
    why: str


def wanted(  # noqa: PLR0911 - a line a kind
    study: Study, conclusion: Conclusion, conclusions: Sequence[Conclusion], most_pairs: int
) -> list[PlannedRun]:
    """Say what would settle a conclusion.

    Parameters
    ----------
    study : Study
    conclusion : Conclusion
    conclusions : sequence of Conclusion
        All of them.
    most_pairs : int
        Matched pairs that are asked for at most.

    Returns
    -------
    list of PlannedRun
        Empty where it is settled, or no such number of runs would settle it.
    """
    match conclusion.kind, conclusion.verdict:
        case "option_effect", _ if not study.metric.is_accuracy:
            return []
        case "option_effect", "confounded" if conclusion.option is not None:
            return _vary_one_option(study, conclusion.option)
        case "option_effect", "inconclusive" if conclusion.option is not None:
            return _completed(study, conclusion.option, most_pairs)
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


def _further_seeds(study: Study) -> list[PlannedRun]:
    """Bring the best run's configuration to three seeds."""
    base = study.ranking[0] if study.ranking else 0
    have = _seeds(study, _repeats_of(study, base))
    why = f"further seeds of run {study.results[base].number}"
    return [PlannedRun(RunSpec(base), _filled(sorted(have), FEWEST) - have, why)]


def _vary_one_option(study: Study, option: str) -> list[PlannedRun]:
    """Change the option alone, starting from the best run, under three seeds."""
    base = study.ranking[0] if study.ranking else 0
    own = study.design.level(base, option)
    others = [study.design.level(run, option) for run in study.ranking if study.design.level(run, option) != own]
    target = (others or [level for level in study.design.levels[option] if level != own])[0]
    have = _seeds(study, _repeats_of(study, base))
    seeds = _filled(sorted(have), FEWEST)
    why = f"matched pairs for {option_words(option)}, with run {study.results[base].number}"
    return [*_further_seeds(study), PlannedRun(RunSpec(base, ((option, target),)), seeds, why)]


def _completed(study: Study, option: str, most: int) -> list[PlannedRun]:
    """Complete the matched pairs of the contrast that has most repetitions."""
    found = study.contrasts[option]
    contrast = max(found, key=lambda c: max(min(map(len, setting)) for setting in c.repetitions))
    if not contrast.pairs and all(min(map(len, setting)) == 1 for setting in contrast.repetitions):
        return _vary_one_option(study, option)
    pairs = pairs_wanted(study, contrast, most)
    if pairs is None:
        return []
    start, end = max(contrast.repetitions, key=lambda setting: (min(map(len, setting)), sum(map(len, setting))))
    return _pairs(study, contrast, (start, end), pairs)


def _pairs(
    study: Study, contrast: Contrast, setting: tuple[Sequence[int], Sequence[int]], pairs: int
) -> list[PlannedRun]:
    """Bring a contrast to so many matched pairs by runs in one setting of everything else."""
    seeds = [_seeds(study, runs) for runs in setting]
    both, either = seeds[0] & seeds[1], seeds[0] | seeds[1]
    elsewhere = len(contrast.pairs) - len(both)
    chosen = _filled([*sorted(both), *sorted(either - both)], pairs - elsewhere)
    change = change_words(contrast.option, contrast.start, contrast.end)
    why = f"matched pairs for {option_words(contrast.option)}: {change}"
    return [PlannedRun(RunSpec(runs[0]), chosen - have, why) for runs, have in zip(setting, seeds, strict=True)]


def _larger_share(study: Study, conclusion: Conclusion | None) -> list[PlannedRun]:
    """Train two runs' configurations again with so many validation clips that the difference would be found."""
    details = conclusion.details if conclusion is not None else None
    if conclusion is None or not isinstance(details, RunDifference) or details.clips_needed is None:
        return []
    runs = [study.index_of[run_id] for run_id in conclusion.runs]
    share = _share_for(study, runs[0], details.clips_needed)
    seeds = [whole_seed(study.design.terms[run]) for run in runs]
    if share is None or None in seeds:
        return []
    why = f"the same two on enough clips to show a difference of {points(conclusion.estimate or 0.0)}"
    changes = (("validation_fraction", share),)
    return [
        PlannedRun(RunSpec(run, changes), frozenset([seed]), why)
        for run, seed in zip(runs, seeds, strict=True)
        if seed is not None
    ]


def _share_for(study: Study, run: int, clips: int) -> str | None:
    """Return the validation fraction that holds so many clips, None where it would leave too few to train on."""
    found = study.results[run]
    training, n = count_tag(found.run, "tracker.training_clips"), found.n
    if not training or not n or "fold" in dict(study.design.terms[run].split):
        return None
    share = math.ceil(20 * clips / (training + n)) / 20
    return number_text(share) if n / (training + n) < share <= _LARGEST_SHARE else None


def _on_the_same_clips(study: Study, conclusion: Conclusion) -> list[PlannedRun]:
    """Train the second run's configuration on the first one's data and split."""
    first, second = (study.index_of[run_id] for run_id in conclusion.runs)
    seed = whole_seed(study.design.terms[second])
    known = seed is not None and "tracker.data" in study.results[first].run.tags
    if seed is None or not known or _is_on_the_clips_of(study, second, first):
        return []
    why = f"the configuration of run {second + 1} on the clips of run {first + 1}"
    return [PlannedRun(RunSpec(second, (), first), frozenset([seed]), why)]


def _is_on_the_clips_of(study: Study, run: int, other: int) -> bool:
    """Tell whether a run's configuration was trained on another's clips already, under the same seed."""
    terms = study.design.terms
    return any(
        (terms[there].levels, terms[there].seed) == (terms[run].levels, terms[run].seed)
        for there in study.clip_set_of[other].members
    )


def _longer(study: Study, conclusion: Conclusion) -> list[PlannedRun]:
    """Give the best run a longer limit, if it is the one that reached it."""
    run = study.index_of[conclusion.runs[0]]
    found, seed = study.results[run], whole_seed(study.design.terms[run])
    is_best = study.ranking[:1] == (run,)
    if not is_best or seed is None or found.limit is None or not still_improving(found):
        return []
    why = f"a longer limit for run {found.number}, which was still improving"
    return [PlannedRun(RunSpec(run, (("epochs", str(_LONGER * found.limit)),)), frozenset([seed]), why)]


def _against_runner_up(conclusion: Conclusion, conclusions: Sequence[Conclusion]) -> Conclusion | None:
    details = conclusion.details
    if not isinstance(details, BestRun) or details.runner_up is None:
        return None
    pair = (conclusion.runs[0], details.runner_up)
    return next((c for c in conclusions if c.kind == "run_difference" and c.runs == pair), None)


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
