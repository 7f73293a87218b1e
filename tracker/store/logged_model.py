"""The model that a run has kept, as one of MLflow's logged models: in its Models tab, and by ``models:/m-…``.

The files stay among the run's artifacts, where ``runs:/ID/model`` finds them and every version of MLflow looks, and are
put where MLflow keeps those of a logged model, too: as hard links in a folder, by a second upload on a server. A server
of before MLflow 3 has no logged models, and one that takes files of runs alone has no place for theirs; then nothing
is missing but the line in that tab.

A logged model is only ready once it is whole, so one that isn't was left by a process that died or lost its connection:
it is deleted, and another made. A run has at most one that is ready.
"""

from __future__ import annotations

import io
import json
import math
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracker.atomic_files import copy_path, replace_file
from tracker.contained_files import LARGEST_SOURCE, contains, list_tree, open_file, read_file
from tracker.errors import StoreError
from tracker.runs import is_resumable
from tracker.runs.events import EpochDone, Measured
from tracker.store import UnreachableError
from tracker.store.client import own_place
from tracker.store.client_errors import one_line_errors
from tracker.store.mlflow_run import ACCOUNT_TAG, KEY_LENGTH, mlflow_tags, shown_dataset, started, values_of
from tracker.store.rows import Metric, ModelOutput
from tracker.store.run_files import MODEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tracker.runs.events import DatasetUsed, Event, Started
    from tracker.store.client import Store
    from tracker.store.mlflow_run import Value

_ABOUT = "MLmodel"  # the file of a model that says what it is
_PARTS = {"val_": "validation", "fit_": "training", "test_": "test"}  # of the data, by how a metric's name begins
_OF_TRAINING = ("best_", "last_", "stop_")  # how metrics begin that are of the training, not of the kept model
_OF_SOURCE = (ACCOUNT_TAG, "mlflow.source.")  # how tags of a run begin that its model has as well
_REFUSED = re.compile(r"[/:.%\"']")  # in a logged model's name


def keep_listed(store: Store, run_id: str, events: Sequence[Event], artifacts: Path) -> None:
    """List the model of a finished run among MLflow's logged models, with what was measured of it.

    `events` is the whole journal; `artifacts` is the folder of the attached files. A store that refuses for good is
    left as it is; raises `UnreachableError` if it is away.
    """
    with _unless_refused(f"cannot list the model of run {run_id} in {store.location.shown}"):
        run = store.client.get_run(run_id)
        experiment, first, epoch = str(run.info.experiment_id), started(events), _kept_epoch(events)
        models = _listed(store, experiment, run_id)
        if models is None:
            return
        files = _Files(store, run_id, str(run.info.artifact_uri), artifacts)
        if not models and not files.are_there:
            return
        model = models[0] if models else _created(store, experiment, run_id, first)
        if not models:
            files.put(str(model.model_id), str(model.artifact_location))
        _measure(store, run_id, str(model.model_id), _of_kept_model(events, epoch), first.datasets)
        if not models:
            store.client.finalize_logged_model(model.model_id, "READY")
        linked = (run.outputs and run.outputs.model_outputs) or ()
        if model.model_id not in {output.model_id for output in linked}:
            store.client.log_outputs(run_id, [ModelOutput(model.model_id, epoch)])


def measure_listed(store: Store, run_id: str, values: Sequence[Value]) -> None:
    """Add values of metrics to the logged model of a run, if it has one; raises as `keep_listed`."""
    with _unless_refused(f"cannot write to the model of run {run_id} in {store.location.shown}"):
        experiment = str(store.client.get_run(run_id).info.experiment_id)
        if model := listed_model(store, experiment, run_id):
            _measure(store, run_id, str(model.model_id), values)


def listed_model(store: Store, experiment_id: str, run_id: str) -> Any | None:
    """Return the logged model of a run, if it has one that is ready."""
    return next(iter(_listed(store, experiment_id, run_id) or ()), None)


@contextmanager
def _unless_refused(what: str) -> Iterator[None]:
    try:
        with one_line_errors(what):
            yield
    except UnreachableError:
        raise
    except StoreError:
        pass


