"""Lines of a journal with right checksums, whatever they say; independent of the code that is put to the test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Row = dict[str, Any]


def sealed(body: bytes) -> bytes:
    """Return a line from a JSON object without its closing brace: whatever it is, its checksum holds."""
    return body + b',"crc":"%08x"}\n' % crc32(body)


def line(row: Mapping[str, Any]) -> bytes:
    return sealed(json.dumps(row, separators=(",", ":")).encode()[:-1])


def text(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(map(line, rows))


def rows(journal: Path) -> list[Row]:
    """Return the rows of a well-formed journal, without checksums."""
    parsed: list[Row] = [json.loads(one) for one in journal.read_bytes().splitlines()]
    for row in parsed:
        del row["crc"]
    return parsed


def numbered(rows: Iterable[Row]) -> list[Row]:
    """Return rows with their numbers set right."""
    return [{**row, "line": number} for number, row in enumerate(rows, 1)]
