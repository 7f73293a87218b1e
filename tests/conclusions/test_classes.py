from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import sentence_of
from tracker.conclusions.classes import ClassErrors, Classes, Confusion, WrongClip, classes
from tracker.runs import Predictions
from tracker.runs.samples import predictions_of_hits
from tracker.statistics.proportions import wilson

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeStudy
    from tracker.runs import Run

GENRES = ("a", "b", "c")


def predicting(made: MakeRun, number: int, predicted: str) -> Run:
    """A run on clips of class ``a`` that predicts a class for each."""
    clips = tuple(f"clip{i:04d}" for i in range(len(predicted)))
    rows = np.array([[0.8 if name == sign else 0.1 for name in GENRES] for sign in predicted])
    return replace(made(number, seed=str(number)), validation=Predictions(clips, ("a",) * len(clips), GENRES, rows))


class TestClasses:
    def test_without_labels_only_the_number_of_errors_is_known(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [
            replace(made(i), validation=predictions_of_hits(("s1", "s2", "s3"), (True, False, i > 1)))
            for i in range(1, 4)
        ]
        (found,) = classes(studied(*runs))
        assert sentence_of(studied(*runs), "classes").startswith(
            "Run 2 gets 1 of 3 validation clips wrong. One clip is wrong in all 3 runs: s2."
        )
        assert [table.header for table in found.details.tables(in_points=True)] == [("clip",)]

    def test_count_the_best_runs_errors_by_class(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = classes(studied(made(1, "0011"), made(2, "1110", seed="1")))
        (errors,) = found.details.classes
        assert found.details.best == f"{2:032x}"
        assert (errors.name, errors.n, errors.wrong, errors.interval) == ("a", 4, 1, wilson(1, 4))
        assert (errors.mean_wrong, errors.taken_for, errors.taken) == (0.375, "b", 1)

    def test_a_tie_between_predicted_classes_is_a_tie(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = classes(studied(predicting(made, 1, "aacb")))
        (errors,) = found.details.classes
        assert (errors.taken_for, errors.taken, errors.also_taken_for) == ("b", 1, ("c",))
        (found,) = classes(studied(*(predicting(made, i, predicted) for i, predicted in enumerate("bcbc"))))
        assert found.details.always_wrong == (WrongClip("clip0000", "a", "b", 2, ("c",)),)

    def test_classes_count_the_confusions_of_all_runs(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = classes(studied(predicting(made, 1, "aacb"), predicting(made, 2, "acca")))
        assert found.details.errors == 4
        assert found.details.confusions == (Confusion("a", "c", 3), Confusion("a", "b", 1))

    def test_classes_find_the_clips_that_every_run_gets_wrong(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = classes(studied(*(made(i, right, seed=str(i)) for i, right in enumerate(["0101", "0110", "0111"]))))
        assert found.details.always_wrong == (WrongClip("clip0000", "a", "b", 3),)
        assert found.details.n_always_wrong == 1

    def test_classes_do_not_suspect_labels_by_two_runs(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = classes(studied(made(1, "01"), made(2, "01", seed="1")))
        assert found.details.n_always_wrong == 0

    def test_classes_are_unknown_without_predictions(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = classes(studied(made(1)))
        assert found.verdict == "unknown"


class TestSentence:
    def test_sentence_counts_errors_by_class(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [made(i, right, seed=str(i)) for i, right in enumerate(["0011", "0101", "0110"])]
        assert sentence_of(studied(*runs), "classes") == (
            "Run 1 gets 2 of 4 validation clips wrong: 2 of 4 in a (taken for b). One clip is wrong in all 3 runs: "
            "clip0000 (a, taken for b by all). Check its label."
        )

    def test_sentence_calls_a_tie_a_tie(self, made: MakeRun, studied: MakeStudy) -> None:
        assert sentence_of(studied(predicting(made, 1, "aacb")), "classes") == (
            "Run 1 gets 2 of 4 validation clips wrong: 2 of 4 in a (taken for b and c once each)."
        )
        assert sentence_of(studied(predicting(made, 1, "ccbb")), "classes").endswith(
            "(taken for b and c 2 times each)."
        )
        assert sentence_of(studied(predicting(made, 1, "acbb")), "classes").endswith("3 of 4 in a (2 taken for b).")
        assert sentence_of(studied(*(predicting(made, i, name) for i, name in enumerate("bcbc"))), "classes").endswith(
            "clip0000 (a, taken for b or c by 2 each). Check its label."
        )

    def test_sentence_says_that_nothing_is_wrong(self, made: MakeRun, studied: MakeStudy) -> None:
        assert sentence_of(studied(made(1, "11")), "classes") == "Run 1 gets every validation clip correct."


class TestTables:
    @pytest.mark.parametrize(
        ("intervals", "cells"), [([(0.0, 0.99)], []), ([(0.0, 0.99), (0.1, 0.6)], ["too few clips", "10.0–60.0%"])]
    )
    def test_tables_leave_out_intervals_that_say_nothing(
        self, intervals: list[tuple[float, float]], cells: list[str]
    ) -> None:
        errors = tuple(ClassErrors(str(i), 6, 0, interval, 0.0, None, 0) for i, interval in enumerate(intervals))
        (table,) = Classes("a", 1, errors).tables(in_points=True)
        assert ("95% interval" in table.header) == bool(cells)
        assert all(len(row) == len(table.header) for row in table.rows)
        assert [row[2] for row in table.rows if cells] == cells

    def test_tables_name_all_of_several_classes_that_were_predicted_as_often(self) -> None:
        errors = ClassErrors("metal", 6, 2, (0.097, 0.7), 0.25, "blues", 1, ("jazz",))
        (classes,) = Classes("a", 1, (errors,)).tables(in_points=True)
        assert classes.rows[0][-1] == "blues or jazz"

    def test_tables_have_errors_by_class_and_clips_that_all_runs_get_wrong(self) -> None:
        errors = ClassErrors("metal", 6, 2, (0.097, 0.6), 0.25, "blues", 2)
        details = Classes("a", 4, (errors,), (WrongClip("metal/1.wav", "metal", "blues", 4),), 1)
        classes, clips = details.tables(in_points=True)
        assert classes.rows == (("metal", "2 of 6", "9.7–60.0%", "25.0%", "blues"),)
        assert clips.rows == (("metal/1.wav", "metal", "blues", "4"),)
