from __future__ import annotations

import numpy as np
import pytest

from tracker.runs import Curve
from tracker.runs.logged import EpochPredictions, Predictions, correct

CLIPS, LABELS, CLASSES = ("1.wav", "2.wav", "3.wav"), ("a", "b", "a"), ("a", "b")


def predictions(*rows: tuple[float, float], labels: tuple[str, ...] = LABELS) -> Predictions:
    return Predictions(CLIPS, labels, CLASSES, np.array(rows))


class TestCorrect:
    def test_correct_compares_the_most_probable_class_with_the_label(self) -> None:
        assert predictions((0.9, 0.1), (0.6, 0.4), (0.2, 0.8)).correct.tolist() == [True, False, False]

    @pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf])
    def test_a_probability_that_is_not_finite_is_never_correct(self, lost: float) -> None:
        assert not predictions((lost, lost), (lost, 0.0), (0.9, lost)).correct.any()

    def test_a_label_that_is_not_a_class_is_never_correct(self) -> None:
        assert predictions((0.9, 0.1), (0.1, 0.9), (0.9, 0.1), labels=("c", "b", "c")).correct.tolist() == [
            False, True, False,
        ]  # fmt: skip

    def test_correct_of_equal_probabilities_the_first_class_counts(self) -> None:
        assert predictions((0.5, 0.5), (0.5, 0.5), (0.5, 0.5)).correct.tolist() == [True, False, True]

    def test_each_epoch_has_a_row(self) -> None:
        by_epoch = np.array([[[0.9, 0.1]] * 3, [[0.1, 0.9]] * 3, [[np.nan, np.nan]] * 3], dtype=np.float32)
        found = EpochPredictions(CLIPS, LABELS, CLASSES, by_epoch).correct
        assert found.tolist() == [[True, False, True], [False, True, False], [False, False, False]]

    def test_no_clips_give_no_answers(self) -> None:
        assert correct(np.empty((0, 2)), (), CLASSES).shape == (0,)


class TestPredicted:
    def test_predicted_is_the_most_probable_class_and_none_where_it_is_not_known(self) -> None:
        assert predictions((0.9, 0.1), (0.1, 0.9), (np.nan, 0.1)).predicted == ("a", "b", None)


class TestCurve:
    @pytest.mark.parametrize("first", [0, 1])
    def test_epochs_are_counted_from_one_whichever_step_comes_first(self, first: int) -> None:
        assert Curve(np.arange(first, first + 3), np.zeros(3)).epochs.tolist() == [1, 2, 3]
