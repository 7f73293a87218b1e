"""Worker processes on this machine: started before there is work for them, and kept for the next sweep.

They are loky's, as joblib has them, and end when they had nothing to do for some minutes, or with this process. They
aren't those that joblib keeps for itself, which other code of this process may be using.
"""

from __future__ import annotations

import os
import signal
import warnings
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, wait
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor, Future

_IDLE_S = 300.0  # after which a worker that has nothing to do ends
_THREADS = (  # variables by which libraries know how many threads to use
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_WARNINGS = "PYTHONWARNINGS"

Answer = TypeVar("Answer")


class Workers(NamedTuple):
    """What worker processes are started with."""

    jobs: int  # how many there are
    threads: int  # of each
    keras_backend: str
    load: Callable[[int], None]  # what each calls first, with the id of this process; it must raise nothing


_kept: dict[Workers, Executor] = {}  # of one kind at most
_unused: set[Workers] = set()  # those that were started ahead, and have been given nothing to do yet


def start_workers(workers: Workers) -> None:
    """Start worker processes, and return while they load.

    It is no matter if that fails: what calls them later starts them again, or fails for the same reason.
    """
    _unused.add(workers)
    try:
        _submit(_executor(workers), os.getpid)
    except (OSError, BrokenExecutor):
        end_unused_workers()


def end_unused_workers() -> None:
    """End the workers that were started ahead and given nothing to do, at once, whatever they are loading."""
    while _unused:
        _end(_unused.pop())


def call_in_workers(
    workers: Workers, function: Callable[..., Answer], calls: Iterable[tuple[object, ...]]
) -> Iterator[Answer]:
    """Call a function in worker processes, once with each tuple of arguments, and yield each answer as it comes.

    A call is only taken from `calls` once a worker has nothing to do. If the iteration ends early, so do the workers.

    Raises
    ------
    BrokenExecutor
        If a worker is lost; the others are ended then.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # loky's, about a worker that ended early
        executor, waiting = _executor(workers), iter(calls)
        _unused.clear()
        try:
            running = {_submit(executor, function, *call) for call in islice(waiting, workers.jobs)}
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {_submit(executor, function, *call) for call in islice(waiting, len(done))}
                for future in sorted(done, key=lambda each: each.exception() is not None):
                    yield future.result()
        except BaseException:
            _end(workers)
            raise


def _executor(workers: Workers) -> Executor:
    """Return workers that are there already, or that the first call starts; others are ended."""
    if workers in _kept:
        with suppress(BrokenExecutor):  # if one of them was killed while it had nothing to do
            _submit(_kept[workers], os.getpid)
            return _kept[workers]
    for other in [*_kept]:
        _end(other)
    from joblib.externals.loky import ProcessPoolExecutor

    with interrupts_blocked():  # it starts a process that cleans up
        _kept[workers] = ProcessPoolExecutor(
            max_workers=workers.jobs,
            timeout=_IDLE_S,
            initializer=workers.load,
            initargs=(os.getpid(),),
            env={name: str(workers.threads) for name in _THREADS} | {"KERAS_BACKEND": workers.keras_backend},
        )
    return _kept[workers]


def _end(workers: Workers) -> None:
    if executor := _kept.pop(workers, None):
        executor.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]  # as loky has it


def _submit(executor: Executor, function: Callable[..., Answer], *arguments: object) -> Future[Answer]:
    with interrupts_blocked():  # a worker is started if there are fewer than there may be
        return executor.submit(function, *arguments)


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Have processes and threads that are started meanwhile not notice Ctrl-C: the stop file is for them.

    Nor does joblib's own process complain of what a sweep that was killed left behind, which it removes.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing.resource_tracker import ensure_running

    filters = os.environ.get(_WARNINGS)
    os.environ[_WARNINGS] = ",".join(filter(None, [filters, "ignore:resource_tracker"]))
    try:
        ensure_running()  # the first start of a worker would do that, and let interrupts through again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    finally:
        os.environ.pop(_WARNINGS)
        os.environ |= {} if filters is None else {_WARNINGS: filters}
