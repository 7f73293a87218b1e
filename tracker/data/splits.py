"""Training, validation and test: as the manifest says, else drawn, stratified by class with every group kept whole.

Conventions: fractions are of all clips; the test part is drawn first, the validation part or the folds from the rest. A
clip without a group is a group of its own.

A split depends on the clips' paths, labels and groups and on the plan alone: not on where the dataset is, the order of
its rows, the machine or the seed of the training. Groups are drawn in the order of a hash of the split seed and the
group's name, not from a stream of random numbers, and everything else is integer arithmetic, so that every machine and
every version of NumPy draws the same. Of the groups, those are chosen that bring each class as near to its share of
clips as whole groups allow.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import DataError
from tracker.runs import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.data.dataset import Clip, Dataset, Part
    from tracker.runs import Fold, SplitPlan

_ATTEMPTS = 20  # orders of the groups that are tried if groups of several classes allow no division in the first one
_ROUNDING = 1e-9  # by how much a product such as 0.29 × 100 may fall short of the whole number


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

    The manifest's ``split`` decides if it is given, and its ``fold`` if the plan has a fold; if the split has no
    validation part, that is drawn from its training clips. Otherwise whole groups are held out, so that each class is
    in every part and has its fraction of clips as nearly as groups allow.

    Raises
    ------
    DataError
        If there is no clip, the plan contradicts the manifest, or a class has too few clips or groups for it.
    """
    if not dataset.clips:
        raise DataError("no clip is left to be divided; check the files")
    held_out = _given(dataset, plan) if any(clip.split for clip in dataset.clips) else draw(dataset, plan)
    if plan.fold:
        for path, number in _folds(dataset, held_out, plan).items():
            if number == plan.fold.number:
                held_out[path] = "validation"
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
    parts: dict[str, set[str]] = defaultdict(set)
    for part, clips in (("train", split.training), ("validation", split.validation), ("test", split.test)):
        for clip in clips:
            if clip.group is not None:
                parts[clip.group].add(part)
    return tuple(sorted(group for group, names in parts.items() if len(names) > 1))


def _given(dataset: Dataset, plan: SplitPlan) -> dict[str, Part]:
    """Return what the manifest holds out, with a validation part that is drawn if it has none.

    Only the test part if the plan has a fold.
    """
    without = [clip.path for clip in dataset.clips if clip.split is None]
    if without:
        raise DataError(
            f"the manifest has no split for {len(without):,} of {len(dataset.clips):,} clips, "
            f"the first is {without[0]}; give every clip one, or none"
        )
    given: dict[str, Part] = {clip.path: clip.split for clip in dataset.clips if clip.split and clip.split != "train"}
    if plan.test_fraction:
        tests = sum(part == "test" for part in given.values())
        raise DataError(
            f"--test-fraction is {plan.test_fraction:g}, but the data has a split of its own, "
            + (
                f"with {tests} of {len(dataset.clips)} clips to test on; drop --test-fraction, or take the split out"
                if tests
                else "without clips to test on; mark these as test in it, or drop --test-fraction"
            )
        )
    training = dataset.without(given)
    if plan.fold:
        if not any(clip.fold for clip in dataset.clips):
            if "validation" in given.values():
                raise DataError(
                    f"--fold is {plan.fold}, but the data has a split of its own with clips to validate on, and no "
                    "folds; drop --fold, or take the split out"
                )
            _refuse_scarce(training, plan.fold.count, has_folds=True)
        return {path: part for path, part in given.items() if part == "test"}
    if training.clips and is_validation_drawn(dataset):
        given |= draw(training, plan)
    return given


def is_validation_drawn(dataset: Dataset) -> bool:
    """Return whether the validation clips must be drawn: a manifest's own split may have training and test alone."""
    return all(clip.split != "validation" for clip in dataset.clips)


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


def _folds(dataset: Dataset, held_out: Mapping[str, Part], plan: SplitPlan) -> Mapping[str, int]:
    """Return the fold that holds each clip out: as given, or as drawn if the plan has one."""
    if plan.fold is None:
        return {clip.path: clip.fold for clip in dataset.clips if clip.fold}
    clips = [clip for clip in dataset.clips if held_out.get(clip.path) != "test"]
    return folds_of(clips, plan.fold, plan.split_seed)


