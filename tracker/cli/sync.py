"""``tracker sync``: send what was logged while the store was away."""

from __future__ import annotations

import click

from tracker.cli.console import complain, notice, say
from tracker.cli.options import uri_option
from tracker.cli.suggested_commands import named_store

_EXAMPLES = """
\b
Examples:
  tracker sync
  tracker sync --tracking-uri http://127.0.0.1:5000
"""


@click.command(epilog=_EXAMPLES, short_help="Send what was logged while the store was away.")
@uri_option
def sync(*, tracking_uri: str | None) -> int:
    """Send every run that is kept in this folder and not in its store yet, whole; prints their ids.

    It may be called as often as one likes, and ended at any moment: the next time goes on where it ended.
    """
    from tracker.recording.locations import find_store, interrupted_message
    from tracker.recording.uploader import JournalProblem, sync_runs

    results = failures = 0
    for result in sync_runs(find_store(tracking_uri)):
        results += 1
        if isinstance(result, JournalProblem):
            failures += 1
            complain(result.message)
        elif result.error:
            failures += 1
            complain(f"run {result.name} is not sent: {result.error}")
        elif result.run_id is None:
            notice(f"run {result.name} is being sent by another process")
        else:
            if result.journal.state == "interrupted":
                notice(interrupted_message(result.name, result.journal.id, named_store()))
            say(result.run_id)
    if not results:
        notice("every run is in its store")
    return 1 if failures else 0
