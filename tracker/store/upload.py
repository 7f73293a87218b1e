"""A run's journal uploaded to MLflow: in order, and as often as needed with the same result.

Whatever was sent and isn't known to have arrived is sent again: MLflow keeps one row of values that are the same in
name, time, step and value, tags and files are overwritten, and a run is looked for by its journal before it is created.
One process at a time uploads a journal.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tracker.errors import StoreError
from tracker.runs import REASON_TAG
from tracker.runs.events import Attached, Ended, Event, Resumed, Started, Tagged, UploadState
from tracker.store import BusyError, GoneError, UnreachableError
from tracker.store.client import (
    Dataset,
    DatasetInput,
    InputTag,
    Metric,
    MlflowException,
    Param,
    RunTag,
    ViewType,
    one_line_errors,
    open_store,
)
from tracker.store.location import resolve_inside
from tracker.store.mlflow_run import (
    JOURNAL_TAG,
    check_keys,
    check_params,
    check_start,
    check_tags,
    mlflow_tags,
    started,
    values_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from mlflow.entities import Run

    from tracker.runs.events import DatasetUsed, RunStatus
    from tracker.store.client import Store
    from tracker.store.location import Location
    from tracker.store.mlflow_run import Value

_DIGEST_LENGTH = 12  # characters of a fingerprint that tell datasets apart; MLflow keeps 36 with the context

# Characters that MLflow takes of a dataset's name; the end of a long path tells more than its beginning.
_NAME_LENGTH = 500


class RunWriter:
    """Writes to one run; every method raises `StoreError` if the store refuses, `UnreachableError` if it is away."""

    def __init__(self, store: Store, run_id: str) -> None:
        self.run_id = run_id
        self._store = store
        self._client = store.client

    def log_params(self, params: Mapping[str, str]) -> None:
        """Write params; the client divides them into as many calls as MLflow's limit asks for."""
        check_params(params)
        with self.errors("params"):
            rows = [Param(key, value) for key, value in params.items()]
            self._client.log_batch(self.run_id, params=rows, synchronous=True)

    def log_values(self, values: Iterable[Value]) -> None:
        """Write values of metrics; those of up to 1,000 in one call, all or none."""
        rows = [Metric(value.key, value.value, value.time, value.step) for value in values]
        check_keys("metric", {row.key for row in rows})
        with self.errors("metrics"):
            self._client.log_batch(self.run_id, metrics=rows, synchronous=True)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Write tags, over those of the same name."""
        named = mlflow_tags(tags)
        check_tags(named)
        with self.errors("tags"):
            rows = [RunTag(key, value) for key, value in named.items()]
            self._client.log_batch(self.run_id, tags=rows, synchronous=True)

    def log_datasets(self, datasets: Sequence[DatasetUsed]) -> None:
        """Write what the run was trained or measured on, so that MLflow's UI shows it."""
        if datasets:
            with self.errors("dataset"):
                self._client.log_inputs(self.run_id, [_dataset_input(used) for used in datasets])

    def log_path(self, local: Path, path: str) -> None:
        """Write a file or a whole folder as the artifact `path`, with forward slashes."""
        with self.errors(path):
            if local.is_dir():
                self._client.log_artifacts(self.run_id, str(local), path)
            else:
                self._client.log_artifact(self.run_id, str(local), path.rpartition("/")[0] or None)

    def end(self, status: RunStatus, time: int, reason: str | None = None) -> None:
        """End the run, and say why in a tag."""
        if reason is not None:
            self.set_tags({REASON_TAG: reason})
        with self.errors("end"):
            self._client.set_terminated(self.run_id, status, end_time=time)

    def resume(self) -> None:
        """Set the run back to RUNNING and remove the failure reason. MLflow can't clear the end time."""
        with self.errors("resumption"):
            if REASON_TAG in self._client.get_run(self.run_id).data.tags:
                try:
                    self._client.delete_tag(self.run_id, REASON_TAG)
                except MlflowException as error:
                    if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                        raise  # anything but an earlier try, whose answer was lost
            self._client.update_run(self.run_id, "RUNNING")

    def errors(self, what: str) -> AbstractContextManager[None]:
        """Name the run in whatever goes wrong within."""
        return one_line_errors(f"cannot write the {what} of run {self.run_id} to {self._store.location.shown}")