def folds_of(clips: Sequence[Clip], fold: Fold, seed: int) -> Mapping[str, int]:
    """Return the fold, counted from 1, that holds each clip out, by its path: its own, or drawn under a seed.

    Raises
    ------
    DataError
        If the clips have folds of their own but not as many, or whole groups allow no such folds.
    """
    folds = {clip.path: clip.fold for clip in clips if clip.fold}
    if not folds:
        return draw_folds(clips, fold.count, seed)
    without = [clip.path for clip in clips if not clip.fold]
    if without:
        raise DataError(
            f"the manifest has no fold for {len(without):,} of {len(clips):,} clips, "
            f"the first is {without[0]}; give every clip one, or none"
        )
    numbers = sorted(set(folds.values()))
    if numbers != list(range(1, fold.count + 1)):
        count = len(numbers)
        remedy = f"give --fold 1/{count} to {count}/{count}" if numbers[-1] == count else "number them from 1 on"
        raise DataError(f"--fold is {fold}, but the manifest's folds are {', '.join(map(str, numbers))}; {remedy}")
    return folds


def draw(dataset: Dataset, plan: SplitPlan) -> dict[str, Part]:
    """Draw the test part and, unless the plan has a fold, the validation part; return each such clip's, by its path.

    Raises
    ------
    DataError
        If a class has fewer groups than there are parts, or groups of several classes allow no division.
    """
    has_given_folds = any(clip.fold for clip in dataset.clips)
    rest = plan.fold.count if plan.fold and not has_given_folds else 2  # parts of each class besides the test part
    _refuse_scarce(dataset, rest + (1 if plan.test_fraction else 0), has_folds=plan.fold is not None)
    stages: list[tuple[Part, float, int]] = [("test", plan.test_fraction, rest)] if plan.test_fraction else []
    if not plan.fold:
        stages.append(("validation", plan.validation_fraction, 1))
    for attempt in range(_ATTEMPTS):
        held_out: dict[str, Part] = {}
        for part, fraction, stay in stages:
            left = [clip for clip in dataset.clips if clip.path not in held_out]
            drawn = _draw_part(dataset.clips, left, fraction, stay, f"{plan.split_seed} {attempt}")
            if not drawn:
                break
            held_out |= dict.fromkeys(drawn, part)
        else:
            return held_out
    raise DataError(
        "the groups contain clips of several classes, and no division into whole groups was found that has every class "
        "in every part; add groups, or give the parts in the manifest (path,label,group,split)"
    )


def draw_folds(clips: Sequence[Clip], count: int, seed: int) -> Mapping[str, int]:
    """Draw the folds of a cross-validation, one after the other, each from the clips that are left.

    Returns the fold, counted from 1, that holds each clip out, by its path.

    Raises
    ------
    DataError
        If groups of several classes allow no folds that have every class.
    """
    for attempt in range(_ATTEMPTS):
        folds: dict[str, int] = {}
        left = list(clips)
        for number in range(1, count):
            rest = count - number
            drawn = _draw_part(left, left, 1 / (rest + 1), rest, f"{seed} {attempt}")
            if not drawn:
                break
            folds |= dict.fromkeys(drawn, number)
            left = [clip for clip in left if clip.path not in folds]
        else:
            return folds | dict.fromkeys((clip.path for clip in left), count)
    raise DataError(
        f"the groups contain clips of several classes, and no {count} folds of whole groups were found that have every "
        "class; ask for fewer folds, or number them in the manifest (path,label,group,fold)"
    )


def _draw_part(clips: Sequence[Clip], left: Sequence[Clip], fraction: float, stay: int, order: str) -> list[str]:
    """Return the paths of about `fraction` of all clips, drawn from those that are left; empty if impossible."""
    classes = sorted({clip.label for clip in clips})
    by_unit: dict[tuple[str, str], list[Clip]] = defaultdict(list)
    for clip in left:
        by_unit[clip.unit].append(clip)
    # By their hashes, the order of the others stays the same if some groups are removed.
    units = sorted(by_unit, key=lambda unit: hashlib.sha256(json.dumps([order, unit]).encode()).digest())
    counts = np.array([_count(by_unit[unit], classes) for unit in units])
    targets = shares(_count(clips, classes), fraction)
    chosen = choose(counts, np.minimum(targets, counts.sum(axis=0) - 1), stay)
    return [] if chosen is None else [clip.path for row in np.flatnonzero(chosen) for clip in by_unit[units[row]]]


def _count(clips: Sequence[Clip], classes: Sequence[str]) -> NDArray[np.int64]:
    counts = Counter(clip.label for clip in clips)
    return np.array([counts[label] for label in classes], dtype=np.int64)


