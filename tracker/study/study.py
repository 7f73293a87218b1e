"""What every kind of conclusion reads: the runs that count, what they came to, on which clips, under which design.

Runs can be set against each other at two levels of an option, everything else but the seed being equal.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from tracker.runs.facts import training_plan
from tracker.statistics.repetitions import FEWEST_PAIRS
from tracker.study.clip_sets import DetectableDifference, detectable_difference_between
from tracker.study.datasets import DataSets, data_sets
from tracker.study.looks import Looks, final_runs, looks_at_levels, looks_at_pairs
from tracker.study.options import Design, design_of
from tracker.study.param_roles import FOLD, param_roles
from tracker.study.run_results import RunResult, run_results

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.runs import Run
    from tracker.runs.facts import TrainingPlan
    from tracker.statistics.proportions import Interval
    from tracker.study.clip_sets import ClipSet
    from tracker.study.metrics import Metric
    from tracker.study.param_roles import ParamRoles


MOST_LEVELS = 25  # of an option, every two of which are contrasted: 300 contrasts

Pair = tuple[int, int]  # two runs, by their index in the study
Sides = tuple[tuple[int, ...], tuple[int, ...]]  # the runs at two levels


class Obstacle(StrEnum):
    """Why runs cannot be compared or ranked; the values are those of the JSON document."""

    OTHER_CLIPS = "clips"
    UNLOGGED_CLIPS = "unlogged clips"
    OTHER_METRIC = "metric"
    UNLOGGED_COUNTS = "counts"
    UNLOGGED_PREDICTIONS = "predictions"
    NO_METRIC = "no metric"


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two levels of an option and the runs that tell them apart."""

    option: str
    start: str  # an effect is that of going from this level …
    end: str  # … to this one
    pairs: tuple[Pair, ...]  # matched pairs; no run is in two of them
    repetitions: tuple[Sides, ...]  # for each setting of everything else the runs of both levels, matched or not
    is_final: bool = False  # whether these are the runs of a plan that was declared final, and nothing else
    later: int = 0  # runs that such a plan leaves out


def contrasts(design: Design, option: str) -> tuple[Contrast, ...]:
    """Return every two levels of an option that runs tell apart, everything else but the seed being equal.

    Of more than `MOST_LEVELS`, each is only set against the one that most runs have. Ordered by level; empty if
    something else changed whenever the option did. A network brings options of its own: two networks are compared at
    equal levels of the options that both have, each in its most repeated configuration; not at all if one has several.
    """
    pairs: dict[tuple[int, int], list[Pair]] = defaultdict(list)
    repetitions: dict[tuple[int, int], list[Sides]] = defaultdict(list)
    codes = design.codes[:, design.column_of[option]]
    runs_of = np.bincount(codes[codes >= 0])
    for by_level in _settings(design, option):
        for a, b in _two_levels(by_level, runs_of):
            for start, end in _sides(design, option, by_level[a], by_level[b]):
                pairs[a, b] += _matched(design, start, end)
                repetitions[a, b].append((tuple(start), tuple(end)))
    levels = design.levels[option]
    return tuple(
        Contrast(option, levels[a], levels[b], tuple(sorted(pairs[a, b])), tuple(repetitions[a, b]))
        for a, b in sorted(repetitions)
    )


def contrast_of(design: Design, start: Sequence[int], end: Sequence[int]) -> Contrast:
    """Return two configurations set against each other as levels of an option are, whatever they differ in.

    Only runs on the same validation clips are; there may be none.
    """
    sides: dict[int, Sides] = {}
    for block in sorted({int(design.repeats[run]) for run in start}):
        at_start, at_end = (tuple(run for run in runs if design.repeats[run] == block) for runs in (start, end))
        if at_end:
            sides[block] = (at_start, at_end)
    pairs = sorted(pair for at_start, at_end in sides.values() for pair in _matched(design, at_start, at_end))
    return Contrast("configuration", "first", "second", tuple(pairs), tuple(sides.values()))


def _two_levels(levels: Iterable[int], runs_of: NDArray[np.int64]) -> Iterable[tuple[int, int]]:
    """Return which two of some levels are contrasted, given how many runs each of the option's levels has."""
    if len(runs_of) <= MOST_LEVELS:
        return combinations(sorted(levels), 2)
    commonest = max(levels, key=lambda level: (runs_of[level], -level))
    return [(min(level, commonest), max(level, commonest)) for level in sorted(levels) if level != commonest]


