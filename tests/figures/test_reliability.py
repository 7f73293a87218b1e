from __future__ import annotations

from dataclasses import replace

import pytest

from tracker.conclusions.calibration import Calibration
from tracker.figures.reliability import finding_of_reliability, reliability
from tracker.statistics.calibration import ConfidenceBin

BINS = (
    ConfidenceBin(0.4, 0.6, 0.5, 8, 10, (0.5, 0.95)),
    ConfidenceBin(0.9, 1.0, 0.95, 7, 10, (0.4, 0.9)),
)
DETAILS = Calibration("a", 0.9, 0.8, (0.02, 0.2), 0.05, "over", BINS)


class TestReliability:
    def test_each_bin_is_a_dot_at_its_confidence_and_accuracy_on_its_interval(self, drawn) -> None:
        drawing = drawn(reliability(DETAILS, "Run 2"))
        (left, _), (right, _) = (drawing.places(text)[1] for text in ("0%", "100%"))
        (_, low), (_, high) = (drawing.places(text)[0] for text in ("0%", "100%"))
        across, up = (lambda value: left + value * (right - left)), (lambda value: low + value * (high - low) - 4)
        assert drawing.circles("d") == [
            pytest.approx((across(one.confidence), up(one.accuracy)), abs=0.2) for one in BINS
        ]
        assert [line[1::2] for line in drawing.lines("w")] == [
            pytest.approx((up(one.interval[0]), up(one.interval[1])), abs=0.2) for one in BINS
        ]

    def test_the_diagonal_goes_from_corner_to_corner(self, drawn) -> None:
        drawing = drawn(reliability(DETAILS, "Run 2"))
        (diagonal,) = drawing.lines("cut")
        assert diagonal[0] == diagonal[3] == 0
        assert diagonal[1] == diagonal[2]

    def test_the_table_has_every_bin(self) -> None:
        picture = reliability(DETAILS, "Run 2")
        assert picture.rows[0][1:4] == ("10", "50.0%", "80.0%")
        assert picture.runs == ("a",)

    def test_no_bin_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="needs predictions"):
            reliability(replace(DETAILS, bins=()), "Run 2")


class TestFindingOfReliability:
    @pytest.mark.parametrize(
        ("direction", "words"),
        [
            ("over", "too confident: 90% on average, but 80% correct"),
            ("under", "not confident enough: 90% on average, but 80% correct"),
            (None, "90% confident on average and 80% correct, which could be chance"),
        ],
    )
    def test_it_says_which_way_confidence_is_off(self, direction, words: str) -> None:
        assert finding_of_reliability(replace(DETAILS, direction=direction), "Run 2") == f"Run 2 is {words}"
