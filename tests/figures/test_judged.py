from __future__ import annotations

from dataclasses import replace

from tracker.figures.data import Judged, comparable, judged


class TestJudged:
    def test_judged_leaves_out_runs_without_predictions(self, entries) -> None:
        without = replace(entries[0], run=replace(entries[0].run, validation=None))
        assert [run.name for run in judged((without, *entries[1:]))] == ["Run 2", "Run 3", "Run 4"]


class TestComparable:
    def test_comparable_is_the_largest_group_on_the_same_clips(self, clips) -> None:
        few, many = clips(4, ("a", "b")), clips(6, ("a", "b"))
        runs = [Judged("1", "Run 1", few), Judged("2", "Run 2", many), Judged("3", "Run 3", many)]
        assert [run.run_id for run in comparable(runs)] == ["2", "3"]

    def test_comparable_of_equal_groups_is_the_first(self, clips) -> None:
        runs = [Judged("1", "Run 1", clips(4, ("a", "b"))), Judged("2", "Run 2", clips(6, ("a", "b")))]
        assert [run.run_id for run in comparable(runs)] == ["1"]

    def test_comparable_of_no_run_is_none(self) -> None:
        assert comparable([]) == ()
