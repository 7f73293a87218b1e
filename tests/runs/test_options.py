from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.runs import (
    LOGGED_OPTIONS,
    RUN_OPTIONS,
    Fold,
    Plateau,
    Range,
    Value,
    number_text,
    option_named,
    plan_with,
    reserved_for,
)

fixed = settings(derandomize=True, deadline=None, max_examples=60)


class TestTheTable:
    def test_the_table_names_and_flags_are_unique(self) -> None:
        assert len({entry.name for entry in RUN_OPTIONS}) == len(RUN_OPTIONS)
        assert len({entry.flag for entry in RUN_OPTIONS}) == len(RUN_OPTIONS)

    def test_every_option_has_help_and_every_logged_one_has_words(self) -> None:
        assert all(entry.help and not entry.help.endswith(".") for entry in RUN_OPTIONS)
        assert all(entry.words for entry in LOGGED_OPTIONS.values())

    def test_every_default_is_accepted(self) -> None:
        for entry in RUN_OPTIONS:
            entry.check(entry.default)


class TestRange:
    @pytest.mark.parametrize(
        ("bounds", "words"),
        [
            (Range(least=1), "at least 1"),
            (Range(above=0, below=1), "above 0 and below 1"),
            (Range(), ""),
            (Range(least=1, most=9), "1 to 9"),
            (Range(above=0, most=1e38), "above 0 and at most 1e38"),
            (Range(least=1_000.5, most=2**32), "1,000.5 to 4,294,967,296"),
        ],
    )
    def test_range_is_written_in_words(self, bounds: Range, words: str) -> None:
        assert str(bounds) == words

    @pytest.mark.parametrize("text", ["1,000 to 384,000", "1000 to 384000", "at least 1,000 and at most 384000"])
    def test_range_is_read_with_and_without_commas(self, text: str) -> None:
        assert Range.parse(text) == Range(least=1_000, most=384_000)

    @pytest.mark.parametrize("number", [0, 1, float("nan"), float("inf")])
    def test_excludes_its_open_ends_and_what_is_not_finite(self, number: float) -> None:
        assert number not in Range(above=0, below=1)


class TestParse:
    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("kernel_size", "7", 7),
            ("learning_rate", "1e-4", 0.0001),
            ("keep", "last", "last"),
            ("plateau", "0.3,10", Plateau(0.3, 10)),
            ("fold", "1/5", Fold(1, 5)),
        ],
    )
    def test_parse_reads_what_the_command_line_takes(self, name: str, text: str, value: Value) -> None:
        assert option_named(name).parse(text) == value

    @pytest.mark.parametrize(
        ("name", "text", "error"),
        [
            ("kernel_size", "2.5", "the kernel size must be a whole number, got '2.5'"),
            ("kernel_size", "0", "the kernel size must be 1 to 255, got 0"),
            ("learning_rate", "nan", "the learning rate must be above 0 and at most 1e38, got nan"),
            ("early_stopping_patience", "0", "the early-stopping patience must be 1 to 100,000, got 0"),
            ("keep", "worst", "--keep must be best or last, got 'worst'"),
            ("plateau", "0.3", "expected FACTOR,PATIENCE, for example 0.3,10, got '0.3'"),
            ("plateau", "0.3,1.5", "'0.3,1.5': the patience must be a whole number, got '1.5'"),
            ("fold", "6/5", "'6/5': a fold must be 1 to 5, got 6"),
        ],
    )
    def test_parse_says_what_is_wrong(self, name: str, text: str, error: str) -> None:
        with pytest.raises(ValueError) as caught:
            option_named(name).parse(text)
        assert str(caught.value) == error


