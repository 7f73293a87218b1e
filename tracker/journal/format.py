"""A journal's file: JSON Lines, one line per event, each with a checksum that detects a torn line.

Conventions: a line is one JSON object of ASCII characters (RFC 8259). It opens with ``entry``, the kind of event, and
``line``, its number from 1; the first also says the ``version`` of the format. It closes with ``crc``: the CRC-32, in
eight hexadecimal digits, of all bytes before the comma in front of it. What JSON has no number for is a string:
``NaN``, ``Infinity``, ``-Infinity``. Bytes of a file's name that aren't Unicode stay the lone surrogates that Python
makes of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite, isnan
from typing import Any
from zlib import crc32

from tracker.errors import JournalError
from tracker.runs.events import (
    Attached,
    DatasetUsed,
    Ended,
    EpochDone,
    Event,
    Measured,
    Resumed,
    RunStatus,
    Started,
    Tagged,
)

VERSION = 1  # of the format; raised when a reader of the one before would misread it

_KINDS: dict[str, type[Event]] = {
    "started": Started,
    "epoch": EpochDone,
    "measured": Measured,
    "tagged": Tagged,
    "attached": Attached,
    "resumed": Resumed,
    "ended": Ended,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}

_END_LENGTH = len(',"crc":"01234567"}')

UNREADABLE = Tagged({})  # stands for a line that can't be read, so that those after it keep their numbers


@dataclass(frozen=True, slots=True)
class Lines:
    """What a journal's file holds."""

    events: tuple[Event, ...]  # `UNREADABLE` for a damaged line that others follow
    lost: tuple[int, ...]  # numbers, from 1, of damaged lines
    size: int  # bytes up to the end of the last whole line; what follows is torn


def to_line(event: Event, number: int) -> bytes:
    """Return an event, counted from 1, as a line of the journal with its line feed."""
    row: dict[str, Any] = {"entry": _NAMES[type(event)], "line": number}
    if number == 1:
        row["version"] = VERSION
    row |= _plain(event)
    if "metrics" in row:
        row["metrics"] = {name: _as_json(float(value)) for name, value in row["metrics"].items()}
    body = json.dumps(row, separators=(",", ":"), allow_nan=False, default=_plain)[:-1].encode("ascii")
    return body + _end(body) + b"\n"


def from_lines(data: bytes) -> Lines:
    """Read the events of a journal's file, or of the beginning of one.

    Raises `JournalError` if a line is whole and yet not understood: a newer version wrote it.
    """
    rows, ends = _whole_rows(data)
    try:  # as one document, rows are read faster than one by one
        numbered = [_event(row) for row in json.loads(f"[{b','.join(rows).decode('ascii')}]")]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise JournalError("this version of tracker does not understand it: use the newest") from error
    events: list[Event] = []
    lost: list[int] = []
    size = 0
    for (number, event), end in zip(numbered, ends, strict=True):
        if number <= len(events):
            continue  # it is there already
        missing = range(len(events) + 1, number)
        lost += missing
        events += [UNREADABLE] * len(missing)
        events.append(event)
        size = end
    return Lines(tuple(events), tuple(lost), size)


def _whole_rows(data: bytes) -> tuple[list[bytes], list[int]]:
    """Return the lines whose checksum holds, without it, and where each ends."""
    rows, ends = [], []
    end = 0
    for line in data.split(b"\n")[:-1]:
        end += len(line) + 1
        body = line[:-_END_LENGTH]
        if body and line[-_END_LENGTH:] == _end(body):
            rows.append(body + b"}")
            ends.append(end)
    return rows, ends


def _end(body: bytes) -> bytes:
    return b',"crc":"%08x"}' % crc32(body)


def _event(row: dict[str, Any]) -> tuple[int, Event]:
    """Return the event that a row holds, with its number."""
    if row.pop("version", VERSION) != VERSION:
        raise ValueError("of another version")
    number, kind = row.pop("line"), _KINDS[row.pop("entry")]
    if str in map(type, row.get("metrics", {}).values()):
        row["metrics"] = {name: float(value) for name, value in row["metrics"].items()}
    if kind is Ended:
        row["status"] = RunStatus(row["status"])
    if kind is Started:
        row["datasets"] = tuple(DatasetUsed(**{**each, "classes": tuple(each["classes"])}) for each in row["datasets"])
    return number, kind(**row)


def _plain(value: object) -> dict[str, Any]:
    """Return a mapping other than a dict, or a dataclass, as a dict."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, DatasetUsed | Event):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"a journal cannot hold {value!r}")


def _as_json(value: float) -> float | str:
    if isfinite(value):
        return value
    return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
