"""Tables as text: rows of fields divided by commas, semicolons or tabs, as spreadsheets and programs write them.

The text is UTF-8, with or without a byte-order mark, or UTF-16 with one. Fields may be quoted and padded with spaces.
Blank lines are skipped, and so is the line ``sep=;`` with which a table may tell Excel its delimiter. Lines are counted
from 1. Whatever is wrong is a `ValueError` that begins with where.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DELIMITERS = ",;\t"  # spreadsheets of countries with a decimal comma write semicolons

_HINT = re.compile(r"(\A\s*)sep=([\S\t])[ \t]*(?=[\r\n])", re.IGNORECASE)  # in the first line, for Excel
_ZIP = b"PK\x03\x04"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def text_of(data: bytes) -> str:
    """Return a file's text; raise ValueError, which says where, if it is none or none in UTF-8."""
    if data.startswith(_ZIP):
        raise ValueError("byte 0: a ZIP file, such as an Excel workbook")
    try:
        text = data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start}: not UTF-8 text") from error
    if "\0" in text.partition("\n")[0]:
        raise ValueError("line 1: has NUL characters, as UTF-16 does, which takes a byte-order mark")
    return text


def delimiter_of(text: str) -> str:
    """Return what divides the fields of the first line that isn't blank: what divides it into most, else a comma."""
    if hint := _HINT.match(text):
        return hint[2]
    first = text.lstrip("\r\n ").partition("\n")[0]
    return max(DELIMITERS, key=first.count)


def header_of(text: str) -> list[str]:
    """Return the fields of the first line that isn't blank, whatever its quotes."""
    return next((fields for _, fields in _rows_by_line(_lines(text), delimiter_of(text))), [])


def rows_of(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of each row that isn't blank, with the number of the line that it begins in.

    A quote that is never closed, or is followed by more than the delimiter, is refused.
    """
    yield from ((begins, fields) for begins, _, fields in _rows(text, delimiter, strict=True))


def rows_quoted_or_not(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Return the rows as `rows_of` does, also of a file whose quotes are text rather than quoting.

    In such a file, a quote is never closed, or is closed some lines below. Then every line is a row by itself, so that
    no quote can swallow another one.
    """
    lines = [*_lines(text)]
    try:
        rows = [*_rows(text, delimiter, strict=False)]
        width = len(rows[0][2]) if rows else 0
        spanning = (lines[begins - 1 : end] for begins, end, _ in rows if end > begins or end == len(lines))
        if not any(_is_swallowed(spanned, delimiter, width) for spanned in spanning):
            return [(begins, fields) for begins, _, fields in rows]
    except ValueError:  # a field that is longer than any is, by what it swallowed
        pass
    return [*_rows_by_line(lines, delimiter)]


def _lines(text: str) -> Iterator[str]:
    """Return the lines with their ends; in place of the hint for Excel is a blank one, so that they can be counted."""
    return io.StringIO(_HINT.sub(r"\1", text), newline="")


def _rows_by_line(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of each line that isn't blank, whatever its quotes."""
    numbered = ((number, line.rstrip("\r\n")) for number, line in enumerate(lines, 1))
    return ((number, _fields_of(line, delimiter)) for number, line in numbered if line.strip(f" {delimiter}"))


def _is_swallowed(lines: list[str], delimiter: str, width: int) -> bool:
    """Return whether a quote runs over lines that are rows of their own, or isn't closed as it must be."""
    if len(lines) > 1 and all(line.count(delimiter) + 1 == width for line in lines):
        return True
    try:
        return not [*_rows("".join(lines), delimiter, strict=True)]
    except ValueError:
        return True


def _fields_of(line: str, delimiter: str) -> list[str]:
    """Return the fields of a line by itself; if its quotes don't balance, they are text."""
    try:
        if line.count('"') % 2 == 0:
            return next(fields for _, _, fields in _rows(line, delimiter, strict=False))
    except ValueError:  # a NUL, or more than a field may hold
        pass
    return [field.strip() for field in line.split(delimiter)]


def _rows(text: str, delimiter: str, *, strict: bool) -> Iterator[tuple[int, int, list[str]]]:
    """Yield the first and the last line of each row that isn't blank, and its fields."""
    reader = csv.reader(_lines(text), delimiter=delimiter, skipinitialspace=True, strict=strict)
    begins = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield begins, reader.line_num, fields
            begins = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"line {begins}: not CSV ({error})") from error
