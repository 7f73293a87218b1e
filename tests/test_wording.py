from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.study.options import design_of
from tracker.wording import (
    age,
    begun,
    change_words,
    configuration_phrases,
    correct_of,
    count_words,
    counted,
    digits_apart,
    duration,
    level_cell,
    listing,
    losses,
    metric_text,
    p_number,
    p_text,
    percent,
    percent_bounds_cell,
    percent_cell,
    percent_interval,
    percent_interval_cell,
    percent_number_cell,
    points,
    points_cell,
    points_interval,
    points_interval_cell,
    points_span,
    rate_text,
    round_number,
    seconds_cell,
    seconds_number_cell,
    some,
    whole_cell,
)


class TestPText:
    @pytest.mark.parametrize(
        ("p_value", "text"),
        [(0.0703125, "p = 0.070"), (1.0, "p = 1.0"), (0.0004, "p < 0.001"), (0.0625, "p = 0.063"), (0.5, "p = 0.500")],
    )
    def test_p_text_has_three_digits(self, p_value: float, text: str) -> None:
        assert p_text(p_value, 0.05) == text

    @pytest.mark.parametrize(("p_value", "text"), [(0.0502, "p = 0.0502"), (0.04999, "p = 0.050"), (0.05, "p = 0.050")])
    def test_p_text_stays_on_its_side_of_alpha(self, p_value: float, text: str) -> None:
        assert p_text(p_value, 0.05) == text

    def test_p_text_never_becomes_a_false_one(self) -> None:
        assert p_text(0.99999, 0.05) == "p = 0.99999"

    def test_p_text_rounds_a_bound_so_that_it_stays_true(self) -> None:
        assert p_text(0.1875, 0.05, "≥") == "p ≥ 0.187"
        assert p_text(0.0312, 0.05, "≤") == "p ≤ 0.032"

    @given(st.floats(0, 1), st.sampled_from([0.01, 0.05, 0.1]))
    @settings(derandomize=True)
    def test_p_text_says_the_same_of_alpha_as_the_number(self, p_value: float, alpha: float) -> None:
        text = p_text(p_value, alpha)
        shown = float(text.split()[-1]) - (1e-9 if "<" in text else 0)
        assert (shown <= alpha) == (p_value <= alpha)


class TestPoints:
    @pytest.mark.parametrize(
        ("difference", "text"),
        [
            (1 / 30, "3.3 points"), (0.2, "20 points"), (0.01, "1 point"), (0.0, "0 points"), (0.0004, "0.04 points"),
            (0.09996, "10 points"), (0.08, "8 points"), (-0.125, "13 points"), (0.0625, "6.3 points"),
            (0.575, "58 points"),
        ],
    )  # fmt: skip
    def test_points_rounds_to_what_matters(self, difference: float, text: str) -> None:
        assert points(difference) == text

    @given(st.floats(1e-9, 1))
    @settings(derandomize=True)
    def test_points_is_never_a_false_zero(self, difference: float) -> None:
        assert float(points(difference).split()[0]) > 0

    def test_points_of_equal_numbers_are_zero(self) -> None:
        assert points(0.1 + 0.2 - 0.3) == "0 points"

    def test_points_of_a_span_have_their_unit_once(self) -> None:
        assert [points_span(0.04, 0.16), points_span(0.041, 0.0412)] == ["4 to 16 points", "4.1 points"]

    def test_points_of_an_interval_have_their_signs(self) -> None:
        assert points_interval((-0.1246, 0.18)) == "−12 to +18"
        assert points_interval((0.0, 0.005)) == "0 to +0.5"


class TestPercent:
    @pytest.mark.parametrize(
        ("share", "text"),
        [
            (0.8333, "83%"),
            (0.0, "0%"),
            (1.0, "100%"),
            (0.0002, "under 0.1%"),
            (0.9999, "over 99.9%"),
            (0.996, "99.6%"),
            (0.865, "87%"),
            (0.785, "79%"),
        ],
    )
    def test_percent_is_never_a_false_zero_or_hundred(self, share: float, text: str) -> None:
        assert percent(share) == text

    def test_percent_of_an_interval_has_one_sign(self) -> None:
        assert percent_interval((0.664, 0.927)) == "66–93%"
        assert percent_interval((0.699, 0.704)) == "69.9–70.4%"


class TestLosses:
    def test_losses_tell_apart_what_differs(self) -> None:
        assert losses(0.4123, 0.4149) == ("0.412", "0.415")

    def test_losses_are_equal_where_they_are_equal(self) -> None:
        assert losses(0.4123, 0.4123) == ("0.412", "0.412")

    def test_losses_are_never_a_false_zero(self) -> None:
        assert losses(0.0003) == ("0.000300",)

    def test_losses_side_by_side_have_the_same_decimals(self) -> None:
        assert losses(0.6, 0.05) == ("0.600", "0.050")
        assert losses(1.6328, 0.41) == ("1.633", "0.410")
        assert losses(0.5, 1e-6) == ("0.500", "1e-6")

    def test_losses_above_one_have_no_needless_decimals(self) -> None:
        assert losses(86.7, 83.333) == ("86.7", "83.3")


