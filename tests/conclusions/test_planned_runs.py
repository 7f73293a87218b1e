from __future__ import annotations

import pytest

from tracker.conclusions.planned_runs import whole_seed
from tracker.study.options import terms_of


class TestWholeSeed:
    @pytest.mark.parametrize(("params", "seed"), [({"seed": "3"}, 3), ({"seed": "0.0"}, 0)])
    def test_whole_seed_returns_a_whole_number(self, params: dict[str, str], seed: int) -> None:
        assert whole_seed(terms_of(params)) == seed

    @pytest.mark.parametrize("params", [{}, {"seed": "-1"}, {"seed": "x"}, {"seed": "1", "data_seed": "2"}])
    def test_whole_seed_returns_none_if_the_command_line_cannot_take_it(self, params: dict[str, str]) -> None:
        assert whole_seed(terms_of(params)) is None
