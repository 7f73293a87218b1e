"""Many runs by one plan: what is there already is left alone, what was interrupted is continued, the rest is trained.

The same plan, given again, has the same id and goes on where it stopped, whatever ended it: every run has its journal.
One sweep at a time trains in the folder of a store's journals. `tracker.recording.workers` has where they are trained.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from tracker.atomic_files import disk_errors
from tracker.errors import DataError, TrackerError
from tracker.journal.process_lock import locking
from tracker.journal.reader import read, unsettled
from tracker.journal.writer import make_journals_folder
from tracker.recording.backends import check_installed, open_cluster
from tracker.recording.cluster import ClusterSweep, Joining
from tracker.recording.devices import visible_devices
from tracker.recording.earlier_runs import decisive_run, expected_seconds, logged_runs, surely_missing
from tracker.recording.parent_run import parent_run
from tracker.recording.pool import end_unused_workers
from tracker.recording.reporter import TRAINING, SayOnce
from tracker.recording.stores import (
    HOST_TAG,
    command_on,
    data_tag,
    interrupted_message,
    journals_folder,
    model_param,
)
from tracker.recording.train import CODE_TAG, located_plans, plan_id, read_data, run_key, run_name, warn_of_idle_options
from tracker.recording.uploader import send
from tracker.recording.workers import RunOutcome, RunTask, Work, load_workers, train_all
from tracker.runs import RunStatus
from tracker.runs.facts import TrainingPlan
from tracker.runs.sweeps import BACKENDS, SweepPlan
from tracker.training.networks import find_network, parse_options
from tracker.training.pretrained import prepare_weights
from tracker.training.result import environment, threads, use_backend
from tracker.wording import counted, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from tracker.journal.reader import Journal
    from tracker.recording.cluster import Cluster
    from tracker.recording.reporter import Reporter
    from tracker.recording.stores import LogTarget
    from tracker.recording.train import ReadData
    from tracker.runs import Run, RunPlan, Spectrogram
    from tracker.runs.sweeps import RunList

_LOCK = "sweep.lock"  # beside the journals
_POLL_S = 1.0  # between looks at a run that another process trains


@dataclass(frozen=True, eq=False)
class Sweep:
    """A plan, and what of it there is; made by `open_sweep`, and of use as long as that lasts."""

    plan: SweepPlan | RunList
    training_plan: TrainingPlan
    target: LogTarget
    tasks: Mapping[str, RunTask]  # every run by its key, in order
    done: Mapping[str, str]  # the id of each finished run by its key
    missing: Mapping[str, RunTask]  # what is to be trained or continued
    busy: Mapping[str, Run]  # what another process on this machine trains
    elsewhere: Mapping[str, Run]  # what may be trained on another machine
    seconds: float | None  # that the missing runs take, one after the other; None if that isn't known
    work: Work
    jobs: int  # runs that are trained at once
    reporter: Reporter
    may_start: Callable[[], bool] = lambda: True  # whether there is time for another run
    joining: Joining | None = None  # what a worker of a cluster must have; None: the runs are trained here
    backend: str = BACKENDS[0]
    cluster: Cluster | None = None  # if it is there already
    most: int | None = None  # runs that its workers may train at once, however many come

    def __str__(self) -> str:
        """Return what is asked for, and what is left to do, in a line."""
        runs, configurations = len(self.tasks), len({task.plan.trained for task in self.tasks.values()})
        is_even = runs == configurations * self.plan.repetitions
        times = f", each {_times(self.plan.repetitions)}" if is_even else ""
        how = f" ({counted(configurations, 'configuration')}{times})" if runs > 1 else ""
        parts = [f"{counted(runs, 'run')}{how}"]
        if self.done:
            parts.append(f"{'all' if len(self.done) == runs else len(self.done)} there already")
        resumed = sum(task.interrupted is not None for task in self.missing.values())
        if self.missing:
            before = f", {resumed} of them interrupted before" if resumed else ""
            at_once = f", {self.jobs} at once" if self.jobs > 1 else ""
            parts.append(f"{len(self.missing)} to train{before}{at_once}")
            parts.append("how long that takes isn't known yet" if self.expected is None else duration(self.expected))
        return "; ".join(parts)

    @property
    def expected(self) -> float | None:
        """Seconds until the missing runs are trained, as far as runs logged before tell."""
        return None if self.seconds is None else self.seconds / self.jobs

    def train(self) -> Iterator[RunOutcome]:
        """Train what is missing and yield what came of each run as soon as it ended; those that are done come first.

        Raises `KeyboardInterrupt` if it was interrupted; everything that was finished is safe then.
        """
        for key, run_id in self.done.items():
            yield RunOutcome(self.tasks[key].name, run_id, is_old=True)
        for key, run in self.elsewhere.items():
            host = run.tags[HOST_TAG]
            error = interrupted_message(run.name, run.run_id, self.target.store, host=host)
            yield RunOutcome(self.tasks[key].name, error=error)
        total = len(self.missing) + len(self.busy)
        if not total:
            return
        for model in sorted({task.plan.configuration.model for task in self.missing.values()}):
            prepare_weights(model, None, self.reporter.log)  # or each worker would download them
        with self._parent() as failed, self.reporter.progress(TRAINING, total) as progress:
            for done, outcome in enumerate(self._outcomes([*self.missing.values()]), start=1):
                if outcome.error:
                    failed.append(outcome.name)
                progress(done, total)
                yield outcome

    def _parent(self) -> AbstractContextManager[list[str]]:
        runs = len(self.tasks)
        if runs == 1:
            return nullcontext([])
        what = ", ".join(self.plan.varied) or next(iter(self.tasks.values())).name
        name = f"{what} ({counted(runs, 'run')})"
        return parent_run(self.target, self.training_plan, name, runs, self.work.note, self.reporter)

    def upload(self) -> str | None:
        """Upload what a lost worker left, and return in a line how many of the runs are still not in the store."""
        folder = journals_folder(self.target.store)
        waiting = [journal for journal in unsettled(folder) if journal.unsent and _key_of(journal) in self.tasks]
        if not self.target.offline:
            for journal in waiting:
                with suppress(TrackerError):
                    send(self.target.store, journal.folder)
            waiting = [journal for journal in waiting if read(journal.folder).unsent]
        if not waiting:
            return None
        are, them = ("is", "it") if len(waiting) == 1 else ("are", "them")
        remedy = command_on(self.target.store, folder.parent, "sync")
        return f"{counted(len(waiting), 'run')} {are} not in the store yet: `{remedy}` uploads {them}"

    def _outcomes(self, todo: Sequence[RunTask]) -> Iterator[RunOutcome]:
        yield from self._trained(todo)
        for key, run in self.busy.items():
            ended = self._wait(run)
            if ended.status is RunStatus.FINISHED:
                yield RunOutcome(run.name, run.run_id, is_old=True)
            else:
                task = replace(self.tasks[key], interrupted=ended.id)
                yield from train_all(self.work, [task], 1, self.reporter, self._left, self.may_start)

    def _trained(self, todo: Sequence[RunTask]) -> Iterator[RunOutcome]:
        """Train runs here, in worker processes or on a cluster."""
        if self.joining is None or not todo:
            yield from train_all(self.work, todo, self.jobs, self.reporter, self._left, self.may_start)
            return
        cluster = self.cluster or open_cluster(self.backend, None, self.jobs)
        try:
            sweep = ClusterSweep(cluster, self.joining, self.reporter, self.most, may_start=self.may_start)
            yield from sweep.outcomes(todo)
        finally:
            if not self.cluster:
                cluster.close()

    def _wait(self, run: Run) -> Journal:
        """Wait until the process that trains a run has ended it, or is gone."""
        journal = read(journals_folder(self.target.store) / str(run.journal_id))
        if journal.status is RunStatus.RUNNING:
            self.reporter.log(f"waiting for run {run.name}, which {journal.owner or 'another process'} trains")
        while journal.status is RunStatus.RUNNING:
            time.sleep(_POLL_S)
            journal = read(journal.folder)
        return journal

    def _left(self, todo: Sequence[RunTask]) -> list[RunTask]:
        """Return what is still to be done of some tasks, after a worker was lost: some may be finished, or begun."""
        logged = logged_runs(self.target)
        left = []
        for task in todo:
            run = decisive_run(logged.get(task.key, ()), self.target)
            if run is None or run.status is not RunStatus.FINISHED:
                left.append(replace(task, interrupted=run.journal_id if run else None))
        return left


@dataclass(frozen=True, eq=False)
class SweepResult:
    """What a sweep came to."""

    runs: tuple[Run, ...]  # the finished ones, whenever they were trained
    failures: tuple[RunOutcome, ...] = ()  # each with its name and, as `error`, why it failed

    def __repr__(self) -> str:
        failed = f", {counted(len(self.failures), 'failure')}" if self.failures else ""
        return f"<SweepResult, {counted(len(self.runs), 'run')}{failed}>"


@contextmanager
def open_sweep(
    plan: SweepPlan | RunList,
    data: Path | None,
    target: LogTarget,
    reporter: Reporter,
    *,
    jobs: int | None = None,
    note: str | None = None,
    keep_going: bool = False,
    may_start: Callable[[], bool] = lambda: True,
    backend: str = BACKENDS[0],
    address: str | None = None,
    name: str | None = None,
) -> Iterator[Sweep]:
    """Read the data, and see what of a plan there is already; nothing is trained yet.

    Before each run `may_start` is asked whether there is time for it; once there isn't, no further one is started.
    `name` is that of all runs; by default each has its configuration's.

    Raises
    ------
    TrackerError
        If the data is not fit to train on, the store can't accept runs, another sweep trains in this folder, or the
        cluster can't be reached.
    ValueError
        If the plan doesn't hold together, `jobs` isn't at least 1, or there is no such backend.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"the number of jobs must be at least 1, got {jobs}")
    if backend not in BACKENDS:
        raise ValueError(f"the backend must be {', '.join(BACKENDS[:-1])} or {BACKENDS[-1]}, got {backend!r}")
    if address is not None and backend == BACKENDS[0]:
        raise ValueError(f"the address {address!r} needs a backend that has workers there: {' or '.join(BACKENDS[1:])}")
    if backend != BACKENDS[0]:
        check_installed(backend)
    plans = located_plans(plan.runs(parse_options), data)
    backends = sorted({of_run.configuration.keras_backend for of_run in plans})
    if len(backends) > 1:
        raise ValueError(f"a sweep trains with one Keras backend, got {' and '.join(backends)}: start a sweep for each")
    target.store.check_usable()
    use_backend(plans[0].configuration.keras_backend)
    reporter = SayOnce(reporter)  # many runs have one thing wrong with them
    for of_run in plans:
        warn_of_idle_options(of_run, reporter)
    folder = journals_folder(target.store)
    with disk_errors("make", folder):
        make_journals_folder(folder)
    with locking(folder / _LOCK) as is_ours:
        if not is_ours:
            raise TrackerError(
                f"another sweep is training in {folder.parent}: wait until it ends, or start this one in another folder"
            )
        cluster = open_cluster(backend, address, jobs) if address is not None else None
        try:
            there = jobs or (cluster.size if cluster else None)
            named = [_named_plan(of_run, target) for of_run in plans]
            logged = logged_runs(target)
            if backend == BACKENDS[0] and may_start():
                _load_ahead(named, logged, there)
            of_plan = (plan, plans, named, data, target, logged, reporter, there, note)
            looked = _look(*of_plan, keep_going=keep_going, name=name)
            opened = replace(looked, may_start=may_start, backend=backend, cluster=cluster, most=jobs)
            yield opened if backend == BACKENDS[0] else _on_cluster(opened, plans)
        finally:
            end_unused_workers()
            if cluster:
                cluster.close()


