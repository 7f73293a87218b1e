"""Options and arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from tracker.cli.completion import experiments, runs

DEFAULT_EXPERIMENT = "tracker"

_PANEL = "Runs"

TrackingUri = Annotated[
    str | None,
    typer.Option(
        envvar="MLFLOW_TRACKING_URI",
        metavar="URI",
        show_default="sqlite:///mlflow.db in this folder",
        help="The MLflow store.",
        rich_help_panel=_PANEL,
    ),
]

Experiment = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="The MLflow experiment that holds the runs.",
        rich_help_panel=_PANEL,
        autocompletion=experiments,
    ),
]

RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's id, a unique beginning of it, or its name, as `tracker runs` lists them.",
        autocompletion=runs,
    ),
]


def between_0_and_1(value: str | float) -> float:
    """Read a number above 0 and below 1."""
    try:
        number = float(value)
    except ValueError:
        raise typer.BadParameter(f"must be a number, got {value!r}") from None
    if not 0 < number < 1:
        raise typer.BadParameter(f"must be above 0 and below 1, got {value}")
    return number
