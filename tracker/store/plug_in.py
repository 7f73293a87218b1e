"""Runs read through MLflow's own client: from Databricks, and from what an installed plug-in of MLflow reaches.

The client believes what it is answered and follows where it is sent, as the person who installed the plug-in wants.
Only artifacts of a limited size are taken from it, and nothing is written.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker.contained_files import LARGEST_ARTIFACT, read_file
from tracker.errors import StoreError
from tracker.store.client_errors import NOT_THERE, Ignored, one_line_errors
from tracker.store.connection import ServerError
from tracker.store.location import public_text, secrets_of
from tracker.store.mlflow_client import MlflowClient, MlflowException
from tracker.store.mlflow_run import CONTEXT_TAG
from tracker.store.reader import check_has_runs
from tracker.store.rows import RunData, RunInfo, StoredExperiment, StoredRun, View
from tracker.store.server import MetricValue
from tracker.store.server_reader import Limits, read_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tracker.store import ByEpoch, Experiment
    from tracker.store.location import Location

_PAGE = 500  # runs: Azure ML refuses 1,000


def read_through_client(location: Location, name: str, by_epoch: ByEpoch) -> Experiment:
    """Read an experiment; raises `StoreError` if the client can't, with its reason."""
    with _errors(location):
        experiment = read_from(
            PlugInClient(MlflowClient(location.uri)), location, name, by_epoch, replace(Limits(), page=_PAGE)
        )
    return check_has_runs(experiment, location.shown)


def experiment_name(location: Location, experiment_id: str) -> str | None:
    """Return the name of an experiment, None if there isn't any of that id; raises as `read_through_client`."""
    with _errors(location), Ignored(NOT_THERE):
        return str(MlflowClient(location.uri).get_experiment(experiment_id).name)
    return None


@contextmanager
def _errors(location: Location) -> Iterator[None]:
    """Turn whatever a plug-in raises into one line."""
    with one_line_errors(f"cannot read from {location.shown}", location.uri):
        try:
            yield
        except (MlflowException, OSError, StoreError):
            raise
        except Exception as error:  # a plug-in's may be of any kind
            said = " ".join(public_text(str(error)[:10_000], secrets_of({}, location.uri)).split())[:300]
            raise StoreError(f"cannot read from {location.shown}: {said or type(error).__name__}") from error


class PlugInClient:
    """MLflow's client under the names of `tracker.store.server.ServerClient`."""

    gives_bulk = False  # histories of several runs together

    def __init__(self, client: MlflowClient) -> None:
        self.client = client

    def get_experiment_by_name(self, name: str) -> StoredExperiment | None:
        """Return an experiment, None if there isn't any of that name."""
        found = self.client.get_experiment_by_name(name)
        return found and StoredExperiment(
            str(found.experiment_id), found.name, found.artifact_location or "", found.lifecycle_stage, dict(found.tags)
        )

    def experiment_names(self) -> list[str]:
        """Return the names of all experiments, in order."""
        return sorted(experiment.name for experiment in _all(self.client.search_experiments))

    def search_runs(self, experiment_ids: Sequence[str], *, max_results: int) -> list[StoredRun]:
        """Return all runs of some experiments."""
        search = partial(self.client.search_runs, [*experiment_ids], max_results=max_results)
        return [_run(run) for run in _all(lambda page_token: search(page_token=page_token))]

    def search_deleted_runs(self, experiment_id: str) -> list[StoredRun]:
        """Return the deleted runs of an experiment."""
        search = partial(self.client.search_runs, [experiment_id], run_view_type=View.DELETED_ONLY)
        return [_run(run) for run in _all(lambda page_token: search(page_token=page_token))]

    def get_metric_histories(self, run_ids: Sequence[str], key: str, most: int) -> list[MetricValue]:
        """Return the values of a metric of several runs; never called."""
        raise NotImplementedError(f"{most} of {key} of {len(run_ids)} runs")

    def get_metric_history(self, run_id: str, key: str) -> list[MetricValue]:
        """Return all values of a metric of a run."""
        values = self.client.get_metric_history(run_id, key)
        return [MetricValue(value.value, value.timestamp, value.step, run_id) for value in values]

    def artifacts_in(self, run_id: str, folder: str, _artifact_uri: str = "") -> frozenset[str]:
        """Return the paths of a run's artifacts in a folder."""
        return frozenset(file.path for file in self.client.list_artifacts(run_id, folder or None))

    def fetch(self, run_id: str, path: str, _artifact_uri: str = "") -> bytes:
        """Return a run's artifact, which should be there."""
        with tempfile.TemporaryDirectory() as folder:
            try:
                file = Path(self.client.download_artifacts(run_id, path, folder))
            except MlflowException as error:  # of this one
                raise ServerError(error.message) from error
            return read_file(file, file.parent, LARGEST_ARTIFACT)


def _all(ask: Callable[..., Any]) -> Iterator[Any]:
    """Yield what all pages have."""
    token = None
    while True:
        page = ask(page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _run(run: Any) -> StoredRun:
    info, data = run.info, run.data
    known = RunInfo(
        info.run_id, info.run_name, info.status, info.start_time, info.end_time, info.artifact_uri, info.lifecycle_stage
    )
    used = (getattr(run, "inputs", None) and run.inputs.dataset_inputs) or ()
    datasets = tuple(
        (each.dataset.name, each.dataset.digest, {tag.key: tag.value for tag in each.tags}.get(CONTEXT_TAG, ""),
         each.dataset.profile)
        for each in used
    )  # fmt: skip
    return StoredRun(known, RunData(dict(data.params), dict(data.tags), dict(data.metrics)), datasets)
