from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracker.conclusions.conclusion import seeds_of

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
