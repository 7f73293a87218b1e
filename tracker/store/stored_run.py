"""One run of a store, written to: the calls of MLflow's client, each of which may be made again without harm."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tracker.runs import REASON_TAG
from tracker.store.client import (
    Dataset,
    DatasetInput,
    InputTag,
    Metric,
    MlflowException,
    Param,
    RunTag,
    one_line_errors,
)
from tracker.store.limits import check_keys, check_params, check_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tracker.entries import DatasetUsed, Status
    from tracker.store.open import Store
    from tracker.store.values import Value

_DIGEST_LENGTH = 12
"""Characters of a fingerprint that tell datasets apart; MLflow keeps 36 with the context."""

_NAME_LENGTH = 500
"""Characters that MLflow takes of a dataset's name; the end of a long path tells more than its beginning."""


class StoredRun:
    """Writes to one run; every method raises `StoreError` if the store refuses, `UnreachableError` if it is away.

    Parameters
    ----------
    store : Store
    run_id : str
    """

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
        check_tags(tags)
        with self.errors("tags"):
            rows = [RunTag(key, value) for key, value in tags.items()]
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

    def end(self, status: Status, time: int, reason: str | None = None) -> None:
        """End the run, and say why in a tag."""
        if reason is not None:
            self.set_tags({REASON_TAG: reason})
        with self.errors("end"):
            self._client.set_terminated(self.run_id, status, end_time=time)

    def go_on(self) -> None:
        """Let the run be running again: why it had ended no longer holds. MLflow has no way to take back when."""
        with self.errors("resumption"):
            if REASON_TAG in self._client.get_run(self.run_id).data.tags:
                self._delete_reason()
            self._client.update_run(self.run_id, "RUNNING")

    def _delete_reason(self) -> None:
        try:
            self._client.delete_tag(self.run_id, REASON_TAG)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise  # anything but an earlier try, whose answer was lost

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
