from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import sentence_of, sentences_of
from tracker.conclusions.comparisons import printed_pairs, run_family
from tracker.conclusions.run_difference import COUNTS, MCNEMAR, SIGN_FLIP, run_differences
from tracker.statistics.paired import tango

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeStudy
    from tracker.conclusions.conclusion import Conclusion
    from tracker.runs import Run
    from tracker.study.study import Study


def differences(study: Study) -> tuple[Conclusion, ...]:
    printed = printed_pairs(study)
    return run_differences(study, printed, run_family(study, printed))


class TestRunDifferences:
    def test_run_differences_say_how_many_clips_each_has_alone(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = differences(studied(made(1, "0111100000"), made(2, "1110011111", seed="1")))
        assert found.runs == (f"{2:032x}", f"{1:032x}")
        assert (found.details.correct, found.details.only_first, found.details.only_second) == ((8, 4), 6, 2)
        assert (found.estimate, found.interval, found.method) == (0.4, tango(6, 2, 10), MCNEMAR)

    def test_run_differences_are_supported_only_after_correction(self, made: MakeRun, studied: MakeStudy) -> None:
        right = ["1" * 20, "1" * 13 + "0" * 7, *["1" * 19 + "0"] * 6]
        found = differences(studied(*(made(i, signs, seed=str(i)) for i, signs in enumerate(right))))
        (clearest,) = [c for c in found if c.details.correct == (20, 13)]
        assert clearest.p_value == pytest.approx(0.015625)
        assert (clearest.verdict, clearest.p_adjusted) == ("inconclusive", pytest.approx(28 * 0.015625))

    def test_run_differences_of_two_runs_need_no_correction(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = differences(studied(made(1, "1" * 20), made(2, "1" * 13 + "0" * 7, seed="1")))
        assert (found.verdict, found.p_adjusted) == ("supported", found.p_value)

    def test_run_differences_are_equivalent_where_the_interval_lies_inside_the_margin(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        runs = made(1, "1" * 300), made(2, "1" * 299 + "0", seed="1")
        (found,) = differences(studied(*runs))
        assert (found.verdict, found.details.within_margin) == ("equivalent", True)
        (strict,) = differences(studied(*runs, margin=0.001))
        assert strict.verdict == "inconclusive"

    def test_run_differences_are_exact_where_both_went_the_same_way(self, made: MakeRun, studied: MakeStudy) -> None:
        losses = [0.9, 0.8, 0.85]
        (found,) = differences(studied(*(made(i, "110", seed=str(i), val_loss=losses) for i in (1, 2))))
        assert (found.verdict, found.estimate) == ("exact", 0)

    def test_run_differences_are_not_comparable_on_other_clips(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = differences(studied(made(1, "110"), made(2, "111", prefix="other")))
        assert (found.verdict, found.details.why, found.estimate, found.p_value) == (
            "not_comparable",
            "clips",
            None,
            None,
        )

    def test_run_differences_are_unknown_where_the_clips_were_not_logged(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        silent = {"tracker.dataset": "", "tracker.split": "", "tracker.validation_clips": "30"}
        runs = (made(i, tags=silent, metrics={"best_val_accuracy": 0.8}) for i in (1, 2))
        (found,) = differences(studied(*runs))
        assert (found.verdict, found.details.why) == ("unknown", "unlogged clips")

    def test_run_differences_from_counts_give_the_range_of_p(self, writeup: list, studied: MakeStudy) -> None:
        found = differences(studied(*writeup))
        (widest,) = [c for c in found if c.details.correct == (26, 24)]
        assert (widest.verdict, widest.method) == ("inconclusive", COUNTS)
        assert widest.details.p_range == (0.5, widest.p_value)

    def test_on_grouped_clips_flip_groups_and_show_mcnemar(self, made: MakeRun, studied: MakeStudy) -> None:
        groups = [str(i // 3) for i in range(30)]
        (found,) = differences(studied(made(1, "1" * 30, groups=groups), made(2, "1" * 18 + "0" * 12, seed="1")))
        assert (found.method, found.details.informative_groups, found.p_value) == (SIGN_FLIP, 4, 0.125)
        assert found.details.p_if_independent == pytest.approx(2 / 2**12)
        assert found.verdict == "inconclusive"

    def test_run_differences_say_which_option_differs_in_a_matched_pair(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        (found,) = differences(studied(made(1, "110", {"k": "3"}), made(2, "100", {"k": "7"})))
        assert (found.details.matched, found.details.differs_in) == (True, ("k",))

    def test_run_differences_have_their_log_loss_among_the_details(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = differences(studied(made(1, "1111000011"), made(2, "1100000011", seed="1")))
        assert found.details.log_loss.estimate == pytest.approx(2 * np.log(0.2 / 0.9) / 10)

    def test_run_differences_say_how_many_clips_would_show_it(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = differences(studied(made(1, "1" * 20 + "0" * 10), made(2, "0" + "1" * 18 + "0" * 11, seed="1")))
        assert 100 < found.details.clips_needed < 1000


class TestIntervalsOfGroups:
    def test_intervals_of_groups_stay_within_what_can_be(self, made: MakeRun, studied: MakeStudy) -> None:
        groups = [*"a" * 18, "b", "b"]
        (found,) = differences(studied(made(1, "1" * 20, groups=groups), made(2, "1" * 9 + "0" * 11, seed="1")))
        assert -1 < found.interval[0] < found.estimate < found.interval[1] == 1


class TestSentence:
    def test_sentence_says_that_a_lead_is_within_chance(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1" * 26 + "0000"), made(2, "00" + "1" * 23 + "00110", seed="1")
        assert sentence_of(studied(*runs), "run_difference") == (
            "Run 1 is right on 26 of 30 validation clips, run 2 on 25: a lead of 1 clip, 3.3 points (three that only "
            "run 1 has right, two that only run 2 has). That is well within chance (95% interval −14 to +21 points; "
            "exact McNemar p = 1.0). To show a difference of 3.3 points takes about 1,200 clips."
        )

    def test_sentence_says_that_a_lead_is_beyond_chance(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1" * 20, {"k": "3"}), made(2, "1" * 13 + "0" * 7, {"k": "7"})
        assert sentence_of(studied(*runs), "run_difference") == (
            "Run 1 is right on 20 of 20 validation clips, run 2 on 13: a lead of 7 clips, 35 points (seven that "
            "only run 1 has right, none that only run 2 has). That is more than chance gives (95% interval +13 to +57 "
            "points; exact McNemar p = 0.016). It holds for these two models: whether k or the luck of one training "
            "did it, one training each cannot say."
        )

    def test_sentence_gives_the_p_values_that_counts_allow(self, writeup: list[Run], studied: MakeStudy) -> None:
        assert sentences_of(studied(*writeup), "run_difference")[-1] == (
            "Run 3 is right on 26 of 30 validation clips, run 4 on 24: a lead of 2 clips, 6.7 points. That is well "
            "within chance (95% interval −15 to +28 points; exact McNemar p = 0.500 to 0.754, by which clips it is)."
        )

    def test_sentence_gives_one_p_value_if_counts_leave_no_doubt(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = (
            made(i, seed=str(i), tags={"tracker.validation_clips": "4"}, metrics={"best_val_accuracy": accuracy})
            for i, accuracy in enumerate([0.75, 0.5])
        )
        assert "exact McNemar p = 1.0, whichever clips it is" in sentence_of(studied(*runs), "run_difference")

    def test_sentence_says_that_few_groups_cannot_decide(self, made: MakeRun, studied: MakeStudy) -> None:
        groups = [str(i // 3) for i in range(30)]
        runs = made(1, "1" * 30, groups=groups), made(2, "1" * 27 + "000", seed="1")
        (sentence,) = sentences_of(studied(*runs), "run_difference")
        assert "Clips share groups, and only one group tells the two apart: below six no test can decide" in sentence

    def test_sentence_says_that_runs_on_other_clips_are_not_compared(self, made: MakeRun, studied: MakeStudy) -> None:
        assert sentence_of(studied(made(1, "110"), made(2, "111", prefix="other")), "run_difference") == (
            "Run 1 and run 2 were judged on different validation clips and are not compared."
        )
