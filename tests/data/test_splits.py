from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path

import pytest

from tracker.data.dataset import Clip, Dataset, read_dataset
from tracker.data.splits import Split, cut_groups, divide, fingerprint, folds_of, manifest_text
from tracker.errors import DataError
from tracker.runs import Fold, SplitPlan


def clip(path: str, label: str = "rock", group: str | None = None, split: str | None = None, fold: int | None = None):
    return Clip(path, Path("x.wav"), label, group, split, fold)


def with_splits(*words: str | None, folds: tuple[int | None, ...] = (None,) * 9) -> Dataset:
    return Dataset(tuple(clip(f"{i}.wav", "ab"[i % 2], None, words[i], folds[i]) for i in range(len(words))))


def paths(clips: tuple[Clip, ...]) -> list[str]:
    return [clip.path for clip in clips]


GROUPED = Dataset(tuple(clip(f"{i:02}.wav", "ab"[i % 2], f"g{i // 2:02}") for i in range(40)))


class TestDivide:
    def test_divide_puts_every_clip_in_one_part_sorted(self):
        split = divide(GROUPED, SplitPlan(test_fraction=0.1))
        parts = (split.training, split.validation, split.test)
        assert sorted(path for part in parts for path in paths(part)) == paths(GROUPED.clips)
        assert all(paths(part) == sorted(paths(part)) for part in parts)
        assert [len(part) for part in parts] == [28, 8, 4]

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
            (with_splits("train", "validation", None, "train"), SplitPlan(), r"1 of 4 clips have no split .* 2\.wav"),
            (with_splits(*["train"] * 4), SplitPlan(), "no clip is in validation"),
            (with_splits(*["validation"] * 4), SplitPlan(), "no clip is in training"),
            (with_splits("train", "validation", "train", "test"), SplitPlan(), "all clips of class 'b' are held out"),
            (with_splits("train", "train", "test"), SplitPlan(test_fraction=0.2), "drop --test-fraction"),
            (with_splits("train", "train", "test"), SplitPlan(fold=Fold(1, 2)), "drop --fold"),
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
        with pytest.raises(DataError, match=r"1 of 3 clips have no fold .* z\.wav"):
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
