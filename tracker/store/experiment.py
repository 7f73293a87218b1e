"""Runs put together from the rows and files that a store, or a journal, holds of them.

Nothing here knows where the rows and files came from: reading a SQLite file, a server or a journal all end here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from tracker.runs import Curve, Predictions, Run, RunStatus
from tracker.runs.events import Attached
from tracker.store import Experiment, GoneError, UnreadableArtifact, run_files
from tracker.store.mlflow_run import JOURNAL_TAG, PARENT_TAG, commit, ended, note, started, tags, values_of
from tracker.store.run_files import groups_of, parse_epoch_predictions, parse_predictions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tracker.runs.events import Event, Started
    from tracker.store.location import Location

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


T = TypeVar("T")

Fetch = Callable[[str], bytes | None]
"""Returns an artifact by its path, None if it wasn't logged; raises `OSError` or `ValueError` with the reason."""

DATASET_TAG = "tracker.dataset"


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


def unknown_experiment(location: Location, name: str, names: tuple[str, ...]) -> GoneError:
    """Return the error for an experiment that is not there: it names those that are."""
    shown = ", ".join(repr(other) for other in names[:20]) + (", …" if len(names) > 20 else "")
    return GoneError(f"no experiment {name!r} in {location.shown}; it has {shown or 'none'}: give one by --experiment")


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
    first = len(ordered) - by_epoch
    runs = tuple(_run(record, files, with_epochs=i >= first) for i, record in enumerate(ordered))
    return Experiment(name, tags, runs, tuple(files.unreadable))


class _Files:
    """Reads the runs' files, and keeps account of those that are broken."""

    def __init__(self, fetch_of: Callable[[Record], Fetch]) -> None:
        self.unreadable: list[UnreadableArtifact] = []
        self._fetch_of = fetch_of
        self._groups: dict[str, Mapping[str, str]] = {}

    def read(self, record: Record, path: str, parse: Callable[[bytes], T]) -> T | None:
        try:
            data = self._fetch_of(record)(path)
            return None if data is None else parse(data)
        except (OSError, ValueError) as error:
            self.unreadable.append(UnreadableArtifact(record.run_id, path, " ".join(str(error).split())))
            return None

    def groups(self, record: Record) -> Mapping[str, str]:
        """Return the groups of the clips; runs on one dataset, by its fingerprint, have them in common."""
        dataset = record.tags.get(DATASET_TAG, record.run_id)
        if dataset not in self._groups:
            groups = self.read(record, run_files.DATASET, _groups)
            if groups is None:
                return {}
            self._groups[dataset] = groups
        return self._groups[dataset]


def _run(record: Record, files: _Files, *, with_epochs: bool) -> Run:
    validation = files.read(record, run_files.VALIDATION, _predictions)
    groups = files.groups(record) if validation else {}
    epochs = files.read(record, run_files.VALIDATION_BY_EPOCH, parse_epoch_predictions) if with_epochs else None
    status = _status(record.status)
    return Run(
        run_id=record.run_id,
        name=record.name,
        status=status,
        params=record.params,
        tags=record.tags,
        metrics=_metrics(record.metrics),
        curves=record.curves,
        validation=validation,
        validation_by_epoch=epochs,
        groups={clip: groups[clip] for clip in validation.clips if clip in groups} if validation else {},
        started=record.started,
        ended=None if status is RunStatus.RUNNING else record.ended,  # MLflow keeps the end of a run that was resumed
        note=note(record.tags),
        commit=commit(record.tags),
        parent_id=record.tags.get(PARENT_TAG),
        journal_id=record.tags.get(JOURNAL_TAG),
    )


def _status(text: str) -> RunStatus:
    try:
        return RunStatus(text)
    except ValueError:
        return RunStatus.UNKNOWN


def _metrics(latest: Mapping[str, float]) -> dict[str, float]:
    return dict(zip(latest, as_logged(np.array(list(latest.values()), dtype=np.float64)).tolist(), strict=True))


def _predictions(data: bytes) -> Predictions:
    return parse_predictions(_text(data))


def _groups(data: bytes) -> dict[str, str]:
    return groups_of(_text(data))


def _text(data: bytes) -> str:
    """Decode a text, with or without the mark that spreadsheets put first; file names may be no Unicode."""
    return data.decode("utf-8-sig", "surrogateescape")


def run_of(events: Sequence[Event], artifacts: Path, run_id: str, status: RunStatus) -> Run:
    """Return the run of a journal; see `experiment_of`."""
    return experiment_of(events, artifacts, run_id, status).runs[0]


def experiment_of(events: Sequence[Event], artifacts: Path, run_id: str, status: RunStatus) -> Experiment:
    """Return an experiment of one run: that of a journal.

    Parameters
    ----------
    events : sequence of Event
        The whole journal, from its first event on.
    artifacts : Path
        The folder in which the attached files are.
    run_id : str
        What to call the run: the store's name for it, or any other while it has none.
    status : str
        RUNNING, FINISHED, FAILED or KILLED: a journal cannot tell whether who writes it is still alive.

    Returns
    -------
    Experiment
        All of the run but the tag ``tracker.journal``, which only the store has; files that cannot be read are in
        `unreadable`.

    Raises
    ------
    ValueError
        If the journal does not begin with how the run was started.
    """
    first = started(events)
    record = _journal_record(first, events, run_id, status)
    fetch = _fetch_attached(artifacts, {event.path for event in events if isinstance(event, Attached)})
    return assemble(first.experiment, {"tracker.metric": first.metric}, [record], lambda _record: fetch, by_epoch=1)


def _journal_record(first: Started, events: Sequence[Event], run_id: str, status: RunStatus) -> Record:
    curves = curves_by_run(_rows(events, run_id)).get(run_id, {})
    return Record(
        run_id=run_id,
        name=first.name,
        status=status,
        started=first.time,
        ended=ended(events),
        artifact_uri="",
        params=dict(first.params),
        tags=tags(events),
        metrics={key: curve.values[-1].item() for key, curve in curves.items()},
        curves=curves,
    )


def _rows(events: Sequence[Event], run_id: str) -> list[MetricRow]:
    rows = (value for of_event in values_of(events) for value in of_event)
    return [(run_id, value.key, value.step, value.value, value.time, order) for order, value in enumerate(rows)]


def _fetch_attached(artifacts: Path, attached: set[str]) -> Fetch:
    def fetch(path: str) -> bytes | None:
        """Read what was attached, alone or in a folder; what lies there and was not is not complete."""
        if not any(path == one or path.startswith(f"{one}/") for one in attached):
            return None
        try:
            return (artifacts / path).read_bytes()
        except FileNotFoundError:
            return None

    return fetch
