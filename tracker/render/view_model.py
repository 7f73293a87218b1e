"""From a report or a comparison to what is seen of it: in order, numbered, of a size that a person can read.

Numbers are text already (`Markup`, nothing in it to escape); text that came from other people is plain `str`, and the
templates' filters escape it for their medium.

However many runs there are, the report stays bounded: sections fold above 12 runs; above 50 the table has the best runs
and only those that the summary speaks of have a section. What is left out is counted, and the templates say where it
can be seen.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from tracker import wording
from tracker.conclusions import kind_of, kinds, of_kind
from tracker.next_steps.steps import why_no_step
from tracker.render import tables
from tracker.render.sanitize import note_beginning, plain
from tracker.runs import LOGGED_OPTIONS
from tracker.study.options import terms_of
from tracker.wording import NONE, capitalised, duration, listing, option_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from markupsafe import Markup

    from tracker.conclusions.conclusion import Conclusion, Kind, Table, Verdict
    from tracker.report import (
        ClassCount,
        ComparedRun,
        Comparison,
        Excluded,
        NextStep,
        Picture,
        Report,
        RunEntry,
        Section,
    )  # fmt: skip

T = TypeVar("T")

FOLDED_ABOVE = 12  # runs above which each run's section is folded; also the most that have one above MOST_RUNS
MOST_RUNS = 50  # runs that the table shows, and above which only those that the summary speaks of have a section
MOST_OPTIONS = 8  # options that have a column in the table of runs
MOST_IN_THE_OPEN = 12  # conclusions of one kind that are not folded
MOST_OF_A_KIND = 60  # conclusions of one kind that are shown at all
MOST_LINES = 50  # notes, challenges and excluded runs that are shown
MOST_CLIPS = 15  # clips of each of two runs that are shown: those of both fit a screen
MOST_CLASSES = 50  # classes that are shown of a comparison

_WITH_THE_TABLE = ("configurations", "curves")  # pictures that stand below the table of runs, not with the conclusions


def shell_line(commands: Iterable[Sequence[str]]) -> str:
    """Return commands as one line for a POSIX shell, each run only if the one before succeeds; empty for none."""
    return " && ".join(map(shlex.join, commands))


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
    seed: str | None
    levels: tuple[str, ...]
    cells: tuple[Markup, ...]
    best: bool  # whether no run is better
    linked: bool  # whether it has a section
    results: tuple[tables.Fact, ...]
    training: tuple[tables.Fact, ...]
    training_line: Markup


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
    rows: Excerpt[RunRow]
    notes: tuple[NoteView, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ConclusionView:
    """A conclusion with its number, if it is among those shown, and the numbers of the steps that bear on it."""

    verdict: Verdict
    label: str  # the verdict as it is read
    sentence: str
    facts: tuple[str, ...]
    command: str | None
    number: int | None = None
    tables: tuple[Table, ...] = ()
    steps: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class KindView:
    """The conclusions of one kind: in the open, folded, and how many more there are."""

    title: str
    open: tuple[ConclusionView, ...]
    folded: tuple[ConclusionView, ...]
    more: int


@dataclass(frozen=True, slots=True)
class StepView:
    """A command worth running: why, how long, what it may show, and the shown conclusions that it bears on."""

    why: str
    command: str
    duration: str | None
    outlook: str
    answers: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ReportView:
    """The report in order, as far as it isn't shown as it is."""

    folded: bool
    summary: tuple[ConclusionView, ...]
    options: Excerpt[str]
    heads: tuple[tables.Column, ...]
    legend: str
    rows: Excerpt[RunRow]
    run_pictures: tuple[tuple[Picture, str], ...]  # with a remark, maybe empty
    sections: Excerpt[SectionView]
    kinds: tuple[KindView, ...]
    conclusion_pictures: tuple[Picture, ...]
    why_no_step: str
    steps: tuple[StepView, ...]
    notes: Excerpt[NoteView]
    challenges: Excerpt[str]
    excluded: Excerpt[Excluded]


