"""A run as MLflow holds it: the names of its tags, the limits of its params, tags and metrics, the rows of its values.

Conventions: what a run has once is at step 0, an epoch at its number. Of several values of a metric at one step the
last written holds; MLflow knows which that is by time alone, so the times within a step are made to rise even if the
clock went back. The same events give the same values, whenever and however often they are uploaded.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.errors import StoreError
from tracker.runs import NOTE_END, REASON_TAG
from tracker.runs.events import (
    COMMIT_TAG,
    NOTE_TAG,
    PROGRAM_TAG,
    USER_TAG,
    Ended,
    EpochDone,
    Measured,
    Resumed,
    Started,
    Tagged,
)
from tracker.store import TAG_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracker.runs.events import Event

JOURNAL_TAG = "tracker.journal"
"""Which journal a run was written from: one journal has at most one run in a store."""

NAME_TAG = "mlflow.runName"
"""Where MLflow itself repeats a run's name; before 2.0 the only place of it."""

PARENT_TAG = "mlflow.parentRunId"

_MLFLOW_NAMES = {
    NOTE_TAG: "mlflow.note.content",
    COMMIT_TAG: "mlflow.source.git.commit",
    PROGRAM_TAG: "mlflow.source.name",
    USER_TAG: "mlflow.user",
}
"""What MLflow calls tags that its UI shows in places of their own."""


def mlflow_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags under the names that MLflow has for them; journals of before 1.0 hold those names already."""
    source = {"mlflow.source.type": "LOCAL"} if PROGRAM_TAG in tags else {}
    return {_MLFLOW_NAMES.get(name, name): value for name, value in tags.items()} | source


def description(tags: Mapping[str, str]) -> str | None:
    """Return a run's description, from the tags of a journal or of MLflow."""
    return tags.get(NOTE_TAG, tags.get(_MLFLOW_NAMES[NOTE_TAG]))


def note(tags: Mapping[str, str]) -> str | None:
    """Return the person's own words: the description up to where tracker's part begins."""
    return (description(tags) or "").split(NOTE_END)[0].strip() or None


def commit(tags: Mapping[str, str]) -> str | None:
    """Return the commit that a run was trained at."""
    return tags.get(_MLFLOW_NAMES[COMMIT_TAG])


EXPERIMENT_LENGTH = 500
PARAM_LENGTH = 6_000
KEY_LENGTH = 250

_KEY = re.compile(r"[\w.\- :/]+")


def check_start(first: Started) -> None:
    """Raise `StoreError` if MLflow would cut or refuse anything that a run starts with: such a run is not begun."""
    if not 1 <= len(first.experiment) <= EXPERIMENT_LENGTH:
        raise StoreError(
            f"the name of an experiment must be 1 to {EXPERIMENT_LENGTH} characters, got {len(first.experiment)}: give "
            "another --experiment"
        )
    _check_unicode("the name of the experiment", first.experiment)
    _check_unicode("the name of the run", first.name)
    check_params(first.params)
    check_tags(first.tags)


def check_params(params: Mapping[str, str]) -> None:
    """Raise `StoreError` if MLflow would cut or refuse one of these params."""
    check_keys("param", params)
    _check_values("param", params, PARAM_LENGTH)


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise `StoreError` if MLflow would cut or refuse one of these tags."""
    check_keys("tag", tags)
    _check_values("tag", tags, TAG_LENGTH)


def check_keys(kind: str, keys: Iterable[str]) -> None:
    """Raise `StoreError` if one of these names is none to MLflow, which also takes them for paths."""
    for key in keys:
        plain = posixpath.normpath(key) == key and not key.startswith(("/", ".."))
        if not (_KEY.fullmatch(key) and plain and key != "." and len(key) <= KEY_LENGTH):
            raise StoreError(
                f"the name of a {kind} must be 1 to {KEY_LENGTH} letters, digits, spaces and . _ - / : that make a "
                f"plain path, got {key[: KEY_LENGTH + 1]!r}"
            )


def _check_values(kind: str, values: Mapping[str, str], most: int) -> None:
    for key, value in values.items():
        if len(value) > most:
            raise StoreError(f"the {kind} {key} must be at most {most:,} characters, got {len(value):,}: shorten it")
        _check_unicode(f"the {kind} {key}", value)


def _check_unicode(what: str, text: str) -> None:
    """Refuse bytes that aren't Unicode, which file names may contain and databases refuse."""
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise StoreError(f"{what} must be Unicode, got {text!r}: rename it")


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


def started(events: Sequence[Event]) -> Started:
    """Return how a run began: a journal's first event.

    Raises
    ------
    ValueError
        If the events begin with anything else.
    """
    if events and isinstance(events[0], Started):
        return events[0]
    raise ValueError(f"a journal must begin with how the run was started, got {events[:1]}")


def values_of(events: Sequence[Event], sent: int = 0) -> list[tuple[Value, ...]]:
    """Return the values of each event, in the order of the events; none for those that measured nothing.

    Parameters
    ----------
    events : sequence of Event
        From the first on: what time a value gets depends on those before it.
    sent : int
        How many to leave out, from the first.
    """
    latest: dict[tuple[str, int], int] = {}
    steps = {_step(event) for event in events[sent:]}
    for event in events[:sent]:
        if _step(event) in steps:
            _values(event, latest)
    return [_values(event, latest) for event in events[sent:]]


def _values(event: Event, latest: dict[tuple[str, int], int]) -> tuple[Value, ...]:
    if not isinstance(event, EpochDone | Measured):
        return ()
    step = _step(event)
    for key in event.metrics:
        latest[key, step] = max(event.time, latest.get((key, step), event.time - 1) + 1)
    return tuple(Value(key, float(value), latest[key, step], step) for key, value in event.metrics.items())


def _step(event: Event) -> int:
    return event.number if isinstance(event, EpochDone) else 0


def tags(events: Sequence[Event]) -> dict[str, str]:
    """Return the tags that hold after the last event."""
    current: dict[str, str] = {}
    for event in events:
        if isinstance(event, Started):
            current |= {**mlflow_tags(event.tags), NAME_TAG: event.name}
        elif isinstance(event, Tagged):
            current |= mlflow_tags(event.tags)
        elif isinstance(event, Resumed):
            current.pop(REASON_TAG, None)
        elif isinstance(event, Ended) and event.reason is not None:
            current[REASON_TAG] = event.reason
    return current


def ended(events: Sequence[Event]) -> int | None:
    """Return when the run ended, in ms; None if it hasn't."""
    last = next((event for event in reversed(events) if isinstance(event, Ended | Resumed)), None)
    return last.time if isinstance(last, Ended) else None
