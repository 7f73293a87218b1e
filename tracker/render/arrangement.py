"""From a report to what is seen of it: in order, numbered, and of a size that a person can read.

However many runs there are, the report stays bounded: sections fold above 12 runs; above 50 the table has the best runs
and only those that the summary speaks of have a section. What is left out is counted, and the templates say where it
can be seen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracker import wording
from tracker.conclusions import kind_of, kinds, of_kind
from tracker.next_steps.steps import why_no_step
from tracker.render.sanitize import note_beginning, plain
from tracker.render.tables import (
    correct_of,
    course,
    course_line,
    facts,
    kept_epoch,
    legend,
    ratio,
    results,
    score_writer,
    section_columns,
    share,
    table_columns,
)
from tracker.render.view import (
    ConclusionView,
    Head,
    KindView,
    NoteView,
    ReportView,
    RunRow,
    SectionView,
    StepView,
    shell_line,
)
from tracker.report import Note
from tracker.runs import LOGGED_OPTIONS
from tracker.study.options import terms_of
from tracker.wording import NONE, capitalised, duration, listing, option_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from markupsafe import Markup

    from tracker.conclusions.conclusion import Conclusion, Kind, Verdict
    from tracker.render.tables import Column
    from tracker.report import NextStep, Picture, Report, RunEntry, Section

FOLDED_ABOVE = 12
"""Runs above which each run's section is folded; also the most that have one where runs are very many."""
MOST_RUNS = 50
"""Runs that the table shows, and above which only those that the summary speaks of have a section."""
MOST_OPTIONS = 8
"""Options that have a column in the table of runs."""
MOST_IN_THE_OPEN = 12
"""Conclusions of one kind that are not folded."""
MOST_OF_A_KIND = 60
"""Conclusions of one kind that are shown at all."""
MOST_LINES = 50
"""Notes, challenges and excluded runs that are shown."""

VERDICTS: dict[Verdict, str] = {
    "supported": "Supported",
    "equivalent": "Equivalent",
    "inconclusive": "Inconclusive",
    "confounded": "Confounded",
    "not_comparable": "Not comparable",
    "exact": "Exact",
    "unknown": "Unknown",
}
_WITH_THE_TABLE = ("accuracies", "curves")
"""Pictures of several runs that stand below the table of runs; the others stand with the conclusions."""


def arrange(report: Report, pictures: Sequence[Picture] = ()) -> ReportView:
    """Prepare a report for a template.

    Parameters
    ----------
    report : Report
    pictures : sequence of Picture
        Those of a single run go into its section.

    Returns
    -------
    ReportView
    """
    notes = _notes(report.notes)
    entries, shown = report.entries, _shown_sections(report)
    rows = report.best_first(entries)[:MOST_RUNS] if len(entries) > MOST_RUNS else entries
    best, columns = _best(report), table_columns(report)
    sections = tuple(_section(section, report, pictures) for section in shown)
    linked = {row.number for section in sections for row in section.rows}
    carried = {id(picture) for section in sections for picture in section.pictures}
    others = tuple(picture for picture in pictures if id(picture) not in carried)
    by_kind = {kind: found for kind in kinds() if (found := of_kind(report.conclusions, kind))}
    numbers_of = _numbers(by_kind.values())
    run_pictures = tuple(picture for picture in others if picture.name in _WITH_THE_TABLE)
    return ReportView(
        experiment=report.experiment,
        metric=report.metric,
        runs=len(entries),
        folded=len(entries) > FOLDED_ABOVE,
        summary=tuple(_conclusion(conclusion, report, numbers_of) for conclusion in report.summary),
        limits=report.limits,
        options=tuple(_heading(option) for option in report.options[:MOST_OPTIONS]),
        more_options=max(0, len(report.options) - MOST_OPTIONS),
        heads=_heads(columns),
        legend=legend(report),
        rows=tuple(
            replace(
                run_row(entry, best=entry.number in best, linked=entry.number in linked), cells=_cells(columns, entry)
            )
            for entry in rows
        ),
        more_rows=len(entries) - len(rows),
        run_pictures=run_pictures,
        drawn={
            picture.name: _drawn(picture, len(entries)) for picture in run_pictures if _leaves_out(picture, entries)
        },
        sections=sections,
        more_sections=len(report.sections) - len(sections),
        kinds=tuple(_kind(kind, found, report, numbers_of) for kind, found in by_kind.items()),
        conclusion_pictures=tuple(picture for picture in others if picture.name not in _WITH_THE_TABLE),
        why_no_step=why_no_step(report.conclusions),
        steps=tuple(_step(number, step, numbers_of) for number, step in enumerate(report.next_steps, 1)),
        notes=notes[:MOST_LINES],
        more_notes=max(0, len(notes) - MOST_LINES),
        challenges=report.challenges[:MOST_LINES],
        more_challenges=max(0, len(report.challenges) - MOST_LINES),
        excluded=report.excluded[:MOST_LINES],
        more_excluded=max(0, len(report.excluded) - MOST_LINES),
        methods=report.methods,
        versions=report.versions,
    )


