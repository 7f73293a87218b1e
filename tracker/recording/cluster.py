"""A sweep's runs on the workers of a cluster: which worker trains which run, and what becomes of one that is lost.

A worker trains one run at a time. It takes part once it has the same tracker, code and data as the sweeping process,
and until its disk takes no more. Whose worker is lost, that run is continued by another from its last checkpoint if the
journals are in a folder that both see; else it is trained from its start, and what was logged of it is deleted.

joblib's backends aren't used: Ray's can't hand over each run as it ends, and neither says which worker was lost.
"""

from __future__ import annotations

import math
import pkgutil
import time
from collections import Counter, deque
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import chdir, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from tracker import __version__
from tracker.atomic_files import disk_errors
from tracker.errors import TrackerError
from tracker.journal.reader import read
from tracker.recording.devices import take_device
from tracker.recording.run_writer import one_line
from tracker.recording.workers import (
    MOST_LOSSES,
    RunOutcome,
    RunTask,
    Work,
    is_training,
    read_once,
    stop_training,
    stopping_by_signals,
    train_one,
)
from tracker.runs.events import Deleted
from tracker.store import now_ms
from tracker.training.result import environment
from tracker.wording import some

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tracker.recording.reporter import Reporter
    from tracker.runs import Backend, Spectrogram

_HERE = "sweep.here"  # beside the journals: the token of the sweep that trains, by which a worker knows the folder
_POLL_S = 1.0  # between looks at which workers there are
_AHEAD_S = 5.0  # a worker has so many short runs before it that it need not wait for the sweeping process so long
_MOST_AHEAD = 4


class LostWorkerError(Exception):
    """A worker was lost with what it was doing."""


class Cluster(Protocol):
    """Worker processes, here or on other machines, that are called by their names."""

    where: str  # as after "at"

    @property
    def size(self) -> int:
        """How many runs it can train at once now."""

    def workers(self) -> Sequence[str]:
        """Return the names of the workers that there are; raise `TrackerError` if the cluster is gone."""

    def submit(self, worker: str, function: Callable[..., Any], *args: object) -> Future[Any]:
        """Have a worker call a function; the future has a `LostWorkerError` if it is lost meanwhile."""

    def tell(self, function: Callable[..., Any], *args: object) -> None:
        """Have all workers call a function at once, beside what they are doing; one that doesn't answer is left out."""

    def close(self) -> None:
        """Let go of the cluster; one that was started here ends."""


@dataclass(frozen=True, slots=True)
class Joining:
    """What a worker must have to take part in a sweep."""

    work: Work
    folder: Path  # the working directory of the sweeping process
    spectrogram: Spectrogram
    code: Mapping[str, Mapping[str, str]]  # versions, threads and digests of code, by network
    keras_backend: Backend = "tensorflow"


@dataclass(frozen=True, slots=True)
class Joined:
    """A worker's answer: what keeps it from taking part, if anything does."""

    problem: str | None = None
    has_journals: bool = False  # it sees the folder of the sweeping process' journals


@dataclass(frozen=True, eq=False)
class _Call:
    """What a worker was asked to do."""

    worker: str
    task: RunTask | None = None  # None: to join
    has_journals: bool = False
    number: int = 0  # how many runs had been given out before


