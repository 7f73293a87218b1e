"""Many runs by one plan: what is there already is left alone, what was interrupted is continued, the rest is trained.

The same plan, given again, has the same id and goes on where it stopped, whatever ended it: every run has its journal.
One sweep at a time trains in the folder of a store's journals. `tracker.recording.workers` has where they are trained.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np

from tracker.atomic_files import disk_errors
from tracker.errors import DataError, StoreError, TrackerError
from tracker.journal.process_lock import locking
from tracker.journal.reader import journals, read, unsettled
from tracker.journal.writer import make_journals_folder
from tracker.recording.backends import check_installed, open_cluster
from tracker.recording.cluster import ClusterSweep, Joining
from tracker.recording.devices import visible_devices
from tracker.recording.parent_run import parent_run
from tracker.recording.reporter import TRAINING, SayOnce
from tracker.recording.stores import (
    HOST_TAG,
    command_on,
    counts,
    data_tag,
    interrupted_message,
    journals_folder,
    journals_for,
    model_param,
    run_from_journal,
)
from tracker.recording.train import CODE_TAG, located_plans, plan_id, read_data, run_key, run_name, warn_of_idle_options
from tracker.recording.uploader import send
from tracker.recording.workers import RunOutcome, RunTask, Work, train_all
from tracker.runs import LOGGED_OPTIONS, Role, Run, RunStatus
from tracker.runs.facts import TrainingPlan
from tracker.runs.sweeps import BACKENDS
from tracker.store import GoneError
from tracker.training.networks import find_network, parse_options
from tracker.training.pretrained import prepare_weights
from tracker.training.result import environment, threads, use_backend
from tracker.wording import counted, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from tracker.journal.reader import Journal
    from tracker.recording.cluster import Cluster
    from tracker.recording.reporter import Reporter
    from tracker.recording.stores import LogTarget
    from tracker.recording.train import ReadData
    from tracker.runs import RunPlan, Spectrogram
    from tracker.runs.sweeps import RunList, SweepPlan

_LOCK = "sweep.lock"  # beside the journals
_POLL_S = 1.0  # between looks at a run that another process trains
_ORDER = {  # which of several runs says how far a task is
    RunStatus.FINISHED: 0,
    RunStatus.RUNNING: 1,
    RunStatus.INTERRUPTED: 2,
    RunStatus.KILLED: 3,
    RunStatus.FAILED: 4,
}


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
        runs, configurations = len(self.tasks), len({task.plan.configuration for task in self.tasks.values()})
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
            run = _first_of(logged.get(task.key, ()), self.target)
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
            looked = _look(plan, plans, data, target, reporter, there, note, keep_going=keep_going, name=name)
            opened = replace(looked, may_start=may_start, backend=backend, cluster=cluster, most=jobs)
            yield opened if backend == BACKENDS[0] else _on_cluster(opened, plans)
        finally:
            if cluster:
                cluster.close()


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
    data: Path | None,
    target: LogTarget,
    reporter: Reporter,
    jobs: int | None,
    note: str | None,
    *,
    keep_going: bool,
    name: str | None = None,
) -> Sweep:
    """Read the data once for all runs, and divide the runs by what there is of each."""
    read = _read(data, plans, reporter)
    named = [_named_plan(of_run, target) for of_run in plans]
    keys = _keys(named, read, reporter)
    of_keys = zip(keys, named, plans, strict=True)
    tasks = {key: RunTask(key, of_run, name or run_name(given)) for key, of_run, given in of_keys}
    logged = logged_runs(target)
    best = {key: run for key in tasks if (run := _first_of(logged.get(key, ()), target))}
    done = {key: run.run_id for key, run in best.items() if run.status is RunStatus.FINISHED}
    running = {key: run for key, run in best.items() if run.status is RunStatus.RUNNING}
    missing = {
        key: replace(task, interrupted=best[key].journal_id if key in best else None)
        for key, task in tasks.items()
        if key not in done and key not in running
    }
    training_plan = TrainingPlan(plan_id(target.experiment, keys), plan.repetitions, plan.is_final)
    return Sweep(
        plan,
        training_plan,
        target,
        tasks,
        done,
        missing,
        {key: run for key, run in running.items() if HOST_TAG not in run.tags},
        {key: run for key, run in running.items() if HOST_TAG in run.tags},
        expected_seconds([task.plan for task in missing.values()], [run for runs in logged.values() for run in runs]),
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
        runs_at_once(jobs, len(missing)),
        reporter,
    )


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


def logged_runs(target: LogTarget) -> Mapping[str, list[Run]]:
    """Return the runs of an experiment by their keys, also if the store is away: then as the journals have them."""
    stored: tuple[Run, ...] = ()
    waiting = unsettled
    try:
        if not target.offline:
            stored = target.store.read(target.experiment, by_epoch=0).runs
    except StoreError as error:
        if not (isinstance(error, GoneError) or target.store.has_no_file):
            waiting = journals
    if target.offline:
        waiting = journals
    kept = journals_for(target.store, waiting).where(lambda one: one.started.experiment == target.experiment)
    ids = {name for journal in kept for name in journal.ids}
    runs = [replace(run_from_journal(journal), journal_id=journal.id) for journal in kept if counts(journal)]
    runs += [run for run in stored if not ids & {*run.ids}]
    by_key: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_key[run_key(run.params, run.tags)].append(run)
    return by_key


def _first_of(runs: Iterable[Run], target: LogTarget) -> Run | None:
    """Return the run that says how far a task is: a finished one, else one that is trained, else one to continue."""
    folder = journals_folder(target.store)
    usable = [
        run
        for run in runs
        if run.status is RunStatus.FINISHED
        or (run.status in _ORDER and run.journal_id and (folder / run.journal_id).is_dir())
    ]
    return min(usable, key=lambda run: (_ORDER[run.status], run.started or 0), default=None)


def _key_of(journal: Journal) -> str:
    return run_key(journal.started.params, journal.started.tags)


def expected_seconds(plans: Sequence[RunPlan], logged: Sequence[Run]) -> float | None:
    """Estimate what some trainings take in all, one after the other, from the finished runs; None if there is none.

    A run of the same configuration counts before one of the same network and kernel, and that before any other.
    """
    timed = [run for run in logged if run.status is RunStatus.FINISHED and run.metrics.get("stop_epoch")]
    if not timed:
        return None
    by_kind: dict[object, list[Run]] = defaultdict(list)
    for run in timed:
        for kind in (_configured(run.params), (run.params.get("model"), run.params.get("kernel_size")), None):
            by_kind[kind].append(run)
    total = 0.0
    for plan in plans:
        params = plan.params()
        if alike := by_kind.get(_configured(params)):
            total += sum(_ran(run) for run in alike) / len(alike)
        else:
            others = by_kind.get((params["model"], params["kernel_size"])) or timed
            total += sum(_would_run(run, plan.configuration.epochs) for run in others) / len(others)
    return total


def _configured(params: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """Return the params but for those that repeat a training."""
    repeating = {
        name for entry in LOGGED_OPTIONS.values() if entry.role is not Role.CONFIGURATION for name in entry.params
    }
    return frozenset((name, text) for name, text in params.items() if name not in repeating)


def _would_run(run: Run, epochs: int) -> float:
    """Return the seconds that a run would take for so many epochs: most of a short one is loading and saving."""
    logged = run.curves.get("epoch_seconds")
    if logged is None or not len(logged.values):
        return _ran(run) / run.metrics["stop_epoch"] * epochs
    return max(0.0, _ran(run) - float(logged.values.sum())) + float(np.median(logged.values)) * epochs


def _ran(run: Run) -> float:
    """Return the seconds that a run took."""
    return ((run.ended or 0) - (run.started or 0)) / 1_000 if run.ended and run.started else 0.0


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"