def _shown_sections(report: Report) -> tuple[Section, ...]:
    """Return the sections of a small report, of a large one those of the runs that the summary speaks of."""
    if len(report.entries) <= MOST_RUNS:
        return report.sections
    named = {run_id for conclusion in report.summary for run_id in conclusion.runs[:FOLDED_ABOVE]}
    spoken_of = (part for part in report.sections if any(entry.run.run_id in named for entry in part.entries))
    return tuple(spoken_of)[:FOLDED_ABOVE]


def _best(report: Report) -> set[int]:
    """Return the numbers of the runs that no other is better than."""
    standings = {entry.number: report.standing(entry) for entry in report.entries}
    highest = max((standing for standing in standings.values() if standing is not None), default=None)
    return {number for number, standing in standings.items() if standing is not None and standing == highest}


def _heads(columns: Sequence[Column]) -> tuple[Head, ...]:
    return tuple(Head(column.title, column.numeric, column.primary, column.tight) for column in columns)


def _cells(columns: Sequence[Column], entry: RunEntry) -> tuple[Markup, ...]:
    return tuple(column.cell(entry) for column in columns)


def run_row(entry: RunEntry, *, best: bool = False, linked: bool = True) -> RunRow:
    """Return what is seen of one run.

    Parameters
    ----------
    entry : RunEntry
    best : bool
        Whether no run is better.
    linked : bool
        Whether the report has a section on it.

    Returns
    -------
    RunRow
    """
    accuracy = entry.accuracy
    return RunRow(
        number=entry.number,
        name=entry.run.name,
        run_id=entry.run.run_id,
        seed=_seed(entry),
        levels=tuple(level for _, level in entry.levels[:MOST_OPTIONS]),
        ratio=ratio(accuracy),
        share=share(entry),
        bounds=plain(wording.percent_bounds_cell(accuracy.interval if accuracy else None)),
        val_loss=plain(wording.loss_cell(entry.val_loss)),
        seconds=plain(wording.seconds_number_cell(entry.seconds)),
        best_epoch=plain(wording.whole_cell(entry.best_epoch)),
        kept_epoch=kept_epoch(entry),
        stop_epoch=plain(wording.whole_cell(entry.stop_epoch)),
        right=correct_of(accuracy),
        interval=plain(wording.percent_interval_cell(accuracy.interval if accuracy else None)),
        logged_loss=plain(wording.logged_cell(entry.val_loss)),
        logged_accuracy=plain(wording.logged_cell(entry.val_accuracy)),
        duration=plain(wording.seconds_cell(entry.seconds)),
        best=best,
        linked=linked,
    )


def _seed(entry: RunEntry) -> str | None:
    """Return a run's seed, whatever its param is called; of several seeds each by its param's name."""
    seeds = terms_of(entry.run.params).seed
    if len(seeds) < 2:
        return seeds[0][1] if seeds else None
    return ", ".join(f"{name}={value}" for name, value in seeds)


def _heading(option: str) -> str:
    """Return an option as a column's head: in words where it is known, else as the param is called."""
    return capitalised(option_words(option)) if option in LOGGED_OPTIONS else option


def _section(section: Section, report: Report, pictures: Sequence[Picture]) -> SectionView:
    ids = [entry.run.run_id for entry in section.entries]
    own = [picture for picture in pictures if len(picture.runs) == 1 and picture.runs[0] in ids]
    own.sort(key=lambda picture: ids.index(picture.runs[0]))
    entries = section.entries
    columns = section_columns(report, entries)
    return SectionView(
        title=section.title,
        who=_who([entry.number for entry in entries]),
        metric=None if report.by_accuracy else report.metric,
        right=_span(report, entries),
        heads=_heads(columns),
        rows=tuple(_section_row(entry, report, columns) for entry in entries[:MOST_RUNS]),
        more_rows=max(0, len(entries) - MOST_RUNS),
        notes=tuple(NoteView(note.who, note.title, note_beginning(note.text)) for note in _notes(_notes_of(section))),
        pictures=tuple(own),
    )


