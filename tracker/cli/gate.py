"""``tracker gate`` and ``skill``: a question answered by the exit status, and how a program is to ask it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tracker.cli.app import command
from tracker.cli.console import log, print_document, print_error, print_result
from tracker.cli.options import (
    GateAnalysis,
    Jobs,
    Yes,
    naming_params,
    read_runs,
    runs,
    whole_number,
    with_analysis_options,
)
from tracker.cli.sweep import train_commands
from tracker.errors import TrackerError
from tracker.printable import decoded
from tracker.runs.sweeps import COUNTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.report.gate import GateAnswer

_NOT_ASKED = 2  # the exit status where the question could not be asked

_CONFIGURATION = "a run's name or id, or NAME=VALUE,… of params and tags"


def _configuration(what: str) -> Any:
    return typer.Option(
        metavar="RUN|NAME=VALUE,…",
        parser=decoded,
        show_default=False,
        help=f"{what}: {_CONFIGURATION}.",
        autocompletion=runs,
    )


@command(
    "gate",
    "Answer whether a candidate is better, or not worse.",
    "tracker gate --baseline baseline=yes --candidate kernel=7,lr=1e-4",
    "tracker gate --baseline k3-lr0.001-s0 --candidate k7-lr0.001-s0 --require better",
    "tracker gate --baseline baseline=yes --candidate 3f2a9c41 --series widths --max-seeds 8 --format json",
)
@with_analysis_options
def gate(
    context: typer.Context,
    *,
    baseline: Annotated[str, _configuration("What it is compared with, in all its trainings")],
    candidate: Annotated[str, _configuration("What is asked about, in all its trainings")],
    require: Annotated[
        Literal["better", "not-worse"],
        typer.Option(help="What is asked: better at all, or not worse by the margin or more."),
    ] = "not-worse",
    series: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            parser=decoded,
            help="Count this candidate to those tried against this baseline under that name: at most --alpha of such "
            "series let any through wrongly.",
        ),
    ] = None,
    max_seeds: Annotated[
        int | None,
        whole_number(
            "Train further seeds of both, up to so many of each, until the runs can tell", COUNTS, default="train none"
        ),
    ] = None,
    jobs: Annotated[int | None, Jobs] = None,
    yes: Annotated[bool, Yes] = False,
    form: Annotated[Literal["text", "json"], typer.Option("--format", help="One line, or JSON for programs.")] = "text",
    analysis: GateAnalysis,
) -> int:
    """Answer in one line, and by the exit status, whether a candidate is better than a baseline, or not worse.

    The exit status is 0 if that holds, 1 if it does not, 3 if the runs cannot tell yet, and 2 if the question cannot be
    asked. Where they cannot tell, the line ends with the trainings that would.
    """
    from tracker.render import render_gate_json

    for flag, value in {"--jobs": jobs, "--yes": yes}.items():
        if value and max_seeds is None:
            raise typer.BadParameter("it is about training further seeds: give --max-seeds too", param_hint=f"'{flag}'")
    asked = analysis.question | {"require": require, "series": series}
    try:
        if max_seeds is None:
            answer = _ask(baseline, candidate, analysis, asked)
        else:
            train = partial(train_commands, jobs=jobs, yes=yes, show=log)
            answer = _trained_and_asked(baseline, candidate, analysis, {**asked, "most_seeds": max_seeds}, train)
    except typer.BadParameter:
        raise
    except ValueError as error:
        context.fail(str(error))
    except TrackerError as error:
        print_error(str(error))
        return _NOT_ASKED
    if form == "json":
        print_document(render_gate_json(answer))
    else:
        print_result(answer.sentence)
    return answer.exit_status


def _ask(baseline: str, candidate: str, analysis: GateAnalysis, asked: Mapping[str, Any]) -> GateAnswer:
    from tracker.recording.gate import gate as ask

    found = read_runs(analysis.experiment, analysis.tracking_uri)
    with naming_params():
        return ask(found, baseline, candidate, **asked)


def _trained_and_asked(
    baseline: str, candidate: str, analysis: GateAnalysis, asked: Mapping[str, Any], train: Callable[..., int]
) -> GateAnswer:
    """Ask, and train what would tell, until the runs can tell or nothing more would."""
    answer = _ask(baseline, candidate, analysis, asked)
    trained: tuple[Sequence[str], ...] = ()
    while answer.commands not in {(), trained}:
        log(answer.sentence)
        if train(answer.commands):
            break
        trained, answer = answer.commands, _ask(baseline, candidate, analysis, asked)
    return answer


@command("skill", "Print instructions for coding agents.", "tracker skill >> AGENTS.md")
def skill() -> None:
    """Print how a coding agent is to run experiments: a page of Markdown to put among its instructions."""
    from tracker.render import agent_instructions

    print_document(agent_instructions())
