"""The store as a command was given it, to be repeated in the commands that it suggests."""

from __future__ import annotations

import click
from click.core import ParameterSource


def named_store() -> str | None:
    """Return the store that the running command was given by ``--tracking-uri``; None if by the environment or not."""
    context = click.get_current_context()
    given = context.get_parameter_source("tracking_uri") is ParameterSource.COMMANDLINE
    return context.params["tracking_uri"] if given else None
