"""Progress bars on a terminal: one line, as wide as the terminal, that leaves nothing behind.

What else is printed meanwhile stands above the bar. On a narrow terminal the bar itself goes first, then the end of the
name; how far a task is and how long it takes is always there.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracker.wording import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TextIO

    from rich.console import Console, RenderableType
    from rich.progress import Task

_LONGEST, _SHORTEST = 40, 8  # cells of a bar
_LEAST_NAME = 12  # cells of a name that make room for what was measured
_ECHO = 3  # cells that are left free for the ``^C`` of an interrupt, which the bar takes with it
_PER_SECOND = 5.0  # how often a bar is drawn again

_live: list[Console] = []  # of the bar that is on the terminal, if there is one


def has_bars() -> bool:
    """Return whether standard error can show a bar."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in {"dumb", "unknown"}


def print_above(line: str, stream: TextIO) -> bool:
    """Print a line above the bar that is on a terminal; return whether there is one and `stream` is that terminal."""
    if not (_live and stream.isatty() and os.fstat(stream.fileno()).st_rdev == os.fstat(sys.stderr.fileno()).st_rdev):
        return False
    from rich.text import Text

    _live[0].print(Text(line), soft_wrap=True)
    return True


@contextmanager
def bar(
    name: str, total: int | None, unit: str = "{}", left: str = "{} left"
) -> Iterator[Callable[[float, float, Sequence[str]], None]]:
    """Show a bar; gives a callback that takes how much is done, of how much, and words on what was measured.

    `unit` says how far it is, given ``2/60``, and `left` how long it takes, given a duration. Within another bar,
    nothing is shown.
    """
    if _live:
        yield lambda done, of, measured: None  # noqa: ARG005  (called by position)
        return
    from rich.console import Console
    from rich.progress import Progress

    class Line(Progress):
        def get_renderables(self) -> Iterator[RenderableType]:
            for task in self.tasks:
                yield _drawn(task, self.console.width, unit, left)

    console = Console(stderr=True)
    with Line(console=console, transient=True, refresh_per_second=_PER_SECOND) as shown:
        task = shown.add_task(name, total=total, measured=())

        def move(done: float, of: float, measured: Sequence[str]) -> None:
            shown.update(task, completed=done, total=of, measured=measured)

        _live.append(console)
        try:
            yield move
        finally:
            _live.clear()


def _drawn(task: Task, width: int, unit: str, left: str) -> RenderableType:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    seconds = task.time_remaining
    texts = [unit.format(f"{int(task.completed)}/{int(task.total)}")] if task.total else []
    time = left.format(duration(max(1, seconds)).removeprefix("about ")) if seconds and not task.finished else ""
    name, cells, words = layout(task.description, texts, task.fields["measured"], time, width - _ECHO)
    row = Table.grid(padding=(0, 1))
    parts: list[RenderableType] = [Text(name, no_wrap=True)]
    if cells:
        parts.append(
            ProgressBar(task.total, task.completed, cells, pulse=task.total is None, animation_time=task.elapsed)
        )
    row.add_row(*parts, Text("  ".join(words), no_wrap=True, overflow="ellipsis"))
    return row


def layout(
    name: str, count: Sequence[str], measured: Sequence[str], time: str, width: int
) -> tuple[str, int, tuple[str, ...]]:
    """Return the name, how many cells its bar has, and the words after it, so that all of it fits in a line.

    Count and time stay; of what was measured the last goes first, before the name has fewer than 12 cells.
    """
    from rich.cells import cell_len, set_cell_size

    def room(values: Sequence[str]) -> int:
        return width - sum(cell_len(word) + 2 for word in (*count, *values, *filter(None, [time]))) + 1

    kept = list(measured)
    while kept and room(kept) < min(cell_len(name), _LEAST_NAME):
        kept.pop()
    space = max(1, room(kept))
    words = (*count, *kept, *filter(None, [time]))
    if cell_len(name) > space:
        return f"{set_cell_size(name, space - 1).rstrip()}…" if space > 1 else "…", 0, words
    cells = min(_LONGEST, space - cell_len(name) - 1)
    return name, cells if cells >= _SHORTEST else 0, words
