from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.study.options import OFF, level_order, level_text


class TestLevelText:
    @pytest.mark.parametrize("text", ["0.0001", "1e-4", " 1E-04 ", "0.00010"])
    def test_level_text_of_equal_numbers_is_equal(self, text: str) -> None:
        assert level_text(text) == "0.0001"

    @pytest.mark.parametrize("text", ["0.009999999776482582", "9.999999776482582e-03", "0.01"])
    def test_level_text_of_a_float32_is_the_number_that_it_stands_for(self, text: str) -> None:
        assert level_text(text) == "0.01"

    def test_level_text_of_a_number_that_is_no_float32_keeps_its_digits(self) -> None:
        assert level_text("0.36999999999999994") == "0.36999999999999994"

    @pytest.mark.parametrize("text", ["", "None", "null", "off"])
    def test_level_text_of_what_is_not_set_is_off(self, text: str) -> None:
        assert level_text(text) == OFF

    def test_level_text_of_a_whole_number_has_no_point(self) -> None:
        assert level_text("3.0") == "3"

    def test_level_text_of_truth_values_ignores_case(self) -> None:
        assert level_text("True") == level_text("true") == "true"

    @pytest.mark.parametrize("text", ["nan", "inf", "relu", "1e-5 to 1e-3"])
    def test_level_text_of_other_text_is_the_text(self, text: str) -> None:
        assert level_text(text) == text

    def test_level_text_of_huge_and_tiny_numbers_stays_short(self) -> None:
        assert len(level_text("1e300")) < 10
        assert len(level_text("1e-300")) < 10

    @given(st.floats(allow_nan=False, allow_infinity=False))
    @settings(derandomize=True)
    def test_level_text_reads_back_to_the_same_number(self, number: float) -> None:
        assert float(level_text(repr(number))) == number


class TestLevelOrder:
    def test_level_order_puts_off_first_then_numbers_then_text(self) -> None:
        assert sorted(["relu", "10", "9", OFF], key=level_order) == [OFF, "9", "10", "relu"]

    def test_level_order_puts_plateaus_by_factor_then_patience(self) -> None:
        assert sorted(["0.5x5", "0.3x10", "0.3x5"], key=level_order) == ["0.3x5", "0.3x10", "0.5x5"]
