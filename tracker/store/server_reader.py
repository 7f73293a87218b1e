"""An experiment and all its runs, read from a tracking server: in bulk where it can, and several requests at once.

Not every server can do all that MLflow's newest does. Histories are asked for run by run if it doesn't give many
together, as MLflow before 2.0 and proxies that let nothing but ``/api`` be seen. Artifacts of
others' runs are listed before they are fetched, as many servers answer a request for a missing one with status 500; of
tracker's own, which have them, if they aren't brought. What is wrong with an artifact never ends
the reading: it is a fact about that run.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain, groupby
from typing import TYPE_CHECKING, Protocol, TypeVar

from tracker.store import DeletedRun
from tracker.store.client_errors import in_one_line, one_line_errors
from tracker.store.connection import NotServedError, ServerError, TooLongError
from tracker.store.location import Access
from tracker.store.mlflow_client import MlflowException
from tracker.store.mlflow_run import Record, assemble, curves_by_run, unknown_experiment, used_dataset
from tracker.store.server import server_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor

    from tracker.store import ByEpoch, Experiment
    from tracker.store.location import Location
    from tracker.store.mlflow_run import MetricRow
    from tracker.store.rows import StoredExperiment, StoredRun
    from tracker.store.server import MetricValue

T = TypeVar("T")

AT_ONCE = 8  # requests
_MOST_FAILURES = 5  # in a row, to list artifacts or to bring them
_OUR_TAGS = "tracker."  # runs with some have mostly what is asked for: it is listed only if it isn't brought
_LISTING, _FETCHING = "listing", "fetching"
_NO_BULK = {403, 404, 405, 501}  # how servers and proxies answer a request for many histories that they can't serve


class _Client(Protocol):
    """What runs are read through; see `tracker.store.server.ServerClient`."""

    gives_bulk: bool

    def get_experiment_by_name(self, name: str, /) -> StoredExperiment | None: ...
    def experiment_names(self) -> list[str]: ...
    def search_runs(self, experiment_ids: Sequence[str], *, max_results: int) -> list[StoredRun]: ...
    def search_deleted_runs(self, experiment_id: str, /) -> list[StoredRun]: ...
    def get_metric_history(self, run_id: str, key: str, /) -> list[MetricValue]: ...
    def get_metric_histories(self, run_ids: Sequence[str], key: str, most: int, /) -> list[MetricValue]: ...
    def artifacts_in(self, run_id: str, folder: str, artifact_uri: str, /) -> frozenset[str]: ...
    def fetch(self, run_id: str, path: str, artifact_uri: str, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is asked for at once."""

    page: int = 1_000  # runs per page
    runs: int = 100  # runs whose metrics are asked for together: the server takes no more
    values: int = 25_000  # values in an answer: the server silently cuts longer ones
    together: int = 10_000  # values of several runs in an answer, which takes a server half a second


def read_server(location: Location, name: str, by_epoch: ByEpoch, limits: Limits = Limits()) -> Experiment:
    """Read an experiment from a tracking server; raises `StoreError` if it can't be reached or refuses."""
    client = server_client(location)
    with one_line_errors(f"cannot read from {location.shown}"):
        return read_from(client, location, name, by_epoch, limits)


def read_served(location: Location, run_id: str, path: str) -> bytes | None:
    """Return an artifact of a run on a server, None if it isn't there; raises as `read_server`."""
    client = server_client(location)
    with one_line_errors(f"cannot read {path} of run {run_id} from {location.shown}"):
        uri = client.get_run(run_id).info.artifact_uri or ""
        try:
            return client.fetch(run_id, path, uri)
        except ServerError:
            if client.has_artifact(run_id, path):
                raise
    return None


def deleted_on_server(location: Location, name: str) -> tuple[DeletedRun, ...]:
    """Return the deleted runs of an experiment on a tracking server, which doesn't say when they were."""
    client = server_client(location)
    with one_line_errors(f"cannot read from {location.shown}"):
        experiment = client.get_experiment_by_name(name)
        found = client.search_deleted_runs(str(experiment.experiment_id)) if experiment else []
    return tuple(DeletedRun(run.info.run_id, run.info.run_name or "", None) for run in found)


