from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tracker.errors import TrackerError
from tracker.runs import Curve
from tracker.runs.logged import EpochPredictions, Predictions, correct, find_run

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


@dataclass
class Named:
    ids: tuple[str, ...]
    name: str = "a run"


RUNS = [
    Named(("a1b2c3",), "k7"),
    Named(("a1ffff", "f00d"), "k5"),
    Named(("beef00",), "k3"),
    Named(("beef01",), "k3"),
    Named(("c0ffee",), "a1b2c3"),
]


def refusal(runs: list[Named], text: str) -> str:
    with pytest.raises(TrackerError) as error:
        find_run(runs, text)
    return str(error.value)


class TestFindRun:
    @pytest.mark.parametrize(
        ("text", "run_id"),
        [
            ("a1b2c3", "a1b2c3"),
            ("a1f", "a1ffff"),
            ("A1F", "a1ffff"),
            ("k5", "a1ffff"),
            ("f00d", "a1ffff"),
            ("f0", "a1ffff"),
            ("c", "c0ffee"),
        ],
    )
    def test_find_run_finds_a_run_by_id_name_or_unique_beginning_of_an_id(self, text: str, run_id: str) -> None:
        assert find_run(RUNS, text).ids[0] == run_id

    @pytest.mark.parametrize(
        ("text", "candidates"),
        [("a1", "a1b2c3 ('k7'), a1ffff ('k5')"), ("k3", "beef00 ('k3'), beef01 ('k3')")],
    )
    def test_an_ambiguous_text_lists_the_candidates_on_one_line(self, text: str, candidates: str) -> None:
        assert refusal(RUNS, text) == f"{text!r} matches 2 runs: {candidates}; give more of the id"

    def test_a_name_that_is_the_short_id_of_another_run_names_neither(self) -> None:
        runs = [Named(("c0ffee00" + "1" * 24,)), Named(("f" * 32,), "c0ffee00")]
        assert refusal(runs, "c0ffee00").startswith("'c0ffee00' matches 2 runs: ")
        assert find_run(runs, "c0ffee001") is runs[0]

    def test_an_unknown_text_lists_the_runs_there_are(self) -> None:
        assert refusal(RUNS, "x").startswith("no run has the id or name 'x'; there are: a1b2c3 ('k7'), a1ffff ('k5')")

    def test_find_run_says_that_a_name_cannot_be_shortened(self) -> None:
        assert refusal([Named(("a1",), "k7-s0")], "k7").startswith(
            "no run has the id or name 'k7' (an id can be shortened, a name cannot); there are: a1 ('k7-s0')"
        )

    def test_an_empty_text_finds_nothing(self) -> None:
        assert refusal(RUNS, "").startswith("no run has the id or name ''")

    def test_find_run_without_runs_it_says_that_there_are_none(self) -> None:
        assert refusal([], "x") == "no run has the id or name 'x'; there are: none"

    def test_ids_that_begin_alike_are_listed_as_long_as_it_takes_to_tell_them_apart(self) -> None:
        runs = [Named(("0" * 8 + "1" + "0" * 23,)), Named(("0" * 8 + "2" + "0" * 23,))]
        assert "000000001 ('a run'), 000000002 ('a run')" in refusal(runs, "x")

    def test_find_run_at_most_ten_runs_are_listed_and_no_name_breaks_the_line(self) -> None:
        message = refusal([Named((f"{i:06}",), "evil\n\x1b[31m\u202e") for i in range(12)], "0")
        assert message.count("evil") == 10
        assert message.isprintable()
