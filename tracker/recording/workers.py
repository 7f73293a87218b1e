"""Where a sweep's runs are trained: here, one after the other, or in worker processes that keep TensorFlow loaded.

A worker reads the data itself, its features from the cache, and writes each run's journal. A worker process on this
machine uploads nothing, and so need not load what writes to a store: the sweeping process uploads the journals as they
grow. A worker that is lost costs what it did since the last finished epoch: its run is continued by another.

An interrupt reaches the sweeping process alone. It asks the workers to stop by a file beside the journals, which they
look for between batches; a worker whose sweeping process is gone stops by itself.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import uuid4

from tracker.errors import DataError, JournalError, TrackerError
from tracker.journal.reader import read
from tracker.late_imports import mark_own_process
from tracker.recording.devices import take_device
from tracker.recording.pool import Workers, call_in_workers, start_workers
from tracker.recording.reporter import SilentReporter
from tracker.recording.resume import BusyRunError, NotResumableError, resume_run
from tracker.recording.run_writer import RunWriter, one_line
from tracker.recording.stores import journals_folder
from tracker.recording.train import ANY_DATA, Recorder, read_data
from tracker.recording.uploader import Follower
from tracker.runs.events import Measured, RunStatus
from tracker.training.networks import is_built_in
from tracker.training.result import threads
from tracker.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tracker.recording.reporter import EpochProgress, Reporter
    from tracker.recording.stores import LogTarget
    from tracker.recording.train import Prepared, ReadData
    from tracker.runs import DataPlan, RunPlan, Spectrogram, SplitPlan
    from tracker.runs.facts import TrainingPlan
    from tracker.training.result import Epoch

STOP = "sweep.stop"  # beside the journals: the workers are to stop
_LOOK_S = 0.2  # between looks for it
_POLL_S = 1.0  # between looks at a run that another process trains
MOST_LOSSES = 3  # workers that may be lost one after the other without a further epoch


@dataclass(frozen=True, slots=True)
class RunTask:
    """One run of a sweep."""

    key: str  # what decides its result, as `run_key` has it
    plan: RunPlan  # its network named as the run's params name it
    name: str
    interrupted: str | None = None  # the id of the journal that is to be continued
    journal: str | None = None  # the id of the journal that is to be begun, if it is to have a certain one


@dataclass(frozen=True, slots=True)
class Work:
    """What all runs of a sweep have."""

    data: Path | None
    source: str  # what the runs' tags call the data
    fingerprint: str  # of the data
    target: LogTarget
    training_plan: TrainingPlan
    note: str | None = None
    keep_going: bool = False
    plan: DataPlan = ANY_DATA  # how the data is read
    token: str = ""  # on a cluster: what names this sweep there

    @property
    def journals(self) -> Path:
        """The folder of the journals."""
        return journals_folder(self.target.store)

    def journal(self, task: RunTask) -> Path:
        """Return the folder of the journal of a run that is to be continued."""
        return self.journals / str(task.interrupted)

    @property
    def stop_file(self) -> Path:
        """What asks the workers to stop."""
        return self.journals / STOP

    def end_if_asked(self) -> None:
        """Raise `KeyboardInterrupt` if the workers are to stop, or the process that wanted the runs is gone."""
        if _orphaned.is_set() or self.token in _stopped or self.stop_file.exists():
            raise KeyboardInterrupt


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What came of one run: its id, or why it failed."""

    name: str
    run_id: str | None = None
    error: str | None = None
    is_old: bool = False  # it was there before
    is_interrupted: bool = False
    is_of_disk: bool = False  # it failed because the worker's disk didn't take it: another's may
    seconds: float = 0.0
    accuracy: float | None = None  # of the kept weights on the validation clips
    loss: float | None = None  # theirs on these clips
    warnings: tuple[str, ...] = ()


def train_all(
    work: Work,
    tasks: Sequence[RunTask],
    jobs: int,
    reporter: Reporter,
    left: Callable[[Sequence[RunTask]], Sequence[RunTask]],
    may_start: Callable[[], bool],
) -> Iterator[RunOutcome]:
    """Train runs, so many at once, and yield what came of each as soon as it ended.

    `left` returns what is still to be done of some tasks after a worker was lost; `may_start` whether there is time for
    another run, which there isn't any more once there wasn't. Raises `KeyboardInterrupt` if it was interrupted.
    """
    todo, losses, epochs = {task.key: task for task in tasks}, 0, 0
    with stopping_by_signals(work.stop_file, reporter) as is_stopped, _uploading(work, reporter) as uploads:
        while todo:
            with suppress(BrokenExecutor):
                for key, outcome in _outcomes(work, [*todo.values()], jobs, may_start, uploads):
                    losses = 0
                    del todo[key]
                    yield _reported(outcome, reporter)
            if is_stopped() or not (todo and may_start()):
                break
            todo = {task.key: task for task in left([*todo.values()])}
            begun = [task for task in todo.values() if task.interrupted]
            lost = f"{counted(len(begun), 'run')} will be continued by another" if begun else "another takes its place"
            reporter.warn(f"a worker process was killed: {lost}")
            before, epochs = epochs, sum(len(read(work.journal(task)).epochs) for task in begun)
            losses = 1 if epochs > before else losses + 1
            if losses == MOST_LOSSES:
                losses = 0
                for task in begun or [*todo.values()]:
                    del todo[task.key]
                    error = f"its worker was killed {MOST_LOSSES} times: is there enough memory?"
                    yield RunOutcome(task.name, error=error)
        uploads.finish()
        if is_stopped():
            raise KeyboardInterrupt


