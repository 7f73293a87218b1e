"""Scores that count each class alike, if some classes have many more validation clips than others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details, Kind, Method, Table
from tracker.statistics.classification import balanced_accuracy, macro_f1, mean_interval
from tracker.statistics.proportions import grouped_wilson, wilson
from tracker.study.clip_sets import by_clip
from tracker.wording import capitalised, counted, fixed_cell, percent, percent_cell, percent_interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.statistics.proportions import Interval
    from tracker.study.clip_sets import ClipSet
    from tracker.study.study import Study
    from tracker.wording import Wording

RATIO = 3  # clips of the largest class for one of the smallest, from which on classes are called unequal
_WIDE = 0.6  # width of an interval above which it says nothing
_MOST_RUNS = 50  # the best runs, of which scores are computed

METHOD = Method(
    "interval of a mean of independent proportions",
    "Balanced accuracy is the mean of the classes' accuracies (doi:10.1109/ICPR.2010.764); its interval combines "
    "Wilson's of each class (Zou and Donner 2008, doi:10.1002/sim.3095). Macro-F1 is the mean of the classes' F1 "
    "(doi:10.1016/j.ipm.2009.03.002).",
)


@dataclass(frozen=True, slots=True)
class BalancedScores:
    """A run's scores over classes, fractions."""

    run: str  # id
    number: int  # in the report
    accuracy: float
    balanced_accuracy: float
    macro_f1: float


@dataclass(frozen=True, slots=True)
class ClassSize:
    """A class and how many validation clips it has."""

    name: str
    n: int


@dataclass(frozen=True, slots=True)
class Imbalance(Details):
    """The evidence."""

    sizes: tuple[ClassSize, ...] = ()  # the largest class first, then by name
    runs: tuple[BalancedScores, ...] = ()  # the best run first, by the primary metric
    best_balanced: str | None = None  # id of the run with the highest balanced accuracy

    def sentence(self, conclusion: Conclusion, wording: Wording) -> str:
        """Return how unequal the classes are, and how good the best run is if each class counts alike."""
        largest, smallest, best = self.sizes[0], self.sizes[-1], self.runs[0]
        head = f"Classes are unequal: {counted(largest.n, 'validation clip')} of “{largest.name}”, {smallest.n} of "
        head = f"{head}“{smallest.name}”."
        who, low_high = capitalised(wording.run(best.run)), conclusion.interval or (0.0, 1.0)
        if low_high[1] - low_high[0] > _WIDE:
            certainty = "too few clips to tell how it does on new ones"
        else:
            certainty = f"95% interval {percent_interval(low_high)}"
        balanced = f"{percent(best.balanced_accuracy)} if each class counts alike ({certainty})"
        scores = f"{who}'s accuracy of {percent(best.accuracy)} becomes {balanced}"
        other = ""
        if self.best_balanced is not None and self.best_balanced != best.run:
            other = f" By balanced accuracy {wording.run(self.best_balanced)} would be first."
        return f"{head} {scores}; its macro-F1 is {fixed_cell(best.macro_f1, 3)}.{other}"

    def tables(self, *, in_points: bool) -> tuple[Table, ...]:
        """Return the scores of each run."""
        del in_points
        rows = tuple(
            (
                f"Run {run.number}",
                percent_cell(run.accuracy),
                percent_cell(run.balanced_accuracy),
                fixed_cell(run.macro_f1, 3),
            )
            for run in self.runs
        )
        return (Table("Scores over classes", ("run", "accuracy", "balanced accuracy", "macro-F1"), rows),)


def imbalances(study: Study) -> Iterator[Conclusion]:
    """Conclude on each set of clips whose classes are unequal."""
    for clips in study.clip_sets:
        sizes = Counter(clips.labels)
        if len(sizes) > 1 and max(sizes.values()) >= RATIO * min(sizes.values()):
            yield _on_clips(study, clips, sizes)


def _on_clips(study: Study, clips: ClipSet, sizes: Counter[str]) -> Conclusion:
    ranked = sorted(clips.with_predictions, key=lambda run: study.rank_of.get(run, len(study.results)))
    scores = tuple(_scores(study, clips, run) for run in ranked[:_MOST_RUNS])
    best = clips.correct[clips.row_of[ranked[0]]]
    members = [np.flatnonzero(np.array(clips.labels) == name) for name in sizes]
    intervals = [_interval(clips, best, of_class) for of_class in members]
    by_size = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    highest = max(scores, key=lambda score: score.balanced_accuracy)
    if highest.balanced_accuracy == scores[0].balanced_accuracy:
        highest = scores[0]
    details = Imbalance(tuple(ClassSize(*item) for item in by_size), scores, highest.run)
    return Conclusion(
        "imbalance",
        "estimate",
        study.ids(clips.with_predictions),
        details,
        scores[0].balanced_accuracy,
        mean_interval([float(best[of_class].mean()) for of_class in members], intervals),
        n=len(clips.labels),
        method=METHOD,
    )


def _scores(study: Study, clips: ClipSet, run: int) -> BalancedScores:
    result, predictions = study.results[run], study.results[run].run.validation
    named = predictions.predicted if predictions is not None else ()
    predicted = [named[clip] for clip in by_clip(predictions)] if predictions is not None else []
    return BalancedScores(
        result.run_id,
        result.number,
        float(clips.correct[clips.row_of[run]].mean()),
        balanced_accuracy(clips.labels, predicted),
        macro_f1(clips.labels, predicted),
    )


def _interval(clips: ClipSet, correct: np.ndarray, members: np.ndarray) -> Interval:
    """Return the interval of the accuracy on one class."""
    own = correct[members]
    if not clips.groups:
        return wilson(int(own.sum()), len(own))
    return grouped_wilson(own, [clips.groups[clip] for clip in members])


KIND = Kind(name="imbalance", title="Unequal classes", conclude=imbalances, estimates="balanced accuracy",
            tests=(METHOD,))  # fmt: skip
