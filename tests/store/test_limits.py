from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import _validate_param_name

from tests.builders import STARTED, send_run
from tracker.errors import StoreError
from tracker.store.limits import check_keys, check_params, check_start, check_tags

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
    def test_takes_what_mlflow_takes(self, key: str) -> None:
        assert we_take(key) == mlflow_takes(key)

    @pytest.mark.parametrize("key", ["", ".", "..", "../a", "/a", "a//b", "a/", "a/./b", "a|b", "a\n", "k" * 251])
    def test_refuses_what_mlflow_cannot_keep(self, key: str) -> None:
        with pytest.raises(StoreError, match="the name of a metric must be"):
            check_keys("metric", [key])

    @pytest.mark.parametrize("key", ["val_loss", "train/loss", "a b:c-d.e", "größe", "k" * 250])
    def test_takes_every_usual_name(self, key: str) -> None:
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
    def test_refuses_what_mlflow_would_cut_or_refuse(self, asked: dict[str, str], said: str) -> None:
        with pytest.raises(StoreError, match=said):
            check_start(replace(STARTED, **asked))

    @pytest.mark.parametrize(
        "asked", [{"experiment": "e" * 500}, {"experiment": " /..\n"}, {"name": ""}, {"name": "n" * 10_000}]
    )
    def test_takes_what_a_store_takes(self, location: Location, asked: dict[str, str]) -> None:
        check_start(replace(STARTED, **asked))
        assert send_run(location, started=replace(STARTED, **asked))


class TestCheckParams:
    def test_takes_the_longest_that_is_kept_whole(self) -> None:
        check_params({"note": "x" * 6_000})

    def test_refuses_one_more(self) -> None:
        with pytest.raises(StoreError, match="6,001: shorten it"):
            check_params({"note": "x" * 6_001})


class TestCheckTags:
    def test_takes_the_longest_that_is_kept_whole(self) -> None:
        check_tags({"note": "x" * 8_000})

    def test_refuses_one_more(self) -> None:
        with pytest.raises(StoreError, match="8,001: shorten it"):
            check_tags({"note": "x" * 8_001})
