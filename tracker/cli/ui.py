"""``tracker ui``: MLflow's own UI on this store."""

from __future__ import annotations

import click

from tracker.cli.console import notice, say

_EXAMPLES = """
\b
Example:
  tracker ui
"""


@click.command(epilog=_EXAMPLES, short_help="Start MLflow's UI on the runs.")
@click.option("--port", type=click.IntRange(1, 65_535), default=5000, show_default=True, help="Port on 127.0.0.1.")
@click.option(
    "--tracking-uri",
    envvar="MLFLOW_TRACKING_URI",
    metavar="URI",
    help="The MLflow store.  [default: sqlite:///mlflow.db in this folder; environment: MLFLOW_TRACKING_URI]",
)
def ui(*, port: int, tracking_uri: str | None) -> int:
    """Start MLflow's UI on this store, on 127.0.0.1, and print its address; Ctrl-C ends it."""
    from tracker.recording.locations import find_store

    with find_store(tracking_uri).serve_ui(port) as server:
        if server.port != port:
            notice(f"port {port} is taken")
        say(server.address)
        notice("MLflow's UI is ready; Ctrl-C ends it")
        return server.wait()
