"""Output: results on standard output, messages and progress on standard error.

Nothing printed here steers a terminal: names, ids and folders of strangers pass through `tracker.printable`, and none
of it is read as Rich's markup. Documents, such as reports, are UTF-8 in a pipe or a file whatever the locale; whatever
else a stream's encoding lacks is written in plain letters. If standard error takes nothing more, because its disk is
full or its reader is gone, the work goes on; if standard output does not, that is one line of error.
"""

from __future__ import annotations

import codecs
import os
import sys
import threading
import time
import traceback
import unicodedata
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tracker.cli.bars import bar, has_bars, print_above
from tracker.errors import TrackerError
from tracker.printable import LINE, printable, printable_lines
from tracker.recording.reporter import TRAINING, EpochLines, epoch_summary
from tracker.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from types import TracebackType
    from typing import TextIO

    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment
    from rich.table import Table as RichTable

    from tracker.recording.reporter import EpochProgress
    from tracker.training.result import Epoch

_UNBOUNDED = 100_000  # columns of a table that isn't printed to a terminal: no cell is cut for want of width
_CELL = 160  # characters of a cell
_BETWEEN = 2  # spaces between the columns of a table
_NAME = 80  # characters of a name beside a bar

_LETTERS = {"−": "-", "–": "-", "—": "-", "×": "x", "·": "*", "±": "+-", "≤": "<=", "≥": ">=", "≈": "~", "→": "->",
            "‘": "'", "’": "'", "“": '"', "”": '"'}  # fmt: skip
_IN_LETTERS = "tracker.in_letters"  # the name of `_in_letters` as a handler of errors


def _in_letters(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding lacks in letters that every encoding has: ``-`` for a minus sign, ``e`` for an accent."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(map(_letters, lacking)), error.end


def _letters(sign: str) -> str:
    plain = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return _LETTERS.get(sign) or plain or ("" if unicodedata.combining(sign) else "?")


def prepare_streams() -> None:
    """Give a closed stream a place to go, and every stream a way to write what its encoding lacks."""
    codecs.register_error(_IN_LETTERS, _in_letters)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller (``>&-``)
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  (it stays open to the end)
        elif hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors=_IN_LETTERS)
    sys.excepthook = _print_traceback
    threading.excepthook = lambda thread: _print_traceback(thread.exc_type, thread.exc_value, thread.exc_traceback)


