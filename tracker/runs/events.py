"""What a run's journal holds, event by event, in the order in which it happened.

The journal is the first and complete record of a run: whatever a store holds was uploaded from it, in this order, with
these times. Times are milliseconds since 1970, as MLflow keeps them; epochs are counted from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class RunStatus(StrEnum):
    """What a run is doing or how it ended; the value is MLflow's name for it, if it has one."""

    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"
    INTERRUPTED = "INTERRUPTED"
    """Its process is gone; a store that was never told has it as RUNNING for ever."""
    UNKNOWN = "UNKNOWN"
    """It was started on another machine, which can't be asked from here."""


NOTE_TAG = "tracker.note"
"""Tag of a run's description: the person's note, followed at the end by a summary of the result."""

COMMIT_TAG = "tracker.commit"
"""Tag of the git commit that a run was trained at."""

PROGRAM_TAG = "tracker.program"
"""Tag of the program or command that trained a run."""

USER_TAG = "tracker.user"
"""Tag of the account that trained a run."""


@dataclass(frozen=True, slots=True)
class DatasetUsed:
    """A dataset that a run was trained or measured on, as MLflow lists it.

    Parameters
    ----------
    name : str
    digest : str
        Its fingerprint.
    source : str
        The ``--data`` given, or ``demo``.
    context : str
        What it served for: ``training``, ``validation``.
    classes : tuple of str
    clips : int
    """

    name: str
    digest: str
    source: str
    context: str
    classes: tuple[str, ...]
    clips: int


@dataclass(frozen=True, slots=True)
class Started:
    """A run was started.

    Parameters
    ----------
    time : int, ms
    uri : str
        Of the store that it is for.
    experiment, name : str
    metric : str
        The primary metric of the experiment, should it be new.
    params, tags : mapping of str to str
    datasets : tuple of DatasetUsed
    """

    time: int
    uri: str
    experiment: str
    name: str
    metric: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    datasets: tuple[DatasetUsed, ...] = ()


@dataclass(frozen=True, slots=True)
class EpochDone:
    """An epoch was finished, and a checkpoint of it is safe.

    Parameters
    ----------
    time : int, ms
    number : int
    metrics : mapping of str to float
        NaN and infinities are kept.
    """

    time: int
    number: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Measured:
    """Metrics that a run has once.

    Parameters
    ----------
    time : int, ms
    metrics : mapping of str to float
    """

    time: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Tagged:
    """Tags were set, over those of the same name."""

    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Attached:
    """An artifact is ready, a file or a folder beside the journal.

    Parameters
    ----------
    path : str
        With forward slashes: its path among the run's artifacts, and beside the journal under ``artifacts/``.
    """

    path: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """The run continues after an interruption; whatever ended it before no longer holds.

    Parameters
    ----------
    time : int, ms
    epoch : int
        The last one that was finished before.
    """

    time: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The run ended.

    Parameters
    ----------
    time : int, ms
    status : RunStatus
        FINISHED, FAILED or KILLED.
    reason : str or None
        Why it failed or was ended, in one line.
    """

    time: int
    status: RunStatus
    reason: str | None = None


Event = Started | EpochDone | Measured | Tagged | Attached | Resumed | Ended


@dataclass(frozen=True, slots=True)
class UploadState:
    """How much of a journal a store has; saved beside the journal by the one process that uploads it.

    Parameters
    ----------
    run_id : str
        What the store calls the run.
    artifacts : str
        URI of the run's artifacts there.
    events : int
        Entries of the journal that it has, counted from the first.
    """

    run_id: str
    artifacts: str
    events: int
