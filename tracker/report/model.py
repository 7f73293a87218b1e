"""What stands in the report, in order: the data that Markdown, HTML and JSON are written from.

Nothing here is formatted for a medium. Text that came from other people (names, notes, classes, paths) is carried as
it came; the renderers escape it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tracker.conclusions.across_data_sets import AcrossDataSets
from tracker.conclusions.conclusion import seed_of
from tracker.study.other_metrics import NO_OTHERS, OtherMetrics
from tracker.study.sample_name import CLIPS, SampleName
from tracker.wording import capitalised, counted, metric_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tracker.answers import Answer
    from tracker.conclusions.best_configuration import Standing
    from tracker.conclusions.conclusion import Conclusion, Table
    from tracker.next_steps.command_line import CommandWriter
    from tracker.next_steps.steps import NextStep
    from tracker.report.data_and_method import FactRow
    from tracker.runs import Run
    from tracker.study.metrics import Metric
    from tracker.study.options import Terms
    from tracker.study.run_results import RunResult


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A number that a reader looks for first, and what it is."""

    value: str
    caption: str


@dataclass(frozen=True, slots=True, eq=False)
class RunEntry:
    """One run as the report shows it."""

    result: RunResult
    title: str  # the configuration in words: ``Conv=7, lr=0.0001, EarlyStopping(patience=15)``
    terms: Terms
    levels: tuple[tuple[str, str], ...]  # each option that varies in the experiment, and this run's level of it
    split: tuple[tuple[str, str], ...] = ()  # each part of the split that varies, such as the fold, and this run's
    writer: CommandWriter | None = None  # of the command that trains it again
    data_set: str = ""  # the one that it is on, if configurations are compared across several

    @property
    def command(self) -> tuple[str, ...] | None:
        """The command that trains it again, by its arguments; None if there is none."""
        seed = seed_of(self.terms)
        return None if self.writer is None or seed is None else self.writer.train_again(self.run, {}, seed)

    @property
    def number(self) -> int:
        """Counted from 1 in the report's order; sentences say "run 3"."""
        return self.result.number

    @property
    def name(self) -> str:
        """What headings and figures call it: ``Run 3``."""
        return f"Run {self.number}"

    @property
    def run(self) -> Run:
        """What was logged."""
        return self.result.run


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """One configuration: a heading, what it is called in a table, how it ranks, and a row a seed."""

    title: str
    entries: tuple[RunEntry, ...]
    words: str = ""
    standing: Standing | None = None

    @property
    def data_set(self) -> str:
        """The data set that its runs are on, if configurations are compared across several."""
        return self.entries[0].data_set


@dataclass(frozen=True, slots=True, eq=False)
class DataSetSection:
    """One of several data sets: its name, the finding on it in a line, answers, and its configurations."""

    name: str
    title: str
    answers: tuple[Answer, ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Excluded:
    """A run that is left out, and why."""

    run_id: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plot:
    """The values behind a panel's lines, and where its axes are, for a page in which they can be read off."""

    area: tuple[float, float, float, float]  # left, top, width and height between the axes, in units of the drawing
    limits: tuple[float, float, float, float]  # first and last epoch, lowest and highest value between the axes
    epochs: tuple[int, ...]  # of very many those that are drawn
    lines: tuple[tuple[str, tuple[float | None, ...]], ...]  # each by its name, its values as logged, maybe NaN
    best: int | None
    in_percent: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing of a figure: SVG with classes instead of colours, everything in it escaped."""

    svg: str
    narrow: str = ""  # the same for a narrow place; empty if `svg` suits both
    caption: str = ""  # what it shows, if there are several: ``Run 3``
    detail: str = ""  # more about that: the run's configuration
    plot: Plot | None = None


Layout = Literal["single", "pair", "multiples"]  # how the panels of a figure stand in a page


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure, ready to be shown."""

    name: str  # letters, digits and hyphens; what it shows (``curves``), never anything from a run
    title: str  # its finding in a line, visible above it
    note: str  # how to read it: what the axes, lines and marks are
    alt: str  # its finding in a sentence, for those who cannot see it
    panels: tuple[Panel, ...]  # of one size
    drawing: str  # the whole figure as one SVG that carries its colours and sizes, for PNG and PDF
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]  # the figure's numbers as a table
    runs: tuple[str, ...]  # run ids that it shows; the section of a single one carries it
    layout: Layout = "single"


@dataclass(frozen=True, slots=True)
class Procedure:
    """How something was computed."""

    purpose: str  # what it is for: the title of a kind of conclusions
    how: str  # sentences
    source: str = ""  # authors, years and DOIs


@dataclass(frozen=True, slots=True)
class Cover:
    """What a report's author sets above it; each is empty if there is none."""

    title: str = ""  # stands above the finding
    author: str = ""
    intro: str = ""  # Markdown, as a run's note is


