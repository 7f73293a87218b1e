"""A tracking server's REST interface, as far as runs are written and read: nothing that it answers is believed.

MLflow's own client writes artifacts to whatever place the server names. Here they go through the server alone, and what
it says is converted into the types below (`tracker.store.connection`). Methods have the names and arguments of MLflow's
client, as far as they are used.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

from tracker.store import UnreachableError, mlflow_run
from tracker.store.client_errors import NOT_THERE, Ignored, one_line_errors
from tracker.store.connection import (
    BAD_REQUEST,
    NOT_FOUND,
    OK,
    ONCE,
    SLOWEST,
    NotServedError,
    ServerError,
    TooLongError,
    patience_s,
)
from tracker.store.location import public_uri
from tracker.store.mlflow_client import MlflowException
from tracker.store.rows import Id, Outputs, RunData, RunInfo, StoredExperiment, StoredRun, View, Whole
from tracker.store.server_models import API, Nothing, ServerModels, is_unknown, metric_row, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracker.store.connection import Answer
    from tracker.store.location import Location
    from tracker.store.rows import DatasetInput, Metric, Text

LARGEST_TABLE = 64 << 20  # bytes of a CSV: 100,000 clips × 50 classes
LARGEST_ARCHIVE = 1 << 28  # bytes of a model or an npz; `run_files` unpacks no more
MOST_RUNS = 100_000  # of one experiment
_LARGEST_UPLOAD = 10_000_000  # bytes that a server takes for artifacts that it keeps elsewhere
_BATCH = 100  # params or tags in one call

_AJAX = "/ajax-api/2.0/mlflow"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
_GREETING_S = 10
_SMALL_PAGE = 500  # runs; some servers refuse pages of 1,000


class _Pair(Struct):
    key: str
    value: str | None = ""


class _Latest(Struct):
    key: str
    value: float


class MetricValue(Struct):
    """One value of a metric."""

    value: float
    timestamp: Whole = 0
    step: Whole = 0
    run_id: str = ""


class _History(Struct):
    metrics: list[MetricValue] | None = None
    next_page_token: str | None = None


class _Bulk(Struct):
    metrics: list[MetricValue]


class _Data(Struct):
    params: list[_Pair] | None = None
    tags: list[_Pair] | None = None
    metrics: list[_Latest] | None = None


class _Dataset(Struct):
    name: str = ""
    digest: str = ""
    profile: str | None = None


class _DatasetInput(Struct):
    dataset: _Dataset | None = None
    tags: list[_Pair] | None = None


class _Inputs(Struct):
    dataset_inputs: list[_DatasetInput] | None = None


class _RunRow(Struct):
    info: RunInfo
    data: _Data | None = None
    inputs: _Inputs | None = None
    outputs: Outputs | None = None


class _RunAnswer(Struct):
    run: _RunRow


class _Runs(Struct):
    runs: list[_RunRow] | None = None
    next_page_token: str | None = None


class _ExperimentRow(Struct):
    experiment_id: Id
    name: str
    artifact_location: str = ""
    lifecycle_stage: str = "active"
    tags: list[_Pair] | None = None


class _ExperimentAnswer(Struct):
    experiment: _ExperimentRow


class _Experiments(Struct):
    experiments: list[_ExperimentRow] | None = None
    next_page_token: str | None = None


class _File(Struct):
    path: str


class _Files(Struct):
    files: list[_File] | None = None
    next_page_token: str | None = None


class ServerClient(ServerModels):
    """Writes to a tracking server and reads from it.

    Every method raises `ServerError`, or `OSError` and MLflow's own errors if the server is away.
    """

    gives_bulk = True  # histories of several runs together, unless it is found not to

    def __init__(self, location: Location) -> None:
        super().__init__(location)
        self._places: dict[str, str] = {}
        self._serves = True  # artifacts of its own under an address of their own, as far as is known

    # ---- experiments ----

    def get_experiment_by_name(self, name: str) -> StoredExperiment | None:
        """Return an experiment, None if there isn't any of that name."""
        with Ignored(NOT_THERE):
            answer = self.call("GET", f"{API}/experiments/get-by-name", _ExperimentAnswer, experiment_name=name)
            return _experiment(answer.experiment)
        return None

    def get_experiment(self, experiment_id: str) -> StoredExperiment:
        """Return an experiment by its id."""
        answer = self.call("GET", f"{API}/experiments/get", _ExperimentAnswer, experiment_id=experiment_id)
        return _experiment(answer.experiment)

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        """Create an experiment."""
        named = rows_of((tags or {}).items())
        place = artifact_location or None
        self.call("POST", f"{API}/experiments/create", Nothing, name=name, artifact_location=place, tags=named)

    def set_experiment_tag(self, experiment_id: str, key: str, value: str) -> None:
        """Set a tag of an experiment."""
        tag = {"experiment_id": experiment_id, "key": key, "value": value}
        self.call("POST", f"{API}/experiments/set-experiment-tag", Nothing, **tag)

    def experiment_names(self) -> list[str]:
        """Return the names of all experiments, in order."""
        names: set[str] = set()

        def new_in(page: _Experiments) -> int:
            before = len(names)
            names.update(each.name for each in page.experiments or ())
            return len(names) - before

        def ask(token: str | None) -> _Experiments:
            return self.call("POST", f"{API}/experiments/search", _Experiments, max_results=1_000, page_token=token)

        for _ in self.pages(ask, new_in):
            pass
        return sorted(names)

    # ---- runs ----

    def search_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str = "",
        run_view_type: View = View.ACTIVE_ONLY,
        max_results: int = 1_000,
    ) -> list[StoredRun]:
        """Return all runs of some experiments, asked for in pages of `max_results`, or fewer if the server refuses."""
        try:
            return self._runs(experiment_ids, filter_string, run_view_type, max_results)
        except ServerError as error:
            if error.get_http_status_code() != BAD_REQUEST or max_results <= _SMALL_PAGE:
                raise
            with suppress(ServerError):
                return self._runs(experiment_ids, filter_string, run_view_type, _SMALL_PAGE)
            raise

    def search_deleted_runs(self, experiment_id: str) -> list[StoredRun]:
        """Return the deleted runs of an experiment."""
        return self.search_runs([experiment_id], run_view_type=View.DELETED_ONLY)

    def _runs(
        self, experiment_ids: Sequence[str], filter_string: str, run_view_type: View, max_results: int
    ) -> list[StoredRun]:
        runs: dict[str, StoredRun] = {}

        def ask(token: str | None) -> _Runs:
            return self.call(
                "POST",
                f"{API}/runs/search",
                _Runs,
                experiment_ids=[*experiment_ids],
                filter=filter_string,
                run_view_type=run_view_type.name,
                max_results=max_results,
                page_token=token,
            )

        def new_in(page: _Runs) -> int:
            before = len(runs)
            runs.update((row.info.run_id, _run(row)) for row in page.runs or ())
            return len(runs) - before

        for _ in self.pages(ask, new_in):
            if len(runs) > MOST_RUNS:
                raise ServerError(f"the answer has no end: more than {MOST_RUNS:,} runs")
        return [*runs.values()]

    def get_run(self, run_id: str) -> StoredRun:
        """Return a run."""
        return _run(self.call("GET", f"{API}/runs/get", _RunAnswer, run_id=run_id, run_uuid=run_id).run)

    def create_run(self, experiment_id: str, start_time: int, tags: Mapping[str, str], run_name: str) -> StoredRun:
        """Create a run."""
        answer = self.call(
            "POST",
            f"{API}/runs/create",
            _RunAnswer,
            experiment_id=experiment_id,
            user_id=tags.get(mlflow_run.ACCOUNT_TAG, "unknown"),
            start_time=start_time,
            tags=rows_of(tags.items()),
            run_name=run_name,
        )
        return _run(answer.run)

    def update_run(self, run_id: str, status: str, end_time: int | None = None) -> None:
        """Set a run's status and, if it is given, when it ended."""
        ids = {"run_id": run_id, "run_uuid": run_id}
        self.call("POST", f"{API}/runs/update", Nothing, **ids, status=status, end_time=end_time)

    def set_terminated(self, run_id: str, status: str, end_time: int) -> None:
        """End a run."""
        self.update_run(run_id, status, end_time)

    def delete_run(self, run_id: str) -> None:
        """Mark a run as deleted."""
        self.call("POST", f"{API}/runs/delete", Nothing, run_id=run_id)

    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove a tag from a run."""
        self.call("POST", f"{API}/runs/delete-tag", Nothing, run_id=run_id, key=key)

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Text] = (),
        tags: Sequence[Text] = (),
        *,
        synchronous: bool = True,
    ) -> None:
        """Write metrics, in one call if they are at most 1,000, params or tags; always `synchronous`."""
        assert synchronous  # noqa: S101
        for kind, rows, most in (
            ("metrics", [*map(metric_row, metrics)], 1_000),
            ("params", rows_of((row.key, row.value) for row in params), _BATCH),
            ("tags", rows_of((row.key, row.value) for row in tags), _BATCH),
        ):
            for start in range(0, len(rows), most):
                batch = {kind: rows[start : start + most]}
                self.call("POST", f"{API}/runs/log-batch", Nothing, run_id=run_id, **batch)

    def log_inputs(self, run_id: str, datasets: Iterable[DatasetInput]) -> None:
        """Write which datasets a run used; MLflow before 2.4 has no place for them."""
        fields = ("name", "digest", "source_type", "source", "schema", "profile")
        rows = [
            {
                "dataset": {field: getattr(each.dataset, field) for field in fields},
                "tags": rows_of((tag.key, tag.value) for tag in each.tags),
            }
            for each in datasets
        ]
        try:
            self.call("POST", f"{API}/runs/log-inputs", Nothing, run_id=run_id, datasets=rows)
        except ServerError as error:
            if not is_unknown(error):
                raise

    # ---- metrics ----

    def get_metric_history(self, run_id: str, key: str) -> list[MetricValue]:
        """Return all values of a metric of a run."""
        values: list[MetricValue] = []

        def ask(token: str | None) -> _History:
            ids = {"run_id": run_id, "run_uuid": run_id}
            return self.call("GET", f"{API}/metrics/get-history", _History, **ids, metric_key=key, page_token=token)

        def new_in(page: _History) -> int:
            values.extend(page.metrics or ())
            return len(page.metrics or ())

        for _ in self.pages(ask, new_in):
            pass
        return values

    def get_metric_histories(self, run_ids: Sequence[str], key: str, most: int) -> list[MetricValue]:
        """Return the values of a metric of several runs, in one call; a server silently cuts them at `most`."""
        query = {"run_id": [*run_ids], "metric_key": key, "max_results": most}
        rows = self.call("GET", f"{_AJAX}/metrics/get-history-bulk", _Bulk, **query).metrics
        if unasked := {row.run_id for row in rows}.difference(run_ids):
            raise ServerError(f"a metric was answered for run {self.shown(min(unasked))!r}, which wasn't asked for")
        return rows

    # ---- artifacts ----

    def artifacts_in(self, run_id: str, folder: str, artifact_uri: str = "") -> frozenset[str]:
        """Return the paths of a run's artifacts, files and folders, in a folder; none of one that isn't there.

        Asked for an artifact that isn't there, many servers answer as if they had failed. If `artifact_uri` is the
        server's own, it is asked as the place that it is, which takes a quarter of the time.
        """
        own = _served_path(artifact_uri, self.location.uri)
        if own is not None and self._serves:
            try:
                names = self._listed(_ARTIFACTS, path=f"{own}/{folder}".rstrip("/"))
            except ServerError:
                self._serves = False  # as with ``--no-serve-artifacts``
            else:
                return frozenset(f"{folder}/{name}".lstrip("/") for name in names)
        return self._listed(f"{API}/artifacts/list", run_id=run_id, path=folder or None)

    def _listed(self, endpoint: str, **query: str | None) -> frozenset[str]:
        paths: set[str] = set()

        def ask(token: str | None) -> _Files:
            return self.call("GET", endpoint, _Files, options=ONCE, **query, page_token=token)

        def new_in(page: _Files) -> int:
            before = len(paths)
            paths.update(file.path for file in page.files or ())
            return len(paths) - before

        for _ in self.pages(ask, new_in):
            pass
        return frozenset(paths)

    def fetch(self, run_id: str, path: str, artifact_uri: str = "") -> bytes:
        """Return a run's artifact, which should be there; see `artifacts_in`.

        It is looked for in both places if it may be: a proxy may let only one be seen.
        """
        own = _served_path(artifact_uri, self.location.uri)
        places: list[tuple[str, dict[str, str]]] = [("/get-artifact", {"run_uuid": run_id, "path": path})]
        if own is not None:
            places.insert(0 if self._serves else 1, (quote(f"{_ARTIFACTS}/{own}/{path}"), {}))
        try:
            return self._download(*places[0], path)
        except TooLongError:
            raise
        except ServerError:
            for place in places[1:]:
                with suppress(ServerError):
                    return self._download(*place, path)
            raise

    def _download(self, endpoint: str, query: Mapping[str, str], path: str) -> bytes:
        longest = LARGEST_ARCHIVE if path.endswith((".npz", ".keras")) else LARGEST_TABLE
        answer = self.ask("GET", endpoint, params=query, longest=longest, **ONCE)
        if answer.status == NOT_FOUND:
            raise NotServedError(f"{endpoint} was answered with status 404 instead of {path}", NOT_FOUND)
        if answer.status != OK:
            raise self.refusal(endpoint, answer)
        if "html" in answer.kind.lower():  # a page to log in at, for example
            raise NotServedError(f"{endpoint} was answered with an HTML page instead of {path}")
        return answer.content

    def has_artifact(self, run_id: str, path: str) -> bool:
        """Return whether a run has an artifact, a file or a folder."""
        return path in self.artifacts_in(run_id, path.rpartition("/")[0])

    def send_artifact(self, run_id: str, content: IO[bytes], path: str) -> None:
        """Send an open file to the server, which keeps it; nothing is written to a place that the server names."""
        uri = self._place(run_id)
        if self.keeps_for_clients(uri):
            self.send_file(uri, content, path)
            return
        size = _size(content)
        if not size:
            return  # this way no server takes a file of no bytes
        endpoint = f"{_AJAX}/upload-artifact"
        self._check_size(uri, path, size)
        answer = self._upload("POST", endpoint, content, size, params={"run_uuid": run_id, "path": path})
        if answer.status != OK:
            error = self.refusal(endpoint, answer)
            if answer.status == NOT_FOUND:
                raise ServerError(f"{_kept_at(uri)}, and it takes none itself; {_REMEDY}", NOT_FOUND) from error
            raise error

    def keeps_for_clients(self, uri: str) -> bool:
        """Return whether the server itself takes the files that are kept at a URI, whatever they are of."""
        return _served_path(uri, self.location.uri) is not None

    def send_file(self, uri: str, content: IO[bytes], path: str) -> None:
        """Send an open file to a place of the server's own, below a URI."""
        endpoint = quote(f"{_ARTIFACTS}/{_served_path(uri, self.location.uri)}/{path}")
        answer = self._upload("PUT", endpoint, content, _size(content))
        if answer.status != OK:
            raise self.refusal(endpoint, answer)

    def _upload(self, method: str, endpoint: str, content: IO[bytes], size: int, **options: Any) -> Answer:
        options["extra_headers"] = {"Content-Type": "application/octet-stream"}
        within_s = patience_s() + size / SLOWEST
        return self.ask(method, endpoint, data=content if size else b"", within_s=within_s, **options)

    def _check_size(self, uri: str, path: str, size: int) -> None:
        if size > _LARGEST_UPLOAD:
            raise ServerError(
                f"{_kept_at(uri)}, and of those it takes at most {_LARGEST_UPLOAD:,} bytes, got {size:,} for {path}; "
                f"{_REMEDY}",
                status=400,
            )

    def _place(self, run_id: str) -> str:
        if run_id not in self._places:
            self._places[run_id] = self.get_run(run_id).info.artifact_uri or ""
        return self._places[run_id]


