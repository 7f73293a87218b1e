"""How often was looked, by which command trained each run."""

import pytest

from tracker.runs.facts import TrainingPlan
from tracker.study.looks import Looks, final_runs, looks_at_levels, looks_at_pairs


def plans(*names: str) -> tuple[TrainingPlan | None, ...]:
    """A plan for each run: ``a`` of three repetitions, ``A`` the same declared final, ``-`` none."""
    return tuple(None if name == "-" else TrainingPlan(name, 3, name.isupper()) for name in names)


def by_order(found: tuple[TrainingPlan | None, ...]) -> list[float]:
    return list(range(len(found)))


class TestLooksAtPairs:
    @pytest.mark.parametrize(
        ("of_run", "sizes"),
        [
            ("aaaaaa", (3,)),  # one sweep
            ("aabbccdd", (3, 4)),  # one command for both runs of a seed
            ("aabb", ()),
        ],
    )
    def test_looks_at_pairs_are_the_plans_that_complete_them_from_three_pairs_on(self, of_run, sizes):
        found = plans(*of_run)
        pairs = [(run, run + 1) for run in range(0, len(of_run), 2)]
        assert looks_at_pairs(found, by_order(found), pairs).sizes == sizes

    def test_commands_that_train_one_level_each_are_one_look(self):
        found = plans(*"aaabbb")
        assert looks_at_pairs(found, by_order(found), [(0, 3), (1, 4), (2, 5)]).sizes == (3,)

    def test_runs_that_record_no_plan_are_one_that_has_the_whole_level(self):
        looks = looks_at_pairs(plans(*"------"), range(6), [(0, 1), (2, 3), (4, 5)])
        assert (looks.is_recorded, looks.level(0.05), looks.adjusted(0.03)) == (False, 0.05, 0.03)

    def test_runs_of_a_plan_after_runs_that_record_none_are_a_second_look(self):
        looks = looks_at_pairs(plans(*"------aa"), range(8), [(0, 1), (2, 3), (4, 5), (6, 7)])
        assert looks.sizes == (3, 4)
        assert looks.level(0.05) < 0.0167

    def test_a_final_plan_has_the_whole_level(self):
        assert looks_at_pairs(plans(*"AAAAAA"), range(6), [(0, 1), (2, 3), (4, 5)]).level(0.05) == 0.05


class TestLooksAtLevels:
    def test_looks_at_levels_have_harmonic_means_from_three_of_each_on(self):
        found = plans(*"aaabbbbcc")
        looks = looks_at_levels(found, by_order(found), (0, 1, 2, 7, 8), (3, 4, 5, 6))
        assert looks.sizes == pytest.approx((2 / (1 / 3 + 1 / 4), 2 / (1 / 5 + 1 / 4)))


class TestFinalRuns:
    def test_final_runs_are_those_of_the_first_plan_that_is_complete(self):
        found = plans(*"aaaAABBBCCC")
        assert final_runs(found, by_order(found), [range(11)]) == {5, 6, 7}

    def test_final_runs_are_found_for_each_configuration(self):
        found = plans(*"AAAaaa")
        assert final_runs(found, by_order(found), [(0, 1, 2), (3, 4, 5)]) == {0, 1, 2}


class TestLooks:
    def test_looks_without_any_yet_have_the_whole_level(self):
        assert Looks(()).level(0.05) == 0.05
