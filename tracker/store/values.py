"""A journal's entries as the values and tags that a store has once it was told all of them.

Conventions: what a run has once is at step 0, an epoch at its number. Of several values of a metric at one step the
last written holds; MLflow knows which that is by time alone, so the times within a step are made to rise even where
the clock fell. The same entries give the same values, whenever and however often they are sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.entries import Ended, EpochDone, Measured, Resumed, Started, Tagged
from tracker.runs import REASON_TAG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.entries import Entry

JOURNAL_TAG = "tracker.journal"
"""Which journal a run was written from: one journal has at most one run in a store."""

NAME_TAG = "mlflow.runName"
"""Where MLflow itself repeats a run's name."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a metric.

    Parameters
    ----------
    key : str
    value : float
        NaN and infinities are kept.
    time : int, ms
    step : int
    """

    key: str
    value: float
    time: int
    step: int


def started(entries: Sequence[Entry]) -> Started:
    """Return how a run began: a journal's first entry.

    Raises
    ------
    ValueError
        If the entries begin with anything else.
    """
    if entries and isinstance(entries[0], Started):
        return entries[0]
    raise ValueError(f"a journal must begin with how the run was started, got {entries[:1]}")


def values(entries: Sequence[Entry], sent: int = 0) -> list[tuple[Value, ...]]:
    """Return the values of each entry, in the order of the entries; none for those that measured nothing.

    Parameters
    ----------
    entries : sequence of Entry
        From the first on: what time a value gets depends on those before it.
    sent : int
        How many to leave out, from the first.
    """
    latest: dict[tuple[str, int], int] = {}
    steps = {_step(entry) for entry in entries[sent:]}
    for entry in entries[:sent]:
        if _step(entry) in steps:
            _values(entry, latest)
    return [_values(entry, latest) for entry in entries[sent:]]


def _values(entry: Entry, latest: dict[tuple[str, int], int]) -> tuple[Value, ...]:
    if not isinstance(entry, EpochDone | Measured):
        return ()
    step = _step(entry)
    for key in entry.metrics:
        latest[key, step] = max(entry.time, latest.get((key, step), entry.time - 1) + 1)
    return tuple(Value(key, float(value), latest[key, step], step) for key, value in entry.metrics.items())


def _step(entry: Entry) -> int:
    return entry.number if isinstance(entry, EpochDone) else 0


def tags(entries: Sequence[Entry]) -> dict[str, str]:
    """Return the tags that hold after the last entry."""
    held: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry, Started):
            held |= {**entry.tags, NAME_TAG: entry.name}
        elif isinstance(entry, Tagged):
            held |= entry.tags
        elif isinstance(entry, Resumed):
            held.pop(REASON_TAG, None)
        elif isinstance(entry, Ended) and entry.reason is not None:
            held[REASON_TAG] = entry.reason
    return held


def ended(entries: Sequence[Entry]) -> int | None:
    """Return when the run ended, in ms; None while it goes on."""
    last = next((entry for entry in reversed(entries) if isinstance(entry, Ended | Resumed)), None)
    return last.time if isinstance(last, Ended) else None
