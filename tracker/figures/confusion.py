"""Which classes are taken for which: confusion matrices, each row's shares as shades and its counts as numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from operator import add
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np

from tracker.figures.style import INK, MUTED, SMALL, TINY, TITLE, WIDTH, label, paper, place, png, style, write
from tracker.report import Picture
from tracker.wording import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from tracker.report import RunEntry
    from tracker.runs import Predictions, Run

# In inches
_ABOVE, _GAP = 0.28, 0.12  # room above each matrix, for its run, and between two
_LARGEST = 5.6  # side of a matrix that stands alone
_CELL = 0.6  # side of a cell beyond which a matrix of few classes does not grow
_LEGIBLE = 0.16  # side of a cell from which on its count is written

_COLUMNS = 4
_TABLE_ROWS = 80
_NAME, _NAME_IN_WORDS = 16, 60  # characters of a class's name, in the figure and in its alternative text


@dataclass(frozen=True, slots=True, eq=False)
class _Matrix:
    """A run's counts: row the true class, column the class it was taken for; shape (n_classes, n_classes)."""

    name: str
    classes: tuple[str, ...]
    counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Where matrices stand: the side of one, the margins (inches), and how many in a line and lines there are."""

    side: float
    left: float
    below: float
    columns: int
    lines: int


def run_confusion(run: Run) -> Picture:
    """Draw the validation confusion matrix of one run.

    Raises
    ------
    ValueError
        If the run has no predictions.
    """
    if run.validation is None or not run.validation.clips:
        raise ValueError(f"a confusion matrix needs predictions on validation clips, and run {run.run_id} has none")
    return _picture([matrix_of("", run.validation)], (run.run_id,))


def confusion(entries: Sequence[RunEntry]) -> Picture:
    """Draw confusion matrices of at least one run with predictions; the table has the cells that are not zero."""
    matrices = [matrix_of(entry.name, entry.run.validation) for entry in entries if entry.run.validation is not None]
    return _picture(matrices, tuple(entry.run.run_id for entry in entries))


def _picture(matrices: Sequence[_Matrix], run_ids: tuple[str, ...]) -> Picture:
    with style():
        figure = draw_matrices(matrices)
        return Picture("confusion", png(figure), _finding(matrices), _HEADER, _rows(matrices), run_ids)


def draw_matrices(matrices: Sequence[_Matrix]) -> Figure:
    """Draw confusion matrices side by side, four to a row."""
    sheet = _sheet(matrices)
    figure = paper(sheet.below + sheet.lines * (sheet.side + _ABOVE) + 0.05)
    for position, matrix in enumerate(matrices):
        line, column = divmod(position, sheet.columns)
        left = sheet.left + column * (sheet.side + _GAP)
        bottom = sheet.below + (sheet.lines - 1 - line) * (sheet.side + _ABOVE)
        axes = place(figure, left, bottom, sheet.side, sheet.side)
        _draw(axes, matrix, sheet.side)
        _label(axes, matrix, sheet.side, rows=column == 0, columns=position + sheet.columns >= len(matrices))
        write(figure, left, bottom + sheet.side + 0.07, label(matrix.name, 20), fontsize=TITLE, fontweight="bold")
    write(figure, WIDTH / 2, 0.08, _KEY, color=MUTED, ha="center")
    return figure


_KEY = "down: the true class and its clips · across: what they were taken for · shade: the share of the row"
_HEADER = ("run", "true class", "taken for", "clips", "share of the class")


def _sheet(matrices: Sequence[_Matrix]) -> _Sheet:
    """Find room for the names, then make the matrices as large as is left."""
    most = max(len(matrix.classes) for matrix in matrices)
    longest = max(len(label(name, _NAME)) for matrix in matrices for name in matrix.classes)
    left, columns = 0.5 + 0.066 * longest, min(len(matrices), _COLUMNS)
    side = min(_LARGEST, max(1.2, _CELL * most), (WIDTH - left - 0.1) / columns - _GAP)
    margin = (WIDTH - left - 0.1 - columns * (side + _GAP)) / 2
    return _Sheet(side, left + margin, 0.4 + 0.066 * longest, columns, -(-len(matrices) // columns))


def matrix_of(name: str, predictions: Predictions) -> _Matrix:
    """Count how often each class is predicted for the clips of each class."""
    predicted = predictions.predicted_names
    classes = tuple(dict.fromkeys((*predictions.classes, *predictions.labels, *predicted)))
    index_of = {label: index for index, label in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for true, taken_for in zip(predictions.labels, predicted, strict=True):
        counts[index_of[true], index_of[taken_for]] += 1
    return _Matrix(name, classes, counts)


def _shares(matrix: _Matrix) -> NDArray[np.float64]:
    """Return each row's shares; a class without clips is all zero."""
    shares: NDArray[np.float64] = matrix.counts / np.maximum(1, matrix.counts.sum(axis=1, keepdims=True))
    return shares


