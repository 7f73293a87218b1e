"""The clips that two runs were both judged on, and what each model predicts for them.

Wherever there is one thing of each model, they come in the order in which the runs were given. A clip is the same in
both runs if its path and its label are. If the runs say that their data differ, and their clips are not exactly the
same, a path may mean another recording, and no clips are matched.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracker.runs import Predictions, Run

_DATASET = "tracker.dataset"


@dataclass(frozen=True, slots=True)
class ClipPrediction:
    """What a model predicts for one clip."""

    predicted: str | None  # the most probable class; None if a probability is not finite
    probability: float | None  # of the label; None too if the model does not know the class
    correct: bool


@dataclass(frozen=True, slots=True)
class SharedClip:
    """A clip that both models were judged on, and what each predicts."""

    clip: str
    label: str
    predictions: tuple[ClipPrediction, ClipPrediction]

    @property
    def correct(self) -> tuple[bool, bool]:
        """Whether each classifies it as labelled."""
        return self.predictions[0].correct, self.predictions[1].correct

    @property
    def gap(self) -> float:
        """The difference between the probabilities that they give the label, 0 to 1."""
        first, second = (prediction.probability or 0.0 for prediction in self.predictions)
        return abs(first - second)


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How many of the `n` clips of a class each model classifies correctly."""

    name: str
    n: int
    correct: tuple[int, int]


def shared_clips(first: Run, second: Run) -> tuple[SharedClip, ...]:
    """Return the clips that two runs were both judged on.

    Sorted by clip; empty if either logged no predictions, or the two were judged on different data.
    """
    if first.validation is None or second.validation is None or on_other_data(first, second):
        return ()
    one, other = _by_clip_and_label(first.validation), _by_clip_and_label(second.validation)
    return tuple(SharedClip(*key, (one[key], other[key])) for key in sorted(one.keys() & other.keys()))


def on_other_data(first: Run, second: Run) -> bool:
    """Return whether two runs say that their data differ, and their clips do not say otherwise."""
    datasets = [run.tags.get(_DATASET) for run in (first, second)]
    return None not in datasets and datasets[0] != datasets[1] and _named(first) != _named(second)


def discordant_clips(clips: Iterable[SharedClip]) -> tuple[SharedClip, ...]:
    """Return the clips that exactly one model classifies correctly.

    Those that the first has correct come first; of each the largest `gap` first, then by clip.
    """
    discordant = [clip for clip in clips if clip.correct[0] != clip.correct[1]]
    return tuple(sorted(discordant, key=lambda clip: (clip.correct[1], -clip.gap, clip.clip, clip.label)))


def class_counts(clips: Iterable[SharedClip]) -> tuple[ClassCount, ...]:
    """Count the clips of each class, and how many of them each model classifies correctly; sorted by class."""
    by_label: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for clip in clips:
        by_label[clip.label].append(clip.correct)
    return tuple(
        ClassCount(name, len(correct), (sum(one for one, _ in correct), sum(other for _, other in correct)))
        for name, correct in sorted(by_label.items())
    )


def _named(run: Run) -> frozenset[tuple[str, str]] | None:
    """Return the clips of a run with their labels, None if they were not logged."""
    predictions = run.validation
    return None if predictions is None else frozenset(zip(predictions.clips, predictions.labels, strict=True))


def _by_clip_and_label(predictions: Predictions) -> dict[tuple[str, str], ClipPrediction]:
    columns = {name: column for column, name in enumerate(predictions.classes)}
    keys = zip(predictions.clips, predictions.labels, strict=True)
    rows = zip(keys, predictions.predicted, predictions.correct, predictions.probabilities, strict=True)
    by_key = {}
    for key, predicted, correct, row in rows:
        known = predicted is not None and key[1] in columns
        by_key[key] = ClipPrediction(predicted, float(row[columns[key[1]]]) if known else None, bool(correct))
    return by_key
