"""The runs that the rows of a table are.

A table has a row a run, or a row a run and sample: the latter if it says which samples are correct, by a column
``correct`` or by ``label`` and ``predicted``. Then a run is all rows of one name and seed, and what is the same in all
of them are its options and metrics. It may also have a row a run and ``epoch``, as training curves are written.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tracker.runs import Curve, Run, RunStatus, as_number, shown
from tracker.runs.samples import (
    SUM_TOLERANCE,
    SampleColumns,
    class_columns,
    class_names,
    column_named,
    predictions_of_classes,
    predictions_of_hits,
    sample_columns,
    truth_of,
)
from tracker.study.metric_roles import ACCURACY, part_of, role_of
from tracker.table.columns import (
    EPOCH,
    MISSING,
    RUN,
    RUN_OF_SAMPLES,
    STATUSES,
    Roles,
    as_option,
    check_metrics,
    has_options,
    is_constant,
    is_metric,
    is_numeric,
    no_metric,
    number_of,
    repeats,
    roles_of_columns,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.runs import Predictions
    from tracker.table.cells import Cells

MOST_RUNS = 20_000

_ROUNDING = 0.005001  # an accuracy may be written in whole per cent


@dataclass(frozen=True, slots=True)
class TableRuns:
    """The runs of a table, and what its columns were taken as."""

    name: str
    runs: tuple[Run, ...]  # in the order of the rows
    rows: int
    each: str  # what a row is: ``run``, ``run and epoch``, ``run and sample``
    params: tuple[str, ...]  # columns that decide, repeat or describe a run
    metrics: tuple[str, ...]
    unused: tuple[str, ...]
    remarks: tuple[str, ...] = ()  # contradictions, in sentences


def runs_of(
    cells: Cells, *, metrics: Collection[str] = (), params: Collection[str] = (), seeds: Collection[str] = ()
) -> TableRuns:
    """Return the runs of a table.

    Parameters
    ----------
    cells : Cells
    metrics, params, seeds : collection of str
        Columns that are metrics, params and seeds, whatever they are called; others than the table's are ignored.

    Raises
    ------
    TableError
        If a column that is needed is missing, a value isn't what it must be, a metric that was named is an option, or a
        sample is there twice in a run.
    """
    check_metrics(cells, metrics)
    samples, named = _of_samples(cells), dict.fromkeys(metrics, True) | dict.fromkeys((*params, *seeds), False)
    return _runs_of_rows(cells, named) if samples is None else _runs_of_samples(cells, samples, named, seeds)


@dataclass(frozen=True, slots=True)
class _OfSamples:
    """The places of the columns of a table with a row a run and sample."""

    run: int
    sample: int
    columns: SampleColumns

    @property
    def all(self) -> set[int | None]:
        """All of them."""
        columns = self.columns
        return {self.run, self.sample, columns.label, columns.predicted, columns.correct, columns.group}


def _of_samples(cells: Cells) -> _OfSamples | None:
    """Return the columns if a row is a sample; raise `TableError` if it seems to be, and something is missing."""
    columns, run = sample_columns(cells.header), column_named(cells.header, RUN_OF_SAMPLES)
    has_classes = columns.label is not None and columns.predicted is not None
    if has_classes or (columns.sample is not None and columns.correct is not None):
        each = "a label and a prediction" if has_classes else "whether a sample is correct"
        if run is None:
            raise cells.fail(f"each row says {each}, but not of which run: add a column run")
        if columns.sample is None:
            raise cells.fail(f"each row says {each}, but not of which sample: add a column sample")
        return _OfSamples(run, columns.sample, columns)
    run = column_named(cells.header, RUN)
    if run is not None and columns.sample is not None:
        names, pairs = set(cells.columns[run]), set(zip(cells.columns[run], cells.columns[columns.sample], strict=True))
        if len(pairs) > len(names):
            remedy = "add a column correct, or label and predicted"
            raise cells.fail(f"it has a row a run and sample that doesn't say whether it is correct: {remedy}")
    return None


# ---- a row a run ----


def _runs_of_rows(cells: Cells, named: Mapping[str, bool]) -> TableRuns:
    by_epoch = _rows_by_epoch(cells, named)
    if by_epoch is not None:
        return _runs_of_epochs(cells, *by_epoch, named)
    if len(cells.lines) > MOST_RUNS:
        raise cells.fail(f"it has {len(cells.lines):,} rows, each a run, and at most {MOST_RUNS:,} runs are read")
    roles = roles_of_columns(cells, column_named(cells.header, RUN), named)
    if not roles.metrics:
        raise no_metric(cells)
    rows = [[row] for row in range(len(cells.lines))]
    runs = tuple(_run(cells, roles, number, of_run, len(rows)) for number, of_run in enumerate(rows, start=1))
    return _result(cells, roles, runs, _equal_rows(cells), "run")


def _rows_by_epoch(cells: Cells, named: Mapping[str, bool]) -> tuple[int, list[list[int]]] | None:
    """Return the column with the epoch and the rows of each run, in its order; None if a row isn't an epoch of a run.

    Without a name of each run, another one begins where epochs begin again.
    """
    place = column_named(cells.header, EPOCH)
    if place is None or cells.header[place] in named:
        return None
    epochs = [as_number(cell) for cell in cells.columns[place]]
    if not all(epoch is not None and epoch == int(epoch) for epoch in epochs):
        return None
    run, runs = column_named(cells.header, RUN), defaultdict[tuple[str, ...], list[int]](list)
    keys = [cells.columns[at] for at, name in enumerate(cells.header) if at == run or (at != place and repeats(name))]
    number = 0
    for row, epoch in enumerate(epochs):
        number += run is None and row > 0 and (epoch or 0) <= (epochs[row - 1] or 0)
        key = (str(number),) if run is None else tuple(column[row] for column in keys)
        runs[key].append(row)
    if all(len(rows) == 1 for rows in runs.values()):
        return None
    for rows in runs.values():
        rows.sort(key=lambda row: epochs[row] or 0)
        for before, row in pairwise(rows):
            if epochs[before] == epochs[row]:
                line = cells.lines[before]
                raise cells.fail(f"the run has the epoch {cells.columns[place][row]} already in line {line}", row)
    return place, list(runs.values())


def _runs_of_epochs(cells: Cells, epoch: int, runs: Sequence[list[int]], named: Mapping[str, bool]) -> TableRuns:
    run = column_named(cells.header, RUN)
    rest = [(place, name) for place, name in enumerate(cells.header) if place not in {run, epoch}]
    varying = {place for place, _ in rest if not all(is_constant(cells.columns[place], rows) for rows in runs)}
    metrics = {
        place: name
        for place, name in rest
        if named.get(name, is_metric(name, cells.columns[place]) or (place in varying and is_numeric(cells, place)))
    }
    if not metrics:
        raise no_metric(cells)
    params = {place: name for place, name in rest if place not in varying | metrics.keys()}
    if run is not None and not has_options(params.values()):
        params = {run: as_option(cells.header[run]), **params}
    roles = Roles(run, params, metrics, tuple(place for place, _ in rest if place in varying - metrics.keys()))
    steps = [int(float(cell)) for cell in cells.columns[epoch]]
    found = []
    for number, rows in enumerate(runs, start=1):
        curves = {name: _curve(cells, place, rows, steps) for place, name in metrics.items()}
        known = {name: curve for name, curve in curves.items() if len(curve.values)}
        last = {name: float(curve.values[-1]) for name, curve in known.items()}
        made = _run(cells, replace(roles, metrics={}), number, rows, len(runs))
        found.append(replace(made, metrics=last, curves=known))
    return _result(cells, roles, tuple(found), [], "run and epoch")


def _curve(cells: Cells, place: int, rows: Sequence[int], steps: Sequence[int]) -> Curve:
    """Return a metric by epoch, without epochs that lack it."""
    values = [(steps[row], value) for row in rows if (value := _metric(cells, place, row)) is not None]
    epochs, numbers = zip(*values, strict=True) if values else ((), ())
    return Curve(np.array(epochs, dtype=np.int64), np.array(numbers, dtype=np.float64))


def _equal_rows(cells: Cells) -> list[str]:
    """Return, in a sentence, the first two rows that are equal in every column."""
    first: dict[tuple[str, ...], int] = {}
    for line, row in zip(cells.lines, zip(*cells.columns, strict=True), strict=True):
        if row in first:
            return [f"Lines {first[row]} and {line} of {cells.name} are equal in every column; both are counted."]
        first[row] = line
    return []


# ---- a row a run and sample ----


def _runs_of_samples(cells: Cells, samples: _OfSamples, named: Mapping[str, bool], seeds: Collection[str]) -> TableRuns:
    run, classes = samples.run, _class_columns(cells, samples.columns)
    rest = [place for place in range(len(cells.header)) if place not in samples.all | set(classes.values())]
    repeating = [place for place in rest if cells.header[place] in seeds or repeats(cells.header[place])]
    rows: dict[tuple[str, ...], list[int]] = defaultdict(list)
    keys = [cells.columns[place] for place in (run, *repeating)]
    for row, key in enumerate(zip(*keys, strict=True)):
        rows[key].append(row)
    if len(rows) > MOST_RUNS:
        raise cells.fail(f"it has {len(rows):,} runs, and at most {MOST_RUNS:,} are read")
    constant = [place for place in rest if all(is_constant(cells.columns[place], of_run) for of_run in rows.values())]
    metrics = {
        place: cells.header[place]
        for place in constant
        if named.get(cells.header[place], is_metric(cells.header[place], cells.columns[place]))
    }
    params = {place: cells.header[place] for place in constant if place not in metrics}
    names = {key[0] for key in rows}
    if len(names) < len(rows) or not has_options(params.values()):
        params = {run: as_option(cells.header[run]), **params}
    roles = Roles(run, params, metrics, tuple(place for place in rest if place not in constant))
    remarks = _Remarks(cells)
    found = []
    for number, of_run in enumerate(rows.values(), start=1):
        predictions = _predictions(cells, samples, classes, of_run, remarks)
        groups = _groups(cells, samples, of_run)
        made = _run(cells, roles, number, of_run, len(rows), predictions, groups)
        remarks.compare(made, predictions)
        found.append(made)
    return _result(cells, roles, tuple(found), remarks.sentences(), "run and sample")


def _class_columns(cells: Cells, columns: SampleColumns) -> dict[str, int]:
    """Return the column with each class's probability; empty if there are none, or no labels."""
    if columns.label is None:
        return {}
    labels = cells.columns[columns.label]
    predicted = labels if columns.predicted is None else cells.columns[columns.predicted]
    classes = sorted({*labels, *predicted})
    return class_columns(cells.header, classes) if len(classes) <= len(cells.header) else {}


