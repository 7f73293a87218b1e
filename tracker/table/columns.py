"""What each column of a table is, by its name and by how its values change.

A column of numbers that is called as a metric or a duration was measured, and so was one that differs where only the
seed does; all others are params, which `tracker.study` sorts into options, seeds, folds and bookkeeping. Columns called
``param.lr`` and ``metric.accuracy`` (or ``params.``, ``metrics.``), as in tracker's CSV and MLflow's data frames, say
it themselves; what else such a table has isn't used.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.runs import LOGGED_OPTIONS, RunStatus, as_number, shown
from tracker.runs.samples import column_named
from tracker.study.metric_roles import RATE, lower_is_better, part_of, role_of, words_of
from tracker.study.options import terms_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tracker.table.cells import Cells, TableError

RUN = ("run", "run_name", "runname", "run_id", "name")
RUN_OF_SAMPLES = (*RUN, "model", "config", "configuration", "method", "system", "experiment")
EPOCH = ("epoch", "step")
_PARAM, _METRIC = re.compile(r"params?\.(.+)"), re.compile(r"metrics?\.(.+)")
MISSING = frozenset({"", "na", "n/a", "#n/a", "null", "none", "<na>", "nat", "-", "–", "—", "?"})
STATUSES = {
    "finished": RunStatus.FINISHED, "completed": RunStatus.FINISHED, "complete": RunStatus.FINISHED,
    "done": RunStatus.FINISHED, "success": RunStatus.FINISHED, "succeeded": RunStatus.FINISHED,
    "failed": RunStatus.FAILED, "failure": RunStatus.FAILED, "error": RunStatus.FAILED, "crashed": RunStatus.FAILED,
    "killed": RunStatus.KILLED, "cancelled": RunStatus.KILLED, "aborted": RunStatus.KILLED,
    "running": RunStatus.RUNNING, "scheduled": RunStatus.SCHEDULED, "pending": RunStatus.SCHEDULED,
}  # fmt: skip
_MEASURED = frozenset({"time", "minutes", "hours", "elapsed", "memory", "flops"})
# Words of options that are called after a metric or a part of the data: ``test_size``, ``loss_weight``.
_OF_OPTIONS = frozenset({
    "size", "batch", "steps", "step", "fraction", "ratio", "weight", "weights", "coef", "coefficient", "lambda",
    "threshold", "patience", "every", "interval", "smoothing", "type", "function", "fn", "name", "scale", "split",
    "limit", "max", "min", "freq", "frequency", "set", "samples", "clips", "n", "num", "seed", "folds", "fold",
})  # fmt: skip
_BITS = frozenset({"precision"})  # of numbers, if all values are whole
_MOST_NAMED = 12  # columns that a message names


@dataclass(frozen=True, slots=True)
class Roles:
    """The place of the column with each run's name, if any, and of those that are params, metrics and neither."""

    run: int | None
    params: Mapping[int, str]  # what they are called, as the next one
    metrics: Mapping[int, str]
    unused: tuple[int, ...] = ()
    status: int | None = None  # the column with how each run ended


def roles_of_columns(cells: Cells, run: int | None, named: Mapping[str, bool]) -> Roles:
    """Return what each column of a table with a row a run is; `named` says of some if they are metrics."""
    params = {place: found[1] for place, name in enumerate(cells.header) if (found := _PARAM.fullmatch(name))}
    metrics = {place: found[1] for place, name in enumerate(cells.header) if (found := _METRIC.fullmatch(name))}
    status = column_named(cells.header, ("status", "state"))
    if status is not None and not all(cell.lower() in STATUSES for cell in cells.columns[status]):
        status = None
    if params or metrics:
        run = column_named([name.rpartition(".")[2] for name in cells.header], ("runname", "name", *RUN))
        others = (place for place in range(len(cells.header)) if place not in {run, status, *params, *metrics})
        return Roles(run, params, metrics, tuple(others), status)
    rest = [(place, name) for place, name in enumerate(cells.header) if place not in {run, status}]
    metrics = {place: name for place, name in rest if named.get(name, is_metric(name, cells.columns[place]))}
    metrics |= {place: name for place, name in _changing_with_seed(cells, rest, metrics) if name not in named}
    metrics = dict(sorted(metrics.items()))
    params = {place: name for place, name in rest if place not in metrics}
    if run is not None and (len(set(cells.columns[run])) < len(cells.lines) or not has_options(params.values())):
        params = {run: as_option(cells.header[run]), **params}
    return Roles(run, params, metrics, status=status)


