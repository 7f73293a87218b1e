"""Which clips each run gets right, and which classes it takes for which.

A grid has a column a clip, the hardest first, and a row a run. A confusion matrix has each row's shares as shades and
its counts as numbers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from operator import add
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tracker.figures import style
from tracker.figures.style import INK, MUTED, SMALL, TINY, TITLE, VERMILION, WIDTH
from tracker.report import Picture
from tracker.wording import count, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from tracker.report import RunEntry
    from tracker.runs import Predictions, Run

_MOST_CLIPS = 300  # columns that a screen can show; of more clips the hardest are shown
_NAMED_CLIPS = 40  # up to so many clips have their names below and a cross on every wrong cell
_TALLEST = 6.0  # inches that the rows of a grid may take
_CORRECT = "#d3e5f2"

# In inches
_ABOVE, _GAP = 0.28, 0.12  # room above each matrix, for its run, and between two
_LARGEST = 5.6  # side of a matrix that stands alone
_CELL = 0.6  # side of a cell beyond which a matrix of few classes does not grow
_LEGIBLE = 0.16  # side of a cell from which on its count is written

_COLUMNS = 4
_NAME, _NAME_IN_WORDS = 16, 60  # characters of a class's name, in the figure and in its alternative text


def clip_grid(entries: Sequence[RunEntry]) -> Picture:
    """Draw a clip × run grid of right and wrong; its table has the clips that any run gets wrong.

    There is at least one run, all with predictions on the same clips; the first is on top.
    """
    correct = np.array([entry.result.correct_by_clip for entry in entries])
    order = np.lexsort((np.arange(correct.shape[1]), correct.sum(axis=0)))
    predicted = [entry.result.predicted_names for entry in entries]
    clips = entries[0].result.clip_set
    wrong = [int(clip) for clip in order if not correct[:, clip].all()]
    rows = []
    for clip in wrong[:60]:
        others = Counter(of_run[clip] for of_run in predicted if of_run[clip] != clips.labels[clip])
        mostly = max(sorted(others), key=lambda name: others[name])
        rows.append((clips.clips[clip], clips.labels[clip], f"{correct[:, clip].sum()} of {len(entries)}", mostly))
    with style.applied():
        picture = style.png(draw_grid(entries, correct, order[:_MOST_CLIPS]))
    header = ("clip", "label", "right in", "mostly taken for")
    ids = tuple(entry.run.run_id for entry in entries)
    return Picture("clip-grid", picture, _finding_of_grid(correct), header, _and_more(rows, len(wrong)), ids)


def _and_more(rows: Sequence[tuple[str, ...]], total: int) -> tuple[tuple[str, ...], ...]:
    """Return rows, and a last one that counts those that are left out."""
    more = [("…", f"{total - len(rows)} more", *[""] * (len(rows[0]) - 2))] if total > len(rows) else []
    return (*rows, *more)


def draw_grid(entries: Sequence[RunEntry], correct: NDArray[np.bool_], shown: NDArray[np.intp]) -> Figure:
    """Draw a row for each run, the first on top, and a column for each clip of `shown`."""
    clips = entries[0].result.clip_set.clips
    names = [style.label(clips[i].rsplit("/", 1)[-1], 20) for i in shown] if len(shown) <= _NAMED_CLIPS else []
    below = 0.45 + 0.05 * max(map(len, names), default=0)
    height = min(0.24, _TALLEST / len(entries)) * len(entries)
    figure = style.paper(below + height + 0.1)
    axes = style.place(figure, 0.75, below, WIDTH - 0.85, height)
    _draw_cells(axes, correct[:, shown])
    size = min(SMALL, 72 * _TALLEST / len(entries) * 0.9)
    axes.set_yticks(range(len(entries)), [style.label(entry.name, 12) for entry in entries], fontsize=size)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=TINY - 1, color=MUTED)
    axes.tick_params(length=0)
    cross: dict[str, Any] = {"marker": "x", "markeredgecolor": "white", "markersize": 4} if names else {}
    wrong = Line2D([], [], color=VERMILION, linewidth=8, solid_capstyle="butt", label="wrong", **cross)
    every = correct.shape[1]
    which = count(every, "clip") if len(shown) == every else f"the {len(shown)} hardest of {every:,} clips"
    order = Patch(facecolor="none", edgecolor="none", label=f"{which}, from the hardest to the easiest →")
    style.legend(figure, [Patch(facecolor=_CORRECT, label="right"), wrong, order])
    return figure


def _draw_cells(axes: Axes, correct: NDArray[np.bool_]) -> None:
    """Fill the cells, with white lines between them while they are wide enough."""
    colours = ListedColormap([_CORRECT, VERMILION])
    axes.imshow(~correct, cmap=colours, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    runs, clips = correct.shape
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if clips <= _NAMED_CLIPS:
        axes.vlines(np.arange(1, clips) - 0.5, -0.5, runs - 0.5, color="white", linewidth=1.2)
        rows, columns = np.nonzero(~correct)
        axes.plot(columns, rows, linestyle="none", marker="x", color="white", markersize=4.5, markeredgewidth=1.3)
    axes.hlines(np.arange(1, runs) - 0.5, -0.5, clips - 0.5, color="white", linewidth=1.2 if runs <= 25 else 0.4)


def _finding_of_grid(correct: NDArray[np.bool_]) -> str:
    runs, clips = correct.shape
    per_clip = correct.sum(axis=0)
    if runs == 1:
        return f"The run is right on {int(per_clip.sum())} of {clips} clips."
    always, never = int((per_clip == runs).sum()), int((per_clip == 0).sum())
    return (
        f"Of {clips} clips {always} are right in all {runs} runs, {never} are wrong in all of them, "
        f"and {clips - always - never} are right in some."
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Matrix:
    """A run's counts: row the true class, column the class it was taken for; shape (n_classes, n_classes)."""

    name: str
    classes: tuple[str, ...]
    counts: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Each row's shares; a class without clips is all zero."""
        shares: NDArray[np.float64] = self.counts / np.maximum(1, self.counts.sum(axis=1, keepdims=True))
        return shares

    @property
    def cells(self) -> list[tuple[int, int]]:
        """Row and column of each count that isn't zero, row by row."""
        return [(int(row), int(column)) for row, column in np.argwhere(self.counts)]


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
    rows = []
    for matrix in matrices:
        name, classes, shares = matrix.name or "this run", matrix.classes, matrix.shares
        for row, column in matrix.cells:
            clips, share = str(matrix.counts[row, column]), percent(float(shares[row, column]))
            rows.append((name, classes[row], classes[column], clips, share))
    with style.applied():
        picture = style.png(draw_matrices(matrices))
    header, table = ("run", "true class", "taken for", "clips", "share of the class"), _and_more(rows[:80], len(rows))
    return Picture("confusion", picture, _finding_of_matrices(matrices), header, table, run_ids)


