"""What a reader sees of a report, in order, before it is Markdown or HTML.

Numbers are text already (`Markup`, nothing in it to escape); text that came from other people is plain `str`, and the
templates' filters escape it for their medium.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracker.conclusions.conclusion import Table, Verdict
    from tracker.report import Excluded, Picture

NOTHING = Markup()


def shell_line(commands: Iterable[Sequence[str]]) -> str:
    """Return commands as one line for a POSIX shell, each run only if the one before succeeds; empty for none."""
    return " && ".join(map(shlex.join, commands))


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column: a title, maybe other people's, and how its cells are set (see `columns.Column`)."""

    title: str
    numeric: bool
    primary: bool
    tight: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """A result in a run's own section: what, how much, and a note in brackets (maybe empty)."""

    title: str
    value: Markup
    note: Markup


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as a row: its cells in a table, and what its own section says of it."""

    number: int
    name: str
    run_id: str
    seed: str | None
    levels: tuple[str, ...]
    ratio: Markup
    share: Markup
    bounds: Markup
    val_loss: Markup
    seconds: Markup
    best_epoch: Markup
    kept_epoch: Markup
    stop_epoch: Markup
    right: Markup
    interval: Markup
    logged_loss: Markup
    logged_accuracy: Markup
    duration: Markup
    best: bool
    linked: bool
    cells: tuple[Markup, ...] = ()
    results: tuple[Fact, ...] = ()
    course: tuple[Fact, ...] = ()
    course_line: Markup = NOTHING


@dataclass(frozen=True, slots=True)
class NoteView:
    """A note, whole or its beginning, and the runs that carry it: ``runs 1 and 2``."""

    who: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class SectionView:
    """The runs of one configuration: who they are, what they come to at least and at most, and each.

    `metric` names what they come to, where it is no accuracy.
    """

    title: str
    who: str
    metric: str | None
    right: Markup
    heads: tuple[Head, ...]
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
    heads: tuple[Head, ...]
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
