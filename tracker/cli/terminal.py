"""What a person sees beside the results: notices and warnings on standard error, free of control characters."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.store.experiment import Experiment

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories that can move a cursor, hide or reorder text."""


def plain(text: object) -> str:
    """Return `text` with everything that could steer a terminal replaced by ``?``."""
    return "".join("?" if unicodedata.category(sign) in _HIDDEN else sign for sign in str(text))


def complain(message: str, who: str = "tracker") -> None:
    """Say in one line what could not be done."""
    click.echo(plain(f"{who}: {' '.join(message.split())}"), err=True)


def notice(message: str) -> None:
    """Say in one line what is being done or has been noticed."""
    click.echo(plain(message), err=True)


def warn(message: str) -> None:
    """Say in one line what the person should know before trusting the result."""
    notice(f"warning: {message}")


_NAMED = 5
"""How many things a one-line warning names."""


def some(names: Sequence[str]) -> str:
    """Join the first few names, and count the rest."""
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def warn_of_unreadable(experiment: Experiment) -> None:
    """Name the artifacts that were logged and cannot be read: what needs them is not known."""
    if experiment.unreadable:
        named = [f"{one.path} of run {one.run_id[:8]} ({one.reason})" for one in experiment.unreadable]
        warn(f"{len(named)} artifacts cannot be read and are left out: {some(named)}")
