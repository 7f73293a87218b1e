"""An experiment read from a tracking server, in bulk where its interface can."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tracker.store.client import client_of, get_default_host_creds, http_request, one_line_errors
from tracker.store.experiment import Fetch, MetricRow, Record, assemble, curves_by_run, unknown_experiment

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from mlflow.entities import Run
    from mlflow.store.entities import PagedList
    from requests import Response

    from tracker.store import Experiment
    from tracker.store.location import Location

_OK, _NOT_FOUND = 200, 404


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is asked for at once.

    Parameters
    ----------
    page : int
        Runs a page.
    runs : int
        Runs whose metrics are asked for together: the server takes no more.
    values : int
        Values in an answer: the server cuts silently past that.
    """

    page: int = 1_000
    runs: int = 100
    values: int = 25_000


def read_server(location: Location, name: str, by_epoch: int, limits: Limits = Limits()) -> Experiment:
    """Read an experiment with all that its runs logged.

    Parameters
    ----------
    location : Location
    name : str
    by_epoch : int
        The most runs whose by-epoch predictions are read: those started last.
    limits : Limits

    Raises
    ------
    StoreError
        If the server cannot be reached or refuses, or has no such experiment.
    """
    return _Server(location, limits).experiment(name, by_epoch)


class _Server:
    """What a server is asked for."""

    def __init__(self, location: Location, limits: Limits) -> None:
        self._location = location
        self._limits = limits
        self._client = client_of(location)
        self._errors = partial(one_line_errors, f"cannot read from {location.shown}")

    def experiment(self, name: str, by_epoch: int) -> Experiment:
        with self._errors():
            found = self._client.get_experiment_by_name(name)
            if not found or found.lifecycle_stage != "active":
                raise unknown_experiment(self._location, name, self._experiments())
            search = partial(self._client.search_runs, [found.experiment_id], max_results=self._limits.page)
            records = {run.info.run_id: _record(run) for run in _all_pages(search)}
            for run_id, curves in curves_by_run(self._history(list(records.values()))).items():
                records[run_id].curves.update(curves)
            return assemble(name, found.tags, records.values(), self._fetch_from, by_epoch)

    def _experiments(self) -> tuple[str, ...]:
        return tuple(sorted(found.name for found in _all_pages(self._client.search_experiments)))

    def _history(self, records: Sequence[Record]) -> Iterator[MetricRow]:
        for start in range(0, len(records), self._limits.runs):
            some = records[start : start + self._limits.runs]
            for key in sorted({key for record in some for key in record.metrics}):
                yield from self._values([record.run_id for record in some if key in record.metrics], key)

    def _values(self, run_ids: Sequence[str], key: str) -> Iterator[MetricRow]:
        """Ask for one metric; an answer as long as the limit may have been cut and is asked for again in halves."""
        query = {"run_id": run_ids, "metric_key": key, "max_results": self._limits.values}
        rows = self._get("/ajax-api/2.0/mlflow/metrics/get-history-bulk", query, {_OK}).json()["metrics"]
        if len(rows) < self._limits.values:
            for order, row in enumerate(rows):
                yield row["run_id"], key, row["step"], float(row["value"]), row["timestamp"], order
        elif len(run_ids) > 1:
            half = len(run_ids) // 2
            yield from self._values(run_ids[:half], key)
            yield from self._values(run_ids[half:], key)
        else:
            for order, metric in enumerate(self._client.get_metric_history(run_ids[0], key)):
                yield run_ids[0], key, metric.step, metric.value, metric.timestamp, order

    def _fetch_from(self, record: Record) -> Fetch:
        def fetch(path: str) -> bytes | None:
            answer = self._get("/get-artifact", {"run_uuid": record.run_id, "path": path}, {_OK, _NOT_FOUND})
            return answer.content if answer.status_code == _OK else None

        return fetch

    def _get(self, endpoint: str, query: dict[str, Any], expected: Collection[int]) -> Response:
        """Ask the server; raises `OSError` for any other status than those expected."""
        answer: Response = http_request(get_default_host_creds(self._location.uri), endpoint, "GET", params=query)
        if answer.status_code not in expected:
            raise OSError(f"{endpoint} was answered with status {answer.status_code}")
        return answer


def _all_pages(search: Callable[..., PagedList[Any]]) -> Iterator[Any]:
    token = None
    while True:
        page = search(page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _record(run: Run) -> Record:
    info, data = run.info, run.data
    return Record(
        info.run_id,
        info.run_name or "",
        info.status,
        info.start_time,
        info.end_time,
        info.artifact_uri or "",
        dict(data.params),
        dict(data.tags),
        dict(data.metrics),
    )
