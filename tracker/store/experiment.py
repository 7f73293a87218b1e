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


def unknown_experiment(location: Location, name: str, names: tuple[str, ...]) -> StoreError:
    """Return the error for an experiment that is not there: it names those that are."""
    shown = ", ".join(repr(other) for other in names[:20]) + (", …" if len(names) > 20 else "")
    return StoreError(f"no experiment {name!r} in {location.shown}; it has {shown or 'none'}: give one by --experiment")


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
    files = _Files(fetch_of)
    late = {record.run_id for record in ordered[max(0, len(ordered) - by_epoch) :]}
    runs = tuple(_run(record, files, with_epochs=record.run_id in late) for record in ordered)
    return Experiment(name, tags, runs, tuple(files.unreadable))


class _Files:
    """Reads the runs' files, and keeps account of those that are broken."""

    def __init__(self, fetch_of: Callable[[Record], Fetch]) -> None:
        self.unreadable: list[Unreadable] = []
        self._fetch_of = fetch_of
        self._groups = lru_cache(maxsize=16)(_groups)  # the runs of an experiment mostly share their manifest

    def validation(self, record: Record) -> Predictions | None:
        return self._read(record, artifacts.VALIDATION, _predictions)

    def validation_by_epoch(self, record: Record) -> EpochPredictions | None:
        return self._read(record, artifacts.VALIDATION_BY_EPOCH, artifacts.parse_epoch_predictions)

    def groups(self, record: Record) -> dict[str, str]:
        return self._read(record, artifacts.DATASET, self._groups) or {}

    def _read(self, record: Record, path: str, parse: Callable[[bytes], T]) -> T | None:
        try:
            data = self._fetch_of(record)(path)
            return None if data is None else parse(data)
        except (OSError, ValueError) as error:
            self.unreadable.append(Unreadable(record.run_id, path, " ".join(str(error).split())))
            return None


def _run(record: Record, files: _Files, *, with_epochs: bool) -> Run:
    validation = files.validation(record)
    groups = files.groups(record) if validation else {}
    return Run(
        run_id=record.run_id,
        name=record.name,
        status=record.status,
        params=record.params,
        tags=record.tags,
        metrics=_metrics(record.metrics),
        curves=record.curves,
        validation=validation,
        validation_by_epoch=files.validation_by_epoch(record) if with_epochs else None,
        groups={clip: groups[clip] for clip in validation.clips if clip in groups} if validation else {},
        started=record.started,
        ended=record.ended,
    )


def _metrics(latest: Mapping[str, float]) -> dict[str, float]:
    return dict(zip(latest, _as_logged(np.array(list(latest.values()), dtype=np.float64)).tolist(), strict=True))


def _predictions(data: bytes) -> Predictions:
    return artifacts.parse_predictions(data.decode("utf-8", "surrogateescape"))


def _groups(data: bytes) -> dict[str, str]:
    return artifacts.groups_of(data.decode("utf-8", "surrogateescape"))
