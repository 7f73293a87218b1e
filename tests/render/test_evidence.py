from __future__ import annotations

from tracker.conclusions.classes import ClassErrors, Classes, WrongClip
from tracker.conclusions.conclusion import Conclusion, Details
from tracker.conclusions.early_stopping import EarlyStopping, Patience
from tracker.conclusions.learning_rate import LearningRate, RateDrop
from tracker.render.tables import facts, tables


class TestFacts:
    def test_of_another_metric_are_in_its_unit(self) -> None:
        lower = Conclusion("option_effect", "inconclusive", ("a",), estimate=-0.0312)
        assert facts(lower, 0.05, in_points=False) == ("difference −0.0312",)

    def test_are_the_numbers_of_a_difference_with_their_method(self) -> None:
        conclusion = Conclusion(
            "run_difference", "inconclusive", ("a", "b"), estimate=2 / 30, interval=(-0.0512, 0.2218),
            p_value=0.5, p_adjusted=1.0, n=30, method="exact McNemar",
        )  # fmt: skip
        assert facts(conclusion, alpha=0.05) == (
            "difference +6.7 points",
            "95 % interval −5.1 to +22 points",
            "p = 0.500",
            "adjusted p = 1.0",
            "n = 30",
            "exact McNemar",
        )

    def test_call_an_estimate_of_something_else_by_that_name(self) -> None:
        assert facts(Conclusion("selection_optimism", "exact", ("a",), estimate=0.05), 0.05) == ("estimate +5 points",)

    def test_there_are_none_where_nothing_is_inferred(self) -> None:
        assert facts(Conclusion("early_stopping", "exact", ("a",), n=30), 0.05) == ()


class TestTables:
    def test_most_kinds_have_none(self) -> None:
        assert tables(Details()) == ()

    def test_early_stopping_has_a_row_a_patience_and_says_what_is_beyond_the_run(self) -> None:
        own = Patience(10, 34, 24, 10, censored=False, val_loss=0.5, correct=26)
        (table,) = tables(EarlyStopping((own, Patience(30, None, None, None, censored=True)), own=10))
        assert table.rows == (
            ("10 (its own)", "34", "10", "24", "0.5000", "26"),
            ("30", "beyond what was run", "–", "–", "–", "–"),
        )

    def test_early_stopping_has_a_row_for_the_patience_that_is_enough(self) -> None:
        enough = Patience(21, 51, 30, 9, censored=False)
        asked = (Patience(20, 29, 9, 31, censored=False), Patience(30, 60, 30, 0, censored=False))
        (table,) = tables(EarlyStopping(asked, enough=enough))
        assert [row[0] for row in table.rows] == ["20", "21", "30"]
        (same,) = tables(EarlyStopping(asked, enough=asked[1]))
        assert [row[0] for row in same.rows] == ["20", "30"]

    def test_the_learning_rate_has_a_row_a_drop(self) -> None:
        (table,) = tables(LearningRate(drops=(RateDrop(51, 1e-4, 3e-5, 0.4043, None),)))
        assert table.rows == (("51", "0.0001", "0.00003", "0.4043", "–"),)

    def test_classes_have_their_errors_and_the_clips_that_all_get_wrong(self) -> None:
        errors = ClassErrors("metal", 6, 2, (0.097, 0.7), 0.25, "blues", 2)
        details = Classes("a", 4, (errors,), (WrongClip("metal/1.wav", "metal", "blues", 4),), 1)
        classes, clips = tables(details)
        assert classes.rows == (("metal", "2 of 6", "9.7 to 70.0 %", "25.0 %", "blues"),)
        assert clips.row_of == (("metal/1.wav", "metal", "blues", "4"),)