def _print_traceback(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """Print what should never be raised; its message may quote a stranger."""
    for line in "".join(traceback.format_exception(kind, error, trace)).splitlines():
        log(line)


def print_error(message: str, who: str = "tracker") -> None:
    """Print in one line what failed; spaces stay as they are, since a name may have several."""
    log(f"{who}: {' '.join(line for part in message.splitlines() if (line := part.strip()))}")


def erase_line() -> None:
    """Erase what stands in the line of the terminal, such as the ``^C`` of an interrupt."""
    if has_bars():
        with suppress(OSError):
            typer.echo("\r\x1b[K", nl=False, err=True)


def warn(message: str) -> None:
    """Print in one line what a person should know before trusting the result."""
    log(f"warning: {message}")


def log(message: str) -> None:
    """Print in one line what is being done; if standard error can't be written to, nothing."""
    line = printable(message, LINE)
    try:
        if not print_above(line, sys.stderr):
            typer.echo(line, err=True)
    except OSError:
        _discard(sys.stderr)


def print_result(result: str) -> None:
    """Print a line of results, such as an id; raise `TrackerError` if standard output can't be written to."""
    line = printable(result)
    with _results():
        if not print_above(line, sys.stdout):
            typer.echo(line)


def print_document(document: str | bytes) -> None:
    """Print lines, such as a report, in UTF-8, made printable for a terminal; or bytes; raises as `print_result`."""
    with _results():
        if isinstance(document, str):
            document = printable_lines(document) if sys.stdout.isatty() else document.encode("utf-8", "replace")
        typer.echo(document, nl=False)


def print_tables(*parts: str | Table) -> None:
    """Print lines and tables as results, as wide as the terminal; raises as `print_result`."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _UNBOUNDED)
    with _results():
        for part in parts:
            if isinstance(part, str):
                console.print(Text(printable(part, LINE)), soft_wrap=not console.is_terminal)
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
        print_document("")
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


@dataclass(frozen=True)
class Table:
    """Printable texts in columns, two spaces apart, under headings.

    Rich prints it: a table that fits line by line, which with thousands of rows takes a hundredth of the time of Rich's
    own tables, and a wider one with the cells of each row wrapped.
    """

    headings: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    flush_right: Collection[int]  # columns of numbers, counted from 0

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """The width of each column on a terminal, in cells."""
        from rich.cells import cell_len

        return tuple(max(map(cell_len, (heading, *cells))) for heading, cells in self._with_headings)

    @property
    def width(self) -> int:
        """The width of the whole."""
        return sum(self.widths) + _BETWEEN * max(0, len(self.widths) - 1)

    @property
    def _with_headings(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        return zip(self.headings, self.columns, strict=True)

    def last_rows(self, number: int) -> Table:
        """Return the same with its last rows alone."""
        return replace(self, columns=tuple(cells[-number:] for cells in self.columns))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment | RichTable]:
        """Yield what Rich prints."""
        if self.width > options.max_width:
            yield self._wrapped()
            return
        from rich.segment import Segment

        bold = console.get_style("bold")
        yield Segment(self._line(self.headings), bold)
        yield Segment.line()
        for row in zip(*self.columns, strict=True):
            yield Segment(self._line(row))
            yield Segment.line()

    def _line(self, cells: Iterable[str]) -> str:
        from rich.cells import cell_len

        padded = []
        for place, (cell, width) in enumerate(zip(cells, self.widths, strict=True)):
            padding = " " * (width - cell_len(cell))
            padded.append(padding + cell if place in self.flush_right else cell + padding)
        return (" " * _BETWEEN).join(padded).rstrip()

    def _wrapped(self) -> RichTable:
        from rich.cells import cell_len
        from rich.table import Table as RichTable
        from rich.text import Text

        built = RichTable(box=None, header_style="bold", pad_edge=False)
        for place, (heading, cells) in enumerate(self._with_headings):
            if place in self.flush_right:  # a number that is cut is another one
                whole = max(map(cell_len, cells), default=1)
                built.add_column(Text(heading), justify="right", overflow="fold", min_width=whole)
            else:
                built.add_column(Text(heading), overflow="fold")
        for row in zip(*self.columns, strict=True):
            built.add_row(*map(Text, row))
        return built


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], flush_right: Collection[int] = ()) -> Table:
    """Return a table of texts, which are shown as they are; columns of numbers, counted from 0, are `flush_right`."""
    columns = tuple(zip(*rows, strict=True)) or ((),) * len(headings)
    return _table(tuple(zip(headings, columns, strict=True)), flush_right)


def _table(columns: Sequence[tuple[str, Sequence[str]]], flush_right: Collection[int]) -> Table:
    headings = tuple(printable(heading, _CELL) for heading, _ in columns)
    return Table(headings, tuple(tuple(printable(cell, _CELL) for cell in cells) for _, cells in columns), flush_right)


def fitting_table(
    columns: Sequence[tuple[str, Sequence[str]]], left: Collection[str], least_needed: Iterable[str]
) -> tuple[Table, list[str]]:
    """Return a table that a terminal shows without cutting a cell, and the headings of the columns left out for that.

    Columns are headings with their cells, those not among `left` set flush right. They are left out in the order of
    `least_needed`, none unless standard output is a terminal.
    """
    from rich.console import Console

    kept, left_out = list(columns), list[str]()
    candidates = [heading for heading in least_needed if heading in dict(columns)]
    while True:
        built = _table(kept, {place for place, (heading, _) in enumerate(kept) if heading not in left})
        if not sys.stdout.isatty() or built.width <= Console(file=sys.stdout).width or not candidates:
            return built, left_out
        left_out.append(candidates.pop(0))
        kept = [column for column in columns if column[0] not in left_out]


def watch_table(read: Callable[[], Table], pause_s: float = 2.0) -> None:
    """Show a table until Ctrl-C, read again and again; only its last rows if it is higher than the terminal."""
    from rich.console import Console
    from rich.live import Live

    console = Console(file=sys.stdout)
    with suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(read().last_rows(max(1, console.height - 2)), refresh=True)
            time.sleep(pause_s)


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
        if not has_bars():
            yield _TaskLine(what)
            return
        with bar(printable(what, _NAME), total) as move:
            yield lambda done, of: move(done, of, ())

    @contextmanager
    def epochs(self, name: str, limit: int) -> Iterator[EpochProgress]:
        """Show the progress of a training: epoch, losses, learning rate and time left."""
        if not has_bars():
            yield EpochLines(log, limit, time_left=True)
            return
        with bar(printable(name, _NAME), limit, "epoch {}", "up to {} left") as move:
            yield _EpochBar(move, limit)


class _TaskLine:
    """Prints one line, as soon as there is something to wait for."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_silent = False

    def __call__(self, done: int, total: int) -> None:
        if not self._is_silent and done < total:
            log(f"{self._what}: {counted(total, 'run' if self._what == TRAINING else 'clip')}")
        self._is_silent = True


class _EpochBar:
    """Moves with every batch and shows the figures of the last epoch, the most telling first."""

    def __init__(self, move: Callable[[float, float, Sequence[str]], None], limit: int) -> None:
        self._move = move
        self._limit = limit
        self._finished = 0
        self._measured: Sequence[str] = ()

    def on_batch(self, done: int, total: int) -> None:
        self._move(self._finished + min(done / total, 0.99), self._limit, self._measured)  # evaluated, it is finished

    def on_epoch(self, epoch: Epoch) -> None:
        loss, val_loss, val_accuracy, rate = epoch_summary(epoch).split("  ")
        self._finished, self._measured = epoch.number, (val_accuracy, val_loss, loss, rate)
        self._move(epoch.number, self._limit, self._measured)
