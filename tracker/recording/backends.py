"""Dask and Ray as clusters that a sweep trains on: one that is there, by its address, or one that is started here."""

from __future__ import annotations

import logging
import os
import re
import socket
import warnings
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tracker.errors import TrackerError
from tracker.recording.cluster import LostWorkerError
from tracker.recording.pool import interrupts_blocked
from tracker.training.result import threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tracker.recording.cluster import Cluster

_TIMEOUT_S = 10.0
_LIBRARIES = {"dask": ("distributed", "Dask's scheduler"), "ray": ("ray", "Ray")}


def check_installed(backend: str) -> None:
    """Raise `TrackerError` if the library of a backend isn't installed."""
    library, what = _LIBRARIES[backend]
    if find_spec(library) is None:
        raise TrackerError(f"--backend {backend} needs {what}: pip install 'tracker-report[{backend}]'")


def open_cluster(backend: str, address: str | None, jobs: int | None) -> Cluster:
    """Connect to a cluster, or start one of so many workers here if no address is given.

    Raises `TrackerError` if the address can't be reached or the workers don't start.
    """
    if address is not None:
        _check_reachable(address)
    with interrupts_blocked():
        return _Dask(address, jobs) if backend == "dask" else _Ray(address, jobs)


def _check_reachable(address: str) -> None:
    """Raise `TrackerError` if nothing listens at an address: Ray would ask it for minutes."""
    if address == "auto":
        return
    found = re.fullmatch(r"(?:\w+://)?\[?([\w.:-]*?)\]?:(\d{1,5})/?", address)
    if not found:
        raise TrackerError(f"the address must be like tcp://host:8786, got {address!r}")
    host, port = found[1] or "127.0.0.1", int(found[2])
    try:
        socket.create_connection((host, port), timeout=_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise TrackerError(f"nothing answers at {address} ({why}): start the cluster, or check the address") from error


class _Dask:
    """A Dask cluster."""

    def __init__(self, address: str | None, jobs: int | None) -> None:
        from distributed import Client, LocalCluster

        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        self._pending: dict[Future[Any], tuple[str, Any]] = {}
        self._local = None
        with _quiet_start(address or "this machine"):
            if address is None:
                # Its nannies would end workers that use more memory than an even part of the machine's.
                self._local = LocalCluster(
                    n_workers=jobs, threads_per_worker=1, memory_limit=0, dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                )  # fmt: skip
            self._client = Client(self._local or address, timeout=_TIMEOUT_S, set_as_default=False)
        self.where = address or "this machine"

    @property
    def size(self) -> int:
        return len(self.workers())

    def workers(self) -> Sequence[str]:
        try:
            there: dict[str, int] = self._client.nthreads()
        except Exception as error:
            raise TrackerError(
                f"the Dask scheduler at {self.where} is gone: once it is back, the same command continues"
            ) from error
        for future, (worker, remote) in [*self._pending.items()]:
            if worker not in there:
                self._lose(future, remote)
        return sorted(there)

    def submit(self, worker: str, function: Callable[..., Any], *args: object) -> Future[Any]:
        future: Future[Any] = Future()
        remote = self._client.submit(function, *args, workers=[worker], allow_other_workers=False, pure=False)
        self._pending[future] = (worker, remote)
        remote.add_done_callback(partial(self._done, future))
        return future

    def tell(self, function: Callable[..., Any], *args: object) -> None:
        with suppress(Exception):
            self._client.run(function, *args, on_error="ignore")

    def close(self) -> None:
        with suppress(Exception):
            self._client.close(timeout=_TIMEOUT_S)
        if self._local:
            self._local.close(timeout=_TIMEOUT_S)

    def _done(self, future: Future[Any], remote: Any) -> None:
        from distributed import KilledWorker

        if self._pending.pop(future, None) is None:
            return
        if remote.status == "finished":
            future.set_result(remote.result())
        elif remote.status == "error" and not isinstance(error := remote.exception(), KilledWorker):
            future.set_exception(error)
        else:
            future.set_exception(LostWorkerError())

    def _lose(self, future: Future[Any], remote: Any) -> None:
        if self._pending.pop(future, None):
            future.set_exception(LostWorkerError())
            remote.cancel()


class _Ray:
    """A Ray cluster, with an actor of its own for each worker."""

    def __init__(self, address: str | None, jobs: int | None) -> None:
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray

        self._ray = ray
        own = {"num_cpus": jobs, "include_dashboard": False} if address is None else {}
        with _quiet_start(address or "this machine"):
            ray.init(address or "local", logging_level=logging.CRITICAL, log_to_driver=False, **own)
        self.where = address or "this machine"
        resources = ray.cluster_resources()
        gpus = resources.get("GPU", 0)
        self.size = max(1, jobs or int(gpus or resources.get("CPU", 1) / threads()))

        class Worker:  # defined here so that a worker without tracker can say so
            def call(self, function: Callable[..., Any], args: Sequence[object]) -> Any:
                return function(*args)

        shares = {"num_gpus": min(1.0, gpus / self.size)} if gpus else {}
        self._new = ray.remote(num_cpus=threads(), max_concurrency=3, max_restarts=0, **shares)(Worker)
        self._actors: dict[str, Any] = {}
        self._started = 0

    def workers(self) -> Sequence[str]:
        if not self._ray.is_initialized():
            raise TrackerError(f"the Ray cluster at {self.where} is gone: once it is back, the same command continues")
        while len(self._actors) < self.size:
            self._started += 1
            self._actors[str(self._started)] = self._new.remote()
        return [*self._actors]

    def submit(self, worker: str, function: Callable[..., Any], *args: object) -> Future[Any]:
        future: Future[Any] = Future()
        remote = self._actors[worker].call.remote(function, args)
        remote.future().add_done_callback(partial(self._done, worker, future))
        return future

    def tell(self, function: Callable[..., Any], *args: object) -> None:
        for actor in self._actors.values():
            actor.call.remote(function, args)

    def close(self) -> None:
        self._ray.shutdown()

    def _done(self, worker: str, future: Future[Any], remote: Future[Any]) -> None:
        error = remote.exception()
        if error is None:
            future.set_result(remote.result())
        elif isinstance(error, self._ray.exceptions.RayActorError):
            self._actors.pop(worker, None)
            future.set_exception(LostWorkerError())
        else:
            future.set_exception(error)


@contextmanager
def _quiet_start(where: str) -> Iterator[None]:
    """Turn what a cluster's library raises into one line, and have it warn of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Exception as error:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise TrackerError(f"cannot start workers at {where}: {reason}") from error
