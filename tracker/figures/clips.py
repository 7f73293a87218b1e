"""The clips that not every run gets correct, and which classes the best run takes for which.

A grid has a row a clip, the one that most runs get wrong first, and a column a run, the best first. A confusion matrix
has each row's shares as shades and its counts as numbers; of many classes those that are mistaken most often.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tracker.figures import style, svg
from tracker.figures.style import NARROW, SMALL, WIDE
from tracker.report import Panel
from tracker.runs.logged import NO_LABEL
from tracker.study.sample_name import CLIPS, SampleName
from tracker.wording import counted, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tracker.report import Picture, RunEntry
    from tracker.runs import Predictions, Run

MOST_RUNS = 12  # columns
_MOST_CLIPS = 20  # rows
_MOST_ROWS = 60  # of the table
_ROW, _COLUMN = 24.0, 44.0  # of a cell, at most

_MOST_CLASSES = 10  # rows and columns of a matrix; the rest is taken together
_FEW_CLASSES = 6  # up to so many one drawing suits wide and narrow places
_PALEST, _DARKEST = 0.1, 0.7  # opacity of the shades: ink stands out from both by more than 4.5 to 1
_LARGEST_CELL = 46.0
_NAME_IN_WORDS = 60  # characters of a class's name in the alternative text


def clip_grid(entries: Sequence[RunEntry], sample: SampleName = CLIPS) -> Picture:
    """Draw the clips that not every run classifies correctly; there is at least one, and so many runs as are given.

    Parameters
    ----------
    entries : sequence of RunEntry
        At least one, the best first, all with predictions on the same clips; the best 12 are drawn.
    sample : SampleName
        What a clip is called.
    """
    correct = np.array([entry.result.correct_by_clip for entry in entries])
    clips = entries[0].result.clip_set
    order = np.lexsort((np.arange(correct.shape[1]), correct.sum(axis=0)))
    wrong = [int(clip) for clip in order if not correct[:, clip].all()]
    title, alt = map(sample.put_into, finding_of_clips(correct))
    predicted = [entry.result.predicted_names for entry in entries]
    rows: list[tuple[str, ...]] = []
    for clip in wrong[:_MOST_ROWS]:
        others = Counter(of_run[clip] for of_run in predicted if of_run[clip] != clips.labels[clip])
        mostly = sorted(name for name in others if others[name] == max(others.values()))
        right = f"{correct[:, clip].sum()} of {len(entries)}"
        rows.append((clips.clips[clip], clips.labels[clip], right, " or ".join(mostly)))
    drawn = [entry.name for entry in entries[:MOST_RUNS]]
    shown = [
        (clips.clips[clip], clips.labels[clip], correct[:MOST_RUNS, clip].tolist()) for clip in wrong[:_MOST_CLIPS]
    ]
    left_out = len(wrong) - len(shown)
    note = ["crosses: wrong", "columns: runs, the best first"]
    note += [f"the {MOST_RUNS} best of {len(entries)} runs"] if len(entries) > MOST_RUNS else []
    note += [f"{left_out:,} more {sample.many} are not drawn"] if left_out > 0 else []
    panel = Panel(_grid(drawn, shown, WIDE, alt), _grid(drawn, shown, NARROW, alt))
    header: tuple[str, ...] = (sample.one, "label", "correct in", "mostly taken for")
    ids = tuple(entry.run.run_id for entry in entries)
    if NO_LABEL in clips.labels:
        header, rows = (header[0], header[2]), [(row[0], row[2]) for row in rows]
    table = _and_more(rows, len(wrong))
    return svg.picture("clips", (title, note, alt), [panel], (header, table), ids)


def has_differing_clips(entries: Sequence[RunEntry]) -> bool:
    """Return whether any run gets any clip wrong."""
    return not all(np.all(entry.result.correct_by_clip) for entry in entries)


def _and_more(rows: Sequence[tuple[str, ...]], total: int) -> tuple[tuple[str, ...], ...]:
    """Return rows, and a last one that counts those that are left out."""
    more = [("…", f"{total - len(rows)} more", *[""] * (len(rows[0]) - 2))] if total > len(rows) else []
    return (*rows, *more)


def _grid(runs: Sequence[str], clips: Sequence[tuple[str, str, Sequence[bool]]], width: float, alt: str) -> str:
    """Draw a row for each clip, with its path at the left, or above it in a narrow place."""
    is_wide = width == WIDE
    names = style.distinct_labels([path for path, _, _ in clips], 52 if is_wide else 38)
    widest = max(style.text_width(name, SMALL) for name in names)
    left = min(widest + 16, 430.0) if is_wide else 0.0
    beside = style.text_width(f"wrong in {len(runs)} of {len(runs)}", SMALL) + 12 if is_wide else 0.0
    column = min(_COLUMN, (width - left - beside) / len(runs))
    cell, head = (_ROW, 0.0) if is_wide else (20.0, 17.0)
    top = 20.0
    numbers = [name.removeprefix("Run ") for name in runs]
    prefix = "Run " if column > style.text_width(f"Run {max(numbers, key=len)}", SMALL) else ""
    parts = [
        svg.text(left + column * (i + 0.5), 12, f"{prefix}{name}", "mut", "middle") for i, name in enumerate(numbers)
    ]
    for row, ((path, class_, correct), name) in enumerate(zip(clips, names, strict=True)):
        y = top + row * (cell + head)
        wrong = sum(not is_correct for is_correct in correct)
        of_class = "" if class_ == NO_LABEL else f"{class_}, "
        hover = f"{path}: {of_class}wrong in {wrong} of {len(runs)} runs"
        inside = [svg.text(0, y + (16 if is_wide else 13), name)]
        inside += _cells(correct, left, y + head, column, cell)
        if is_wide:
            x = left + column * len(runs) + 10
            inside.append(svg.text(x, y + 16, f"wrong in {wrong} of {len(runs)}", "mut"))
        parts.append(svg.group(inside, hover=hover))
    return svg.drawing(width, top + len(clips) * (cell + head) + 4, parts, alt)


def _cells(correct: Sequence[bool], left: float, y: float, column: float, height: float) -> Iterator[str]:
    places = [(left + column * position + 1, y) for position in range(len(correct))]
    side = height - 3
    wrong = [place for place, is_correct in zip(places, correct, strict=True) if not is_correct]
    yield svg.cells([place for place in places if place not in wrong], column - 2, side, "ok")
    yield svg.cells(wrong, column - 2, side, "bad")
    yield svg.crosses([(x + column / 2 - 1, y + side / 2) for x, y in wrong], 4, "x")


def finding_of_clips(correct: NDArray[np.bool_]) -> tuple[str, str]:
    """Return in a line and in a sentence how many clips are wrong; `correct` has the shape (runs, clips)."""
    runs, clips = correct.shape
    per_clip = correct.sum(axis=0)
    if runs == 1:
        title = f"{clips - int(per_clip.sum())} of {counted(clips, 'clip')} are wrong"
        return title, f"The run classifies {int(per_clip.sum())} of {counted(clips, 'clip')} correctly."
    always, never = int((per_clip == runs).sum()), int((per_clip == 0).sum())
    all_runs = "both runs" if runs == 2 else f"all {runs} runs"
    some = clips - always - never
    alt = (
        f"Of {counted(clips, 'clip')}, {always} {_are(always)} correct in {all_runs}, "
        f"{never} {_are(never)} wrong in all of them, and {some} {_are(some)} correct in some."
    )
    title = f"{never} of {counted(clips, 'clip')} {_are(never)} wrong in {all_runs}, {some} in some"
    return title, alt


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """A run's counts: row the true class, column the class it was taken for; shape (n_classes, n_classes)."""

    name: str
    classes: tuple[str, ...]
    counts: NDArray[np.int64]
    sample: SampleName = CLIPS  # what a clip is called

    @property
    def shares(self) -> NDArray[np.float64]:
        """Each row's shares; a class without clips is all zero."""
        shares: NDArray[np.float64] = self.counts / np.maximum(1, self.counts.sum(axis=1, keepdims=True))
        return shares

    @property
    def cells(self) -> list[tuple[int, int]]:
        """Row and column of each count that isn't zero, row by row."""
        return [(int(row), int(column)) for row, column in np.argwhere(self.counts)]

    def of_most_mistaken(self, most: int) -> Matrix:
        """Return the matrix of the `most` classes that take part in most mistakes, and the rest as one."""
        if len(self.classes) <= most:
            return self
        errors = self.counts - np.diag(np.diag(self.counts))
        mistakes = errors.sum(axis=0) + errors.sum(axis=1)
        kept = np.sort(np.argsort(-mistakes, kind="stable")[: most - 1])
        rest = np.setdiff1d(np.arange(len(self.classes)), kept)
        gather = np.zeros((most, len(self.classes)), dtype=np.int64)
        gather[np.arange(most - 1), kept] = 1
        gather[most - 1, rest] = 1
        names = (*(self.classes[i] for i in kept), f"{len(rest):,} others")
        return Matrix(self.name, names, gather @ self.counts @ gather.T)


