"""Which runs were judged on the same clips, which clips each classifies correctly, and what these clips can show.

Runs are given by their position. They share a clip set if their predictions name the same clips with the same labels,
or if their tags say that dataset and split are the same. Clips that share groups count for fewer than they are: by the
design effect of the differences between models.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tracker.statistics.error_rates import approximate_clips, clips_needed, detectable_difference
from tracker.statistics.proportions import group_codes, group_sums
from tracker.study.options import as_whole

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.runs import Predictions, Run

MUCH_DISCORDANCE = 0.4  # of clips on which two models that disagree often differ; assumed if it cannot be counted
_MOST_PAIRS = 50  # pairs of runs that the design effect is estimated from

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
        return len(set(self.groups))


def clip_sets(runs: Sequence[Run]) -> tuple[ClipSet, ...]:
    """Sort runs by the clips that they were judged on, in the order of their first members; each run is in one set."""
    tagged, named = [_tags(run) for run in runs], [_named(run.validation) for run in runs]
    known = list(zip(tagged, named, strict=True))
    by_tags = {tags: clips for tags, clips in reversed(known) if tags and clips}  # of several the first
    members: dict[Hashable, list[int]] = defaultdict(list)
    for position, (tags, clips) in enumerate(known):
        members[clips or by_tags.get(tags) or tags or position].append(position)
    return tuple(_clip_set(key, tuple(positions), runs, named) for key, positions in members.items())


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
    counts = (as_whole(runs[run].tags.get("tracker.validation_clips"), least=1) for run in members)
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


@dataclass(frozen=True, slots=True)
class DetectableDifference:
    """What a set of clips can show of two models."""

    n: int  # clips
    design_effect: float  # how many clips count for one, if they share groups; at least 1
    discordance: float | None  # mean fraction of clips that exactly one of two runs has correct; None without two
    best_fraction: float | None  # accuracy of the best run: a limit to how often two good models can disagree
    alpha: float

    def detectable(self) -> tuple[float | None, float | None]:
        """Return the smallest true difference found four times in five; None if not even one of 1 is found so often.

        First if one model is never worse on any clip, then if they disagree as observed, or often.
        """
        n = max(1, round(self.n / self.design_effect))
        often = self.discordance if self.discordance is not None else MUCH_DISCORDANCE
        return detectable_difference(n, 0.0, alpha=self.alpha), detectable_difference(n, often, alpha=self.alpha)

    def clips_for_one(self) -> tuple[int, int]:
        """Return how many clips would show a difference of one clip in `n`, under the same two assumptions."""
        one, often = 1 / self.n, self.discordance
        if often is None:  # how often two models can disagree of which one is the best, the other a clip worse
            largest = MUCH_DISCORDANCE if self.best_fraction is None else 2 * (1 - self.best_fraction) + one
            often = min(MUCH_DISCORDANCE, largest)
        fewest, most = (clips_needed(one, discordance, alpha=self.alpha) for discordance in (0.0, often))
        return round(fewest * self.design_effect), round(most * self.design_effect)

    def clips_for(self, difference: float, discordance: float) -> int | None:
        """Return about how many clips would show a difference; None for none."""
        if not difference:
            return None
        return round(approximate_clips(abs(difference), discordance, alpha=self.alpha) * self.design_effect)


def detectable_difference_on(clips: ClipSet, best_correct: int | None, alpha: float) -> DetectableDifference:
    """Return what clips can show at a level, the best run being correct on `best_correct` of them."""
    n, runs, discordance = clips.n or 1, len(clips.correct), None
    if runs > 1:
        of_clip = clips.correct.mean(axis=0)
        discordance = float(np.mean(2 * of_clip * (1 - of_clip)) * runs / (runs - 1))
    fraction = None if best_correct is None else best_correct / n
    return DetectableDifference(n, _design_effect(clips), discordance, fraction, alpha)


def _design_effect(clips: ClipSet) -> float:
    """Return by how much grouping inflates the variance of a difference, over pairs of the first run with others."""
    if not clips.groups or clips.n_groups < 2 or len(clips.with_predictions) < 2:
        return 1.0
    rows = clips.correct[: _MOST_PAIRS + 1].astype(np.float64)
    differences = rows[1:] - rows[0]
    centred = differences - differences.mean(axis=1, keepdims=True)
    groups, n = clips.n_groups, differences.shape[1]
    by_group = group_sums(centred, group_codes(clips.groups, n))
    apart = float((centred**2).sum()) * n / (n - 1)
    together = float((by_group**2).sum()) * groups / (groups - 1)
    return max(1.0, together / apart) if apart > 0 else 1.0
