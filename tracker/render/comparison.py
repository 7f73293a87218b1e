"""Two runs side by side, as Markdown, as JSON (the schema ``tracker.comparison/1``), and as what a terminal shows.

JSON has every clip; what a person reads has the clearest ones and counts the rest. Text that came from other people is
plain `str` in the view; whoever writes it down escapes it for its medium.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tracker import wording
from tracker.render.jinja import markdown_environment
from tracker.render.json_document import conclusion_record, json_text, run_record
from tracker.render.markdown import tidy
from tracker.render.sanitize import plain
from tracker.render.tables import accuracy_interval, correct_of, facts, kept_epoch, percent_correct, whole
from tracker.render.view_model import MOST_OPTIONS, VERDICTS, ConclusionView, shell_line
from tracker.wording import NONE, capitalised, option_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from markupsafe import Markup

    from tracker.conclusions.conclusion import Conclusion
    from tracker.report import Comparison, SharedClip

SCHEMA = "tracker.comparison/1"

T = TypeVar("T")

MOST_CLIPS = 15  # clips of each run that a person is shown: those of both fit a screen
MOST_CLASSES = 50  # classes that a person is shown


@dataclass(frozen=True, slots=True)
class _NamedRow:
    """A row that begins with what it is about: in words, or a metric's own name."""

    name: str

    @property
    def title(self) -> str:
        """The name as a table's row begins with it."""
        return capitalised(self.name)


@dataclass(frozen=True, slots=True)
class LevelsRow(_NamedRow):
    """An option or param that differs, and the level of each run."""

    levels: tuple[str, str]


@dataclass(frozen=True, slots=True)
class ResultRow(_NamedRow):
    """A result, and the number of each run."""

    values: tuple[Markup, Markup]


@dataclass(frozen=True, slots=True)
class ClipRow:
    """A clip that only one model has right: what each gives its label, and what the other one takes it for."""

    clip: str
    label: str
    chances: tuple[Markup, Markup]
    taken_for: str | None


@dataclass(frozen=True, slots=True, eq=False)
class ClipsView:
    """The clips that only the run `only` has right, how many there are, and how many more than are shown."""

    only: str
    other: str
    n: int
    rows: tuple[ClipRow, ...]
    more: int


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A class, its clips, and how many of them each run has right."""

    name: str
    n: Markup
    correct: tuple[Markup, Markup]


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonView:
    """A comparison in order; each ``more_…`` counts what is left out."""

    experiment: str
    metric: str
    called: tuple[str, str]
    heads: tuple[str, str]
    names: tuple[str, str]
    ids: tuple[str, str]
    differing: tuple[LevelsRow, ...]
    more_options: int
    results: tuple[ResultRow, ...]
    conclusion: ConclusionView | None
    remarks: tuple[str, ...]
    clips_in_common: int
    clips: tuple[ClipsView, ClipsView]
    classes: tuple[ClassRow, ...]
    more_classes: int


def view_comparison(comparison: Comparison) -> ComparisonView:
    """Prepare a comparison for a person."""
    first, second = comparison.runs
    options = comparison.options[:MOST_OPTIONS]
    return ComparisonView(
        experiment=comparison.experiment,
        metric=comparison.metric.name,
        called=(first.called, second.called),
        heads=(capitalised(first.called), capitalised(second.called)),
        names=(first.entry.run.name, second.entry.run.name),
        ids=(first.run_id, second.run_id),
        differing=tuple(
            LevelsRow(option_words(option.name), option.levels) for option in (*options, *comparison.repetition)
        ),
        more_options=len(comparison.options) - len(options),
        results=tuple(row for row in _results(comparison) if set(row.values) != {NONE}),
        conclusion=_conclusion(comparison.conclusion, comparison.alpha),
        remarks=comparison.remarks,
        clips_in_common=comparison.clips_in_common,
        clips=(_clips(comparison, 0), _clips(comparison, 1)),
        classes=tuple(
            ClassRow(counts.name, whole(counts.n), (whole(counts.correct[0]), whole(counts.correct[1])))
            for counts in comparison.classes[:MOST_CLASSES]
        ),
        more_classes=max(0, len(comparison.classes) - MOST_CLASSES),
    )


def render_comparison(comparison: Comparison) -> str:
    """Return a comparison as Markdown."""
    template = markdown_environment().get_template("markdown/comparison.md.j2")
    return tidy(template.render(comparison=view_comparison(comparison)))


def render_comparison_json(comparison: Comparison) -> str:
    """Return a comparison as JSON, runs and conclusion as in the report's, with every clip and every class."""
    ids = [run.run_id for run in comparison.runs]

    def by_run(values: tuple[object, object]) -> dict[str, object]:
        return dict(zip(ids, values, strict=True))

    conclusion = comparison.conclusion
    return json_text(
        {
            "schema": SCHEMA,
            "experiment": comparison.experiment,
            "metric": comparison.metric.name,
            "runs": [run_record(run.entry) for run in comparison.runs],
            "options": [{"option": option.name, "levels": by_run(option.levels)} for option in comparison.options],
            "repetition": [{"param": param.name, "values": by_run(param.levels)} for param in comparison.repetition],
            "conclusion": None if conclusion is None else conclusion_record(conclusion),
            "remarks": comparison.remarks,
            "clips_in_common": comparison.clips_in_common,
            "clips": [
                {
                    "clip": clip.clip,
                    "label": clip.label,
                    "right": ids[clip.correct.index(True)],
                    "predicted": by_run(clip.predicted),
                    "probabilities": by_run(clip.probabilities),
                }
                for clip in comparison.clips
            ],
            "classes": [
                {"class": counts.name, "n": counts.n, "correct": by_run(counts.correct)}
                for counts in comparison.classes
            ],
            "excluded": [
                {"run_id": run.run_id, "reason": run.left_out} for run in comparison.runs if run.left_out is not None
            ],
        }
    )