def run_confusion(run: Run) -> Picture:
    """Draw the validation confusion matrix of one run.

    Raises
    ------
    ValueError
        If the run has no predictions.
    """
    if run.validation is None or not run.validation.clips:
        raise ValueError(f"a confusion matrix needs predictions on validation clips, and run {run.run_id} has none")
    return _picture(matrix_of("", run.validation), run.run_id)


def confusion(entry: RunEntry, sample: SampleName = CLIPS) -> Picture:
    """Draw the confusion matrix of a run with predictions; the table has the cells that are not zero."""
    if entry.run.validation is None:
        raise ValueError(f"a confusion matrix needs predictions on validation clips, and {entry.name} has none")
    return _picture(replace(matrix_of(entry.name, entry.run.validation), sample=sample), entry.run.run_id)


def _picture(matrix: Matrix, run_id: str) -> Picture:
    rows, shares = [], matrix.shares
    for row, column in matrix.cells:
        clips, share = str(matrix.counts[row, column]), percent(float(shares[row, column]))
        rows.append((matrix.classes[row], matrix.classes[column], clips, share))
    title = matrix.sample.put_into(finding_of_matrix(matrix))
    drawn = matrix.of_most_mistaken(_MOST_CLASSES)
    note = ["rows: true class", "columns: predicted class", "shade: share of the row"]
    if drawn is not matrix:
        note.append(f"the {_MOST_CLASSES - 1} classes with most mistakes of {len(matrix.classes):,}, the rest together")
    header = ("true class", "taken for", matrix.sample.many, "share of the class")
    panel = _panel(drawn, f"{title}.")
    table = _and_more(rows[:80], len(rows))
    return svg.picture("confusion", (title, note, f"{title}."), [panel], (header, table), (run_id,))


