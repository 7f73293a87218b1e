"""A journal's file: JSON Lines, one line per event, each with a checksum that detects a torn line.

Conventions: a line is one JSON object of ASCII characters (RFC 8259). It opens with ``entry``, the kind of event, and
``line``, its number from 1; the first also says the ``version`` of the format. It closes with ``crc``: the CRC-32, in
eight hexadecimal digits, of all bytes before the comma in front of it. What JSON has no number for is a string:
``NaN``, ``Infinity``, ``-Infinity``. Bytes of a file's name that aren't Unicode stay the lone surrogates that Python
makes of them.

Anybody can write a line with a right checksum, so each is checked against the schema here, types, ranges and lengths,
when it is read and when it is written: no event that comes from a journal needs another check.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal, TypeVar
from zlib import crc32

import msgspec
from msgspec import Meta, MsgspecError, Struct

from tracker.errors import JournalError
from tracker.runs.events import (
    Attached,
    DatasetUsed,
    Deleted,
    Ended,
    EpochDone,
    Event,
    Measured,
    Renamed,
    Resumed,
    RunStatus,
    Started,
    Tagged,
    json_number,
)

VERSION: Literal[1] = 1  # of the format; raised when a reader of the one before would misread it

MOST_EPOCHS = 1_000_000  # of a journal
MOST_LINES = MOST_EPOCHS + 100_000  # so that a run of that many can still end
MOST_LOST = 10_000  # lines of a journal that may be missing before others: more is no damage but an invention

_NAMES: dict[type[Event], str] = {
    Started: "started",
    EpochDone: "epoch",
    Measured: "measured",
    Tagged: "tagged",
    Attached: "attached",
    Resumed: "resumed",
    Ended: "ended",
    Renamed: "renamed",
    Deleted: "deleted",
}

_END_LENGTH = len(',"crc":"01234567"}')

UNREADABLE = Tagged({})  # stands for a line that can't be read, so that those after it keep their numbers

T = TypeVar("T")

Name = Annotated[str, Meta(max_length=1_000)]
Place = Annotated[str, Meta(max_length=2_000, pattern=r"\A[^\x00]*\Z")]  # a path or an address
_Text = Annotated[str, Meta(max_length=8_000)]  # as long as a tag may be
_Time = Annotated[int, Meta(ge=-2_208_988_800_000, le=253_370_764_800_000)]  # 1900 to 9999
_Texts = Annotated[dict[Name, _Text], Meta(max_length=10_000)]
_Metrics = Annotated[dict[Name, float | Literal["NaN", "Infinity", "-Infinity"]], Meta(max_length=10_000)]


class _Line(Struct, tag_field="entry", forbid_unknown_fields=True):
    line: Annotated[int, Meta(ge=1, le=MOST_LINES)]
    version: Literal[1] = VERSION


class _DatasetUsed(Struct, forbid_unknown_fields=True):
    name: _Text
    digest: Name
    source: _Text
    context: Name
    classes: Annotated[tuple[Name, ...], Meta(max_length=100_000)]
    clips: Annotated[int, Meta(ge=0, le=2**53)]


class _Started(_Line, tag=_NAMES[Started], kw_only=True):
    time: _Time
    uri: Place
    experiment: Name
    name: Name
    metric: Name
    params: _Texts
    tags: _Texts
    datasets: Annotated[tuple[_DatasetUsed, ...], Meta(max_length=100)]

    @property
    def event(self) -> Event:
        if self.line != 1:
            raise ValueError("only the first line says how the run was started")
        datasets = tuple(DatasetUsed(*(getattr(one, name) for name in one.__struct_fields__)) for one in self.datasets)
        texts = (self.uri, self.experiment, self.name, self.metric)
        return Started(self.time, *texts, self.params, self.tags, datasets)


class _EpochDone(_Line, tag=_NAMES[EpochDone], kw_only=True):
    time: _Time
    number: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    metrics: _Metrics

    @property
    def event(self) -> Event:
        return EpochDone(self.time, self.number, _numbers(self.metrics))


class _Measured(_Line, tag=_NAMES[Measured], kw_only=True):
    time: _Time
    metrics: _Metrics

    @property
    def event(self) -> Event:
        return Measured(self.time, _numbers(self.metrics))


class _Tagged(_Line, tag=_NAMES[Tagged], kw_only=True):
    tags: _Texts

    @property
    def event(self) -> Event:
        return Tagged(self.tags)


class _Attached(_Line, tag=_NAMES[Attached], kw_only=True):
    path: Place

    @property
    def event(self) -> Event:
        check_artifact_path(self.path)
        return Attached(self.path)


class _Resumed(_Line, tag=_NAMES[Resumed], kw_only=True):
    time: _Time
    epoch: Annotated[int, Meta(ge=0, le=2**31 - 1)]

    @property
    def event(self) -> Event:
        return Resumed(self.time, self.epoch)


class _Ended(_Line, tag=_NAMES[Ended], kw_only=True):
    time: _Time
    status: Literal["FINISHED", "FAILED", "KILLED"]
    reason: Name | None = None

    @property
    def event(self) -> Event:
        return Ended(self.time, RunStatus(self.status), self.reason)


class _Renamed(_Line, tag=_NAMES[Renamed], kw_only=True):
    name: Name

    @property
    def event(self) -> Event:
        return Renamed(self.name)


class _Deleted(_Line, tag=_NAMES[Deleted], kw_only=True):
    time: _Time

    @property
    def event(self) -> Event:
        return Deleted(self.time)


_UNFIT = (MsgspecError, ValueError, RecursionError)  # what reading JSON as a type may raise

_AnyLine = _Started | _EpochDone | _Measured | _Tagged | _Attached | _Resumed | _Ended | _Renamed | _Deleted
_DECODER = msgspec.json.Decoder(_AnyLine)


@dataclass(frozen=True, slots=True)
class Lines:
    """What a journal's file, or a part of it, holds."""

    events: tuple[Event, ...]  # `UNREADABLE` for a damaged line that others follow
    lost: tuple[int, ...]  # numbers, from 1, of damaged lines
    size: int  # bytes up to the end of the last whole line; what follows is torn


