"""Runs on the workers of a cluster; here these are called in this process, and lost when a test says so."""

from __future__ import annotations

import importlib.util
import socket
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

from tests.running import Collected
from tracker.errors import TrackerError
from tracker.journal.reader import journals, read
from tracker.journal.writer import JournalWriter
from tracker.recording.backends import check_installed, open_cluster
from tracker.recording.cluster import ClusterSweep, Joined, Joining, LostWorkerError, join
from tracker.recording.devices import device_for, listed_devices
from tracker.recording.reporter import SilentReporter
from tracker.recording.stores import LogTarget
from tracker.recording.sweep import open_sweep
from tracker.recording.train import read_data
from tracker.recording.uploader import send
from tracker.recording.workers import RunOutcome, RunTask, Work
from tracker.runs import Configuration, RunPlan, RunStatus
from tracker.runs.events import Ended, EpochDone, Resumed, Started
from tracker.runs.facts import TrainingPlan
from tracker.runs.sweeps import SweepPlan
from tracker.store import store_at
from tracker.training.result import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

EPOCHS = 4
TOKEN = "5" * 32


class KilledError(Exception):
    """What a worker that is lost meanwhile seems to raise."""


class Workers:
    """A cluster whose workers are calls; one that is lost is followed by another."""

    where, size = "here", 2

    def __init__(self, names: Sequence[str] = ("a", "b")) -> None:
        self.names = [*names]
        self.versions: dict[str, str] = {}

    def workers(self) -> list[str]:
        return self.names

    def submit(self, worker: str, function: Callable[..., Any], *args: object) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            is_version = args == ("tracker:__version__",)
            future.set_result(self.versions.get(worker, function(*args)) if is_version else function(*args))
        except KilledError:
            self.names[self.names.index(worker)] = f"{worker}+"
            future.set_exception(LostWorkerError())
        return future

    def tell(self, function: Callable[..., Any], *args: object) -> None:
        function(*args)

    def close(self) -> None:
        pass


class Trainings:
    """Trains by writing journals, and is killed after two epochs of some runs, so many times each."""

    def __init__(self, **kills: int) -> None:
        self.kills = kills
        self.begun: list[str] = []

    def __call__(self, joining: Joining, task: RunTask) -> RunOutcome:
        self.begun.append(task.name)
        work, store = joining.work, joining.work.target.store
        folder = work.journals / str(task.interrupted or task.journal)
        if task.interrupted:
            writer = JournalWriter.reopen(folder)
            writer.append(Resumed(1, len(read(folder).epochs)))
        else:
            started = Started(1, store.uri, work.target.experiment, task.name, "val_loss", {"seed": task.key}, {})
            writer = JournalWriter.create(folder, started)
        with writer:
            for number in range(len(read(folder).epochs) + 1, EPOCHS + 1):
                if number == 3 and self.kills.get(task.name, 0):
                    self.kills[task.name] -= 1
                    if not work.target.offline:
                        send(store, folder)
                    raise KilledError
                writer.append(EpochDone(number, number, {"val_loss": 1 / number}))
            writer.append(Ended(9, RunStatus.FINISHED))
        if not work.target.offline:
            send(store, folder)
        return RunOutcome(task.name, folder.name)


def joining_of(work: Path, *, offline: bool = True) -> Joining:
    target = LogTarget(store_at(None, work), "tracker", offline)
    shared = Work(work, "data", "0" * 64, target, TrainingPlan("0" * 32, 3), token=TOKEN)
    shared.journals.mkdir()
    return Joining(shared, work, RunPlan(Configuration()).spectrogram, {})


def trained(
    joining: Joining,
    train: Callable[..., RunOutcome],
    cluster: Workers | None = None,
    *,
    shared: bool = True,
    said: Collected | None = None,
) -> tuple[dict[str, RunOutcome], Collected]:
    """Train three runs, and return what came of each by its name, and what was said."""
    said = said or Collected()
    tasks = [RunTask(key, RunPlan(Configuration(), seed=int(key)), f"s{key}") for key in "012"]
    sweep = ClusterSweep(cluster or Workers(), joining, said, None, lambda _: Joined(has_journals=shared), train)
    return {outcome.name: outcome for outcome in sweep.outcomes(tasks)}, said


