"""``tracker next``: the commands that would settle what the report leaves open, ready for a shell."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from tracker.cli.question import Question, question_options, read_runs, report_on
from tracker.cli.terminal import notice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.report import NextStep

_DATA = "TRACKER_DATA"

_EXAMPLES = """
\b
Examples:
  tracker next
  tracker next | sh
"""


@click.command("next", epilog=_EXAMPLES, short_help="Print the commands that would settle what is open.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["sh", "json"]),
    default="sh",
    show_default=True,
    help="Commands for a shell, one a line, or the same for programs, with what they settle.",
)
@question_options
def next_command(*, form: str, question: Question) -> None:
    """Print the fewest commands that would settle what the report leaves open, one a line, ready to pipe into sh.

    What each is for, and about how long it takes, is said on standard error.
    """
    report = report_on(read_runs(question), question)
    given = click.get_current_context().get_parameter_source("tracking_uri") is ParameterSource.COMMANDLINE
    uri = question.tracking_uri if given else None
    steps = [replace(step, command=_runnable(step.command, uri, os.environ)) for step in report.next_steps]
    if not steps:
        notice("no further run is suggested" if report.entries else "there is no finished run to go on from")
    if form == "json":
        from tracker.render import render_next_json

        click.echo(render_next_json(steps), nl=False)
    else:
        _print(steps)


def _runnable(command: str, uri: str | None, environment: Mapping[str, str]) -> str:
    """Return a command as it reaches the same store and data from a shell with this environment.

    A store that the environment names is known to the shell too. Data that it names would stand in for the demo set,
    which no option names.
    """
    words = shlex.split(command)
    on_demo = not any(word == "--data" or word.startswith("--data=") for word in words)
    before = f"{_DATA}= " if on_demo and environment.get(_DATA) else ""
    after = "" if uri is None else " " + shlex.quote(f"--tracking-uri={uri}")
    return before + command + after


def _print(steps: Sequence[NextStep]) -> None:
    from tracker.conclusions.sentences.words import capitalised, duration

    for number, step in enumerate(steps, start=1):
        takes = "" if step.estimated_seconds is None else f" ({duration(step.estimated_seconds)})"
        notice(f"{number}. {capitalised(step.why)}{takes}")
        click.echo(step.command)
    known = [step.estimated_seconds for step in steps if step.estimated_seconds is not None]
    if len(steps) > 1 and len(known) == len(steps):
        notice(f"{len(steps)} commands, {duration(sum(known))} in all")
