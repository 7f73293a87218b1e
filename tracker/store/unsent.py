"""A run put together from its journal, as a store will give it back once the journal was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.entries import Attached
from tracker.store.curves import MetricRow, curves_by_run
from tracker.store.experiment import Experiment, Fetch, Record, assemble
from tracker.store.values import ended, started, tags, values

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracker.entries import Entry, Started
    from tracker.runs import Run


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
