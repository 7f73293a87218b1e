"""The files of a run as text and bytes: the only module that writes and reads their formats.

Conventions: ``predictions/validation.csv`` has the columns ``clip,label,predicted`` and then one per class with its
probability, or no more than those three; ``predictions/validation_by_epoch.npz`` the arrays ``probabilities``,
``clips``, ``labels``, ``classes``; ``dataset.csv`` the columns ``path,label,group,split,fold``. Clips come back sorted.
Files may be anybody's: whatever is wrong with one is a `ValueError` that says so, and nothing is guessed or corrected.
Sizes have limits, which are checked before anything of that size is made.
"""

from __future__ import annotations

import csv
import io
import json
import lzma
import math
import re
import struct
import zipfile
import zlib
from array import array
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from tracker.runs import EpochPredictions, Predictions, number_text
from tracker.runs.samples import (
    MOST_CLASSES,
    MOST_SAMPLES,
    SUM_TOLERANCE,
    SampleColumns,
    class_columns,
    class_names,
    column_named,
    predictions_of_classes,
    sample_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

VALIDATION = "predictions/validation.csv"
VALIDATION_BY_EPOCH = "predictions/validation_by_epoch.npz"
DATASET = "dataset.csv"
MODEL = "model"  # a folder: the kept model, as MLflow loads it
REPORT = "report.html"  # on the experiment that the run belongs to

_LEADING = ["clip", "label", "predicted"]
_SCORE = "/score"  # at the end of the name of a column of scores, in a table of `mlflow.evaluate`
_EPOCHS = ("epoch", "step")
_LONGEST_CLASS, _LARGEST_CLASS = 200, 10**15  # characters of a class's name in a table, and its number
_ARRAYS = ("probabilities", "clips", "labels", "classes")

# What a file may hold at most.
MOST_PROBABILITIES = 2**25  # of a CSV: 250,000 clips × 134 classes, or 16,777 clips × 2,000 classes
MOST_ROWS = 1_000_000  # of a dataset
LONGEST_ROW = 2**20  # characters
LARGEST_TABLE = 2**26  # bytes of a table in JSON
LARGEST_NPZ = 2**28  # bytes that an archive may unpack to: 10,000 clips × 50 classes × 130 epochs
_MOST_ENTRIES = 1_000  # of an archive, which needs four

# The header of an array, as every program that writes one has it, in any order.
_DTYPE = re.compile(rb"['\"]descr['\"]: *['\"]([<>|=]?)([a-zA-Z])(\d{1,9})['\"]")
_ORDER = re.compile(rb"['\"]fortran_order['\"]: *(True|False)")
_SHAPE = re.compile(rb"['\"]shape['\"]: *\(((?:\d{1,18}, *)*(?:\d{1,18})?)\)")
_LENGTHS = {(1, 0): "<H", (2, 0): "<I", (3, 0): "<I"}  # of that header, by the version of the format
_LONGEST_HEADER = 10_000


def predictions_csv(predictions: Predictions) -> str:
    """Write predictions with probabilities; those that float32 holds exactly are written in its shortest form.

    The CSV reads back to the same classes and, in float32, the same probabilities.
    """
    if predictions.probabilities is None:
        raise ValueError("predictions must have probabilities, got the predicted classes alone")
    exact = predictions.probabilities
    single = exact.astype(np.float32)
    numbers = (single if (single == exact).all() else exact).astype(str)
    out = io.StringIO()
    names = (*predictions.clips, *predictions.classes)
    strange = any("\r" in name for name in names)  # which the module leaves unquoted and then takes for a line's end
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL if strange else csv.QUOTE_MINIMAL)
    writer.writerow([*_LEADING, *predictions.classes])
    predicted = [predictions.classes[column] for column in exact.argmax(axis=1)]  # of NaN too: reading it checks for it
    rows = zip(predictions.clips, predictions.labels, predicted, numbers, strict=True)
    writer.writerows([clip, label, name, *row] for clip, label, name, row in rows)
    return out.getvalue()


