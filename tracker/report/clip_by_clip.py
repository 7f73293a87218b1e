"""What two models say of the clips that both were judged on.

Conventions: wherever there is one thing of each model, they come in the order in which the runs were given. A clip is
the same in both runs where its path and its label are; where the runs say that their data differ, and their clips are
not exactly the same, a path may mean another recording and no clip is taken for the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.runs import Predictions, Run

_DATASET = "tracker.dataset"


@dataclass(frozen=True, slots=True)
class Said:
    """What a model says of one clip.

    Parameters
    ----------
    predicted : str or None
        The most probable class; None where its probabilities are no numbers.
    probability : float or None
        What it gives the label; None too where it does not know the class.
    """

    predicted: str | None
    probability: float | None


@dataclass(frozen=True, slots=True)
class SharedClip:
    """A clip that both models were judged on, and what each says of it."""

    clip: str
    label: str
    said: tuple[Said, Said]

    @property
    def right(self) -> tuple[bool, bool]:
        """Whether each classifies it as labelled."""
        return self.said[0].predicted == self.label, self.said[1].predicted == self.label

    @property
    def gap(self) -> float:
        """How much more one of them gives the label than the other, 0 to 1."""
        first, second = (said.probability or 0.0 for said in self.said)
        return abs(first - second)


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How many of the `n` clips of a class each model has right."""

    name: str
    n: int
    correct: tuple[int, int]


def shared_clips(first: Run, second: Run) -> tuple[SharedClip, ...]:
    """Return the clips that two runs were both judged on.

    Parameters
    ----------
    first, second : Run

    Returns
    -------
    tuple of SharedClip
        Sorted by clip; empty where the predictions of either are not there, or the two were judged on other data.
    """
    if first.validation is None or second.validation is None or on_other_data(first, second):
        return ()
    one, other = _judged(first.validation), _judged(second.validation)
    return tuple(SharedClip(*key, (one[key], other[key])) for key in sorted(one.keys() & other.keys()))


def on_other_data(first: Run, second: Run) -> bool:
    """Tell whether two runs say that their data differ, and their clips do not say otherwise."""
    told = [run.tags.get(_DATASET) for run in (first, second)]
    return None not in told and told[0] != told[1] and _named(first) != _named(second)


def only_one_right(clips: Iterable[SharedClip]) -> tuple[SharedClip, ...]:
    """Choose the clips that one model has right and the other has not.

    Parameters
    ----------
    clips : iterable of SharedClip

    Returns
    -------
    tuple of SharedClip
        First those that the first has right; of each the largest `gap` first, then by clip.
    """
    discordant = [clip for clip in clips if clip.right[0] != clip.right[1]]
    return tuple(sorted(discordant, key=lambda clip: (clip.right[1], -clip.gap, clip.clip, clip.label)))


def class_counts(clips: Iterable[SharedClip]) -> tuple[ClassCount, ...]:
    """Count the clips of each class, and how many of them each model has right.

    Parameters
    ----------
    clips : iterable of SharedClip

    Returns
    -------
    tuple of ClassCount
        Sorted by name.
    """
    by_label: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for clip in clips:
        by_label[clip.label].append(clip.right)
    return tuple(_class_count(name, right) for name, right in sorted(by_label.items()))


def _class_count(name: str, right: Sequence[tuple[bool, bool]]) -> ClassCount:
    return ClassCount(name, len(right), (sum(one for one, _ in right), sum(other for _, other in right)))


def _named(run: Run) -> frozenset[tuple[str, str]] | None:
    """Return the clips of a run with their labels, None where they were not logged."""
    found = run.validation
    return None if found is None else frozenset(zip(found.clips, found.labels, strict=True))


def _judged(predictions: Predictions) -> dict[tuple[str, str], Said]:
    """Return what a model says of each clip with its label."""
    columns = {name: column for column, name in enumerate(predictions.classes)}
    keys = zip(predictions.clips, predictions.labels, strict=True)
    said = {}
    for key, predicted, row in zip(keys, predictions.predicted, predictions.probabilities, strict=True):
        column = columns.get(key[1])
        known = bool(np.isfinite(row).all())
        probability = float(row[column]) if known and column is not None else None
        said[key] = Said(predicted if known else None, probability)
    return said