class TestBegun:
    @pytest.mark.parametrize(
        ("text", "beginning"),
        [("kernel size and lr", "Kernel size and lr"), ("dropout", "dropout"), ("C", "C"), ("lr 1e-3", "lr 1e-3"),
         ("fit_intercept", "fit_intercept"), ("early-stopping patience", "Early-stopping patience"),
         ("alpha, beta and C", "alpha, beta and C"), ("validation loss", "Validation loss")],
    )  # fmt: skip
    def test_names_that_are_no_words_begin_a_sentence_as_they_are(self, text: str, beginning: str) -> None:
        assert begun(text) == beginning


class TestOthers:
    def test_listings_end_with_and(self) -> None:
        assert (listing(["a"]), listing(["a", "b"]), listing(["a", "b", "c"])) == ("a", "a and b", "a, b and c")

    @pytest.mark.parametrize(
        ("number", "text"), [(14, "14"), (240, "about 240"), (2172, "about 2,200"), (999, "about 1,000")]
    )
    def test_round_numbers_have_two_digits(self, number: int, text: str) -> None:
        assert round_number(number) == text

    def test_rates_are_float32_in_short(self) -> None:
        assert rate_text(2.9999999242136255e-05) == "3e-5"

    @pytest.mark.parametrize(("rate", "text"), [(1e-7, "1e-7"), (0.0005, "5e-4"), (0.01, "0.01"), (0.0, "0")])
    def test_small_rates_have_an_exponent(self, rate: float, text: str) -> None:
        assert rate_text(rate) == text

    @pytest.mark.parametrize(
        ("option", "level", "text"),
        [
            ("learning_rate", "0.0001", "1e-4"),
            ("plateau", "0.3x10", "×0.3 after 10"),
            ("plateau", "off", "off"),
            ("kernel_size", "7", "7"),
            ("C", "0.36999999999999994", "0.37"),
            ("date", "20240101", "20240101"),
            ("opt", "<b>", "<b>"),
        ],
    )
    def test_levels_are_short_in_tables(self, option: str, level: str, text: str) -> None:
        assert level_cell(option, level) == text

    @pytest.mark.parametrize(
        ("seconds", "text"), [(0.3, "under 1 s"), (14.4, "about 14 s"), (600, "about 10 min"), (9000, "about 2.5 h")]
    )
    def test_durations_have_their_unit(self, seconds: float, text: str) -> None:
        assert duration(seconds) == text

    def test_others_changes_name_both_levels(self) -> None:
        assert change_words("kernel_size", "3", "7") == "kernel size 7 instead of 3"
        assert change_words("plateau", "off", "0.3x10") == "a plateau of factor 0.3 and patience 10 instead of none"
        assert change_words("early_stopping_patience", "off", "15") == "early-stopping patience 15 instead of none"
        assert change_words("learning_rate", "off", "0.004453152026462822") == "learning rate 4.45e-3 instead of none"
        assert change_words("early_stopping_patience", "15", "off") == (
            "no early stopping instead of early-stopping patience 15"
        )


class TestWholeCell:
    def test_parts_thousands(self) -> None:
        assert whole_cell(9_950) == "9,950"

    def test_whole_cell_marks_what_is_not_known(self) -> None:
        assert whole_cell(None) == "–"


class TestMetricText:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.40432727, "0.404"),
            (0.9996, "1.00"),
            (0.0123, "0.0123"),
            (86.7, "86.7"),
            (1234.5, "1,235"),
            (0.0, "0"),
            (1e-5, "1e-5"),
            (-0.5, "−0.500"),
            (float("nan"), "not finite"),
            (None, "–"),
        ],
    )
    def test_metric_text_has_three_significant_digits(self, value: float | None, text: str) -> None:
        assert metric_text(value) == text

    def test_digits_apart_are_three_significant_ones_unless_values_need_more(self) -> None:
        assert [digits_apart(values) for values in ([86.7, 83.3], [0.51, 0.4123], [0.5121, 0.5123], [3.0, 5.0])] == [
            1, 3, 4, 0,
        ]  # fmt: skip


class TestRateText:
    def test_rate_text_of_six_digits_has_no_float32_noise(self) -> None:
        assert rate_text(2.9999999242136255e-05, 6) == "3e-5"


