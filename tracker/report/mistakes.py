"""The clips that runs get wrong, worst first: those of every run, then those of the best run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tracker.study.clip_sets import by_clip
from tracker.study.options import as_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.report.model import Report, RunEntry
    from tracker.runs import Run
    from tracker.study.clip_sets import ClipSet

_PARTS = ("training", "validation", "test")


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where clips are, as a run says; each is None if it was not logged."""

    name: str | None  # what was given as the data: ``demo``, a path
    fingerprint: str | None
    clips: int | None  # how many were used


@dataclass(frozen=True, slots=True, eq=False)
class Mistake:
    """A clip and what the best of the runs that predicted it takes it for."""

    clip: str
    label: str
    predicted: str
    confidence: float  # the probability of what was predicted; 0 if it is not a number or was not logged
    entry: RunEntry  # that run
    sources: tuple[DataSource, ...]  # of the runs on the same validation clips, the best first
    wrong: int = 0  # how many runs get it wrong, of `runs` that predicted it
    runs: int = 0

    @property
    def how_often(self) -> str:
        """In how many runs it is wrong: ``wrong in 2 of 4 runs``; empty for a single run."""
        if self.runs == 1:
            return ""
        if self.wrong == self.runs:
            return "wrong in both runs" if self.runs == 2 else f"wrong in all {self.runs:,} runs"
        return f"wrong in {self.wrong:,} of {self.runs:,} runs"


def mistakes(report: Report, most: int) -> tuple[Mistake, ...]:
    """Return the clips that every run gets wrong, then those that the best run does, the most confident first.

    At most `most`. A run counts for the clips that it predicted.
    """
    of_set: dict[ClipSet, list[RunEntry]] = {}
    for entry in report.best_first(report.entries):
        if entry.result.correct_by_clip is not None:
            of_set.setdefault(entry.result.clip_set, []).append(entry)
    wrong, runs = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    found: dict[tuple[str, str], Mistake] = {}
    for clips, entries in of_set.items():
        keys, correct = list(zip(clips.clips, clips.labels, strict=True)), clips.correct
        wrong.update(dict(zip(keys, (~correct).sum(axis=0).tolist(), strict=True)))
        runs.update(dict.fromkeys(keys, len(correct)))
        for mistake in _of_best(clips, entries):
            found.setdefault((mistake.clip, mistake.label), mistake)
    best = next((entries[0] for entries in of_set.values()), None)
    counted = (replace(each, wrong=wrong[key], runs=runs[key]) for key, each in found.items())
    shown = [each for each in counted if each.wrong == each.runs or each.entry is best]
    return tuple(sorted(shown, key=_rank)[:most])


def _rank(mistake: Mistake) -> tuple[bool, float, str, str]:
    return mistake.wrong < mistake.runs, -mistake.confidence, mistake.clip, mistake.label


def _of_best(clips: ClipSet, entries: Sequence[RunEntry]) -> Iterator[Mistake]:
    """Yield the mistakes of the first of the runs on a set of clips, which is the best."""
    best = entries[0]
    predictions, correct = best.run.validation, best.result.correct_by_clip
    if predictions is None or correct is None:
        return
    rows = predictions.probabilities
    confidence = np.zeros(len(correct)) if rows is None else np.nan_to_num(rows.max(axis=1))[by_clip(predictions)]
    predicted, sources = best.result.predicted_names, tuple(dict.fromkeys(_source(entry.run) for entry in entries))
    for at in np.flatnonzero(~correct):
        yield Mistake(clips.clips[at], clips.labels[at], predicted[at], float(confidence[at]), best, sources)


def _source(run: Run) -> DataSource:
    sizes = [as_whole(run.tags.get(f"tracker.{part}_clips")) for part in _PARTS]
    known = [size for size in sizes if size is not None]
    is_known = len(known) == len(sizes)
    return DataSource(run.tags.get("tracker.data"), run.tags.get("tracker.dataset"), sum(known) if is_known else None)
