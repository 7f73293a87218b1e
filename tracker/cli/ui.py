"""``tracker ui``: MLflow's own UI on this store."""

from __future__ import annotations

from typing import Annotated

import typer

from tracker.cli.app import Command, app
from tracker.cli.console import notice, say
from tracker.cli.options import TrackingUri

_EXAMPLES = """
\b
Example:
  tracker ui
"""


@app.command(cls=Command, epilog=_EXAMPLES, short_help="Start MLflow's UI on the runs.")
def ui(
    *,
    port: Annotated[int, typer.Option(min=1, max=65_535, metavar="INT", help="Port on 127.0.0.1.")] = 5000,
    tracking_uri: TrackingUri = None,
) -> int:
    """Start MLflow's UI on this store, on 127.0.0.1, and print its address; Ctrl-C ends it."""
    from tracker.recording.locations import find_store

    with find_store(tracking_uri).serve_ui(port) as server:
        if server.port != port:
            notice(f"port {port} is taken")
        say(server.address)
        notice("MLflow's UI is ready; Ctrl-C ends it")
        return server.wait()
