from __future__ import annotations

from tracker.conclusions.conclusion import Conclusion, Details
from tracker.render.tables import facts


class TestFacts:
    def test_facts_of_another_metric_are_in_its_unit(self) -> None:
        lower = Conclusion("option_effect", "inconclusive", ("a",), estimate=-0.0312)
        assert facts(lower, 0.05, in_points=False) == ("difference −0.0312",)

    def test_facts_are_the_numbers_of_a_difference_with_their_method(self) -> None:
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

    def test_most_kinds_have_no_table(self) -> None:
        assert Details().tables(in_points=True) == ()
