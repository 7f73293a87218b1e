"""What a person sees: notices and warnings on standard error, results on standard output.

What a terminal shows is free of control characters. A standard error that takes nothing more, its disk being full or
its reader gone, keeps nothing from being done; a standard output that takes nothing more is told of in one line.

Progress on standard error: bars on a terminal, plain lines elsewhere.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from tracker.errors import TrackerError
from tracker.recording.reporter import epoch_summary

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from contextlib import AbstractContextManager
    from typing import TextIO

    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from tracker.recording.reporter import EpochProgress
    from tracker.training.result import Epoch

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories that can move a cursor, hide or reorder text."""

_WIDE = 200
"""Columns of a table where there is no terminal to measure."""


def plain(text: object) -> str:
    """Return `text` with everything that could steer a terminal replaced by ``?``."""
    return "".join("?" if unicodedata.category(sign) in _HIDDEN else sign for sign in str(text))


def complain(message: str, who: str = "tracker") -> None:
    """Say in one line what could not be done."""
    notice(f"{who}: {' '.join(message.split())}")


def notice(message: str) -> None:
    """Say in one line what is being done or has been noticed; nobody needs to hear it."""
    try:
        typer.echo(plain(message), err=True)
    except OSError:
        _silence(sys.stderr)


def warn(message: str) -> None:
    """Say in one line what the person should know before trusting the result."""
    notice(f"warning: {message}")


def say(result: str, end: str = "\n") -> None:
    """Print a result on standard output, as it is.

    Raises
    ------
    TrackerError
        If it takes nothing more.
    """
    with _results():
        typer.echo(result + end, nl=False)


def show(*parts: str | Table) -> None:
    """Print lines and tables on standard output, as wide as the terminal; otherwise as `say`."""
    from rich.text import Text

    out = _console()
    with _results():
        for part in parts:
            if isinstance(part, str):
                out.print(Text(plain(part)), soft_wrap=not out.is_terminal)
            else:
                out.print(part)


@contextmanager
def _results() -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # who read it has gone, and wants no more
    except OSError as error:
        _silence(sys.stdout)
        raise TrackerError(
            f"the results cannot be written to standard output: {error.strerror or error}; see where it leads"
        ) from error


def why_failed(error: OSError) -> str:
    """Return what the system refused: to take more on standard output, where it does, else what the error is about."""
    try:
        say("", end="")
    except TrackerError as full:
        return str(full)
    if error.filename is None:
        return f"cannot go on: {error.strerror or error}; see to this folder, and to where standard output leads"
    return f"cannot go on with {error.filename!r}: {error.strerror}"


def _silence(stream: TextIO) -> None:
    """Let what is still in a stream's buffer go nowhere, or the interpreter would fail over it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _console() -> Console:
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


Counter = Callable[[int, int], None]


@contextmanager
def counting(what: str, total: int | None) -> Iterator[Counter]:
    """Show how far `what` has come; yields a callback that takes (done, total)."""
    if not sys.stderr.isatty():
        yield _Line(what)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    with _bar(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done, of: bar.update(task, completed=done, total=of)


class _Line:
    """One plain line, once there is something to wait for."""

    def __init__(self, what: str) -> None:
        self._what: str | None = what

    def __call__(self, done: int, total: int) -> None:
        if self._what and done < total:
            notice(f"{self._what}: {total} clips")
        self._what = None


@contextmanager
def epochs(name: str, limit: int) -> Iterator[EpochProgress]:
    """Show a training: epoch, losses, rate and time left."""
    if not sys.stderr.isatty():
        yield EpochLines(limit)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("epoch"),
        MofNCompleteColumn(),
        TextColumn("{task.fields[losses]}"),
        TimeRemainingColumn(compact=True),
    )
    with _bar(*columns) as bar:
        yield EpochBar(bar, name, limit)


class EpochBar:
    """A bar that moves with every batch and shows the last epoch's figures."""

    def __init__(self, bar: Progress, name: str, limit: int) -> None:
        self._bar = bar
        self._task = bar.add_task(name, total=limit, losses="")
        self._finished = 0

    def on_batch(self, done: int, total: int) -> None:
        """Move within the epoch."""
        self._bar.update(self._task, completed=self._finished + done / total)

    def on_epoch(self, epoch: Epoch) -> None:
        """Show the figures of the epoch that has just ended."""
        self._finished = epoch.number
        self._bar.update(self._task, completed=epoch.number, losses=epoch_summary(epoch))


class EpochLines:
    """A line an epoch."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def on_batch(self, done: int, total: int) -> None:
        """Say nothing within an epoch."""

    def on_epoch(self, epoch: Epoch) -> None:
        """Write the figures of the epoch that has just ended."""
        left = (self._limit - epoch.number) * epoch.metrics["epoch_seconds"]
        notice(f"epoch {epoch.number}/{self._limit}  {epoch_summary(epoch)}  at most {left:.0f} s left")


class ConsoleReporter:
    """Reports to standard error: bars on a terminal, lines elsewhere."""

    def log(self, message: str) -> None:
        """Print a message."""
        notice(message)

    def warn(self, message: str) -> None:
        """Print a warning."""
        warn(message)

    def progress(self, what: str, total: int | None) -> AbstractContextManager[Counter]:
        """Show how far a task has come."""
        return counting(what, total)

    def epochs(self, name: str, limit: int) -> AbstractContextManager[EpochProgress]:
        """Show a training."""
        return epochs(name, limit)


def _bar(*columns: object) -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    return Progress(*columns, console=Console(stderr=True), transient=True)  # type: ignore[arg-type]
