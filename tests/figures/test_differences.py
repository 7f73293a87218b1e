from __future__ import annotations

import pytest

from tracker.figures.intervals import Difference, differences

OPEN = Difference("run 3 − run 1", 1 / 30, (-0.12, 0.18), 1.0, "inconclusive", ("a", "b"))
SUPPORTED = Difference("run 3 − run 2", 0.3, (0.1, 0.5), 0.012, "supported", ("a", "c"))


class TestDifferences:
    def test_differences_says_that_nothing_is_supported_and_what_is_largest(self, drawn) -> None:
        picture = differences([OPEN], margin=0.05)
        drawn(picture)
        assert picture.alt == (
            "None of 1 differences is supported; the largest, run 3 − run 1, is +3.3 points, "
            "interval −12 to +18 points."
        )

    def test_differences_says_what_is_supported(self) -> None:
        picture = differences([OPEN, SUPPORTED], margin=0.05)
        assert picture.alt == "1 of 2 differences are supported: run 3 − run 2 by +30 points."
        assert picture.runs == ("a", "b", "c")
        assert picture.rows[1] == ("run 3 − run 2", "+30 points", "+10 to +50 points", "0.012", "supported")

    def test_another_margin_is_another_band(self) -> None:
        assert differences([OPEN], margin=0.05).png != differences([OPEN], margin=0.02).png

    @pytest.mark.filterwarnings("error")
    def test_strange_names_and_no_width_can_be_drawn(self, drawn, strange) -> None:
        rows = [Difference(name, 0.0, (0.0, 0.0), None, "exact", ()) for name in strange]
        drawn(differences(rows, margin=0.0001))

    def test_differences_without_a_difference_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="at least one difference"):
            differences([], margin=0.05)
