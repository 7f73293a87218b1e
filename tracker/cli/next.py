"""``tracker next``: the commands that would settle what the report leaves open, ready for a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tracker.cli.analysis_options import AnalysisOptions, read_runs, report_on, with_analysis_options
from tracker.cli.app import Command, app
from tracker.cli.console import notice, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.report import NextStep

_EXAMPLES = """
\b
Examples:
  tracker next
  tracker next | sh
"""


@app.command(
    "next",
    cls=Command,
    epilog=_EXAMPLES,
    short_help="Print the commands that would settle what is open.",
)
@with_analysis_options
def next_command(
    *,
    form: Annotated[
        Literal["sh", "json"],
        typer.Option("--format", help="Commands for a shell, one a line, or JSON with what each would settle."),
    ] = "sh",
    analysis: AnalysisOptions,
) -> None:
    """Print the fewest commands that would settle what the report leaves open, one a line, ready to pipe into sh.

    Standard error says what each is for and about how long it takes.
    """
    from tracker.next_steps.steps import why_no_step

    report = report_on(read_runs(analysis), analysis)
    steps = report.next_steps
    if not steps:
        notice(why_no_step(report.conclusions) if report.entries else "There is no finished run to go on from.")
    if form == "json":
        from tracker.render import render_next_json

        say(render_next_json(steps), end="")
    else:
        _print(steps)


def _print(steps: Sequence[NextStep]) -> None:
    from tracker.render import shell_line
    from tracker.wording import capitalised, duration

    for number, step in enumerate(steps, start=1):
        takes = "" if step.estimated_seconds is None else f" ({duration(step.estimated_seconds)})"
        notice(f"{number}. {capitalised(step.why)}{takes}")
        say(shell_line([step.command]))
    known = [step.estimated_seconds for step in steps if step.estimated_seconds is not None]
    if len(steps) > 1 and len(known) == len(steps):
        notice(f"{len(steps)} commands, {duration(sum(known))} in all")
