"""The figures of a whole report: which stand in it, and of which runs if there are many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.conclusions import kinds, of_kind
from tracker.figures.clips import clip_grid, confusion
from tracker.figures.curves import is_drawable, overview, section_curves
from tracker.figures.intervals import accuracies, differences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.report import Picture, Report, RunEntry
    from tracker.study.clip_sets import ClipSet

MOST_RUNS = 50  # above so many runs only those that the summary speaks of have figures
_MOST_MULTIPLES = 12  # small multiples that can be taken in at once
_MOST_DIFFERENCES = 24
_MOST_MATRICES = 4
_MOST_CLASSES = 15  # above so many classes the cells of four matrices side by side are too small to read


def report_pictures(report: Report) -> tuple[Picture, ...]:
    """Draw the figures that stand in a report.

    Those of several runs come first (``accuracies``, ``curves``, ``differences``, ``clip-grid``, ``confusion``, as far
    as the runs bear them), then the curves of each run, in the report's order. Above 50 runs only those that the
    summary speaks of have figures.
    """
    entries = report.entries
    if len(entries) > MOST_RUNS:
        named = {run_id for conclusion in report.summary for run_id in conclusion.runs[:_MOST_MULTIPLES]}
        entries = _best(report, [entry for entry in entries if entry.run.run_id in named], _MOST_MULTIPLES)
    drawable = [entry for entry in entries if is_drawable(entry.result)]
    together = [entry for entry in _best(report, entries, _MOST_MULTIPLES) if is_drawable(entry.result)]
    return (
        *([accuracies(entries)] if sum(entry.result.accuracy is not None for entry in entries) > 1 else []),
        *([overview(together)] if len(together) > 1 else []),
        *_differences(report),
        *_of_clips(report, entries),
        *(section_curves(drawable) if drawable else ()),
    )


def _best(report: Report, entries: Sequence[RunEntry], most: int) -> tuple[RunEntry, ...]:
    """Return the best runs by the primary metric, in the report's order."""
    return tuple(sorted(report.best_first(entries)[:most], key=lambda entry: entry.number))


def _of_clips(report: Report, entries: Sequence[RunEntry]) -> Iterator[Picture]:
    """Draw which clips each run classifies correctly, and which classes the best runs confuse."""
    groups: dict[ClipSet, list[RunEntry]] = {}
    for entry in _predicting(entries):
        groups.setdefault(entry.result.clip_set, []).append(entry)
    comparable = max(groups.values(), key=len, default=[])  # the most runs; of equally many the first
    if len(comparable) > 1:
        yield clip_grid(comparable)
    best = _predicting(_best(report, entries, _MOST_MATRICES))
    classes = [len(entry.run.validation.classes) for entry in best if entry.run.validation is not None]
    if best:
        many = max(classes) > _MOST_CLASSES
        yield confusion(_predicting(_best(report, entries, 1)) or best[:1] if many else best)


def _predicting(entries: Sequence[RunEntry]) -> list[RunEntry]:
    """Return the runs whose predictions were logged."""
    return [entry for entry in entries if entry.result.correct_by_clip is not None]


def _differences(report: Report) -> Iterator[Picture]:
    numbers = {entry.run.run_id: entry.number for entry in report.entries}
    options_first = [c for kind in kinds("option_effect") for c in of_kind(report.conclusions, kind)]
    rows = [row for conclusion in options_first for row in conclusion.details.differences(conclusion, numbers)]
    if rows:
        yield differences(rows[:_MOST_DIFFERENCES], margin=report.margin, alpha=report.alpha)
