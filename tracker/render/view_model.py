"""From a report or a comparison to what is seen of it: in order, ranked, of a size that a person can read.

Numbers are text already (`Markup`, nothing in it to escape); text that came from other people is plain `str`, and the
templates' filters escape it for their medium.

However many runs there are, the report stays bounded: it has at most seven answers, tables have the best 50 rows, the
sections of the best three configurations are open and others folded, and above 50 runs only the best 12 configurations
have one. What is left out is counted, and the templates say where it can be seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from tracker import wording
from tracker.conclusions import kind_of
from tracker.next_steps.command_line import shell_line
from tracker.next_steps.steps import why_no_step
from tracker.render import tables
from tracker.render.sanitize import note_beginning, plain
from tracker.runs.logged import NO_LABEL, SHORT_ID
from tracker.wording import NONE, capitalised, duration, level_cell, listing, option_title, option_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from markupsafe import Markup

    from tracker.answers import Answer
    from tracker.conclusions.conclusion import Conclusion, Table, Verdict
    from tracker.report import (
        ClassCount,
        ComparedRun,
        Comparison,
        DataSetSection,
        Excluded,
        NextStep,
        Picture,
        Report,
        RunEntry,
        Section,
    )  # fmt: skip

_ADDRESS = re.compile(r"https?://[\w.:~/%-]{1,300}/#/[\w/-]{1,200}", re.ASCII)
T = TypeVar("T")

MOST_OPEN = 3  # sections of configurations that aren't folded
MOST_SECTIONS = 12  # configurations that have a section if there are more than `MOST_RUNS` runs
MOST_NAMED = 12  # runs that a heading names one by one
MOST_RUNS = 50  # rows of a table of runs or configurations
MOST_OPTIONS = 8  # options that have a column in the table of runs
MOST_ON_DATA_SET = 12  # configurations in the table of one of several data sets
MOST_IN_APPENDIX = 200  # rows of a table in the appendix
MOST_LINES = 50  # notes, challenges and excluded runs that are shown
MOST_CLIPS = 15  # clips of each of two runs that are shown: those of both fit a screen
MOST_CLASSES = 50  # classes that are shown of a comparison


@dataclass(frozen=True, slots=True)
class Excerpt(Generic[T]):
    """The first of many, and how many more there are."""

    shown: tuple[T, ...]
    more: int

    @property
    def n(self) -> int:
        """How many there are in all."""
        return len(self.shown) + self.more


def excerpt(entries: Sequence[T], most: int) -> Excerpt[T]:
    """Return the first `most` entries."""
    return Excerpt(tuple(entries[:most]), max(0, len(entries) - most))


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as a row: its cells in a table, and what its own section says of it."""

    number: int
    name: str
    short_id: str  # by which the store and commands find it
    page: str  # where it is shown; empty if nowhere, or if the address is no plain one
    seed: str | None
    levels: tuple[str, ...]
    cells: tuple[Markup, ...]
    best: bool  # whether no run is better
    linked: bool  # whether it has a section
    results: tuple[tables.Fact, ...]
    training: tuple[tables.Fact, ...]
    training_line: Markup
    command: str | None  # that trains it again


@dataclass(frozen=True, slots=True)
class NoteView:
    """A note, whole or its beginning, and the runs that carry it: ``runs 1 and 2``."""

    who: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class SectionView:
    """The runs of one configuration: who they are, their lowest and highest score, and each."""

    title: str
    who: str
    score_range: Markup
    heads: tuple[tables.Column, ...]
    is_named: bool  # whether its runs have names of their own
    rows: Excerpt[RunRow]
    notes: tuple[NoteView, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, eq=False)
