from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.data.dataset import Clip, Dataset, with_copies_together
from tracker.data.reading import read_dataset
from tracker.data.splits import (
    Split,
    choose,
    cut_groups,
    divide,
    draw,
    draw_folds,
    fingerprint,
    folds_of,
    manifest_text,
    shares,
)
from tracker.errors import DataError
from tracker.runs import Fold, SplitPlan


def clip(path: str, label: str = "rock", group: str | None = None, split: str | None = None, fold: int | None = None):
    return Clip(path, Path("x.wav"), label, group, split, fold)


def with_splits(*words: str | None, folds: tuple[int | None, ...] = (None,) * 10) -> Dataset:
    return Dataset(tuple(clip(f"{i}.wav", "ab"[i % 2], None, words[i], folds[i]) for i in range(len(words))))


def paths(clips: tuple[Clip, ...]) -> list[str]:
    return [clip.path for clip in clips]


GROUPED = Dataset(tuple(clip(f"{i:02}.wav", "ab"[i % 2], f"g{i // 2:02}") for i in range(40)))


class TestDivide:
    def test_divide_refuses_data_without_any_clip(self):
        with pytest.raises(DataError, match="no clip is left"):
            divide(Dataset(()), SplitPlan())

    def test_divide_puts_every_clip_in_one_part_sorted(self):
        split = divide(GROUPED, SplitPlan(test_fraction=0.1))
        parts = (split.training, split.validation, split.test)
        assert sorted(path for part in parts for path in paths(part)) == paths(GROUPED.clips)
        assert all(paths(part) == sorted(paths(part)) for part in parts)
        assert [len(part) for part in parts] == [28, 8, 4]

    @pytest.mark.parametrize("plan", [SplitPlan(), SplitPlan(fold=Fold(1, 4)), SplitPlan(test_fraction=0.2)])
    @pytest.mark.parametrize("copies", [[("00.wav", "20.wav", "39.wav")], [("00.wav", "20.wav"), ("21.wav", "38.wav")]])
    def test_divide_keeps_copies_and_the_groups_they_are_in_in_one_part(self, plan, copies):
        parts = divide(with_copies_together(GROUPED, copies), plan).parts
        for paths_of_copies in copies:
            groups = {clip.group for clip in GROUPED.clips if clip.path in paths_of_copies}
            assert len({parts[clip.path] for clip in GROUPED.clips if clip.group in groups}) == 1

    def test_divide_draws_as_before_if_copies_are_in_one_group(self):
        assert divide(with_copies_together(GROUPED, [("00.wav", "01.wav")]), SplitPlan()) == divide(
            GROUPED, SplitPlan()
        )

    def test_divide_does_not_depend_on_where_the_dataset_lies(self):
        elsewhere = Dataset(tuple(dataclasses.replace(c, file=Path("/mnt") / c.path) for c in GROUPED.clips))
        assert fingerprint(divide(elsewhere, SplitPlan())) == fingerprint(divide(GROUPED, SplitPlan()))

    def test_divide_takes_the_parts_that_a_manifest_gives(self):
        dataset = with_splits("train", "train", "validation", "validation", "test", "train")
        split = divide(dataset, SplitPlan(validation_fraction=0.5))
        assert (paths(split.training), paths(split.validation), paths(split.test)) == (
            ["0.wav", "1.wav", "5.wav"],
            ["2.wav", "3.wav"],
            ["4.wav"],
        )

    def test_validates_on_training_clips_if_a_manifest_has_training_and_test_alone(self):
        split = divide(with_splits(*["train"] * 8, "test", "test"), SplitPlan(validation_fraction=0.25))
        assert paths(split.test) == ["8.wav", "9.wav"]
        assert {len(split.training), len(split.validation)} == {6, 2}

    def test_divides_the_training_clips_into_folds_if_a_manifest_has_training_and_test_alone(self):
        dataset = with_splits(*["train"] * 8, "test", "test")
        splits = [divide(dataset, SplitPlan(fold=Fold(k, 2))) for k in (1, 2)]
        assert sorted(path for split in splits for path in paths(split.validation)) == [f"{i}.wav" for i in range(8)]
        assert {split.test for split in splits} == {splits[0].test}

    def test_validates_on_the_fold_that_a_manifest_gives(self):
        dataset = with_splits(*[None] * 6, folds=(1, 1, 2, 2, 3, 3))
        assert paths(divide(dataset, SplitPlan(fold=Fold(2, 3))).validation) == ["2.wav", "3.wav"]

    def test_divide_keeps_a_manifests_test_part_out_of_its_folds(self):
        dataset = with_splits("train", "train", "validation", "train", "test", "test", folds=(1, 1, 2, 2, 1, 2))
        split = divide(dataset, SplitPlan(fold=Fold(1, 2)))
        assert (paths(split.validation), paths(split.test)) == (["0.wav", "1.wav"], ["4.wav", "5.wav"])

    def test_divide_leaves_a_manifests_folds_aside_where_no_fold_is_asked_for(self):
        dataset = with_splits("train", "train", "validation", "validation", folds=(1, 1, 2, 2))
        assert paths(divide(dataset, SplitPlan()).validation) == ["2.wav", "3.wav"]

    @pytest.mark.parametrize(
        ("plan", "held_out"),
        [
            (SplitPlan(), "00 01 02 03 30 31 38 39"),
            (SplitPlan(split_seed=7, fold=Fold(2, 5)), "06 07 34 35 36 37 38 39"),
        ],
    )
    def test_divide_draws_the_same_on_every_machine_whatever_the_order_of_the_files(self, plan, held_out):
        backwards = Dataset(tuple(reversed(GROUPED.clips)))
        drawn = [" ".join(path[:2] for path in paths(divide(data, plan).validation)) for data in (GROUPED, backwards)]
        assert drawn == [held_out, held_out]

    def test_divide_holds_each_clip_out_in_one_of_the_folds(self):
        held_out = [
            path for k in (1, 2, 3, 4) for path in paths(divide(GROUPED, SplitPlan(fold=Fold(k, 4))).validation)
        ]
        assert sorted(held_out) == paths(GROUPED.clips)

    def test_divide_tests_on_the_same_clips_in_every_fold(self):
        plans = [SplitPlan(test_fraction=0.2, fold=Fold(k, 3)) for k in (1, 2, 3)]
        tests = {divide(GROUPED, plan).test for plan in plans}
        assert len(tests) == 1
        assert len(tests.pop()) == 8

    @pytest.mark.parametrize(
        ("dataset", "plan", "message"),
        [
            (with_splits("train", "validation", None, "train"), SplitPlan(), r"no split for 1 of 4 clips.* 2\.wav"),
            (with_splits(*["test"] * 4), SplitPlan(), "no clip is in training"),
            (with_splits(*["validation"] * 4), SplitPlan(), "no clip is in training"),
            (with_splits("train", "validation", "train", "test"), SplitPlan(), "all clips of class 'b' are held out"),
            (with_splits("train", "train", "test"), SplitPlan(test_fraction=0.2), "with 1 of 3 clips to test on; drop"),
            (with_splits("train", "validation"), SplitPlan(test_fraction=0.2), "without clips to test on; mark these"),
            (with_splits("train", "validation", "train", "test"), SplitPlan(fold=Fold(1, 2)), "drop --fold"),
            (with_splits(*["train"] * 4, "test"), SplitPlan(fold=Fold(1, 3)), "has 2 clips, but dividing it into 3"),
            (
                with_splits(*[None] * 4, folds=(1, 2, 1, 2)),
                SplitPlan(fold=Fold(1, 2)),
                "all clips of class 'a' are held out",
            ),
        ],
    )
    def test_divide_refuses_what_a_manifest_cannot_mean(self, dataset, plan, message):
        with pytest.raises(DataError, match=message):
            divide(dataset, plan)


