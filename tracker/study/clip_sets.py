"""Which runs were judged on the same clips, which clips each classifies correctly, and what these clips can show.

Runs are given by their position. They share a clip set if their predictions name the same clips with the same labels,
if their tags say that dataset and split are the same, or if they say that they were evaluated on the same dataset, as
MLflow's autologging does. Clips that share groups count for fewer than they are: by how
alike the differences between models are within a group.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tracker.statistics.error_rates import clips_needed, detectable_difference, unconditional_power
from tracker.statistics.grouped import (
    approximate_grouped_clips,
    detectable_grouped_difference,
    difference_correlation,
    sign_flip_power,
)
from tracker.statistics.proportions import group_codes
from tracker.study.options import as_whole

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.runs import Predictions, Run, UsedDataset

MUCH_DISCORDANCE = 0.4  # of clips on which two models that disagree often differ; assumed if it cannot be counted

_Named = tuple[tuple[str, ...], tuple[str, ...]]  # clips and labels, sorted by clip


@dataclass(frozen=True, eq=False)
class ClipSet:
    """The runs judged on one set of validation clips."""

    members: tuple[int, ...]  # all runs judged on these clips, ascending
    n: int | None  # how many clips there are; None if that was not logged
    known: bool  # whether it is known which clips they are; if not, there is one member
    clips: tuple[str, ...]  # sorted; empty if no member's predictions were logged, as are `labels`
    labels: tuple[str, ...]  # of each clip
    groups: tuple[str, ...]  # what each clip belongs to; empty if no two clips belong together
    with_predictions: tuple[int, ...]  # the members whose predictions were logged
    correct: NDArray[np.bool_]  # (len(with_predictions), n): which clips each of those classifies as labelled

    @cached_property
    def row_of(self) -> Mapping[int, int]:
        """The row of `correct` of each run whose predictions were logged."""
        return {run: row for row, run in enumerate(self.with_predictions)}

    @property
    def n_groups(self) -> int:
        """How many groups there are; 0 if clips are not grouped."""
        return len(self.group_sizes)

    @cached_property
    def group_codes(self) -> NDArray[np.int64]:
        """The group of each clip, by number; empty if clips are not grouped."""
        return group_codes(self.groups, len(self.groups))

    @cached_property
    def group_sizes(self) -> NDArray[np.int64]:
        """How many clips each group has; empty if clips are not grouped."""
        return np.bincount(self.group_codes)


def clip_sets(runs: Sequence[Run], data_sets: Sequence[str] = ()) -> tuple[ClipSet, ...]:
    """Sort runs by the clips that they were judged on, in the order of their first members; each run is in one set.

    Clips of equal names are not the same on different `data_sets`, if each run's is given.
    """
    tagged, named = [_tags(run) or _datasets(run) for run in runs], [_named(run.validation) for run in runs]
    known = list(zip(tagged, _told_apart(runs, tagged, named), strict=True))
    by_tags = {tags: clips for tags, clips in reversed(known) if tags and clips}  # of several the first
    members: dict[tuple[str, Hashable], list[int]] = defaultdict(list)
    for position, (tags, clips) in enumerate(known):
        name = data_sets[position] if data_sets else ""
        members[name, clips or by_tags.get(tags) or tags or position].append(position)
    return tuple(_clip_set(key, tuple(positions), runs, named) for (_, key), positions in members.items())


def _told_apart(
    runs: Sequence[Run], tagged: Sequence[Hashable | None], named: Sequence[_Named | None]
) -> Iterator[Hashable | None]:
    """Yield what tells a run's predicted clips from others, None without predictions.

    Clips that are only numbered may have the same labels in two data sets: those that runs name must be equal too.
    """
    numbered = [run.validation is not None and run.validation.is_numbered for run in runs]
    first = {clips: tags for tags, clips in reversed(list(zip(tagged, named, strict=True))) if tags and clips}
    for tags, clips, is_numbered in zip(tagged, named, numbered, strict=True):
        yield (clips, tags or first.get(clips)) if clips and is_numbered else clips


def clip_key(run: Run) -> Hashable | None:
    """Return what says which clips a run was judged on, None if nothing does."""
    return _tags(run) or _named(run.validation)


def by_clip(predictions: Predictions) -> NDArray[np.int64]:
    """Return the order that sorts predictions by clip."""
    clips = predictions.clips
    return np.array(sorted(range(len(clips)), key=clips.__getitem__), dtype=np.int64)


def _clip_set(key: Hashable, members: tuple[int, ...], runs: Sequence[Run], named: Sequence[_Named | None]) -> ClipSet:
    judged = tuple(run for run in members if named[run] is not None)
    clips, labels = (named[judged[0]] if judged else None) or ((), ())
    known = max((runs[run].groups for run in members), key=len, default={})
    groups = tuple(f"group {known[clip]}" if clip in known else f"clip {clip}" for clip in clips)
    groups = groups if len(set(groups)) < len(groups) else ()
    predictions = (runs[run].validation for run in judged)
    rows = [of_run.correct[by_clip(of_run)] for of_run in predictions if of_run is not None]
    correct = np.array(rows, dtype=bool).reshape(len(judged), len(clips))
    counts = (_logged_count(runs[run]) for run in members)
    n = len(clips) or next((count for count in counts if count is not None), None)
    return ClipSet(members, n, not isinstance(key, int), clips, labels, groups, judged, correct)


def _named(predictions: Predictions | None) -> _Named | None:
    if predictions is None or not predictions.clips:
        return None
    if list(predictions.clips) == sorted(predictions.clips):  # the tuples as they are: runs share them
        return tuple(predictions.clips), tuple(predictions.labels)
    order = by_clip(predictions)
    return tuple(predictions.clips[i] for i in order), tuple(predictions.labels[i] for i in order)


def _tags(run: Run) -> Hashable | None:
    dataset, split = run.tags.get("tracker.dataset"), run.tags.get("tracker.split")
    return (dataset, split) if dataset and split else None


_TRAINED_ON = frozenset({"train", "training"})
_EVALUATED_ON = (
    frozenset({"validation", "val", "valid", "dev"}),
    frozenset({"eval", "evaluation"}),
    frozenset({"test", "testing"}),
)  # contexts of datasets; those before are rather what runs are ranked by


def evaluated_on(run: Run) -> tuple[UsedDataset, ...]:
    """Return the datasets that a run says it was evaluated on; empty if it said so of none but its training data."""
    of_context = [(used.context.strip().lower(), used) for used in run.datasets if used.digest]
    trained_on = {used.digest for context, used in of_context if context in _TRAINED_ON}
    others = [(context, used) for context, used in of_context if used.digest not in trained_on]
    found = ([used for context, used in others if context in contexts] for contexts in _EVALUATED_ON)
    return tuple(next(filter(None, found), ()))


def training_rows(run: Run) -> int | None:
    """Return the rows of the dataset that a run says it was trained on, None if it said so of none or several."""
    rows = {used.digest: used.rows for used in run.datasets if used.context.strip().lower() in _TRAINED_ON}
    return as_whole(next(iter(rows.values())), least=1) if len(rows) == 1 else None


def _datasets(run: Run) -> Hashable | None:
    """Return what tells the datasets that a run was evaluated on from any others."""
    return frozenset(used.digest for used in evaluated_on(run)) or None


def _logged_count(run: Run) -> int | None:
    """Return how many clips a run was evaluated on, as it says itself, or as the only dataset that it used so does."""
    tagged = as_whole(run.tags.get("tracker.validation_clips"), least=1)
    sizes = {used.digest: used.rows for used in evaluated_on(run)}
    only = next(iter(sizes.values())) if len(sizes) == 1 and not _tags(run) else None
    return tagged or as_whole(only, least=1)


@dataclass(frozen=True, slots=True, eq=False)
class DetectableDifference:
    """What a set of clips can show of two models that differ as some runs do, by the test that would decide.

    That is the exact unconditional test, or the sign-flip test over groups if clips share them.
    """

    n: int  # clips
    sizes: NDArray[np.int64]  # of the groups that clips share; empty if they share none
    discordance: float | None  # mean fraction of clips that exactly one of two runs has correct; None without two
    correlation: float  # intra-class correlation, within groups, of the differences between these runs
    best_fraction: float | None  # accuracy of the best run: a limit to how often two good models can disagree
    alpha: float

    def power(self, difference: float) -> float:
        """Return the probability that a true difference is found, if the models disagree as observed, or often."""
        if len(self.sizes):
            return sign_flip_power(self.sizes, difference, self._often, self.correlation, self.alpha)
        return unconditional_power(self.n, difference, self._often, self.alpha)

    def detectable(self) -> tuple[float | None, float | None]:
        """Return the smallest true difference found four times in five; None if not even one of 1 is found so often.

        First if one model is never worse on any clip, then if they disagree as observed, or often.
        """
        return self._detectable(0.0), self._detectable(self._often)

    def _detectable(self, discordance: float) -> float | None:
        if len(self.sizes):
            return detectable_grouped_difference(self.sizes, discordance, self.correlation, alpha=self.alpha)
        return detectable_difference(self.n, discordance, alpha=self.alpha)

    @property
    def _often(self) -> float:
        return MUCH_DISCORDANCE if self.discordance is None else self.discordance

    def clips_for_one(self) -> tuple[int, int]:
        """Return how many clips would show a difference of one clip in `n`, under the same two assumptions."""
        one, often = 1 / self.n, self.discordance
        if often is None:  # how often two models can disagree of which one is the best, the other a clip worse
            largest = MUCH_DISCORDANCE if self.best_fraction is None else 2 * (1 - self.best_fraction) + one
            often = min(MUCH_DISCORDANCE, largest)
        return self._clips_for(one, 0.0), self._clips_for(one, often)

    def clips_for(self, difference: float) -> int | None:
        """Return about how many clips would show a difference four times in five; None for none."""
        return self._clips_for(difference, self._often) if difference else None

    def _clips_for(self, difference: float, discordance: float) -> int:
        size = abs(difference)
        if len(self.sizes):
            return approximate_grouped_clips(self.sizes, size, discordance, self.correlation, alpha=self.alpha)
        return clips_needed(size, discordance, alpha=self.alpha)


def detectable_difference_between(
    clips: ClipSet, runs: Sequence[int], best_correct: int | None, alpha: float
) -> DetectableDifference:
    """Return what clips can show, at a level, of models that differ as `runs` do, and as no others.

    The best of them is correct on `best_correct` clips.
    """
    n, correct = clips.n or 1, clips.correct[[clips.row_of[run] for run in runs if run in clips.row_of]]
    discordance, fraction = None, None if best_correct is None else best_correct / n
    if len(correct) > 1:
        of_clip = correct.mean(axis=0)
        discordance = float(np.mean(2 * of_clip * (1 - of_clip)) * len(correct) / (len(correct) - 1))
    correlation = difference_correlation(correct, clips.group_codes) if clips.groups and len(correct) else 1.0
    return DetectableDifference(n, clips.group_sizes, discordance, correlation, fraction, alpha)
