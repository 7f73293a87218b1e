"""``tracker sync``: send what was logged while the store was away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tracker.cli.console import complain, notice, say, tell_of_interrupted
from tracker.cli.options import journals_of, locate_store, uri_option

if TYPE_CHECKING:
    from tracker.journal.reader import Journal

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
    from tracker.journal.reader import unsettled
    from tracker.recording.read_runs import check_not_gone, complaining_of_unread

    location = locate_store(tracking_uri)
    with complaining_of_unread() as unread:
        waiting = [journal for journal in unsettled(journals_of(location)) if journal.unsent]
    if not waiting and not unread:
        check_not_gone(location)
        notice("every run is in its store")
    sent = [_sent(journal) for journal in waiting]
    return 0 if all(sent) and not unread else 1


def _sent(journal: Journal) -> bool:
    """Send one journal, and say what came of it."""
    from tracker.errors import TrackerError
    from tracker.recording.read_runs import store_of
    from tracker.recording.uploader import deliver

    name = f"run {journal.started.name}"
    try:
        delivery = deliver(store_of(journal), journal.folder)
    except TrackerError as error:
        complain(f"{name} is not sent: {error}")
        return False
    if delivery is None:
        notice(f"{name} is being sent by another process")
        return True
    if journal.state == "interrupted":
        tell_of_interrupted(journal.started.name, journal.id)
    say(delivery.run_id)
    return True
