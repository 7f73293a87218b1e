"""``tracker resume`` and ``tracker close``: continue an interrupted run, or end it as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracker.cli.app import Command, app
from tracker.cli.console import ConsoleReporter, say
from tracker.cli.options import RunName, TrackingUri

_RESUME_EXAMPLES = """
\b
Examples:
  tracker resume 3f2a9c41
  tracker resume k7-lr0.0001-s0
  tracker resume 3f2a9c41 --data /mnt/music
"""

_CLOSE_EXAMPLES = """
\b
Example:
  tracker close 3f2a9c41
"""

_Gone = Annotated[
    bool, typer.Option("--gone", help="Treat the run as dead. Needed if it was started on another machine.")
]


@app.command(cls=Command, epilog=_RESUME_EXAMPLES, short_help="Continue an interrupted run.")
def resume(
    *,
    run: RunName,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            show_default="where it was",
            help="Where the data is now, if it was moved; it must be unchanged.",
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Don't contact the store until `tracker sync`.")] = False,
    gone: _Gone = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Continue an interrupted run after its last finished epoch, with the same result; prints the run's id."""
    from tracker.recording.locations import find_store
    from tracker.recording.resume import resume_run

    store = find_store(tracking_uri)
    say(resume_run(run, store, ConsoleReporter(), data=data, offline=offline, gone=gone))


@app.command(cls=Command, epilog=_CLOSE_EXAMPLES, short_help="End an interrupted run as it is.")
def close(*, run: RunName, gone: _Gone = False, tracking_uri: TrackingUri = None) -> None:
    """Mark an interrupted run as killed, keeping the epochs it has; prints the run's id."""
    from tracker.recording.locations import find_store
    from tracker.recording.resume import close_run

    say(close_run(run, find_store(tracking_uri), ConsoleReporter(), gone=gone))