def _changing_with_seed(
    cells: Cells, columns: Sequence[tuple[int, str]], metrics: Mapping[int, str]
) -> list[tuple[int, str]]:
    """Return the columns of numbers that differ where nothing but the seed does, so that they were measured.

    Empty unless configurations share seeds and each has a seed once.
    """
    seeds = [place for place, name in columns if terms_of({name: "1"}).seed]
    others = [(place, name) for place, name in columns if place not in seeds and place not in metrics]
    seed_of = list(zip(*(cells.columns[place] for place in seeds), strict=True))
    levels = {place: len(set(cells.columns[place])) for place, _ in others}
    fixed = [place for place, _ in others if levels[place] * len(set(seed_of)) <= len(cells.lines)]
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, key in enumerate(zip(*(cells.columns[place] for place in fixed), strict=True)):
        groups[key].append(row)
    of_groups = [[seed_of[row] for row in rows] for rows in groups.values()] if seed_of else []
    if len(of_groups) < 2 or any(len(set(own)) < max(2, len(own)) for own in of_groups):
        return []
    if sum(map(len, of_groups)) < 2 * len(set(seed_of)):
        return []
    return [(place, name) for place, name in others if place not in fixed and is_numeric(cells, place)]


def as_option(column: str) -> str:
    """Return what the column with the runs' names is called as an option: a param called ``run`` is bookkeeping."""
    return "configuration" if column.lower() in RUN else column


def has_options(names: Collection[str]) -> bool:
    """Return whether any of some params is an option by its name."""
    return bool(terms_of(dict.fromkeys(names, "1")).levels)


def is_metric(name: str, values: Sequence[str]) -> bool:
    """Return whether a column was measured: it has numbers, and is called as a metric or a duration."""
    words = set(words_of(name))
    terms = terms_of({name: "1"})
    if terms.seed or terms.split or words & _OF_OPTIONS:
        return False
    numbers = {number for cell in set(values) if (number := number_of(cell)) is not None}
    if not numbers or (words & _BITS and all(number == int(number) for number in numbers if math.isfinite(number))):
        return False
    return lower_is_better(name) is not None or part_of(name) is not None or bool(words & _MEASURED)


def check_metrics(cells: Cells, names: Collection[str]) -> None:
    """Raise `TableError` if a column that was named as a metric is an option, a seed or a fold by its name."""
    for name in names:
        is_option = name in LOGGED_OPTIONS or role_of(name)[0] == RATE or repeats(name)
        if name in cells.header and is_option and lower_is_better(name) is None:
            known = [other for place, other in enumerate(cells.header) if is_metric(other, cells.columns[place])]
            others = f"; metrics are {', '.join(known[:_MOST_NAMED])}" if known else ""
            raise cells.fail(f"{shown(name)} says how a run was trained, not how good it is{others}")


def repeats(name: str) -> bool:
    """Return whether a column says by its name which repetition a run is: a seed or a fold."""
    terms = terms_of({name: "1"})
    return bool(terms.seed or terms.split)


def is_constant(column: Sequence[str], rows: Sequence[int]) -> bool:
    """Return whether a column has one value in some rows."""
    first = column[rows[0]]
    return all(column[row] == first for row in rows)


def is_numeric(cells: Cells, place: int) -> bool:
    """Return whether a column has numbers alone, or nothing."""
    return all(not cell or number_of(cell) is not None for cell in cells.columns[place])


def number_of(text: str) -> float | None:
    """Return the number that a cell says, with ``%`` as a share; NaN and infinities are numbers."""
    text, percent = text.strip(), text.strip().endswith("%")
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return float(text)
    number = as_number(text.removesuffix("%").strip()) if "_" not in text else None
    return number / 100 if number is not None and percent else number


def no_metric(cells: Cells) -> TableError:
    """Return the error for a table in which no column is known as a metric; it names the columns."""
    for name, values in zip(cells.header, cells.columns, strict=True):
        if lower_is_better(name) is not None and all(number_of(cell) is None for cell in values):
            got = next((f"holds no number, but {shown(cell)}" for cell in values if cell), "is empty")
            return cells.fail(f"the column {shown(name)} {got}: fill in numbers, or name another column with --metric")
    names = ", ".join(map(shown, cells.header[:_MOST_NAMED]))
    names = f"{names}, …" if len(cells.header) > _MOST_NAMED else names
    known = "no column is a metric by its name (accuracy, val_loss, f1, …)"
    return cells.fail(f"{known}: name one with --metric; its columns are {names}")
