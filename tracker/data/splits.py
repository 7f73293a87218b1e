"""Who is trained on, who is held out: by the manifest where it says so, else stratified and with every group whole.

Conventions: fractions are of all clips, the test part is taken first; a clip without a group is a group of its own.
A division depends on the clips' paths, labels and groups and on the plan, on nothing else: not on where the dataset
lies, the order of its rows, the machine or the seed of the training.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.data.draw import draw
from tracker.data.folds import folds_of
from tracker.data.manifest import COLUMNS
from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.data.clip import Clip, Part
    from tracker.data.dataset import Dataset
    from tracker.runs import SplitPlan


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

    The manifest's ``split`` decides where it is given; for a fold of a plan, the manifest's ``fold`` where that is
    given. Else groups are held out whole, so that each class has its fraction of clips as nearly as groups allow and
    is in every part.

    Parameters
    ----------
    dataset : Dataset
    plan : SplitPlan

    Returns
    -------
    Split

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
    """Return what tells this division from any other: SHA-256, in hexadecimal, over who is in which part."""
    return hashlib.sha256(json.dumps(sorted(split.parts.items())).encode()).hexdigest()


def manifest_text(dataset: Dataset, split: Split, plan: SplitPlan) -> str:
    """Write the manifest as used.

    Parameters
    ----------
    dataset : Dataset
    split : Split
        Its division.
    plan : SplitPlan
        Where it asks for a fold that the manifest does not give, the folds are those that were made for it.

    Returns
    -------
    str
        CSV with the columns ``path,label,group,split,fold``; what is not known is empty.
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
    """Return the part of each clip that is not trained on."""
    given = any(clip.split for clip in dataset.clips)
    held_out = _given(dataset, plan) if given else draw(dataset, plan)
    if not plan.fold:
        return held_out
    folds = _folds(dataset, held_out, plan)
    return {**held_out, **{path: "validation" for path, number in folds.items() if number == plan.fold.number}}


def _folds(dataset: Dataset, held_out: Mapping[str, Part], plan: SplitPlan) -> Mapping[str, int]:
    """Return the fold that holds each clip out, where one does: as given, or as drawn if the plan asks for one."""
    if plan.fold is None:
        return {clip.path: clip.fold for clip in dataset.clips if clip.fold}
    clips = [clip for clip in dataset.clips if held_out.get(clip.path) != "test"]
    return folds_of(clips, plan.fold, plan.split_seed)


def _given(dataset: Dataset, plan: SplitPlan) -> Mapping[str, Part]:
    """Return what the manifest holds out; for a fold, only what it tests on."""
    without = [clip.path for clip in dataset.clips if clip.split is None]
    if without:
        raise DataError(
            f"{len(without)} of {len(dataset.clips)} clips have no split in the manifest, "
            f"the first of them {without[0]}; give every clip one, or none"
        )
    if plan.test_fraction:
        raise DataError(
            "the manifest says by its column split who is tested on; leave out the test fraction, or the column"
        )
    if plan.fold and not any(clip.fold for clip in dataset.clips):
        raise DataError("the manifest says by its column split who is held out; leave out the fold, or the column")
    return {
        clip.path: clip.split
        for clip in dataset.clips
        if clip.split == "test" or (clip.split == "validation" and not plan.fold)
    }


def _refuse_unfit(split: Split) -> None:
    """Refuse what only a manifest's own parts, or groups of several classes, can bring about."""
    for name, clips in (("training", split.training), ("validation", split.validation)):
        if not clips:
            raise DataError(f"no clip is in {name}; check the columns split and fold of the manifest")
    trained = {clip.label for clip in split.training}
    for clip in (*split.validation, *split.test):
        if clip.label not in trained:
            raise DataError(
                f"class {clip.label!r} is held out whole, so that nothing could learn it; "
                "check the columns split, fold and group of the manifest"
            )
