from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.data.dataset import Clip, Dataset
from tracker.data.holdout import choose, draw, draw_folds, shares
from tracker.errors import DataError
from tracker.runs import Fold, SplitPlan


def clips_of(groups: dict[str, dict[str, int]]) -> list[Clip]:
    """Return clips by group and label: {"abba": {"pop": 3}}."""
    return [
        Clip(f"{label}/{group}-{number}.wav", Path("x.wav"), label, group)
        for group, labels in groups.items()
        for label, count in labels.items()
        for number in range(count)
    ]


def ungrouped(**sizes: int) -> Dataset:
    return Dataset(
        tuple(Clip(f"{label}/{i}.wav", Path("x.wav"), label) for label, size in sizes.items() for i in range(size))
    )


GROUPED = st.lists(st.lists(st.integers(1, 6), min_size=3, max_size=8), min_size=2, max_size=4).map(
    lambda classes: clips_of(
        {f"g{c}-{g}": {f"c{c}": size} for c, groups in enumerate(classes) for g, size in enumerate(groups)}
    )
)
PLANS = st.builds(
    SplitPlan, st.integers(0, 99), st.floats(0.05, 0.4), st.one_of(st.just(0.0), st.floats(0.05, 0.4)), st.none()
)


class TestDraw:
    def test_stratifies_clips_without_groups_exactly(self):
        held_out = draw(ungrouped(rock=10, jazz=20, pop=30), SplitPlan(validation_fraction=0.2, test_fraction=0.1))
        counts = Counter((path.split("/")[0], part) for path, part in held_out.items())
        assert counts == {
            ("rock", "validation"): 2, ("jazz", "validation"): 4, ("pop", "validation"): 6,
            ("rock", "test"): 1, ("jazz", "test"): 2, ("pop", "test"): 3,
        }  # fmt: skip

    def test_draw_holds_out_others_under_another_split_seed(self):
        dataset = ungrouped(rock=20, jazz=20)
        assert draw(dataset, SplitPlan(split_seed=1)) != draw(dataset, SplitPlan(split_seed=2))

    def test_draw_is_the_same_lot_on_every_machine_and_in_every_version(self):
        assert sorted(draw(ungrouped(rock=10, jazz=10), SplitPlan())) == [
            "jazz/6.wav",
            "jazz/7.wav",
            "rock/7.wav",
            "rock/9.wav",
        ]

    def test_draw_moves_few_clips_when_one_is_left_out(self):
        dataset = ungrouped(rock=100, jazz=100)
        before, after = draw(dataset, SplitPlan()), draw(dataset.without(["rock/7.wav"]), SplitPlan())
        assert len(set(before) ^ set(after)) <= 2

    def test_draw_divides_speakers_who_say_every_word(self):
        dataset = Dataset(tuple(clips_of({f"s{i}": {"one": 4, "two": 4, "three": 4} for i in range(6)})))
        held_out = draw(dataset, SplitPlan(validation_fraction=1 / 3))
        speakers = {clip.group for clip in dataset.clips if clip.path in held_out}
        assert len(speakers) == 2
        assert len(held_out) == 24

    def test_draw_holds_out_only_the_test_part_where_a_fold_does_the_rest(self):
        plan = SplitPlan(test_fraction=0.25, fold=Fold(1, 3))
        assert set(draw(ungrouped(rock=8, jazz=8), plan).values()) == {"test"}

    def test_draw_refuses_a_class_of_one_clip(self):
        with pytest.raises(DataError, match=r"class 'jazz' has 1 clip, but .* 2 parts takes 2 clips; add some"):
            draw(ungrouped(rock=8, jazz=1), SplitPlan())

    def test_draw_refuses_a_class_of_one_group(self):
        clips = clips_of({"abba": {"pop": 3}, "blur": {"pop": 3}, "monk": {"jazz": 6}})
        with pytest.raises(DataError, match=r"class 'jazz' has 6 clips in 1 group, but .* takes 2 groups"):
            draw(Dataset(tuple(clips)), SplitPlan())

    def test_draw_refuses_more_parts_than_groups(self):
        with pytest.raises(DataError, match=r"class 'jazz' has 4 clips, .*5 parts takes 5 clips.*fewer folds"):
            draw(ungrouped(rock=8, jazz=4), SplitPlan(fold=Fold(1, 5)))

    def test_draw_refuses_groups_that_no_division_keeps_whole(self):
        ring = clips_of({"x": {"a": 1, "c": 1}, "y": {"a": 1, "b": 1}, "z": {"b": 1, "c": 1}})
        with pytest.raises(DataError, match="groups contain clips of several classes"):
            draw(Dataset(tuple(ring)), SplitPlan())

    @given(GROUPED, PLANS)
    @settings(derandomize=True, deadline=None, max_examples=60)
    def test_draw_cuts_no_group_and_has_every_class_in_every_part(self, clips, plan):
        held_out = draw(Dataset(tuple(clips)), plan)
        parts = {clip.path: held_out.get(clip.path, "train") for clip in clips}
        assert len({(clip.group, parts[clip.path]) for clip in clips}) == len({clip.group for clip in clips})
        expected = {"train", "validation", "test"} if plan.test_fraction else {"train", "validation"}
        for label in {clip.label for clip in clips}:
            assert {parts[clip.path] for clip in clips if clip.label == label} == expected

    @given(st.randoms(use_true_random=False), PLANS)
    @settings(derandomize=True, deadline=None, max_examples=20)
    def test_draw_does_not_depend_on_the_order_of_the_clips(self, random, plan):
        clips = clips_of({f"g{i}": {"rock" if i % 2 else "jazz": 1 + i % 4} for i in range(12)})
        shuffled = random.sample(clips, len(clips))
        assert draw(Dataset(tuple(clips)), plan) == draw(Dataset(tuple(shuffled)), plan)


