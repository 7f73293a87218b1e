"""The options that `report`, `compare` and `next` share, so that all three answer the same question."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from tracker.cli.console import warn
from tracker.cli.options import DEFAULT_EXPERIMENT, Experiment, TrackingUri, between_0_and_1

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.recording.read_runs import ExperimentRuns
    from tracker.report import Report

_PANEL = "Analysis"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisOptions:
    """Which runs are compared, by which metric, and how strictly: each field is an option of the command line."""

    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default="the experiment's, or val_accuracy",
            help="The metric to compare.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    minimise: Annotated[
        bool | None,
        typer.Option(
            "--minimise/--maximise",
            show_default="by its name: lower for losses and errors, else higher",
            help="Whether a lower or a higher value of the metric is better.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    alpha: Annotated[
        float,
        typer.Option(
            parser=between_0_and_1,
            metavar="FLOAT",
            help="Significance level (accepted false-positive rate), between 0 and 1.",
            rich_help_panel=_PANEL,
        ),
    ] = 0.05
    margin: Annotated[
        float,
        typer.Option(
            parser=between_0_and_1,
            metavar="FLOAT",
            help="Equivalence margin: smallest accuracy difference that matters, between 0 and 1.",
            rich_help_panel=_PANEL,
        ),
    ] = 0.05
    experiment: Experiment = DEFAULT_EXPERIMENT
    tracking_uri: TrackingUri = None

    def metric_of(self, experiment: ExperimentRuns) -> str | None:
        """Return the metric asked for, else the experiment's own."""
        return self.metric or experiment.tags.get("tracker.metric")


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
    """Conclude from runs what is asked."""
    from tracker.recording.locations import find_store, here
    from tracker.report import build_report

    return build_report(
        experiment.name,
        experiment.runs,
        metric=analysis.metric_of(experiment),
        minimise=analysis.minimise,
        alpha=analysis.alpha,
        margin=analysis.margin,
        where=here(find_store(analysis.tracking_uri)),
    )
