"""What a person sees beside the results: notices and warnings on standard error, free of control characters."""

from __future__ import annotations

import unicodedata

import click

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