class TestPercentCell:
    @pytest.mark.parametrize(
        ("share", "text"),
        [
            (0.0, "0.0%"),
            (1.0, "100.0%"),
            (25 / 30, "83.3%"),
            (0.9999, "over 99.9%"),
            (0.0001, "under 0.1%"),
            (None, "–"),
        ],
    )
    def test_percent_cell_has_one_digit(self, share: float | None, text: str) -> None:
        assert percent_cell(share) == text

    @settings(derandomize=True, max_examples=100)
    @given(st.floats(0, 1, exclude_min=True, exclude_max=True))
    def test_percent_cell_is_never_a_false_nothing_or_all(self, share: float) -> None:
        assert percent_cell(share) not in {"0.0%", "100.0%"}


class TestPercentIntervalCell:
    def test_percent_interval_cell_gives_the_unit_once(self) -> None:
        assert percent_interval_cell((0.6644, 0.9266)) == "66.4–92.7%"


class TestColumnCells:
    def test_column_cells_have_their_unit_in_the_head(self) -> None:
        assert percent_number_cell(0.8333) == "83.3"
        assert percent_bounds_cell((0.6644, 0.9999)) == "66.4 to over 99.9"

    @pytest.mark.parametrize(
        ("value", "text"), [(0.01, "under 0.1"), (4.23, "4.2"), (78.4, "78"), (7_512.0, "7,512"), (None, "–")]
    )
    def test_column_cells_of_seconds_are_never_a_false_nothing(self, value: float | None, text: str) -> None:
        assert seconds_number_cell(value) == text


class TestPointsCell:
    @pytest.mark.parametrize(("difference", "text"), [(1 / 30, "+3.3 points"), (-0.2, "−20 points"), (0.0, "0 points")])
    def test_points_cell_has_a_sign(self, difference: float, text: str) -> None:
        assert points_cell(difference) == text


class TestPointsIntervalCell:
    def test_points_interval_cell_gives_the_unit_once(self) -> None:
        assert points_interval_cell((-0.12, 0.18)) == "−12 to +18 points"


class TestSecondsCell:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.0, "under 0.1 s"), (0.04, "under 0.1 s"), (4.23, "4.2 s"), (74.4, "74 s"), (99.6, "1 min 40 s"),
            (725.0, "12 min 5 s"), (7_500.0, "2 h 5 min"), (float("inf"), "–"), (None, "–"),
        ],
    )  # fmt: skip
    def test_seconds_cell_is_never_a_false_nothing(self, value: float | None, text: str) -> None:
        assert seconds_cell(value) == text


class TestCounted:
    def test_counted_counts_in_figures(self) -> None:
        assert [counted(number, "epoch") for number in (0, 1, 1200)] == ["0 epochs", "1 epoch", "1,200 epochs"]


class TestCountWords:
    def test_count_words_counts_to_nine_in_words(self) -> None:
        assert [count_words(number, "clip") for number in (1, 9, 10)] == ["one clip", "nine clips", "10 clips"]


class TestSome:
    def test_some_joins_five_names_and_counts_the_rest(self) -> None:
        assert some("abcde") == "a, b, c, d, e"
        assert some("abcdefg") == "a, b, c, d, e and 2 more"


class TestAge:
    @pytest.mark.parametrize(
        ("milliseconds", "text"),
        [(-5, "0 s"), (900, "0 s"), (59_999, "59 s"), (60_000, "1 min"), (7_200_000, "2 h"), (200_000_000, "2 d")],
    )
    def test_age_is_in_the_largest_unit(self, milliseconds: int, text: str) -> None:
        assert age(milliseconds) == text


class TestPNumber:
    @pytest.mark.parametrize(
        ("p_value", "sign", "text"),
        [
            (0.07, "=", "0.070"),
            (0.0004, "=", "< 0.001"),
            (1.0, "≤", "1.0"),
            (0.5, "≥", "≥ 0.500"),
            (0.0004, "≥", "≥ 0.0004"),
        ],
    )
    def test_p_number_leaves_out_an_equals_sign_only(self, p_value: float, sign: str, text: str) -> None:
        assert p_number(p_value, 0.05, sign) == text


@pytest.mark.parametrize(
    ("correct", "n", "text"), [(26, 30, "26/30 (86.7%)"), (30, 30, "30/30 (100%)"), (0, 30, "0/30 (0%)")]
)
def test_correct_of_has_a_count_and_its_percentage(correct: int, n: int, text: str) -> None:
    assert correct_of(correct, n) == text


@pytest.mark.parametrize(
    ("option", "levels", "phrases"),
    [
        ("epochs", "12", ["1 epoch", "2 epochs"]),
        ("n_mels", "19", ["1 mel band", "9 mel bands"]),
        ("segment_s", "12", ["segments of 1 s", "segments of 2 s"]),
    ],
)
def test_a_phrase_of_one_thing_is_in_the_singular(option: str, levels: str, phrases: list[str]) -> None:
    design = design_of([{option: level, "seed": "0"} for level in levels])
    assert [configuration_phrases(design, run)[-1] for run in range(2)] == phrases