SIZES = st.lists(st.integers(2, 200), min_size=1, max_size=8)
FRACTIONS = st.floats(0.01, 0.99)


class TestDrawFolds:
    def test_folds_of_clips_without_groups_have_each_class_as_evenly_as_possible(self):
        folds = draw_folds(ungrouped(rock=10, jazz=11).clips, 4, 0)
        counts = Counter((path.split("/")[0], number) for path, number in folds.items())
        assert sorted(counts[label, number] for label in ("rock", "jazz") for number in (1, 2, 3, 4)) == [
            *(2, 2, 2, 3, 3, 3, 3, 3)
        ]

    def test_folds_are_the_same_on_every_machine_and_in_every_version(self):
        folds = draw_folds(ungrouped(rock=6, jazz=6).clips, 3, 0)
        assert sorted(path for path, number in folds.items() if number == 1) == [
            "jazz/0.wav",
            "jazz/3.wav",
            "rock/3.wav",
            "rock/4.wav",
        ]

    @given(GROUPED)
    @settings(derandomize=True, deadline=None, max_examples=40)
    def test_every_fold_has_every_class_and_whole_groups(self, clips):
        folds = draw_folds(clips, 3, 0)
        assert len({(clip.group, folds[clip.path]) for clip in clips}) == len({clip.group for clip in clips})
        assert {(clip.label, folds[clip.path]) for clip in clips} == {
            (label, number) for label in {clip.label for clip in clips} for number in (1, 2, 3)
        }


class TestShares:
    def test_shares_of_equal_classes_are_equal(self):
        assert shares(np.array([30, 30, 30]), 0.2).tolist() == [6, 6, 6]

    def test_hand_the_rest_out_by_largest_remainder(self):
        assert shares(np.array([11, 14, 5]), 0.2).tolist() == [2, 3, 1]

    def test_shares_give_the_first_of_equals_the_rest(self):
        assert shares(np.array([7, 7, 7, 7, 7]), 0.2).tolist() == [2, 2, 1, 1, 1]

    @pytest.mark.parametrize(("fraction", "share"), [(0.01, 1), (0.99, 3)])
    def test_shares_leave_no_class_out_on_either_side(self, fraction, share):
        assert shares(np.array([4, 4]), fraction).tolist() == [share, share]

    def test_shares_are_not_one_short_where_a_product_falls_short_of_a_whole_number(self):
        assert shares(np.array([100, 2]), 0.29).tolist() == [29, 1]

    @given(SIZES, FRACTIONS)
    @settings(derandomize=True, deadline=None)
    def test_shares_are_off_by_less_than_a_clip(self, sizes, fraction):
        exact = np.array(sizes) * fraction
        allowed = np.clip(exact, 1, np.array(sizes) - 1)
        assert (np.abs(shares(np.array(sizes), fraction) - allowed) < 1).all()


class TestChoose:
    def test_choose_takes_groups_in_order_of_preference(self):
        assert choose(np.array([[1], [1], [1], [1]]), np.array([2])).tolist() == [True, True, False, False]

    def test_exchanges_a_group_for_one_that_fits_better(self):
        assert choose(np.array([[7], [5], [4], [4], [3]]), np.array([4])).tolist() == [False, False, True, False, False]

    def test_choose_prefers_a_class_in_every_part_to_a_fitting_count(self):
        assert choose(np.array([[10], [1]]), np.array([9]), stay=1).tolist() == [True, False]
        assert choose(np.array([[10], [9]]), np.array([1]), stay=1).tolist() == [False, True]

    def test_balances_classes_that_come_in_the_same_groups(self):
        speakers = np.array([[3, 1], [1, 3], [2, 2], [4, 4], [2, 2]])
        assert choose(speakers, np.array([4, 4])).tolist() == [True, True, False, False, False]

    def test_choose_leaves_as_many_groups_as_must_stay(self):
        assert choose(np.array([[1]] * 5), np.array([4]), stay=3).sum() == 2

    def test_choose_finds_none_where_classes_tie_groups_in_a_ring(self):
        assert choose(np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1]]), np.array([1, 1, 1])) is None

    @given(st.lists(st.integers(1, 9), min_size=2, max_size=12), FRACTIONS)
    @settings(derandomize=True, deadline=None)
    def test_choose_comes_as_near_as_one_exchange_can(self, sizes, fraction):
        counts = np.array(sizes)[:, None]
        target = shares(counts.sum(axis=0), fraction) if sum(sizes) > 1 else np.array([1])
        chosen = choose(counts, target)
        got = counts[chosen].sum()
        for out in np.flatnonzero(chosen):
            for into in np.flatnonzero(~chosen):
                assert abs(got - counts[out, 0] + counts[into, 0] - target[0]) >= abs(got - target[0])
