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
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from tracker.atomic_files import copy_path
from tracker.contained_files import contains, is_folder, list_tree, open_file
from tracker.errors import StoreError
from tracker.printable import with_command
from tracker.runs import REASON_TAG, RunStatus
from tracker.runs.events import Attached, Deleted, Ended, Event, Renamed, Resumed, Started, Tagged, UploadState
from tracker.runs.facts import PLAN_TAG, is_sweep
from tracker.store import BusyError, GoneError, UnreachableError
from tracker.store.client import open_store
from tracker.store.client_errors import MUST_BE_ACTIVE, NOT_THERE, Ignored, one_line_errors
from tracker.store.location import public_uri
from tracker.store.logged_model import keep_listed, measure_listed
from tracker.store.mlflow_run import (
    CONTEXT_TAG,
    DESCRIPTION_TAG,
    JOURNAL_TAG,
    NAME_TAG,
    PARENT_TAG,
    check_keys,
    check_start,
    check_texts,
    mlflow_tags,
    shown_dataset,
    started,
    values_of,
)
from tracker.store.rows import Dataset, DatasetInput, Metric, Text, View
from tracker.store.run_files import REPORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from mlflow.entities import Experiment

    from tracker.runs.events import Change, DatasetUsed
    from tracker.store.client import Store
    from tracker.store.location import Location
    from tracker.store.mlflow_run import Value
    from tracker.store.rows import StoredExperiment

VERDICT_TAG = "tracker.verdict"  # the line of an experiment's description that is a report's


class RunWriter:
    """Writes to one run; raises `StoreError` if the store refuses, `UnreachableError` if it is away."""

    def __init__(self, store: Store, run_id: str) -> None:
        self.run_id = run_id
        self._store = store
        self._client = store.client

    def log_values(self, values: Iterable[Value]) -> None:
        """Write values of metrics; those of up to 1,000 in one call, all or none."""
        rows = [Metric(value.key, value.value, value.time, value.step) for value in values]
        check_keys("metric", {row.key for row in rows})
        self._log("metrics", metrics=rows)

    def write(self, event: Event, artifacts: Path) -> None:
        """Write an event that has no values; `artifacts` is the folder of the attached files."""
        match event:
            case Started():
                check_texts("param", event.params)
                self._log("params", params=[Text(*param) for param in event.params.items()])
                if event.datasets:  # so that MLflow's UI shows them
                    with self._errors("dataset"):
                        self._client.log_inputs(self.run_id, [_dataset_input(used) for used in event.datasets])
            case Tagged():
                self._set_tags(event.tags)
            case Attached():
                self.attach(artifacts, event.path)
            case Resumed():
                self._resume()
            case Ended():
                if event.reason is not None:
                    self._set_tags({REASON_TAG: event.reason})
                with self._errors("end"):
                    self._client.set_terminated(self.run_id, event.status, end_time=event.time)
            case Renamed():  # MLflow has the name wherever its version keeps it once this tag is set
                self._log("name", tags=[Text(NAME_TAG, event.name)])
            case Deleted():
                with self._errors("deletion"):
                    self._store.full_client.delete_run(self.run_id)

    def _log(self, what: str, **rows: Any) -> None:
        """Write params, metrics or tags; the client divides them into as many calls as its store's limits ask for."""
        with self._errors(what):
            self._client.log_batch(self.run_id, **rows, synchronous=True)

    def _set_tags(self, tags: Mapping[str, str]) -> None:
        named = mlflow_tags(tags)
        named.pop(JOURNAL_TAG, None)  # which is only set with the id under which the journal is kept
        check_texts("tag", named)
        self._log("tags", tags=[Text(*tag) for tag in named.items()])

    def attach(self, artifacts: Path, path: str) -> None:
        """Write a file or a folder of `artifacts` at the same path among the run's artifacts."""
        local, root = artifacts / path, artifacts.parent  # a journal from elsewhere must not have others uploaded
        if not contains(artifacts, path, root):
            if self._has(path):
                return  # it was uploaded before, and what the journal's folder knew of that is lost
            raise StoreError(
                f"{path[:200]} is listed in the journal but missing from {artifacts}: bring it back, or let "
                "`tracker repair` send the run without it"
            )
        place, server = self._store.artifact_folder(self.run_id), self._store.server
        with self._errors(path):
            if place:
                copy_path(local, place[0] / path, source_root=root, target_root=place[1], durable=False)
            elif server:
                for file in [*list_tree(local, root)] if is_folder(local, root) else [local]:
                    with open_file(file, root) as content:
                        server.send_artifact(self.run_id, content, file.relative_to(artifacts).as_posix())

    def _has(self, path: str) -> bool:
        if place := self._store.artifact_folder(self.run_id):
            return contains(place[0], path, place[1])
        with self._errors(path):
            return self._store.server is not None and self._store.server.has_artifact(self.run_id, path)

    def _resume(self) -> None:
        """Set the run back to RUNNING and remove the failure reason. MLflow can't clear the end time."""
        with self._errors("resumption"):
            if REASON_TAG in self._client.get_run(self.run_id).data.tags:
                with Ignored(NOT_THERE):  # an earlier try's answer was lost
                    self._client.delete_tag(self.run_id, REASON_TAG)
            self._client.update_run(self.run_id, "RUNNING")

    def _errors(self, what: str) -> AbstractContextManager[None]:
        return one_line_errors(f"cannot write the {what} of run {self.run_id} to {self._store.location.shown}")


