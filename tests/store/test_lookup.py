from __future__ import annotations

import pytest

from tracker.errors import StoreError
from tracker.runs import Run
from tracker.store.lookup import find_run
from tracker.store.run_from_journal import JOURNAL_TAG


def run(run_id: str, name: str = "a run") -> Run:
    return Run(run_id, name, "FINISHED", {}, {}, {}, {})


RUNS = [run("a1b2c3", "k7"), run("a1ffff", "k5"), run("beef00", "k3"), run("beef01", "k3"), run("c0ffee", "a1b2c3")]


class TestFindRun:
    @pytest.mark.parametrize(
        ("text", "run_id"),
        [("a1b2c3", "a1b2c3"), ("a1f", "a1ffff"), ("A1F", "a1ffff"), ("k5", "a1ffff"), ("c", "c0ffee")],
    )
    def test_takes_an_id_its_beginning_or_a_name(self, text: str, run_id: str) -> None:
        assert find_run(RUNS, text).run_id == run_id

    @pytest.mark.parametrize(
        ("text", "candidates"),
        [("a1", "a1b2c3 ('k7'), a1ffff ('k5')"), ("k3", "beef00 ('k3'), beef01 ('k3')")],
    )
    def test_lists_the_candidates_in_one_line(self, text: str, candidates: str) -> None:
        with pytest.raises(StoreError) as error:
            find_run(RUNS, text)
        assert str(error.value) == f"{text!r} means 2 runs: {candidates}; give more of the id"

    def test_names_the_runs_that_are_there(self) -> None:
        with pytest.raises(StoreError, match=r"no run has the id or name 'x'.*a1b2c3 \('k7'\)"):
            find_run(RUNS, "x")

    @pytest.mark.parametrize("text", ["d0d0d0", "d0d"])
    def test_takes_the_id_that_a_run_had_before_it_was_sent(self, text: str) -> None:
        sent = Run("a1b2c4", "k9", "FINISHED", {}, {JOURNAL_TAG: "d0d0d0"}, {}, {})
        assert find_run([*RUNS, sent], text) is sent
