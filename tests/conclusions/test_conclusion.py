from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracker.conclusions.conclusion import Conclusion, seeds_of
from tracker.conclusions.early_stopping import EarlyStopping

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeStudy


class TestSeedsOf:
    @pytest.mark.parametrize(("params", "seed"), [({"seed": "3"}, 3), ({"seed": "0.0"}, 0)])
    def test_seeds_of_returns_whole_numbers(
        self, made: MakeRun, studied: MakeStudy, params: dict[str, str], seed: int
    ) -> None:
        assert seeds_of(studied(made(1, params=params, seed=None)), [0]) == {seed}

    @pytest.mark.parametrize("params", [{}, {"seed": "-1"}, {"seed": "x"}, {"seed": "1", "data_seed": "2"}])
    def test_seeds_of_leaves_out_what_the_command_line_cannot_take(
        self, made: MakeRun, studied: MakeStudy, params: dict[str, str]
    ) -> None:
        assert seeds_of(studied(made(1, params=params, seed=None)), [0]) == frozenset()


class TestLabel:
    def test_label_is_the_verdict_in_words(self) -> None:
        assert Conclusion("run_difference", "not_comparable", ("a", "b")).label == "Not comparable"
        assert Conclusion("sample_size", "estimate", ("a",)).label == "Estimate"

    def test_label_of_what_was_logged_is_observed_and_of_a_replay_replay(self) -> None:
        assert Conclusion("under_training", "exact", ("a",)).label == "Observed"
        assert Conclusion("early_stopping", "exact", ("a",), EarlyStopping()).label == "Replay"
