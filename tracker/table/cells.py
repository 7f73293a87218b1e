"""A table as columns of text: a CSV, TSV or Parquet file, or a data frame of pandas or polars, imported by neither.

A cell is the text that stands in the file, without spaces around it, or that a value is written as: a number in its
shortest form, nothing for None, NaN and NA. In a file that divides fields by semicolons or tabs, a column of numbers
may have decimal commas. Lines are counted from 1, the header being the first; rows of a frame are counted likewise.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

from tracker.contained_files import UnsafePathError, read_regular
from tracker.delimited import delimiter_of, rows_of, text_of
from tracker.errors import TrackerError
from tracker.printable import printable
from tracker.runs import shown, value_text

if TYPE_CHECKING:
    from pathlib import Path

# What a table may hold at most: ten minutes of reading, and less than a computer's memory.
MOST_ROWS = 1_000_000
MOST_COLUMNS = 5_000
MOST_CELLS = 10_000_000
LONGEST_CELL = 100_000  # characters
_MOST_BYTES = 2**30  # of what a Parquet file unpacks to

_ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".pq")
_PARQUET = (".parquet", ".pq")
_DATABASES = (".db", ".sqlite", ".sqlite3")
_SHEETS = (".xlsx", ".xls", ".ods", ".numbers")
_REPORTS = (".md", ".html", ".htm", ".pdf", ".tex", ".json")
_NOT_THERE = frozenset({"<NA>", "NaT"})  # as pandas prints what is missing
_DECIMAL_COMMA = re.compile(r"[+-]?\d+(?:,\d+)?(?:[eE][+-]?\d+)?")
_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
_UNNAMED = re.compile(r"|Unnamed: \d+|__index_level_\d+__|index")  # a frame's index, as pandas writes it


class TableError(TrackerError):
    """A table can't be read or isn't one of runs."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A table: its name, its columns in their order, and in which line each row begins."""

    name: str  # of the file, or ``table``
    header: tuple[str, ...]  # each once
    columns: tuple[Sequence[str], ...]
    lines: Sequence[int]

    def fail(self, what: str, row: int | None = None) -> TableError:
        """Return an error that begins with the table's name and, if it is about a row, with its line."""
        return TableError(f"{self.name}{'' if row is None else f', line {self.lines[row]}'}: {what}")


def read_cells(path: Path) -> Cells:
    """Read a file.

    Raises
    ------
    TableError
        If it isn't a table, is too large, or a row or column isn't whole; the message says where and what to do.
    """
    _check_path(path)
    try:
        if path.suffix.lower() in _PARQUET:
            return _parquet(path)
        data = read_regular(path)
    except UnsafePathError as error:
        raise TableError(f"cannot read {path}: {error.strerror}; give another file") from error
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror}; check its name and permissions") from error
    try:
        text = text_of(data)
        if "\0" in text:
            raise ValueError("it holds zero bytes")
    except ValueError as error:
        raise TableError(f"{path.name} is not a table as text ({error}): save it as CSV in UTF-8") from error
    if not text.strip():
        raise TableError(f"{path.name} is empty: a table begins with a line of column names")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else delimiter_of(text)
    return _of_text(path.name, text, delimiter)


def _check_path(path: Path) -> None:
    """Raise `TableError` if a path is no table's by what is there or by its ending; it says what may be meant."""
    ending = path.suffix.lower()
    if path.is_dir():
        raise TableError(f"{path} is a folder: give a table such as results.csv, or a store with --tracking-uri {path}")
    if ending in _REPORTS:
        raise TableError(f"{path} is not a table: give {', '.join(_ENDINGS[:2])} or .parquet, or --output {path}")
    if ending in _DATABASES:
        raise TableError(f"{path} is not a table: for a store give --tracking-uri {path}")
    if not path.exists() and not ending:
        raise TableError(f"there is no table {path}: for an experiment of the store give --experiment {path}")
    if not path.exists():
        raise TableError(f"there is no table {path}: check its name")
    if ending in _SHEETS:
        raise TableError(f"{path} is a spreadsheet: save it as CSV")
    if ending not in _ENDINGS:
        raise TableError(f"{path} has no ending of a table: give .csv, .tsv or .parquet")


def _of_text(name: str, text: str, delimiter: str) -> Cells:
    rows = rows_of(text, delimiter)
    memo: dict[str, str] = {}  # a table repeats names of runs and classes: each is kept once
    try:
        _, names = next(rows)
        header = tuple(field.strip() for field in names)
        _check_size(name, "columns", len(header), MOST_COLUMNS)
        columns: list[list[str]] = [[] for _ in header]
        lines: list[int] = []
        for line, fields in rows:
            if len(fields) != len(header):
                remedy = "add what is missing"
                if len(fields) > len(header):
                    remedy = f"put a field that contains {_NAMES[delimiter]} into double quotes"
                number = f"{len(fields):,} {'field' if len(fields) == 1 else 'fields'}"
                raise TableError(f"{name}, line {line}: {number}, but the header has {len(header):,}: {remedy}")
            lines.append(line)
            _check_size(name, "rows", len(lines), MOST_ROWS)
            for column, field in zip(columns, fields, strict=True):
                cell = field.strip()
                column.append(memo.setdefault(cell, cell))
            if len(lines) % 10_000 == 0:
                _check_size(name, "fields", len(lines) * len(header), MOST_CELLS)
    except ValueError as error:
        raise TableError(f"{name}, {error}: check its quotes") from error
    if delimiter != ",":
        columns = [_with_points(column) for column in columns]
    return _checked(name, header, columns, lines)


