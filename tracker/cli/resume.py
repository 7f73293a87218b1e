"""``tracker resume`` and ``tracker close``: go on with an interrupted run, or end it as it is."""

from __future__ import annotations

from pathlib import Path

import click

from tracker.cli.console import ConsoleReporter, say
from tracker.cli.options import uri_option

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

_gone_option = click.option(
    "--gone",
    is_flag=True,
    help="Its process is gone: to be said of a run that was begun on another host, which cannot be asked from here.",
)


@click.command(epilog=_RESUME_EXAMPLES, short_help="Go on with an interrupted run.")
@click.argument("run")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where the data is now, if it was moved; it must be the same.  [default: where it was]",
)
@click.option("--offline", is_flag=True, help="Leave the store alone, until `tracker sync`.")
@_gone_option
@uri_option
def resume(*, run: str, data: Path | None, offline: bool, gone: bool, tracking_uri: str | None) -> None:
    """Go on with an interrupted run after its last finished epoch, to the same end; prints the run's id.

    RUN is a run's id, the beginning of one, or its name.
    """
    from tracker.recording.locations import find_store
    from tracker.recording.resume import resume_run

    store = find_store(tracking_uri)
    say(resume_run(run, store, ConsoleReporter(), data=data, offline=offline, gone=gone))


@click.command(epilog=_CLOSE_EXAMPLES, short_help="End an interrupted run as it is.")
@click.argument("run")
@_gone_option
@uri_option
def close(*, run: str, gone: bool, tracking_uri: str | None) -> None:
    """End a run whose process is gone as killed, with the epochs that it has; prints the run's id.

    RUN is a run's id, the beginning of one, or its name.
    """
    from tracker.recording.locations import find_store
    from tracker.recording.resume import close_run

    say(close_run(run, find_store(tracking_uri), ConsoleReporter(), gone=gone))
