"""What a script hands over becomes params, metrics and predictions; whatever is wrong is said in one line."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tracker.recording.arguments import (
    checked_groups,
    checked_predictions,
    metric_values,
    name_of,
    param_texts,
)


class Tensor:
    """What tensors of PyTorch are to others: refused until they are detached and on the processor."""

    def __init__(self, values: Any, *, is_usable: bool = False) -> None:
        self.values = values
        self.is_usable = is_usable

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return Tensor(self.values, is_usable=True)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if not self.is_usable:
            raise RuntimeError("can't call numpy() on a tensor that requires grad")
        return np.array(self.values, dtype=dtype)


ROWS = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]


class TestParamTexts:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (1e-4, "0.0001"),
            (7, "7"),
            (3.0, "3"),
            (True, "true"),
            ("adam", "adam"),
            (np.float32(0.1), "0.1"),
            (np.array(0.5), "0.5"),
            (np.arange(3), "[0, 1, 2]"),
            (np.int64(3), "3"),
            ([1, 2], "[1, 2]"),
            ({"a": 1}, '{"a": 1}'),
            (math.inf, "inf"),
            (range(3), "range(0, 3)"),
        ],
    )
    def test_param_texts_writes_a_value_in_its_shortest_exact_form(self, value: object, text: str) -> None:
        assert param_texts({"x": value}) == {"x": text}

    def test_param_texts_leaves_out_params_that_are_off(self) -> None:
        assert param_texts({"early_stopping_patience": None, "seed": 0}) == {"seed": "0"}

    def test_param_texts_writes_a_plateau_as_its_two_params(self) -> None:
        assert param_texts({"plateau": (0.3, 10)}) == {"plateau_factor": "0.3", "plateau_patience": "10"}

    def test_param_texts_writes_a_fold_as_one_param(self) -> None:
        assert param_texts({"fold": (1, 5)}) == {"fold": "1/5"}

    def test_param_texts_refuses_a_plateau_out_of_range(self) -> None:
        with pytest.raises(ValueError, match="factor must be"):
            param_texts({"plateau": (3, 10)})

    def test_param_texts_refuses_a_name_that_is_not_a_text(self) -> None:
        with pytest.raises(ValueError, match="the name of a param must be a str, got 1"):
            param_texts({1: 2})  # type: ignore[dict-item]


class TestNameOf:
    @pytest.mark.parametrize(
        ("params", "name"),
        [
            ({"seed": "0", "learning_rate": "0.0001", "kernel_size": "7"}, "k7-lr0.0001-s0"),
            ({"seed": "1", "C": "10"}, "C10-s1"),
            ({"plateau_factor": "0.3", "plateau_patience": "10"}, "plateau0.3x10"),
            ({"path": "x" * 21}, "run"),
            ({"fold": "3"}, "fold3"),
            ({"fold": "1/5"}, "fold1/5"),
            ({"a": "x\x00\ny\udc80"}, "ax y"),
            ({}, "run"),
        ],
    )
    def test_name_of_names_a_run_by_its_params(self, params: dict[str, str], name: str) -> None:
        assert name_of(params) == name

    def test_name_of_is_short_however_many_params_there_are(self) -> None:
        assert len(name_of({f"param{i}": "1" for i in range(100)})) == 80


class TestMetricValues:
    def test_metric_values_takes_numbers_of_any_kind(self) -> None:
        given = {"a": 1, "b": np.float32(0.5), "c": np.array([2.0]), "d": math.nan}
        values = metric_values(given)
        assert (values["a"], values["b"], values["c"]) == (1.0, 0.5, 2.0)
        assert math.isnan(values["d"])

    @pytest.mark.parametrize(
        ("metrics", "message"),
        [
            ({}, "there must be at least one metric, got none"),
            ({"loss": "0.5"}, "the metric 'loss' must be a number, got '0.5'"),
            ({"loss": None}, "the metric 'loss' must be a number, got None"),
            ({"loss": 10**400}, "the metric 'loss' must be a number, got 1000"),
            ([("loss", 1)], r"metrics must be a mapping of names to values, got \[\('loss', 1\)\]"),
            ({"loss": [1, 2]}, r"the metric 'loss' must be a number, got \[1, 2\]"),
            ({1: 2}, "the name of a metric must be a str, got 1"),
        ],
    )
    def test_metric_values_refuses_what_is_not_a_number(self, metrics: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            metric_values(metrics)


class TestCheckedPredictions:
    def test_checked_predictions_sorts_by_sample(self) -> None:
        found = checked_predictions(["c", "a", "b"], ["x", "y", "x"], ROWS, ["x", "y"])
        assert found.clips == ("a", "b", "c")
        assert found.labels == ("y", "x", "x")
        assert found.probabilities.tolist() == [ROWS[1], ROWS[2], ROWS[0]]

    @pytest.mark.parametrize("labels", [["x", "y", "x"], [0, 1, 0], np.array([0, 1, 0]), (label for label in "xyx")])
    def test_checked_predictions_takes_labels_as_names_or_as_columns(self, labels: Any) -> None:
        assert checked_predictions(["a", "b", "c"], labels, ROWS, ["x", "y"]).labels == ("x", "y", "x")

    @pytest.mark.parametrize("labels", [[0.0, 1.0, 0.0], [False, True, False], np.array([[0], [1], [0]])])
    @pytest.mark.parametrize("classes", [["x", "y"], None])
    def test_checked_predictions_takes_any_whole_numbers_for_columns(self, labels: Any, classes: Any) -> None:
        found = checked_predictions(["a", "b", "c"], labels, ROWS, classes)
        assert [found.classes.index(label) for label in found.labels] == [0, 1, 0]

    def test_checked_predictions_takes_iterators_series_and_tensors_that_have_a_gradient(self) -> None:
        for rows in (iter(ROWS), Tensor(ROWS), [Tensor(row) for row in ROWS], np.array(ROWS, dtype=object)):
            found = checked_predictions(iter("abc"), [Tensor(1), Tensor(0), Tensor(1)], rows, iter("xy"))
            assert (found.labels, found.probabilities.tolist()) == (("y", "x", "y"), ROWS)

    def test_checked_predictions_takes_what_rounding_left_below_zero_for_zero(self) -> None:
        found = checked_predictions(["a", "b", "c"], ["x", "y", "x"], [[1 + 1e-9, -1e-9], *ROWS[1:]], ["x", "y"])
        assert found.probabilities[0, 1] == 0

    def test_checked_predictions_keeps_every_name_that_a_file_can_have(self) -> None:
        names = ['a\x00\r\n,"', "\udc80", b"\xff"]
        assert set(checked_predictions(names, ["x", "y", "x"], ROWS, ["x", "y"]).clips) == {*names[:2], "\udcff"}

    def test_checked_predictions_numbers_the_classes_if_they_have_no_names(self) -> None:
        found = checked_predictions([0, 1, 2], [0, 1, 0], np.array(ROWS, dtype=np.float32), None)
        assert (found.clips, found.classes, found.labels) == (("0", "1", "2"), ("0", "1"), ("0", "1", "0"))

    @pytest.mark.parametrize("column", [[0.1, 0.8, 0.4], [[0.1], [0.8], [0.4]]])
    def test_checked_predictions_takes_the_second_of_two_classes_alone(self, column: Any) -> None:
        found = checked_predictions(["a", "b", "c"], ["x", "y", "x"], column, ["x", "y"])
        assert np.allclose(found.probabilities, ROWS)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"clips": ["a", "b"]}, r"got 2 clips, 3 labels and probabilities of shape \(3, 2\)"),
            ({"clips": "abc"}, "clips must be a sequence, got 'abc'"),
            ({"clips": ["a", "b", "a"]}, "each clip must be given once, got a more than once"),
            ({"clips": [], "labels": [], "probabilities": np.empty((0, 2))}, "got 0 clips"),
            ({"labels": ["x", "y"]}, "got 3 clips, 2 labels"),
            ({"labels": ["x", "y", "z"]}, "a label must be one of the classes x, y, got 'z'"),
            ({"labels": [0, 1, 2]}, "a label must be one of the classes x, y, or 0 to 1, got 2"),
            ({"clips": None}, "clips must be a sequence, got None"),
            ({"clips": ["a", None, "b"]}, "clips must be names or numbers, one for each, got None"),
            ({"clips": ["a", "\ud800", "b"]}, "clips must be names or numbers, one for each, got"),
            ({"clips": np.zeros((3, 2))}, "clips must be names or numbers, one for each, got"),
            ({"clips": ["a", "", "b"]}, "clips must be names or numbers, one for each, got ''"),
            ({"labels": np.eye(2)[[0, 1, 0]]}, r"got '\[1.0, 0.0\]'; one-hot rows become labels by argmax"),
            ({"labels": [0, 1, -1]}, "a label must be one of the classes x, y, or 0 to 1, got -1"),
            ({"classes": 2}, "classes must be a sequence, got 2"),
            ({"classes": {"x", "y"}}, "classes must be a sequence, got {"),
            ({"probabilities": None}, "probabilities must be a table of numbers, got None"),
            ({"probabilities": np.array(ROWS) * 1j}, "probabilities must be a table of numbers, got"),
            ({"probabilities": np.ma.array(ROWS, mask=np.eye(3)[:, :2])}, "must be a table of numbers, got"),
            ({"probabilities": [[1], [0, 1], [1, 0]]}, "probabilities must be a table of numbers, got"),
            ({"probabilities": [-3.0, 2.0, 5.0]}, r"at least 0 .*: not logits\), got 4, -3 for 'a'"),
            ({"classes": ["x"]}, "there must be at least 2 classes, got 1"),
            ({"classes": ["x", "x"]}, "each class must be given once, got x more than once"),
            ({"classes": ["x", "y", "z"]}, r"a column for each of the 3 classes, got the shape \(3, 2\)"),
            ({"probabilities": "no"}, "probabilities must be a table of numbers, got 'no'"),
            ({"probabilities": np.ones((3, 2, 1))}, r"must have the shape \(clips, classes\), got \(3, 2, 1\)"),
            (
                {"probabilities": [[2.0, -1.0], *ROWS[1:]]},
                r"at least 0 .*: not logits\), got 2, -1 for 'a' \(in 1 of 3 clips\)",
            ),
            ({"probabilities": [*ROWS[:2], [math.nan, 1.0]]}, "must be finite, got nan, 1 for 'c'"),
            (
                {"probabilities": [[3.0, 1.2], [2.0, 1.0], [0.5, 0.5]]},
                r"must add up to 1 \(after a softmax: not logits\), got 3, 1.2 for 'a' \(in 2 of 3 clips\)",
            ),
        ],
    )
    def test_checked_predictions_says_what_does_not_fit(self, change: dict[str, Any], message: str) -> None:
        given = {"clips": ["a", "b", "c"], "labels": ["x", "y", "x"], "probabilities": ROWS, "classes": ["x", "y"]}
        with pytest.raises(ValueError, match=message) as raised:
            checked_predictions(**(given | change))
        assert "\n" not in str(raised.value)


class TestCheckedGroups:
    @pytest.mark.parametrize("groups", [["g", None, 2], {"a": "g", "c": 2}, np.array(["g", None, 2], dtype=object)])
    def test_checked_groups_takes_groups_by_order_or_by_name(self, groups: Any) -> None:
        assert checked_groups(groups, ["a", "b", "c"]) == {"a": "g", "c": "2"}

    def test_checked_groups_takes_what_is_missing_for_no_group(self) -> None:
        assert checked_groups(["g", math.nan, None, ""], list("abcd")) == {"a": "g"}
        assert checked_groups({1: "g"}, [1, 2]) == {"1": "g"}

    def test_checked_groups_has_none_if_none_are_given(self) -> None:
        assert checked_groups(None, ["a"]) == {}

    @pytest.mark.parametrize(
        ("groups", "message"),
        [
            ("gh", "groups must be a sequence, got 'gh'"),
            (3, "groups must be a sequence, got 3"),
            (np.zeros((2, 2)), "groups must be names or numbers, one for each, got"),
            (["g"], "there must be a group, or None, for each clip, got 1 for 2 clips"),
            ({"z": "g"}, "a group must be of one of the clips, got groups of z"),
        ],
    )
    def test_checked_groups_says_what_does_not_fit(self, groups: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            checked_groups(groups, ["a", "b"])