def change_run(location: Location, run_id: str, change: Change) -> None:
    """Change a run that no journal here is of; see `tracker.store.Store.change_run`."""
    RunWriter(open_store(location), run_id).write(change, Path())


def add_to_run(location: Location, run_id: str, events: Sequence[Event], artifacts: Path) -> None:
    """Write more to a run that no journal here is of; see `tracker.store.Store.add_to_run`."""
    store = open_store(location)
    store.check_run(run_id)
    run = RunWriter(store, run_id)
    for event, rows in zip(events, values_of(events), strict=True):
        if rows:
            run.log_values(rows)
            measure_listed(store, run_id, rows)
        else:
            run.write(event, artifacts)


def log_report(location: Location, experiment: str, run_id: str, page: bytes, verdict: str) -> None:
    """Keep a report with a run and its verdict with the experiment; see `tracker.store.Store.log_report`."""
    store = open_store(location)
    store.check_run(run_id)
    with TemporaryDirectory() as folder:
        artifacts = Path(folder).resolve() / "artifacts"
        artifacts.mkdir()
        (artifacts / REPORT).write_bytes(page)
        RunWriter(store, run_id).attach(artifacts, REPORT)
    with one_line_errors(f"cannot describe the experiment {experiment!r} in {location.shown}"):
        found = _experiment(store, experiment)
        words, before = found.tags.get(DESCRIPTION_TAG, ""), found.tags.get(VERDICT_TAG, "")
        own = words.replace(before, "").strip() if before else words
        described = "\n\n".join(filter(None, [own, verdict]))
        for tag, text in ((DESCRIPTION_TAG, described), (VERDICT_TAG, verdict)):
            store.client.set_experiment_tag(str(found.experiment_id), tag, text)


def tag_experiment(location: Location, experiment: str, tags: Mapping[str, str]) -> Mapping[str, str]:
    """Set tags of an experiment; see `tracker.store.Store.tag_experiment`."""
    check_texts("tag", tags)
    store = open_store(location)
    with one_line_errors(f"cannot write to the experiment {experiment!r} in {location.shown}"):
        found = _experiment(store, experiment)
        for tag, text in tags.items():
            store.client.set_experiment_tag(str(found.experiment_id), tag, text)
        return dict(_experiment(store, experiment).tags)


def _experiment(store: Store, name: str) -> Experiment | StoredExperiment:
    found = store.client.get_experiment_by_name(name)
    if not found:
        raise GoneError(f"no experiment {name!r} in {store.location.shown}")
    return found


def _dataset_input(used: DatasetUsed) -> DatasetInput:
    shown = shown_dataset(used)
    dataset = Dataset(
        shown.name,
        shown.digest,
        source_type="local",
        source=json.dumps({"uri": used.source}),
        schema=json.dumps({"classes": list(used.classes)}),
        profile=json.dumps({"clips": used.clips, "classes": len(used.classes)}),
    )
    return DatasetInput(dataset, [Text(CONTEXT_TAG, used.context)])


T = TypeVar("T")

Save = Callable[[UploadState], None]

_JOURNAL_ID = re.compile(r"[\w.-]+")

_MOST_NESTED = 10_000  # as a sweep has at most
_BATCH = 1_000  # values that MLflow takes in one call

# Pauses between tries where others write at the same moment; each itself waits 20 s for a locked database.
_WAITS_S = (0.5, 2.0)


