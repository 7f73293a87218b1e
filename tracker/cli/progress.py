"""Progress on standard error: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracker.cli.terminal import notice

if TYPE_CHECKING:
    from rich.progress import Progress

    from tracker.training.fit import Epoch

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
def epochs(name: str, limit: int) -> Iterator[EpochDisplay]:
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
        self._bar.update(self._task, completed=epoch.number, losses=_figures(epoch))


class EpochLines:
    """A line an epoch."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def on_batch(self, done: int, total: int) -> None:
        """Say nothing within an epoch."""

    def on_epoch(self, epoch: Epoch) -> None:
        """Write the figures of the epoch that has just ended."""
        left = (self._limit - epoch.number) * epoch.metrics["epoch_seconds"]
        notice(f"epoch {epoch.number}/{self._limit}  {_figures(epoch)}  at most {left:.0f} s left")


EpochDisplay = EpochBar | EpochLines


def _figures(epoch: Epoch) -> str:
    metrics = epoch.metrics
    return (
        f"loss {metrics['loss']:.3f}  val_loss {metrics['val_loss']:.3f}  "
        f"val_accuracy {metrics['val_accuracy']:.3f}  lr {metrics['learning_rate']:.2g}"
    )


def _bar(*columns: object) -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    return Progress(*columns, console=Console(stderr=True), transient=True)  # type: ignore[arg-type]