def _results(comparison: Comparison) -> Iterator[ResultRow]:
    """Yield the results of both runs, also those that neither logged."""
    entry_a, entry_b = entries = comparison.runs[0].entry, comparison.runs[1].entry
    first, second = results = entry_a.result, entry_b.result
    yield ResultRow("right", (correct_of(entry_a), correct_of(entry_b)))
    percents = percent_correct(entry_a), percent_correct(entry_b)
    if any(not result.accuracy and percent != NONE for result, percent in zip(results, percents, strict=True)):
        yield ResultRow("validation accuracy, %", percents)
    yield ResultRow("95 % interval", (accuracy_interval(entry_a), accuracy_interval(entry_b)))
    if not comparison.metric.is_standard:
        digits = wording.digits_apart([result.score for result in results if result.score is not None])
        yield _row(comparison.metric.name, lambda score: wording.fixed_cell(score, digits), first.score, second.score)
    yield _row("validation loss", wording.loss_cell, first.val_loss, second.val_loss)
    yield _row("best epoch", wording.whole_cell, first.best_epoch, second.best_epoch)
    if {kept_epoch(entry) for entry in entries} != {NONE}:
        yield _row("kept epoch", wording.whole_cell, first.kept_epoch, second.kept_epoch)
    yield _row("stop epoch", wording.whole_cell, first.stop_epoch, second.stop_epoch)


def _row(name: str, write: Callable[[T | None], str], first: T | None, second: T | None) -> ResultRow:
    return ResultRow(name, (plain(write(first)), plain(write(second))))


def _conclusion(conclusion: Conclusion | None, alpha: float) -> ConclusionView | None:
    if conclusion is None:
        return None
    return ConclusionView(
        number=None,
        verdict=conclusion.verdict,
        verdict_words=VERDICTS[conclusion.verdict],
        sentence=conclusion.sentence,
        facts=facts(conclusion, alpha),
        tables=(),
        steps=(),
        command=shell_line(conclusion.commands) or None,
    )


def _clips(comparison: Comparison, correct: int) -> ClipsView:
    """Return the clips that only the first (0) or the second (1) of the runs classifies correctly."""
    clips = [clip for clip in comparison.clips if clip.correct[correct]]
    return ClipsView(
        only=comparison.runs[correct].called,
        other=comparison.runs[1 - correct].called,
        n=len(clips),
        rows=tuple(_clip(clip, correct) for clip in clips[:MOST_CLIPS]),
        more=max(0, len(clips) - MOST_CLIPS),
    )


def _clip(clip: SharedClip, correct: int) -> ClipRow:
    first, second = (plain(wording.percent_cell(probability)) for probability in clip.probabilities)
    return ClipRow(clip.clip, clip.label, (first, second), clip.predicted[1 - correct])