def _reported(outcome: RunOutcome, reporter: Reporter) -> RunOutcome:
    for text in outcome.warnings:
        reporter.warn(text)
    return outcome


def train_one(work: Work, task: RunTask) -> RunOutcome:
    """Train or continue a run in this process; whatever goes wrong is what came of it."""
    begun, quiet = time.perf_counter(), _Quiet(work)

    try:
        outcome = _continued(work, task, quiet) or _trained(work, task, quiet)
    except KeyboardInterrupt:
        outcome = RunOutcome(task.name, is_interrupted=True)
    except JournalError as error:
        outcome = RunOutcome(task.name, error=str(error), is_of_disk=True)
    except (TrackerError, ValueError) as error:
        outcome = RunOutcome(task.name, error=str(error))
    except Exception as error:  # noqa: BLE001  (a run must not end those beside it, whatever its network raises)
        outcome = RunOutcome(task.name, error=one_line(error))
    return replace(outcome, seconds=time.perf_counter() - begun, warnings=tuple(quiet.warnings))


def _continued(work: Work, task: RunTask, reporter: Reporter) -> RunOutcome | None:
    """Continue a run that was interrupted; None if there is none, or it can't be continued any more."""
    if task.interrupted is None:
        return None
    model, folder = task.plan.configuration.model, work.journal(task)
    while True:
        journal = read(folder)
        if journal.status is RunStatus.FINISHED:  # meanwhile, by another process
            return _result(task, journal.ids[0], folder)
        try:
            run_id = resume_run(
                task.interrupted,
                work.target.store,
                reporter,
                data=work.data,
                model=None if is_built_in(model) else model,
                offline=work.target.offline,
                gone=bool(work.token),  # a cluster says so itself
            )
            return _result(task, run_id, folder)
        except NotResumableError as error:
            reporter.warn(f"{error}; the sweep does")
            return None
        except BusyRunError:  # such as a worker of a sweep that was killed, which stops soon
            work.end_if_asked()
            time.sleep(_POLL_S)


def _trained(work: Work, task: RunTask, reporter: Reporter) -> RunOutcome:
    prepared = _prepared(work.data, work.plan, task.plan.spectrogram, work.fingerprint, task.plan.split)
    folder = work.journals / task.journal if task.journal else None
    writer = RunWriter(work.target, task.name, work.note, reporter, folder)
    recorder = Recorder(writer, task.plan, prepared, work.source, work.training_plan, work.keep_going)
    return _result(task, recorder.train(reporter), writer.folder)


@lru_cache(maxsize=4)
def read_once(data: Path | None, plan: DataPlan, spectrogram: Spectrogram, fingerprint: str) -> ReadData:
    """Read the data once in each process for each features."""
    found = read_data(data, spectrogram, SilentReporter(), plan=plan)
    if found.fingerprint != fingerprint:
        raise DataError("the data has changed since the sweep was started: start it again")
    return found


@lru_cache(maxsize=16)
def _prepared(
    data: Path | None, plan: DataPlan, spectrogram: Spectrogram, fingerprint: str, split: SplitPlan
) -> Prepared:
    return read_once(data, plan, spectrogram, fingerprint).divided(split, SilentReporter())


def _result(task: RunTask, run_id: str, journal: Path) -> RunOutcome:
    """Return what a run that has finished came to, by its journal."""
    metrics: dict[str, float] = {}
    for event in read(journal).events:
        if isinstance(event, Measured):
            metrics |= event.metrics
    kept = task.plan.configuration.keep
    accuracy, loss = metrics.get(f"{kept}_val_accuracy"), metrics.get(f"{kept}_val_loss")
    return RunOutcome(task.name, run_id, accuracy=accuracy, loss=loss)


class _Quiet(SilentReporter):
    """Keeps warnings, and ends a training that is to stop."""

    def __init__(self, work: Work) -> None:
        self.warnings: list[str] = []
        self._work = work

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    @contextmanager
    def epochs(self, name: str, limit: int) -> Iterator[EpochProgress]:  # noqa: ARG002  (as `Reporter` has it)
        yield _Stopping(self._work)