def _listed(store: Store, experiment_id: str, run_id: str) -> list[Any] | None:
    """Return the logged models of a run that are ready, without the others; None if the server has none of any run."""
    own = store.models_of(experiment_id, run_id)
    if own is None:
        return None
    ready = [model for model in own if str(model.status).endswith("READY")]
    for model in own:
        if model not in ready:
            store.client.delete_logged_model(model.model_id)
    return sorted(ready, key=lambda model: str(model.model_id))


def _created(store: Store, experiment_id: str, run_id: str, first: Started) -> Any:
    tags = {name: text for name, text in mlflow_tags(first.tags).items() if name.startswith(_OF_SOURCE)}
    name = _REFUSED.sub("_", first.name)[:KEY_LENGTH] or MODEL
    return store.client.create_logged_model(
        experiment_id, name=name, source_run_id=run_id, tags=tags, params=dict(first.params)
    )


@dataclass(frozen=True)
class _Files:
    """The files of a run's model, and how they come to where MLflow keeps those of a logged one."""

    store: Store
    run_id: str
    artifact_uri: str
    artifacts: Path  # the journal's

    @property
    def are_there(self) -> bool:
        """Whether there are any, and a place for them."""
        if self.store.server and not self.store.server.keeps_for_clients(self.artifact_uri):
            return False
        folder, root = self._source
        return contains(folder, f"{MODEL}/{_ABOUT}", root)

    @property
    def _source(self) -> tuple[Path, Path]:
        return self.store.artifact_folder(self.run_id) or (self.artifacts, self.artifacts.parent)

    def put(self, model_id: str, uri: str) -> None:
        """Put them at the place of a logged model; its description names it and the run."""
        folder, root = self._source
        about = _with_ids(read_file(folder / MODEL / _ABOUT, root, LARGEST_SOURCE), model_id, self.run_id)
        server, database = self.store.server, self.store.location.database
        if database:
            place, target = own_place(uri, database, f"the model {model_id}")
            copy_path(folder / MODEL, place, source_root=root, target_root=target, durable=False, shared=True)
            replace_file(place / _ABOUT, about, root=target, durable=False)
        elif server:
            for file in list_tree(folder / MODEL, root):
                path = file.relative_to(folder / MODEL).as_posix()
                with open_file(file, root) as content:
                    server.send_file(uri, io.BytesIO(about) if path == _ABOUT else content, path)


def _with_ids(about: bytes, model_id: str, run_id: str) -> bytes:
    """Return a model's description, a YAML mapping, with what only a logged model has."""
    ids = {"model_id": model_id, "run_id": run_id}
    lines = [line for line in about.decode().splitlines() if line.partition(":")[0] not in ids]
    return "".join(f"{line}\n" for line in [*lines, *(f"{key}: {json.dumps(ids[key])}" for key in ids)]).encode()


def _kept_epoch(events: Sequence[Event]) -> int:
    """Return the epoch whose weights a run has kept; 0 if nothing says it, as of somebody's own script."""
    first = started(events)
    if not is_resumable(first.tags):
        return 0
    name = "stop_epoch" if first.params.get("keep") == "last" else "best_epoch"
    logged = [event.metrics[name] for event in events if isinstance(event, Measured) and name in event.metrics]
    return int(logged[-1]) if logged and logged[-1] > 0 else 0


def _of_kept_model(events: Sequence[Event], epoch: int) -> Iterator[Value]:
    """Yield what was measured of the kept model: at its epoch on validation data, and at the end."""
    for event, values in zip(events, values_of(events), strict=True):
        if isinstance(event, EpochDone) and event.number == epoch:
            yield from (value for value in values if value.key.startswith("val_"))
        elif isinstance(event, Measured):
            yield from (value for value in values if not value.key.startswith(_OF_TRAINING))


def _measure(
    store: Store, run_id: str, model_id: str, values: Iterable[Value], datasets: Sequence[DatasetUsed] = ()
) -> None:
    """Write values of metrics of a logged model, with the data set that they were measured on.

    Those that it has are left as they are. MLflow would take NaN for 0.
    """
    shown = {used.context: shown_dataset(used) for used in datasets}
    rows = []
    for value in values:
        if math.isnan(value.value):
            continue
        used = shown.get(next((part for start, part in _PARTS.items() if value.key.startswith(start)), ""))
        name, digest = (used.name, used.digest) if used else (None, None)
        rows.append(Metric(value.key, value.value, value.time, value.step, model_id, name, digest, run_id))
    if rows:
        store.client.log_batch(run_id, metrics=rows, synchronous=True)