class TestALostWorker:
    def test_its_run_is_continued_by_another_and_no_epoch_is_logged_twice(self, work: Path) -> None:
        joining, trainings = joining_of(work), Trainings(s1=1)
        outcomes, said = trained(joining, trainings)
        found = journals(joining.work.journals)
        assert sorted(journal.name for journal in found) == sorted(outcomes) == ["s0", "s1", "s2"]
        for journal in found:
            epochs = [event for event in journal.events if isinstance(event, EpochDone)]
            assert [(one.number, one.metrics["val_loss"]) for one in epochs] == [(n, 1 / n) for n in range(1, 5)]
            assert journal.status is RunStatus.FINISHED
        assert said.warnings in [[f"worker {name} was lost: run s1 is continued by another"] for name in "ab"]

    def test_what_it_had_not_begun_is_given_to_others_and_not_held_against_it(self, work: Path) -> None:
        cluster, said, trainings = Workers(["a"]), Collected(), Trainings()
        queue: list[tuple[Future[Any], RunTask]] = []

        def later(worker: str, function: Callable[..., Any], *args: Any) -> Future[Any]:
            if function is not trainings or worker != "a":
                return Workers.submit(cluster, worker, function, *args)
            queue.append((Future(), args[1]))
            if len(queue) == 2:
                cluster.names = ["b"]
                for future, _ in queue:
                    future.set_exception(LostWorkerError())
            return queue[-1][0]

        cluster.submit = later  # type: ignore[method-assign]
        sweep = ClusterSweep(cluster, joining_of(work), said, None, lambda _: Joined(has_journals=True), trainings)
        sweep._seconds = 2.0
        tasks = [RunTask(key, RunPlan(Configuration(), seed=int(key)), f"s{key}") for key in "0123"]
        assert sorted(outcome.name for outcome in sweep.outcomes(tasks)) == ["s0", "s1", "s2", "s3"]
        assert said.warnings == ["worker a was lost: run s0 is trained from its start by another"]
        assert trainings.begun == ["s0", "s1", "s2", "s3"]

    def test_without_a_shared_folder_another_trains_it_from_its_start_and_the_store_has_it_once(
        self, work: Path
    ) -> None:
        joining = joining_of(work, offline=False)
        outcomes, said = trained(joining, Trainings(s1=1), shared=False)
        stored = joining.work.target.store.read("tracker").runs
        assert sorted(run.name for run in stored) == sorted(outcomes) == ["s0", "s1", "s2"]
        assert {len(run.curves["val_loss"].values) for run in stored} == {EPOCHS}
        assert said.warnings[0].endswith("was lost: run s1 is trained from its start by another")

    def test_a_run_that_loses_three_workers_fails_and_stops_no_other(self, work: Path) -> None:
        trainings = Trainings(s1=9)
        outcomes, _ = trained(joining_of(work), trainings, shared=False)
        assert outcomes["s1"].error == "its worker was lost 3 times: is there enough memory?"
        assert trainings.begun.count("s1") == 3
        assert {outcomes[name].error for name in ("s0", "s2")} == {None}


