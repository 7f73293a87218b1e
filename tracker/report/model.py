"""What stands in the report, in order: the data that Markdown, HTML and JSON are written from.

Nothing here is formatted for a medium. Text that came from other people (names, notes, classes, paths) is carried as
it came; the renderers escape it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracker.conclusions.conclusion import Conclusion
    from tracker.next_steps.steps import NextStep
    from tracker.runs import Run
    from tracker.statistics.proportions import Interval


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many clips are classified right: `correct` of `n`, with the 95 % interval of the fraction."""

    correct: int
    n: int
    interval: Interval

    @property
    def fraction(self) -> float:
        """`correct` / `n`."""
        return self.correct / self.n


@dataclass(frozen=True, slots=True, eq=False)
class RunEntry:
    """One run as the report shows it.

    Parameters
    ----------
    number : int
        Counted from 1 in the report's order; sentences say "run 3".
    title : str
        The configuration in words, as in ``Conv=7, lr=0.0001, EarlyStopping(patience=15)``.
    run : Run
    levels : tuple of (option, level)
        The options that vary in the experiment and this run's levels.
    accuracy : Accuracy or None
        On the validation clips, with the kept weights.
    val_loss, val_accuracy : float or None
        Of the kept weights, as logged.
    best_epoch, stop_epoch : int or None
    seconds : float or None
        Spent in training epochs.
    score : float or None
        The primary metric with the kept weights.
    kept_epoch : int or None
        Whose weights were kept; None where that was not logged.
    """

    number: int
    title: str
    run: Run
    levels: tuple[tuple[str, str], ...]
    accuracy: Accuracy | None
    val_loss: float | None
    val_accuracy: float | None
    best_epoch: int | None
    stop_epoch: int | None
    seconds: float | None
    score: float | None = None
    kept_epoch: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """The runs of one configuration: a heading, and a row a seed."""

    title: str
    entries: tuple[RunEntry, ...]


@dataclass(frozen=True, slots=True)
class Excluded:
    """A run that is left out, and why."""

    run_id: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """A person's note on a run, in that person's own Markdown."""

    run_number: int
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure, ready to be shown.

    Parameters
    ----------
    name : str
        Letters, digits and hyphens; what it shows (``curves``), never anything from a run.
    png : bytes
    alt : str
        The finding in a sentence.
    header : tuple of str
    rows : tuple of tuple of str
        The figure's numbers as a table.
    runs : tuple of str
        Run ids that it shows; the section of a single one carries it.
    """

    name: str
    png: bytes
    alt: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """The whole report.

    Parameters
    ----------
    experiment, metric : str
    summary : tuple of Conclusion
        "What came out": at most five.
    limits : tuple of str
        "What this data cannot tell", in sentences.
    options : tuple of str
        Options that vary, in the order of the table's columns.
    sections : tuple of Section
    conclusions : tuple of Conclusion
    next_steps : tuple of NextStep
    notes : tuple of Note
    challenges : tuple of str
        What the runs show went wrong, in sentences.
    excluded : tuple of Excluded
    methods : tuple of str
        Sentences with their sources.
    versions : tuple of (name, version)
    alpha : float
        The level that each family of tests is held to.
    margin : float
        Differences of accuracy within ± this are too small to matter.
    by_accuracy : bool
        Whether the primary metric is the share of validation clips classified right.
    lower_is_better : bool
        Whether less of it is better.
    """

    experiment: str
    metric: str
    summary: tuple[Conclusion, ...]
    limits: tuple[str, ...]
    options: tuple[str, ...]
    sections: tuple[Section, ...]
    conclusions: tuple[Conclusion, ...]
    next_steps: tuple[NextStep, ...]
    notes: tuple[Note, ...]
    challenges: tuple[str, ...]
    excluded: tuple[Excluded, ...]
    methods: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    alpha: float = 0.05
    margin: float = 0.05
    by_accuracy: bool = True
    lower_is_better: bool = False

    def standing(self, entry: RunEntry) -> float | None:
        """Return what a run is ranked by, more being better; None where it has no place."""
        score = entry.accuracy.fraction if self.by_accuracy and entry.accuracy else entry.score
        return score if score is None or not self.lower_is_better else -score

    def best_first(self, entries: Iterable[RunEntry]) -> list[RunEntry]:
        """Return runs by the primary metric, the best first; ties by validation loss, then by number."""
        return sorted(entries, key=self._rank)

    def _rank(self, entry: RunEntry) -> tuple[float, float, int]:
        standing = self.standing(entry)
        loss = math.inf if entry.val_loss is None else entry.val_loss
        return math.inf if standing is None else -standing, loss, entry.number

    @property
    def entries(self) -> tuple[RunEntry, ...]:
        """Every run in the report's order."""
        return tuple(sorted((e for s in self.sections for e in s.entries), key=lambda e: e.number))
