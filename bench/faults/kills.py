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

from tracker.errors import StoreError
from tracker.journal.owner import read_owner
from tracker.journal.reader import JOURNAL, read
from tracker.store.location import locate
from tracker.store.read import read_experiment
from tracker.store.repair import examine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from multiprocessing.process import BaseProcess

    from numpy.random import Generator
    from numpy.typing import NDArray

    from tracker.runs import Run

SR = 8_000
EPOCHS = 8
OPTIONS = ("--segment", "0.5", "--epochs", str(EPOCHS), "--kernel", "3", "--plateau", "0.5,1", "--seed", "3")
NAME = "killed"
LOOK_S = 0.000_2
"""Time between two looks at a run that is to be killed: a checkpoint takes longer."""

_HEAVY = ("tracker.cli.train", "tracker.training.fit", "tracker.store.send", "tracker.store.model", "tracker.figures")
"""What imports the libraries that a run needs."""

RESUMED_SHARE = 0.5
"""Part of a whole run's time from which the second kill's moment is drawn: what is left may take no longer."""

_PROCESSES = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Measured:
    """What an uninterrupted run came to.

    Parameters
    ----------
    run : Run
    seconds : float
        From the first line of its journal to its end.
    """

    run: Run
    seconds: float


@dataclass(frozen=True)
class Survived:
    """What came of one run that was killed.

    Parameters
    ----------
    kills : tuple of str
        What was going on at each.
    again : int
        Finished epochs that were trained a second time.
    differing : int
        Metrics and predictions that are not those of the uninterrupted run.
    broken : int
        Times the store was broken: after a kill, or at the end.
    ended : bool
        Whether the store has it once, as finished.
    """

    kills: tuple[str, ...]
    again: int
    differing: int
    broken: int
    ended: bool


def kill_runs(base: Path, kills: int, seed: int, processes: int) -> tuple[Survived, ...]:
    """Kill runs, so many times in all: the first once, the second twice, and so on by turns."""
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
    """Write two classes of ten one-second tones."""
    time_s = np.arange(SR) / SR
    for label, hertz in (("high", 2_000.0), ("low", 200.0)):
        (folder / label).mkdir(parents=True)
        for number in range(10):
            noise = np.random.default_rng(number).normal(0, 0.01, SR)
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
    return Measured(_stored(work)[0], seconds)


def survive(base: Path, expected: Measured, seed: int, number: int, kills: int) -> Survived:
    """Kill a run as often as asked, resume it to its end, and return what came of it."""
    rng = np.random.default_rng([seed, number])
    while True:  # a run that was faster than a kill is none of those counted
        with tempfile.TemporaryDirectory(dir=base) as folder:
            survived = _survived(base, Path(folder), expected, rng, kills)
        if len(survived.kills) == kills:
            return survived


def _survived(base: Path, work: Path, expected: Measured, rng: Generator, kills: int) -> Survived:
    words, killed, again, broken, done = _run_words(base), list[str](), 0, 0, 0
    for share in (1.0, RESUMED_SHARE)[:kills]:
        at = _killed(work, words, rng.uniform(0, share * expected.seconds), str(rng.choice(list(AIMS))))
        again += _trained_again(work, done)
        if at is None:
            break
        killed.append(at)
        broken += _is_broken(work)
        done = max(read(_journal(work)).epochs, default=0)
        words = ("sync",) if read(_journal(work)).ended else ("resume", NAME)
    if len(killed) == kills:
        _started(work, words).join()
        again += _trained_again(work, done)
    return _compared(work, expected.run, tuple(killed), again, broken)


def _compared(work: Path, expected: Run, killed: tuple[str, ...], again: int, broken: int) -> Survived:
    runs = _stored(work)
    ended = [run.status for run in runs] == ["FINISHED"]
    differing = _differing(runs[0], expected) if runs else len(expected.metrics)
    return Survived(killed, again, differing, broken + _is_broken(work), ended)


def _differing(run: Run, expected: Run) -> int:
    """Count the metrics, curves and predictions that are not the same to the last bit."""
    names = expected.metrics.keys() - {"epoch_seconds"}
    ends = [run.metrics.get(name) == expected.metrics[name] for name in names]
    curves = [
        name in run.curves and np.array_equal(run.curves[name].values, expected.curves[name].values)
        for name in names & expected.curves.keys()
    ]
    return [*ends, *curves, np.array_equal(_said(run), _said(expected))].count(False)


def _said(run: Run) -> NDArray[np.float64]:
    """Return what a run says of the validation clips; nothing where it came to no end."""
    return run.validation.probabilities if run.validation else np.empty(0)


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


def _killed(work: Path, words: Sequence[str], delay_s: float, aim: str) -> str | None:
    """Kill a command so long after it began to write, and once what is aimed at goes on; None if it was faster."""
    process = _started(work, words)
    while not _owned(work, process):
        time.sleep(0.002)
    process.join(delay_s)
    if process.is_alive():
        goes_on = AIMS[aim](work, _journal(work))
        while process.is_alive() and not goes_on():
            time.sleep(LOOK_S)
    process.kill()
    process.join()
    _see_to_it(work, process)
    return aim if process.exitcode else None


def _see_to_it(work: Path, process: BaseProcess) -> None:
    """See that a command came to its end or was killed: one that fails by itself would be tried for ever."""
    if process.exitcode not in {0, -signal.SIGKILL}:
        raise RuntimeError(f"a command ended with status {process.exitcode}: {(work / 'said.txt').read_text()}")


def _any_moment(_work: Path, _journal: Path) -> Callable[[], bool]:
    return lambda: True


def _checkpoint(_work: Path, journal: Path) -> Callable[[], bool]:
    return (journal / "checkpoints" / "checkpoint.tmp").exists


def _line(_work: Path, journal: Path) -> Callable[[], bool]:
    size = (journal / JOURNAL).stat().st_size
    return lambda: (journal / JOURNAL).stat().st_size != size


def _beside(_work: Path, journal: Path) -> Callable[[], bool]:
    return lambda: any(journal.glob(".*.tmp"))


def _store(work: Path, _journal: Path) -> Callable[[], bool]:
    return (work / "mlflow.db-journal").exists


AIMS: dict[str, Callable[[Path, Path], Callable[[], bool]]] = {
    "at any moment": _any_moment,
    "while a checkpoint was written": _checkpoint,
    "while a line of the journal was written": _line,
    "while an artifact, or the note on what was sent, was written": _beside,
    "while the store was written": _store,
}
"""What a kill may be aimed at; given the working folder and the journal's, each tells whether it goes on."""


def _trained_again(work: Path, done: int) -> int:
    """Count the finished epochs that the last command trained anew."""
    told = re.findall(r"^epoch (\d+)/", (work / "said.txt").read_text(), re.MULTILINE)
    return sum(int(number) <= done for number in told)


def _is_broken(work: Path) -> bool:
    return examine(locate(None, work)).broken


def _stored(work: Path) -> tuple[Run, ...]:
    """Return the runs that the store has, none where it cannot be read."""
    try:
        return read_experiment(locate(None, work), "tracker").runs
    except StoreError:
        return ()
