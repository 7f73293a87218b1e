"""Which classes carry the errors, and which clips every run gets wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details
from tracker.runs.logged import NO_CLASS
from tracker.statistics.proportions import Interval, grouped_wilson, wilson
from tracker.study.clip_sets import by_clip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.study.clip_sets import ClipSet
    from tracker.study.study import Study

FEWEST_RUNS = 3
"""Below so many runs a clip that all get wrong says little of its label."""

MOST_CLIPS = 50
"""Clips that are named."""


@dataclass(frozen=True, slots=True)
class ClassErrors:
    """What the best run does with the clips of one class.

    Parameters
    ----------
    name : str
    n, wrong : int
        Its clips, and how many the best run gets wrong.
    interval : Interval
        Of the share that is wrong, at 95 %.
    mean_wrong : float
        The share that is wrong, on average over all runs.
    taken_for : str or None
        The class that the best run takes most of the wrong ones for; the first by name of equals.
    taken : int
        How many of them.
    """

    name: str
    n: int
    wrong: int
    interval: Interval
    mean_wrong: float
    taken_for: str | None
    taken: int


@dataclass(frozen=True, slots=True)
class WrongClip:
    """A clip that every run gets wrong.

    Parameters
    ----------
    clip, label : str
    taken_for : str
        The class that most runs take it for.
    agreeing : int
        Runs that do.
    """

    clip: str
    label: str
    taken_for: str
    agreeing: int


@dataclass(frozen=True, slots=True)
class Classes(Details):
    """The evidence.

    Parameters
    ----------
    best : str or None
        Id of the run whose errors are counted.
    runs : int
        Runs whose predictions are there.
    classes : tuple of ClassErrors
        The class with the largest share of wrong clips first, then by name.
    always_wrong : tuple of WrongClip
        At most `MOST_CLIPS`; those that most runs take for the same class first.
    n_always_wrong : int
        All of them.
    """

    best: str | None = None
    runs: int = 0
    classes: tuple[ClassErrors, ...] = ()
    always_wrong: tuple[WrongClip, ...] = ()
    n_always_wrong: int = 0


def classes(study: Study) -> tuple[Conclusion, ...]:
    """Conclude on each set of clips.

    Parameters
    ----------
    study : Study

    Returns
    -------
    tuple of Conclusion
        One that is `unknown` where no run's predictions are there.
    """
    found = tuple(_conclusion(study, clips) for clips in study.clip_sets if clips.with_predictions)
    if found or not study.results:
        return found
    return (Conclusion("classes", "unknown", study.ids(range(len(study.results))), Classes()),)


def _conclusion(study: Study, clips: ClipSet) -> Conclusion:
    best = min(clips.with_predictions, key=lambda run: study.rank_of.get(run, len(study.results)))
    predicted = [_predicted(study, run) for run in clips.with_predictions]
    wrong = (
        np.flatnonzero(~clips.correct.any(axis=0))
        if len(clips.with_predictions) >= FEWEST_RUNS
        else np.array([], dtype=int)
    )
    named = [_wrong_clip(clips, predicted, int(clip)) for clip in wrong]
    details = Classes(
        best=study.results[best].run_id,
        runs=len(clips.with_predictions),
        classes=_errors(clips, clips.row_of[best], predicted[clips.row_of[best]]),
        always_wrong=tuple(sorted(named, key=lambda found: (-found.agreeing, found.clip))[:MOST_CLIPS]),
        n_always_wrong=len(named),
    )
    return Conclusion("classes", "exact", study.ids(clips.with_predictions), details, n=len(clips.clips))


def _predicted(study: Study, run: int) -> Sequence[str]:
    """Return the class that a run predicts for each clip, sorted by clip."""
    predictions = study.results[run].run.validation
    if predictions is None:
        return ()
    predicted = predictions.predicted
    return [predicted[clip] or NO_CLASS for clip in by_clip(predictions)]


def _errors(clips: ClipSet, row: int, predicted: Sequence[str]) -> tuple[ClassErrors, ...]:
    labels = np.array(clips.labels)
    found = [_class_errors(clips, name, np.flatnonzero(labels == name), row, predicted) for name in set(clips.labels)]
    return tuple(sorted(found, key=lambda errors: (-errors.wrong / errors.n, -errors.wrong, errors.name)))


def _class_errors(
    clips: ClipSet, name: str, mine: NDArray[np.int64], row: int, predicted: Sequence[str]
) -> ClassErrors:
    """Count the errors on the clips of one class, `mine`."""
    wrong = ~clips.correct[:, mine]
    groups = [clips.groups[clip] for clip in mine] if clips.groups else []
    number = int(wrong[row].sum())
    taken = Counter(predicted[clip] for clip in mine[wrong[row]] if predicted[clip] != name)
    other = min(taken, key=lambda found: (-taken[found], found), default=None)
    return ClassErrors(
        name=name,
        n=len(mine),
        wrong=number,
        interval=grouped_wilson(wrong[row], groups) if groups else wilson(number, len(mine)),
        mean_wrong=float(wrong.mean()),
        taken_for=other,
        taken=taken[other] if other is not None else 0,
    )


def _wrong_clip(clips: ClipSet, predicted: Sequence[Sequence[str]], clip: int) -> WrongClip:
    taken = Counter(of_run[clip] for of_run in predicted)
    other = min(taken, key=lambda name: (-taken[name], name))
    return WrongClip(clips.clips[clip], clips.labels[clip], other, taken[other])