class TestFingerprint:
    def test_fingerprint_tells_who_is_held_out(self):
        one, other = (clip("a"),), (clip("b"),)
        assert fingerprint(Split(one, other, ())) != fingerprint(Split(other, one, ()))

    def test_fingerprint_tells_validation_from_test(self):
        one, other = (clip("a"),), (clip("b"),)
        assert fingerprint(Split(one, other, ())) != fingerprint(Split(one, (), other))


class TestManifestText:
    def test_manifest_text_reads_back_as_the_same_dataset_and_split(self, tmp_path):
        for name in ('a,"1".wav', "b.wav", "ç.wav", "d.wav"):
            (tmp_path / name).write_bytes(b"x")
        clips = (clip('a,"1".wav', "x", "g"), clip("b.wav", "y"), clip("ç.wav", "x"), clip("d.wav", "y"))
        dataset, plan = Dataset(clips), SplitPlan(validation_fraction=0.5)
        split = divide(dataset, plan)
        (tmp_path / "list.csv").write_text(manifest_text(dataset, split, plan), encoding="utf-8")
        again = read_dataset(tmp_path / "list.csv")
        assert [(c.path, c.label, c.group) for c in again.clips] == [(c.path, c.label, c.group) for c in dataset.clips]
        assert fingerprint(divide(again, SplitPlan())) == fingerprint(split)

    def test_manifest_text_numbers_the_folds_that_were_made(self):
        plan = SplitPlan(fold=Fold(2, 4), test_fraction=0.2)
        rows = list(csv.DictReader(io.StringIO(manifest_text(GROUPED, divide(GROUPED, plan), plan))))
        assert {row["split"] for row in rows if row["fold"] == "2"} == {"validation"}
        assert {row["split"] for row in rows if row["fold"] in "134" and row["fold"]} == {"train"}
        assert {row["split"] for row in rows if not row["fold"]} == {"test"}

    def test_manifest_text_keeps_the_folds_that_were_given(self):
        dataset = with_splits("train", "train", "validation", "validation", folds=(1, 1, 2, None))
        rows = list(csv.DictReader(io.StringIO(manifest_text(dataset, divide(dataset, SplitPlan()), SplitPlan()))))
        assert [row["fold"] for row in rows] == ["1", "1", "2", ""]


