"""A journal's entries as the values and tags that a store has once it was told all of them.

Conventions: what a run has once is at step 0, an epoch at its number. Of several values of a metric at one step the
last written holds; MLflow knows which that is by time alone, so the times within a step are made to rise even where
the clock fell. The same entries give the same values, whenever and however often they are sent.

A run put together from its journal, as a store will give it back once the journal was sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.runs import REASON_TAG
from tracker.runs.events import Attached, Ended, EpochDone, Measured, Resumed, Started, Tagged
from tracker.store.experiment import Fetch, MetricRow, Record, assemble, curves_by_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracker.runs import Run
    from tracker.runs.events import Entry
    from tracker.store import Experiment

JOURNAL_TAG = "tracker.journal"
"""Which journal a run was written from: one journal has at most one run in a store."""

NAME_TAG = "mlflow.runName"
"""Where MLflow itself repeats a run's name."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a metric.

    Parameters
    ----------
    key : str
    value : float
        NaN and infinities are kept.
    time : int, ms
    step : int
    """

    key: str
    value: float
    time: int
    step: int


def started(entries: Sequence[Entry]) -> Started:
    """Return how a run began: a journal's first entry.

    Raises
    ------
    ValueError
        If the entries begin with anything else.
    """
    if entries and isinstance(entries[0], Started):
        return entries[0]
    raise ValueError(f"a journal must begin with how the run was started, got {entries[:1]}")


def values(entries: Sequence[Entry], sent: int = 0) -> list[tuple[Value, ...]]:
    """Return the values of each entry, in the order of the entries; none for those that measured nothing.

    Parameters
    ----------
    entries : sequence of Entry
        From the first on: what time a value gets depends on those before it.
    sent : int
        How many to leave out, from the first.
    """
    latest: dict[tuple[str, int], int] = {}
    steps = {_step(entry) for entry in entries[sent:]}
    for entry in entries[:sent]:
        if _step(entry) in steps:
            _values(entry, latest)
    return [_values(entry, latest) for entry in entries[sent:]]


def _values(entry: Entry, latest: dict[tuple[str, int], int]) -> tuple[Value, ...]:
    if not isinstance(entry, EpochDone | Measured):
        return ()
    step = _step(entry)
    for key in entry.metrics:
        latest[key, step] = max(entry.time, latest.get((key, step), entry.time - 1) + 1)
    return tuple(Value(key, float(value), latest[key, step], step) for key, value in entry.metrics.items())


def _step(entry: Entry) -> int:
    return entry.number if isinstance(entry, EpochDone) else 0


def tags(entries: Sequence[Entry]) -> dict[str, str]:
    """Return the tags that hold after the last entry."""
    held: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry, Started):
            held |= {**entry.tags, NAME_TAG: entry.name}
        elif isinstance(entry, Tagged):
            held |= entry.tags
        elif isinstance(entry, Resumed):
            held.pop(REASON_TAG, None)
        elif isinstance(entry, Ended) and entry.reason is not None:
            held[REASON_TAG] = entry.reason
    return held


def ended(entries: Sequence[Entry]) -> int | None:
    """Return when the run ended, in ms; None while it goes on."""
    last = next((entry for entry in reversed(entries) if isinstance(entry, Ended | Resumed)), None)
    return last.time if isinstance(last, Ended) else None


def run_of(entries: Sequence[Entry], artifacts: Path, run_id: str, status: str) -> Run:
    """Return the run of a journal; see `experiment_of`."""
    return experiment_of(entries, artifacts, run_id, status).runs[0]


def experiment_of(entries: Sequence[Entry], artifacts: Path, run_id: str, status: str) -> Experiment:
    """Return an experiment of one run: that of a journal.

    Parameters
    ----------
    entries : sequence of Entry
        The whole journal, from its first entry on.
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
    first = started(entries)
    record = _record(first, entries, run_id, status)
    fetch = _fetch_from(artifacts, {entry.path for entry in entries if isinstance(entry, Attached)})
    return assemble(first.experiment, {"tracker.metric": first.metric}, [record], lambda _record: fetch, by_epoch=1)


def _record(first: Started, entries: Sequence[Entry], run_id: str, status: str) -> Record:
    curves = curves_by_run(_rows(entries, run_id)).get(run_id, {})
    return Record(
        run_id=run_id,
        name=first.name,
        status=status,
        started=first.time,
        ended=ended(entries),
        artifact_uri="",
        params=dict(first.params),
        tags=tags(entries),
        metrics={key: curve.values[-1].item() for key, curve in curves.items()},
        curves=curves,
    )


def _rows(entries: Sequence[Entry], run_id: str) -> list[MetricRow]:
    told = (value for of_entry in values(entries) for value in of_entry)
    return [(run_id, value.key, value.step, value.value, value.time, order) for order, value in enumerate(told)]


def _fetch_from(artifacts: Path, attached: set[str]) -> Fetch:
    def fetch(path: str) -> bytes | None:
        """Read what was attached, alone or in a folder; what lies there and was not is not complete."""
        if not any(path == one or path.startswith(f"{one}/") for one in attached):
            return None
        try:
            return (artifacts / path).read_bytes()
        except FileNotFoundError:
            return None

    return fetch