class JournalUpload:
    """See `tracker.store.Upload`; the arguments are those of `tracker.store.Store.open_upload`."""

    def __init__(self, location: Location, journal: str, state: UploadState | None, save: Save) -> None:
        if not _JOURNAL_ID.fullmatch(journal):
            raise ValueError(f"a journal's id must be letters, digits, '.', '_' and '-', got {journal!r}")
        self._location = location
        self._journal = journal
        self._state = state
        self._save = save
        self._store: Store | None = None
        self._file: tuple[int, int] | None = None

    def send(self, events: Sequence[Event], artifacts: Path) -> UploadState:
        """Upload what the store lacks."""
        state = self._state or self._saved(self._patiently(partial(self._begin, events)))
        sent = state.events if state.events <= len(events) else 0  # the journal lost its end: from the start
        for end, rows in _steps(values_of(events, sent), sent):
            self._patiently(partial(self._write, state.run_id, events[end - 1], rows, artifacts))
            self._patiently(partial(self._list_model, state.run_id, events[:end], rows, artifacts))
            state = self._saved(UploadState(state.run_id, state.artifacts, end))
        if is_sweep(started(events).tags):
            self._patiently(partial(self._nest, state.run_id, events))
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

    def _begin(self, events: Sequence[Event]) -> UploadState:
        """Find the journal's run, or make it."""
        first = started(events)
        check_start(first)
        store = self._opened()
        experiment = store.ensure_experiment(first.experiment, first.metric)
        search = partial(store.runs_tagged, experiment, JOURNAL_TAG, self._journal, View.ALL)
        with one_line_errors(f"cannot start a run in {self._location.shown}"):
            runs = search()
            if not runs:
                tags = {
                    **mlflow_tags(first.tags),
                    **self._nesting(store, experiment, first),
                    JOURNAL_TAG: self._journal,
                }
                store.client.create_run(experiment, first.time, tags, first.name)
                runs = search()
            infos = sorted((run.info for run in runs), key=lambda info: info.run_id)
            active = [info for info in infos if info.lifecycle_stage == "active"]
            if not active and isinstance(events[-1], Deleted):
                return UploadState(infos[0].run_id, public_uri(infos[0].artifact_uri or ""), len(events))
            if not active:
                raise self._deleted(infos[0].run_id)
            for duplicate in active[1:]:  # MLflow asks a server again whose answer was lost, which then has made two
                store.full_client.delete_run(duplicate.run_id)
        return UploadState(active[0].run_id, public_uri(active[0].artifact_uri or ""), 0)

    def _nesting(self, store: Store, experiment: str, first: Started) -> dict[str, str]:
        """Return the tag that nests the run of a sweep in the one that holds them together, if that is there."""
        plan = first.tags.get(PLAN_TAG, "")
        if plan == self._journal or not _JOURNAL_ID.fullmatch(plan):
            return {}
        found = store.runs_tagged(experiment, JOURNAL_TAG, plan)
        return {PARENT_TAG: found[0].info.run_id} if found else {}

    def _nest(self, run_id: str, events: Sequence[Event]) -> None:
        """Nest the runs of a sweep that were uploaded before the run that holds them together."""
        store, first = self._opened(), started(events)
        with one_line_errors(f"cannot nest the runs of {first.name!r} in {self._location.shown}"):
            experiment = store.ensure_experiment(first.experiment, first.metric)
            for run in store.runs_tagged(experiment, PLAN_TAG, self._journal, most=_MOST_NESTED):
                if run.info.run_id != run_id and run.data.tags.get(PARENT_TAG) != run_id:
                    store.client.log_batch(run.info.run_id, tags=[Text(PARENT_TAG, run_id)], synchronous=True)

    def _write(self, run_id: str, event: Event, rows: Sequence[Value], artifacts: Path) -> None:
        """Write values, of one event or several, or an event that has none."""
        try:
            run = RunWriter(self._opened(), run_id)
            if rows:
                run.log_values(rows)
            else:
                run.write(event, artifacts)
        except GoneError as error:
            shown = self._location.shown
            raise GoneError(
                f"run {run_id} is not in {shown}, though it was sent there: `tracker repair` sends it again"
            ) from error
        except StoreError as error:
            if MUST_BE_ACTIVE in str(error):
                if isinstance(event, Deleted):
                    return
                raise self._deleted(run_id) from error
            raise

    def _list_model(self, run_id: str, events: Sequence[Event], rows: Sequence[Value], artifacts: Path) -> None:
        """List the model of a run that has just finished, or add what was measured since."""
        ends = next((event for event in reversed(events) if isinstance(event, Ended | Resumed)), None)
        if not isinstance(ends, Ended) or ends.status != RunStatus.FINISHED:
            return
        if ends is events[-1]:
            keep_listed(self._opened(), run_id, events, artifacts)
        elif rows:
            measure_listed(self._opened(), run_id, rows)

    def _deleted(self, run_id: str) -> StoreError:
        return StoreError(
            f"run {run_id} was deleted in {self._location.shown}: bring it "
            f"back{with_command(('mlflow', 'runs', 'restore', '--run-id', run_id))}, or delete its journal "
            f"{self._journal} too"
        )

    def _opened(self) -> Store:
        """Return the store, opened again if another file has taken its place."""
        database = self._location.database
        file = _identity(database)
        if database and self._state and not file:
            raise UnreachableError(f"the store {database} is no longer there: bring it back, or run `tracker repair`")
        if self._store is None or file != self._file:
            store, file = open_store(self._location), _identity(database)
            if self._state and store.check_run(self._state.run_id) != self._journal:  # it is anybody's to overwrite
                raise StoreError(
                    f"run {self._state.run_id} in {self._location.shown} wasn't uploaded from journal {self._journal}, "
                    "though its delivery.json names it: `tracker repair` uploads the journal as a run of its own"
                )
            self._store, self._file = store, file
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

    Yields how many events have been sent after each, and its values, if it has any.
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
