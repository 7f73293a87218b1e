from __future__ import annotations

import json
import math
import random
from types import MappingProxyType
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.errors import JournalError
from tracker.journal.format import UNREADABLE, from_lines, to_line
from tracker.runs.events import Attached, Ended, EpochDone, Measured, Started, Tagged

if TYPE_CHECKING:
    from tracker.runs.events import Event

exactly = settings(derandomize=True, deadline=None)
TEXT = st.text(st.characters() | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=("Cs",)))


def written(events: list[Event]) -> bytes:
    return b"".join(to_line(event, number) for number, event in enumerate(events, 1))


def alone(event: Event) -> Event:
    """Return an event written and read back."""
    return from_lines(to_line(event, 1)).events[0]


class TestToLine:
    def test_to_line_is_one_line_of_json_that_says_its_kind_first(self, started: Started) -> None:
        line = to_line(started, 1)
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        assert list(json.loads(line))[:3] == ["entry", "line", "version"]
        assert json.loads(line)["entry"] == "started"

    def test_to_line_looks_as_the_format_says(self) -> None:
        assert to_line(EpochDone(7, 2, {"loss": 0.5, "val_loss": math.nan}), 3) == (
            b'{"entry":"epoch","line":3,"time":7,"number":2,"metrics":{"loss":0.5,"val_loss":"NaN"},"crc":"06a9a8d9"}\n'
        )

    def test_to_line_holds_no_value_that_other_readers_of_json_refuse(self) -> None:
        def refuse(constant: str) -> None:
            raise AssertionError(constant)

        line = to_line(Measured(1, {"a": math.nan, "b": math.inf, "c": -math.inf}), 2)
        row = json.loads(line, parse_constant=refuse)
        assert row["metrics"] == {"a": "NaN", "b": "Infinity", "c": "-Infinity"}

    def test_to_line_takes_numbers_of_numpy_and_mappings_that_are_no_dict(self) -> None:
        event = EpochDone(1, 1, MappingProxyType({"loss": np.float32(0.1), "count": 3}))
        assert alone(event) == EpochDone(1, 1, {"loss": float(np.float32(0.1)), "count": 3.0})

    def test_to_line_refuses_what_json_cannot_hold(self) -> None:
        with pytest.raises(TypeError, match="a journal cannot hold"):
            to_line(Ended(np.int64(1), "FINISHED"), 2)  # type: ignore[arg-type]


class TestFromLines:
    def test_from_lines_reads_every_kind_of_event_back(self, events: list[Event]) -> None:
        data = written(events)
        lines = from_lines(data)
        assert list(lines.events) == events
        assert (lines.lost, lines.size) == ((), len(data))

    @exactly
    @given(st.floats())
    def test_from_lines_reads_every_number_back_to_the_bit(self, value: float) -> None:
        event = alone(Measured(1, {"x": value}))
        assert isinstance(event, Measured)
        assert repr(event.metrics["x"]) == repr(value)

    @exactly
    @given(st.dictionaries(TEXT, TEXT))
    def test_from_lines_reads_every_text_back(self, tags: dict[str, str]) -> None:
        assert alone(Tagged(tags)) == Tagged(tags)

    def test_from_lines_reads_the_name_of_a_file_that_is_no_unicode_back(self) -> None:
        path = b"clips/\xff\xe9.wav".decode("utf-8", "surrogateescape")
        assert alone(Attached(path)) == Attached(path)

    def test_from_lines_keeps_the_order_of_params(self, started: Started) -> None:
        read = alone(started)
        assert isinstance(read, Started)
        assert list(read.params) == ["kernel_size", "seed"]

    def test_from_lines_reads_nothing_from_nothing(self) -> None:
        lines = from_lines(b"")
        assert (lines.events, lines.lost, lines.size) == ((), (), 0)

    def test_from_lines_cut_anywhere_reads_what_stood_whole_before(self, events: list[Event]) -> None:
        data = written(events)
        ends = [len(written(events[:n])) for n in range(len(events) + 1)]
        for cut in range(len(data) + 1):
            whole = sum(end <= cut for end in ends) - 1
            lines = from_lines(data[:cut])
            assert list(lines.events) == events[:whole]
            assert (lines.lost, lines.size) == ((), ends[whole])

    @pytest.mark.parametrize("tail", [b"\0" * 4096, b"\n", b"{}\n", b'{"entry":"ended"', b',"crc":"00000000"}\n\xff'])
    def test_from_lines_does_not_count_what_is_no_line(self, events: list[Event], tail: bytes) -> None:
        lines = from_lines(written(events) + tail)
        assert list(lines.events) == events
        assert lines.size == len(written(events))

    def test_from_lines_costs_a_damaged_line_alone(self, events: list[Event]) -> None:
        data = written(events).replace(b'"best_epoch":3.0', b'"best_epoch":4.0')
        lines = from_lines(data)
        assert list(lines.events) == [*events[:6], UNREADABLE, *events[7:]]
        assert (lines.lost, lines.size) == ((7,), len(data))

    def test_from_lines_misses_a_line_that_was_taken_out(self, events: list[Event]) -> None:
        rows = written(events).splitlines(keepends=True)
        lines = from_lines(b"".join(rows[:2] + rows[4:]))
        assert list(lines.events) == [*events[:2], UNREADABLE, UNREADABLE, *events[4:]]
        assert lines.lost == (3, 4)

    def test_from_lines_takes_a_line_that_is_there_twice_once(self, events: list[Event]) -> None:
        rows = written(events).splitlines(keepends=True)
        assert list(from_lines(b"".join(rows[:3] + rows[1:])).events) == events

    def test_no_flipped_bit_makes_it_read_what_was_not_written(self, events: list[Event]) -> None:
        data = written(events)
        dice = random.Random(0)
        for _ in range(2_000):
            flipped = bytearray(data)
            flipped[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            read = from_lines(bytes(flipped)).events
            assert len(read) <= len(events)
            assert all(a in (b, UNREADABLE) for a, b in zip(read, events, strict=False))
            assert sum(event == UNREADABLE for event in read) + len(events) - len(read) in {1, 2}

    @pytest.mark.parametrize(
        ("old", "new"),
        [(b'"entry":"tagged"', b'"entry":"dreamt"'), (b'"tags"', b'"mood"'), (b'"version":1', b'"version":2')],
    )
    def test_from_lines_refuses_what_a_newer_version_wrote(self, events: list[Event], old: bytes, new: bytes) -> None:
        rows = [row.replace(old, new) for row in written(events).splitlines(keepends=True)]
        data = b"".join(signed(row) for row in rows)
        with pytest.raises(JournalError, match="this version of tracker does not understand it: use the newest"):
            from_lines(data)

    @pytest.mark.parametrize("body", [b"[1", b'{"line":1', b"\xff"])
    def test_from_lines_refuses_a_whole_line_that_is_none_of_its_own(self, body: bytes) -> None:
        with pytest.raises(JournalError, match="does not understand"):
            from_lines(signed(body + b',"crc":"01234567"}\n'))


def signed(line: bytes) -> bytes:
    """Return a line that was changed, with the checksum that it should then have."""
    body = line[: -len(',"crc":"01234567"}\n')]
    return body + b',"crc":"%08x"}\n' % crc32(body)