def _settings(design: Design, option: str) -> list[dict[int, list[int]]]:
    """Return, for each setting of all else but the seed in which the option varies, its runs by level."""
    column = design.column_of[option]
    before, after = design.ranks_without
    keys = [before[column], after[column + 1]]
    if option == design.chooser and len(design.nested):
        keys = [design.repeats, *np.delete(design.codes, [column, *design.nested], axis=1).T]
    _, inverse = np.unique(np.column_stack(keys), axis=0, return_inverse=True)
    settings: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for run, setting in enumerate(inverse.ravel().tolist()):
        if design.has(run, option):
            settings[setting][int(design.codes[run, column])].append(run)
    return [settings[setting] for setting in sorted(settings) if len(settings[setting]) > 1]


def _sides(
    design: Design, option: str, start: Sequence[int], end: Sequence[int]
) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    """Yield the runs at two levels that can be compared, for each setting of the options that both networks have."""
    if option != design.chooser or not len(design.nested):
        yield start, end
        return
    shared = [
        column for column in design.nested if min(design.codes[start[0], column], design.codes[end[0], column]) >= 0
    ]
    at_start, at_end = (_most_repeated(design, runs, shared) for runs in (start, end))
    for setting in sorted(at_start.keys() & at_end.keys()):
        yield at_start[setting], at_end[setting]


def _most_repeated(design: Design, runs: Sequence[int], shared: Sequence[int]) -> dict[tuple[int, ...], list[int]]:
    """Return the runs of a network's most repeated configuration by its shared options; none if several are."""
    configurations: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for run in runs:
        configurations[tuple(design.codes[run, design.nested].tolist())].append(run)
    by_setting: dict[tuple[int, ...], list[list[int]]] = defaultdict(list)
    for members in configurations.values():
        by_setting[tuple(design.codes[members[0], shared].tolist())].append(members)
    chosen: dict[tuple[int, ...], list[int]] = {}
    for setting, found in by_setting.items():
        first, *others = sorted(found, key=len, reverse=True)
        if all(len(members) < len(first) for members in others):
            chosen[setting] = first
    return chosen


def _matched(design: Design, start: Sequence[int], end: Sequence[int]) -> list[Pair]:
    """Return the pairs of equal seed; a run without a logged seed has one only if it is the one run of its fold."""
    if len(start) == len(end) == 1 and any(part == FOLD for part, _ in design.terms[start[0]].split):
        return [(start[0], end[0])]
    by_seed: dict[object, list[int]] = defaultdict(list)
    for run in end:
        by_seed[design.terms[run].seed].append(run)
    seeds = [(run, design.terms[run].seed) for run in start]
    return [(run, by_seed[seed].pop(0)) for run, seed in seeds if seed and by_seed[seed]]