def _predictions(
    cells: Cells, samples: _OfSamples, classes: Mapping[str, int], rows: Sequence[int], remarks: _Remarks
) -> Predictions:
    columns, first = samples.columns, dict[str, int]()
    for row in rows:
        sample = cells.columns[samples.sample][row]
        if not sample:
            raise cells.fail("the sample has no name: add one", row)
        if first.setdefault(sample, row) != row:
            line = cells.lines[first[sample]]
            raise cells.fail(f"the run has the sample {shown(sample)} already in line {line}: remove one of them", row)
    names = list(first)
    correct = None if columns.correct is None else [_truth(cells, columns.correct, row) for row in rows]
    try:
        if columns.label is None or columns.predicted is None:
            return predictions_of_hits(names, correct or [])
        labels, predicted = (
            [cells.columns[place][row] for row in rows] for place in (columns.label, columns.predicted)
        )
        for what, values in (("label", labels), ("predicted", predicted)):
            if "" in values:
                raise cells.fail(f"{what} is empty: add the class, or remove the row", rows[values.index("")])
        labels, predicted = class_names(labels, predicted)
        if correct is not None:
            remarks.disagreeing += [
                row for row, is_hit, a, b in zip(rows, correct, labels, predicted, strict=True) if is_hit != (a == b)
            ]
        shares = _probabilities(cells, classes, rows, predicted, remarks) if classes else None
        return predictions_of_classes(names, labels, predicted, shares)
    except ValueError as error:
        raise cells.fail(f"run {shown(cells.columns[samples.run][rows[0]])}: {error}", rows[0]) from error