def parse_predictions(data: bytes) -> Predictions:
    """Read predictions, with or without probabilities.

    Raises ValueError if the columns are others, a row is incomplete, a clip is listed twice, a label isn't a class, a
    row's numbers aren't probabilities, or ``predicted`` isn't the most probable class.
    """
    header, rows = _table(data)
    classes = tuple(header[3:])
    if header[:3] != _LEADING or len(classes) == 1:
        raise ValueError(f"the columns must be clip,label,predicted and one per class, got {_shown(header)}")
    _check_number("classes", len(classes), MOST_CLASSES)
    names, numbers = [], array("d")
    for row in rows:
        names.append(row[:3])
        numbers.extend(map(float, row[3:]))
        _check_number("clips", len(names), MOST_SAMPLES)
        _check_number("probabilities", len(numbers), MOST_PROBABILITIES)
    order = sorted(range(len(names)), key=names.__getitem__)
    probabilities: NDArray[np.float64] = np.array(numbers).reshape(len(names), len(classes))[order]
    clips, labels, predicted = (tuple(names[i][column] for i in order) for column in range(3))
    if not classes:
        return predictions_of_classes(clips, labels, predicted)
    _check(clips, labels, classes, probabilities)
    _check_probabilities(probabilities)
    index = {name: i for i, name in enumerate(classes)}
    chosen = probabilities[np.arange(len(clips)), [index.get(name, 0) for name in predicted]]
    if not set(predicted) <= set(classes) or (chosen < probabilities.max(axis=1)).any():
        raise ValueError("predicted must be the most probable class in every row")
    return Predictions(clips, labels, classes, probabilities)


