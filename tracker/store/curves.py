"""Rows of a metrics table to curves."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from tracker.runs import Curve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

MetricRow = tuple[str, str, int, float | None, int, int]
"""Run id, key, step, value (None: NaN), timestamp in ms, and the order of writing."""

_CHUNK = 10_000
"""Rows turned into arrays at once: with all at once, Python's collector looks at each of them again and again."""


def curves_by_run(rows: Iterable[MetricRow]) -> dict[str, dict[str, Curve]]:
    """Sort the values of every metric into curves.

    Parameters
    ----------
    rows : iterable of MetricRow
        In any order.

    Returns
    -------
    dict of run id to dict of key to Curve
        Steps ascending; of several values at one step, the last written. Infinite values, which MLflow keeps as the
        largest finite ones, are infinite again.
    """
    numbers: dict[tuple[str, str], int] = {}
    columns = [_columns(chunk, numbers) for chunk in _chunks(rows)]
    if not columns:
        return {}
    which, step, time, order, value = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    sorting = np.lexsort((order, time, step, which))
    which, step, value = which[sorting], step[sorting], as_logged(value[sorting])
    last = np.append((which[1:] != which[:-1]) | (step[1:] != step[:-1]), True)
    which, step, value = which[last], step[last], value[last]
    ends = np.searchsorted(which, np.arange(len(numbers)), side="right")
    curves: dict[str, dict[str, Curve]] = {}
    for (run_id, key), steps, values in zip(numbers, np.split(step, ends), np.split(value, ends), strict=False):
        curves.setdefault(run_id, {})[key] = Curve(steps, values)
    return curves


def as_logged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values that MLflow was given: it keeps the infinite ones as the largest finite ones."""
    return np.where(np.abs(values) >= np.finfo(np.float64).max, np.copysign(np.inf, values), values)


def _chunks(rows: Iterable[MetricRow]) -> Iterator[list[MetricRow]]:
    rows = iter(rows)
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk


def _columns(rows: list[MetricRow], numbers: dict[tuple[str, str], int]) -> tuple[NDArray[np.generic], ...]:
    """Return the number of the curve, step, time, order and value of each row; new curves get the next number."""
    runs, keys, steps, values, times, order = zip(*rows, strict=True)
    which = [numbers.setdefault(pair, len(numbers)) for pair in zip(runs, keys, strict=True)]
    return (
        *(np.array(column, dtype=np.int64) for column in (which, steps, times, order)),
        np.array(values, dtype=float),
    )
