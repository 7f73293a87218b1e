from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.study.options import aliases, design_of

if TYPE_CHECKING:
    from tests.builders import Params


class TestAliases:
    def test_aliases_of_the_writeups_kernel_are_all_that_changed_with_it(self, writeup_params: Params) -> None:
        assert aliases(design_of(writeup_params), "kernel_size") == (
            "learning_rate",
            "plateau",
            "early_stopping_patience",
        )

    def test_aliases_are_only_those_that_cannot_be_told_apart(self) -> None:
        params = [
            {"a": "1", "b": "1", "c": "1"}, {"a": "2", "b": "2", "c": "1"},
            {"a": "1", "b": "1", "c": "2"}, {"a": "2", "b": "2", "c": "2"},
        ]  # fmt: skip
        assert aliases(design_of(params), "a") == ("b",)

    def test_aliases_are_all_others_where_only_sums_of_effects_could_tell(self) -> None:
        params = [
            {"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "c": "2"},
            {"a": "2", "b": "1", "c": "2"}, {"a": "2", "b": "2", "c": "1"},
        ]  # fmt: skip
        assert aliases(design_of(params), "a") == ("b", "c")

    def test_aliases_of_a_search_over_a_thousand_values_are_all_that_changed(self) -> None:
        params = [{"a": str(i * 0.37 % 1), "b": str(i * 0.71 % 1), "c": str(i % 7)} for i in range(1000)]
        assert aliases(design_of(params), "a") == ("b", "c")