def _load_ahead(named: Sequence[RunPlan], logged: Mapping[str, Sequence[Run]], jobs: int | None) -> None:
    """Start the worker processes that are certainly needed, so that they load TensorFlow while the data is read."""
    at_once = runs_at_once(jobs, surely_missing(named, chain.from_iterable(logged.values())))
    if at_once > 1:
        load_workers(at_once, named[0].configuration.keras_backend)


def _on_cluster(opened: Sweep, plans: Sequence[RunPlan]) -> Sweep:
    """Return a sweep as one that is trained by the workers of a cluster."""
    work = replace(opened.work, token=uuid4().hex)
    backend = plans[0].configuration.keras_backend
    models = {task.plan.configuration.model for task in opened.tasks.values()}
    code = {model: environment(model, backend) for model in models}
    joining = Joining(work, Path.cwd(), plans[0].spectrogram, code, backend)
    return replace(opened, work=work, joining=joining)


def _look(
    plan: SweepPlan | RunList,
    plans: Sequence[RunPlan],
    named: Sequence[RunPlan],
    data: Path | None,
    target: LogTarget,
    logged: Mapping[str, Sequence[Run]],
    reporter: Reporter,
    jobs: int | None,
    note: str | None,
    *,
    keep_going: bool,
    name: str | None = None,
) -> Sweep:
    """Read the data once for all runs, and divide the runs by what there is of each."""
    read = _read(data, plans, reporter)
    keys = _keys(named, read, reporter)
    of_keys = zip(keys, named, plans, strict=True)
    tasks = {key: RunTask(key, of_run, name or run_name(given)) for key, of_run, given in of_keys}
    best = {key: run for key in tasks if (run := decisive_run(logged.get(key, ()), target))}
    done = {key: run.run_id for key, run in best.items() if run.status is RunStatus.FINISHED}
    running = {key: run for key, run in best.items() if run.status is RunStatus.RUNNING}
    missing = {
        key: replace(task, interrupted=best[key].journal_id if key in best else None)
        for key, task in tasks.items()
        if key not in done and key not in running
    }
    training_plan = TrainingPlan(plan_id(target.experiment, keys), plan.repetitions, plan.is_final)
    at_once = runs_at_once(jobs, len(missing))
    seconds = expected_seconds([task.plan for task in missing.values()], [*chain.from_iterable(logged.values())])
    if at_once > 1 and isinstance(plan, SweepPlan):  # a list's order is somebody's
        missing = _longest_first(missing, seconds)
    return Sweep(
        plan,
        training_plan,
        target,
        tasks,
        done,
        missing,
        {key: run for key, run in running.items() if HOST_TAG not in run.tags},
        {key: run for key, run in running.items() if HOST_TAG in run.tags},
        None if seconds is None else sum(seconds),
        Work(
            data,
            data_tag(data, target.store, Path.cwd()),
            read[plans[0].spectrogram].fingerprint,
            target,
            training_plan,
            note,
            keep_going,
            plans[0].data,
        ),
        at_once,
        reporter,
    )