def _section_row(entry: RunEntry, report: Report, columns: Sequence[Column]) -> RunRow:
    return replace(
        run_row(entry),
        cells=_cells(columns, entry),
        results=results(report, entry),
        course=course(entry),
        course_line=course_line(entry),
    )


def _span(report: Report, entries: Sequence[RunEntry]) -> Markup:
    """Return what the runs of a section come to: ``25/30``, ``24/30 to 26/30``, ``83.3 %``, or the primary metric."""
    known = [entry for entry in report.best_first(entries) if report.standing(entry) is not None]
    known = known if report.lower_is_better else known[::-1]
    if not known:
        return plain(NONE)
    write = _correct if report.by_accuracy else score_writer(report)
    first, last = write(known[0]), write(known[-1])
    if first == last:
        return first
    first = _correct(known[0], wording.percent_number_cell) if report.by_accuracy else first
    return plain(f"{first} to {last}")


def _correct(entry: RunEntry, percent: Callable[[float | None], str] = wording.percent_cell) -> Markup:
    return ratio(entry.accuracy) if entry.accuracy else plain(percent(entry.score))


def _leaves_out(picture: Picture, entries: Sequence[RunEntry]) -> bool:
    return picture.name == "curves" and len(picture.runs) < len(entries)


def _drawn(picture: Picture, runs: int) -> str:
    """Say which runs a picture is of that is not of all."""
    which = "“What came out” speaks of" if runs > MOST_RUNS else "logged curves"
    return f"Drawn are {len(picture.runs)} of the {runs:,} runs, the best of those that {which}."


def _notes_of(section: Section) -> Iterator[Note]:
    for entry in section.entries:
        if entry.run.note:
            yield Note(entry.number, section.title, entry.run.note)


def _notes(notes: Iterable[Note]) -> tuple[NoteView, ...]:
    """Return the notes, those that runs of one title have in common once."""
    found: dict[tuple[str, str], list[int]] = {}
    for note in notes:
        found.setdefault((note.title, note.text), []).append(note.run_number)
    return tuple(NoteView(_who(runs), title, text) for (title, text), runs in found.items())


def _who(runs: Sequence[int]) -> str:
    """Return ``Run 3``, ``Runs 1 and 2``; of many runs the first."""
    named = [str(run) for run in runs[:FOLDED_ABOVE]]
    more = [f"{len(runs) - len(named):,} more"] if len(runs) > len(named) else []
    return f"{'Run' if len(runs) == 1 else 'Runs'} {listing([*named, *more])}"


def _numbers(kinds: Iterable[Sequence[Conclusion]]) -> dict[str, int]:
    """Return the number of each conclusion that is shown, counted as they stand in the report."""
    shown = (conclusion for found in kinds for conclusion in found[:MOST_OF_A_KIND])
    return {conclusion.id: number for number, conclusion in enumerate(shown, start=1)}


def _kind(kind: Kind, found: Sequence[Conclusion], report: Report, numbers_of: Mapping[str, int]) -> KindView:
    views = tuple(_conclusion(conclusion, report, numbers_of) for conclusion in found[:MOST_OF_A_KIND])
    return KindView(
        title=kind.title,
        open=views[:MOST_IN_THE_OPEN],
        folded=views[MOST_IN_THE_OPEN:],
        more=len(found) - len(views),
    )


def _conclusion(conclusion: Conclusion, report: Report, numbers_of: Mapping[str, int]) -> ConclusionView:
    steps = enumerate(report.next_steps, start=1)
    listed = any((step.command,) == conclusion.commands for step in report.next_steps)
    return ConclusionView(
        number=numbers_of.get(conclusion.id),
        verdict=conclusion.verdict,
        verdict_words=VERDICTS[conclusion.verdict],
        sentence=conclusion.sentence,
        facts=facts(conclusion, report.alpha, in_points=_in_points(conclusion, report)),
        tables=conclusion.details.tables(in_points=report.by_accuracy),
        steps=tuple(number for number, step in steps if conclusion.id in step.settles),
        command=None if listed else shell_line(conclusion.commands) or None,
    )


def _in_points(conclusion: Conclusion, report: Report) -> bool:
    """Return whether a conclusion's estimate is one of accuracy."""
    return report.by_accuracy or not kind_of(conclusion).in_metric_unit


def _step(number: int, step: NextStep, numbers_of: Mapping[str, int]) -> StepView:
    takes = None if step.estimated_seconds is None else duration(step.estimated_seconds)
    settles = tuple(sorted(numbers_of[settled] for settled in step.settles if settled in numbers_of))
    return StepView(number, capitalised(step.why), shell_line([step.command]), takes, settles)
