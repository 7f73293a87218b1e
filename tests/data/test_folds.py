from pathlib import Path

import pytest

from tracker.data.clip import Clip
from tracker.data.splits import folds_of
from tracker.errors import DataError
from tracker.runs import Fold


def clips(count: int, fold: int | None = None) -> list[Clip]:
    return [Clip(f"{i:02}.wav", Path("x.wav"), "ab"[i % 2], f"g{i // 4}", None, fold) for i in range(count)]


class TestFoldsOf:
    def test_holds_each_clip_out_once_and_keeps_groups_whole(self):
        folds = folds_of(clips(24), Fold(1, 3), seed=0)
        assert sorted(folds) == [clip.path for clip in clips(24)]
        assert set(folds.values()) == {1, 2, 3}
        assert all(len({folds[f"{i:02}.wav"] for i in range(g, g + 4)}) == 1 for g in range(0, 24, 4))

    def test_is_the_same_whichever_of_the_folds_is_asked_for(self):
        assert folds_of(clips(24), Fold(1, 3), seed=0) == folds_of(clips(24), Fold(3, 3), seed=0)

    def test_differs_by_the_seed(self):
        assert folds_of(clips(24), Fold(1, 3), seed=0) != folds_of(clips(24), Fold(1, 3), seed=2**32 + 1)

    def test_takes_the_folds_that_the_clips_bring(self):
        given = [*clips(2, fold=1), Clip("z.wav", Path("x.wav"), "a", None, None, 2)]
        assert folds_of(given, Fold(1, 2), seed=0) == {"00.wav": 1, "01.wav": 1, "z.wav": 2}

    def test_refuses_folds_of_some_clips_only(self):
        given = [*clips(2, fold=1), Clip("z.wav", Path("x.wav"), "a")]
        with pytest.raises(DataError, match=r"1 of 3 clips have no fold .* z\.wav"):
            folds_of(given, Fold(1, 2), seed=0)

    def test_refuses_another_number_of_folds_than_the_clips_bring(self):
        given = [Clip(f"{i}.wav", Path("x.wav"), "a", None, None, i) for i in (1, 2, 3)]
        with pytest.raises(DataError, match="fold 1/5 was asked for, and the manifest's folds are 1, 2, 3"):
            folds_of(given, Fold(1, 5), seed=0)

    def test_refuses_groups_that_cannot_bring_every_class_to_every_fold(self):
        ring = [
            Clip(f"{group}{label}.wav", Path("x.wav"), label, group)
            for group, labels in {"x": "ac", "y": "ab", "z": "bc"}.items()
            for label in labels
        ]
        with pytest.raises(DataError, match="ask for fewer folds"):
            folds_of(ring, Fold(1, 2), seed=0)