class TestLevels:
    @pytest.mark.parametrize(
        ("name", "level", "value"),
        [("plateau", "0.3x10", Plateau(0.3, 10)), ("fold", "2/5", Fold(2, 5)), ("epochs", "80", 80)],
    )
    def test_levels_are_read_back_as_values(self, name: str, level: str, value: Value) -> None:
        assert option_named(name).from_level(level) == value

    @pytest.mark.parametrize(("name", "level"), [("plateau", "0.3"), ("plateau", "?x10"), ("epochs", "2.5")])
    def test_levels_are_refused_if_the_option_does_not_take_them(self, name: str, level: str) -> None:
        with pytest.raises(ValueError, match=r"must|cannot be read"):
            option_named(name).from_level(level)


class TestPlanWith:
    def test_plan_with_takes_compound_values_as_tuples(self) -> None:
        plan = plan_with({"plateau": (0.3, 10), "fold": (1, 5), "seed": 3, "data": "genres"})
        assert plan.configuration.plateau == Plateau(0.3, 10)
        assert (plan.split.fold, plan.seed) == (Fold(1, 5), 3)

    @pytest.mark.parametrize(
        ("values", "error"),
        [
            ({"kernel_size": 2.5}, "kernel_size: the kernel size must be a whole number, got 2.5"),
            ({"kernel_size": None}, "kernel_size: the kernel size must be a whole number, got None"),
            ({"kernel_size": True}, "kernel_size: the kernel size must be a whole number, got True"),
            ({"learning_rate": "fast"}, "learning_rate: the learning rate must be a number, got 'fast'"),
            ({"plateau": (0.3,)}, r"plateau: Plateau must be made of factor and patience, got \(0.3,\)"),
            ({"plateau": ("a", 1)}, r"plateau: Plateau must be made of factor and patience, got \('a', 1\)"),
            ({"plateau": 0.3}, "plateau: the plateau must be FACTOR,PATIENCE, such as 0.3,10, got 0.3"),
            ({"seed": -1}, "seed: the seed must be 0 to 4,294,967,295, got -1"),
            ({"kernel_size": 10**6}, "kernel_size: the kernel size must be 1 to 255, got 1000000"),
            ({"seed": 10**5_000}, "seed: the seed must be 0 to 4,294,967,295, got a number of about 5000 digits"),
            ({"plateau": (0.3, 10**5_000)}, "plateau: a plateau's patience must be 1 to 100,000, got a number .*"),
            ({"fold": (1, 10**9)}, "fold: the number of folds must be 2 to 10,000, got 1000000000"),
            ({"segment_s": float("inf")}, "segment_s: the segment length must be above 0 and at most 3,600, got inf"),
        ],
    )
    def test_plan_with_refuses_values_of_another_type_or_range(self, values: dict[str, object], error: str) -> None:
        with pytest.raises(ValueError, match=f"^{error}$"):
            plan_with(values)


class TestReservedFor:
    @pytest.mark.parametrize("name", ["lr", "learning_rate", "plateau_patience", "keep_going", "seeds", "help", "sr"])
    def test_reserved_for_names_what_a_networks_option_would_hide(self, name: str) -> None:
        assert reserved_for(name)

    @pytest.mark.parametrize("name", ["dropout", "width", "momentum"])
    def test_reserved_for_leaves_other_names_free(self, name: str) -> None:
        assert reserved_for(name) is None


class TestNumberText:
    @pytest.mark.parametrize(
        ("number", "text"),
        [
            (1e-4, "0.0001"), (3.0, "3"), (10**6, "1000000"), (0.1 + 0.2, "0.30000000000000004"),
            (-1.5e-7, "-0.00000015"), (2.0**-24, "0.00000005960464477539063"), (1e16, "10000000000000000"),
        ],
    )  # fmt: skip
    def test_number_text_has_no_exponent_and_no_trailing_zero(self, number: float, text: str) -> None:
        assert number_text(number) == text

    @fixed
    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_number_text_reads_back_to_the_same_number(self, number: float) -> None:
        assert float(number_text(number)) == number
        assert number_text(number) == number_text(np.float64(number))
