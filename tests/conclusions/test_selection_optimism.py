from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import sentence_of, sentences_of
from tracker.conclusions.selection_optimism import METHOD_GROUPS, selection_optimism

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeStudy


def right(rng: np.random.Generator, n: int = 40) -> str:
    return "".join(rng.choice(["0", "1"], size=n))


class TestSelectionOptimism:
    def test_selection_optimism_grows_with_the_number_of_equal_runs(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(0)
        runs = [made(i, right(rng), seed=str(i)) for i in range(20)]
        (few,), (many,) = selection_optimism(studied(*runs[:2])), selection_optimism(studied(*runs))
        assert 0 < few.estimate < many.estimate

    def test_selection_optimism_is_the_same_whatever_the_order_of_runs(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(1)
        runs = [made(i, right(rng), seed=str(i)) for i in range(5)]
        assert [*selection_optimism(studied(*runs))] == [*selection_optimism(studied(*runs))]

    def test_selection_optimism_counts_the_choice_of_epochs_where_it_can(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        runs = [made(i, "1100", seed=str(i), by_epoch=["0110", "1100"], val_loss=[0.9, 0.8]) for i in range(2)]
        (found,) = selection_optimism(studied(*runs))
        assert found.details.over_epochs

    def test_selection_optimism_leaves_out_the_epochs_that_tracker_cannot_keep(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        kept, other = ["0110", "1100"], made(2, "1100", seed="2", by_epoch=["1100"])
        whole, lost = (made(1, "1100", seed="1", by_epoch=epochs) for epochs in (kept, [*kept, "xxxx", "11xx"]))
        (found,), (alike,) = (selection_optimism(studied(run, other)) for run in (lost, whole))
        assert found == alike
        assert found.details.over_epochs

    def test_selection_optimism_counts_no_choice_of_epochs_where_keras_may_have_kept_one_without_numbers(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        foreign = {"tracker.dataset": "", "tracker.split": ""}
        runs = [made(i, "1100", seed=str(i), by_epoch=["1100", "xxxx"], tags=foreign) for i in range(2)]
        (found,) = selection_optimism(studied(*runs))
        assert found.verdict == "estimate"
        assert not found.details.over_epochs

    def test_selection_optimism_is_not_estimated_from_a_single_group(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [made(i, "110010", seed=str(i), groups=list("xxxxxx")) for i in range(2)]
        assert [*selection_optimism(studied(*runs))] == []

    def test_selection_optimism_draws_groups_where_clips_share_them(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [made(i, "110010", seed=str(i), groups=list("xxyyzz")) for i in range(2)]
        (found,) = selection_optimism(studied(*runs))
        assert found.method == METHOD_GROUPS

    def test_selection_optimism_is_unknown_without_predictions(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = selection_optimism(studied(made(1), made(2, seed="1")))
        assert found.verdict == "unknown"

    def test_selection_optimism_is_unknown_where_runs_were_not_chosen_by_accuracy(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        runs = (made(i, "110", seed=str(i), val_loss=[0.9, 0.8]) for i in range(2))
        (found,) = selection_optimism(studied(*runs, metric="val_loss"))
        assert (found.verdict, found.details.why) == ("unknown", "metric")

    def test_selection_optimism_of_one_run_is_none(self, made: MakeRun, studied: MakeStudy) -> None:
        assert not list(selection_optimism(studied(made(1, "110"))))


class TestExpected:
    def test_expected_accuracy_is_what_it_is_here_less_the_bias(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(4)
        (found,) = selection_optimism(studied(*(made(i, right(rng), seed=str(i)) for i in range(4))))
        details, (low, high) = found.details, found.interval
        assert found.verdict == "estimate"
        assert details.expected == pytest.approx(details.accuracy - found.estimate)
        assert details.expected_interval == pytest.approx((details.accuracy - high, details.accuracy - low))

    def test_selection_optimism_says_that_no_two_runs_share_clips(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = selection_optimism(studied(made(1, "110"), made(2, "111", prefix="other")))
        assert (found.verdict, found.details.why) == ("unknown", "clips")


class TestSentence:
    def test_sentence_says_what_to_expect_on_new_clips(self, made: MakeRun, studied: MakeStudy) -> None:
        rng = np.random.default_rng(0)
        runs = [made(i, "".join(rng.choice(["0", "1"], size=40)), seed=str(i)) for i in range(6)]
        (sentence,) = sentences_of(studied(*runs), "selection_optimism")
        assert sentence.startswith(
            "Run 1 was picked using these same clips, so 58% is optimistic. On new clips, expect"
        )
        assert "about 49% (95% interval 37–58%)" in sentence

    def test_sentence_counts_the_choice_of_the_epoch(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = [made(i, "1100", seed=str(i), by_epoch=["0110", "1100"], val_loss=[0.9, 0.8]) for i in range(2)]
        assert sentence_of(studied(*runs), "selection_optimism").startswith("Run 1 and its best epoch were picked")

    def test_sentence_says_that_another_metric_is_not_resampled(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = (made(i, "110", seed=str(i), val_loss=[0.9, 0.8]) for i in range(2))
        assert sentence_of(studied(*runs, metric="val_loss"), "selection_optimism") == (
            "How much picking the best of 2 runs flatters its score is unknown: it is estimated for accuracy, but runs "
            "are ranked by val_loss."
        )

    def test_sentence_says_that_no_two_runs_share_clips(self, made: MakeRun, studied: MakeStudy) -> None:
        found = sentence_of(studied(made(1, "110"), made(2, "111", prefix="other")), "selection_optimism")
        assert found.endswith("is unknown: no two were evaluated on the same clips.")
