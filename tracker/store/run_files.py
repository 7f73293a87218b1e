"""The files of a run as text and bytes: the only module that writes and reads their formats.

Conventions: ``predictions/validation.csv`` has the columns ``clip,label,predicted`` and then one per class with its
probability; ``predictions/validation_by_epoch.npz`` the arrays ``probabilities``, ``clips``, ``labels``, ``classes``;
``dataset.csv`` the columns ``path,label,group,split,fold``. Clips come back sorted. Files may be anybody's: whatever
is wrong with one is a `ValueError` that says so, and nothing is guessed or corrected.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from typing import TYPE_CHECKING

import numpy as np

from tracker.runs import EpochPredictions, Predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

VALIDATION = "predictions/validation.csv"
VALIDATION_BY_EPOCH = "predictions/validation_by_epoch.npz"
DATASET = "dataset.csv"

_LEADING = ["clip", "label", "predicted"]
_ARRAYS = ("probabilities", "clips", "labels", "classes")

# How far from 1 a row of probabilities may add up to: ten classes rounded to three digits stay within it.
_SUM_TOLERANCE = 0.01

_LARGEST_NPZ = 2**28  # bytes that an archive may unpack to: 10,000 clips × 50 classes × 130 epochs


def predictions_csv(predictions: Predictions) -> str:
    """Write predictions; numbers that float32 holds exactly are written in float32's shortest form.

    The CSV reads back to the same classes and, in float32, the same probabilities.
    """
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
    """Read predictions.

    Raises ValueError if the columns are others, a row is incomplete, a clip is listed twice, a label isn't a class, a
    row's numbers aren't probabilities, or ``predicted`` isn't the most probable class.
    """
    header, rows = _table(data)
    classes = tuple(header[3:])
    if header[:3] != _LEADING or len(classes) < 2:
        raise ValueError(f"the columns must be clip,label,predicted and one per class, got {','.join(header)[:200]!r}")
    rows.sort()
    probabilities = np.array([row[3:] for row in rows], dtype=np.float64).reshape(len(rows), len(classes))
    clips, labels, predicted = (tuple(row[i] for row in rows) for i in range(3))
    _check(clips, labels, classes, probabilities)
    _check_probabilities(probabilities)
    index = {name: i for i, name in enumerate(classes)}
    chosen = probabilities[np.arange(len(rows)), [index.get(name, 0) for name in predicted]]
    if not set(predicted) <= set(classes) or (chosen < probabilities.max(axis=1)).any():
        raise ValueError("predicted must be the most probable class in every row")
    return Predictions(clips, labels, classes, probabilities)


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
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > _LARGEST_NPZ:
            raise ValueError(f"an archive may unpack to at most {_LARGEST_NPZ:,} bytes, got {size:,}")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            probabilities, *texts = (archive[name] for name in _ARRAYS)
    except (OSError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"no readable archive of {', '.join(_ARRAYS)}: {error}") from error
    clips, labels, classes = (tuple(text.astype(str).tolist()) for text in texts)
    if probabilities.ndim != 3 or probabilities.dtype.kind != "f" or not len(probabilities):
        raise ValueError(
            "probabilities must be floats, at least one epoch × clips × classes, got "
            f"{probabilities.dtype} of the shape {probabilities.shape}"
        )
    _check(clips, labels, classes, probabilities)
    lost = np.isnan(probabilities).all(axis=-1)
    _check_probabilities(probabilities if lost.any(axis=-1).all() else probabilities[~lost])
    order = sorted(range(len(clips)), key=clips.__getitem__)
    clips, labels = (tuple(names[i] for i in order) for names in (clips, labels))
    return EpochPredictions(clips, labels, classes, probabilities[:, order].astype(np.float32))


def groups_of(data: bytes) -> dict[str, str]:
    """Return the group of each clip that has one, from ``dataset.csv``.

    Raises ValueError if the column ``path`` or ``group`` is missing or a row is incomplete.
    """
    header, rows = _table(data)
    if not {"path", "group"} <= set(header):
        raise ValueError(f"the columns must have path and group among them, got {','.join(header)[:200]!r}")
    path, group = header.index("path"), header.index("group")
    return {row[path]: row[group] for row in rows if row[group]}


def _table(data: bytes) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a CSV, each as long as the header."""
    # With or without the mark that spreadsheets put first; file names may not be Unicode.
    text = data.decode("utf-8-sig", "surrogateescape")
    try:
        lines = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise ValueError(f"no readable CSV: {error}") from error
    header, rows = (lines[0], lines[1:]) if lines else ([], [])
    short = next((row for row in rows if len(row) != len(header)), None)
    if short is not None:
        raise ValueError(f"a row must have {len(header)} fields, got {len(short)}: {','.join(short)[:200]!r}")
    return header, rows


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
    sums = probabilities.sum(axis=-1, dtype=np.float64)
    if not ((probabilities >= 0).all() and (abs(sums - 1) <= _SUM_TOLERANCE).all()):
        raise ValueError("the probabilities of a clip must be at least 0 and add up to 1")