def arrange(report: Report, pictures: Sequence[Picture] = ()) -> ReportView:
    """Prepare a report for a template; the curves of a single run go into its section."""
    entries, columns = report.entries, tables.table_columns(report)
    sections = tuple(_section(section, report, pictures) for section in _shown_sections(report))
    linked = {row.number for section in sections for row in section.rows.shown}
    carried = {id(picture) for section in sections for picture in section.pictures}
    others = [picture for picture in pictures if id(picture) not in carried]
    by_kind = {kind: found for kind in kinds() if (found := of_kind(report.conclusions, kind))}
    numbered = (conclusion.id for of_one in by_kind.values() for conclusion in of_one[:MOST_OF_A_KIND])
    numbers_of = {conclusion_id: number for number, conclusion_id in enumerate(numbered, start=1)}
    return ReportView(
        folded=len(entries) > FOLDED_ABOVE,
        summary=tuple(_conclusion(conclusion, report, numbers_of) for conclusion in report.summary),
        options=excerpt(
            [capitalised(option_words(name)) if name in LOGGED_OPTIONS else name for name in report.options],
            MOST_OPTIONS,
        ),
        heads=columns,
        legend=tables.legend(report),
        rows=_rows(report, columns, linked),
        run_pictures=tuple(
            (picture, _remark(picture, len(entries))) for picture in others if picture.name in _WITH_THE_TABLE
        ),
        sections=Excerpt(sections, len(report.sections) - len(sections)),
        kinds=tuple(_kind(kind, found, report, numbers_of) for kind, found in by_kind.items()),
        conclusion_pictures=tuple(picture for picture in others if picture.name not in _WITH_THE_TABLE),
        why_no_step=why_no_step(report.conclusions),
        steps=tuple(_step(step, numbers_of) for step in report.next_steps),
        notes=excerpt(_notes(entries), MOST_LINES),
        challenges=excerpt(report.challenges, MOST_LINES),
        excluded=excerpt(report.excluded, MOST_LINES),
    )


def _shown_sections(report: Report) -> tuple[Section, ...]:
    """Return the sections of a small report, of a large one those of the runs that the summary speaks of."""
    if len(report.entries) <= MOST_RUNS:
        return report.sections
    named = {run_id for conclusion in report.summary for run_id in conclusion.runs[:FOLDED_ABOVE]}
    spoken_of = (part for part in report.sections if any(entry.run.run_id in named for entry in part.entries))
    return tuple(spoken_of)[:FOLDED_ABOVE]


def _rows(report: Report, columns: Sequence[tables.Column], linked: set[int]) -> Excerpt[RunRow]:
    """Return the table of all runs, given the numbers of those that have a section."""
    entries = report.entries
    shown = report.best_first(entries)[:MOST_RUNS] if len(entries) > MOST_RUNS else entries
    highest = max((score for entry in entries if (score := report.rank_score(entry)) is not None), default=None)
    best = {entry.number for entry in shown if highest is not None and report.rank_score(entry) == highest}
    rows = (_row(entry, report, columns, best=entry.number in best, linked=entry.number in linked) for entry in shown)
    return Excerpt(tuple(rows), len(entries) - len(shown))


def _row(entry: RunEntry, report: Report, columns: Sequence[tables.Column], *, best: bool, linked: bool) -> RunRow:
    seeds = terms_of(entry.run.params).seed  # whatever its param is called; of several each by its param's name
    seed = ", ".join(f"{name}={value}" if len(seeds) > 1 else value for name, value in seeds) if seeds else None
    return RunRow(
        number=entry.number,
        name=entry.run.name,
        seed=seed,
        levels=tuple(level for _, level in entry.levels[:MOST_OPTIONS]),
        cells=tuple(column.cell(entry) for column in columns),
        best=best,
        linked=linked,
        results=tables.results(report, entry),
        training=tables.training_summary(entry),
        training_line=tables.training_line(entry),
    )


