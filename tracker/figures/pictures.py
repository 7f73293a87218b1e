"""The figures of a whole report: which stand in it, and of which runs if there are many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker import wording
from tracker.conclusions import kinds, of_kind
from tracker.conclusions.best_configuration import BestConfiguration
from tracker.conclusions.best_run import BestRun
from tracker.figures.clips import clip_grid, confusion, has_differing_clips
from tracker.figures.curves import is_drawable, overview, section_curves, short_title
from tracker.figures.intervals import ConfigurationRow, differences, headline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.report import Picture, Report, RunEntry
    from tracker.study.clip_sets import ClipSet

MOST_RUNS = 50  # runs up to which each has its own curves; above, only the best
_MOST_MULTIPLES = 12  # small multiples that can be taken in at once
_IN_THE_TITLE = 2  # parts of a configuration's title that stand in a row's own, the rest below it


def report_pictures(report: Report) -> tuple[Picture, ...]:
    """Draw the figures that stand in a report.

    Those of several runs come first (``configurations``, ``curves``, ``differences``, ``clips``, ``confusion``, as far
    as the runs bear them), then the curves of each run, in the report's order. Where not all runs are drawn, it is the
    best by the primary metric.
    """
    ranked = report.best_first(report.entries)
    drawable = [entry for entry in ranked if is_drawable(entry.result)]
    together = drawable[:_MOST_MULTIPLES]
    alone = drawable if len(ranked) <= MOST_RUNS else together
    return (
        *_configurations(report, ranked),
        *([overview(together)] if len(together) > 1 else []),
        *_differences(report),
        *_of_clips(ranked),
        *section_curves(sorted(alone, key=lambda entry: entry.number)),
    )


def _configurations(report: Report, ranked: Sequence[RunEntry]) -> Iterator[Picture]:
    """Draw configurations, as far as they were ranked over several seeds; else runs."""
    of_run = {entry.run.run_id: entry for entry in ranked}
    is_accuracy = report.metric.is_accuracy
    standings = next((c.details.standings for c in report.conclusions if isinstance(c.details, BestConfiguration)), ())
    rows: list[ConfigurationRow] = []
    runs: list[str] = []
    for place, standing in enumerate(standings):
        if standing.mean is not None:
            entries = [of_run[run_id] for run_id in standing.runs]
            title, subtitle = _titles(entries[0])
            scores = tuple(entry.result.score for entry in entries if entry.result.score is not None)
            count = wording.percent_cell(standing.mean) if is_accuracy else wording.loss_cell(standing.mean)
            is_tied = place > 0 and bool(standing.tied)
            interval = standing.interval if is_accuracy else None
            rows.append(ConfigurationRow(title, subtitle, standing.mean, interval, scores, not place, is_tied, count))
            runs += standing.runs
    if not rows:
        tied = {i for c in report.conclusions if isinstance(c.details, BestRun) for i in c.details.indistinguishable}
        rows = [row for entry in ranked if (row := _run(entry, tied, is_best=entry is ranked[0])) is not None]
        runs = [entry.run.run_id for entry in ranked if entry.result.score is not None]
    if len(rows) > 1:
        yield headline(rows, runs, is_fraction=is_accuracy)


def _run(entry: RunEntry, tied: set[str], *, is_best: bool) -> ConfigurationRow | None:
    """Return a run as a row; None if it has no score."""
    accuracy, score = entry.result.accuracy, entry.result.score
    if score is None:
        return None
    title, subtitle = _titles(entry)
    count = f"{accuracy.correct}/{accuracy.n}" if accuracy else wording.loss_cell(score)
    has_interval = accuracy is not None and score == accuracy.fraction
    return ConfigurationRow(
        title=f"{entry.name} · {title}",
        subtitle=subtitle,
        estimate=score,
        interval=accuracy.interval if accuracy and has_interval else None,
        points=(score,),
        is_best=is_best,
        is_tied=not is_best and entry.run.run_id in tied,
        count=count,
    )


def _titles(entry: RunEntry) -> tuple[str, str]:
    """Return the first parts of a configuration's short title, and the rest."""
    parts = short_title(entry).split(", ")
    return wording.capitalised(", ".join(parts[:_IN_THE_TITLE])), ", ".join(parts[_IN_THE_TITLE:])


def _of_clips(ranked: Sequence[RunEntry]) -> Iterator[Picture]:
    """Draw the clips that not every run classifies correctly, and which classes the best run confuses."""
    predicting = [entry for entry in ranked if entry.result.correct_by_clip is not None]
    groups: dict[ClipSet, list[RunEntry]] = {}
    for entry in predicting:
        groups.setdefault(entry.result.clip_set, []).append(entry)
    comparable = max(groups.values(), key=len, default=[])  # the most runs; of equally many those of the best
    if len(comparable) > 1 and has_differing_clips(comparable):
        yield clip_grid(comparable)
    if predicting:
        yield confusion(predicting[0])


def _differences(report: Report) -> Iterator[Picture]:
    """Draw the contrasts of every option, those with an interval."""
    numbers = {entry.run.run_id: entry.number for entry in report.entries}
    contrasts = [c for kind in kinds("option_effect")[:1] for c in of_kind(report.conclusions, kind)]
    rows = [row for conclusion in contrasts for row in conclusion.details.differences(conclusion, numbers)]
    if rows:
        yield differences(rows, margin=report.margin, alpha=report.alpha)
