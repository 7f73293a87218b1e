"""An experiment as it was read, and its runs put together from what a store holds of them.

Nothing here knows where the rows and files came from; both ways of reading, SQLite and a server, end here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from tracker.errors import StoreError
from tracker.runs import Curve, EpochPredictions, Predictions, Run
from tracker.store import artifacts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracker.store.location import Location

T = TypeVar("T")

Fetch = Callable[[str], bytes | None]
"""Returns an artifact by its path, None where it was not logged; raises `OSError` or `ValueError` with the reason."""

BY_EPOCH_RUNS = 50
"""Runs whose by-epoch predictions are read unless said otherwise: a few hundred clips each are 50 MB together."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An artifact that was logged and cannot be read, and why."""

    run_id: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Experiment:
    """What a store holds of an experiment.

    Parameters
    ----------
    name : str
    tags : mapping of str to str
    runs : tuple of Run
        By the time they were started, then by id; deleted ones are left out.
    unreadable : tuple of Unreadable
        Artifacts that are missing from `runs` because they are broken.
    """

    name: str
    tags: Mapping[str, str]
    runs: tuple[Run, ...]
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(slots=True)
class Record:
    """The rows of one run."""

    run_id: str
    name: str
    status: str
    started: int | None
    ended: int | None
    artifact_uri: str
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)


MetricRow = tuple[str, str, int, float | None, int, int]
"""Run id, key, step, value (None: NaN), timestamp in ms, and the order of writing."""


def curves_by_run(rows: Sequence[MetricRow]) -> dict[str, dict[str, Curve]]:
    """Sort the values of every metric into curves.

    Parameters
    ----------
    rows : sequence of MetricRow
        In any order.

    Returns
    -------
    dict of run id to dict of key to Curve
        Steps ascending; of several values at one step, the last written.
    """
    if not rows:
        return {}
    runs, keys, steps, values, times, order = zip(*rows, strict=True)
    names: dict[tuple[str, str], int] = {}
    which = np.array([names.setdefault(pair, len(names)) for pair in zip(runs, keys, strict=True)])
    step, value = np.array(steps, dtype=np.int64), _as_logged(np.array(values, dtype=np.float64))
    sorting = np.lexsort((order, times, step, which))
    which, step, value = which[sorting], step[sorting], value[sorting]
    last = np.append((which[1:] != which[:-1]) | (step[1:] != step[:-1]), True)
    which, step, value = which[last], step[last], value[last]
    bounds = np.searchsorted(which, np.arange(len(names) + 1))
    curves: dict[str, dict[str, Curve]] = {}
    for (run_id, key), i in names.items():
        part = slice(bounds[i], bounds[i + 1])
        curves.setdefault(run_id, {})[key] = Curve(step[part], value[part])
    return curves


def _as_logged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values that MLflow was given: it keeps the infinite ones as the largest finite ones."""
    return np.where(np.abs(values) >= np.finfo(np.float64).max, np.copysign(np.inf, values), values)


def _metrics(latest: Mapping[str, float]) -> dict[str, float]:
    return dict(zip(latest, _as_logged(np.array(list(latest.values()), dtype=np.float64)).tolist(), strict=True))


def assemble(
    name: str, tags: Mapping[str, str], records: Iterable[Record], fetch_of: Callable[[Record], Fetch], by_epoch: int
) -> Experiment:
    """Put runs together.

    Parameters
    ----------
    name, tags
        The experiment's.
    records : iterable of Record
    fetch_of : callable
        Returns how to fetch a run's artifacts.
    by_epoch : int
        The most runs whose by-epoch predictions are read: those started last.
    """
    ordered = sorted(records, key=lambda record: (record.started or 0, record.run_id))
    unreadable: list[Unreadable] = []
    first = len(ordered) - by_epoch
    runs = tuple(_run(record, fetch_of(record), i >= first, unreadable) for i, record in enumerate(ordered))
    return Experiment(name, tags, runs, tuple(unreadable))


def unknown_experiment(location: Location, name: str, names: tuple[str, ...]) -> StoreError:
    """Return the error for an experiment that is not there: it names those that are."""
    shown = ", ".join(repr(other) for other in names[:20]) + (", …" if len(names) > 20 else "")
    return StoreError(f"no experiment {name!r} in {location.shown}; it has {shown or 'none'}: give one by --experiment")


def _run(record: Record, fetch: Fetch, with_epochs: bool, unreadable: list[Unreadable]) -> Run:  # noqa: FBT001
    def read(path: str, parse: Callable[[bytes], T]) -> T | None:
        try:
            data = fetch(path)
            return None if data is None else parse(data)
        except (OSError, ValueError) as error:
            unreadable.append(Unreadable(record.run_id, path, " ".join(str(error).split())))
            return None

    validation = read(artifacts.VALIDATION, _predictions)
    groups = read(artifacts.DATASET, _groups) if validation else None
    return Run(
        run_id=record.run_id,
        name=record.name,
        status=record.status,
        params=record.params,
        tags=record.tags,
        metrics=_metrics(record.metrics),
        curves=record.curves,
        validation=validation,
        validation_by_epoch=read(artifacts.VALIDATION_BY_EPOCH, _epoch_predictions) if with_epochs else None,
        groups={clip: groups[clip] for clip in validation.clips if clip in groups} if validation and groups else {},
        started=record.started,
        ended=record.ended,
    )


def _predictions(data: bytes) -> Predictions:
    return artifacts.parse_predictions(data.decode("utf-8", "surrogateescape"))


def _epoch_predictions(data: bytes) -> EpochPredictions:
    return artifacts.parse_epoch_predictions(data)


@lru_cache(maxsize=16)
def _groups(data: bytes) -> dict[str, str]:
    """Parse a manifest; the runs of an experiment mostly share one."""
    return artifacts.groups_of(data.decode("utf-8", "surrogateescape"))