def _section(section: Section, report: Report, pictures: Sequence[Picture]) -> SectionView:
    entries, columns = section.entries, tables.section_columns(report, section.entries)
    ids = [entry.run.run_id for entry in entries]
    own = [p for p in pictures if p.name == "curves" and len(p.runs) == 1 and p.runs[0] in ids]
    rows = (_row(entry, report, columns, best=False, linked=True) for entry in entries[:MOST_RUNS])
    return SectionView(
        title=section.title,
        who=_who([entry.number for entry in entries]),
        score_range=_score_range(report, entries),
        heads=columns,
        rows=Excerpt(tuple(rows), max(0, len(entries) - MOST_RUNS)),
        notes=tuple(replace(note, text=note_beginning(note.text)) for note in _notes(entries)),
        pictures=tuple(sorted(own, key=lambda picture: ids.index(picture.runs[0]))),
    )


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


def _remark(picture: Picture, runs: int) -> str:
    """Return which runs a picture of curves shows that doesn't show all."""
    if picture.name != "curves" or len(picture.runs) >= runs:
        return ""
    return f"The {len(picture.runs)} best of {runs:,} runs."


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
    return KindView(kind.title, views[:MOST_IN_THE_OPEN], views[MOST_IN_THE_OPEN:], len(found) - len(views))


def _conclusion(conclusion: Conclusion, report: Report, numbers_of: Mapping[str, int]) -> ConclusionView:
    steps = enumerate(report.next_steps, start=1)
    listed = any((step.command,) == conclusion.commands for step in report.next_steps)
    in_points = report.metric.is_accuracy or not kind_of(conclusion).in_metric_unit
    return ConclusionView(
        verdict=conclusion.verdict,
        label=conclusion.label,
        sentence=conclusion.sentence,
        facts=tables.facts(conclusion, report.alpha, in_points=in_points),
        command=None if listed else shell_line(conclusion.commands) or None,
        number=numbers_of.get(conclusion.id),
        tables=conclusion.details.tables(in_points=report.metric.is_accuracy),
        steps=tuple(number for number, step in steps if conclusion.id in step.answers),
    )


def _step(step: NextStep, numbers_of: Mapping[str, int]) -> StepView:
    takes = None if step.estimated_seconds is None else duration(step.estimated_seconds)
    answers = tuple(sorted(numbers_of[found] for found in step.answers if found in numbers_of))
    return StepView(capitalised(step.why), shell_line([step.command]), takes, step.outlook, answers)


@dataclass(frozen=True, slots=True, eq=False)
class ClipsView:
    """The clips that of two runs only one classifies correctly."""

    only: ComparedRun
    other: ComparedRun
    # path, label, the probability that each run gives the label, what the other run predicts
    clips: Excerpt[tuple[str, str, Markup, Markup, str | None]]


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
    options = [(option_words(option.name), *option.levels) for option in comparison.options]
    conclusion = comparison.conclusion
    return ComparisonView(
        options=excerpt(options, MOST_OPTIONS),
        repetition=tuple((option_words(param.name), *param.levels) for param in comparison.repetition),
        results=tuple(row for row in _results(comparison) if set(row[1:]) != {NONE}),
        conclusion=None
        if conclusion is None
        else ConclusionView(
            verdict=conclusion.verdict,
            label=conclusion.label,
            sentence=conclusion.sentence,
            facts=tables.facts(conclusion, comparison.alpha),
            command=shell_line(conclusion.commands) or None,
        ),
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
    if not comparison.metric.is_standard:
        yield row(comparison.metric.name, tables.score_writer(entries))
    yield row("validation loss", tables.LOSS.cell)
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
    return ClipsView(comparison.runs[run], comparison.runs[1 - run], Excerpt(tuple(rows), clips.more))
