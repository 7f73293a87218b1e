from __future__ import annotations

import shlex

import pytest

from tracker.cli.suggested_commands import reaching


class TestReaching:
    @pytest.mark.parametrize(
        "line",
        [
            "tracker run --kernel 3",
            "tracker run --data 'my genres' --experiment 'it'\"'\"'s' && tracker run --kernel 5",
            "tracker run --data '&&' && tracker run --experiment=-x",
        ],
    )
    def test_changes_nothing_where_nothing_was_named(self, line: str) -> None:
        assert reaching(line, None, {}) == line

    def test_names_the_store_in_every_call(self) -> None:
        found = reaching("tracker run --data 'a && tracker' && tracker run --data '&&'", "sqlite:///my runs.db", {})
        assert found == (
            "tracker run --data 'a && tracker' '--tracking-uri=sqlite:///my runs.db' && "
            "tracker run --data '&&' '--tracking-uri=sqlite:///my runs.db'"
        )

    @pytest.mark.parametrize("uri", ["", "-runs.db", "$(touch x)", "a'b", "a && b"])
    def test_quotes_the_store(self, uri: str) -> None:
        assert shlex.split(reaching("tracker run", uri, {})) == ["tracker", "run", f"--tracking-uri={uri}"]

    def test_keeps_data_of_the_environment_from_the_demo_set_alone(self) -> None:
        found = reaching("tracker run --kernel 3 && tracker run --data=-x", None, {"TRACKER_DATA": "genres"})
        assert found == "TRACKER_DATA= tracker run --kernel 3 && tracker run --data=-x"

    def test_leaves_empty_data_of_the_environment_alone(self) -> None:
        assert reaching("tracker run", None, {"TRACKER_DATA": ""}) == "tracker run"
