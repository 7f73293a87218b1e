from __future__ import annotations

import pytest

from tests.builders import make_study, sentence_of, sentences_of
from tests.conclusions.test_baseline import run_on
from tracker.conclusions.imbalance import ClassSize, imbalances
from tracker.statistics.classification import mean_interval
from tracker.statistics.proportions import wilson

UNEQUAL = ("common",) * 30 + ("rare",) * 10
BOTH = "1" * 27 + "000" + "1" * 6 + "0000"


class TestImbalances:
    def test_each_class_counts_alike_if_one_has_three_times_the_clips(self) -> None:
        (found,) = imbalances(make_study(run_on(UNEQUAL, BOTH)))
        assert (found.verdict, found.details.sizes) == ("estimate", (ClassSize("common", 30), ClassSize("rare", 10)))
        assert found.estimate == pytest.approx(0.75)
        assert found.interval == mean_interval([0.9, 0.6], [wilson(27, 30), wilson(6, 10)])
        (scores,) = found.details.runs
        assert (scores.accuracy, scores.balanced_accuracy) == pytest.approx((33 / 40, 0.75))
        assert scores.macro_f1 == pytest.approx((54 / 61 + 12 / 19) / 2)

    def test_nothing_is_said_of_classes_that_are_nearly_equal(self) -> None:
        assert sentences_of(make_study(run_on(("a",) * 29 + ("b",) * 10, "1" * 39)), "imbalance") == []

    def test_the_best_by_balanced_accuracy_may_be_another_run(self) -> None:
        runs = [run_on(UNEQUAL, "1" * 30 + "0" * 10), run_on(UNEQUAL, "1" * 19 + "0" * 11 + "1" * 10, 2)]
        (found,) = imbalances(make_study(*runs))
        assert [scores.number for scores in found.details.runs] == [1, 2]
        assert found.details.best_balanced == f"{2:032x}"


class TestSentence:
    def test_sentence_has_balanced_accuracy_and_macro_f1(self) -> None:
        assert sentence_of(make_study(run_on(UNEQUAL, BOTH)), "imbalance") == (
            "Classes are unequal: 30 validation clips of “common”, 10 of “rare”. Run 1's accuracy of 83% becomes 75% "
            "if each class counts alike (95% interval 59–87%); its macro-F1 is 0.758."
        )

    def test_sentence_with_too_few_clips_gives_no_interval(self) -> None:
        study = make_study(run_on(("a",) * 3 + ("b",), "1110"))
        assert "(too few clips to tell how it does on new ones)" in sentence_of(study, "imbalance")

    def test_sentence_names_a_run_that_would_be_first(self) -> None:
        runs = [run_on(UNEQUAL, "1" * 30 + "0" * 10), run_on(UNEQUAL, "1" * 19 + "0" * 11 + "1" * 10, 2)]
        assert sentence_of(make_study(*runs), "imbalance").endswith("By balanced accuracy run 2 would be first.")


def test_table_has_the_scores_of_each_run() -> None:
    (found,) = imbalances(make_study(run_on(UNEQUAL, BOTH)))
    (table,) = found.details.tables(in_points=True)
    assert table.rows == (("Run 1", "82.5%", "75.0%", "0.758"),)
