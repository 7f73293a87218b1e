"""``tracker repair``: rebuild a broken store from the journals, or update the paths in a moved one."""

from __future__ import annotations

from tracker.cli.app import Command, app
from tracker.cli.console import ConsoleReporter, complain, say
from tracker.cli.options import TrackingUri

_EXAMPLES = """
\b
Examples:
  tracker repair
  tracker repair --tracking-uri sqlite:///runs/mlflow.db
"""


@app.command(cls=Command, epilog=_EXAMPLES, short_help="Mend a broken or moved store.")
def repair(*, tracking_uri: TrackingUri = None) -> int:
    """Mend a store that is broken, missing, moved or lacks runs; prints the ids of rebuilt runs and the new paths.

    A broken store is moved aside and rebuilt from the journals in .tracker/; a rebuilt run has a new id. If the store
    was moved or copied, the paths of its artifacts are rewritten, so that MLflow finds them too, and a copy of the old
    store is kept. Nothing is deleted, and a healthy store is left alone. A tracking server only receives what it lacks.
    """
    from tracker.recording.locations import find_store
    from tracker.recording.repair import MovedArtifacts, repair_store
    from tracker.recording.uploader import JournalProblem

    failures = 0
    for done in repair_store(find_store(tracking_uri), ConsoleReporter()):
        match done:
            case MovedArtifacts(place):
                say(place)
            case JournalProblem(message):
                failures += 1
                complain(message)
            case _ if done.run_id:
                say(done.run_id)
            case _:
                failures += 1
                why = (
                    f"is not rebuilt: {done.error}"
                    if done.error
                    else ("is being sent by another process: run `tracker repair` again once that has ended")
                )
                complain(f"run {done.name} {why}")
    return 1 if failures else 0
