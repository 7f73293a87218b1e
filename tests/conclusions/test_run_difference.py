from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tracker.conclusions.run_difference import COUNTS, MCNEMAR, SIGN_FLIP, grouped_difference, run_differences
from tracker.conclusions.run_pairs import printed_pairs, run_family
from tracker.statistics.paired import tango

if TYPE_CHECKING:
    from tests.builders import MakeRun, MakeStudy
    from tracker.conclusions.conclusion import Conclusion
    from tracker.study.study import Study


def differences(study: Study) -> tuple[Conclusion, ...]:
    printed = printed_pairs(study)
    return run_differences(study, printed, run_family(study, printed))


class TestRunDifferences:
    def test_say_how_many_clips_each_has_alone(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = differences(studied(made(1, "0111100000"), made(2, "1110011111", seed="1")))
        assert found.runs == (f"{2:032x}", f"{1:032x}")
        assert (found.details.correct, found.details.only_first, found.details.only_second) == ((8, 4), 6, 2)
        assert (found.estimate, found.interval, found.method) == (0.4, tango(6, 2, 10), MCNEMAR)

    def test_are_supported_only_after_correction(self, made: MakeRun, studied: MakeStudy) -> None:
        right = ["1" * 20, "1" * 13 + "0" * 7, *["1" * 19 + "0"] * 6]
        found = differences(studied(*(made(i, signs, seed=str(i)) for i, signs in enumerate(right))))
        (clearest,) = [c for c in found if c.details.correct == (20, 13)]
        assert clearest.p_value == pytest.approx(0.015625)
        assert (clearest.verdict, clearest.p_adjusted) == ("inconclusive", pytest.approx(28 * 0.015625))

    def test_of_two_runs_need_no_correction(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = differences(studied(made(1, "1" * 20), made(2, "1" * 13 + "0" * 7, seed="1")))
        assert (found.verdict, found.p_adjusted) == ("supported", found.p_value)

    def test_are_equivalent_where_the_interval_lies_inside_the_margin(self, made: MakeRun, studied: MakeStudy) -> None:
        runs = made(1, "1" * 300), made(2, "1" * 299 + "0", seed="1")
        (found,) = differences(studied(*runs))
        assert (found.verdict, found.details.within_margin) == ("equivalent", True)
        (strict,) = differences(studied(*runs, margin=0.001))
        assert strict.verdict == "inconclusive"

    def test_are_exact_where_both_went_the_same_way(self, made: MakeRun, studied: MakeStudy) -> None:
        losses = [0.9, 0.8, 0.85]
        (found,) = differences(studied(*(made(i, "110", seed=str(i), val_loss=losses) for i in (1, 2))))
        assert (found.verdict, found.estimate) == ("exact", 0)

    def test_are_not_comparable_on_other_clips(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = differences(studied(made(1, "110"), made(2, "111", prefix="other")))
        assert (found.verdict, found.details.why, found.estimate, found.p_value) == (
            "not_comparable",
            "clips",
            None,
            None,
        )

    def test_are_unknown_where_the_clips_were_not_logged(self, made: MakeRun, studied: MakeStudy) -> None:
        silent = {"tracker.dataset": "", "tracker.split": "", "tracker.validation_clips": "30"}
        runs = (made(i, tags=silent, metrics={"best_val_accuracy": 0.8}) for i in (1, 2))
        (found,) = differences(studied(*runs))
        assert (found.verdict, found.details.why) == ("unknown", "unlogged clips")

    def test_from_counts_give_the_range_of_p(self, writeup: list, studied: MakeStudy) -> None:
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

    def test_say_which_option_differs_in_a_matched_pair(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = differences(studied(made(1, "110", {"k": "3"}), made(2, "100", {"k": "7"})))
        assert (found.details.matched, found.details.differs_in) == (True, ("k",))

    def test_have_their_log_loss_among_the_details(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = differences(studied(made(1, "1111000011"), made(2, "1100000011", seed="1")))
        assert found.details.log_loss.estimate == pytest.approx(2 * np.log(0.2 / 0.9) / 10)

    def test_say_how_many_clips_would_show_it(self, made: MakeRun, studied: MakeStudy) -> None:
        (found,) = differences(studied(made(1, "1" * 20 + "0" * 10), made(2, "0" + "1" * 18 + "0" * 11, seed="1")))
        assert 100 < found.details.clips_needed < 1000


class TestIntervalsOfGroups:
    def test_stay_within_what_can_be(self, made: MakeRun, studied: MakeStudy) -> None:
        groups = [*"a" * 18, "b", "b"]
        (found,) = differences(studied(made(1, "1" * 20, groups=groups), made(2, "1" * 9 + "0" * 11, seed="1")))
        assert -1 < found.interval[0] < found.estimate < found.interval[1] == 1


class TestGroupedDifference:
    def test_of_groups_of_one_is_the_mean_with_its_standard_error(self) -> None:
        values = np.array([1.0, 0, 0, -1, 1, 1])
        found = grouped_difference(values, np.arange(6))
        assert found.estimate == pytest.approx(values.mean())
        assert found.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(6))
        assert found.df == 5

    def test_of_groups_that_go_together_counts_them_once(self) -> None:
        values = np.array([1.0, 0, 0, -1, 1, 1])
        once, thrice = (grouped_difference(np.repeat(values, k), np.repeat(np.arange(6), k)) for k in (1, 3))
        assert thrice.standard_error == pytest.approx(once.standard_error)

    def test_of_unequal_groups_counts_fewer_of_them(self) -> None:
        codes = np.repeat(np.arange(6), [10, 1, 1, 1, 1, 1])
        found = grouped_difference(np.resize([1.0, 0, 0, -1], 15), codes)
        assert found.df == pytest.approx(15**2 / 105 - 1)

    def test_of_one_group_says_next_to_nothing(self) -> None:
        found = grouped_difference(np.array([1.0, 0, 1]), np.zeros(3, dtype=np.int64))
        assert found.interval[1] - found.interval[0] > 1
