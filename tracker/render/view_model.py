"""From a report to what is seen of it: in order, numbered, and of a size that a person can read.

Numbers are text already (`Markup`, nothing in it to escape); text that came from other people is plain `str`, and the
templates' filters escape it for their medium.

However many runs there are, the report stays bounded: sections fold above 12 runs; above 50 the table has the best runs
and only those that the summary speaks of have a section. What is left out is counted, and the templates say where it
can be seen.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracker import wording
from tracker.conclusions import kind_of, kinds, of_kind
from tracker.next_steps.steps import why_no_step
from tracker.render.sanitize import note_beginning, plain
from tracker.render.tables import (
    NOTHING,
    Fact,
    facts,
    legend,
    ratio,
    results,
    score_writer,
    section_columns,
    table_columns,
    training_line,
    training_summary,
)
from tracker.runs import LOGGED_OPTIONS
from tracker.study.options import terms_of
from tracker.wording import NONE, capitalised, duration, listing, option_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from markupsafe import Markup

    from tracker.conclusions.conclusion import Conclusion, Kind, Table, Verdict
    from tracker.render.tables import Column
    from tracker.report import Excluded, NextStep, Picture, Report, RunEntry, Section

FOLDED_ABOVE = 12  # runs above which each run's section is folded; also the most that have one above MOST_RUNS
MOST_RUNS = 50  # runs that the table shows, and above which only those that the summary speaks of have a section
MOST_OPTIONS = 8  # options that have a column in the table of runs
MOST_IN_THE_OPEN = 12  # conclusions of one kind that are not folded
MOST_OF_A_KIND = 60  # conclusions of one kind that are shown at all
MOST_LINES = 50  # notes, challenges and excluded runs that are shown

VERDICTS: dict[Verdict, str] = {
    "supported": "Supported",
    "equivalent": "Equivalent",
    "inconclusive": "Inconclusive",
    "confounded": "Confounded",
    "not_comparable": "Not comparable",
    "exact": "Exact",
    "unknown": "Unknown",
}
_WITH_THE_TABLE = ("accuracies", "curves")  # pictures that stand below the table of runs, not with the conclusions


def shell_line(commands: Iterable[Sequence[str]]) -> str:
    """Return commands as one line for a POSIX shell, each run only if the one before succeeds; empty for none."""
    return " && ".join(map(shlex.join, commands))


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as a row: its cells in a table, and what its own section says of it."""

    number: int
    name: str
    seed: str | None
    levels: tuple[str, ...]
    cells: tuple[Markup, ...]
    best: bool = False
    linked: bool = True
    results: tuple[Fact, ...] = ()
    training: tuple[Fact, ...] = ()
    training_line: Markup = NOTHING


@dataclass(frozen=True, slots=True)
class NoteView:
    """A note, whole or its beginning, and the runs that carry it: ``runs 1 and 2``."""

    who: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class SectionView:
    """The runs of one configuration: who they are, their lowest and highest score, and each.

    `metric` names the score if it isn't accuracy.
    """

    title: str
    who: str
    metric: str | None
    score_range: Markup
    heads: tuple[Column, ...]
    rows: tuple[RunRow, ...]
    more_rows: int
    notes: tuple[NoteView, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ConclusionView:
    """A conclusion with its number, if it is among those shown, and the numbers of the steps that would settle it."""

    number: int | None
    verdict: Verdict
    verdict_words: str
    sentence: str
    facts: tuple[str, ...]
    tables: tuple[Table, ...]
    steps: tuple[int, ...]
    command: str | None


@dataclass(frozen=True, slots=True, eq=False)
class KindView:
    """The conclusions of one kind: in the open, folded, and how many more there are."""

    title: str
    open: tuple[ConclusionView, ...]
    folded: tuple[ConclusionView, ...]
    more: int


@dataclass(frozen=True, slots=True)
class StepView:
    """A command worth running: why, how long, and the numbers of the shown conclusions that it settles."""

    number: int
    why: str
    command: str
    duration: str | None
    settles: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ReportView:
    """The report in order; each ``more_…`` counts what is left out, and `drawn` says of which runs a picture is."""

    experiment: str
    metric: str
    runs: int
    folded: bool
    summary: tuple[ConclusionView, ...]
    limits: tuple[str, ...]
    options: tuple[str, ...]
    more_options: int
    heads: tuple[Column, ...]
    legend: str
    rows: tuple[RunRow, ...]
    more_rows: int
    run_pictures: tuple[Picture, ...]
    drawn: Mapping[str, str]
    sections: tuple[SectionView, ...]
    more_sections: int
    kinds: tuple[KindView, ...]
    conclusion_pictures: tuple[Picture, ...]
    why_no_step: str
    steps: tuple[StepView, ...]
    notes: tuple[NoteView, ...]
    more_notes: int
    challenges: tuple[str, ...]
    more_challenges: int
    excluded: tuple[Excluded, ...]
    more_excluded: int
    methods: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]


