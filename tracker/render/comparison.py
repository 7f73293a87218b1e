"""Two runs side by side as a person sees them: the clearest clips are shown, and the rest are counted.

Text that came from other people is plain `str`; whoever writes it down escapes it for its medium.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tracker import wording
from tracker.render.sanitize import plain
from tracker.render.tables import accuracy_interval, correct_of, facts, kept_epoch, percent_correct
from tracker.render.view_model import MOST_OPTIONS, ConclusionView, Excerpt, excerpt, shell_line
from tracker.wording import NONE, option_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from markupsafe import Markup

    from tracker.conclusions.conclusion import Conclusion
    from tracker.report import ClassCount, ComparedRun, Comparison

T = TypeVar("T")

MOST_CLIPS = 15  # clips of each run that a person is shown: those of both fit a screen
MOST_CLASSES = 50  # classes that a person is shown


@dataclass(frozen=True, slots=True)
class ClipRow:
    """A clip that only one model classifies correctly."""

    clip: str
    label: str
    probabilities: tuple[Markup, Markup]  # that each model gives the label
    predicted: str | None  # by the other one


@dataclass(frozen=True, slots=True, eq=False)
class ClipsView:
    """The clips that of two runs only `only` classifies correctly."""

    only: ComparedRun
    other: ComparedRun
    clips: Excerpt[ClipRow]


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
    return ComparisonView(
        options=excerpt(options, MOST_OPTIONS),
        repetition=tuple((option_words(param.name), *param.levels) for param in comparison.repetition),
        results=tuple(row for row in _results(comparison) if set(row[1:]) != {NONE}),
        conclusion=None if comparison.conclusion is None else _conclusion(comparison.conclusion, comparison.alpha),
        clips=(_clips(comparison, 0), _clips(comparison, 1)),
        classes=excerpt(comparison.classes, MOST_CLASSES),
    )


def _conclusion(conclusion: Conclusion, alpha: float) -> ConclusionView:
    command = shell_line(conclusion.commands) or None
    return ConclusionView(conclusion.verdict, conclusion.sentence, facts(conclusion, alpha), command)


def _results(comparison: Comparison) -> Iterator[tuple[str, Markup, Markup]]:
    """Yield the results of both runs, also those that neither logged."""
    entries = entry_a, entry_b = comparison.runs[0].entry, comparison.runs[1].entry
    first, second = results = entry_a.result, entry_b.result
    yield "right", correct_of(entry_a), correct_of(entry_b)
    percents = percent_correct(entry_a), percent_correct(entry_b)
    if any(not result.accuracy and percent != NONE for result, percent in zip(results, percents, strict=True)):
        yield "validation accuracy, %", *percents
    yield "95 % interval", accuracy_interval(entry_a), accuracy_interval(entry_b)
    if not comparison.metric.is_standard:
        digits = wording.digits_apart([result.score for result in results if result.score is not None])
        yield _row(comparison.metric.name, lambda score: wording.fixed_cell(score, digits), first.score, second.score)
    yield _row("validation loss", wording.loss_cell, first.val_loss, second.val_loss)
    yield _row("best epoch", wording.whole_cell, first.best_epoch, second.best_epoch)
    if {kept_epoch(entry) for entry in entries} != {NONE}:
        yield _row("kept epoch", wording.whole_cell, first.kept_epoch, second.kept_epoch)
    yield _row("stop epoch", wording.whole_cell, first.stop_epoch, second.stop_epoch)


def _row(name: str, write: Callable[[T | None], str], first: T | None, second: T | None) -> tuple[str, Markup, Markup]:
    return name, plain(write(first)), plain(write(second))


def _clips(comparison: Comparison, run: int) -> ClipsView:
    """Return the clips that only the first (0) or the second (1) of the runs classifies correctly."""
    clips = excerpt([clip for clip in comparison.clips if clip.correct[run]], MOST_CLIPS)
    rows = []
    for clip in clips.shown:
        first, second = (plain(wording.percent_cell(probability)) for probability in clip.probabilities)
        rows.append(ClipRow(clip.clip, clip.label, (first, second), clip.predicted[1 - run]))
    return ClipsView(comparison.runs[run], comparison.runs[1 - run], Excerpt(tuple(rows), clips.more))
