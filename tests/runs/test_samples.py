from __future__ import annotations

import numpy as np
import pytest

from tracker.runs.logged import NO_LABEL
from tracker.runs.samples import (
    class_columns,
    class_names,
    predictions_of_classes,
    predictions_of_hits,
    sample_columns,
    truth_of,
)


class TestColumns:
    def test_columns_are_known_in_any_case(self) -> None:
        found = sample_columns(["Sample", " y_true ", "Prediction", "extra"])
        assert (found.sample, found.label, found.predicted, found.correct) == (0, 1, 2, None)
        assert found.has_outcome

    def test_a_label_alone_is_no_outcome(self) -> None:
        assert not sample_columns(["sample", "label"]).has_outcome

    @pytest.mark.parametrize("header", [["cat", "dog"], ["p_cat", "p_dog"], ["prob_Cat", "PROB_dog"]])
    def test_every_class_has_its_probability(self, header: list[str]) -> None:
        assert class_columns(["sample", *header], ["cat", "dog"]) == {"cat": 1, "dog": 2}

    def test_probabilities_of_some_classes_alone_are_none(self) -> None:
        assert class_columns(["cat"], ["cat", "dog"]) == {}


class TestClassNames:
    @pytest.mark.parametrize(
        ("labels", "predicted", "names"),
        [
            (["0", "1"], ["1.0", "0.0"], (["0", "1"], ["1", "0"])),
            (["True", "False"], ["1", "1"], (["1", "0"], ["1", "1"])),
            (["cat", "dog"], ["dog ", "dog"], (["cat", "dog"], ["dog", "dog"])),
            (["007", "008"], ["008", "008"], (["007", "008"], ["008", "008"])),
        ],
    )
    def test_equal_classes_have_one_name(
        self, labels: list[str], predicted: list[str], names: tuple[list[str], list[str]]
    ) -> None:
        assert class_names(labels, predicted) == names

    def test_numbers_with_decimals_are_no_classes(self) -> None:
        with pytest.raises(ValueError, match=r"must be a class, got the number 2\.5"):
            class_names(["2.5", "3.0"], ["2.4", "3.1"])


class TestPredictions:
    def test_classes_without_probabilities_say_which_samples_are_correct(self) -> None:
        found = predictions_of_classes(["b", "a"], ["x", "y"], ["x", "x"])
        assert (found.clips, found.predicted, found.correct.tolist()) == (("a", "b"), ("x", "x"), [False, True])
        assert not found.has_finite_probabilities

    def test_probabilities_follow_their_samples(self) -> None:
        rows = np.array([[0.9, 0.1], [0.2, 0.8]])
        found = predictions_of_classes(["b", "a"], ["x", "x"], ["x", "y"], (["x", "y"], rows))
        assert found.probabilities is not None
        assert found.probabilities[0].tolist() == [0.2, 0.8]
        assert found.correct.tolist() == [False, True]

    def test_hits_have_no_labels(self) -> None:
        found = predictions_of_hits(["b", "a"], [True, False])
        assert found.correct.tolist() == [False, True]
        assert set(found.labels) == {NO_LABEL}
        assert not found.has_labels

    def test_a_sample_twice_is_refused(self) -> None:
        with pytest.raises(ValueError, match="got 'a' twice"):
            predictions_of_hits(["a", "a"], [True, True])


@pytest.mark.parametrize(
    ("text", "truth"), [("1", True), ("True", True), (" no ", False), ("0.0", False), ("0.5", None)]
)
def test_truth_values_are_read(text: str, truth: bool | None) -> None:
    assert truth_of(text) is truth