def _dataset_input(used: DatasetUsed) -> DatasetInput:
    dataset = Dataset(
        used.name[-_NAME_LENGTH:],
        f"{used.digest[:_DIGEST_LENGTH]}-{used.context}",
        source_type="local",
        source=json.dumps({"uri": used.source}),
        schema=json.dumps({"classes": list(used.classes)}),
        profile=json.dumps({"clips": used.clips, "classes": len(used.classes)}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", used.context)])


T = TypeVar("T")

Save = Callable[[UploadState], None]

_BATCH = 1_000  # values that MLflow takes in one call

# Pauses between tries where others write at the same moment; each itself waits 20 s for a locked database.
_WAITS_S = (0.5, 2.0)


class JournalUpload:
    """See `tracker.store.Upload`; the arguments are those of `tracker.store.Store.open_upload`."""

    def __init__(self, location: Location, journal: str, state: UploadState | None, save: Save) -> None:
        if not re.fullmatch(r"[\w.-]+", journal):
            raise ValueError(f"a journal's id must be letters, digits, '.', '_' and '-', got {journal!r}")
        self._location = location
        self._journal = journal
        self._state = state
        self._save = save
        self._store: Store | None = None
        self._file: tuple[int, int] | None = None

    def send(self, events: Sequence[Event], artifacts: Path) -> UploadState:
        """Upload what the store lacks."""
        state = self._state or self._saved(self._patiently(partial(self._begin, started(events))))
        sent = state.events if state.events <= len(events) else 0  # the journal lost its end: from the start
        for end, rows in _steps(values_of(events, sent), sent):
            self._patiently(partial(self._write, state.run_id, events[end - 1], rows, artifacts))
            state = self._saved(UploadState(state.run_id, state.artifacts, end))
        return state

    def _saved(self, state: UploadState) -> UploadState:
        self._state = state
        self._save(state)
        return state

    def _patiently(self, call: Callable[[], T], waits_s: Sequence[float] = _WAITS_S) -> T:
        """Call again if the store was busy: many processes may write to it."""
        try:
            return call()
        except UnreachableError as error:
            self._store = None  # opening it tells sooner than any call whether it is there
            if not waits_s or not isinstance(error, BusyError):
                raise
        time.sleep(waits_s[0])
        return self._patiently(call, waits_s[1:])

    def _begin(self, first: Started) -> UploadState:
        """Find the journal's run, or make it."""
        check_start(first)
        store = self._opened()
        experiment = store.ensure_experiment(first.experiment, first.metric)
        with one_line_errors(f"cannot start a run in {self._location.shown}"):
            run = self._only_run(store, experiment, first)
        return UploadState(run.info.run_id, run.info.artifact_uri, 0)

    def _only_run(self, store: Store, experiment: str, first: Started) -> Run:
        runs = self._runs(store, experiment)
        if not runs:
            tags = {**mlflow_tags(first.tags), JOURNAL_TAG: self._journal}
            store.client.create_run(experiment, first.time, tags, first.name)
            runs = self._runs(store, experiment)
        active = [run for run in runs if run.info.lifecycle_stage == "active"]
        if not active:
            raise self._deleted(runs[0].info.run_id)
        for duplicate in active[1:]:  # MLflow asks a server again whose answer was lost, which then has made two
            store.client.delete_run(duplicate.info.run_id)
        return active[0]

    def _runs(self, store: Store, experiment: str) -> list[Run]:
        query = f"tags.`{JOURNAL_TAG}` = '{self._journal}'"
        return sorted(store.client.search_runs([experiment], query, ViewType.ALL), key=lambda run: run.info.run_id)

    def _write(self, run_id: str, event: Event, rows: Sequence[Value], artifacts: Path) -> None:
        """Write values, of one event or several, or an event that has none."""
        try:
            run = RunWriter(self._opened(), run_id)
            if rows:
                run.log_values(rows)
            else:
                _write_event(run, event, artifacts)
        except GoneError as error:
            shown = self._location.shown
            raise GoneError(
                f"run {run_id} is not in {shown}, though it was sent there: `tracker repair` sends it again"
            ) from error
        except StoreError as error:
            if "must be in the 'active' state" in str(error):
                raise self._deleted(run_id) from error
            raise

    def _deleted(self, run_id: str) -> StoreError:
        return StoreError(
            f"run {run_id} was deleted in {self._location.shown}: bring it back with `mlflow runs restore --run-id "
            f"{run_id}`, or delete its journal {self._journal} too"
        )

    def _opened(self) -> Store:
        """Return the store, opened again if another file has taken its place."""
        database = self._location.database
        file = _identity(database)
        if database and self._state and not file:
            raise UnreachableError(f"the store {database} is no longer there: bring it back, or run `tracker repair`")
        if self._store is None or file != self._file:
            self._store = open_store(self._location)
            self._file = _identity(database)
            if self._state:
                self._store.check_run(self._state.run_id)
        return self._store


def _identity(database: Path | None) -> tuple[int, int] | None:
    """Return what tells a file from another of the same path; None if there isn't any."""
    try:
        status = database.stat() if database else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UnreachableError(f"cannot read the store {database}: {error}") from error
    return (status.st_dev, status.st_ino) if status else None


def _steps(rows: Sequence[Sequence[Value]], sent: int) -> Iterator[tuple[int, list[Value]]]:
    """Divide what follows the events sent: values in batches of whole events, anything else one by one.

    Yields
    ------
    (int, list of Value)
        How many events have been sent after it, and its values, if it has any.
    """
    batch: list[Value] = []
    for before, row in enumerate(rows, sent):
        if batch and (not row or len(batch) + len(row) > _BATCH):
            yield before, batch
            batch = []
        batch = [*batch, *row]
        if not batch:
            yield before + 1, []
    if batch:
        yield sent + len(rows), batch


def _write_event(run: RunWriter, event: Event, artifacts: Path) -> None:
    match event:
        case Started():
            run.log_params(event.params)
            run.log_datasets(event.datasets)
        case Tagged():
            run.set_tags(event.tags)
        case Attached():
            file = resolve_inside(artifacts, event.path)  # a journal from elsewhere must not have others uploaded
            if file is None:
                raise StoreError(
                    f"{event.path} is listed in the journal but missing from {artifacts}: bring it back, or let "
                    "`tracker repair` send the run without it"
                )
            run.log_path(file, event.path)
        case Resumed():
            run.resume()
        case Ended():
            run.end(event.status, event.time, event.reason)
