from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.render import numbers
from tracker.report import Accuracy


class TestWhole:
    def test_parts_thousands(self) -> None:
        assert numbers.whole(9_950) == "9,950"

    def test_marks_what_is_not_known(self) -> None:
        assert numbers.whole(None) == "–"


class TestLoss:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.40432727, "0.4043"),
            (0.0, "0.0000"),
            (1e-5, "1e−05"),
            (-0.5, "−0.5000"),
            (float("nan"), "not finite"),
            (None, "–"),
        ],
    )
    def test_keeps_the_digits_that_tell_runs_apart(self, value: float | None, text: str) -> None:
        assert numbers.loss(value) == text


class TestRate:
    def test_writes_no_exponent_and_no_float32_noise(self) -> None:
        assert numbers.rate(2.9999999242136255e-05) == "0.00003"


class TestLogged:
    def test_keeps_every_digit(self) -> None:
        assert numbers.logged(0.40432727336883545) == "0.40432727336883545"


class TestRight:
    def test_says_of_how_many(self) -> None:
        assert numbers.right(Accuracy(25, 30, (0.66, 0.93))) == "25 of 30"


class TestPercent:
    @pytest.mark.parametrize(
        ("share", "text"),
        [
            (0.0, "0.0 %"),
            (1.0, "100.0 %"),
            (25 / 30, "83.3 %"),
            (0.9999, "over 99.9 %"),
            (0.0001, "under 0.1 %"),
            (None, "–"),
        ],
    )
    def test_has_one_digit(self, share: float | None, text: str) -> None:
        assert numbers.percent(share) == text

    @settings(derandomize=True, max_examples=200)
    @given(st.floats(0, 1, exclude_min=True, exclude_max=True))
    def test_is_never_a_false_nothing_or_all(self, share: float) -> None:
        assert numbers.percent(share) not in {"0.0 %", "100.0 %"}


class TestPercentInterval:
    def test_says_the_unit_once(self) -> None:
        assert numbers.percent_interval((0.6644, 0.9266)) == "66.4 to 92.7 %"


class TestColumns:
    def test_have_their_unit_in_the_head(self) -> None:
        assert numbers.ratio(Accuracy(25, 30, (0.66, 0.93))) == "25/30"
        assert numbers.percent_bare(0.8333) == "83.3"
        assert numbers.bounds((0.6644, 0.9999)) == "66.4–over 99.9"

    @pytest.mark.parametrize(
        ("value", "text"), [(0.01, "under 0.1"), (4.23, "4.2"), (78.4, "78"), (7_512.0, "7,512"), (None, "–")]
    )
    def test_of_seconds_are_never_a_false_nothing(self, value: float | None, text: str) -> None:
        assert numbers.seconds_bare(value) == text


class TestPoints:
    @pytest.mark.parametrize(("difference", "text"), [(1 / 30, "+3.3 points"), (-0.2, "−20 points"), (0.0, "0 points")])
    def test_has_a_sign(self, difference: float, text: str) -> None:
        assert numbers.points(difference) == text


class TestPointsInterval:
    def test_says_the_unit_once(self) -> None:
        assert numbers.points_interval((-0.12, 0.18)) == "−12 to +18 points"


class TestSeconds:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.0, "under 0.1 s"), (0.04, "under 0.1 s"), (4.23, "4.2 s"), (74.4, "74 s"), (99.6, "1 min 40 s"),
            (725.0, "12 min 5 s"), (7_500.0, "2 h 5 min"), (float("inf"), "–"), (None, "–"),
        ],
    )  # fmt: skip
    def test_is_never_a_false_nothing(self, value: float | None, text: str) -> None:
        assert numbers.seconds(value) == text
