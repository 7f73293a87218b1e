"""What the commands that conclude from runs are asked, alike: `report`, `compare` and `next` must give one answer."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from tracker.cli.console import warn
from tracker.cli.options import store_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.recording.read_runs import ExperimentRuns
    from tracker.report import Report

_OPTIONS = (
    click.option(
        "--metric", metavar="NAME", help="The metric to compare.  [default: the experiment's, or val_accuracy]"
    ),
    click.option(
        "--minimise/--maximise",
        default=None,
        help="Whether less of the metric is better.  [default: by its name: losses and errors fall, the rest rises]",
    ),
    click.option(
        "--alpha",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        default=0.05,
        show_default=True,
        help="How often a difference may be claimed where there is none, 0 to 1.",
    ),
    click.option(
        "--margin",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        default=0.05,
        show_default=True,
        help="The difference of accuracy that does not matter, 0 to 1.",
    ),
)


@dataclass(frozen=True, slots=True)
class Question:
    """Of which runs it is asked, by which metric they are compared, and how strictly.

    Parameters
    ----------
    experiment : str
    tracking_uri, metric : str or None
    minimise : bool or None
    alpha, margin : float
        As in `build_report`.
    """

    experiment: str
    tracking_uri: str | None
    metric: str | None
    minimise: bool | None
    alpha: float
    margin: float

    def metric_of(self, held: ExperimentRuns) -> str | None:
        """Return the metric asked for, else the experiment's own."""
        return self.metric or held.tags.get("tracker.metric")


def question_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a question and of the store; the command takes them as one `question`."""

    @functools.wraps(command)
    def asked(*arguments: Any, **values: Any) -> Any:
        named = {name: values.pop(name) for name in Question.__dataclass_fields__}
        return command(*arguments, question=Question(**named), **values)

    found = store_options(asked)
    for option in reversed(_OPTIONS):
        found = option(found)
    return found


def read_runs(question: Question, *, by_epoch: bool = False) -> ExperimentRuns:
    """Read the runs that it is asked of, and warn of what is broken among them.

    Parameters
    ----------
    question : Question
    by_epoch : bool
        Whether what models said after each epoch is read too: two runs and next steps are told without it.
    """
    from tracker.recording.locations import find_store
    from tracker.recording.read_runs import load_runs
    from tracker.store import BY_EPOCH_RUNS

    held = load_runs(find_store(question.tracking_uri), question.experiment, by_epoch=BY_EPOCH_RUNS if by_epoch else 0)
    for problem in held.problems:
        warn(problem)
    return held


def report_on(held: ExperimentRuns, question: Question) -> Report:
    """Conclude from runs what is asked."""
    from tracker.recording.suggestions import here
    from tracker.report import build_report

    return build_report(
        held.name,
        held.runs,
        metric=question.metric_of(held),
        minimise=question.minimise,
        alpha=question.alpha,
        margin=question.margin,
        where=here(question.tracking_uri),
    )
