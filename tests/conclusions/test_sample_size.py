from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import sentence_of
from tracker.conclusions.comparisons import cross_validation
from tracker.conclusions.sample_size import KIND, sample_sizes
from tracker.conclusions.selection_optimism import selection_optimism
from tracker.statistics.repetitions import detectable_effect
from tracker.wording import wording_of

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeRuns, MakeStudy
    from tracker.runs import Run


class TestSampleSizes:
    def test_sample_sizes_of_the_writeup_are_what_its_rules_say(self, writeup: list[Run], studied: MakeStudy) -> None:
        (found,) = sample_sizes(studied(*writeup))
        details = found.details
        assert (found.n, round(100 * details.one_clip, 2)) == (30, 3.33)
        assert details.detectable == pytest.approx((0.176, 0.301), abs=0.002)
        assert details.clips_for_one == pytest.approx((169, 2117), rel=0.01)

    @pytest.mark.parametrize(("wrong", "p_value"), [(3, 0.1002), (4, 0.0489), (5, 0.0262)])
    def test_sample_sizes_test_a_perfect_score_against_the_best(
        self, made: MakeRun, studied: MakeStudy, wrong: int, p_value: float
    ) -> None:
        (found,) = sample_sizes(studied(made(1, "1" * (30 - wrong) + "0" * wrong)))
        assert found.details.best_correct == 30 - wrong
        assert found.details.ceiling_p == pytest.approx(p_value, abs=1e-4)

    def test_sample_sizes_test_a_perfect_score_over_groups(self, made: MakeRun, studied: MakeStudy) -> None:
        groups = [str(i // 3) for i in range(30)]
        right = "1" * 22 + "00" + "110" + "110"  # four clips of three groups
        (found,) = sample_sizes(studied(made(1, right, groups=groups)))
        assert (found.details.best_correct, found.details.ceiling_p) == (26, 0.25)

    def test_sample_sizes_know_no_p_of_a_perfect_score_if_groups_hide_the_mistakes(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        groups = [str(i // 3) for i in range(30)]
        runs = made(1, "1" * 20 + "0" * 10, groups=groups), made(2, seed="1", metrics={"best_val_accuracy": 0.9})
        (found,) = sample_sizes(studied(*runs))
        assert (found.details.best_correct, found.details.ceiling_p) == (27, None)

    def test_sample_sizes_use_how_often_the_models_disagree(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = sample_sizes(studied(made(1, "1" * 27 + "000"), made(2, "000" + "1" * 27, seed="1")))
        assert found.details.discordance == pytest.approx(0.2)

    def test_sample_sizes_find_less_if_clips_go_together(self, made: MakeRun, studied: MakeStudy) -> None:
        groups = [str(i // 3) for i in range(30)]
        runs = made(1, "1" * 30, groups=groups), made(2, "1" * 24 + "0" * 6, seed="1")
        (found,) = sample_sizes(studied(*runs))
        (apart,) = sample_sizes(studied(made(1, "1" * 30), made(2, "1" * 24 + "0" * 6, seed="1")))
        assert (found.details.n_groups, found.details.correlation, apart.details.correlation) == (10, 1.0, None)
        assert found.details.detectable[1] > 2 * apart.details.detectable[1]

    def test_sample_sizes_have_the_design_effect_of_their_groups_alone(self, made: MakeRun, studied: MakeStudy) -> None:
        groups, rng = [str(i // 3) for i in range(30)], np.random.default_rng(0)
        rights = ["".join("01"[int(x)] for x in rng.random(30) < 0.8) for _ in range(4)]
        runs = [made(i, signs, seed=str(i), groups=groups) for i, signs in enumerate(rights)]
        for few in (runs[:1], runs[:2], runs):
            (found,) = sample_sizes(studied(*few))
            assert found.details.design_effect == 3

    def test_sample_sizes_are_one_for_each_set_of_clips(self, made: MakeRun, studied: MakeStudy) -> None:
        found = list(sample_sizes(studied(made(1, "1100"), made(2, "110", prefix="other"))))
        assert [(c.n, c.runs) for c in found] == [(4, (f"{1:032x}",)), (3, (f"{2:032x}",))]

    def test_sample_sizes_join_runs_that_logged_only_how_many_clips(self, made: MakeRun, studied: MakeStudy) -> None:
        silent = {"tracker.dataset": "", "tracker.split": "", "tracker.validation_clips": "30"}
        (found,) = sample_sizes(studied(*(made(i, tags=silent) for i in range(3))))
        assert (found.n, len(found.runs)) == (30, 3)


class TestFolds:
    def test_folds_together_have_one_detectable_difference_between_configurations(
        self, on_folds: MakeRuns, studied: MakeStudy
    ) -> None:
        counts = {"3": (20, 20, 21), "7": (24, 25, 24)}
        study = studied(*on_folds({k: ["1" * n + "0" * (40 - n) for n in of_k] for k, of_k in counts.items()}))
        (found,) = sample_sizes(study)
        folds = cross_validation(study)
        expected = detectable_effect(folds.effect(*folds.configurations))
        assert (found.details.folds, found.n, found.details.detectable) == (3, 120, (None, expected))
        assert sentence_of(study, "sample_size").startswith("Over 3 folds, only differences of about ")

    def test_folds_pick_no_single_run(self, on_folds: MakeRuns, studied: MakeStudy) -> None:
        study = studied(*on_folds({"3": ["1100", "1000", "1110"], "7": ["1110", "1100", "1110"]}))
        assert list(selection_optimism(study)) == []


class TestSentence:
    def test_sentence_says_what_the_writeups_clips_can_detect(self, writeup: list[Run], studied: MakeStudy) -> None:
        assert sentence_of(studied(*writeup), "sample_size") == (
            "One of the 30 validation clips is 3.3 points. A difference of 18 to 30 points between two models, "
            "depending on how often they disagree, would be detected 4 times in 5; one of a single clip would take "
            "about 170 to 2,200 clips."
        )

    def test_sentence_says_how_often_models_disagree_and_what_a_perfect_score_would_show(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        groups = [str(i // 3) for i in range(30)]
        rights = "1" * 22 + "00110110", "1" * 20 + "0000110110", "1" * 22 + "00110010"
        runs = [made(i, right, seed=str(i), groups=groups) for i, right in enumerate(rights)]
        assert sentence_of(studied(*runs), "sample_size") == (
            "One of the 30 validation clips, which come from 10 groups, is 3.3 points. On average, two of these models "
            "disagree on 7% of the clips; only differences of about 31 points or more would be detected reliably. "
            "Even a perfect score of 30 would not be significantly better than 26 (p = 0.250)."
        )

    @pytest.mark.parametrize(("alpha", "fewest"), [(0.05, 6), (0.01, 8)])
    def test_sentence_says_that_few_groups_show_nothing(
        self, made: MakeRun, studied: MakeStudy, alpha: float, fewest: int
    ) -> None:
        groups = [str(i // 6) for i in range(30)]
        runs = made(1, "1" * 30, groups=groups), made(2, "1" * 27 + "000", seed="1")
        assert sentence_of(studied(*runs, alpha=alpha), "sample_size").endswith(
            f"any difference between two models, however large: significance takes at least {fewest} groups."
        )


class TestMethods:
    def test_methods_explain_different_intervals_of_equal_counts(self, made: MakeRun, studied: MakeStudy) -> None:
        groups = [str(i // 3) for i in range(30)]
        runs = made(1, "1" * 27 + "000", groups=groups), made(2, "110" * 3 + "1" * 21, seed="1")
        for shown, explained in ((runs, 1), (runs[:1], 0)):
            study = studied(*shown)
            assert len(list(KIND.methods(study, sample_sizes(study)))) == explained


class TestLimits:
    def test_limits_leave_what_a_single_set_of_clips_can_show_to_its_conclusion(
        self, writeup: list[Run], studied: MakeStudy
    ) -> None:
        study = studied(*writeup)
        assert tuple(KIND.limits(study, tuple(sample_sizes(study)), wording_of(study))) == ()

    def test_limits_say_that_clips_differ(self, made: MakeRun, studied: MakeStudy) -> None:
        study = studied(made(1, "1100"), made(2, "1110", prefix="other"), made(3, "1101"))
        *_, last = KIND.limits(study, tuple(sample_sizes(study)), wording_of(study))
        assert last == "Runs evaluated on different validation clips are not compared with each other."