def to_line(event: Event, number: int) -> bytes:
    """Return an event, counted from 1, as a line of the journal with its line feed.

    Raises `JournalError` if it is too long for one, or out of range.
    """
    if number > MOST_EPOCHS and isinstance(event, EpochDone):
        raise JournalError(f"a journal holds up to {MOST_EPOCHS:,} epochs, and this run has more: log fewer")
    row: dict[str, Any] = {"entry": _NAMES[type(event)], "line": number}
    if number == 1:
        row["version"] = VERSION
    row |= _plain(event)
    if "metrics" in row:
        row["metrics"] = {name: json_number(float(value)) for name, value in row["metrics"].items()}
    body = json.dumps(row, separators=(",", ":"), allow_nan=False, default=_plain)[:-1].encode("ascii")
    try:
        _numbered(body)
    except ValueError as error:
        raise JournalError(f"the journal cannot hold what was to be logged: {error}; shorten it") from error
    return body + _end(body) + b"\n"


def from_lines(data: bytes, before: int = 0) -> Lines:
    """Read the events of a journal's file, or of what follows the first `before` events of it.

    Raises `JournalError` if a line is whole and yet not understood, or numbered as if most of the file were missing.
    """
    events: list[Event] = []
    lost: list[int] = []
    size = end = 0
    for place, line in enumerate(data.split(b"\n")[:-1], before + 1):
        end += len(line) + 1
        body = _body(line)
        if not body:
            continue
        try:
            number, event = _numbered(body)
        except ValueError as error:
            raise JournalError(
                f"this version of tracker does not understand line {place} of it ({error}): if a newer version wrote "
                "it, use that"
            ) from error
        missing = range(before + len(events) + 1, number)
        if number <= before + len(events):
            continue  # it is there already
        if len(lost) + len(missing) > MOST_LOST:
            raise JournalError(
                f"its line {place} says that it is line {number:,}, and more than {MOST_LOST:,} others are missing: "
                "bring the file back from a copy, or delete that folder"
            )
        lost += missing
        events += [UNREADABLE] * len(missing)
        events.append(event)
        size = end
    return Lines(tuple(events), tuple(lost), size)


def last_event(data: bytes) -> tuple[int, Event] | None:
    """Return the number and the event of the last line of a journal's file; None if that can't be read."""
    body = _body(data[data.rfind(b"\n", 0, -1) + 1 :].removesuffix(b"\n"))
    try:
        return _numbered(body) if body else None
    except ValueError:
        return None


def check_artifact_path(path: str) -> None:
    """Raise `ValueError` unless a path leads from a run's artifacts to a file in them, on any system."""
    portable = PureWindowsPath(path)  # which knows the roots and separators of all systems
    names = PurePosixPath(path)
    leads_out = portable.anchor or ".." in portable.parts or names.as_posix() != path or path == "."
    if leads_out or max(len(name.encode("utf-8", "surrogateescape")) for name in names.parts) > 255:
        raise ValueError(f"an artifact's path must lead from the run's artifacts to a file in them, got {path!r}")


def decoded(data: bytes, kind: type[T]) -> T:
    """Return the JSON of a small file as the type that it must be of; raise `ValueError`, in one line, if it isn't."""
    try:
        return msgspec.json.decode(data, type=kind)
    except _UNFIT as error:
        raise ValueError(_one_line(error)) from error


def _one_line(error: Exception) -> str:
    """Return what is wrong with data from a file, in one line that shows what steers a terminal as an escape."""
    return str(error).encode("unicode_escape").decode("ascii").replace("`", "'")[:300]


def _body(line: bytes) -> bytes | None:
    """Return a line without its end; None if its checksum doesn't hold."""
    body = line[:-_END_LENGTH]
    return body if body and line[-_END_LENGTH:] == _end(body) else None


def _end(body: bytes) -> bytes:
    return b',"crc":"%08x"}' % crc32(body)


def _numbered(body: bytes) -> tuple[int, Event]:
    """Return the number and the event of a line without its end; raise `ValueError` with the reason if it has none."""
    try:
        if rb"\ud" in body:  # maybe a lone surrogate, which msgspec refuses in JSON and takes in a text
            line: _AnyLine = msgspec.convert(json.loads(body + b"}"), _AnyLine)
        else:
            line = _DECODER.decode(body + b"}")
        event = line.event
    except _UNFIT as error:
        raise ValueError(_one_line(error)) from error
    return line.line, event


def _numbers(metrics: Mapping[str, float | str]) -> Mapping[str, float]:
    return {name: float(value) for name, value in metrics.items()}


def _plain(value: object) -> dict[str, Any]:
    """Return a mapping other than a dict, or a dataclass, as a dict."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, DatasetUsed | Event):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"a journal cannot hold {value!r}")
