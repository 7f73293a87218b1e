from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import make_run, make_study, sentence_of
from tracker.conclusions.across_data_sets import AcrossDataSets, across_data_sets, equal_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.runs import Run
    from tracker.study.study import Study


def scored(by_kernel: Mapping[str, Sequence[float]], seeds: int = 1) -> Study:
    """Runs of several kernels that logged an accuracy on each of several data sets, and no clips."""
    runs: list[Run] = []
    for kernel, scores in by_kernel.items():
        for place, score in enumerate(scores):
            for seed in range(seeds):
                params = {"kernel_size": kernel, "dataset": f"set{place:02d}"}
                shift = (seed - (seeds - 1) / 2) / 100
                logged = {"val_accuracy": score + shift}
                no_clips = {"tracker.dataset": "", "tracker.split": ""}
                runs.append(make_run(len(runs), params=params, seed=str(seed), tags=no_clips, metrics=logged))
    return make_study(*runs)


def evidence(study: Study) -> AcrossDataSets:
    (found,) = across_data_sets(study)
    return found.details


LOW = [0.50, 0.61, 0.72, 0.55, 0.43, 0.66, 0.58, 0.81]
HIGH = [score + 0.02 + place / 1000 for place, score in enumerate(LOW)]
MIXED = [score + (0.01 if place % 2 else -0.01) + place / 1000 for place, score in enumerate(LOW)]


class TestVerdicts:
    def test_one_that_is_ahead_on_every_data_set_is_best(self) -> None:
        (found,) = across_data_sets(scored({"3": LOW, "5": HIGH, "7": MIXED}))
        best, *others = found.details.configurations
        assert (found.verdict, best.name, best.times_first, best.mean_rank) == ("supported", "5×5 kernel", 8, 1.0)
        assert found.p_value == pytest.approx(2**-7)
        assert [other.tied for other in others] == [False, False]

    def test_one_that_is_ahead_on_some_is_not(self) -> None:
        (found,) = across_data_sets(scored({"3": LOW, "5": MIXED}))
        assert found.verdict == "inconclusive"
        assert found.details.configurations[1].tied is True

    def test_nothing_is_tested_with_five_data_sets(self) -> None:
        (found,) = across_data_sets(scored({"3": LOW[:5], "5": HIGH[:5]}))
        assert (found.verdict, found.p_value, found.method) == ("inconclusive", None, None)
        assert found.details.test_tables(0.05) == ()
        assert found.details.fewest == 6

    def test_six_are_enough_for_one_that_is_ahead_on_all(self) -> None:
        (found,) = across_data_sets(scored({"3": LOW[:6], "5": HIGH[:6]}))
        assert (found.verdict, found.p_value) == ("supported", pytest.approx(2**-5))

    def test_seeds_enter_as_their_mean(self) -> None:
        once, thrice = (evidence(scored({"3": LOW, "5": HIGH}, seeds)) for seeds in (1, 3))
        assert once.configurations[0].scores == pytest.approx(thrice.configurations[0].scores)
        assert once.configurations[0].ranks == thrice.configurations[0].ranks

    def test_a_configuration_that_lacks_a_data_set_is_left_out_and_said_to_be(self) -> None:
        found = evidence(scored({"3": LOW, "5": HIGH, "7": MIXED[:4]}))
        assert (len(found.configurations), found.configurations_left_out) == (2, 1)
        assert found.left_out_text() == "Left out: 1 configuration that was not run on all of these data sets."

    def test_one_data_set_is_nothing_to_compare_across(self) -> None:
        assert list(across_data_sets(make_study(make_run(1, "110"), make_run(2, "111", {"k": "3"})))) == []


class TestSentence:
    def test_sentence_names_the_best(self) -> None:
        assert sentence_of(scored({"3": LOW, "5": HIGH, "7": MIXED}), "across_data_sets") == (
            "The 5×5 kernel is best over 8 data sets, with a mean rank of 1.00 among 3 configurations. It is "
            "significantly better than each of the others."
        )

    def test_sentence_of_two_counts_data_sets(self) -> None:
        assert sentence_of(scored({"3": LOW, "5": [*MIXED[:6], 0.6, 0.9]}), "across_data_sets") == (
            "The 5×5 kernel has a higher validation accuracy than the 3×3 kernel on 5 of 8 data sets. Chance could "
            "explain that: the other is not significantly worse."
        )

    def test_sentence_of_two_that_are_level_says_so(self) -> None:
        assert sentence_of(scored({"3": LOW, "5": MIXED}), "across_data_sets") == (
            "The 3×3 kernel and the 5×5 kernel are level over 8 data sets, each ahead on 4 of them."
        )

    def test_sentence_names_those_that_could_be_as_good(self) -> None:
        close = [score + 0.001 * (-1) ** place for place, score in enumerate(HIGH)]
        assert sentence_of(scored({"3": LOW, "5": HIGH, "7": close}), "across_data_sets").endswith(
            "One of the other two is significantly worse; the 7×7 kernel could be as good."
        )

    def test_sentence_says_how_many_data_sets_a_test_takes(self) -> None:
        text = sentence_of(scored({"3": LOW[:3], "5": HIGH[:3]}), "across_data_sets")
        assert text.endswith("on 3 of 3 data sets. Too few data sets to test: it takes at least six.")

    def test_sentence_does_not_say_none_is_worse_if_no_test_could_show_it(self) -> None:
        kernels = {str(3 + 2 * place): [score + place / 50 for score in MIXED[:6]] for place in range(5)}
        kernels["13"] = [score + 0.001 * (-1) ** place for place, score in enumerate(kernels["11"])]
        text = sentence_of(scored(kernels), "across_data_sets")
        assert text.endswith("Whether others are worse is open: with 6 configurations that takes at least 9 data sets.")


class TestTables:
    def test_scores_have_the_fewer_of_data_sets_and_configurations_as_columns(self) -> None:
        few = evidence(scored({"3": LOW[:3], "5": HIGH[:3]})).score_table(in_percent=True, title="Scores")
        assert few.header == ("configuration", "set00", "set01", "set02", "mean rank")
        assert few.rows[0] == ("5×5 kernel", "52.0%", "63.1%", "74.2%", "1.00")
        many = evidence(scored({"3": LOW, "5": HIGH})).score_table(in_percent=True, title="Scores")
        assert many.header == ("data set", "5×5 kernel", "3×3 kernel")
        assert many.rows[-1] == ("mean rank", "1.00", "2.00")

    def test_the_best_is_set_against_each_other_one(self) -> None:
        (against, overall) = evidence(scored({"3": LOW, "5": HIGH, "7": MIXED})).test_tables(0.05)
        assert against.rows[-1][:2] in {("3×3 kernel", "8 / 0 / 0"), ("7×7 kernel", "8 / 0 / 0")}
        assert [row[0] for row in overall.rows] == ["Friedman’s test", "Nemenyi’s critical difference"]


class TestEqualGroups:
    def test_groups_are_the_largest_without_two_that_differ(self) -> None:
        assert equal_groups(4, {(0, 2), (0, 3), (1, 3)}) == [(0, 1), (1, 2), (2, 3)]

    def test_groups_may_leave_out_one_between(self) -> None:
        assert equal_groups(3, {(0, 1)}) == [(0, 2), (1, 2)]

    def test_one_alone_is_no_group(self) -> None:
        assert equal_groups(2, {(0, 1)}) == []
