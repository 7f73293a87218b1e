"""``tracker compare``: two runs clip by clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tracker.cli.analysis_options import Question, question_options, read_runs
from tracker.cli.console import say, show, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from tracker.render import ClipsView, ComparisonView
    from tracker.report import Comparison

_EXAMPLES = """
\b
Examples:
  tracker compare k7-lr0.001-s0 k3-lr0.001-s0
  tracker compare 8b7e7d8f 45fb32b8 --format markdown
"""

_SHORT_ID = 8


@click.command(epilog=_EXAMPLES, short_help="Compare two runs clip by clip.")
@click.argument("first", metavar="RUN")
@click.argument("second", metavar="RUN")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="For a terminal, for programs (every clip), or for GitHub.",
)
@question_options
def compare(*, first: str, second: str, form: str, question: Question) -> None:
    """Compare two runs clip by clip: what they differ in, what can be concluded, and the clips that only one has right.

    RUN is a run's id, a unique beginning of one, or a name, as `tracker runs` lists them.
    """
    comparison = _compared(first, second, question)
    from tracker import render

    if form == "table":
        show(*_parts(render.view_comparison(comparison)))
        return
    write = render.render_comparison_json if form == "json" else render.render_comparison
    say(write(comparison), end="")


def _compared(first: str, second: str, question: Question) -> Comparison:
    from tracker.recording.suggestions import here
    from tracker.report import build_comparison
    from tracker.runs.find import find_run

    held = read_runs(question)
    one, other = find_run(held.runs, first), find_run(held.runs, second)
    if one is other:
        raise click.UsageError(
            f"{first!r} and {second!r} mean the same run, {one.run_id}: give two", click.get_current_context()
        )
    return build_comparison(
        held.name,
        held.runs,
        (one.run_id, other.run_id),
        metric=question.metric_of(held),
        minimise=question.minimise,
        alpha=question.alpha,
        margin=question.margin,
        where=here(question.tracking_uri),
    )


def _parts(view: ComparisonView) -> Iterator[str | Table]:
    """Yield what a terminal shows, line by line and table by table."""
    yield table(("", *view.called), _rows(view))
    if view.more_options:
        yield f"{view.more_options} more options differ: --format json has all of them."
    yield ""
    yield from _concluded(view)
    if view.clips_in_common and not any(clips.n for clips in view.clips):
        yield "There is no clip that only one of them has right."
    for clips in view.clips:
        yield from _clips(view, clips)
    if view.classes:
        yield ""
        yield table(("class", "clips", *(f"right: {run}" for run in view.called)), _classes(view), (1, 2, 3))
    if view.more_classes:
        yield f"{view.more_classes} more classes: --format json has all of them."


def _rows(view: ComparisonView) -> Iterator[tuple[str, ...]]:
    yield "name", *view.names
    yield "id", *(run_id[:_SHORT_ID] for run_id in view.ids)
    for row in view.differing:
        yield row.name, *row.levels
    for result in view.results:
        yield result.name, *result.values


def _concluded(view: ComparisonView) -> Iterator[str]:
    found = view.conclusion
    if found:
        yield f"{found.verdict_words}. {found.sentence}"
    yield from view.remarks
    if found and found.command:
        yield "This would settle it:"
        yield f"  {found.command}"


def _clips(view: ComparisonView, clips: ClipsView) -> Iterator[str | Table]:
    if not clips.n:
        return
    yield ""
    what = "clips that only {} has right, the clearest first" if clips.n > 1 else "clip that only {} has right"
    yield f"{clips.n} {what.format(clips.only)}; p is what a model gives the label:"
    headings = ("clip", "label", *(f"p of {run}" for run in view.called), f"{clips.other} says")
    rows = ((row.clip, row.label, *row.chances, row.taken_for or "-") for row in clips.rows)
    yield table(headings, rows, (2, 3))
    if clips.more:
        yield f"{clips.more} more: --format json has all of them."


def _classes(view: ComparisonView) -> Iterator[tuple[str, ...]]:
    return ((row.name, row.n, *row.correct) for row in view.classes)
