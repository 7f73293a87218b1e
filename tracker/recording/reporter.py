"""What the application tells whoever called it: messages, warnings and progress.

A `Reporter` is passed in, so that nothing here knows a terminal: the command line draws bars, a notebook prints lines,
a script listens to a logger or to nothing at all.
"""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from tracker.printable import LINE, printable
from tracker.wording import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import TextIO

    from tracker.training.result import Epoch


TRAINING = "training"  # the task whose parts are runs; those of others are clips


class EpochProgress(Protocol):
    """Follows one training."""

    def on_batch(self, done: int, total: int) -> None:
        """Receive how many of an epoch's batches are done."""

    def on_epoch(self, epoch: Epoch) -> None:
        """Receive the epoch that has just ended."""


class Reporter(Protocol):
    """Receives what happens; all of it may be ignored, nothing depends on it. It may be called from any thread."""

    def log(self, message: str) -> None:
        """Receive in one line what is being done."""

    def warn(self, message: str) -> None:
        """Receive in one line what a person should know before trusting the result."""

    def progress(self, what: str, total: int | None) -> AbstractContextManager[Callable[[int, int], None]]:
        """Follow a task; gives a callback that takes (done, total)."""

    def epochs(self, name: str, limit: int) -> AbstractContextManager[EpochProgress]:
        """Follow the training of the run `name`, which lasts at most `limit` epochs."""


class SilentReporter:
    """Ignores everything."""

    def log(self, message: str) -> None:
        """Ignore a message."""

    def warn(self, message: str) -> None:
        """Ignore a warning."""

    @contextmanager
    def progress(self, what: str, total: int | None) -> Iterator[Callable[[int, int], None]]:  # noqa: ARG002  (as `Reporter` has it)
        """Ignore progress."""
        yield lambda done, of: None  # noqa: ARG005  (called by position)

    @contextmanager
    def epochs(self, name: str, limit: int) -> Iterator[EpochProgress]:  # noqa: ARG002  (as `Reporter` has it)
        """Log a line an epoch."""
        yield EpochLines(self.log, limit)


class LoggingReporter(SilentReporter):
    """Sends messages to a logger as INFO and warnings as WARNING: by default only warnings are seen."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("tracker")

    def log(self, message: str) -> None:
        """Log a message."""
        self._logger.info("%s", printable(message, LINE))

    def warn(self, message: str) -> None:
        """Log a warning."""
        self._logger.warning("%s", printable(message, LINE))


class PrintReporter(SilentReporter):
    """Prints a line a message, as suits a notebook."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file

    def log(self, message: str) -> None:
        """Print a message."""
        print(printable(message, LINE), file=self._file or sys.stdout, flush=True)

    def warn(self, message: str) -> None:
        """Print a warning."""
        self.log(f"warning: {message}")


class SayOnce:
    """Passes everything on to another reporter, each message and each warning once."""

    def __init__(self, reporter: Reporter) -> None:
        self.progress, self.epochs = reporter.progress, reporter.epochs
        self._log, self._warn = reporter.log, reporter.warn
        self._logged: set[str] = set()
        self._warned: set[str] = set()

    def log(self, message: str) -> None:
        """Pass a message on unless it was."""
        if message not in self._logged:
            self._logged.add(message)
            self._log(message)

    def warn(self, message: str) -> None:
        """Pass a warning on unless it was."""
        if message not in self._warned:
            self._warned.add(message)
            self._warn(message)


class EpochLines:
    """Logs a line an epoch, with an upper limit of the time left if `time_left`.

    The first batch waits for the network to be compiled, so that of the first epoch only the time after it counts.
    """

    def __init__(
        self,
        log: Callable[[str], None],
        limit: int,
        *,
        time_left: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._limit = limit
        self._time_left = time_left
        self._clock = clock
        self._is_first = True
        self._compiled: tuple[float, int] | None = None  # when the first batch was done, of how many of the epoch

    def on_batch(self, done: int, total: int) -> None:
        """Note when the first batch is done."""
        if self._is_first and done == 1 < total:
            self._compiled = self._clock(), total

    def on_epoch(self, epoch: Epoch) -> None:
        """Log an epoch."""
        each = epoch.metrics["epoch_seconds"]
        if self._is_first and self._compiled:
            since, batches = self._compiled
            each = min(each, (self._clock() - since) * batches / (batches - 1))
        self._is_first = False
        seconds = (self._limit - epoch.number) * each
        left = duration(max(1, seconds)).removeprefix("about ")
        estimate = f"  up to {left} left" if self._time_left and epoch.number < self._limit else ""
        self._log(f"epoch {epoch.number}/{self._limit}  {epoch_summary(epoch)}{estimate}")


def epoch_summary(epoch: Epoch) -> str:
    """Return an epoch's losses, accuracy and learning rate in one line."""
    metrics = epoch.metrics
    return (
        f"loss {metrics['loss']:.3f}  val_loss {metrics['val_loss']:.3f}  "
        f"val_accuracy {metrics['val_accuracy']:.3f}  lr {metrics['learning_rate']:.2g}"
    )