@dataclass(frozen=True, eq=False)
class Study:
    """An experiment's runs, ready to conclude from.

    A run is named by its index in `results`, here and wherever a study is handed on.
    """

    results: tuple[RunResult, ...]  # one per run, in the report's order
    metric: Metric  # the primary one
    alpha: float  # the significance level of each family of tests
    margin: float  # differences of accuracy within ± this are too small to matter
    clip_sets: tuple[ClipSet, ...]
    design: Design
    data: DataSets | None = None  # several data sets across which configurations are compared
    data_set: str = ""  # the one that all runs are on, of an experiment with several

    @cached_property
    def parts(self) -> tuple[Study, ...]:
        """The studies of each data set; of one alone the study itself.

        Their tests share the level among them, so that an experiment on more data sets claims no more by chance.
        """
        if self.data is None:
            return (self,)
        return tuple(_part(self, data.name, data.runs) for data in self.data.sets)

    @cached_property
    def data_set_of(self) -> Mapping[int, str]:
        """The name of the data set that each run is on, if there are several."""
        return {run: data.name for data in (self.data.sets if self.data else ()) for run in data.runs}

    @cached_property
    def index_of(self) -> Mapping[str, int]:
        """The index of each run by its id."""
        return {result.run_id: result.index for result in self.results}

    @cached_property
    def run_ids(self) -> tuple[str, ...]:
        """The ids of all runs."""
        return tuple(result.run_id for result in self.results)

    def ids(self, runs: Iterable[int]) -> tuple[str, ...]:
        """Return the ids of runs."""
        return tuple(self.run_ids[run] for run in runs)

    @cached_property
    def clip_set_index(self) -> Mapping[int, int]:
        """The index in `clip_sets` of the clips that each run was judged on."""
        return {run: index for index, clips in enumerate(self.clip_sets) for run in clips.members}

    @cached_property
    def ranking(self) -> tuple[int, ...]:
        """Runs that have the primary metric, the best first; ties by validation loss, then by id."""
        sign = 1 if self.metric.lower_is_better else -1
        keys = [
            (sign * result.score, result.val_loss if result.val_loss is not None else np.inf, result.run_id, run)
            for run, result in enumerate(self.results)
            if result.score is not None
        ]
        return tuple(run for *_, run in sorted(keys))

    @cached_property
    def rank_of(self) -> Mapping[int, int]:
        """The rank of each run that has one, from 0."""
        return {run: rank for rank, run in enumerate(self.ranking)}

    def ranked(self, runs: Iterable[int]) -> list[int]:
        """Return those of `runs` that have the primary metric, the best first."""
        return sorted((run for run in runs if run in self.rank_of), key=self.rank_of.__getitem__)

    @cached_property
    def rankable_groups(self) -> tuple[tuple[int, ...], ...]:
        """Runs that can be ranked against each other: by clip set; those of unlogged clips by data set, last."""
        known = [clips.members for clips in self.clip_sets if clips.known]
        unknown: dict[str | None, list[int]] = defaultdict(list)
        for run in (run for clips in self.clip_sets if not clips.known for run in clips.members):
            unknown[self.data_set_of.get(run)].append(run)
        return (*known, *map(tuple, unknown.values()))

    @cached_property
    def contrasts(self) -> Mapping[str, tuple[Contrast, ...]]:
        """The contrasts of each option that varies."""
        found = {option: contrasts(self.design, option) for option in self.design.options}
        if not self.final_runs:
            return found
        return {option: tuple(map(self._deciding, of_option)) for option, of_option in found.items()}

    def _deciding(self, contrast: Contrast) -> Contrast:
        """Return a contrast of the runs of final plans alone if they are enough to decide it."""
        sides = (tuple(tuple(run for run in runs if run in self.final_runs) for runs in setting)
                 for setting in contrast.repetitions)  # fmt: skip
        repetitions = tuple((start, end) for start, end in sides if start and end)
        pairs = tuple(pair for pair in contrast.pairs if self.final_runs.issuperset(pair))
        if max(len(pairs), *(min(map(len, setting)) for setting in repetitions), 0) < FEWEST_PAIRS:
            return contrast
        every, own = ({run for setting in of for runs in setting for run in runs}
                      for of in (contrast.repetitions, repetitions))  # fmt: skip
        return replace(contrast, pairs=pairs, repetitions=repetitions, is_final=True, later=len(every - own))

    @cached_property
    def final_runs(self) -> frozenset[int]:
        """The runs of plans that were declared final and are complete: the first such plan of each configuration."""
        return final_runs(self._plans, self._started, self.design.configurations)

    @cached_property
    def _plans(self) -> tuple[TrainingPlan | None, ...]:
        return tuple(training_plan(result.run.tags) for result in self.results)

    @cached_property
    def _started(self) -> tuple[float, ...]:
        return tuple(float(result.run.started or 0) for result in self.results)

    def looks_at_pairs(self, pairs: Sequence[Pair]) -> Looks:
        """Return how often matched pairs were looked at while they became as many."""
        return looks_at_pairs(self._plans, self._started, pairs)

    def looks_at_levels(self, start: Sequence[int], end: Sequence[int]) -> Looks:
        """Return how often repetitions of two levels were looked at while they became as many."""
        return looks_at_levels(self._plans, self._started, start, end)

    @cached_property
    def matched(self) -> frozenset[Pair]:
        """All matched pairs, each in the order of its levels."""
        return frozenset(pair for of in self.contrasts.values() for contrast in of for pair in contrast.pairs)

    @cached_property
    def _on_any_clips(self) -> Design:
        """The design as if all runs were judged on the same clips."""
        terms = tuple(replace(term, split=()) for term in self.design.terms)
        return replace(self.design, terms=terms, blocks=(None,) * len(terms))

    def alone_elsewhere(self, option: str) -> Obstacle | None:
        """Return why an option that changed alone has no contrast; None if it never changed alone."""
        repetitions = (pair for contrast in contrasts(self._on_any_clips, option) for pair in contrast.repetitions)
        runs = {run for at_start, at_end in repetitions for run in (*at_start, *at_end)}
        if not runs:
            return None
        known = all(self.results[run].clip_set.known for run in runs)
        return Obstacle.OTHER_CLIPS if known else Obstacle.UNLOGGED_CLIPS

    def by_clip(self, run: int) -> NDArray[np.float64] | None:
        """Return what each clip, sorted, adds to the primary metric: 1 if correct, or its log-loss; None if unknown."""
        return self._by_clip[run]

    @cached_property
    def _by_clip(self) -> tuple[NDArray[np.float64] | None, ...]:
        if self.metric.is_loss:
            return tuple(result.losses_by_clip for result in self.results)
        correct = (result.correct_by_clip if self.metric.is_accuracy else None for result in self.results)
        return tuple(None if of_run is None else of_run.astype(np.float64) for of_run in correct)

    def most_correct(self, runs: Iterable[int]) -> int | None:
        """Return the most clips that any of `runs` classifies correctly."""
        counts = (self.results[run].correct for run in runs)
        return max((count for count in counts if count is not None), default=None)

    def detectable_between(self, runs: Sequence[int]) -> DetectableDifference:
        """Return which differences the clips that runs were judged on can show of models that differ as these do."""
        clips = self.results[runs[0]].clip_set
        return detectable_difference_between(clips, runs, self.most_correct(runs), self.alpha)

    def within_margin(self, interval_90: Interval) -> bool:
        """Return whether a 90% interval lies strictly inside the margin."""
        return -self.margin < interval_90[0] and interval_90[1] < self.margin

    def random_seed(self, runs: Iterable[int]) -> int:
        """Return a seed for resampling that depends on what these runs have correct: not on their ids or their order.

        So the same results give the same intervals wherever they were logged.
        """
        results = (self.results[run] for run in runs)
        correct = ((result.correct_by_clip, result.score) for result in results)
        texts = sorted(repr(score).encode() if of_run is None else of_run.tobytes() for of_run, score in correct)
        return int.from_bytes(hashlib.sha256(b"\n".join(texts)).digest()[:8], "big")


