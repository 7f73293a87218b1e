"""Two runs side by side as a person sees them: the clearest clips are shown, and the rest are counted.

Text that came from other people is plain `str`; whoever writes it down escapes it for its medium.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker import wording
from tracker.render.sanitize import plain
from tracker.render.tables import accuracy_interval, correct_of, facts, kept_epoch, percent_correct, score_writer, whole
from tracker.render.view_model import MOST_OPTIONS, ConclusionView, Excerpt, excerpt, shell_line
from tracker.wording import NONE, option_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from markupsafe import Markup

    from tracker.conclusions.conclusion import Conclusion
    from tracker.report import ClassCount, ComparedRun, Comparison, RunEntry

MOST_CLIPS = 15  # clips of each run that a person is shown: those of both fit a screen
MOST_CLASSES = 50  # classes that a person is shown


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

    def row(name: str, cell: Callable[[RunEntry], Markup]) -> tuple[str, Markup, Markup]:
        return name, cell(entry_a), cell(entry_b)

    yield row("right", correct_of)
    if any(not entry.result.accuracy and percent_correct(entry) != NONE for entry in entries):
        yield row("validation accuracy, %", percent_correct)
    yield row("95 % interval", accuracy_interval)
    if not comparison.metric.is_standard:
        yield row(comparison.metric.name, score_writer(entries))
    yield row("validation loss", lambda entry: plain(wording.loss_cell(entry.result.val_loss)))
    yield row("best epoch", lambda entry: whole(entry.result.best_epoch))
    if any(kept_epoch(entry) != NONE for entry in entries):
        yield row("kept epoch", lambda entry: whole(entry.result.kept_epoch))
    yield row("stop epoch", lambda entry: whole(entry.result.stop_epoch))


def _clips(comparison: Comparison, run: int) -> ClipsView:
    """Return the clips that only the first (0) or the second (1) of the runs classifies correctly."""
    clips = excerpt([clip for clip in comparison.clips if clip.correct[run]], MOST_CLIPS)
    rows = []
    for clip in clips.shown:
        first, second = (plain(wording.percent_cell(probability)) for probability in clip.probabilities)
        rows.append((clip.clip, clip.label, first, second, clip.predicted[1 - run]))
    return ClipsView(comparison.runs[run], comparison.runs[1 - run], Excerpt(tuple(rows), clips.more))
