from __future__ import annotations

import os
import signal
import time
from concurrent.futures import BrokenExecutor

import pytest
from joblib import Parallel, delayed

from tracker.recording import pool
from tracker.recording.pool import Workers, call_in_workers, end_unused_workers, start_workers


class TestPool:
    def test_workers_that_are_not_needed_end_while_they_load(self) -> None:
        begun = time.monotonic()
        start_workers(Workers(2, 1, "tensorflow", time.sleep))  # for as many seconds as the id of this process says
        end_unused_workers()
        assert time.monotonic() - begun < 60

    def test_answers_come_as_calls_end_and_calls_are_taken_as_workers_are_free(self) -> None:
        workers, taken = Workers(2, 1, "tensorflow", abs), list[int]()
        start_workers(workers)
        answers = call_in_workers(workers, divmod, ((taken.append(number) or number, 7) for number in range(6)))
        first = next(answers)
        assert len(taken) <= 4
        assert sorted([first, *answers]) == [(0, number) for number in range(6)]
        assert Parallel(n_jobs=2)(delayed(abs)(number) for number in (-1, 2)) == [1, 2]  # whose own workers are others

    def test_a_worker_that_is_lost_breaks_the_calls(self) -> None:
        with pytest.raises(BrokenExecutor):
            list(call_in_workers(Workers(2, 1, "tensorflow", abs), os._exit, [(1,), (1,)]))

    def test_a_worker_that_is_lost_between_two_calls_is_replaced(self) -> None:
        workers = Workers(2, 1, "tensorflow", abs)
        (lost,) = call_in_workers(workers, os.getpid, [()])
        os.kill(lost, signal.SIGKILL)
        flags, patience = pool._kept[workers]._flags, 6_000  # type: ignore[attr-defined]
        while not flags.broken and (patience := patience - 1):
            time.sleep(0.01)
        assert flags.broken
        assert list(call_in_workers(workers, abs, [(-1,)])) == [1]
