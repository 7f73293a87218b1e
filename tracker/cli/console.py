"""Output: results on standard output, messages and progress on standard error.

Results are printed as they are; messages and tables are free of control characters, which could steer a terminal. If
standard error takes nothing more, because its disk is full or its reader is gone, the work goes on; if standard output
does not, that is one line of error.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from tracker.errors import TrackerError
from tracker.recording.reporter import EpochLines, epoch_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from typing import TextIO

    from rich.progress import Progress, ProgressColumn
    from rich.table import Table

    from tracker.recording.reporter import EpochProgress
    from tracker.training.result import Epoch

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Unicode categories that can move a cursor, hide or reorder text
_WIDE = 200  # columns of a table that isn't printed to a terminal


def plain(text: object) -> str:
    """Return `text` with everything that could steer a terminal replaced by ``?``."""
    return "".join("?" if unicodedata.category(character) in _HIDDEN else character for character in str(text))


def print_error(message: str, who: str = "tracker") -> None:
    """Print in one line what failed."""
    log(f"{who}: {' '.join(message.split())}")


def warn(message: str) -> None:
    """Print in one line what a person should know before trusting the result."""
    log(f"warning: {message}")


def log(message: str) -> None:
    """Print in one line what is being done; if standard error can't be written to, nothing."""
    try:
        typer.echo(plain(message), err=True)
    except OSError:
        _discard(sys.stderr)


def print_result(result: str, end: str = "\n") -> None:
    """Print a result, as it is; raise `TrackerError` if standard output can't be written to."""
    with _results():
        typer.echo(result + end, nl=False)


def print_tables(*parts: str | Table) -> None:
    """Print lines and tables as results, as wide as the terminal; raises as `print_result`."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDE)
    with _results():
        for part in parts:
            if isinstance(part, str):
                console.print(Text(plain(part)), soft_wrap=not console.is_terminal)
            else:
                console.print(part)


@contextmanager
def _results() -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # the reader is gone and wants no more
    except OSError as error:
        _discard(sys.stdout)
        reason = error.strerror or error
        raise TrackerError(f"cannot write to standard output: {reason}; check where it is redirected") from error


def describe_os_error(error: OSError) -> str:
    """Return in one line what failed: standard output if it takes nothing more, else what the error names."""
    try:
        print_result("", end="")
    except TrackerError as full:
        return str(full)
    if error.filename is None:
        return f"I/O error: {error.strerror or error}; check this folder and where standard output is redirected"
    return f"I/O error: {error.strerror}: {error.filename!r}; check that path"


def _discard(stream: TextIO) -> None:
    """Discard what is still in a stream's buffer, over which the interpreter would fail when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], flush_right: Collection[int] = ()) -> Table:
    """Return a table of texts, which are shown as they are; columns of numbers, counted from 0, are `flush_right`."""
    from rich.table import Table
    from rich.text import Text

    built = Table(box=None, header_style="bold", pad_edge=False)
    for column, heading in enumerate(headings):
        built.add_column(Text(plain(heading)), justify="right" if column in flush_right else "left")
    for row in rows:
        built.add_row(*(Text(plain(cell)) for cell in row))
    return built


class ConsoleReporter:
    """A `Reporter` on standard error: bars on a terminal, lines elsewhere."""

    def log(self, message: str) -> None:
        """Print a message."""
        log(message)

    def warn(self, message: str) -> None:
        """Print a warning."""
        warn(message)

    @contextmanager
    def progress(self, what: str, total: int | None) -> Iterator[Callable[[int, int], None]]:
        """Show the progress of a task."""
        if not sys.stderr.isatty():
            yield _TaskLine(what)
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

        with _bar(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done, of: bar.update(task, completed=done, total=of)

    @contextmanager
    def epochs(self, name: str, limit: int) -> Iterator[EpochProgress]:
        """Show the progress of a training: epoch, losses, learning rate and time left."""
        if not sys.stderr.isatty():
            yield EpochLines(log, limit, time_left=True)
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
            yield _EpochBar(bar, name, limit)


class _TaskLine:
    """Prints one line, as soon as there is something to wait for."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_silent = False

    def __call__(self, done: int, total: int) -> None:
        if not self._is_silent and done < total:
            log(f"{self._what}: {total} clips")
        self._is_silent = True


class _EpochBar:
    """Moves with every batch and shows the figures of the last epoch."""

    def __init__(self, bar: Progress, name: str, limit: int) -> None:
        self._bar = bar
        self._task = bar.add_task(name, total=limit, losses="")
        self._finished = 0

    def on_batch(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=self._finished + done / total)

    def on_epoch(self, epoch: Epoch) -> None:
        self._finished = epoch.number
        self._bar.update(self._task, completed=epoch.number, losses=epoch_summary(epoch))


def _bar(*columns: ProgressColumn) -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    return Progress(*columns, console=Console(stderr=True), transient=True)
