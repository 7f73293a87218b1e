"""``tracker sync``: send runs logged while the store was away."""

from __future__ import annotations

from tracker.cli.app import Command, app
from tracker.cli.console import complain, notice, say
from tracker.cli.options import TrackingUri

_EXAMPLES = """
\b
Examples:
  tracker sync
  tracker sync --tracking-uri http://127.0.0.1:5000
"""


@app.command(cls=Command, epilog=_EXAMPLES, short_help="Send runs logged while the store was away.")
def sync(*, tracking_uri: TrackingUri = None) -> int:
    """Send the runs of this folder that are not in their store yet; prints their ids.

    It can be interrupted and repeated: the next call continues where this one stopped.
    """
    from tracker.recording.locations import find_store, interrupted_message
    from tracker.recording.uploader import JournalProblem, sync_runs
    from tracker.runs import RunStatus

    results = failures = 0
    store = find_store(tracking_uri)
    for result in sync_runs(store):
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
            if result.journal.status is RunStatus.INTERRUPTED:
                notice(interrupted_message(result.name, result.journal.id, store))
            say(result.run_id)
    if not results:
        notice("every run is in its store")
    return 1 if failures else 0
