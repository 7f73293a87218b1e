"""Which runs were judged on the same clips, and which clips each of them classifies correctly.

Runs are given by their position. They share a clip set where their predictions name the same clips with the same
labels, or where their tags say that dataset and split are the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tracker.study.options import as_number

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.runs import Predictions, Run

_Named = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class ClipSet:
    """The runs judged on one set of validation clips.

    Parameters
    ----------
    members : tuple of int
        All runs judged on these clips, ascending.
    n : int or None
        How many clips there are; None where that was not logged.
    known : bool
        Whether it is known which clips they are; if not, there is one member.
    clips, labels : tuple of str
        Sorted by clip; empty where no member's predictions were logged.
    groups : tuple of str
        What each clip belongs to; empty where no two clips belong together.
    with_predictions : tuple of int
        The members whose predictions were logged.
    correct : ndarray of bool, shape (len(with_predictions), n)
        Which clips each of those classifies as labelled.
    """

    members: tuple[int, ...]
    n: int | None
    known: bool
    clips: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    with_predictions: tuple[int, ...]
    correct: NDArray[np.bool_]

    @cached_property
    def row_of(self) -> Mapping[int, int]:
        """The row of `correct` of each run whose predictions were logged."""
        return {run: row for row, run in enumerate(self.with_predictions)}

    @property
    def n_groups(self) -> int:
        """How many groups there are; 0 where clips are not grouped."""
        return len(set(self.groups))


def clip_sets(runs: Sequence[Run]) -> tuple[ClipSet, ...]:
    """Sort runs by the clips that they were judged on.

    Parameters
    ----------
    runs : sequence of Run

    Returns
    -------
    tuple of ClipSet
        In the order of their first members; each run is in one.
    """
    named = [_named(run.validation) for run in runs]
    by_tags: dict[Hashable, _Named] = {}
    for run, clips in zip(runs, named, strict=True):
        tags = _tags(run)
        if clips is not None and tags is not None:
            by_tags.setdefault(tags, clips)
    members: dict[Hashable, list[int]] = defaultdict(list)
    for position, (run, clips) in enumerate(zip(runs, named, strict=True)):
        tags = _tags(run)
        by_tag = tags if tags is None else by_tags.get(tags, tags)
        members[clips or by_tag or position].append(position)
    return tuple(_clip_set(key, tuple(found), runs, named) for key, found in members.items())


def clip_key(run: Run) -> Hashable | None:
    """Return what says which clips a run was judged on, None where nothing does."""
    return _tags(run) or _named(run.validation)


def by_clip(predictions: Predictions) -> NDArray[np.int64]:
    """Return the order that sorts predictions by clip."""
    clips = predictions.clips
    if _is_sorted(clips):
        return np.arange(len(clips))
    return np.array(sorted(range(len(clips)), key=clips.__getitem__), dtype=np.int64)


def _clip_set(key: Hashable, members: tuple[int, ...], runs: Sequence[Run], named: Sequence[_Named | None]) -> ClipSet:
    judged = tuple(run for run in members if named[run] is not None)
    clips, labels = next((found for run in judged if (found := named[run])), ((), ()))
    groups = _groups([runs[run] for run in members], clips)
    correct = np.zeros((len(judged), len(clips)), dtype=bool)
    for row, run in enumerate(judged):
        predictions = runs[run].validation
        if predictions is not None:
            correct[row] = predictions.correct[by_clip(predictions)]
    n = len(clips) or next((n for run in members if (n := count_tag(runs[run], "tracker.validation_clips"))), None)
    return ClipSet(members, n, not isinstance(key, int), clips, labels, groups, judged, correct)


def _named(predictions: Predictions | None) -> _Named | None:
    """Return the clips and labels of predictions, sorted by clip."""
    if predictions is None or not predictions.clips:
        return None
    if _is_sorted(predictions.clips):
        return tuple(predictions.clips), tuple(predictions.labels)
    order = by_clip(predictions)
    return tuple(predictions.clips[i] for i in order), tuple(predictions.labels[i] for i in order)


def _is_sorted(clips: Sequence[str]) -> bool:
    return list(clips) == sorted(clips)


def _tags(run: Run) -> Hashable | None:
    """Return what the tags say of the clips, where they say it."""
    dataset, split = run.tags.get("tracker.dataset"), run.tags.get("tracker.split")
    return (dataset, split) if dataset and split else None


def count_tag(run: Run, name: str) -> int | None:
    """Return a tag that is a whole number of at least 1, else None."""
    number = as_number(run.tags.get(name, ""))
    return int(number) if number is not None and number == int(number) and number >= 1 else None


def _groups(runs: Sequence[Run], clips: Sequence[str]) -> tuple[str, ...]:
    """Return the group of each clip, a clip without one being its own; empty where all are alone."""
    known = max((run.groups for run in runs), key=len, default={})
    groups = tuple(f"group {known[clip]}" if clip in known else f"clip {clip}" for clip in clips)
    return groups if len(set(groups)) < len(groups) else ()