def read_from(client: _Client, location: Location, name: str, by_epoch: ByEpoch, limits: Limits) -> Experiment:
    """Read an experiment through a client of the store at a location; raises what that raises."""
    return _Server(location, limits, client, client.gives_bulk).experiment(name, by_epoch)


@dataclass(slots=True)
class _Server:
    location: Location
    limits: Limits
    client: _Client
    has_bulk: bool  # as far as is known
    artifacts: _Artifacts = field(init=False)

    def __post_init__(self) -> None:
        self.artifacts = _Artifacts(self.client)

    def experiment(self, name: str, by_epoch: ByEpoch) -> Experiment:
        experiment = self.client.get_experiment_by_name(name)
        if not experiment or experiment.lifecycle_stage != "active":
            deleted = str(experiment.experiment_id) if experiment else None
            raise unknown_experiment(self.location, name, tuple(self.client.experiment_names()), deleted_id=deleted)
        records = {}
        for run in self.client.search_runs([experiment.experiment_id], max_results=self.limits.page):
            info, data, uri = run.info, run.data, run.info.artifact_uri or ""
            record = Record(info.run_id, info.run_name or "", info.status, info.start_time, info.end_time, uri)
            record.params, record.tags, record.metrics = data.params, data.tags, data.metrics
            record.datasets = [used_dataset(*used) for used in run.datasets]
            records[info.run_id] = record
        fetch = self.artifacts.fetch
        with _at_once() as pool:
            rows = self._history(list(records.values()), pool)
            read = assemble(
                name, experiment.tags, records.values(), fetch, by_epoch, pool=pool, curves=lambda: curves_by_run(rows)
            )
        if not records:
            with suppress(ServerError):  # an old server may not know them
                read = replace(read, deleted_runs=len(self.client.search_deleted_runs(str(experiment.experiment_id))))
        if self.location.access is not Access.SERVER:  # whose pages have addresses of their own
            return read
        page = f"{self.location.public}/#/experiments/{experiment.experiment_id}/runs"
        return replace(read, runs=tuple(replace(run, page=f"{page}/{run.run_id}") for run in read.runs))

    def _history(self, records: Sequence[Record], pool: Executor) -> Iterator[MetricRow]:
        """Ask for the values of all metrics, and return an iterator of what is answered."""
        parts = [records[start : start + self.limits.runs] for start in range(0, len(records), self.limits.runs)]
        wanted = [
            ([record.run_id for record in part if key in record.metrics], key)
            for part in parts
            for key in sorted({key for record in part for key in record.metrics})
        ]
        if wanted and not (self.has_bulk and self._try_bulk(*wanted[0])):
            wanted = [([run_id], key) for run_ids, key in wanted for run_id in run_ids]
        return chain.from_iterable(pool.map(lambda each: self._values(*each), wanted))

    def _try_bulk(self, run_ids: Sequence[str], key: str) -> bool:
        """Find out whether the server gives the values of several runs together."""
        try:
            self.client.get_metric_histories(run_ids[:1], key, self.limits.values)
        except ServerError as error:
            self.has_bulk = not (isinstance(error, NotServedError) or error.get_http_status_code() in _NO_BULK)
            if self.has_bulk:
                raise
        return self.has_bulk

    def _values(self, run_ids: Sequence[str], key: str) -> list[MetricRow]:
        """Ask for one metric of some runs, in as many requests as it takes."""
        rows: list[MetricRow] = []
        left, size = [*run_ids], len(run_ids)
        while left:
            more, missing = self._next_values(left[:size], key)
            rows += more
            left = missing + left[size:]
            if missing:  # ask for as many as an answer has room for
                longest = max(Counter(row[0] for row in more).values(), default=1)
                size = max(1, (self.limits.together - 1) // longest)
        return rows

    def _next_values(self, run_ids: Sequence[str], key: str) -> tuple[list[MetricRow], list[str]]:
        """Return the values of some of the runs, and the runs that are left.

        An answer as long as the limit may have been cut: it is whole for each run that it names but the last, if it has
        them one after another, as MLflow sorts them.
        """
        alone, *others = run_ids
        if self.has_bulk:
            most = min(self.limits.values, self.limits.together) if others else self.limits.values
            values = self.client.get_metric_histories(run_ids, key, most)
            if len(values) < most:
                return [_row(value.run_id, key, order, value) for order, value in enumerate(values)], []
            named = [run_id for run_id, _ in groupby(value.run_id for value in values)]
            whole = {*named[:-1]} if len(values) == most and named == sorted({*named}) else set()
            if whole:
                rows = [_row(value.run_id, key, i, value) for i, value in enumerate(values) if value.run_id in whole]
                return rows, [run_id for run_id in run_ids if run_id not in whole]
            if others:
                rows, _ = self._next_values(named[:1], key)
                return rows, [run_id for run_id in run_ids if run_id != named[0]]
        history = self.client.get_metric_history(alone, key)
        return [_row(alone, key, order, value) for order, value in enumerate(history)], others


@contextmanager
def _at_once() -> Iterator[Executor]:
    """Let several requests run at once; what waits for its turn when the block is left is dropped."""
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _row(run_id: str, key: str, order: int, value: MetricValue) -> MetricRow:
    return run_id, key, value.step, value.value, value.timestamp, order


@dataclass(slots=True)
class _Artifacts:
    """Lists a server's artifacts and fetches those that are there.

    What the server didn't do in time, or several times in a row couldn't, it isn't asked for again: neither to list nor
    to bring artifacts, nor for any of a path that was too long once.
    """

    client: _Client
    listed: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)  # by run and folder
    faults: dict[str, str] = field(default_factory=dict)  # why something, or a path, isn't asked for any more
    failures: Counter[str] = field(default_factory=Counter)  # in a row

    def fetch(self, record: Record, path: str) -> bytes | None:
        """Return a run's artifact, None if it isn't there; raise `OSError` with the reason if it can't be read."""
        is_likely = any(tag.startswith(_OUR_TAGS) for tag in record.tags)
        if not is_likely and not self._is_listed(record, path):
            return None
        try:
            return self._tried(_FETCHING, lambda: self.client.fetch(record.run_id, path, record.artifact_uri), path)
        except OSError as error:
            refused = isinstance(error.__cause__, ServerError) and not isinstance(error.__cause__, TooLongError)
            if is_likely and refused and not self._is_listed(record, path):
                return None
            self._count(_FETCHING, error)
            raise

    def _is_listed(self, record: Record, path: str) -> bool:
        run_id, folder = record.run_id, path.rpartition("/")[0]
        if (run_id, folder) not in self.listed:
            try:
                self.listed[run_id, folder] = self._tried(
                    _LISTING, lambda: self.client.artifacts_in(run_id, folder, record.artifact_uri)
                )
            except OSError as error:
                self._count(_LISTING, error)
                raise
        return path in self.listed[run_id, folder]

    def _tried(self, what: str, work: Callable[[], T], path: str = "") -> T:
        if fault := self.faults.get(what) or self.faults.get(path):
            raise OSError(fault)
        try:
            done = work()
        except (MlflowException, OSError) as error:
            fault = in_one_line(error)
            if isinstance(error, TooLongError):
                self.faults[path or what] = fault
            elif not isinstance(error, ServerError):
                self.faults[what] = fault
            raise OSError(fault) from error
        self.failures[what] = 0
        return done

    def _count(self, what: str, error: OSError) -> None:
        """Ask for no more if the server refused several times in a row."""
        self.failures[what] += isinstance(error.__cause__, ServerError)
        if self.failures[what] >= _MOST_FAILURES:
            self.faults.setdefault(what, str(error))
