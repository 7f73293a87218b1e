from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import _validate_param_name

from tests.builders import START, STARTED, epochs, send_run
from tracker.errors import StoreError
from tracker.runs import REASON_TAG
from tracker.runs.events import Ended, EpochDone, Measured, Resumed, Tagged
from tracker.store.mlflow_run import (
    Value,
    check_keys,
    check_params,
    check_start,
    check_tags,
    ended,
    started,
    tags,
    values_of,
)

if TYPE_CHECKING:
    from tracker.store.location import Location


def mlflow_takes(key: str) -> bool:
    try:
        _validate_param_name(key)
    except MlflowException:
        return False
    return len(key) <= 250


def we_take(key: str) -> bool:
    try:
        check_keys("param", [key])
    except StoreError:
        return False
    return True


class TestCheckKeys:
    @settings(derandomize=True, max_examples=500)
    @given(st.text(st.sampled_from("aZ_0é.-/: |\t"), min_size=1, max_size=6))
    def test_check_keys_takes_what_mlflow_takes(self, key: str) -> None:
        assert we_take(key) == mlflow_takes(key)

    @pytest.mark.parametrize("key", ["", ".", "..", "../a", "/a", "a//b", "a/", "a/./b", "a|b", "a\n", "k" * 251])
    def test_check_keys_refuses_what_mlflow_cannot_keep(self, key: str) -> None:
        with pytest.raises(StoreError, match="the name of a metric must be"):
            check_keys("metric", [key])

    @pytest.mark.parametrize("key", ["val_loss", "train/loss", "a b:c-d.e", "größe", "k" * 250])
    def test_check_keys_takes_every_usual_name(self, key: str) -> None:
        check_keys("metric", [key])


class TestCheckStart:
    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({"experiment": ""}, "the name of an experiment must be 1 to 500 characters, got 0"),
            ({"experiment": "e" * 501}, "the name of an experiment must be 1 to 500 characters, got 501"),
            ({"experiment": "caf\udce9"}, r"the name of the experiment must be Unicode, got 'caf\\udce9'"),
            ({"name": "caf\udce9"}, r"the name of the run must be Unicode, got 'caf\\udce9'"),
            ({"params": {"a|b": "1"}}, r"the name of a param must be .*, got 'a\|b'"),
            ({"params": {"model": "x" * 6_001}}, "the param model must be at most 6,000 characters, got 6,001"),
            ({"tags": {"tracker.data": "caf\udce9"}}, r"the tag tracker\.data must be Unicode, got 'caf\\udce9'"),
        ],
    )
    def test_check_start_refuses_what_mlflow_would_cut_or_refuse(self, asked: dict[str, str], said: str) -> None:
        with pytest.raises(StoreError, match=said):
            check_start(replace(STARTED, **asked))

    @pytest.mark.parametrize(
        "asked", [{"experiment": "e" * 500}, {"experiment": " /..\n"}, {"name": ""}, {"name": "n" * 10_000}]
    )
    def test_check_start_takes_what_a_store_takes(self, location: Location, asked: dict[str, str]) -> None:
        check_start(replace(STARTED, **asked))
        assert send_run(location, started=replace(STARTED, **asked))


class TestCheckParams:
    def test_check_params_takes_the_longest_that_is_kept_whole(self) -> None:
        check_params({"note": "x" * 6_000})

    def test_check_params_refuses_one_more(self) -> None:
        with pytest.raises(StoreError, match="6,001: shorten it"):
            check_params({"note": "x" * 6_001})


class TestCheckTags:
    def test_check_tags_takes_the_longest_that_is_kept_whole(self) -> None:
        check_tags({"note": "x" * 8_000})

    def test_check_tags_refuses_one_more(self) -> None:
        with pytest.raises(StoreError, match="8,001: shorten it"):
            check_tags({"note": "x" * 8_001})


class TestStarted:
    def test_started_is_the_first_event(self) -> None:
        assert started([STARTED, *epochs(1.0)]) is STARTED

    @pytest.mark.parametrize("events", [[], epochs(1.0)])
    def test_started_refuses_a_journal_without(self, events: list[EpochDone]) -> None:
        with pytest.raises(ValueError, match="must begin with how the run was started"):
            started(events)


class TestValues:
    def test_values_are_at_the_epoch_and_else_at_nought(self) -> None:
        events = [STARTED, EpochDone(START, 3, {"loss": 1}), Measured(START + 1, {"best_epoch": 3})]
        assert values_of(events) == [(), (Value("loss", 1.0, START, 3),), (Value("best_epoch", 3.0, START + 1, 0),)]

    def test_values_keep_the_times_of_the_clock_where_epochs_differ(self) -> None:
        events = [EpochDone(9, 1, {"loss": 1.0}), EpochDone(5, 2, {"loss": 1.0}), EpochDone(5, 3, {"loss": 1.0})]
        assert [rows[0].time for rows in values_of(events)] == [9, 5, 5]

    def test_rise_in_time_within_an_epoch(self) -> None:
        events = [EpochDone(time, 1, {"loss": 1.0}) for time in (9, 5, 5, 20)]
        assert [rows[0].time for rows in values_of(events)] == [9, 10, 11, 20]

    def test_values_are_the_same_where_the_first_events_are_left_out(self) -> None:
        times = [(9, 1), (5, 1), (5, 2), (4, 2), (3, 1), (7, 3)]
        events = [STARTED, *(EpochDone(time, number, {"loss": 1.0}) for time, number in times)]
        events += [Measured(9, {"best_epoch": 1}), Tagged({}), Measured(5, {"best_epoch": 2})]
        for sent in range(len(events) + 1):
            assert values_of(events, sent) == values_of(events)[sent:]


class TestTags:
    def test_tags_are_those_set_last_and_the_name(self) -> None:
        held = tags([STARTED, Tagged({"tracker.data": "gtzan"}), *epochs(1.0), Tagged({"a": "b"})])
        assert held == {"tracker.data": "gtzan", "a": "b", "mlflow.runName": "a run"}

    def test_tags_say_why_a_run_ended_until_it_goes_on(self) -> None:
        events = [STARTED, Ended(START, "FAILED", "disk full")]
        assert tags(events)[REASON_TAG] == "disk full"
        assert REASON_TAG not in tags([*events, Resumed(START, 0)])


class TestEnded:
    def test_ended_is_when_the_run_ended_last(self) -> None:
        events = [STARTED, Ended(START + 1, "KILLED", "interrupted")]
        assert ended(events[:1]) is None
        assert ended(events) == START + 1
        assert ended([*events, Resumed(START + 2, 0)]) is None
        assert ended([*events, Resumed(START + 2, 0), Ended(START, "FINISHED")]) == START
