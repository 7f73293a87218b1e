"""An experiment read from a tracking server, in bulk where its interface can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracker.store.client import MlflowClient, client_of, get_default_host_creds, http_request, one_line_errors
from tracker.store.experiment import Experiment, Fetch, MetricRow, Record, assemble, curves_by_run, unknown_experiment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.store.location import Location

_RUNS_A_PAGE = 1_000
_RUNS_A_REQUEST = 100
_VALUES_A_REQUEST = 25_000
"""The server's limits on a request for metrics; past the second it cuts silently."""

_NOT_FOUND = 404


def read_server(location: Location, name: str, by_epoch: int) -> Experiment:
    """Read an experiment with all that its runs logged.

    Raises
    ------
    StoreError
        If the server cannot be reached or refuses, or has no such experiment.
    """
    client = client_of(location)
    with one_line_errors(f"cannot read from {location.shown}"):
        found = client.get_experiment_by_name(name)
        if not found or found.lifecycle_stage != "active":
            raise unknown_experiment(location, name, _names(client))
        records = {record.run_id: record for record in _records(client, found.experiment_id)}
        for run_id, curves in curves_by_run(list(_history(client, location, list(records.values())))).items():
            records[run_id].curves.update(curves)
        return assemble(name, found.tags, records.values(), lambda record: _fetch_from(location, record), by_epoch)


def server_experiments(location: Location) -> tuple[str, ...]:
    """Return the names of a server's experiments, sorted.

    Raises
    ------
    StoreError
        If the server cannot be reached or refuses.
    """
    client = client_of(location)
    with one_line_errors(f"cannot read from {location.shown}"):
        return _names(client)


def _names(client: MlflowClient) -> tuple[str, ...]:
    names: list[str] = []
    token = None
    while True:
        page = client.search_experiments(page_token=token)
        names += [experiment.name for experiment in page]
        token = page.token
        if not token:
            return tuple(sorted(names))


def _records(client: MlflowClient, experiment_id: str) -> Iterator[Record]:
    token = None
    while True:
        page = client.search_runs([experiment_id], max_results=_RUNS_A_PAGE, page_token=token)
        for run in page:
            info, data = run.info, run.data
            yield Record(
                info.run_id, info.run_name or "", info.status, info.start_time, info.end_time, info.artifact_uri or "",
                dict(data.params), dict(data.tags), dict(data.metrics),
            )  # fmt: skip
        token = page.token
        if not token:
            return


def _history(client: MlflowClient, location: Location, records: Sequence[Record]) -> Iterator[MetricRow]:
    """Ask for every metric of up to a hundred runs at a time."""
    for start in range(0, len(records), _RUNS_A_REQUEST):
        some = records[start : start + _RUNS_A_REQUEST]
        for key in sorted({key for record in some for key in record.metrics}):
            yield from _values(client, location, [record.run_id for record in some if key in record.metrics], key)


def _values(client: MlflowClient, location: Location, run_ids: Sequence[str], key: str) -> Iterator[MetricRow]:
    """Ask for one metric; an answer as long as the limit may have been cut and is asked for again in halves."""
    query = {"run_id": run_ids, "metric_key": key, "max_results": _VALUES_A_REQUEST}
    rows = _get(location, "/ajax-api/2.0/mlflow/metrics/get-history-bulk", query).json()["metrics"]
    if len(rows) < _VALUES_A_REQUEST:
        for order, row in enumerate(rows):
            yield row["run_id"], key, row["step"], float(row["value"]), row["timestamp"], order
    elif len(run_ids) > 1:
        half = len(run_ids) // 2
        yield from _values(client, location, run_ids[:half], key)
        yield from _values(client, location, run_ids[half:], key)
    else:
        for order, metric in enumerate(client.get_metric_history(run_ids[0], key)):
            yield run_ids[0], key, metric.step, metric.value, metric.timestamp, order


def _fetch_from(location: Location, record: Record) -> Fetch:
    def fetch(path: str) -> bytes | None:
        answer = _get(location, "/get-artifact", {"run_uuid": record.run_id, "path": path})
        return None if answer.status_code == _NOT_FOUND else answer.content

    return fetch


def _get(location: Location, endpoint: str, query: dict[str, Any]) -> Any:
    """Ask the server; raises `OSError` where it answers neither with what was asked for nor that it is not there."""
    answer = http_request(get_default_host_creds(location.uri), endpoint, "GET", params=query)
    if answer.status_code not in {200, _NOT_FOUND}:
        raise OSError(f"{endpoint} was answered with status {answer.status_code}")
    return answer
