"""A run, as it is written to a store: by MLflow's client alone, call by call, with the times of a clock handed in.

Nothing is logged in the background and nothing is guessed: no autologging, no active run, no made-up name, no git.
"""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import TYPE_CHECKING, Literal

from tracker.errors import StoreError
from tracker.store.client import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, one_line_errors
from tracker.store.open import DEFAULT_METRIC, Clock, Store, now_ms, open_store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from tracker.store.location import Location
    from tracker.store.model import Model

Ending = Literal["FINISHED", "FAILED", "KILLED"]

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. /:-]{0,249}")
_LONGEST = {"param": 6_000, "tag": 8_000}
"""Characters that MLflow keeps of a value; it cuts the rest off without a word."""


class RunWriter:
    """Writes one run.

    Parameters
    ----------
    store : Store
    experiment_id, run_id : str
    clock : callable
        Returns milliseconds since 1970.
    """

    def __init__(self, store: Store, experiment_id: str, run_id: str, clock: Clock) -> None:
        self.run_id = run_id
        self._store = store
        self._client = store.client
        self._experiment_id = experiment_id
        self._clock = clock

    def log_epoch(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics of one epoch, all or none.

        Parameters
        ----------
        step : int
            The epoch, counted from 1.
        metrics : mapping of str to float

        Raises
        ------
        StoreError
            If the store refuses or is away.
        """
        _check_keys("metric", metrics)
        now = self._clock()
        rows = [Metric(key, float(value), now, step) for key, value in metrics.items()]
        with self._errors("the metrics"):
            self._client.log_batch(self.run_id, metrics=rows, synchronous=True)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Write metrics that a run has once."""
        self.log_epoch(0, metrics)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Write tags, over those of the same name.

        Raises
        ------
        StoreError
            If a key or value is not one that MLflow keeps whole, or the store refuses.
        """
        _check("tag", tags)
        rows = [RunTag(key, value) for key, value in tags.items()]
        with self._errors("the tags"):
            self._client.log_batch(self.run_id, tags=rows, synchronous=True)

    def log_dataset(
        self,
        name: str,
        digest: str,
        source: str,
        *,
        context: str,
        classes: Sequence[str] = (),
        clips: int | None = None,
    ) -> None:
        """Write what the run was trained on, so that MLflow's UI shows it.

        Parameters
        ----------
        name : str
        digest : str
            Fingerprint of the dataset; MLflow keeps the first 36 characters.
        source : str
            Where it is: a path, or ``demo``.
        context : str
            What it served for: ``training``, ``validation``.
        classes : sequence of str
        clips : int or None
            How many clips there are.
        """
        dataset = _dataset(name, digest, source, classes, clips)
        with self._errors("the dataset"):
            self._client.log_inputs(self.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])])

    def log_text(self, text: str, path: str) -> None:
        """Write a text as the artifact `path`; what is no Unicode in a file's name stays as it was."""
        self.log_bytes(text.encode("utf-8", "surrogateescape"), path)

    def log_bytes(self, data: bytes, path: str) -> None:
        """Write bytes as the artifact `path`, with forward slashes."""
        with self._errors(path):
            self._client.log_stream(self.run_id, BytesIO(data), path)

    def log_model(self, model: Model, example: NDArray[np.float32]) -> None:
        """Write the kept model as the MLflow model ``model``.

        Parameters
        ----------
        model : keras.Model
        example : ndarray, shape (n, ...)
            What the model takes: a batch of at least one.
        """
        from tracker.store.model import log_keras_model

        with self._errors("the model"):
            log_keras_model(self._client, self.run_id, model, example)

    def finish(self, status: Ending) -> None:
        """End the run."""
        with self._errors("the end of the run"):
            self._client.set_terminated(self.run_id, status, end_time=self._clock())

    def _errors(self, what: str) -> AbstractContextManager[None]:
        return one_line_errors(f"cannot write {what} of run {self.run_id} to {self._store.location.shown}")


def start_run(
    location: Location,
    experiment: str,
    name: str,
    params: Mapping[str, str],
    tags: Mapping[str, str],
    *,
    metric: str = DEFAULT_METRIC,
    clock: Clock = now_ms,
) -> RunWriter:
    """Start a run: make the store and the experiment where they are not there, and write its params and tags.

    Parameters
    ----------
    location : Location
    experiment, name : str
    params, tags : mapping of str to str
    metric : str
        The primary metric of the experiment, should it be new.
    clock : callable
        Returns milliseconds since 1970.

    Raises
    ------
    StoreError
        If the store cannot be used or MLflow would cut or refuse a param or tag; then no run is made.
    """
    _check("param", params)
    _check("tag", tags)
    store = open_store(location, clock)
    experiment_id = store.ensure_experiment(experiment, metric)
    with one_line_errors(f"cannot start a run in {location.shown}"):
        run = store.client.create_run(experiment_id, start_time=clock(), tags=dict(tags), run_name=name)
        rows = [Param(key, value) for key, value in params.items()]
        store.client.log_batch(run.info.run_id, params=rows, synchronous=True)
    return RunWriter(store, experiment_id, run.info.run_id, clock)


def _check(kind: str, pairs: Mapping[str, str]) -> None:
    """Refuse what MLflow would refuse or cut."""
    _check_keys(kind, pairs)
    for key, value in pairs.items():
        if len(value) > _LONGEST[kind]:
            raise StoreError(f"the {kind} {key!r} must be at most {_LONGEST[kind]:,} characters, got {len(value):,}")


def _check_keys(kind: str, pairs: Mapping[str, object]) -> None:
    for key in pairs:
        if not _KEY.fullmatch(key):
            raise StoreError(
                f"the name of a {kind} must be at most 250 letters, digits, spaces and . _ - / :, got {key[:300]!r}"
            )


def _dataset(name: str, digest: str, source: str, classes: Sequence[str], clips: int | None) -> Dataset:
    schema = json.dumps({"classes": list(classes)})
    profile = json.dumps({"clips": clips, "classes": len(classes)})
    return Dataset(name, digest[:36], "local", json.dumps({"uri": source}), schema=schema, profile=profile)
