"""Tables as text: rows of fields divided by commas, semicolons or tabs, as spreadsheets and programs write them.

The text is UTF-8, with or without a byte-order mark, or UTF-16 with one. Fields may be quoted and padded with spaces,
and blank lines are skipped. Lines are counted from 1. Whatever is wrong is a `ValueError` that begins with where.
"""

from __future__ import annotations

import codecs
import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DELIMITERS = ",;\t"  # spreadsheets of countries with a decimal comma write semicolons

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def text_of(data: bytes) -> str:
    """Return a file's text; raise ValueError, which says where, if it is none or none in UTF-8."""
    try:
        text = data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start}: not UTF-8 text") from error
    return text


def delimiter_of(text: str) -> str:
    """Return what divides the fields of the first line that isn't blank: what divides it into most, else a comma."""
    first = text.lstrip("\r\n ").partition("\n")[0]
    return max(DELIMITERS, key=first.count)


def rows_of(text: str, delimiter: str, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of each row that isn't blank, with the number of the line that it begins in.

    If `strict`, a quote that is never closed, or is followed by more than the delimiter, is refused.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=strict)
    begins = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"line {begins}: not CSV ({error})") from error
