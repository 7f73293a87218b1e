"""What a person sees: notices and warnings on standard error, tables on standard output; free of control characters."""

from __future__ import annotations

import sys
import unicodedata
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from rich.console import Console
    from rich.table import Table

    from tracker.store.experiment import Experiment

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories that can move a cursor, hide or reorder text."""

_WIDE = 200
"""Columns of a table where there is no terminal to measure."""


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


def console() -> Console:
    """Return what prints tables on standard output, as wide as the terminal."""
    from rich.console import Console

    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDE)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], flush_right: Collection[int] = ()) -> Table:
    """Return a table of texts, which stand in it as they are.

    Parameters
    ----------
    headings : sequence of str
    rows : iterable of sequence of str
    flush_right : collection of int
        Which columns hold numbers, counted from 0.
    """
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, header_style="bold", pad_edge=False)
    for place, heading in enumerate(headings):
        made.add_column(Text(plain(heading)), justify="right" if place in flush_right else "left")
    for row in rows:
        made.add_row(*(Text(plain(cell)) for cell in row))
    return made


SHORT_ID = 8
"""Digits of an id that a command is given."""

_NAMED = 5
"""How many things a one-line warning names."""


def some(names: Sequence[str]) -> str:
    """Join the first few names, and count the rest."""
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def tell_of_interrupted(name: str, run_id: str) -> None:
    """Say that a run was interrupted, and what goes on with it or ends it."""
    short = run_id[:SHORT_ID]
    notice(f"run {name} was interrupted: `tracker resume {short}` goes on with it, `tracker close {short}` ends it")


def warn_of_unreadable(experiment: Experiment) -> None:
    """Name the artifacts that were logged and cannot be read: what needs them is not known."""
    if experiment.unreadable:
        named = [f"{one.path} of run {one.run_id[:8]} ({one.reason})" for one in experiment.unreadable]
        warn(f"{len(named)} artifacts cannot be read and are left out: {some(named)}")