def parse_logged_table(data: bytes, *, is_evaluated: bool = False) -> Predictions | None:
    """Read predictions from a table that `mlflow.log_table` or `mlflow.evaluate` wrote, with or without probabilities.

    It is JSON with ``columns`` and ``data``, a row a sample. None if it isn't such a table, no column is a label and
    none a prediction, or what they hold are no classes, as numbers and free texts aren't. A sample without a name is
    called by its row. In a table of `mlflow.evaluate` the label and the prediction may have any name.

    Raises ValueError if the table is too large, a row is incomplete, or a sample is listed twice.
    """
    if len(data) > LARGEST_TABLE:
        raise ValueError(f"a table may have at most {LARGEST_TABLE:,} bytes, got {len(data):,}")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no readable table: {error}") from error
    header, rows = (document.get(name) if isinstance(document, dict) else None for name in ("columns", "data"))
    if not isinstance(header, list) or not all(isinstance(name, str) for name in header) or not isinstance(rows, list):
        return None
    columns = sample_columns(header)
    if rows and is_evaluated:
        _check_rows(header, rows)
        columns = _with_classes(header, rows, columns)
    if columns.label is None or columns.predicted is None or not rows:
        return None
    _check_rows(header, rows)
    epoch = column_named(header, _EPOCHS)
    if epoch is not None and len({str(row[epoch]) for row in rows}) > 1:  # the table grew from epoch to epoch
        rows = [row for row in rows if row[epoch] == rows[-1][epoch]]
    labels, predicted = ([_class_text(row[place]) for row in rows] for place in (columns.label, columns.predicted))
    if None in labels or None in predicted or len({*labels}) > max(2, len(rows) // 2):
        return None
    try:
        of_labels, chosen = class_names([text or "" for text in labels], [text or "" for text in predicted])
    except ValueError:
        return None
    named = None if columns.sample is None else [_class_text(row[columns.sample]) for row in rows]
    is_numbered = named is None or None in named
    samples = (
        [f"row {number}" for number in range(1, len(rows) + 1)] if is_numbered else [name or "" for name in named or ()]
    )
    shares = _shares(header, rows, of_labels, chosen)
    return replace(predictions_of_classes(samples, of_labels, chosen, shares), is_numbered=is_numbered)


def _check_rows(header: Sequence[str], rows: Sequence[Any]) -> None:
    _check_number("rows", len(rows), MOST_SAMPLES)
    for row in rows:
        if not isinstance(row, list) or len(row) != len(header):
            raise ValueError(f"a row must have {len(header)} fields, got {str(row)[:200]!r}")


def _with_classes(header: Sequence[str], rows: Sequence[Sequence[Any]], columns: SampleColumns) -> SampleColumns:
    """Return the columns with the label and the prediction under other names, if only two columns share classes.

    `mlflow.evaluate` has the label before the prediction.
    """
    known = (columns.label, columns.predicted)
    if None not in known:
        return columns
    own = {columns.sample, columns.group, columns.correct}
    values = {
        place: {_class_text(row[place]) for row in rows}
        for place, name in enumerate(header)
        if place in known or (place not in own and not name.endswith(_SCORE))
    }
    classes = {
        p: found for p, found in values.items() if None not in found and 1 < len(found) <= max(2, len(rows) // 2)
    }
    pairs = [
        (a, b)
        for a, b in combinations(classes, 2)
        if len(classes[a] & classes[b]) > 1 and {None, a, b}.issuperset(known)
    ]
    if len(pairs) != 1:
        return columns
    label, predicted = pairs[0]
    if columns.label == predicted or columns.predicted == label:
        label, predicted = predicted, label
    return replace(columns, label=label, predicted=predicted)


def _class_text(value: object) -> str | None:
    """Return a class or a name as text; None if a value of JSON is neither."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return number_text(value) if math.isfinite(value) and abs(value) < _LARGEST_CLASS else None
    return value if isinstance(value, str) and len(value) <= _LONGEST_CLASS else None


def _shares(
    header: Sequence[str], rows: Sequence[Sequence[Any]], labels: Sequence[str], predicted: Sequence[str]
) -> tuple[tuple[str, ...], NDArray[np.float64]] | None:
    """Return the classes and their probabilities; None if there are none, or they don't fit the predicted classes."""
    places = class_columns(header, sorted({*labels, *predicted}))
    if not places or len(places) * len(rows) > MOST_PROBABILITIES:
        return None
    try:
        shares: NDArray[np.float64] = np.array([[row[place] for place in places.values()] for row in rows], dtype=float)
        _check_probabilities(shares)
    except (TypeError, ValueError, OverflowError):
        return None
    index = {name: place for place, name in enumerate(places)}
    chosen = shares[np.arange(len(rows)), [index[name] for name in predicted]]
    return None if (chosen < shares.max(axis=1)).any() else (tuple(places), shares)


def epoch_predictions_npz(predictions: EpochPredictions) -> bytes:
    """Return the predictions of every epoch as an archive: the same predictions give the same bytes."""
    texts = {name: np.array(getattr(predictions, name), dtype=str) for name in _ARRAYS[1:]}
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, probabilities=predictions.probabilities.astype(np.float32), **texts)
    return out.getvalue()


def parse_epoch_predictions(data: bytes) -> EpochPredictions:
    """Read the predictions of every epoch.

    A clip's may all be NaN, as they are once training diverged and continued; such an epoch's weights are never kept.
    Raises ValueError if it isn't such an archive, the shapes don't fit, or the numbers aren't probabilities, or NaN in
    every epoch.
    """
    numbers, *texts = _arrays(data)
    if numbers.ndim != 3 or numbers.dtype.kind != "f" or not len(numbers):
        raise ValueError(
            "probabilities must be floats, at least one epoch × clips × classes, got "
            f"{numbers.dtype} of the shape {numbers.shape}"
        )
    probabilities: NDArray[np.floating] = numbers
    _check_number("clips", probabilities.shape[1], MOST_SAMPLES)
    _check_number("classes", probabilities.shape[2], MOST_CLASSES)
    for name, text in zip(_ARRAYS[1:], texts, strict=True):
        if text.ndim != 1 or text.dtype.kind not in "USbiu":
            raise ValueError(f"{name} must be a row of texts, got {text.dtype} of the shape {text.shape}")
        _check_number(name, len(text), MOST_SAMPLES)
    clips, labels, classes = (tuple(text.astype(str).tolist()) for text in texts)
    _check(clips, labels, classes, probabilities)
    lost = np.isnan(probabilities).all(axis=-1)
    _check_probabilities(probabilities if lost.any(axis=-1).all() else probabilities[~lost])
    order = sorted(range(len(clips)), key=clips.__getitem__)
    clips, labels = (tuple(names[i] for i in order) for names in (clips, labels))
    return EpochPredictions(clips, labels, classes, probabilities[:, order].astype(np.float32))


def _arrays(data: bytes) -> list[NDArray[Any]]:
    """Return the arrays of an archive; raise ValueError if it isn't one, or they would be too large."""
    if data.count(b"PK\x01\x02") > _MOST_ENTRIES:
        raise ValueError(f"an archive may have at most {_MOST_ENTRIES:,} entries")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size > LARGEST_NPZ:
                raise ValueError(f"an archive may unpack to at most {LARGEST_NPZ:,} bytes, got {size:,}")
            return [_array(name, archive.read(f"{name}.npy")) for name in _ARRAYS]
    except _BROKEN_ARCHIVE as error:
        raise ValueError(f"no readable archive of {', '.join(_ARRAYS)}: {error}") from error


# What the standard library raises of archives that aren't any; a RuntimeError is one with a password.
_BROKEN_ARCHIVE = (
    OSError, EOFError, LookupError, ArithmeticError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error,
    lzma.LZMAError, struct.error,
)  # fmt: skip


def _array(name: str, entry: bytes) -> NDArray[Any]:
    """Return the array of an entry, as a view of its bytes: nothing is made of the size that its header claims.

    numpy's own reader parses the header as Python, and allocates before it reads.

    References
    ----------
    https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """
    length = _LENGTHS.get((entry[6], entry[7])) if entry.startswith(b"\x93NUMPY") and len(entry) >= 12 else None
    if length is None:
        raise ValueError(f"{name} must be an array as numpy writes it")
    start = 8 + struct.calcsize(length)
    end = start + struct.unpack_from(length, entry, 8)[0]
    header = entry[start : min(end, start + _LONGEST_HEADER)]
    dtype, order, shape = (pattern.search(header) for pattern in (_DTYPE, _ORDER, _SHAPE))
    if not (dtype and order and shape) or dtype[2] not in b"fUSbiu":
        raise ValueError(
            f"{name} must be an array of numbers or texts, got the header {header[:100].decode('latin-1').strip()!r}"
        )
    sizes = tuple(int(size) for size in re.findall(rb"\d+", shape[1]))
    of_one = int(dtype[3]) * (4 if dtype[2] == b"U" else 1)
    if not of_one or math.prod(sizes) * of_one != len(entry) - end:
        raise ValueError(f"{name} must be as long as its header says, got {len(entry) - end:,} bytes for {sizes}")
    try:
        values = np.frombuffer(entry, np.dtype(b"".join(dtype.groups()).decode()), offset=end)
    except TypeError as error:
        raise ValueError(f"{name} must be an array of numbers or texts: {error}") from error
    return values.reshape(sizes, order="F" if order[1] == b"True" else "C")


def groups_of(data: bytes) -> dict[str, str]:
    """Return the group of each clip that has one, from ``dataset.csv``.

    Raises ValueError if the column ``path`` or ``group`` is missing, a row is incomplete, or there are too many.
    """
    header, rows = _table(data)
    if not {"path", "group"} <= set(header):
        raise ValueError(f"the columns must have path and group among them, got {_shown(header)}")
    path, group = header.index("path"), header.index("group")
    groups = {}
    for number, row in enumerate(rows, 1):
        _check_number("rows", number, MOST_ROWS)
        if row[group]:
            groups[row[path]] = row[group]
    return groups


def _table(data: bytes) -> tuple[list[str], Iterator[list[str]]]:
    """Return the header and the rows of a CSV, each as long as the header and read when it is asked for."""
    rows = _rows(data)
    header = next(rows, [])

    def whole() -> Iterator[list[str]]:
        for row in rows:
            if len(row) != len(header):
                raise ValueError(f"a row must have {len(header)} fields, got {len(row)}: {_shown(row)}")
            yield row

    return header, whole()


def _rows(data: bytes) -> Iterator[list[str]]:
    # With or without the mark that spreadsheets put first; file names may not be Unicode.
    text = io.StringIO(data.decode("utf-8-sig", "surrogateescape"), newline="")
    length = 0

    def lines() -> Iterator[str]:
        nonlocal length
        for number, line in enumerate(text, 1):
            length += len(line)
            _check_number("characters in a row", length, LONGEST_ROW)
            _check_number("lines", number, 2 * MOST_ROWS)  # a name may have line breaks in it
            yield line

    try:
        for row in csv.reader(lines(), strict=True):
            length = 0
            if row:
                yield row
    except csv.Error as error:
        raise ValueError(f"no readable CSV: {error}") from error


def _shown(row: Sequence[str]) -> str:
    return repr(",".join(row)[:200])


def _check_number(what: str, number: int, most: int) -> None:
    if number > most:
        raise ValueError(
            f"a file may have at most {most:,} {what}, got {'more' if number == most + 1 else f'{number:,}'}"
        )


def _check(
    clips: Sequence[str], labels: Sequence[str], classes: Sequence[str], probabilities: NDArray[np.floating]
) -> None:
    """Refuse names that do not hold together; the last two axes of `probabilities` are clips and classes."""
    if not clips or probabilities.shape[-2:] != (len(clips), len(classes)) or len(labels) != len(clips):
        raise ValueError(
            f"{len(clips)} clips, {len(labels)} labels and {len(classes)} classes do not fit probabilities of the "
            f"shape {probabilities.shape}"
        )
    for what, names in (("clip", clips), ("class", classes)):
        if len(set(names)) < len(names):
            raise ValueError(f"a {what} must be there once, got one twice")
    if not set(labels) <= set(classes):
        raise ValueError(f"a label must be one of the classes, got {min(set(labels) - set(classes))!r}")


def _check_probabilities(probabilities: NDArray[np.floating]) -> None:
    """Refuse numbers that aren't probabilities; the last axis is the classes."""
    with np.errstate(all="ignore"):  # infinite ones
        sums = probabilities.sum(axis=-1, dtype=np.float64)
    if not ((probabilities >= 0).all() and (abs(sums - 1) <= SUM_TOLERANCE).all()):
        raise ValueError("the probabilities of a clip must be at least 0 and add up to 1")
