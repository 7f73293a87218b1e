from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import make_run, make_study, sentence_of, sentences_of
from tracker.conclusions.range_edge import Edge, range_edges

if TYPE_CHECKING:
    from tracker.runs import Run


def runs_at(levels: dict[str, str], option: str = "learning_rate") -> list[Run]:
    """A run for each level, with what it has correct."""
    return [make_run(i, signs, {option: level}) for i, (level, signs) in enumerate(levels.items(), 1)]


class TestRangeEdges:
    def test_the_best_level_is_the_lowest(self) -> None:
        (found,) = range_edges(make_study(*runs_at({"0.01": "1000", "1e-4": "1110", "0.001": "1100"})))
        assert (found.verdict, found.option) == ("exact", None)
        assert found.details.edges == (Edge("learning_rate", "0.0001", "lowest", ("0.0001", "0.001", "0.01")),)
        assert found.runs == (f"{2:032x}",)

    def test_the_best_level_is_the_highest(self) -> None:
        (found,) = range_edges(make_study(*runs_at({"3": "1000", "5": "1100", "11": "1110"}, "kernel_size")))
        (edge,) = found.details.edges
        assert (edge.best, edge.edge) == ("11", "highest")

    @pytest.mark.parametrize(
        "levels",
        [
            {"3": "1000", "5": "1110", "7": "1100"},  # in the middle
            {"3": "1000", "7": "1110"},  # of two each is an edge
            {"3": "1110", "5": "1100", "7": "1110"},  # a tie of both ends
            {"3": "1000", "5": "1100", "none": "1110"},  # where off lies is unknown
            {"3": "1000", "5": "1100", "large": "1110"},  # no number
        ],
    )
    def test_nothing_is_said_if_the_best_level_is_at_no_edge(self, levels: dict[str, str]) -> None:
        assert list(range_edges(make_study(*runs_at(levels, "kernel_size")))) == []

    def test_the_best_is_that_of_the_highest_mean_over_seeds(self) -> None:
        runs = [
            make_run(10 * kernel + seed, signs, {"kernel_size": str(kernel)}, seed=str(seed))
            for kernel, each in ((3, ("1000", "1000")), (5, ("1110", "1110")), (7, ("1111", "0000")))
            for seed, signs in enumerate(each)
        ]
        assert list(range_edges(make_study(*runs))) == []

    def test_a_loss_is_best_if_it_is_lowest(self) -> None:
        runs = [make_run(k, None, {"kernel_size": str(k)}, metrics={"val_loss": 1 / k}) for k in (3, 5, 7)]
        (found,) = range_edges(make_study(*runs, metric="val_loss"))
        assert found.details.edges[0].best == "7"


class TestSentence:
    def test_sentence_says_what_was_tried(self) -> None:
        study = make_study(*runs_at({"0.01": "1000", "1e-4": "1110", "0.001": "1100"}))
        assert sentence_of(study, "range_edge") == (
            "Better values may lie beyond those tried: the best configuration has the lowest learning rate tried "
            "(1e-4)."
        )

    def test_no_sentence_without_runs_to_rank(self) -> None:
        assert (
            sentences_of(make_study(*(make_run(k, None, {"kernel_size": str(k)}) for k in (3, 5, 7))), "range_edge")
            == []
        )

    def test_sentence_names_few_of_many_options(self) -> None:
        runs = [make_run(i, "1" * i + "0" * (3 - i), {f"p{k}": str(i) for k in range(9)}) for i in (1, 2, 3)]
        assert sentence_of(make_study(*runs), "range_edge").endswith(
            "the highest p2 tried (3) and the lowest or highest of 6 other options."
        )
