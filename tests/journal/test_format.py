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
from tracker.journal.format import MOST_LOST, UNREADABLE, check_artifact_path, from_lines, last_event, to_line
from tracker.runs.events import Attached, Ended, EpochDone, Measured, Started, Tagged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.runs.events import Event

exactly = settings(derandomize=True, deadline=None)
TEXT = st.text(st.characters() | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=("Cs",)))


ROWS: list[dict[str, object]] = [
    {
        "entry": "started", "line": 1, "version": 1, "time": 5, "uri": "sqlite:///mlflow.db", "experiment": "tracker",
        "name": "k7-s0", "metric": "val_accuracy", "params": {"kernel_size": "7"}, "tags": {"tracker.host": "here"},
        "datasets": [
            {"name": "demo", "digest": "a", "source": "demo", "context": "training", "classes": ["b"], "clips": 24}
        ],
    },
    {"entry": "epoch", "line": 2, "time": 6, "number": 1, "metrics": {"loss": 0.5, "val_loss": "NaN"}},
    {"entry": "resumed", "line": 3, "time": 7, "epoch": 1},
    {"entry": "measured", "line": 4, "time": 8, "metrics": {"best_epoch": 1}},
    {"entry": "tagged", "line": 5, "tags": {"tracker.note": "\udcff"}},
    {"entry": "attached", "line": 6, "path": "predictions/validation.csv"},
    {"entry": "ended", "line": 7, "time": 9, "status": "FAILED", "reason": "why"},
    {"entry": "renamed", "line": 8, "name": "baseline"},
    {"entry": "deleted", "line": 9, "time": 10},
]  # fmt: skip
WRONG = [True, 0.5, ["x", 1], {"x": {"y": [1]}}, 10**400, -(10**400), "x" * 1_000_000]


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
        with pytest.raises(
            JournalError, match=r"does not understand line \d of it \(.*\): if a newer version wrote it"
        ):
            from_lines(data)

    @pytest.mark.parametrize("number", [-3, 0, MOST_LOST + 12, 10**8, 10**30, "2", True, 2.5, None])
    def test_from_lines_refuses_a_number_that_no_line_has(self, events: list[Event], number: object) -> None:
        data = written(events) + sealed({"entry": "tagged", "line": number, "tags": {}})
        with pytest.raises(JournalError, match="line 11 "):
            from_lines(data)

    def test_from_lines_takes_no_more_lost_lines_than_damage_leaves(self, started: Started) -> None:
        rows = [to_line(started, 1), to_line(Tagged({}), MOST_LOST), to_line(Tagged({}), MOST_LOST + 3)]
        assert len(from_lines(b"".join(rows)).lost) == MOST_LOST
        with pytest.raises(JournalError, match="line 4 says that it is line 10,005, and more than 10,000 others are"):
            from_lines(b"".join([*rows, to_line(Tagged({}), MOST_LOST + 5)]))

    def test_from_lines_reads_on_where_it_was_read_to(self, events: list[Event]) -> None:
        lines = from_lines(written(events)[len(written(events[:4])) :], before=4)
        assert (list(lines.events), lines.lost) == (events[4:], ())

    @pytest.mark.parametrize(
        ("entry", "field"),
        [(row["entry"], field) for row in ROWS for field in row if field != "entry"],
        ids=str,
    )
    def test_from_lines_refuses_any_field_of_a_wrong_type_length_or_range(self, entry: str, field: str) -> None:
        for value in WRONG:
            rows = [row | {field: value} if row["entry"] == entry else row for row in ROWS]
            with pytest.raises(JournalError, match=r"does not understand line \d of it .{1,400}$"):
                from_lines(b"".join(map(sealed, rows)))

    @pytest.mark.parametrize(
        ("entry", "changes"),
        [
            ("started", {"params": {"kernel_size": 7}}),
            ("started", {"params": {"kernel_size": None}}),
            ("started", {"params": {f"p{number}": "1" for number in range(10_001)}}),
            ("started", {"params": {"x": "x" * 8_001}}),
            ("started", {"tags": {"x" * 1_001: "1"}}),
            ("started", {"uri": "sqlite:///a\0b"}),
            ("started", {"datasets": [{}]}),
            ("started", {"time": 10**18}),
            ("epoch", {"metrics": {"loss": {"a": 1}}}),
            ("epoch", {"metrics": {"loss": None}}),
            ("epoch", {"metrics": {"loss": "low"}}),
            ("epoch", {"metrics": {"loss": True}}),
            ("epoch", {"metrics": {"loss": 10**400}}),
            ("epoch", {"number": 2**31}),
            ("ended", {"status": "RUNNING"}),
            ("attached", {"path": "../../home/.bashrc"}),
            ("attached", {"path": "/etc/passwd"}),
            ("attached", {"path": "a\0b"}),
            ("attached", {"path": "a/" + "b" * 256}),
            ("attached", {"path": "\ud800"}),
            ("tagged", {"more": 1}),
        ],
    )
    def test_from_lines_refuses_wrong_things_inside_a_field(self, entry: str, changes: dict[str, object]) -> None:
        rows = [row | changes if row["entry"] == entry else row for row in ROWS]
        with pytest.raises(JournalError, match="does not understand line"):
            from_lines(b"".join(map(sealed, rows)))

    @pytest.mark.parametrize("opening", ['{"x":', "["])
    def test_from_lines_refuses_json_that_is_too_deep(self, opening: str) -> None:
        closing = "}" if opening == '{"x":' else "]"
        for field in ("tags", "more"):
            value = opening * 100_000 + ("1" if closing == "}" else "") + closing * 100_000
            with pytest.raises(JournalError, match="does not understand line 1 "):
                from_lines(sealed_text(f'{{"entry":"tagged","line":1,"{field}":{value}'))

    def test_from_lines_shows_nothing_of_a_line_that_could_steer_a_terminal(self) -> None:
        for name in ("\x1b]0;x\x07", "\u202e", "\ud800"):
            with pytest.raises(JournalError) as error:
                from_lines(sealed({"entry": name, "line": 1}))
            assert str(error.value).isprintable()
            assert str(error.value).isascii()

    @pytest.mark.parametrize("body", [b"[1", b'{"line":1', b"\xff"])
    def test_from_lines_refuses_a_whole_line_that_is_none_of_its_own(self, body: bytes) -> None:
        with pytest.raises(JournalError, match="does not understand"):
            from_lines(signed(body + b',"crc":"01234567"}\n'))


