"""``tracker report`` and ``tracker next``: what the runs show, and which would resolve the open questions."""

from __future__ import annotations

import difflib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tracker.cli.app import command
from tracker.cli.console import log, plain, print_result
from tracker.cli.options import AnalysisOptions, report_on, whole_number, with_analysis_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.report import NextStep


@command(
    "report",
    "Write the comparison of an experiment's runs.",
    "tracker report > REPORT.md",
    "tracker report --format html --output report.html",
    "tracker report --check REPORT.md",
)
@with_analysis_options
def report(
    context: typer.Context,
    *,
    form: Annotated[
        Literal["markdown", "html", "json", "summary"],
        typer.Option(
            "--format",
            help="Markdown with figures as files, one HTML file, JSON for programs, or tables and sentences only.",
        ),
    ] = "markdown",
    output: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            metavar="FILE",
            show_default="standard output",
            help="Write to FILE; links to figures are then relative to it.",
        ),
    ] = None,
    assets: Annotated[
        Path, typer.Option(file_okay=False, metavar="FOLDER", help="Where Markdown's figures are written.")
    ] = Path("reports/figures"),
    check: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Compare with FILE instead of writing; print a diff and exit 1 if they differ.",
        ),
    ] = None,
    max_bytes: Annotated[int | None, whole_number("Maximum size of a summary", 1, default="no limit")] = None,
    analysis: AnalysisOptions,
) -> int:
    """Write the comparison of an experiment's runs."""
    from tracker.recording.reports import render_report, write_file

    if max_bytes is not None and form != "summary":
        context.fail("--max-bytes is for --format summary only")
    content = report_on(analysis, by_epoch=True)
    target = check or output
    base = target.parent if target else Path()
    text, files = render_report(content, form, figures=assets, base=base, max_bytes=max_bytes)
    if check:
        return _difference(check, text)
    for path, picture in files.items():  # first, so that a report never links to a missing figure
        write_file(path, picture, "give another --assets")
    if output:
        write_file(output, text.encode(), "give another --output")
    else:
        print_result(text, end="")
    return 0


def _difference(file: Path, text: str) -> int:
    there = file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    lines = list(difflib.unified_diff(there, text.splitlines(keepends=True), str(file), "now"))
    for line in lines:
        print_result(plain(line.rstrip("\n")))
    if lines:
        log(f"{file} is out of date; to update it, give --output {shlex.quote(str(file))} instead of --check")
    return 1 if lines else 0


@command("next", "Print the runs that would resolve the open questions.", "tracker next", "tracker next | sh")
@with_analysis_options
def next_command(
    *,
    form: Annotated[
        Literal["sh", "json"],
        typer.Option(
            "--format", help="Commands for a shell, one per line, or JSON with the question that each resolves."
        ),
    ] = "sh",
    analysis: AnalysisOptions,
) -> None:
    """Print the fewest runs that would resolve the report's open questions, one command per line, for sh.

    Standard error says what each is for and about how long it takes.
    """
    from tracker.next_steps.steps import why_no_step

    report = report_on(analysis)
    steps = report.next_steps
    if not steps:
        unfinished = "No run has finished yet, so no further run is suggested."
        log(why_no_step(report.conclusions) if report.entries else unfinished)
    if form == "json":
        from tracker.render import render_next_json

        print_result(render_next_json(steps), end="")
    else:
        _print_steps(steps)


def _print_steps(steps: Sequence[NextStep]) -> None:
    from tracker.render import shell_line
    from tracker.wording import capitalised, duration

    for number, step in enumerate(steps, start=1):
        takes = "" if step.estimated_seconds is None else f" ({duration(step.estimated_seconds)})"
        log(f"{number}. {capitalised(step.why)}{takes}")
        print_result(shell_line([step.command]))
    known = [step.estimated_seconds for step in steps if step.estimated_seconds is not None]
    if len(steps) > 1 and len(known) == len(steps):
        log(f"{len(steps)} commands, {duration(sum(known))} in all")
