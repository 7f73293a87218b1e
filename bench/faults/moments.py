"""When a run is killed: at a moment of its time, or of its epochs, and while something in particular is written."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from tracker.journal.reader import JOURNAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.random import Generator

UNFINISHED = ".*.tmp"
"""Files and folders that are being written; see `tracker.atomic_files`."""
RESUMED_SHARE = 0.5
"""Part of a whole run's time from which the second kill's moment is drawn: what is left may take no longer."""


def _any_moment(_work: Path, _journal: Path) -> Callable[[], bool]:
    return lambda: True


def _checkpoint(_work: Path, journal: Path) -> Callable[[], bool]:
    return lambda: any((journal / "checkpoints").glob(UNFINISHED))


def _line(_work: Path, journal: Path) -> Callable[[], bool]:
    size = (journal / JOURNAL).stat().st_size
    return lambda: (journal / JOURNAL).stat().st_size != size


def _beside(_work: Path, journal: Path) -> Callable[[], bool]:
    return lambda: any(journal.glob(UNFINISHED))


def _store(work: Path, _journal: Path) -> Callable[[], bool]:
    return (work / "mlflow.db-journal").exists


AIMS: dict[str, Callable[[Path, Path], Callable[[], bool]]] = {
    "at any moment": _any_moment,
    "while a checkpoint was written": _checkpoint,
    "while a line of the journal was written": _line,
    "while an artifact, or the note on what was sent, was written": _beside,
    "while the store was written": _store,
}
"""What a kill may be aimed at; given the working folder and the journal's, each tells whether it goes on."""

_IN_EACH_EPOCH = list(AIMS)[:3]
"""The others come seldom, most of all at the end."""


@dataclass(frozen=True)
class Moment:
    """When a command is killed.

    Parameters
    ----------
    epoch : int
        Once it has told of so many epochs.
    delay_s : float
        So long after that.
    aim : str
        And once this goes on, as in `AIMS`.
    """

    epoch: int
    delay_s: float
    aim: str


def moments(seconds: float, epochs: Sequence[float], rng: Generator, number: int) -> tuple[Moment, Moment]:
    """Return when a run is killed for the first time, and when it is for the second, while it is resumed.

    Epochs are over in a tenth of a run's time: every other run is killed amid them, after another one each.

    Parameters
    ----------
    seconds : float
        What a whole run takes.
    epochs : sequence of float, seconds
        What each of its epochs takes.
    rng : Generator
    number : int
        The run's.
    """
    later = Moment(0, rng.uniform(0, RESUMED_SHARE * seconds), str(rng.choice(list(AIMS))))
    if number % 2:
        return Moment(0, rng.uniform(0, seconds), str(rng.choice(list(AIMS)))), later
    amid = (3 + 5 * (number // 2)) % len(epochs)
    return Moment(amid, rng.uniform(0, median(epochs)), str(rng.choice(_IN_EACH_EPOCH))), later
