"""The figures of a whole report: which stand in it, and of which runs if there are many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker import wording
from tracker.conclusions import kinds, of_kind
from tracker.conclusions.across_data_sets import AcrossDataSets
from tracker.conclusions.baseline import Baseline as MajorityBaseline
from tracker.conclusions.calibration import Calibration
from tracker.figures.clips import clip_grid, confusion, has_differing_clips
from tracker.figures.curves import is_drawable, overview, section_curves
from tracker.figures.intervals import Baseline, ConfigurationRow, differences, headline
from tracker.figures.ranks import mean_ranks
from tracker.figures.reliability import reliability

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.conclusions.best_configuration import Standing
    from tracker.report import Picture, Report, RunEntry, Section
    from tracker.study.clip_sets import ClipSet
    from tracker.study.sample_name import SampleName

MOST_RUNS = 50  # runs up to which each has its own curves; above, only the best
_MOST_MULTIPLES = 12  # small multiples that can be taken in at once
_IN_THE_TITLE = 2  # parts of a configuration's title that stand in a row's own, the rest below it


def report_pictures(report: Report) -> tuple[Picture, ...]:
    """Draw the figures that stand in a report.

    Those of several runs come first (``configurations``, ``curves``, ``differences``, ``clips``), then the
    ``confusion`` and ``reliability`` of the best, then the ``curves`` of each run, in the report's order; as far as the
    runs bear them. Where not all runs are drawn, it is the best by the primary metric. Of several data sets there are
    ``ranks`` instead, and the ``clips`` and ``confusion`` of each of the first.
    """
    ranked = report.best_first(report.entries)
    drawable = [entry for entry in ranked if is_drawable(entry.result)]
    together = drawable[:_MOST_MULTIPLES]
    alone = drawable if len(ranked) <= MOST_RUNS else together
    words = {entry.run.run_id: section.words for section in report.sections for entry in section.entries}
    captions = [words[entry.run.run_id].removeprefix(f"{entry.name}: ") or entry.title for entry in together]
    return (
        *([] if report.data_sets else _configurations(report)),
        *_ranks(report),
        *([overview(together, captions)] if len(together) > 1 else []),
        *(_of_data_sets(report, ranked) if report.data_sets else _of_one(report, ranked)),
        *section_curves(sorted(alone, key=lambda entry: entry.number)),
    )


def _of_one(report: Report, ranked: Sequence[RunEntry]) -> Iterator[Picture]:
    """Draw what the runs on one data set show together."""
    yield from (*_differences(report), *_of_clips(ranked, report.sample), *_reliability(report))


def _of_data_sets(report: Report, ranked: Sequence[RunEntry]) -> Iterator[Picture]:
    """Draw the clips and classes of each of the first data sets by itself."""
    for data_set in report.data_sets[:_MOST_MULTIPLES]:
        yield from _of_clips([entry for entry in ranked if entry.data_set == data_set.name], report.sample)


def _ranks(report: Report) -> Iterator[Picture]:
    """Draw the mean ranks over several data sets."""
    for conclusion in report.conclusions:
        if isinstance(conclusion.details, AcrossDataSets):
            yield mean_ranks(conclusion.details, is_best=conclusion.verdict == "supported")


def _configurations(report: Report) -> Iterator[Picture]:
    """Draw the configurations that were ranked, as far as there are two."""
    rows: list[ConfigurationRow] = []
    runs: list[str] = []
    for section in report.sections:
        standing = section.standing
        if standing is not None and standing.mean is not None and standing.tied is not None:
            rows.append(_row(report, section, standing, standing.mean, is_best=not rows))
            runs += standing.runs
    if len(rows) > 1:
        is_accuracy = report.metric.is_accuracy
        yield headline(rows, runs, baseline=_baseline(report) if is_accuracy else None, is_fraction=is_accuracy)


def _baseline(report: Report) -> Baseline | None:
    """Return what always answering the most common class would get; None if the labels are not known."""
    for conclusion in report.conclusions:
        found = conclusion.details
        if isinstance(found, MajorityBaseline) and found.majority is not None and conclusion.n:
            value = found.correct / conclusion.n
            answer = "the same class" if found.also else f"“{found.majority}”"
            return Baseline(value, f"always {answer}: {wording.percent(value)}")
    return None


def _reliability(report: Report) -> Iterator[Picture]:
    """Draw the calibration of the best run whose predictions were logged."""
    names = {entry.run.run_id: entry.name for entry in report.entries}
    found = (conclusion.details for conclusion in report.conclusions)
    calibrations = [details for details in found if isinstance(details, Calibration) and details.bins]
    if calibrations:
        yield reliability(calibrations[0], names[calibrations[0].best or ""], report.sample)


def _row(report: Report, section: Section, standing: Standing, mean: float, *, is_best: bool) -> ConfigurationRow:
    parts = (section.words or section.title).split(", ")
    is_accuracy, is_single = report.metric.is_accuracy, len(standing.runs) == 1
    count = wording.percent(mean) if is_accuracy else wording.metric_text(mean)
    if is_single and standing.correct is not None:
        count = f"{standing.correct}/{standing.n}"
    return ConfigurationRow(
        title=", ".join(parts[:_IN_THE_TITLE]),
        subtitle=", ".join(parts[_IN_THE_TITLE:]),
        estimate=mean,
        interval=standing.interval,
        points=tuple(e.result.score for e in section.entries if e.result.score is not None),
        is_best=is_best,
        is_tied=not is_best and bool(standing.tied) and standing.p_value is not None,
        count=count,
        is_tested=is_best or standing.p_value is not None,
    )


def _of_clips(ranked: Sequence[RunEntry], sample: SampleName) -> Iterator[Picture]:
    """Draw the clips that not every run classifies correctly, and which classes the best run confuses."""
    predicting = [entry for entry in ranked if entry.result.correct_by_clip is not None]
    groups: dict[ClipSet, list[RunEntry]] = {}
    for entry in predicting:
        groups.setdefault(entry.result.clip_set, []).append(entry)
    comparable = max(groups.values(), key=len, default=[])  # the most runs; of equally many those of the best
    if len(comparable) > 1 and has_differing_clips(comparable):
        yield clip_grid(comparable, sample)
    if predicting and predicting[0].run.validation and predicting[0].run.validation.has_labels:
        yield confusion(predicting[0], sample)


def _differences(report: Report) -> Iterator[Picture]:
    """Draw the contrasts of every option, those with an interval; of two runs a sentence says enough."""
    numbers = {entry.run.run_id: entry.number for entry in report.entries}
    drawn = [kind for kind in kinds("option_effect") if kind.name != "run_difference"]
    found = [conclusion for kind in drawn for conclusion in of_kind(report.conclusions, kind)]
    rows = [row for conclusion in found for row in conclusion.details.differences(conclusion, numbers)]
    if rows and report.metric.measures_accuracy:
        yield differences(rows, margin=report.margin, alpha=report.alpha)
