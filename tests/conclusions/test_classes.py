from __future__ import annotations

from typing import TYPE_CHECKING

from tests.builders import sentence_of
from tracker.conclusions.classes import ClassErrors, Classes, WrongClip, classes
from tracker.statistics.proportions import wilson

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeStudy


class TestClasses:
    def test_count_the_best_runs_errors_by_class(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = classes(studied(made(1, "0011"), made(2, "1110", seed="1")))
        (errors,) = found.details.classes
        assert found.details.best == f"{2:032x}"
        assert (errors.name, errors.n, errors.wrong, errors.interval) == ("a", 4, 1, wilson(1, 4))
        assert (errors.mean_wrong, errors.taken_for, errors.taken) == (0.375, "b", 1)

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
            "Run 1 gets 2 validation clips wrong: 2 of 4 in a (95% interval 15–85%; taken for b). One clip is "
            "wrong in all three runs: clip0000 (a, taken for b by all); its label is worth checking."
        )


class TestTables:
    def test_tables_have_errors_by_class_and_clips_that_all_runs_get_wrong(self) -> None:
        errors = ClassErrors("metal", 6, 2, (0.097, 0.7), 0.25, "blues", 2)
        details = Classes("a", 4, (errors,), (WrongClip("metal/1.wav", "metal", "blues", 4),), 1)
        classes, clips = details.tables(in_points=True)
        assert classes.rows == (("metal", "2 of 6", "9.7–70.0%", "25.0%", "blues"),)
        assert clips.rows == (("metal/1.wav", "metal", "blues", "4"),)