def _with_points(column: list[str]) -> list[str]:
    """Return a column whose decimal commas are points, if all of it is numbers."""
    given = [cell for cell in column if cell]
    if not any("," in cell for cell in given) or not all(map(_DECIMAL_COMMA.fullmatch, given)):
        return column
    return [cell.replace(",", ".") for cell in column]


def _parquet(path: Path) -> Cells:
    data = read_regular(path)
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise TableError(
            f"reading {path.name} needs pyarrow: pip install 'tracker-report[parquet]', or save the table as CSV"
        ) from error
    try:
        opened = pyarrow.parquet.ParquetFile(io.BytesIO(data))
        about = opened.metadata
        size = sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups))
        for what, number, most in (("columns", about.num_columns, MOST_COLUMNS), ("rows", about.num_rows, MOST_ROWS),
                                   ("fields", about.num_rows * about.num_columns, MOST_CELLS),
                                   ("unpacked bytes", size, _MOST_BYTES)):  # fmt: skip
            _check_size(path.name, what, number, most)
        table = opened.read()
        values = {str(name): table.column(place).to_pylist() for place, name in enumerate(table.column_names)}
        header = [str(name) for name in table.column_names]
    except TableError:
        raise
    except Exception as error:
        raise TableError(f"{path.name} is not a Parquet file that can be read: {_first_line(error)}") from error
    if len(values) < len(header):
        raise TableError(f"{path.name} has two columns of one name: rename one of them")
    return cells_of(values, path.name)


def _first_line(error: Exception) -> str:
    return printable(str(error).partition("\n")[0], 200)


def cells_of(frame: Any, name: str = "table") -> Cells:
    """Return the cells of a data frame of pandas or polars, or of a mapping of column names to values.

    Raises
    ------
    TableError
        As `read_cells`.
    ValueError
        If it is none of these.
    """
    if isinstance(frame, Mapping):
        names, columns = list(frame), list(frame.values())
    elif hasattr(frame, "columns") and hasattr(frame, "shape"):
        names = list(frame.columns)
        _check_size(name, "rows", int(frame.shape[0]), MOST_ROWS)
        columns = [_values(frame, place, column) for place, column in enumerate(names)]
        index = _named_index(frame)
        names, columns = [*index, *names], [*index.values(), *columns]
    else:
        raise ValueError(f"a table must be a path, a data frame or columns by name, got {shown(frame)}")
    lengths = {len(column) for column in columns}
    if not names:
        raise TableError(f"{name} has no columns: give one for each option and metric")
    if len(lengths) != 1:
        raise TableError(f"{name}: its columns must be of one length, got {', '.join(map(str, sorted(lengths)))}")
    (n,) = lengths
    for what, number, most in (("columns", len(names), MOST_COLUMNS), ("rows", n, MOST_ROWS),
                               ("fields", n * len(names), MOST_CELLS)):  # fmt: skip
        _check_size(name, what, number, most)
    header = tuple(str(column).strip() for column in names)
    return _checked(name, header, [list(map(_text, column)) for column in columns], range(2, n + 2))


def _named_index(frame: Any) -> dict[object, list[object]]:
    """Return the levels of a frame's index that have a name, such as those of `groupby`, unless columns repeat them."""
    index = getattr(frame, "index", None)  # polars has none
    levels = enumerate(getattr(index, "names", ()))
    return {
        name: list(index.get_level_values(place))  # type: ignore[union-attr]
        for place, name in levels
        if name is not None and name not in frame.columns
    }


def _values(frame: Any, place: int, column: object) -> list[object]:
    """Return the values of a frame's column; two of one name are told apart by their place."""
    series = frame.iloc[:, place] if hasattr(frame, "iloc") else frame[column]
    return list(series.tolist() if hasattr(series, "tolist") else series.to_list())


def _text(value: object) -> str:
    """Return what a value is as a cell."""
    if hasattr(value, "item") and getattr(value, "shape", ()) == ():
        value = value.item()
    if value is None or (isinstance(value, float) and isnan(value)):
        return ""
    if isinstance(value, bool | int | float):
        return value_text(value)
    text = str(value).strip()
    return "" if text in _NOT_THERE else text


def _checked(name: str, header: Sequence[str], columns: Sequence[list[str]], lines: Sequence[int]) -> Cells:
    """Return a table without an index and empty columns; refuse one without rows, or a column without a name."""
    if not lines:
        raise TableError(f"{name} has no rows below its header: add one for each run")
    is_index = [place == 0 and bool(_UNNAMED.fullmatch(column)) for place, column in enumerate(header)]
    kept = [
        (column, values)
        for column, values, left_out in zip(header, columns, is_index, strict=True)
        if not left_out and (column or any(values))
    ]
    for place, (column, values) in enumerate(kept, start=1):
        if not column:
            raise TableError(f"{name}: column {place} has no name in the first line: add one")
        long = next((len(cell) for cell in values if len(cell) > LONGEST_CELL), None)
        if long is not None:
            raise TableError(
                f"{name}: a field of {shown(column)} has {long:,} characters, and at most {LONGEST_CELL:,} are read: "
                "remove the column"
            )
    names = [column for column, _ in kept]
    twice = next((column for place, column in enumerate(names) if column in names[:place]), None)
    if twice is not None:
        raise TableError(f"{name} has the column {shown(twice)} more than once: rename one of them")
    if not kept:
        raise TableError(f"{name} has no columns but an index: a table begins with a line of column names")
    return Cells(name, tuple(names), tuple(values for _, values in kept), lines)


def _check_size(name: str, what: str, number: int, most: int) -> None:
    if number > most:
        raise TableError(
            f"{name} has {f'{number:,}' if number > most + 1 else 'more'} {what}, and at most {most:,} are read: "
            "give a smaller table"
        )
