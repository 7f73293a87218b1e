"""``tracker compare``: two runs clip by clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tracker.cli.app import command
from tracker.cli.console import print_result, print_tables, table
from tracker.cli.options import AnalysisOptions, RunName, read_runs, with_analysis_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from tracker.render import ClipsView, ComparisonView
    from tracker.report import Comparison


@command(
    "compare",
    "Compare two runs clip by clip.",
    "tracker compare k7-lr0.001-s0 k3-lr0.001-s0",
    "tracker compare 8b7e7d8f 45fb32b8 --format markdown",
)
@with_analysis_options
def compare(
    context: typer.Context,
    *,
    first: RunName,
    second: RunName,
    form: Annotated[
        Literal["table", "json", "markdown"],
        typer.Option("--format", help="For a terminal, for programs (every clip), or for GitHub."),
    ] = "table",
    analysis: AnalysisOptions,
) -> None:
    """Compare two runs: how they differ, what can be concluded, and the clips that only one gets correct."""
    from tracker import render
    from tracker.recording.reports import compare as compare_runs

    try:
        runs = read_runs(analysis.experiment, analysis.tracking_uri)
        comparison = compare_runs(runs, first, second, **analysis.question)
    except ValueError as error:  # both are the same run
        context.fail(str(error))
    if form == "table":
        print_tables(*_parts(comparison, render.view_comparison(comparison)))
    else:
        print_result(comparison.to_json() if form == "json" else comparison.to_markdown(), end="")


def _parts(comparison: Comparison, view: ComparisonView) -> Iterator[str | Table]:
    """Yield what a terminal shows, line by line and table by table."""
    from tracker.wording import whole_cell

    runs = [run.called for run in comparison.runs]
    yield table(("", *runs), _rows(comparison, view))
    if view.options.more:
        yield f"{view.options.more} more options differ: --format json has all of them."
    yield ""
    yield from _concluded(comparison, view)
    if comparison.clips_in_common and not comparison.clips:
        yield "No clip is correct in one run only."
    for clips in view.clips:
        yield from _clips(runs, clips)
    if view.classes.shown:
        yield ""
        rows = ((row.name, *map(whole_cell, (row.n, *row.correct))) for row in view.classes.shown)
        yield table(("class", "clips", *(f"correct: {run}" for run in runs)), rows, (1, 2, 3))
    if view.classes.more:
        yield f"{view.classes.more} more classes: --format json has all of them."


def _rows(comparison: Comparison, view: ComparisonView) -> Iterator[tuple[str, ...]]:
    from tracker.runs.logged import SHORT_ID

    yield "name", *(run.entry.run.name for run in comparison.runs)
    yield "id", *(run.run_id[:SHORT_ID] for run in comparison.runs)
    yield from (*view.options.shown, *view.repetition, *view.results)


def _concluded(comparison: Comparison, view: ComparisonView) -> Iterator[str]:
    conclusion = view.conclusion
    if conclusion:
        yield f"{conclusion.verdict_words}. {conclusion.sentence}"
    yield from comparison.remarks
    if conclusion and conclusion.command:
        yield "This would settle it:"
        yield f"  {conclusion.command}"


def _clips(runs: Sequence[str], view: ClipsView) -> Iterator[str | Table]:
    clips = view.clips
    if not clips.n:
        return
    yield ""
    what = "clips that only {} gets correct, clearest first" if clips.n > 1 else "clip that only {} gets correct"
    yield f"{clips.n} {what.format(view.only.called)}; p is the probability of the label:"
    headings = ("clip", "label", *(f"p of {run}" for run in runs), f"{view.other.called} predicts")
    rows = ((*row[:4], row[4] or "-") for row in clips.shown)
    yield table(headings, rows, (2, 3))
    if clips.more:
        yield f"{clips.more} more: --format json has all of them."