def arrange(report: Report, pictures: Sequence[Picture] = ()) -> ReportView:
    """Prepare a report for a template; pictures of a single run go into its section."""
    entries, shown = report.entries, _shown_sections(report)
    notes = _notes(entries)
    rows = report.best_first(entries)[:MOST_RUNS] if len(entries) > MOST_RUNS else entries
    columns = table_columns(report)
    scores = {entry.number: report.rank_score(entry) for entry in entries}
    highest = max((score for score in scores.values() if score is not None), default=None)
    sections = tuple(_section(section, report, pictures) for section in shown)
    linked = {row.number for section in sections for row in section.rows}
    carried = {id(picture) for section in sections for picture in section.pictures}
    others = tuple(picture for picture in pictures if id(picture) not in carried)
    by_kind = {kind: found for kind in kinds() if (found := of_kind(report.conclusions, kind))}
    numbered = (conclusion for of_one in by_kind.values() for conclusion in of_one[:MOST_OF_A_KIND])
    numbers_of = {conclusion.id: number for number, conclusion in enumerate(numbered, start=1)}
    run_pictures = tuple(picture for picture in others if picture.name in _WITH_THE_TABLE)
    return ReportView(
        experiment=report.experiment,
        metric=report.metric.name,
        runs=len(entries),
        folded=len(entries) > FOLDED_ABOVE,
        summary=tuple(_conclusion(conclusion, report, numbers_of) for conclusion in report.summary),
        limits=report.limits,
        options=tuple(
            capitalised(option_words(option)) if option in LOGGED_OPTIONS else option
            for option in report.options[:MOST_OPTIONS]
        ),
        more_options=max(0, len(report.options) - MOST_OPTIONS),
        heads=columns,
        legend=legend(report),
        rows=tuple(
            _row(
                entry,
                columns,
                best=highest is not None and scores[entry.number] == highest,
                linked=entry.number in linked,
            )
            for entry in rows
        ),
        more_rows=len(entries) - len(rows),
        run_pictures=run_pictures,
        drawn={
            picture.name: _drawn(picture, len(entries))
            for picture in run_pictures
            if picture.name == "curves" and len(picture.runs) < len(entries)
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


def _row(entry: RunEntry, columns: Sequence[Column], *, best: bool, linked: bool) -> RunRow:
    """Return a row of the table of all runs: whether no run is better, and whether the run has a section."""
    return RunRow(
        number=entry.number,
        name=entry.run.name,
        seed=_seed(entry),
        levels=tuple(level for _, level in entry.levels[:MOST_OPTIONS]),
        cells=tuple(column.cell(entry) for column in columns),
        best=best,
        linked=linked,
    )


def _seed(entry: RunEntry) -> str | None:
    """Return a run's seed, whatever its param is called; of several seeds each by its param's name."""
    seeds = terms_of(entry.run.params).seed
    if len(seeds) < 2:
        return seeds[0][1] if seeds else None
    return ", ".join(f"{name}={value}" for name, value in seeds)


def _section(section: Section, report: Report, pictures: Sequence[Picture]) -> SectionView:
    ids = [entry.run.run_id for entry in section.entries]
    own = [picture for picture in pictures if len(picture.runs) == 1 and picture.runs[0] in ids]
    own.sort(key=lambda picture: ids.index(picture.runs[0]))
    entries = section.entries
    columns = section_columns(report, entries)
    return SectionView(
        title=section.title,
        who=_who([entry.number for entry in entries]),
        metric=None if report.metric.is_accuracy else report.metric.name,
        score_range=_score_range(report, entries),
        heads=columns,
        rows=tuple(
            replace(
                _row(entry, columns, best=False, linked=True),
                results=results(report, entry),
                training=training_summary(entry),
                training_line=training_line(entry),
            )
            for entry in entries[:MOST_RUNS]
        ),
        more_rows=max(0, len(entries) - MOST_RUNS),
        notes=tuple(replace(note, text=note_beginning(note.text)) for note in _notes(entries)),
        pictures=tuple(own),
    )


def _score_range(report: Report, entries: Sequence[RunEntry]) -> Markup:
    """Return what the runs of a section come to: ``25/30``, ``24/30 to 26/30``, ``83.3 %``, or the primary metric."""
    known = [entry for entry in report.best_first(entries) if report.rank_score(entry) is not None]
    known = known if report.metric.lower_is_better else known[::-1]
    write = _correct if report.metric.is_accuracy else score_writer(report)
    if not known:
        return plain(NONE)
    first, last = write(known[0]), write(known[-1])
    if first == last:
        return first
    first = _correct(known[0], wording.percent_number_cell) if report.metric.is_accuracy else first
    return plain(f"{first} to {last}")


def _correct(entry: RunEntry, percent: Callable[[float | None], str] = wording.percent_cell) -> Markup:
    return ratio(entry) if entry.result.accuracy else plain(percent(entry.result.score))


def _drawn(picture: Picture, runs: int) -> str:
    """Return which runs a picture shows that doesn't show all."""
    which = "“What came out” speaks of" if runs > MOST_RUNS else "logged curves"
    return f"Drawn are {len(picture.runs)} of the {runs:,} runs, the best of those that {which}."


def _notes(entries: Iterable[RunEntry]) -> tuple[NoteView, ...]:
    """Return the notes of runs, those that runs of one title have in common once."""
    runs_of: dict[tuple[str, str], list[int]] = {}
    for entry in entries:
        if entry.run.note:
            runs_of.setdefault((entry.title, entry.run.note), []).append(entry.number)
    return tuple(NoteView(_who(runs), title, text) for (title, text), runs in runs_of.items())


def _who(runs: Sequence[int]) -> str:
    """Return ``Run 3``, ``Runs 1 and 2``; of many runs the first."""
    named = [str(run) for run in runs[:FOLDED_ABOVE]]
    more = [f"{len(runs) - len(named):,} more"] if len(runs) > len(named) else []
    return f"{'Run' if len(runs) == 1 else 'Runs'} {listing([*named, *more])}"


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
    in_points = report.metric.is_accuracy or not kind_of(conclusion).in_metric_unit
    return ConclusionView(
        number=numbers_of.get(conclusion.id),
        verdict=conclusion.verdict,
        verdict_words=VERDICTS[conclusion.verdict],
        sentence=conclusion.sentence,
        facts=facts(conclusion, report.alpha, in_points=in_points),
        tables=conclusion.details.tables(in_points=report.metric.is_accuracy),
        steps=tuple(number for number, step in steps if conclusion.id in step.settles),
        command=None if listed else shell_line(conclusion.commands) or None,
    )


def _step(number: int, step: NextStep, numbers_of: Mapping[str, int]) -> StepView:
    takes = None if step.estimated_seconds is None else duration(step.estimated_seconds)
    settles = tuple(sorted(numbers_of[settled] for settled in step.settles if settled in numbers_of))
    return StepView(number, capitalised(step.why), shell_line([step.command]), takes, settles)