class TestAWorkerThatDoesNotFit:
    def test_one_whose_disk_is_full_gets_no_more_runs_and_another_trains_its_run(self, work: Path) -> None:
        joining, trainings = joining_of(work), Trainings()
        full: list[str] = []

        def train(joining: Joining, task: RunTask) -> RunOutcome:
            if not full:
                full.append(task.name)
                return RunOutcome(task.name, error="cannot write the journal: no space", is_of_disk=True)
            return trainings(joining, task)

        outcomes, said = trained(joining, train)
        assert {outcome.error for outcome in outcomes.values()} == {None}
        assert len(outcomes) == 3
        (warning,) = said.warnings
        assert warning.endswith("takes no part from here on: cannot write the journal: no space")

    def test_one_of_another_version_is_named(self, work: Path) -> None:
        cluster = Workers()
        cluster.versions["a"] = "9.9"
        outcomes, said = trained(joining_of(work), Trainings(), cluster)
        assert len(outcomes) == 3
        assert said.warnings[0].startswith("worker a takes no part from here on: it has tracker 9.9, and this is ")

    def test_if_none_fits_that_is_the_end(self, work: Path) -> None:
        cluster, said = Workers(["a"]), Collected()
        cluster.versions["a"] = "9.9"
        with pytest.raises(TrackerError, match="the only worker at here can't train these runs: it has tracker 9"):
            trained(joining_of(work), Trainings(), cluster, said=said)
        assert said.warnings == []  # the error says it

    def test_it_needs_the_store_the_code_and_the_data(self, work: Path, genres: Path) -> None:
        plan, store = RunPlan(Configuration()), store_at(None, work)
        code = {"cnn": environment("cnn")}

        def asked(data: Path, token: str, code: dict[str, dict[str, str]]) -> Joined:
            found = read_data(genres, plan.spectrogram, SilentReporter()).fingerprint
            of_sweep = Work(data, "data", found, LogTarget(store, "tracker"), TrainingPlan(TOKEN, 1), token=token)
            return join(Joining(of_sweep, work, plan.spectrogram, code))

        (work / ".tracker").mkdir()
        (work / ".tracker" / "sweep.here").write_text(TOKEN)
        assert asked(genres, TOKEN, code) == Joined(has_journals=True)
        assert "where the store is: use a folder that all machines share" in str(asked(genres, "other", code).problem)
        other = {"cnn": {**code["cnn"], "numpy": "1.0", "tracker/training": "0"}}
        problem = asked(genres, TOKEN, other).problem
        assert problem is not None
        assert "not 1.0" in problem
        assert "its code in tracker/training differs" in problem
        assert str(asked(genres.parent / "nowhere", TOKEN, code).problem).startswith("there is no")


class TestClusters:
    def test_an_address_where_nothing_listens_is_one_line(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
            with pytest.raises(TrackerError, match=f"nothing answers at {address} .*: start the cluster"):
                open_cluster("dask", address, None)
        with pytest.raises(TrackerError, match="the address must be like tcp://host:8786, got 'nonsense'"):
            open_cluster("ray", "nonsense", None)

    @pytest.mark.skipif(importlib.util.find_spec("distributed") is not None, reason="Dask is installed")
    def test_a_missing_library_is_named_with_what_installs_it(self) -> None:
        with pytest.raises(TrackerError, match=r"--backend dask needs .*: pip install 'tracker-report\[dask\]'"):
            check_installed("dask")

    @pytest.mark.parametrize(
        ("place", "message"),
        [
            ({"backend": "spark"}, "the backend must be loky, dask or ray, got 'spark'"),
            ({"address": "tcp://here:1"}, "the address 'tcp://here:1' needs a backend that has workers there: dask or"),
        ],
    )
    def test_a_place_that_cannot_be_is_refused(self, work: Path, place: dict[str, str], message: str) -> None:
        target = LogTarget(store_at(None, work), "tracker")
        with pytest.raises(ValueError, match=message), open_sweep(SweepPlan(), None, target, Collected(), **place):
            pass


class TestDevices:
    LISTING = "GPU 0: NVIDIA H200 (UUID: GPU-1)\nGPU 1: NVIDIA H200 (UUID: GPU-2)\n"

    @pytest.mark.parametrize(
        ("variable", "listing", "devices"),
        [
            (None, "", ()),
            (None, LISTING, ("GPU-1", "GPU-2")),
            (None, f"{LISTING}  MIG 1g.18gb     Device  0: (UUID: MIG-3)\n", ("MIG-3",)),
            ("1, 0", LISTING, ("1", "0")),
            ("", LISTING, ()),
            ("0,-1,1", LISTING, ("0",)),
        ],
    )
    def test_a_process_uses_those_that_cuda_would(
        self, variable: str | None, listing: str, devices: tuple[str, ...]
    ) -> None:
        assert listed_devices(variable, listing) == devices

    def test_workers_take_turns(self) -> None:
        assert [device_for(number, ("a", "b")) for number in range(5)] == ["a", "b", "a", "b", "a"]
