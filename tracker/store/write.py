"""A run, as it is written to a store: by MLflow's client alone, call by call, with the times of a clock handed in.

Nothing is logged in the background and nothing is guessed: no autologging, no active run, no made-up name, no git.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from tracker.entries import Status
from tracker.store.client import one_line_errors
from tracker.store.limits import check_params, check_tags
from tracker.store.open import DEFAULT_METRIC, Clock, Store, now_ms, open_store
from tracker.store.stored_run import StoredRun
from tracker.store.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.store.location import Location

Ending = Status


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
        self.experiment_id = experiment_id
        self.run_id = run_id
        self._store = store
        self._clock = clock
        self._run = StoredRun(store, run_id)

    def log_epoch(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics of one epoch, all or none.

        Parameters
        ----------
        step : int
            The epoch, counted from 1.
        metrics : mapping of str to float
            NaN and infinite values are kept.

        Raises
        ------
        StoreError
            If a name is none to MLflow, or the store refuses or is away.
        """
        now = self._clock()
        self._run.log_values(Value(key, float(value), now, step) for key, value in metrics.items())

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Write metrics that a run has once, at step 0; otherwise as `log_epoch`."""
        self.log_epoch(0, metrics)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Write tags, over those of the same name.

        Raises
        ------
        StoreError
            If MLflow would cut or refuse one, or the store refuses or is away.
        """
        self._run.set_tags(tags)

    def log_text(self, text: str, path: str) -> None:
        """Write a text as the artifact `path`; bytes that are no Unicode in a file's name come out as they were."""
        self.log_bytes(text.encode("utf-8", "surrogateescape"), path)

    def log_bytes(self, data: bytes, path: str) -> None:
        """Write bytes as the artifact `path`, with forward slashes.

        Raises
        ------
        StoreError
            If the store refuses or is away, or the disk is full.
        """
        with self._run.errors(path):
            self._store.client.log_stream(self.run_id, BytesIO(data), path)

    def finish(self, status: Ending) -> None:
        """End the run.

        Raises
        ------
        StoreError
            If the store refuses or is away.
        """
        self._run.end(status, self._clock())


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
    check_params(params)
    check_tags(tags)
    store = open_store(location, clock)
    experiment_id = store.ensure_experiment(experiment, metric)
    with one_line_errors(f"cannot start a run in {location.shown}"):
        run_id = store.client.create_run(experiment_id, clock(), dict(tags), name).info.run_id
    StoredRun(store, run_id).log_params(params)
    return RunWriter(store, experiment_id, run_id, clock)