def _truth(cells: Cells, column: int, row: int) -> bool:
    text = cells.columns[column][row]
    value = truth_of(text)
    if value is None:
        raise cells.fail(f"correct must be 0 or 1 (or true or false), got {shown(text)}", row)
    return value


def _probabilities(
    cells: Cells, classes: Mapping[str, int], rows: Sequence[int], predicted: Sequence[str], remarks: _Remarks
) -> tuple[Sequence[str], NDArray[np.float64]] | None:
    """Return the probabilities; None, with a remark, if they don't fit the predicted classes."""
    names = tuple(classes)
    shares = np.empty((len(rows), len(names)))
    for place, column in enumerate(classes.values()):
        for at, row in enumerate(rows):
            number = number_of(cells.columns[column][row])
            if number is None:
                text = cells.columns[column][row]
                raise cells.fail(f"{shown(cells.header[column])} must be a probability, got {shown(text)}", row)
            shares[at, place] = number
    with np.errstate(all="ignore"):
        wrong = ~((shares >= 0).all(axis=1) & (np.abs(shares.sum(axis=1) - 1) <= SUM_TOLERANCE))
    remarks.no_shares += [rows[at] for at in np.flatnonzero(wrong).tolist()]
    index = {name: place for place, name in enumerate(names)}
    if wrong.any() or not set(predicted) <= index.keys():
        return None
    chosen = shares[np.arange(len(rows)), [index[name] for name in predicted]]
    unlikely = np.flatnonzero(chosen < shares.max(axis=1)).tolist()
    remarks.unlikely += [rows[at] for at in unlikely]
    return None if unlikely else (names, shares)