class _Stopping:
    """Ends a training between two batches once it is to stop, or the process that wanted it is gone."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._looked = 0.0

    def on_batch(self, done: int, total: int) -> None:  # noqa: ARG002  (as `EpochProgress` has it)
        now = time.monotonic()
        if now - self._looked >= _LOOK_S:
            self._looked = now
            self._work.end_if_asked()

    def on_epoch(self, epoch: Epoch) -> None:
        pass


class _Uploads:
    """The uploads of the runs that worker processes train."""

    def __init__(self, work: Work, reporter: Reporter) -> None:
        self._work = work
        self._reporter = reporter
        self._followers: dict[str, Follower] = {}  # by the ids of the journals

    def follow(self, task: RunTask) -> RunTask:
        """Have a run uploaded as its journal grows, and return its task with the id of a journal that it may begin."""
        task, target = replace(task, journal=uuid4().hex), self._work.target
        self._followers = {journal: one for journal, one in self._followers.items() if one.is_alive}
        for journal in self._journals(task) if not target.offline else ():
            if journal not in self._followers:
                self._followers[journal] = Follower(target.store, self._work.journals / journal, self._reporter)
                self._followers[journal].start()
        return task

    def ended(self, task: RunTask, outcome: RunOutcome) -> RunOutcome:
        """Return what came of a run with its id in the store, if that has it by now; the rest is still being sent."""
        followers = {journal: self._followers.get(journal) for journal in self._journals(task)}
        ids = {journal: follower.end() for journal, follower in followers.items() if follower}
        return replace(outcome, run_id=ids.get(str(outcome.run_id)) or outcome.run_id)

    def finish(self) -> None:
        """Wait until all is uploaded, or the store accepts nothing."""
        self.close()
        for follower in self._followers.values():
            follower.finish()

    def close(self) -> None:
        """Follow no journal any further."""
        for follower in self._followers.values():
            follower.close()

    @staticmethod
    def _journals(task: RunTask) -> list[str]:
        return [journal for journal in (task.interrupted, task.journal) if journal]


@contextmanager
def _uploading(work: Work, reporter: Reporter) -> Iterator[_Uploads]:
    uploads = _Uploads(work, reporter)
    try:
        yield uploads
    finally:
        uploads.close()


def _outcomes(
    work: Work, tasks: Sequence[RunTask], jobs: int, may_start: Callable[[], bool], uploads: _Uploads
) -> Iterator[tuple[str, RunOutcome]]:
    """Train runs here or in worker processes; raises `BrokenExecutor` if one of these is lost."""

    def waiting() -> Iterator[RunTask]:
        for task in tasks:
            if work.stop_file.exists() or not may_start():
                return
            yield task

    if jobs == 1:
        outcomes = ((task, train_one(work, task)) for task in waiting())
        yield from ((task.key, outcome) for task, outcome in outcomes if not outcome.is_interrupted)
        return
    workers = _workers(jobs, tasks[0].plan.configuration.keras_backend)
    there = replace(work, target=replace(work.target, offline=True))
    calls = ((there, uploads.follow(task)) for task in waiting())
    for task, outcome in call_in_workers(workers, _train_in_worker, calls):
        uploaded = uploads.ended(task, outcome)
        if not outcome.is_interrupted:
            yield task.key, uploaded


def load_workers(jobs: int, keras_backend: str) -> None:
    """Start worker processes, and return while they load what training takes."""
    start_workers(_workers(jobs, keras_backend))


def _workers(jobs: int, keras_backend: str) -> Workers:
    return Workers(jobs, threads(), keras_backend, _load)


def stop_training(token: str) -> None:
    """Have this worker of a cluster end what it trains for a sweep, between two batches."""
    _stopped.add(token)


_orphaned = threading.Event()  # in a worker: the sweeping process is gone
_stopped: set[str] = set()  # in a worker of a cluster: the sweeps that are to stop, by their tokens
is_training = threading.Lock()


def _train_in_worker(work: Work, task: RunTask) -> tuple[RunTask, RunOutcome]:
    """Train a run in a worker process."""
    take_device()
    with is_training:
        return task, train_one(work, task)


def _load(parent: int) -> None:
    """Load in a worker process what training takes; a training says what is wrong with it.

    What is loaded isn't searched for garbage any more, as loky has it done after a run: that takes part of a second.
    """
    mark_own_process()
    threading.Thread(target=_watch, args=(parent,), name="watch", daemon=True).start()
    with suppress(Exception):
        take_device()
    gc.freeze()
    atexit.register(gc.freeze)  # the process ends, and all of its memory with it


def _watch(parent: int) -> None:
    """End this worker once the sweeping process is gone and the run that it trains has been closed."""
    while os.getppid() == parent:
        time.sleep(1.0)
    _orphaned.set()
    with is_training:
        os._exit(1)


@contextmanager
def stopping_by_signals(stop_file: Path, reporter: Reporter) -> Iterator[Callable[[], bool]]:
    """Have the first signal that would end this process ask the workers to stop; the second one does end it."""
    stopped = threading.Event()
    stop_file.unlink(missing_ok=True)  # of a sweep that was killed

    def stop(number: int, _frame: object) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()
        with suppress(OSError):
            stop_file.touch()
        again = "; Ctrl-C again skips that" if number == signal.SIGINT else ""
        reporter.log(f"interrupting: the finished epochs are being evaluated and saved{again}")

    names = ("SIGINT", "SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    ours = {n: before for n in numbers if (before := signal.getsignal(n)) is not signal.SIG_IGN}
    for number in ours:
        signal.signal(number, stop)
    try:
        yield stopped.is_set
    finally:
        for number, before in ours.items():
            signal.signal(number, before)
        stop_file.unlink(missing_ok=True)
