from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import sentence_of, sentences_of
from tracker.conclusions.comparisons import printed_pairs, run_family
from tracker.conclusions.run_difference import COUNTS, LOSSES, SIGN_FLIP, UNCONDITIONAL, run_differences
from tracker.statistics.paired import mcnemar, tango, unconditional

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
        assert (found.estimate, found.interval, found.method) == (0.4, tango(6, 2, 10), UNCONDITIONAL)
        assert found.p_value == unconditional(6, 2, 10)
        assert found.details.mcnemar_p == mcnemar(6, 2)

    def test_run_differences_are_supported_only_after_correction(self, made: MakeRun, studied: MakeStudy) -> None:
        right = ["1" * 20, "1" * 13 + "0" * 7, *["1" * 19 + "0"] * 6]
        found = differences(studied(*(made(i, signs, seed=str(i)) for i, signs in enumerate(right))))
        (clearest,) = [c for c in found if c.details.correct == (20, 13)]
        assert clearest.p_value == pytest.approx(unconditional(7, 0, 20))
        assert (clearest.verdict, clearest.p_adjusted) == ("inconclusive", pytest.approx(28 * clearest.p_value))

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
        assert widest.details.p_range == (pytest.approx(unconditional(2, 0, 30)), widest.p_value)

    def test_on_grouped_clips_flip_groups_and_show_mcnemar(self, made: MakeRun, studied: MakeStudy) -> None:
        groups = [str(i // 3) for i in range(30)]
        (found,) = differences(studied(made(1, "1" * 30, groups=groups), made(2, "1" * 18 + "0" * 12, seed="1")))
        assert (found.method, found.details.informative_groups, found.p_value) == (SIGN_FLIP, 4, 0.125)
        assert found.details.p_if_independent == pytest.approx(2 / 2**12)
        assert found.verdict == "inconclusive"

    def test_run_differences_need_as_many_groups_as_alpha_asks_for(self, made: MakeRun, studied: MakeStudy) -> None:
        groups = [str(i // 3) for i in range(30)]
        runs = made(1, "1" * 30, groups=groups), made(2, "1" * 15 + "0" * 15, seed="1")
        (strict,), (lenient,) = differences(studied(*runs)), differences(studied(*runs, alpha=0.1))
        assert (strict.verdict, strict.details.informative_groups, strict.details.fewest_groups) == (
            "inconclusive",
            5,
            6,
        )
        assert (lenient.verdict, lenient.details.fewest_groups) == ("supported", 5)

    @pytest.mark.parametrize("size", [1, 2])
    def test_run_differences_never_have_an_interval_that_disagrees_with_the_test_about_0(
        self, made: MakeRun, studied: MakeStudy, size: int
    ) -> None:
        rng, groups = np.random.default_rng(size), [str(i // size) for i in range(24)]
        for _ in range(40):
            right = ["".join("01"[int(x)] for x in rng.random(24) < share) for share in (0.95, 0.6)]
            (found,) = differences(studied(made(1, right[0], groups=groups), made(2, right[1], seed="1")))
            low, high = found.interval
            assert (low < 0 < high) <= (found.p_value > 0.05) <= (low <= 0 <= high)

    def test_run_differences_do_not_depend_on_other_runs(self, made: MakeRun, studied: MakeStudy) -> None:
        rng, groups = np.random.default_rng(5), [str(i // 3) for i in range(30)]
        rights = ["".join("01"[int(x)] for x in rng.random(30) < 0.8) for _ in range(5)]
        runs = [made(i, signs, seed=str(i), groups=groups) for i, signs in enumerate(rights)]
        found = {c.runs: c for c in differences(studied(*runs))}
        for pair, among in found.items():
            (alone,) = differences(studied(*(run for run in runs if run.run_id in pair)))
            assert alone.details.clips_needed == among.details.clips_needed
            assert (alone.interval, alone.p_value) == (among.interval, among.p_value)

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
        assert found.details.clips_needed == 90


class TestLosses:
    def test_losses_of_clips_are_tested_if_they_are_the_metric(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1" * 20, val_loss=[0.9, 0.2]), made(2, "1" * 8 + "0" * 12, seed="1", val_loss=[0.9, 1.0])
        study = studied(*runs, metric="val_loss")
        (found,) = differences(study)
        assert (found.method, found.verdict) == (LOSSES, "supported")
        assert found.estimate == pytest.approx(12 / 20 * np.log(0.2 / 0.9))
        assert found.p_value == found.p_adjusted == found.details.log_loss.p_value < 0.01
        assert found.interval[0] < found.estimate < found.interval[1] <= 0
        assert (found.details.interval_90, found.details.clips_needed) == (None, None)

    def test_losses_that_are_not_known_clip_by_clip_are_not_tested(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "110", val_loss=[0.9, 0.8]), made(2, seed="1", val_loss=[0.9, 0.7])
        (found,) = differences(studied(*runs, metric="val_loss"))
        assert (found.verdict, found.details.why) == ("unknown", "predictions")

    def test_losses_of_many_runs_are_tested_against_the_best_and_corrected_for_all_pairs(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        rights = ["1" * 12, "1" * 11 + "0", "1" * 9 + "000", "1" * 6 + "0" * 6]
        study = studied(
            *(made(i, right, seed=str(i), val_loss=[1.0, i / 10]) for i, right in enumerate(rights)), metric="val_loss"
        )
        family = run_family(study, printed_pairs(study))
        assert (family.size, set(family.p_values)) == (6, {(0, 1), (0, 2), (0, 3)})


class TestIntervalsOfGroups:
    def test_intervals_of_two_groups_say_nothing(self, made: MakeRun, studied: MakeStudy) -> None:
        groups = [*"a" * 18, "b", "b"]
        (found,) = differences(studied(made(1, "1" * 20, groups=groups), made(2, "1" * 9 + "0" * 11, seed="1")))
        assert (found.interval, found.details.interval_90) == ((-1, 1), (-1, 1))


class TestSentence:
    def test_sentence_says_that_chance_explains_a_lead(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1" * 26 + "0000"), made(2, "00" + "1" * 23 + "00110", seed="1")
        assert sentence_of(studied(*runs), "run_difference") == (
            "Run 1 has 26/30 validation clips correct and run 2 25/30, 1 clip fewer (3.3 points). On 3 clips only run "
            "1 is correct, on 2 only run 2. Chance easily explains the difference (95% interval −14 to +21 points). "
            "Detecting a difference of 3.3 points would take about 1,200 clips."
        )

    def test_sentence_says_that_chance_does_not_explain_a_lead(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1" * 20, {"k": "3"}), made(2, "1" * 13 + "0" * 7, {"k": "7"})
        assert sentence_of(studied(*runs), "run_difference") == (
            "Run 1 has 20/20 validation clips correct and run 2 13/20, 7 clips fewer (35 points). Run 1 has every clip "
            "correct that run 2 has. Chance does not explain the difference (95% interval +13 to +57 points). It holds "
            "for these two models: one training each cannot separate k from training noise."
        )

    def test_sentence_says_that_a_lead_does_not_survive_the_correction(self, made: MakeRun, studied: MakeStudy) -> None:
        rights = ["1" * 20, "1" * 13 + "0" * 7, *["1" * 19 + "0"] * 6]
        found = sentences_of(
            studied(*(made(i, signs, seed=str(i)) for i, signs in enumerate(rights))), "run_difference"
        )
        assert "significant on its own (p = 0.012), but not after correcting for 28 pairs." in found[-1]

    def test_sentence_of_equal_runs_says_that_they_are_not_different(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1" * 25 + "00000"), made(2, "0" + "1" * 24 + "00001", seed="1")
        assert sentence_of(studied(*runs), "run_difference") == (
            "Run 1 and run 2 both have 25/30 validation clips correct. On 1 clip only run 1 is correct, on 1 only run "
            "2. They are not statistically different (95% interval −14 to +14 points)."
        )

    def test_sentence_leaves_out_what_chance_explains_whatever_the_clips(
        self, writeup: list[Run], studied: MakeStudy
    ) -> None:
        assert sentences_of(studied(*writeup), "run_difference")[-1] == (
            "Run 3 has 26/30 validation clips correct and run 4 24/30, 2 clips fewer (6.7 points). Chance easily "
            "explains the difference (95% interval −15 to +28 points)."
        )

    def test_sentence_gives_the_p_values_that_counts_allow_if_they_differ_in_significance(
        self, made: MakeRun, studied: MakeStudy
    ) -> None:
        runs = (
            made(i, seed=str(i), tags={"tracker.validation_clips": "30"}, metrics={"best_val_accuracy": accuracy})
            for i, accuracy in enumerate([24 / 30, 18 / 30])
        )
        assert sentence_of(studied(*runs), "run_difference") == (
            "Run 1 has 24/30 validation clips correct and run 2 18/30, 6 clips fewer (20 points). Whether chance "
            "explains it depends on which clips these are (p = 0.016 to 0.218); predictions would tell."
        )

    def test_sentence_says_that_few_groups_cannot_decide(self, made: MakeRun, studied: MakeStudy) -> None:
        groups = [str(i // 3) for i in range(30)]
        runs = made(1, "1" * 30, groups=groups), made(2, "1" * 27 + "000", seed="1")
        (sentence,) = sentences_of(studied(*runs), "run_difference")
        assert sentence.endswith(
            "In only 1 group does one model have more clips correct than the other; significance at 5% takes at least "
            "6. Detecting a difference of 10 points would take about 240 clips."
        )

    def test_sentence_leaves_out_an_interval_that_says_nothing(self, made: MakeRun, studied: MakeStudy) -> None:
        assert sentence_of(studied(made(1, "1100"), made(2, "1010", seed="1")), "run_difference").endswith(
            "They are not statistically different."
        )

    def test_sentence_says_that_runs_on_other_clips_are_not_compared(self, made: MakeRun, studied: MakeStudy) -> None:
        assert sentence_of(studied(made(1, "110"), made(2, "111", prefix="other")), "run_difference") == (
            "Run 1 and run 2 were evaluated on different validation clips, so they are not compared."
        )

    def test_sentence_says_how_losses_differ(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1" * 20, val_loss=[0.9, 0.2]), made(2, "1" * 19 + "0", seed="1", val_loss=[0.9, 0.3])
        (sentence,) = sentences_of(studied(*runs, metric="val_loss"), "run_difference")
        assert sentence == (
            "Run 1's val_loss is 0.0752 lower than run 2's, averaged over the clips' predictions. Chance easily "
            "explains the difference."
        )

    def test_sentence_gives_the_interval_of_losses_with_its_signs(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1" * 20, val_loss=[0.9, 0.2]), made(2, "1" * 8 + "0" * 12, seed="1", val_loss=[0.9, 1.0])
        assert "predictions (95% interval −1.27 to −0.534)." in sentence_of(
            studied(*runs, metric="val_loss"), "run_difference"
        )