class TestLastEvent:
    def test_last_event_says_its_number(self, events: list[Event]) -> None:
        assert last_event(written(events)) == (10, events[-1])

    @pytest.mark.parametrize("tail", [b"\0" * 4096, b"\n", b"{}\n", b'{"entry":"ended"', b'{"line":1,"crc":"f00d"}\n'])
    def test_last_event_is_none_if_that_line_is_torn(self, events: list[Event], tail: bytes) -> None:
        assert last_event(written(events) + tail) is None


class TestCheckArtifactPath:
    @pytest.mark.parametrize("path", ["model", "predictions/validation.csv", "a b", "\udcff.wav", "..a/b..", "x" * 255])
    def test_check_artifact_path_takes_a_path_within(self, path: str) -> None:
        check_artifact_path(path)

    @pytest.mark.parametrize(
        "path", ["", ".", "..", "../x", "a/../../x", "/x", "a//b", "./a", "C:x", "C:/x", "a\\..\\..\\b", "x" * 256]
    )
    def test_check_artifact_path_refuses_one_that_leads_out_or_is_not_the_shortest(self, path: str) -> None:
        with pytest.raises(ValueError, match="an artifact's path must lead from the run's artifacts"):
            check_artifact_path(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def check_understood(data: bytes) -> None:
    """Read a journal, if it isn't refused; what is read of it can be written again."""
    try:
        events = from_lines(data).events
    except JournalError as error:
        refusal = str(error)
    else:
        assert repr(from_lines(written(list(events))).events) == repr(events)
        return
    assert refusal.isprintable()
    assert len(refusal) < 1_000


class TestFuzz:
    """Whatever a file holds, it is read as events of the right types, or refused in one line."""

    @exactly
    @given(st.data())
    def test_bytes_changed_in_a_journal(self, data: st.DataObject) -> None:
        changed = bytearray(b"".join(map(sealed, ROWS)))
        for _ in range(data.draw(st.integers(1, 5))):
            start = data.draw(st.integers(0, len(changed)))
            changed[start : start + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
        rows = bytes(changed).split(b"\n")
        check_understood(b"\n".join(rows))
        check_understood(b"".join(signed(row + b"\n") for row in rows))

    @exactly
    @given(st.data())
    def test_fields_changed_in_lines_with_right_checksums(self, data: st.DataObject) -> None:
        rows = []
        for row in ROWS:
            fields = data.draw(st.lists(st.sampled_from(list(row)), max_size=2) | st.lists(TEXT, max_size=1))
            rows.append(row | {name: data.draw(JSON) for name in fields})
        check_understood(b"".join(map(sealed, rows)))

    @exactly
    @given(st.sampled_from(ROWS), st.sampled_from(["params", "tags", "metrics", "datasets", "path"]), JSON)
    def test_anything_inside_a_field(self, row: dict[str, object], field: str, value: object) -> None:
        check_understood(sealed(row | {"line": 1, field: value}))


def sealed(row: Mapping[str, object]) -> bytes:
    """Return a line of any JSON object, with the checksum that it should have."""
    return sealed_text(json.dumps(row)[:-1])


def sealed_text(text: str) -> bytes:
    return signed(text.encode() + b',"crc":"01234567"}\n')


def signed(line: bytes) -> bytes:
    """Return a line that was changed, with the checksum that it should then have."""
    body = line[: -len(',"crc":"01234567"}\n')]
    return body + b',"crc":"%08x"}\n' % crc32(body)