_REMEDY = "start it with `--serve-artifacts --default-artifact-root mlflow-artifacts:/`"


def server_client(location: Location) -> ServerClient:
    """Return a client of a server that answers; raises as `tracker.store.client.client_of`."""
    client = ServerClient(location)
    with one_line_errors(f"cannot open the store {location.shown}"):
        try:  # whatever it answers: the first real call would be tried several times
            client.ask("GET", "/health", max_retries=0, within_s=_GREETING_S)
        except ServerError:
            raise
        except (MlflowException, OSError) as error:
            raise UnreachableError(
                f"no tracking server answers at {location.shown}: start it, or give another --tracking-uri"
            ) from error
    return client


def _size(content: IO[bytes]) -> int:
    size = content.seek(0, os.SEEK_END)
    content.seek(0)
    return size


def _kept_at(uri: str) -> str:
    return f"the server keeps artifacts at {public_uri(uri)}, where nothing but the server is let write"


def _served_path(uri: str, server: str) -> str | None:
    """Return the path below which a server itself takes artifacts that it keeps at a URI; None if it takes none there.

    A place is the server's own if it is ``mlflow-artifacts:`` without another host, or below its interface for them.
    """
    try:
        parts, own = urlsplit(uri), urlsplit(server)
        is_own = (parts.hostname, parts.port) == (own.hostname, own.port)
    except ValueError:
        return None
    path = unquote(parts.path)
    if parts.scheme == "mlflow-artifacts" and (is_own or not parts.netloc):
        return path.strip("/")
    start = unquote(own.path).rstrip("/") + _ARTIFACTS + "/"
    if parts.scheme == own.scheme and is_own and path.startswith(start):
        return path.removeprefix(start).strip("/")
    return None


def _texts(pairs: Iterable[_Pair] | None) -> dict[str, str]:
    return {pair.key: pair.value or "" for pair in pairs or ()}


def _run(row: _RunRow) -> StoredRun:
    data = row.data or _Data()
    latest = {metric.key: metric.value for metric in data.metrics or ()}
    used = [(each.dataset, _texts(each.tags)) for each in (row.inputs and row.inputs.dataset_inputs) or ()]
    datasets = tuple((of.name, of.digest, tags.get(mlflow_run.CONTEXT_TAG, ""), of.profile) for of, tags in used if of)
    return StoredRun(row.info, RunData(_texts(data.params), _texts(data.tags), latest), datasets, row.outputs)


def _experiment(row: _ExperimentRow) -> StoredExperiment:
    stage, tags = row.lifecycle_stage, _texts(row.tags)
    return StoredExperiment(row.experiment_id, row.name, row.artifact_location, stage, tags)
