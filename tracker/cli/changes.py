"""``tracker rename``, ``tag`` and ``delete``: what people do to runs that are logged, without a UI."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracker.cli.app import command
from tracker.cli.console import ConsoleReporter, log, print_result
from tracker.cli.options import Experiment, RunName, TrackingUri, parsed_by, runs, store_at, tag_wanted
from tracker.printable import decoded, printable, with_command
from tracker.runs import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.store import Store


def _tag(text: str) -> tuple[str, str]:
    name, value = tag_wanted(text)
    if value is None:
        raise ValueError(f"a tag must be NAME=VALUE, got {shown(decoded(text))}")
    return name, value


@contextmanager
def _place(
    context: typer.Context, experiment: str | None, tracking_uri: str | None
) -> Iterator[tuple[Store, str, ConsoleReporter]]:
    """Yield where the run is, and whom to tell; an argument that can't be used is a wrong usage of the command."""
    from tracker.recording.stores import experiment_or_default

    store = store_at(tracking_uri)
    try:
        yield store, experiment_or_default(experiment, store), ConsoleReporter()
    except ValueError as error:
        context.fail(str(error))


@command(
    "rename", "Give a run another name.", "tracker rename 3f2a9c41 baseline", "tracker rename k7-lr0.0001-s0 slow-seven"
)
def rename(
    context: typer.Context,
    *,
    run: RunName,
    name: Annotated[str, typer.Argument(metavar="NAME", parser=decoded, help="Its new name, one line of text.")],
    experiment: Experiment = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Give a run another name; prints its id."""
    from tracker.recording.changes import rename_run

    with _place(context, experiment, tracking_uri) as place:
        print_result(rename_run(run, name, *place))


@command(
    "tag",
    "Set tags of a run.",
    "tracker tag 3f2a9c41 baseline=yes",
    "tracker tag k7-lr0.0001-s0 reviewed=2026-11-25 by=Ada",
)
def tag(
    context: typer.Context,
    *,
    run: RunName,
    tags: Annotated[
        list[Any],
        typer.Argument(
            metavar="NAME=VALUE...", parser=parsed_by(_tag), help="The tags; one without a VALUE counts as not set."
        ),
    ],
    experiment: Experiment = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Set tags of a run, over those of the same name; prints its id. `tracker runs --tag` lists runs by them."""
    from tracker.recording.changes import tag_run

    with _place(context, experiment, tracking_uri) as place:
        print_result(tag_run(run, dict(tags), *place))


@command("delete", "Delete runs.", "tracker delete 3f2a9c41", "tracker delete k3-lr0.001-s0 k3-lr0.001-s1")
def delete(
    context: typer.Context,
    *,
    deleted: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            parser=decoded,
            help="Runs' names, ids or unique prefixes of ids; see `tracker runs`.",
            autocompletion=runs,
        ),
    ],
    experiment: Experiment = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Delete runs; prints their ids. They are kept where they are logged, and MLflow can bring them back."""
    from tracker.recording.changes import delete_run

    with _place(context, experiment, tracking_uri) as place:
        for run in dict.fromkeys(deleted):
            run_id = delete_run(run, *place)
            print_result(run_id)
            restore = with_command(("mlflow", "runs", "restore", "--run-id", run_id))
            log(f"run {printable(run)} is deleted; bring it back{restore}")