def _longest_first(tasks: Mapping[str, RunTask], seconds: Sequence[float] | None) -> dict[str, RunTask]:
    """Return runs in an order in which all workers have something to do until near the end; equal ones keep theirs."""
    lengths = seconds or [task.plan.configuration.epochs for task in tasks.values()]
    in_order = sorted(zip(lengths, tasks.items(), strict=True), key=lambda one: -one[0])
    return dict(item for _, item in in_order)


def runs_at_once(jobs: int | None, runs: int) -> int:
    """Return how many of some runs are trained at once: so many jobs, or one a graphics processor or else a core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(jobs or len(visible_devices()) or cores // threads(), runs))


def _named_plan(given: RunPlan, target: LogTarget) -> RunPlan:
    """Return a plan with its network named as the run's params name it."""
    model = model_param(given.configuration.model, target.store, Path.cwd())
    return replace(given, configuration=replace(given.configuration, model=model))


def _read(data: Path | None, plans: Sequence[RunPlan], reporter: Reporter) -> dict[Spectrogram, ReadData]:
    """Read the data once for each features that some plans want."""
    read = {
        spectrogram: read_data(data, spectrogram, reporter, plan=plans[0].data)
        for spectrogram in dict.fromkeys(plan.spectrogram for plan in plans)
    }
    if len({one.fingerprint for one in read.values()}) > 1:
        raise DataError(
            "with some of the features other clips can be used than with others, so their runs couldn't be compared: "
            "repair or remove the clips that were left out"
        )
    return read


def _keys(plans: Sequence[RunPlan], read: Mapping[Spectrogram, ReadData], reporter: Reporter) -> list[str]:
    """Return what decides each run's result, as `run_key` has it; every split is tried, so that none fails later."""
    data = read[plans[0].spectrogram]
    divided = {split: data.divided(split, reporter) for split in dict.fromkeys(plan.split for plan in plans)}
    identity = {split: prepared.identity for split, prepared in divided.items()}
    reporter.log(divided[plans[0].split].summary(plans[0]))
    models = dict.fromkeys(plan.configuration.model for plan in plans)
    code = {model: {CODE_TAG: find_network(model).digest} for model in models}
    return [run_key(plan.params(), {**identity[plan.split], **code[plan.configuration.model]}) for plan in plans]


def _key_of(journal: Journal) -> str:
    return run_key(journal.started.params, journal.started.tags)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"
