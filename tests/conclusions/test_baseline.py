from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import make_predictions, make_run, make_study, sentence_of
from tracker.conclusions.baseline import BINOMIAL, SCORE, Baseline, baselines
from tracker.statistics.paired import unconditional
from tracker.statistics.proportions import grouped_proportion_p, proportion_p, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.runs import Run

COMMON = ("common",) * 11 + ("rare",)


def run_on(labels: Sequence[str], correct: str, number: int = 1, groups: Sequence[str] | None = None) -> Run:
    """A run on clips of these labels, which it has correct where the sign is 1."""
    predictions = make_predictions(correct, classes=sorted(set(labels)), labels=labels)
    of_clip = dict(zip(predictions.clips, groups, strict=True)) if groups else {}
    return replace(make_run(number, seed=str(number)), validation=predictions, groups=of_clip)


class TestBaselines:
    def test_a_model_that_gives_one_answer_is_the_baseline(self) -> None:
        (found,) = baselines(make_study(run_on(COMMON, "1" * 11 + "0")))
        assert (found.verdict, found.estimate, found.p_value) == ("inconclusive", 0.0, 1.0)
        assert (found.details.majority, found.details.correct, found.n) == ("common", 11, 12)
        assert found.details.interval == wilson(11, 12)
        assert found.details.runs[0].one_class

    def test_a_model_is_tested_against_the_share_of_the_most_common_label(self) -> None:
        labels = ("a",) * 20 + ("b",) * 20
        (found,) = baselines(make_study(run_on(labels, "1" * 36 + "0" * 4)))
        assert (found.verdict, found.method, found.details.also) == ("supported", BINOMIAL, ("b",))
        assert found.estimate == pytest.approx(0.4)
        assert found.p_value == proportion_p(36, 40, 0.5)
        assert found.details.runs[0].paired_p == unconditional(16, 0, 40)
        assert found.interval is not None
        assert found.interval[0] > 0

    def test_the_verdict_is_corrected_for_the_number_of_runs(self) -> None:
        labels = ("a",) * 15 + ("b",) * 15
        better = run_on(labels, "1" * 22 + "0" * 8)
        alone, *_ = baselines(make_study(better))
        worse = [run_on(labels, "1" * 15 + "0" * 15, number) for number in range(2, 12)]
        among, *_ = baselines(make_study(better, *worse))
        assert (alone.verdict, among.verdict) == ("supported", "inconclusive")
        assert among.p_value == alone.p_value
        assert among.p_adjusted == pytest.approx(11 * (alone.p_value or 0.0))

    def test_clips_in_groups_are_tested_by_groups(self) -> None:
        labels, groups = ("a",) * 15 + ("b",) * 15, [f"artist {clip // 3}" for clip in range(30)]
        (found,) = baselines(make_study(run_on(labels, "1" * 27 + "000", groups=groups)))
        correct = np.array([True] * 27 + [False] * 3)
        assert (found.verdict, found.method) == ("supported", SCORE)
        assert found.p_value == grouped_proportion_p(correct, [clip // 3 for clip in range(30)], 0.5)
        assert (found.details.runs[0].paired_p or 0.0) > 0.05  # the half of the groups can only be lost

    def test_a_run_without_predictions_is_tested_by_its_count(self) -> None:
        labels = ("a",) * 20 + ("b",) * 20
        counted = make_run(2, seed="2", metrics={"best_val_accuracy": 0.975}, tags={"tracker.validation_clips": "40"})
        judged = run_on(labels, "1" * 30 + "0" * 10)
        (found,) = baselines(make_study(judged, counted))
        assert [run.number for run in found.details.runs] == [2, 1]
        assert [run.paired_p is None for run in found.details.runs] == [True, False]

    def test_without_predictions_the_baseline_is_unknown(self) -> None:
        (found,) = baselines(make_study(make_run(1)))
        assert (found.verdict, found.details) == ("unknown", Baseline())

    def test_at_most_one_experiment_in_twenty_claims_what_is_not_there(self) -> None:
        """Ten runs that guess between two equally common classes."""
        rng, labels, claims = np.random.default_rng(3), ("a", "b") * 20, 0
        for _ in range(100):
            answers = ["".join(rng.choice(["0", "1"], size=40)) for _ in range(10)]
            (found,) = baselines(make_study(*(run_on(labels, signs, i) for i, signs in enumerate(answers))))
            claims += found.verdict == "supported"  # never by a run that is worse
        assert claims <= 5


class TestSentence:
    def test_sentence_of_a_model_that_gives_one_answer(self) -> None:
        assert sentence_of(make_study(run_on(COMMON, "1" * 11 + "0")), "baseline") == (
            "Answering “common” for every clip gets 11 of 12 validation clips correct (92%), and that is all run 1 "
            "does."
        )

    def test_sentence_of_a_model_that_is_no_better(self) -> None:
        assert sentence_of(make_study(run_on(COMMON, "1" * 10 + "01")), "baseline") == (
            "Answering “common” for every clip gets 11 of 12 validation clips correct (92%). Run 1 gets 11 (92%, 95% "
            "interval 65–99%) and is not significantly better."
        )

    def test_sentence_of_a_model_that_is_worse(self) -> None:
        sentence = sentence_of(make_study(run_on(COMMON, "0" * 11 + "1")), "baseline")
        assert sentence.endswith("Run 1 gets 1 (8%, 95% interval 1–35%) and does worse.")

    def test_sentence_says_that_a_correction_decides(self) -> None:
        labels = ("a",) * 15 + ("b",) * 15
        worse = [run_on(labels, "1" * 15 + "0" * 15, number) for number in range(2, 12)]
        study = make_study(run_on(labels, "1" * 22 + "0" * 8), *worse)
        assert sentence_of(study, "baseline").endswith(
            "Run 1 gets 22 (73%, 95% interval 56–86%) and is not significantly better after correcting for 11 runs."
        )

    def test_sentence_of_balanced_classes_names_those_that_fail(self) -> None:
        labels = ("a", "b", "c") * 10
        runs = [run_on(labels, "1" * 27 + "0" * 3), run_on(labels, "1" * 9 + "0" * 21, 2)]
        assert sentence_of(make_study(*runs), "baseline") == (
            "Run 1 beats the majority-class baseline, which answers one class for every clip and gets 10 of 30 "
            "validation clips correct (33%). Run 2 does not beat it significantly."
        )


def test_table_has_each_run_beside_the_baseline() -> None:
    (found,) = baselines(make_study(run_on(COMMON, "1" * 11 + "0")))
    (table,) = found.details.tables(in_points=True)
    assert table.rows == (("Run 1", "11", "64.6–98.5%", "0 points", "1.0", "1.0", "1.0"),)