def _draw(axes: Axes, matrix: _Matrix, side: float) -> None:
    shares = _shares(matrix)
    axes.imshow(shares, cmap=mpl.colormaps["Blues"], vmin=0, vmax=1.15, interpolation="nearest", aspect="auto")
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(True)
    cell = side / len(matrix.classes)
    if cell < _LEGIBLE:
        return
    for row, column in zip(*np.nonzero(matrix.counts), strict=True):
        colour = "white" if shares[row, column] > 0.6 else INK
        size = min(SMALL, 72 * cell * 0.36)
        axes.text(column, row, str(matrix.counts[row, column]), ha="center", va="center", color=colour, fontsize=size)


def _label(axes: Axes, matrix: _Matrix, side: float, *, rows: bool, columns: bool) -> None:
    """Name the classes at the side and below, as many as are legible."""
    every = max(1, -(-len(matrix.classes) * 5 // int(72 * side)))
    ticks = range(0, len(matrix.classes), every)
    size = min(TINY, 72 * side * every / len(matrix.classes) * 0.9)
    names = [label(matrix.classes[i], _NAME) for i in ticks]
    counts = [f" ({matrix.counts[i].sum()})" for i in ticks]
    axes.tick_params(length=0, labelcolor=INK)
    axes.set_yticks(ticks if rows else [], [*map(add, names, counts)] if rows else [])
    axes.set_xticks(ticks if columns else [], names if columns else [], rotation=90)
    axes.tick_params(labelsize=size)


def _finding(matrices: Sequence[_Matrix]) -> str:
    wrong: Counter[tuple[str, str]] = Counter()
    for matrix in matrices:
        for row, column in zip(*np.nonzero(matrix.counts), strict=True):
            if row != column:
                wrong[matrix.classes[row], matrix.classes[column]] += int(matrix.counts[row, column])
    total = sum(int(matrix.counts.sum()) for matrix in matrices)
    of_runs = "" if len(matrices) == 1 else f" of {len(matrices)} runs"
    if not wrong:
        return f"Every one of {total} classifications{of_runs} is right."
    (true, taken_for), count = max(sorted(wrong.items()), key=lambda item: item[1])
    most = f"{_cut(true)} taken for {_cut(taken_for)}"
    return f"Of {sum(wrong.values())} wrong classifications{of_runs} the most frequent is {most}: {count}."


def _cut(name: str) -> str:
    return name if len(name) <= _NAME_IN_WORDS else f"{name[: _NAME_IN_WORDS - 1]}…"


def _rows(matrices: Sequence[_Matrix]) -> tuple[tuple[str, ...], ...]:
    rows = [row for matrix in matrices for row in _cells(matrix)]
    more = [("…", f"{len(rows) - _TABLE_ROWS} more", "", "", "")] if len(rows) > _TABLE_ROWS else []
    return (*rows[:_TABLE_ROWS], *more)


def _cells(matrix: _Matrix) -> list[tuple[str, ...]]:
    """Return the cells that are not zero, row by row."""
    shares = _shares(matrix)
    return [
        (
            matrix.name or "this run",
            matrix.classes[row],
            matrix.classes[column],
            str(matrix.counts[row, column]),
            percent(float(shares[row, column])),
        )
        for row, column in zip(*np.nonzero(matrix.counts), strict=True)
    ]