@dataclass(eq=False)
class ClusterSweep:
    """The runs of a sweep, given to the workers of a cluster one by one."""

    cluster: Cluster
    joining: Joining
    reporter: Reporter
    most: int | None = None  # runs at once
    join: Callable[[Joining], Joined] = field(default_factory=lambda: join)
    train: Callable[[Joining, RunTask], RunOutcome] = field(default_factory=lambda: train_there)
    may_start: Callable[[], bool] = lambda: True  # whether there is time for another run
    _todo: deque[RunTask] = field(default_factory=deque)
    _calls: dict[Future[Any], _Call] = field(default_factory=dict)
    _fit: dict[str, bool] = field(default_factory=dict)  # workers that take part, and whether they have the journals
    _seconds: float = math.inf  # that the last run took
    _unfit: dict[str, str] = field(default_factory=dict)  # why a worker takes no part
    _refused: list[str] = field(default_factory=list)  # warnings of such workers, until it is known if others are there
    _given: int = 0
    _looked: float = -math.inf
    _is_waiting: bool = False  # for a first worker
    _losses: dict[str, tuple[int, int]] = field(default_factory=dict)  # by key: how often, and after which epoch

    @property
    def work(self) -> Work:
        """What all runs have."""
        return self.joining.work

    def outcomes(self, tasks: Sequence[RunTask]) -> Iterator[RunOutcome]:
        """Train runs, and yield what came of each as soon as it ended.

        Raises `KeyboardInterrupt` if it was interrupted, and `TrackerError` if the cluster is gone or no worker fits.
        """
        self._todo.extend(tasks)
        stop_file, is_told = self.work.stop_file, False
        with stopping_by_signals(stop_file, self.reporter) as is_stopped, _marked(self.work):
            while self._todo or self._training:
                if is_stopped():
                    if not is_told:
                        self.cluster.tell(stop_training, self.work.token)
                        is_told = True
                    if not self._training:
                        break
                if time.monotonic() - self._looked >= _POLL_S:
                    self._look()
                if not is_stopped():
                    self._assign()
                for future in self._ended():
                    if future not in self._calls:  # its worker was lost
                        continue
                    yield from self._taken(future, is_stopped=is_stopped())
        self._warn_of_refused()
        if is_stopped():
            raise KeyboardInterrupt

    @property
    def _training(self) -> int:
        return sum(call.task is not None for call in self._calls.values())

    def _look(self) -> None:
        """Have workers that are new join, and forget those that are gone."""
        self._looked = time.monotonic()
        there = self.cluster.workers()
        for worker in self._fit.keys() - {*there}:
            del self._fit[worker]
        joining = {call.worker for call in self._calls.values() if call.task is None}
        for worker in there:
            if worker not in joining and worker not in self._fit and worker not in self._unfit:
                version = self.cluster.submit(worker, pkgutil.resolve_name, "tracker:__version__")
                self._calls[version] = _Call(worker)
        if not there and not self._is_waiting:
            self.reporter.log(f"waiting for a worker at {self.cluster.where}")
        self._is_waiting = not there
        if there and not self._calls and self._unfit.keys() >= {*there}:
            at, reasons = f"at {self.cluster.where}", some([*dict.fromkeys(self._unfit[worker] for worker in there)])
            if len(there) == 1:  # which need not be named, too
                self._refused.clear()
            self._warn_of_refused()
            who = f"the only worker {at} can't" if len(there) == 1 else f"none of the {len(there)} workers {at} can"
            raise TrackerError(f"{who} train these runs: {reasons}")
        self._warn_of_refused()

    def _assign(self) -> None:
        """Give each worker that waits a run; some more ahead while runs are short, so that it waits for nobody."""
        load = Counter(call.worker for call in self._calls.values())
        for ahead in range(1 + min(_MOST_AHEAD, int(_AHEAD_S / max(self._seconds, 1e-3)))):
            for worker, has_journals in self._fit.items():
                is_full = self.most is not None and self._training >= self.most * (ahead + 1)
                if load[worker] > ahead or is_full or len(self._todo) <= ahead * len(self._fit):
                    continue
                if not self.may_start():
                    self._todo.clear()
                    return
                task = replace(self._todo.popleft(), journal=uuid4().hex)
                future = self.cluster.submit(worker, self.train, self.joining, task)
                self._calls[future] = _Call(worker, task, has_journals, self._given)
                self._given += 1
                load[worker] += 1

    def _ended(self) -> list[Future[Any]]:
        """Return the calls that have ended, after a while also none."""
        if not self._calls:
            time.sleep(_POLL_S)
        return [*wait(self._calls, _POLL_S, FIRST_COMPLETED).done]

    def _taken(self, future: Future[Any], *, is_stopped: bool) -> Iterator[RunOutcome]:
        """Take a worker's answer, and yield what came of its run if that is known now."""
        call = self._calls.pop(future)
        worker, task = call.worker, call.task
        try:
            answer = future.result()
        except LostWorkerError:
            yield from self._lost(call)
            return
        except Exception as error:  # noqa: BLE001  (whatever a strange worker's Python raises)
            if task is None:
                self._reject(worker, _reason(error))
            else:
                yield RunOutcome(task.name, error=one_line(error))
            return
        if task is None:
            self._joined(worker, answer)
            return
        for text in answer.warnings:
            self.reporter.warn(text)
        if answer.is_of_disk:
            self._reject(worker, answer.error)
            yield from self._again(task, None, call)
        elif not answer.is_interrupted:
            self._seconds = answer.seconds
            yield answer
        elif not is_stopped:  # the worker is about to end
            yield from self._again(task, f"worker {worker} ended", call)

    def _lost(self, call: _Call) -> Iterator[RunOutcome]:
        """Take back what a worker that was lost was given: what it trained, and what it hadn't begun."""
        self._looked = -math.inf  # another may have come for it
        self._fit.pop(call.worker, None)
        given = [future for future, other in self._calls.items() if other.worker == call.worker]
        calls = sorted([call, *map(self._calls.pop, given)], key=lambda each: each.number)
        self._todo.extendleft(other.task for other in reversed(calls[1:]) if other.task)
        if calls[0].task:
            yield from self._again(calls[0].task, f"worker {call.worker} was lost", calls[0])

    def _joined(self, worker: str, answer: str | Joined) -> None:
        """Take the answer of a worker that joins: its version of tracker, then whether it has what is needed."""
        if isinstance(answer, Joined):
            if answer.problem:
                self._reject(worker, answer.problem)
            else:
                self._fit[worker] = answer.has_journals
        elif answer != __version__:
            self._reject(worker, f"it has tracker {answer}, and this is {__version__}: install the same there")
        else:
            self._calls[self.cluster.submit(worker, self.join, self.joining)] = _Call(worker)

    def _reject(self, worker: str, reason: str | None) -> None:
        if worker in self._unfit:
            return
        self._fit.pop(worker, None)
        self._unfit[worker] = reason or ""
        self._refused.append(f"worker {worker} takes no part from here on: {reason}")

    def _warn_of_refused(self) -> None:
        while self._refused:
            self.reporter.warn(self._refused.pop(0))

    def _again(self, task: RunTask, why: str | None, call: _Call) -> Iterator[RunOutcome]:
        """Have another worker train what one didn't finish; yield its failure after too many losses."""
        epochs = 0
        interrupted = task.interrupted or task.journal
        next_task, how = replace(task, interrupted=None), "trained from its start by another"
        if call.has_journals:
            with suppress(TrackerError, OSError):
                epochs = len(read(self.work.journals / str(interrupted)).epochs)
                next_task, how = replace(task, interrupted=interrupted), "continued by another"
        elif not self.work.target.offline:
            _delete(self.work, str(interrupted))
        if why:
            losses, before = self._losses.get(task.key, (0, 0))
            self._losses[task.key] = (1 if epochs > before else losses + 1, max(before, epochs))
            if self._losses[task.key][0] == MOST_LOSSES:
                yield RunOutcome(task.name, error=f"its worker was lost {MOST_LOSSES} times: is there enough memory?")
                return
            self.reporter.warn(f"{why}: run {task.name} is {how}")
        self._todo.appendleft(next_task)


