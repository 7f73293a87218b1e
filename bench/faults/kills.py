"""Training that is killed, resumed and killed again, held against the same run that nobody killed.

The processes are forked from one that has imported TensorFlow and run nothing: an import takes longer than the run.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from bench.faults.moments import AIMS, Moment, moments
from bench.faults.stored import Stored, is_broken, opens, stored
from tracker.journal.process_lock import read_owner
from tracker.journal.reader import JOURNAL, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from multiprocessing.process import BaseProcess

    from numpy.random import Generator

    from tracker.runs import Run

SR = 8_000
EPOCHS = 12
CONFIGURATION = ("--segment", "0.5", "--kernel", "3", "--lr", "0.01", "--plateau", "0.5,2", "--early-stop", "4")
OPTIONS = (*CONFIGURATION, "--epochs", str(EPOCHS), "--seed", "2")
"""On these tones the rate falls twice and training stops early, some epochs after its best: whoever goes on without
what the callbacks had counted, or without the best weights, ends otherwise."""

NAME = "killed"
LOOK_S = 0.000_2
"""Time between two looks at a run that is to be killed: a checkpoint takes longer."""

_HEAVY = (
    "tracker.recording.train",
    "tracker.training.fit",
    "tracker.store.upload",
    "tracker.store.run_files",
    "tracker.figures",
)
"""What imports the libraries that a run needs."""

_PROCESSES = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Measured:
    """What an uninterrupted run came to.

    Parameters
    ----------
    stored : Stored
    seconds : float
        From the first line of its journal to its end.
    """

    stored: Stored
    seconds: float


@dataclass(frozen=True)
class Survived:
    """What came of one run that was killed.

    Parameters
    ----------
    kills : tuple of str
        What was going on at each.
    lost : int
        Epochs told as finished that the journal did not have after the kill.
    again : int
        Finished epochs that were trained a second time.
    differing : int
        Metrics, predictions and artifacts that are not those of the uninterrupted run.
    broken : int
        Times the store was broken: after a kill, or at the end.
    ended : bool
        Whether the store has it once, as finished.
    """

    kills: tuple[str, ...]
    lost: int
    again: int
    differing: int
    broken: int
    ended: bool


def kill_runs(base: Path, kills: int, seed: int, processes: int) -> tuple[Survived, ...]:
    """Kill runs, so many times in all: half of them twice, the others once."""
    for name in _HEAVY:
        import_module(name)
    write_tones(base / "genres")
    os.environ |= {"TRACKER_CACHE": str(base / "cache"), "TRACKER_THREADS": "1"}  # several are trained at a time
    each = [2] * (kills // 3) + [1] * (kills - 2 * (kills // 3))
    with ProcessPoolExecutor(processes, _PROCESSES) as pool:
        whole = list(pool.map(partial(uninterrupted, base), range(processes)))
        expected = replace(whole[0], seconds=max(one.seconds for one in whole))
        tried = pool.map(partial(survive, base, expected, seed), range(len(each)), each)
        return tuple(_told(len(each), tried))


def _told(of: int, tried: Iterable[Survived]) -> Iterator[Survived]:
    for number, survived in enumerate(tried, 1):
        print(f"run {number} of {of}: {survived}", file=sys.stderr, flush=True)
        yield survived


def write_tones(folder: Path) -> None:
    """Write two classes of ten one-second tones in noise, too much alike to be told apart for long."""
    time_s = np.arange(SR) / SR
    for place, (label, hertz) in enumerate((("high", 300.0), ("low", 250.0))):
        (folder / label).mkdir(parents=True)
        for number in range(10):
            noise = np.random.default_rng([number, place]).normal(0, 0.3, SR)
            tone = 0.3 * np.sin(2 * np.pi * hertz * (1 + number / 50) * time_s)
            soundfile.write(folder / label / f"{number}.wav", tone + noise, SR)


def uninterrupted(base: Path, number: int) -> Measured:
    """Train the run once, and return what it came to."""
    work = _new(base / f"whole-{number}")
    process = _started(work, _run_words(base))
    while not _owned(work, process):
        time.sleep(0.002)
    began = time.perf_counter()
    process.join()
    seconds = time.perf_counter() - began
    _see_to_it(work, process)
    (found,) = stored(work)
    _see_that_it_tells(found.run)
    return Measured(found, seconds)


def _see_that_it_tells(run: Run) -> None:
    """See that the run is one that goes otherwise where anything of its state is lost."""
    rates, metrics = run.curves["learning_rate"].values, run.metrics
    if not metrics["best_epoch"] < metrics["stop_epoch"] < EPOCHS or rates[0] == rates[-1]:
        raise RuntimeError(
            f"the run stops at {metrics['stop_epoch']} of {EPOCHS} epochs at rates {rates}: take another"
        )


def survive(base: Path, expected: Measured, seed: int, number: int, kills: int) -> Survived:
    """Kill a run as often as asked, resume it to its end, and return what came of it."""
    rng = np.random.default_rng([seed, number])
    while True:  # a run that was faster than a kill is none of those counted
        with tempfile.TemporaryDirectory(dir=base) as folder:
            survived = _survived(base, Path(folder), expected, rng, number, kills)
        if len(survived.kills) == kills:
            return survived


def _survived(base: Path, work: Path, expected: Measured, rng: Generator, number: int, kills: int) -> Survived:
    words, killed, broken, epochs = _run_words(base), list[str](), 0, Epochs()
    for moment in moments(expected.seconds, _epoch_seconds(expected), rng, number)[:kills]:
        at = _killed(work, words, moment)
        journal = read(_journal(work))
        epochs.count(_told_as_finished(work), frozenset(journal.epochs))
        if at is None:
            break
        killed.append(at)
        broken += is_broken(work)
        if number % 4 < 2 and not journal.ended:  # a run that ended and was sent lets go of its artifacts
            _forget_what_was_sent(work)
        words = ("sync",) if journal.ended else ("resume", NAME)
    if len(killed) == kills:
        _started(work, words).join()
        epochs.count(_told_as_finished(work), frozenset(read(_journal(work)).epochs))
    return _compared(work, expected.stored, tuple(killed), epochs, broken)


def _forget_what_was_sent(work: Path) -> None:
    """Send all there is and lose the note on it, as a kill does between a write to the store and the note."""
    _started(work, ("sync",)).join()
    (_journal(work) / "delivery.json").unlink(missing_ok=True)


@dataclass
class Epochs:
    """The epochs that were finished at any time, and what went wrong with them.

    Parameters
    ----------
    finished : frozenset of int
    lost, again : int
        As in `Survived`.
    """

    finished: frozenset[int] = frozenset()
    lost: int = 0
    again: int = 0

    def count(self, told: frozenset[int], journalled: frozenset[int]) -> None:
        """Take in what a command told of, and what the journal has after it."""
        self.again += len(told & self.finished)
        self.finished |= told
        self.lost += len(self.finished - journalled)
        self.finished |= journalled


def _compared(work: Path, expected: Stored, killed: tuple[str, ...], epochs: Epochs, broken: int) -> Survived:
    found = stored(work)
    return Survived(
        kills=killed,
        lost=epochs.lost,
        again=epochs.again,
        differing=found[0].differing(expected) if found else len(expected.run.metrics),
        broken=broken + (is_broken(work) or not _opened_by_mlflow(work)),
        ended=[one.run.status for one in found] == ["FINISHED"],
    )


def _opened_by_mlflow(work: Path) -> bool:
    """Tell whether MLflow opens the store, in a process of its own: it starts threads, and this one is forked again."""
    process = _PROCESSES.Process(target=opens, args=(work,))
    process.start()
    process.join()
    return process.exitcode == 0


def _run_words(base: Path) -> tuple[str, ...]:
    return ("run", "--data", str(base / "genres"), "--name", NAME, *OPTIONS)


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _started(work: Path, words: Sequence[str]) -> BaseProcess:
    """Start a command; what it says is in ``said.txt``, of the last one alone."""
    process = _PROCESSES.Process(target=_command, args=(work, words))
    process.start()
    return process


def _command(work: Path, words: Sequence[str]) -> None:
    from tracker.cli import main

    os.chdir(work)
    with Path("said.txt").open("w") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    main(words)


def _journal(work: Path) -> Path:
    return next(work.glob(f".tracker/*/{JOURNAL}")).parent


def _owned(work: Path, process: BaseProcess) -> bool:
    """Tell whether a process writes a journal yet, or has ended."""
    owners = [read_owner(path.parent) for path in work.glob(f".tracker/*/{JOURNAL}")]
    return any(owner and owner.pid == process.pid for owner in owners) or not process.is_alive()


def _killed(work: Path, words: Sequence[str], moment: Moment) -> str | None:
    """Kill a command at a moment after it began to write, and return what went on; None if it was faster."""
    process = _started(work, words)
    while not _owned(work, process):
        time.sleep(0.002)
    while process.is_alive() and max(_told_as_finished(work), default=0) < moment.epoch:
        time.sleep(0.002)
    process.join(moment.delay_s)
    if process.is_alive():
        goes_on = AIMS[moment.aim](work, _journal(work))
        while process.is_alive() and not goes_on():
            time.sleep(LOOK_S)
    process.kill()
    process.join()
    _see_to_it(work, process)
    return moment.aim if process.exitcode else None


def _see_to_it(work: Path, process: BaseProcess) -> None:
    """See that a command came to its end or was killed: one that fails by itself would be tried for ever."""
    if process.exitcode not in {0, -signal.SIGKILL}:
        raise RuntimeError(f"a command ended with status {process.exitcode}: {(work / 'said.txt').read_text()}")


def _epoch_seconds(expected: Measured) -> list[float]:
    return [float(seconds) for seconds in expected.stored.run.curves["epoch_seconds"].values]


def _told_as_finished(work: Path) -> frozenset[int]:
    """Return the epochs that the last command has told of."""
    told = re.findall(r"^epoch (\d+)/.*\n", (work / "said.txt").read_text(), re.MULTILINE)
    return frozenset(int(number) for number in told)
