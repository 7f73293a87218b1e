from __future__ import annotations

import pytest

from tests.builders import START, STARTED, epochs
from tracker.runs import REASON_TAG
from tracker.runs.events import Ended, EpochDone, Measured, Resumed, Tagged
from tracker.store.run_from_journal import Value, ended, started, tags, values


class TestStarted:
    def test_is_the_first_entry(self) -> None:
        assert started([STARTED, *epochs(1.0)]) is STARTED

    @pytest.mark.parametrize("entries", [[], epochs(1.0)])
    def test_refuses_a_journal_without(self, entries: list[EpochDone]) -> None:
        with pytest.raises(ValueError, match="must begin with how the run was started"):
            started(entries)


class TestValues:
    def test_are_at_the_epoch_and_else_at_nought(self) -> None:
        entries = [STARTED, EpochDone(START, 3, {"loss": 1}), Measured(START + 1, {"best_epoch": 3})]
        assert values(entries) == [(), (Value("loss", 1.0, START, 3),), (Value("best_epoch", 3.0, START + 1, 0),)]

    def test_keep_the_times_of_the_clock_where_epochs_differ(self) -> None:
        entries = [EpochDone(9, 1, {"loss": 1.0}), EpochDone(5, 2, {"loss": 1.0}), EpochDone(5, 3, {"loss": 1.0})]
        assert [rows[0].time for rows in values(entries)] == [9, 5, 5]

    def test_rise_in_time_within_an_epoch(self) -> None:
        entries = [EpochDone(time, 1, {"loss": 1.0}) for time in (9, 5, 5, 20)]
        assert [rows[0].time for rows in values(entries)] == [9, 10, 11, 20]

    def test_are_the_same_where_the_first_entries_are_left_out(self) -> None:
        times = [(9, 1), (5, 1), (5, 2), (4, 2), (3, 1), (7, 3)]
        entries = [STARTED, *(EpochDone(time, number, {"loss": 1.0}) for time, number in times)]
        entries += [Measured(9, {"best_epoch": 1}), Tagged({}), Measured(5, {"best_epoch": 2})]
        for sent in range(len(entries) + 1):
            assert values(entries, sent) == values(entries)[sent:]


class TestTags:
    def test_are_those_set_last_and_the_name(self) -> None:
        held = tags([STARTED, Tagged({"tracker.data": "gtzan"}), *epochs(1.0), Tagged({"a": "b"})])
        assert held == {"tracker.data": "gtzan", "a": "b", "mlflow.runName": "a run"}

    def test_say_why_a_run_ended_until_it_goes_on(self) -> None:
        entries = [STARTED, Ended(START, "FAILED", "disk full")]
        assert tags(entries)[REASON_TAG] == "disk full"
        assert REASON_TAG not in tags([*entries, Resumed(START, 0)])


class TestEnded:
    def test_is_when_the_run_ended_last(self) -> None:
        entries = [STARTED, Ended(START + 1, "KILLED", "interrupted")]
        assert ended(entries[:1]) is None
        assert ended(entries) == START + 1
        assert ended([*entries, Resumed(START + 2, 0)]) is None
        assert ended([*entries, Resumed(START + 2, 0), Ended(START, "FINISHED")]) == START
