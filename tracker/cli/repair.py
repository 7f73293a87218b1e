"""``tracker repair``: set a broken store aside and make it anew from the journals, or tell a moved one where it is."""

from __future__ import annotations

import click

from tracker.cli.console import ConsoleReporter, complain, say
from tracker.cli.options import uri_option

_EXAMPLES = """
\b
Examples:
  tracker repair
  tracker repair --tracking-uri sqlite:///runs/mlflow.db
"""


@click.command(epilog=_EXAMPLES, short_help="Mend a broken or moved store.")
@uri_option
def repair(*, tracking_uri: str | None) -> int:
    """Mend a store that is broken, gone, moved or lacks runs; prints the ids of the runs rebuilt, the new places.

    A broken store is moved aside and made anew from the journals in .tracker/; a run that is rebuilt has a new id.
    In one that was moved or copied, the places of the artifacts are rewritten, so that MLflow finds them too and adds
    to them there, and a copy of the store as it was is kept. Nothing is deleted, and a store that is well stays as it
    is. A tracking server is only sent again what it lacks.
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