class AnswerView:
    """An answer with its evidence: the numbers it rests on, tables and figures."""

    number: int
    answer: Answer
    facts: tuple[str, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DataSetView:
    """One of several data sets: the finding on it, its configurations, and answers."""

    name: str
    title: str
    configurations: Excerpt[tuple[str, ...]]
    answers: tuple[AnswerView, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ConclusionView:
    """A conclusion that stands alone, as in a comparison."""

    verdict: Verdict
    label: str  # the verdict as it is read
    sentence: str
    facts: tuple[str, ...]
    command: str | None


@dataclass(frozen=True, slots=True)
class StepView:
    """A command worth running: why, how long it takes, what it may show, and the answers that it bears on."""

    why: str
    command: str
    duration: str | None
    outlook: str
    answers: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ReportView:
    """The report in order, as far as it isn't shown as it is."""

    answers: tuple[AnswerView, ...]
    headline: Picture | None
    curves: Picture | None
    configuration_header: tuple[str, ...]
    scores: Table | None  # of configurations on several data sets
    data_sets: tuple[DataSetView, ...]
    configurations: Excerpt[tuple[str, ...]]
    options: Excerpt[str]
    heads: tuple[tables.Column, ...]
    legend: str
    rows: Excerpt[RunRow]
    sections: Excerpt[SectionView]
    why_no_step: str
    steps: tuple[StepView, ...]
    notes: Excerpt[NoteView]
    challenges: Excerpt[str]
    excluded: Excerpt[Excluded]
    appendix: tuple[tuple[Table, int], ...]  # each with how many rows are left out


def arrange(report: Report, pictures: Sequence[Picture] = ()) -> ReportView:
    """Prepare a report for a template; the curves of a single run go into its section."""
    entries, columns = report.entries, tables.table_columns(report)
    sections = tuple(_section(section, report, pictures) for section in _shown_sections(report))
    in_several = len({entry.run.experiment for entry in entries}) > 1
    linked = {row.number for section in sections for row in section.rows.shown}
    named = {picture.name: picture for picture in pictures if not _is_of_one_run(picture)}
    return ReportView(
        answers=tuple(_answer(number, answer, report, named) for number, answer in enumerate(report.answers, start=1)),
        headline=named.get("ranks") or named.get("configurations"),
        curves=named.get("curves"),
        configuration_header=tables.configuration_header(report),
        scores=report.scores_by_data_set,
        data_sets=tuple(_data_set(data_set, report, pictures) for data_set in report.data_sets),
        configurations=excerpt(tables.configurations(report), MOST_RUNS),
        options=_options(report, in_several=in_several),
        heads=columns,
        legend=tables.legend(report),
        rows=_rows(report, columns, linked, in_several=in_several),
        sections=Excerpt(sections, len(report.sections) - len(sections)),
        why_no_step=why_no_step(report.conclusions, has_commands=report.has_commands),
        steps=tuple(_step(step, report.answers) for step in report.next_steps),
        notes=excerpt(_notes(entries), MOST_LINES),
        challenges=excerpt(report.challenges, MOST_LINES),
        excluded=excerpt(report.excluded, MOST_LINES),
        appendix=tuple(_bounded(table) for table in tables.appendix(report)),
    )


def _is_of_one_run(picture: Picture) -> bool:
    """Return whether a picture stands in the section of the run that it is of."""
    return picture.name == "curves" and len(picture.runs) == 1


def _bounded(table: Table) -> tuple[Table, int]:
    rows = table.rows[:MOST_IN_APPENDIX]
    return replace(table, rows=rows), len(table.rows) - len(rows)


def _answer(number: int, answer: Answer, report: Report, pictures: Mapping[str, Picture]) -> AnswerView:
    """Return an answer with the numbers of the conclusion that it rests on, if it is one."""
    first = next((c for c in report.conclusions if answer.conclusions[:1] == (c.id,)), None)
    facts: tuple[str, ...] = ()
    if first is not None and (answer.id != "options" or len(answer.conclusions) == 1):
        in_points = report.metric.is_accuracy or not kind_of(first).in_metric_unit
        facts = tables.facts(first, report.alpha, in_points=in_points)
    return AnswerView(number, answer, facts, tuple(pictures[name] for name in answer.pictures if name in pictures))


def _data_set(data_set: DataSetSection, report: Report, pictures: Sequence[Picture]) -> DataSetView:
    rows = excerpt(tables.configuration_rows(report, data_set.sections), MOST_ON_DATA_SET)
    ids = {entry.run.run_id for section in data_set.sections for entry in section.entries}
    own = {p.name: p for p in pictures if not _is_of_one_run(p) and ids.issuperset(p.runs)}
    answers = tuple(_answer(number, answer, report, own) for number, answer in enumerate(data_set.answers, start=1))
    return DataSetView(data_set.name, data_set.title, rows, answers)


def _shown_sections(report: Report) -> tuple[Section, ...]:
    """Return the sections of a small report, of a large one those of the best configurations."""
    return report.sections if len(report.entries) <= MOST_RUNS else report.sections[:MOST_SECTIONS]


def _options(report: Report, *, in_several: bool) -> Excerpt[str]:
    """Return what stands above the levels of runs, before them data set and experiment if there are several."""
    found = excerpt([option_title(name) for name in report.options], MOST_OPTIONS)
    first = reversed(_first_columns(report, in_several=in_several))
    return replace(found, shown=(*first, *found.shown))


def _first_columns(report: Report, *, in_several: bool) -> dict[str, dict[int, str]]:
    """Return the columns that stand before the options, the last one first: what each run, by its number, has there."""
    columns = {}
    if report.data_sets:
        columns["Data set"] = {entry.number: entry.data_set for entry in report.entries}
    if in_several:
        columns["Experiment"] = {entry.number: entry.run.experiment for entry in report.entries}
    return columns


def _rows(report: Report, columns: Sequence[tables.Column], linked: set[int], *, in_several: bool) -> Excerpt[RunRow]:
    """Return the table of all runs, given the numbers of those that have a section."""
    entries, places = report.entries, {data_set.name: place for place, data_set in enumerate(report.data_sets)}
    ranked = sorted(report.best_first(entries), key=lambda entry: places.get(entry.data_set, 0))  # each set by itself
    shown = ranked[:MOST_RUNS]
    highest: dict[str, float] = {}
    of_ranking = report.ranked
    compared = [entry for entry in ranked if entry.run.run_id in of_ranking]
    for entry in compared:
        score = report.rank_score(entry)
        if score is not None:
            highest.setdefault(entry.data_set, score)
    best = {e.number for e in compared if e.data_set in highest and report.rank_score(e) == highest[e.data_set]}
    rows = [_row(entry, report, columns, best=entry.number in best, linked=entry.number in linked) for entry in shown]
    for names in _first_columns(report, in_several=in_several).values():
        rows = [replace(row, levels=(names[row.number], *row.levels)) for row in rows]
    return Excerpt(tuple(rows), len(entries) - len(shown))


def _row(entry: RunEntry, report: Report, columns: Sequence[tables.Column], *, best: bool, linked: bool) -> RunRow:
    seeds = entry.terms.seed  # whatever its param is called; of several each by its param's name
    seed = ", ".join(f"{name}={value}" if len(seeds) > 1 else value for name, value in seeds) if seeds else None
    return RunRow(
        number=entry.number,
        name=entry.run.name,
        short_id=entry.run.run_id[:SHORT_ID],
        page=entry.run.page if _ADDRESS.fullmatch(entry.run.page) else "",
        seed=seed,
        levels=tuple(level_cell(option, level) for option, level in entry.levels[:MOST_OPTIONS]),
        cells=tuple(column.cell(entry) for column in columns),
        best=best,
        linked=linked,
        results=tables.results(report, entry),
        training=tables.training_summary(entry),
        training_line=tables.training_line(entry),
        command=shell_line([command]) if (command := entry.command) else None,
    )


def _section(section: Section, report: Report, pictures: Sequence[Picture]) -> SectionView:
    entries, columns = section.entries, tables.section_columns(report, section.entries)
    ids = [entry.run.run_id for entry in entries]
    own = [picture for picture in pictures if _is_of_one_run(picture) and picture.runs[0] in ids]
    rows = (_row(entry, report, columns, best=False, linked=True) for entry in entries[:MOST_RUNS])
    return SectionView(
        title=_title(section, report),
        who=_who([entry.number for entry in entries]),
        score_range=_score_range(report, entries),
        heads=columns,
        is_named=len({entry.run.name for entry in entries}) > 1,
        rows=Excerpt(tuple(rows), max(0, len(entries) - MOST_RUNS)),
        notes=tuple(replace(note, text=note_beginning(note.text)) for note in _notes(entries)),
        pictures=tuple(sorted(own, key=lambda picture: ids.index(picture.runs[0]))),
    )


def _title(section: Section, report: Report) -> str:
    """Return a section's heading: its title, of a report on several experiments with the names of those of its runs."""
    if len({entry.run.experiment for entry in report.entries}) == 1:
        return section.title
    return f"{section.title}, in {listing(list(dict.fromkeys(entry.run.experiment for entry in section.entries)))}"


def _score_range(report: Report, entries: Sequence[RunEntry]) -> Markup:
    """Return what the runs of a section come to: ``25/30``, ``24/30 to 26/30``, ``83.3%``, or the primary metric."""
    known = [entry for entry in report.best_first(entries) if report.rank_score(entry) is not None]
    if not known:
        return plain(NONE)
    low, high = (known[0], known[-1]) if report.metric.lower_is_better else (known[-1], known[0])
    if report.metric.is_accuracy:
        first, last = (
            tables.ratio(entry) if entry.result.accuracy else plain(wording.percent_cell(entry.result.score))
            for entry in (low, high)
        )
        if first != last and not low.result.accuracy:  # the sign of percent stands once
            first = plain(wording.percent_number_cell(low.result.score))
    else:
        write = tables.score_writer(report.entries)
        first, last = write(low), write(high)
    return first if first == last else plain(f"{first} to {last}")


def _notes(entries: Iterable[RunEntry]) -> tuple[NoteView, ...]:
    """Return the notes of runs, those that runs of one title have in common once."""
    runs_of: dict[tuple[str, str], list[int]] = {}
    for entry in entries:
        if entry.run.note:
            runs_of.setdefault((entry.title, entry.run.note), []).append(entry.number)
    return tuple(NoteView(_who(runs), title, text) for (title, text), runs in runs_of.items())


def _who(runs: Sequence[int]) -> str:
    """Return ``Run 3``, ``Runs 1 and 2``; of many runs the first."""
    named = [str(run) for run in runs[:MOST_NAMED]]
    more = [f"{len(runs) - len(named):,} more"] if len(runs) > len(named) else []
    return f"{'Run' if len(runs) == 1 else 'Runs'} {listing([*named, *more])}"


def _conclusion(conclusion: Conclusion, alpha: float) -> ConclusionView:
    return ConclusionView(
        verdict=conclusion.verdict,
        label=conclusion.label,
        sentence=conclusion.sentence,
        facts=tables.facts(conclusion, alpha),
        command=shell_line(conclusion.commands) or None,
    )


def _step(step: NextStep, answers: Sequence[Answer]) -> StepView:
    takes = None if step.estimated_seconds is None else duration(step.estimated_seconds)
    bears_on = (n for n, answer in enumerate(answers, start=1) if not set(step.answers).isdisjoint(answer.conclusions))
    return StepView(capitalised(step.why), shell_line([step.command]), takes, step.outlook, tuple(bears_on))


@dataclass(frozen=True, slots=True, eq=False)
class ClipsView:
    """The clips that of two runs only one classifies correctly."""

    only: ComparedRun
    other: ComparedRun
    # path, label, the probability that each run gives the label, what the other run predicts
    clips: Excerpt[tuple[str, str, Markup, Markup, str | None]]
    has_labels: bool  # whether classes are known, and not only which clips are correct
    has_confidence: bool  # whether probabilities were logged


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonView:
    """A comparison in order, as far as it isn't shown as it is; a row has a name and what it is in each run."""

    options: Excerpt[tuple[str, str, str]]
    repetition: tuple[tuple[str, str, str], ...]
    results: tuple[tuple[str, Markup, Markup], ...]
    conclusion: ConclusionView | None
    clips: tuple[ClipsView, ClipsView]
    classes: Excerpt[ClassCount]


def view_comparison(comparison: Comparison) -> ComparisonView:
    """Prepare a comparison for a person."""
    options = [
        (option_words(name), level_cell(name, first), level_cell(name, second))
        for name, (first, second) in ((option.name, option.levels) for option in comparison.options)
    ]
    conclusion = comparison.conclusion
    return ComparisonView(
        options=excerpt(options, MOST_OPTIONS),
        repetition=tuple((option_words(param.name), *param.levels) for param in comparison.repetition),
        results=tuple(row for row in _results(comparison) if set(row[1:]) != {NONE}),
        conclusion=None if conclusion is None else _conclusion(conclusion, comparison.alpha),
        clips=(_clips(comparison, 0), _clips(comparison, 1)),
        classes=excerpt(comparison.classes, MOST_CLASSES),
    )


def _results(comparison: Comparison) -> Iterator[tuple[str, Markup, Markup]]:
    """Yield the results of both runs, also those that neither logged."""
    entries = entry_a, entry_b = comparison.runs[0].entry, comparison.runs[1].entry

    def row(name: str, cell: Callable[[RunEntry], Markup]) -> tuple[str, Markup, Markup]:
        return name, cell(entry_a), cell(entry_b)

    yield row("correct", tables.correct_of)
    if any(not entry.result.accuracy and tables.percent_correct(entry) != NONE for entry in entries):
        yield row("validation accuracy, %", tables.percent_correct)
    yield row("95% interval", tables.accuracy_interval)
    if not (comparison.metric.is_loss or comparison.metric.is_accuracy):
        yield row(comparison.metric.name, tables.score_writer(entries))
    yield row("validation loss", tables.VAL_LOSS.cell)
    for other in comparison.other_metrics.shown:
        column = tables.other_column(other, entries)
        yield row(column.title, column.cell)
    yield row("best epoch", tables.BEST.cell)
    if any(tables.kept_epoch(entry) != NONE for entry in entries):
        yield row("kept epoch", tables.KEPT.cell)
    yield row("stop epoch", tables.STOP.cell)


def _clips(comparison: Comparison, run: int) -> ClipsView:
    """Return the clips that only the first (0) or the second (1) of the runs classifies correctly."""
    clips = excerpt([clip for clip in comparison.clips if clip.correct[run]], MOST_CLIPS)
    rows = []
    for clip in clips.shown:
        first, second = (plain(wording.percent_cell(probability)) for probability in clip.probabilities)
        rows.append((clip.clip, clip.label, first, second, clip.predicted[1 - run]))
    return ClipsView(
        comparison.runs[run],
        comparison.runs[1 - run],
        Excerpt(tuple(rows), clips.more),
        has_labels=any(clip.label != NO_LABEL for clip in comparison.clips),
        has_confidence=any(p is not None for clip in comparison.clips for p in clip.probabilities),
    )