def _block(result: RunResult) -> ClipSet | None:
    """Return the clips that a run was judged on; runs of unlogged clips are compared as if theirs were the same."""
    return result.clip_set if result.clip_set.known else None


def study_of(
    runs: Sequence[Run], metric: Metric, *, alpha: float, margin: float, roles: ParamRoles | None = None
) -> Study:
    """Prepare runs to conclude from: in the report's order, without those that are left out.

    What their params decide is found from these runs if it isn't given.
    """
    results = run_results(runs, metric)
    clip_sets = tuple(dict.fromkeys(result.clip_set for result in results))
    params = [run.settings for run in runs]
    roles = roles or param_roles(params)
    found = data_sets(runs, clip_sets, roles)
    if found is not None:
        roles = replace(roles, of_data=found.params)
        name_of = {run: data.name for data in found.sets for run in data.runs}
        if any(len({name_of[run] for run in clips.members}) > 1 for clips in clip_sets):  # of equal names alone
            results = run_results(runs, metric, [name_of[run] for run in range(len(runs))])
            clip_sets = tuple(dict.fromkeys(result.clip_set for result in results))
    design = design_of(params, [_block(result) for result in results], roles)
    return Study(results, metric, alpha, margin, clip_sets, design, found)


def _part(study: Study, name: str, runs: Sequence[int]) -> Study:
    """Return the study of the runs on one of several data sets, under the numbers that they have in the whole."""
    whole = [study.results[run] for run in runs]
    found = run_results([result.run for result in whole], study.metric)
    results = tuple(replace(own, number_of_all=of_all.number) for own, of_all in zip(found, whole, strict=True))
    clip_sets = tuple(dict.fromkeys(result.clip_set for result in results))
    blocks = [_block(result) for result in results]
    design = design_of([result.run.settings for result in results], blocks, study.design.roles)
    alpha = study.alpha / len(study.data.sets) if study.data else study.alpha
    return Study(results, study.metric, alpha, study.margin, clip_sets, design, data_set=name)