class TestCutGroups:
    def test_cut_groups_names_groups_on_both_sides(self):
        split = Split((clip("a", group="x"), clip("b", group="y")), (clip("c", group="x"), clip("d")), (clip("e"),))
        assert cut_groups(split) == ("x",)

    def test_cut_groups_finds_none_in_a_division_by_group(self):
        assert cut_groups(divide(GROUPED, SplitPlan())) == ()


def numbered_clips(count: int, fold: int | None = None) -> list[Clip]:
    return [Clip(f"{i:02}.wav", Path("x.wav"), "ab"[i % 2], f"g{i // 4}", None, fold) for i in range(count)]


class TestFoldsOf:
    def test_folds_of_holds_each_clip_out_once_and_keeps_groups_whole(self):
        folds = folds_of(numbered_clips(24), Fold(1, 3), seed=0)
        assert sorted(folds) == [clip.path for clip in numbered_clips(24)]
        assert set(folds.values()) == {1, 2, 3}
        assert all(len({folds[f"{i:02}.wav"] for i in range(g, g + 4)}) == 1 for g in range(0, 24, 4))

    def test_folds_of_is_the_same_whichever_of_the_folds_is_asked_for(self):
        assert folds_of(numbered_clips(24), Fold(1, 3), seed=0) == folds_of(numbered_clips(24), Fold(3, 3), seed=0)

    def test_folds_of_differs_by_the_seed(self):
        assert folds_of(numbered_clips(24), Fold(1, 3), seed=0) != folds_of(
            numbered_clips(24), Fold(1, 3), seed=2**32 + 1
        )

    def test_folds_of_takes_the_folds_that_the_clips_bring(self):
        given = [*numbered_clips(2, fold=1), Clip("z.wav", Path("x.wav"), "a", None, None, 2)]
        assert folds_of(given, Fold(1, 2), seed=0) == {"00.wav": 1, "01.wav": 1, "z.wav": 2}

    def test_folds_of_refuses_folds_of_some_clips_only(self):
        given = [*numbered_clips(2, fold=1), Clip("z.wav", Path("x.wav"), "a")]
        with pytest.raises(DataError, match=r"no fold for 1 of 3 clips.* z\.wav"):
            folds_of(given, Fold(1, 2), seed=0)

    def test_folds_of_refuses_another_number_of_folds_than_the_clips_bring(self):
        given = [Clip(f"{i}.wav", Path("x.wav"), "a", None, None, i) for i in (1, 2, 3)]
        with pytest.raises(DataError, match="--fold is 1/5, but the manifest's folds are 1, 2, 3"):
            folds_of(given, Fold(1, 5), seed=0)

    def test_folds_of_refuses_groups_that_cannot_bring_every_class_to_every_fold(self):
        ring = [
            Clip(f"{group}{label}.wav", Path("x.wav"), label, group)
            for group, labels in {"x": "ac", "y": "ab", "z": "bc"}.items()
            for label in labels
        ]
        with pytest.raises(DataError, match="ask for fewer folds"):
            folds_of(ring, Fold(1, 2), seed=0)


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


GROUPED_CLIPS = st.lists(st.lists(st.integers(1, 6), min_size=3, max_size=8), min_size=2, max_size=4).map(
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

    @given(GROUPED_CLIPS, PLANS)
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

    @given(GROUPED_CLIPS)
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