def matrix_of(name: str, predictions: Predictions) -> Matrix:
    """Count how often each class is predicted for the clips of each class."""
    predicted = predictions.predicted_names
    classes = tuple(dict.fromkeys((*predictions.classes, *predictions.labels, *predicted)))
    index_of = {label: index for index, label in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for label, prediction in zip(predictions.labels, predicted, strict=True):
        counts[index_of[label], index_of[prediction]] += 1
    return Matrix(name, classes, counts)


def _panel(matrix: Matrix, alt: str) -> Panel:
    """Draw a matrix; one of many classes for a wide place, and with numbered columns for a narrow one."""
    names = style.distinct_labels(matrix.classes, 16)
    if len(names) <= _FEW_CLASSES:
        return Panel(_draw_matrix(matrix, names, names, NARROW, alt))
    short = style.distinct_labels(matrix.classes, 11)
    numbers = [str(number) for number in range(1, len(names) + 1)]
    numbered = [f"{number} {name}" for number, name in zip(numbers, short, strict=True)]
    return Panel(_draw_matrix(matrix, names, names, WIDE, alt), _draw_matrix(matrix, numbered, numbers, NARROW, alt))


def _draw_matrix(matrix: Matrix, rows: Sequence[str], columns: Sequence[str], width: float, alt: str) -> str:
    """Draw a matrix with the true classes and their clips at the left, and the predicted classes above."""
    sides = [f"{name} ({total})" for name, total in zip(rows, matrix.counts.sum(axis=1), strict=True)]
    left = max(style.text_width(side, SMALL) for side in sides) + 8
    is_slanted = rows is columns
    above = 0.75 * max(style.text_width(name, SMALL) for name in columns) + 14 if is_slanted else 20.0
    n = len(columns)
    cell = min(_LARGEST_CELL, (width - left - (34 if is_slanted else 2)) / n)
    parts = []
    for i, (name, side) in enumerate(zip(columns, sides, strict=True)):
        x, y = left + cell * (i + 0.5), above + cell * (i + 0.5)
        parts.append(svg.text(left - 6, y + 4.5, side, anchor="end"))
        turn = f"rotate(-45 {svg.number(x)} {svg.number(above - 6)})"
        parts.append(
            svg.turned(x, above - 6, name, turn) if is_slanted else svg.text(x, above - 6, name, "mut", "middle")
        )
        parts.append(svg.rect(left, above + cell * i, cell * n, cell, "frame"))
        parts.append(svg.rect(left + cell * i, above, cell, cell * n, "frame"))
    parts += _counts(matrix, left, above, cell)
    return svg.drawing(width, above + cell * n + 6, parts, alt)


def _counts(matrix: Matrix, left: float, above: float, cell: float) -> Iterator[str]:
    """Draw the cells that are not zero; a count that is wider than its cell is read on hovering alone."""
    shares = matrix.shares
    for row, column in matrix.cells:
        share, number = float(shares[row, column]), int(matrix.counts[row, column])
        x, y = left + cell * column, above + cell * row
        clips = matrix.sample.put_into(counted(number, "clip"))
        hover = f"{matrix.classes[row]} taken for {matrix.classes[column]}: {clips}, {percent(share)}"
        inside = [svg.rect(x, y, cell, cell, "cell", opacity=_PALEST + (_DARKEST - _PALEST) * share)]
        if style.text_width(str(number), SMALL) <= cell:
            inside.append(svg.text(x + cell / 2, y + cell / 2 + 4.5, str(number), anchor="middle"))
        yield svg.group(inside, hover=hover)


def finding_of_matrix(matrix: Matrix) -> str:
    """Return in a line what is mistaken most often, with every mistake that is as frequent."""
    errors = {
        (matrix.classes[row], matrix.classes[column]): int(matrix.counts[row, column])
        for row, column in matrix.cells
        if row != column
    }
    who = matrix.name or "The run"
    if not errors:
        return f"{who} classifies all {counted(int(matrix.counts.sum()), 'clip')} correctly"
    most = max(errors.values())
    pairs = [pair for pair in errors if errors[pair] == most]
    total = sum(errors.values())
    if most == 1 or len(pairs) > 2:
        return f"{who} classifies {counted(total, 'clip')} wrongly, with no mistake more frequent than the others"
    named = " and ".join(" for ".join(style.label(name, _NAME_IN_WORDS) for name in pair) for pair in pairs)
    each = " each" if len(pairs) > 1 else ""
    return f"{who} takes {named} most often: {most}{each} of {counted(total, 'error')}"