def _named_answer(answer: Answer, named: Callable[[str], str]) -> Answer:
    tables = (
        replace(table, title=named(table.title), header=tuple(map(named, table.header)), rows=tuple(
            tuple(map(named, row)) for row in table.rows
        ))
        for table in answer.tables
    )  # fmt: skip
    return replace(
        answer,
        question=named(answer.question),
        sentence=named(answer.sentence),
        points=tuple(map(named, answer.points)),
        tables=tuple(tables),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """The whole report."""

    experiment: str
    metric: Metric
    limits: tuple[str, ...]  # "What this data cannot tell", in sentences
    options: tuple[str, ...]  # options that vary, in the order of the table's columns
    sections: tuple[Section, ...]  # the best configuration first
    conclusions: tuple[Conclusion, ...]
    next_steps: tuple[NextStep, ...]
    challenges: tuple[str, ...]  # what the runs show went wrong, in sentences
    excluded: tuple[Excluded, ...]
    methods: tuple[Procedure, ...]
    versions: tuple[tuple[str, str], ...]
    alpha: float = 0.05  # the level that each family of tests is held to
    margin: float = 0.05  # differences of accuracy within ± this are too small to matter
    title: str = ""  # the finding
    lead: str = ""  # two sentences: the best configuration, and what the runs show
    facts: tuple[tuple[str, str], ...] = ()  # what the report is about, each with its name
    key_figures: tuple[KeyFigure, ...] = ()
    answers: tuple[Answer, ...] = ()  # at most seven, whatever the number of runs
    data_and_method: tuple[FactRow, ...] = ()  # what the runs were trained on and how
    other_metrics: OtherMetrics = NO_OTHERS  # than the primary one; values in the order of `entries`
    data_sets: tuple[DataSetSection, ...] = ()  # if configurations are compared across several
    cover: Cover = Cover()
    sample: SampleName = CLIPS  # what its sentences call a clip

    def __repr__(self) -> str:
        return f"<Report on {self.experiment!r}: {counted(len(self.conclusions), 'conclusion')}>"

    def with_sample_name(self, sample: SampleName) -> Report:
        """Return the report, whose conclusions are, in sentences that call a clip by another name."""
        named = sample.put_into
        if named("clip") == "clip":
            return replace(self, sample=sample)
        return replace(
            self,
            sample=sample,
            title=named(self.title),
            lead=named(self.lead),
            facts=tuple((named(name), text if text == self.experiment else named(text)) for name, text in self.facts),
            key_figures=tuple(KeyFigure(named(one.value), named(one.caption)) for one in self.key_figures),
            answers=tuple(_named_answer(answer, named) for answer in self.answers),
            data_sets=tuple(
                replace(one, title=named(one.title), answers=tuple(_named_answer(a, named) for a in one.answers))
                for one in self.data_sets
            ),
            data_and_method=tuple(
                replace(row, name=named(row.name), text=row.text and named(row.text)) for row in self.data_and_method
            ),
            limits=tuple(map(named, self.limits)),
            next_steps=tuple(replace(s, why=named(s.why), outlook=named(s.outlook)) for s in self.next_steps),
            challenges=tuple(map(named, self.challenges)),
            methods=tuple(replace(m, purpose=named(m.purpose), how=named(m.how)) for m in self.methods),
        )

    def rank_score(self, entry: RunEntry) -> float | None:
        """Return what a run is ranked by, higher being better; None if it has no rank."""
        score = entry.result.score
        return -score if score is not None and self.metric.lower_is_better else score

    def best_first(self, entries: Iterable[RunEntry]) -> list[RunEntry]:
        """Return runs by the primary metric, the best first; ties by validation loss, then by id.

        Runs on other clips than those that are ranked come after these.
        """
        ranked = self.ranked

        def rank(entry: RunEntry) -> tuple[bool, float, float, str]:
            score, loss = self.rank_score(entry), entry.result.val_loss
            by_loss = math.inf if loss is None else loss
            return entry.run.run_id not in ranked, math.inf if score is None else -score, by_loss, entry.run.run_id

        return sorted(entries, key=rank)

    @property
    def ranked(self) -> frozenset[str]:
        """The ids of the runs that are ranked: those on the clips that most runs share, of each data set by itself."""
        ranked = [one for one in self.sections if one.standing is None or one.standing.tied is not None]
        has_rivals = len(ranked) > 1 or len(self.sections) == 1
        return frozenset(entry.run.run_id for one in ranked for entry in one.entries) if has_rivals else frozenset()

    @property
    def has_winner(self) -> bool:
        """Whether one configuration is best by a test, which is then the finding and the first section."""
        found = [c for kind in ("best_configuration", "best_run") for c in self.conclusions if c.kind == kind]
        return not self.data_sets and bool(found) and found[0].verdict == "supported"

    @property
    def has_commands(self) -> bool:
        """Whether any run can be trained again by a command."""
        return any(entry.command for entry in self.entries)

    @property
    def across_data_sets(self) -> AcrossDataSets | None:
        """How configurations rank across several data sets; None if they aren't compared so."""
        found = (conclusion.details for conclusion in self.conclusions)
        return next((details for details in found if isinstance(details, AcrossDataSets)), None)

    @property
    def scores_by_data_set(self) -> Table | None:
        """The scores of the configurations on each of several data sets; None if they aren't compared across them."""
        across = self.across_data_sets
        if across is None:
            return None
        words = metric_words(self.metric)
        title = f"{capitalised(words) if self.metric.is_standard else words} on each data set, and mean rank"
        return across.score_table(in_percent=self.metric.is_accuracy and self.metric.is_fraction, title=title)

    @property
    def entries(self) -> tuple[RunEntry, ...]:
        """Every run in the report's order."""
        return tuple(sorted((e for s in self.sections for e in s.entries), key=lambda e: e.number))
