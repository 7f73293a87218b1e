"""Options and arguments that several commands share, and what they are read with."""

from __future__ import annotations

import functools
import inspect
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from tracker.cli.completion import experiments, runs
from tracker.cli.console import warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.recording.read_runs import ExperimentRuns
    from tracker.recording.reports import Report

DEFAULT_EXPERIMENT = "tracker"

_ANALYSIS, _RUNS = "Analysis", "Runs"

TrackingUri = Annotated[
    str | None,
    typer.Option(
        envvar="MLFLOW_TRACKING_URI",
        metavar="URI",
        show_default="sqlite:///mlflow.db in this folder",
        help="The MLflow store.",
        rich_help_panel=_RUNS,
    ),
]

Experiment = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="The MLflow experiment that holds the runs.",
        rich_help_panel=_RUNS,
        autocompletion=experiments,
    ),
]

RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's name, its id, or a unique prefix of its id (a name cannot be shortened); see `tracker runs`.",
        autocompletion=runs,
    ),
]


def whole_number(help_text: str, least: int, most: int | None = None, *, default: str | None = None) -> Any:
    """Return an option that takes a whole number in a range, which help and errors name."""
    bounds = f"at least {least}" if most is None else f"{least} to {most}"

    def parse(value: str | int) -> int:
        try:
            number = int(value)
        except ValueError:
            number = least - 1
        if number < least or (most is not None and number > most):
            raise typer.BadParameter(f"must be a whole number, {bounds}, got {value!r}")
        return number

    return typer.Option(parser=parse, metavar="INT", show_default=default or True, help=f"{help_text} ({bounds}).")


def fraction(help_text: str) -> Any:
    """Return an option of an analysis that takes a number above 0 and below 1."""
    return _number(help_text, "above 0 and below 1", lambda number: 0 < number < 1, "FLOAT", _ANALYSIS)


def length(help_text: str, least: int, most: int) -> Any:
    """Return an option that takes a length of time in a range, which help and errors name."""
    return _number(help_text, f"{least} to {most}", lambda number: least <= number <= most, "SECONDS")


def _number(
    help_text: str, bounds: str, is_within: Callable[[float], bool], metavar: str, panel: str | None = None
) -> Any:
    def parse(value: str | float) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not is_within(number):
            raise typer.BadParameter(f"must be a number, {bounds}, got {value!r}")
        return number

    return typer.Option(parser=parse, metavar=metavar, help=f"{help_text} ({bounds}).", rich_help_panel=panel)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisOptions:
    """Which runs are compared, by which metric, and how strictly: each field is an option of the command line."""

    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default="the experiment's, or val_accuracy",
            help="The metric to compare.",
            rich_help_panel=_ANALYSIS,
        ),
    ] = None
    minimise: Annotated[
        bool | None,
        typer.Option(
            "--minimise/--maximise",
            show_default="by its name: lower for losses and errors, else higher",
            help="Whether a lower or a higher value of the metric is better.",
            rich_help_panel=_ANALYSIS,
        ),
    ] = None
    alpha: Annotated[float, fraction("Significance level: accepted false-positive rate")] = 0.05
    margin: Annotated[float, fraction("Equivalence margin: smallest accuracy difference that matters")] = 0.05
    experiment: Experiment = DEFAULT_EXPERIMENT
    tracking_uri: TrackingUri = None


def with_analysis_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the analysis options to a command, which takes them as one `analysis`."""
    names = [field.name for field in fields(AnalysisOptions)]

    @functools.wraps(command)
    def called(**values: Any) -> Any:
        analysis = AnalysisOptions(**{name: values.pop(name) for name in names})
        return command(**values, analysis=analysis)

    hints = get_type_hints(AnalysisOptions, include_extras=True)
    shared = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
        for f in fields(AnalysisOptions)
    ]
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for parameter in signature.parameters.values() if parameter.name != "analysis"]
    called.__signature__ = signature.replace(parameters=[*own, *shared])  # type: ignore[attr-defined]
    return called


def read_runs(analysis: AnalysisOptions, *, by_epoch: bool = False) -> ExperimentRuns:
    """Read the runs to compare, and warn of what cannot be read.

    Parameters
    ----------
    analysis : AnalysisOptions
    by_epoch : bool
        Whether the predictions after each epoch are read too; comparisons and next steps do without.
    """
    from tracker.recording.locations import find_store
    from tracker.recording.read_runs import load_runs
    from tracker.store import BY_EPOCH_RUNS

    store = find_store(analysis.tracking_uri)
    experiment = load_runs(store, analysis.experiment, by_epoch=BY_EPOCH_RUNS if by_epoch else 0)
    for problem in experiment.problems:
        warn(problem)
    return experiment


def report_on(experiment: ExperimentRuns, analysis: AnalysisOptions) -> Report:
    """Conclude from runs what the options ask for."""
    from tracker.recording.reports import build_report

    return build_report(
        experiment,
        metric=analysis.metric,
        minimise=analysis.minimise,
        alpha=analysis.alpha,
        margin=analysis.margin,
    )