def matrix_of(name: str, predictions: Predictions) -> _Matrix:
    """Count how often each class is predicted for the clips of each class."""
    predicted = predictions.predicted_names
    classes = tuple(dict.fromkeys((*predictions.classes, *predictions.labels, *predicted)))
    index_of = {label: index for index, label in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for label, prediction in zip(predictions.labels, predicted, strict=True):
        counts[index_of[label], index_of[prediction]] += 1
    return _Matrix(name, classes, counts)


def draw_matrices(matrices: Sequence[_Matrix]) -> Figure:
    """Draw confusion matrices side by side, four to a row, as large as the names leave room."""
    longest = max(len(style.label(name, _NAME)) for matrix in matrices for name in matrix.classes)
    left, below = 0.5 + 0.066 * longest, 0.4 + 0.066 * longest
    columns = min(len(matrices), _COLUMNS)
    lines = -(-len(matrices) // columns)
    most = max(len(matrix.classes) for matrix in matrices)
    side = min(_LARGEST, max(1.2, _CELL * most), (WIDTH - left - 0.1) / columns - _GAP)
    left += (WIDTH - left - 0.1 - columns * (side + _GAP)) / 2
    figure = style.paper(below + lines * (side + _ABOVE) + 0.05)
    for position, matrix in enumerate(matrices):
        line, column = divmod(position, columns)
        x, y = left + column * (side + _GAP), below + (lines - 1 - line) * (side + _ABOVE)
        axes = style.place(figure, x, y, side, side)
        _draw_matrix(axes, matrix, side)
        _name_classes(axes, matrix, side, rows=column == 0, columns=position + columns >= len(matrices))
        style.write(figure, x, y + side + 0.07, style.label(matrix.name, 20), fontsize=TITLE, fontweight="bold")
    key = "down: the true class and its clips · across: what they were taken for · shade: the share of the row"
    style.write(figure, WIDTH / 2, 0.08, key, color=MUTED, ha="center")
    return figure


def _draw_matrix(axes: Axes, matrix: _Matrix, side: float) -> None:
    shares = matrix.shares
    axes.imshow(shares, cmap=mpl.colormaps["Blues"], vmin=0, vmax=1.15, interpolation="nearest", aspect="auto")
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(True)
    cell = side / len(matrix.classes)
    for row, column in matrix.cells if cell >= _LEGIBLE else ():
        colour = "white" if shares[row, column] > 0.6 else INK
        size = min(SMALL, 72 * cell * 0.36)
        axes.text(column, row, str(matrix.counts[row, column]), ha="center", va="center", color=colour, fontsize=size)


def _name_classes(axes: Axes, matrix: _Matrix, side: float, *, rows: bool, columns: bool) -> None:
    """Name the classes at the side and below, as many as are legible."""
    every = max(1, -(-len(matrix.classes) * 5 // int(72 * side)))
    ticks = range(0, len(matrix.classes), every)
    names = [style.label(matrix.classes[i], _NAME) for i in ticks]
    counts = [f" ({matrix.counts[i].sum()})" for i in ticks]
    axes.tick_params(length=0, labelcolor=INK)
    axes.set_yticks(ticks if rows else [], [*map(add, names, counts)] if rows else [])
    axes.set_xticks(ticks if columns else [], names if columns else [], rotation=90)
    axes.tick_params(labelsize=min(TINY, 72 * side * every / len(matrix.classes) * 0.9))


def _finding_of_matrices(matrices: Sequence[_Matrix]) -> str:
    wrong: Counter[tuple[str, str]] = Counter()
    for matrix in matrices:
        for row, column in matrix.cells:
            if row != column:
                wrong[matrix.classes[row], matrix.classes[column]] += int(matrix.counts[row, column])
    of_runs = "" if len(matrices) == 1 else f" of {len(matrices)} runs"
    if not wrong:
        return f"Every one of {sum(int(matrix.counts.sum()) for matrix in matrices)} classifications{of_runs} is right."
    pair, most = max(sorted(wrong.items()), key=lambda item: item[1])
    label, predicted = (name if len(name) <= _NAME_IN_WORDS else f"{name[: _NAME_IN_WORDS - 1]}…" for name in pair)
    frequent = f"{label} taken for {predicted}: {most}"
    return f"Of {wrong.total()} wrong classifications{of_runs} the most frequent is {frequent}."
