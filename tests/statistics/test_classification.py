from __future__ import annotations

import numpy as np
import pytest

from tests.lazy import Lazy
from tracker.statistics.classification import balanced_accuracy, macro_f1, mean_interval
from tracker.statistics.proportions import newcombe, wilson

balanced_accuracy_score = Lazy("sklearn.metrics", "balanced_accuracy_score")
f1_score = Lazy("sklearn.metrics", "f1_score")


def random_answers(seed: int) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    return [list(rng.choice(list("abcd"), size=40, p=[0.7, 0.2, 0.1, 0])) for _ in range(2)]


@pytest.mark.parametrize("seed", range(20))
class TestAgainstScikitLearn:
    def test_balanced_accuracy_is_scikit_learns(self, seed: int) -> None:
        labels, predicted = random_answers(seed)
        assert balanced_accuracy(labels, predicted) == pytest.approx(balanced_accuracy_score(labels, predicted))

    def test_macro_f1_is_scikit_learns(self, seed: int) -> None:
        labels, predicted = random_answers(seed)
        predicted[0] = "d"  # a class that no clip has
        expected = f1_score(labels, predicted, average="macro", zero_division=0)
        assert macro_f1(labels, predicted) == pytest.approx(expected)


class TestNoClass:
    def test_a_prediction_of_no_class_is_wrong_and_adds_no_class(self) -> None:
        assert balanced_accuracy(["a", "a", "b"], ["a", None, "b"]) == 0.75
        assert macro_f1(["a", "a", "b"], ["a", None, "b"]) == pytest.approx((2 / 3 + 1) / 2)

    def test_answers_must_be_of_all_clips(self) -> None:
        with pytest.raises(ValueError, match="a prediction for each label"):
            balanced_accuracy(["a", "b"], ["a"])


class TestMeanInterval:
    def test_mean_interval_of_one_fraction_is_its_own(self) -> None:
        assert mean_interval([0.8], [wilson(8, 10)]) == pytest.approx(wilson(8, 10))

    def test_mean_interval_of_two_is_newcombes_of_a_difference(self) -> None:
        """The mean of a and b is half the difference of a and 1 - b, moved by a half."""
        low, high = newcombe(0.8, wilson(8, 10), 0.25, wilson(5, 20))
        expected = (0.5 + low / 2, 0.5 + high / 2)
        assert mean_interval([0.8, 0.75], [wilson(8, 10), wilson(15, 20)]) == pytest.approx(expected)

    def test_mean_interval_covers_the_true_mean(self) -> None:
        rng = np.random.default_rng(5)
        sizes, truth = (54, 6, 12), np.array([0.9, 0.5, 0.7])
        hits = rng.binomial(sizes, truth, size=(1_000, 3))
        ends = [
            mean_interval(list(row / sizes), [wilson(int(k), n) for k, n in zip(row, sizes, strict=True)])
            for row in hits
        ]
        covered = np.mean([low <= truth.mean() <= high for low, high in ends])
        assert 0.93 < covered < 0.98
