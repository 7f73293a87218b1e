"""Who is trained on, who is held out: by the manifest where it says so, else stratified and with every group whole.

Conventions: fractions are of all clips, the test part is taken first; a clip without a group is a group of its own.
A division depends on the clips' paths, labels and groups and on the plan, on nothing else: not on where the dataset
lies, the order of its rows, the machine or the seed of the training.

Which fold of a cross-validation holds each clip out: the manifest's where it says so, else scikit-learn's.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.data.holdout import draw
from tracker.data.manifest import COLUMNS
from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.data.clip import Clip, Part
    from tracker.data.dataset import Dataset
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


_SEEDS = 2**32
"""How many seeds scikit-learn knows."""


def folds_of(clips: Sequence[Clip], fold: Fold, seed: int) -> Mapping[str, int]:
    """Return the fold that holds each clip out.

    Parameters
    ----------
    clips : sequence of Clip
        Sorted by path; those of a test part are not among them.
    fold : Fold
        Whose count says how many folds there are.
    seed : int, at least 0
        Luck of the folds, where the clips do not bring their own.

    Returns
    -------
    mapping of str to int
        The fold, counted from 1, that holds each clip out, by its path.

    Raises
    ------
    DataError
        If the clips bring folds of their own, and other than these, or whole groups make no such folds.
    """
    if any(clip.fold for clip in clips):
        return _given_folds(clips, fold)
    return _drawn(clips, fold, seed)


def _given_folds(clips: Sequence[Clip], fold: Fold) -> Mapping[str, int]:
    folds = {clip.path: clip.fold for clip in clips if clip.fold}
    if len(folds) < len(clips):
        first = next(clip.path for clip in clips if not clip.fold)
        raise DataError(
            f"{len(clips) - len(folds)} of {len(clips)} clips have no fold in the manifest, "
            f"the first of them {first}; give every clip one, or none"
        )
    numbers = sorted(set(folds.values()))
    if numbers != list(range(1, fold.count + 1)):
        raise DataError(
            f"fold {fold} was asked for, and the manifest's folds are {', '.join(map(str, numbers))}; "
            "they must be numbered from 1, and the fold be one of as many"
        )
    return folds


def _drawn(clips: Sequence[Clip], fold: Fold, seed: int) -> Mapping[str, int]:
    from sklearn.model_selection import StratifiedGroupKFold  # takes a second that only folds need

    folds = StratifiedGroupKFold(fold.count, shuffle=True, random_state=seed % _SEEDS)
    labels, groups = [clip.label for clip in clips], ["/".join(clip.unit) for clip in clips]
    parts = [held_out for _, held_out in folds.split(np.zeros(len(clips)), labels, groups)]
    if any({labels[i] for i in held_out} != set(labels) for held_out in parts):
        raise DataError(
            f"the groups hold clips of several classes, and no {fold.count} folds of whole groups were found with "
            "every class in each; ask for fewer folds, or number them in the manifest (path,label,group,fold)"
        )
    return {clips[i].path: number for number, held_out in enumerate(parts, start=1) for i in held_out}
