"""What a run's journal holds, event by event, in the order in which it happened.

The journal is the first and complete record of a run: whatever a store holds was uploaded from it, in this order, with
these times. Times are milliseconds since 1970, as MLflow keeps them; epochs are counted from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, isnan
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
    INTERRUPTED = "INTERRUPTED"  # its process is gone; a store that was never told has it as RUNNING for ever
    UNKNOWN = "UNKNOWN"  # it was started on another machine, which can't be asked from here


# Tags of a run
NOTE_TAG = "tracker.note"  # its description: the person's note, followed at the end by a summary of the result
COMMIT_TAG = "tracker.commit"  # the git commit that it was trained at
PROGRAM_TAG = "tracker.program"  # that trained it
USER_TAG = "tracker.user"  # the account that started it


@dataclass(frozen=True, slots=True)
class DatasetUsed:
    """A dataset that a run was trained or measured on, as MLflow lists it."""

    name: str
    digest: str  # its fingerprint
    source: str  # the ``--data`` given, or ``demo``
    context: str  # what it served for: ``training``, ``validation``
    classes: tuple[str, ...]
    clips: int


@dataclass(frozen=True, slots=True)
class Started:
    """A run was started, for the store at `uri`; `metric` is the primary one of the experiment, should it be new."""

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
    """An epoch was finished, and a checkpoint of it is safe; NaN and infinite metrics are kept."""

    time: int
    number: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Measured:
    """Metrics that a run has once."""

    time: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Tagged:
    """Tags were set, over those of the same name."""

    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Attached:
    """An artifact is ready, a file or folder under ``artifacts/`` beside the journal; its path has forward slashes."""

    path: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """The run continues, after `epoch`, the last finished one; whatever ended it before no longer holds."""

    time: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The run ended as FINISHED, FAILED or KILLED; `reason` says in one line why it failed or was ended."""

    time: int
    status: RunStatus
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Renamed:
    """The run is called otherwise from here on."""

    name: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """The run was deleted, as stores do it: it is kept, but no longer counts. Nothing follows."""

    time: int


Change = Tagged | Renamed | Deleted  # what may still happen to a run that has ended

Event = Started | EpochDone | Measured | Tagged | Attached | Resumed | Ended | Renamed | Deleted


@dataclass(frozen=True, slots=True)
class UploadState:
    """How much of a journal a store has; saved beside the journal by the one process that uploads it."""

    run_id: str  # what the store calls the run
    artifacts: str  # URI of the run's artifacts there
    events: int  # entries of the journal that it has, counted from the first


def json_number(value: float) -> float | str:
    """Return a number as journals and MLflow write it in JSON, which has none for NaN and infinities."""
    if isfinite(value):
        return value
    return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