def _groups(cells: Cells, samples: _OfSamples, rows: Sequence[int]) -> dict[str, str]:
    if samples.columns.group is None:
        return {}
    names, groups = cells.columns[samples.sample], cells.columns[samples.columns.group]
    pairs = ((names[row], groups[row]) for row in rows)
    return {sample: group for sample, group in pairs if group}


class _Remarks:
    """What rows of a table contradict, gathered run by run."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self.disagreeing: list[int] = []  # rows in which correct is not whether label and predicted are equal
        self.no_shares: list[int] = []  # rows whose probabilities don't add up to 1
        self.unlikely: list[int] = []  # rows whose predicted class isn't the most probable one
        self._accuracies: list[str] = []
        self._labels: dict[str, tuple[str, str]] = {}  # of each sample, with the first run that has it
        self._relabelled: list[str] = []

    def compare(self, run: Run, predictions: Predictions) -> None:
        """Compare a run's predictions with the accuracy that its rows name, and with the labels of other runs."""
        counted, n = float(predictions.correct.mean()), len(predictions.clips)
        for name, value in run.metrics.items():
            is_accuracy = role_of(name)[0] == ACCURACY and part_of(name) is None
            share = value / 100 if value > 1 else value
            if is_accuracy and math.isfinite(share) and abs(share - counted) > 0.5 / n + _ROUNDING:
                self._accuracies.append(f"{name} of run {run.name} is {value:.4g}, but its rows have {counted:.4g}")
        for sample, label in zip(predictions.clips, predictions.labels, strict=True):
            known, name = self._labels.setdefault(sample, (label, run.name))
            if known != label and not self._relabelled:
                self._relabelled.append(f"sample {sample} is {known} in run {name} and {label} in run {run.name}")

    def sentences(self) -> list[str]:
        """Return what was found."""
        name, lines, found = self._cells.name, self._cells.lines, []
        if self.disagreeing:
            rows = _rows_text(self.disagreeing, lines)
            found.append(f"In {name}, correct contradicts label and predicted in {rows}; label and predicted are used.")
        for what, wrong in (
            ("predicted is not the most probable class", self.unlikely),
            ("probabilities do not add up to 1", self.no_shares),
        ):
            if wrong:
                found.append(f"In {name}, {what} in {_rows_text(wrong, lines)}; such runs' probabilities are not used.")
        if self._accuracies:
            more = f" (and {len(self._accuracies) - 1} more)" if len(self._accuracies) > 1 else ""
            found.append(f"In {name}, {self._accuracies[0]}{more}; the rows are used.")
        if self._relabelled:
            found.append(f"In {name}, {self._relabelled[0]}: runs whose samples differ in a label are not compared.")
        return found


def _rows_text(rows: Sequence[int], lines: Sequence[int]) -> str:
    """Return ``1 row, line 7`` or ``3 rows, the first in line 7``."""
    line = lines[min(rows)]
    return f"1 row, line {line}" if len(rows) == 1 else f"{len(rows):,} rows, the first in line {line}"


# ---- a run ----


def _run(
    cells: Cells,
    roles: Roles,
    number: int,
    rows: Sequence[int],
    runs: int,
    predictions: Predictions | None = None,
    groups: Mapping[str, str] | None = None,
) -> Run:
    row = rows[0]
    params = {name: text for place, name in roles.params.items() if (text := cells.columns[place][row])
              and text.lower() not in MISSING | {"nan"}}  # fmt: skip
    metrics = {
        name: value for place, name in roles.metrics.items() if (value := _metric(cells, place, row)) is not None
    }
    name = cells.columns[roles.run][row] if roles.run is not None else ""
    return Run(
        run_id=f"run-{number:04}" if runs < 10_000 else f"run{number:05}",  # as reports number them
        name=name or f"line {cells.lines[row]}",
        status=RunStatus.FINISHED if roles.status is None else STATUSES[cells.columns[roles.status][row].lower()],
        params=params,
        tags={},
        metrics=metrics,
        curves={},
        validation=predictions,
        groups=groups or {},
    )


def _metric(cells: Cells, place: int, row: int) -> float | None:
    """Return a metric's value, None if it is missing; raise `TableError` if it is no number."""
    text = cells.columns[place][row]
    if text.lower() in MISSING:
        return None
    number = number_of(text)
    if number is None:
        name = shown(cells.header[place])
        raise cells.fail(f"{name} must be a number, got {shown(text)}: leave it empty if it was not measured", row)
    return number


def _result(cells: Cells, roles: Roles, runs: tuple[Run, ...], remarks: Sequence[str], each: str) -> TableRuns:
    return TableRuns(
        cells.name,
        runs,
        len(cells.lines),
        each,
        tuple(roles.params.values()),
        tuple(roles.metrics.values()),
        tuple(cells.header[place] for place in roles.unused),
        tuple(remarks),
    )