def join(joining: Joining) -> Joined:
    """Return, in a worker, whether it has what a sweep needs; the data is read for that, once."""
    work = joining.work
    with is_training, _at(joining.folder):
        take_device()
        mark = work.journals / _HERE
        has_journals = mark.is_file() and mark.read_text(encoding="ascii") == work.token
        if not has_journals and work.target.store.folder is not None:
            return Joined(
                f"it doesn't see {work.target.store.folder}, where the store is: use a folder that all machines share, "
                "or a tracking server"
            )
        try:
            for model, code in joining.code.items():
                if others := _differences(code, environment(model, joining.keras_backend)):
                    return Joined(f"{some(others)}: install the same there")
            read_once(work.data, work.plan, joining.spectrogram, work.fingerprint)
        except (TrackerError, ValueError) as error:
            return Joined(str(error))
    return Joined(has_journals=has_journals)


def train_there(joining: Joining, task: RunTask) -> RunOutcome:
    """Train or continue a run in a worker."""
    with is_training, _at(joining.folder):
        if task.journal and (joining.work.journals / task.journal).exists():  # the cluster gave it out again by itself
            task = replace(task, interrupted=task.journal, journal=None)
        return train_one(joining.work, task)


def _at(folder: Path) -> AbstractContextManager[None]:
    """Work in the sweeping process' folder if this machine has it."""
    return chdir(folder) if folder.is_dir() else nullcontext()


def _differences(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """Name what of a worker's environment isn't the sweeping process'."""
    return [
        f"its code in {name} differs" if "/" in name else f"it has {name} {there.get(name) or 'none'}, not {text}"
        for name, text in here.items()
        if text != there.get(name)
    ]


def _reason(error: Exception) -> str:
    """Return why a worker can't join, by what it raised."""
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, ModuleNotFoundError) and cause.name == "tracker":
        return f"tracker isn't installed there: install version {__version__}"
    return one_line(cause)


def _delete(work: Work, journal: str) -> None:
    """Delete what a lost worker logged of a run that is trained from its start again."""
    with suppress(TrackerError):
        for run in work.target.store.read(work.target.experiment, by_epoch=0).runs:
            if run.journal_id == journal:
                work.target.store.change_run(run.run_id, Deleted(now_ms()))


@contextmanager
def _marked(work: Work) -> Iterator[None]:
    """Leave the sweep's token where the journals are, while it trains."""
    mark = work.journals / _HERE
    with disk_errors("write", mark):
        mark.write_text(work.token, encoding="ascii")
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)