def _refuse_scarce(dataset: Dataset, needed: int, *, has_folds: bool) -> None:
    """Refuse a class with fewer groups than there are parts: it would be missing from one of them."""
    for label in dataset.classes:
        clips = [clip for clip in dataset.clips if clip.label == label]
        groups = len({clip.unit for clip in clips})
        if groups < needed:
            kind = "clips" if all(clip.unit[0] == "clip" for clip in clips) else "groups"
            have = f"{len(clips)} clip{'' if len(clips) == 1 else 's'}"
            if kind == "groups":
                have += f" in {groups} group{'' if groups == 1 else 's'}"
            raise DataError(
                f"class {label!r} has {have}, but dividing it into {needed} parts takes {needed} {kind}; "
                f"add some, leave the class out{', or ask for fewer folds' if has_folds else ''}"
            )


def shares(sizes: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    """Apportion a fraction of all clips to the classes, of at least 2 clips each, by largest remainder.

    Each class gets at least 1 clip and at most all but 1. Of equal remainders, the first classes get the clip.
    """
    exact = sizes * fraction
    whole = np.floor(exact + _ROUNDING).astype(np.int64)
    spare = max(0, round(math.fsum(exact)) - int(whole.sum()))
    largest = np.argsort(np.round(whole - exact, 9), kind="stable")[:spare]
    whole[largest] += 1
    return np.asarray(np.clip(whole, 1, sizes - 1))


def choose(counts: NDArray[np.int64], targets: NDArray[np.int64], stay: int = 1) -> NDArray[np.bool_] | None:
    """Choose the groups that are held out, one or more of each class; None if no such choice was found.

    First every group that brings the classes nearer to their targets is taken, in order; then single groups are
    added, dropped or exchanged as long as that helps.

    Parameters
    ----------
    counts : ndarray of int, shape (n_groups, n_classes)
        Clips of each class in each group, in the order in which groups are preferred.
    targets : ndarray of int, shape (n_classes,)
        Clips of each class to choose.
    stay : int
        Groups of each class that must not be chosen.
    """
    most = (counts > 0).sum(axis=0) - stay
    cost = _Cost(targets, most, broken=int((counts.sum(axis=0) ** 2).sum()) + 1)
    chosen = np.zeros(len(counts), dtype=bool)
    clips = groups = np.zeros(counts.shape[1], dtype=np.int64)
    lowest = cost(clips, groups)
    for row, present in enumerate(counts > 0):
        now = cost(clips + counts[row], groups + present)
        if now < lowest:
            chosen[row], lowest = True, now
            clips, groups = clips + counts[row], groups + present
    is_better = True
    while is_better and cost.of_choice(counts[chosen]):
        exchanges = [_exchange(row, counts, cost, chosen) for row in (None, *np.flatnonzero(chosen))]
        is_better = any(exchanges)
    return chosen if cost.of_choice(counts[chosen]) < cost.broken else None


@dataclass(frozen=True, slots=True)
class _Cost:
    """How far a choice is off: the sum over classes of squared clips, and more than any such sum for a broken rule."""

    targets: NDArray[np.int64]
    most: NDArray[np.int64]
    broken: int

    def __call__(self, clips: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the cost of choices with so many clips and groups of each class, shape (..., n_classes)."""
        off = ((clips - self.targets) ** 2).sum(axis=-1)
        rules = ((groups < 1).astype(np.int64) + (groups > self.most)).sum(axis=-1)
        return np.asarray(off + self.broken * rules)

    def of_choice(self, rows: NDArray[np.int64]) -> int:
        return int(self(rows.sum(axis=0), (rows > 0).sum(axis=0)))


def _exchange(row: int | None, counts: NDArray[np.int64], cost: _Cost, chosen: NDArray[np.bool_]) -> bool:
    """Exchange the group at `row`, or none, for the best of the others, or for none; return whether that helped."""
    kept = chosen.copy()
    if row is not None:
        kept[row] = False
    rest = np.flatnonzero(~chosen)
    offers = np.vstack([np.zeros((1, counts.shape[1]), dtype=np.int64), counts[rest]])
    costs = cost(counts[kept].sum(axis=0) + offers, (counts[kept] > 0).sum(axis=0) + (offers > 0))
    best = int(costs.argmin())
    if costs[best] >= cost.of_choice(counts[chosen]):
        return False
    chosen[:] = kept
    if best:
        chosen[rest[best - 1]] = True
    return True
