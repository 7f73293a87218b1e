"""Training, validation and test: as the manifest says, else drawn, stratified by class with every group kept whole.

Conventions: fractions are of all clips, the test part is taken first; a clip without a group is a group of its own.
A split depends on the clips' paths, labels and groups and on the plan alone: not on where the dataset is, the order of
its rows, the machine or the seed of the training.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.data.holdout import draw, draw_folds
from tracker.data.readers import COLUMNS
from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.data.dataset import Dataset
    from tracker.data.readers import Clip, Part
    from tracker.runs import Fold, SplitPlan


@dataclass(frozen=True, slots=True)
class Split:
    """A dataset divided: each clip is in one part, and each part is sorted by path."""

    training: tuple[Clip, ...]
    validation: tuple[Clip, ...]
    test: tuple[Clip, ...]

    @property
    def parts(self) -> dict[str, Part]:
        """The part of each clip, by its path."""
        parts: dict[str, Part] = dict.fromkeys((clip.path for clip in self.training), "train")
        parts |= dict.fromkeys((clip.path for clip in self.validation), "validation")
        return parts | dict.fromkeys((clip.path for clip in self.test), "test")


def divide(dataset: Dataset, plan: SplitPlan) -> Split:
    """Divide a dataset into training, validation and test.

    The manifest's ``split`` decides if it is given, and its ``fold`` if the plan has a fold. Otherwise whole groups are
    held out, so that each class is in every part and has its fraction of clips as nearly as groups allow.

    Raises
    ------
    DataError
        If the plan contradicts the manifest, or a class has too few clips or groups for it.
    """
    held_out = _held_out(dataset, plan)
    clips: dict[Part, list[Clip]] = {"train": [], "validation": [], "test": []}
    for clip in dataset.clips:
        clips[held_out.get(clip.path, "train")].append(clip)
    split = Split(tuple(clips["train"]), tuple(clips["validation"]), tuple(clips["test"]))
    _refuse_unfit(split)
    return split


def fingerprint(split: Split) -> str:
    """Return a SHA-256, in hexadecimal, over which clip is in which part."""
    return hashlib.sha256(json.dumps(sorted(split.parts.items())).encode()).hexdigest()


def manifest_text(dataset: Dataset, split: Split, plan: SplitPlan) -> str:
    """Return the manifest as used: CSV with the columns ``path,label,group,split,fold``, empty if not known.

    If the plan has a fold and the manifest has none, the folds are those drawn for the plan.
    """
    parts = split.parts
    folds = _folds(dataset, parts, plan)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for clip in dataset.clips:
        writer.writerow([clip.path, clip.label, clip.group, parts[clip.path], folds.get(clip.path)])
    return text.getvalue()


def cut_groups(split: Split) -> tuple[str, ...]:
    """Return the groups, sorted, that are in more than one part: a manifest's own split or folds may cut them."""
    seen: dict[str, set[str]] = defaultdict(set)
    parts = split.parts
    for clip in (*split.training, *split.validation, *split.test):
        if clip.group is not None:
            seen[clip.group].add(parts[clip.path])
    return tuple(sorted(group for group, names in seen.items() if len(names) > 1))


def _held_out(dataset: Dataset, plan: SplitPlan) -> Mapping[str, Part]:
    """Return the part of each clip that is not in training."""
    given = any(clip.split for clip in dataset.clips)
    held_out = _given(dataset, plan) if given else draw(dataset, plan)
    if not plan.fold:
        return held_out
    folds = _folds(dataset, held_out, plan)
    return {**held_out, **{path: "validation" for path, number in folds.items() if number == plan.fold.number}}


def _folds(dataset: Dataset, held_out: Mapping[str, Part], plan: SplitPlan) -> Mapping[str, int]:
    """Return the fold that holds each clip out: as given, or as drawn if the plan has one."""
    if plan.fold is None:
        return {clip.path: clip.fold for clip in dataset.clips if clip.fold}
    clips = [clip for clip in dataset.clips if held_out.get(clip.path) != "test"]
    return folds_of(clips, plan.fold, plan.split_seed)


def _given(dataset: Dataset, plan: SplitPlan) -> Mapping[str, Part]:
    """Return what the manifest holds out; only its test part if the plan has a fold."""
    without = [clip.path for clip in dataset.clips if clip.split is None]
    if without:
        raise DataError(
            f"{len(without)} of {len(dataset.clips)} clips have no split in the manifest, "
            f"the first is {without[0]}; give every clip one, or none"
        )
    if plan.test_fraction:
        raise DataError(
            "the manifest's `split` column already defines the test set; drop --test-fraction or the column"
        )
    if plan.fold and not any(clip.fold for clip in dataset.clips):
        raise DataError("the manifest's `split` column already defines who is held out; drop --fold or the column")
    return {
        clip.path: clip.split
        for clip in dataset.clips
        if clip.split == "test" or (clip.split == "validation" and not plan.fold)
    }


def _refuse_unfit(split: Split) -> None:
    """Refuse what only a manifest's own parts, or groups of several classes, can cause."""
    for name, clips in (("training", split.training), ("validation", split.validation)):
        if not clips:
            raise DataError(f"no clip is in {name}; check the columns `split` and `fold` of the manifest")
    trained = {clip.label for clip in split.training}
    for clip in (*split.validation, *split.test):
        if clip.label not in trained:
            raise DataError(
                f"all clips of class {clip.label!r} are held out, so it cannot be learned; "
                "check the columns `split`, `fold` and `group` of the manifest"
            )


def folds_of(clips: Sequence[Clip], fold: Fold, seed: int) -> Mapping[str, int]:
    """Return the fold, counted from 1, that holds each clip out, by its path: its own, or drawn under a seed.

    Raises
    ------
    DataError
        If the clips have folds of their own but not as many, or whole groups allow no such folds.
    """
    if any(clip.fold for clip in clips):
        return _given_folds(clips, fold)
    return draw_folds(clips, fold.count, seed)


def _given_folds(clips: Sequence[Clip], fold: Fold) -> Mapping[str, int]:
    folds = {clip.path: clip.fold for clip in clips if clip.fold}
    if len(folds) < len(clips):
        first = next(clip.path for clip in clips if not clip.fold)
        raise DataError(
            f"{len(clips) - len(folds)} of {len(clips)} clips have no fold in the manifest, "
            f"the first is {first}; give every clip one, or none"
        )
    numbers = sorted(set(folds.values()))
    if numbers != list(range(1, fold.count + 1)):
        raise DataError(
            f"--fold is {fold}, but the manifest's folds are {', '.join(map(str, numbers))}; "
            "they must be numbered from 1, and --fold must be one of as many"
        )
    return folds
