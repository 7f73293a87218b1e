"""Which clips are held out, drawn at random: stratified by class, with every group kept whole.

Conventions: fractions are of all clips; the test part is drawn first, the validation part or the folds from the rest.
Groups are drawn in the order of a hash of the split seed and the group's name, not from a stream of random numbers, and
everything else is integer arithmetic, so that a split is the same on every machine and with every version of NumPy. Of
the groups, those are chosen that bring each class as near to its share of clips as whole groups allow.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.data.dataset import Dataset
    from tracker.data.readers import Clip, Part
    from tracker.runs import SplitPlan

_ATTEMPTS = 20  # orders of the groups that are tried if groups of several classes allow no division in the first one
_ROUNDING = 1e-9  # by how much a product such as 0.29 × 100 may fall short of the whole number


def draw(dataset: Dataset, plan: SplitPlan) -> Mapping[str, Part]:
    """Draw the test part and, unless the plan has a fold, the validation part; return each such clip's, by its path.

    Raises
    ------
    DataError
        If a class has fewer groups than there are parts, or groups of several classes allow no division.
    """
    _refuse_scarce(dataset, plan)
    for attempt in range(_ATTEMPTS):
        held_out = _draw_parts(dataset, plan, f"{plan.split_seed} {attempt}")
        if held_out is not None:
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
        folds = _try_folds(clips, count, f"{seed} {attempt}")
        if folds is not None:
            return folds
    raise DataError(
        f"the groups contain clips of several classes, and no {count} folds of whole groups were found that have every "
        "class; ask for fewer folds, or number them in the manifest (path,label,group,fold)"
    )


def _try_folds(clips: Sequence[Clip], count: int, order: str) -> dict[str, int] | None:
    folds: dict[str, int] = {}
    left = list(clips)
    for number in range(1, count):
        remaining = count - number + 1
        drawn = _draw_part(left, left, 1 / remaining, remaining - 1, order)
        if not drawn:
            return None
        folds |= dict.fromkeys(drawn, number)
        left = [clip for clip in left if clip.path not in folds]
    return folds | dict.fromkeys((clip.path for clip in left), count)


def _draw_parts(dataset: Dataset, plan: SplitPlan, order: str) -> dict[str, Part] | None:
    held_out: dict[str, Part] = {}
    stages: list[tuple[Part, float, int]] = []
    if plan.test_fraction:
        stages.append(("test", plan.test_fraction, _divisor(dataset, plan)))
    if not plan.fold:
        stages.append(("validation", plan.validation_fraction, 1))
    for part, fraction, stay in stages:
        left = [clip for clip in dataset.clips if clip.path not in held_out]
        drawn = _draw_part(dataset.clips, left, fraction, stay, order)
        if not drawn:
            return None
        held_out |= dict.fromkeys(drawn, part)
    return held_out


def _draw_part(clips: Sequence[Clip], left: Sequence[Clip], fraction: float, stay: int, order: str) -> list[str]:
    """Return the paths of about `fraction` of all clips, drawn from those that are left; empty if impossible."""
    classes = sorted({clip.label for clip in clips})
    groups = _shuffled_groups(left, order)
    counts = np.array([_count(group, classes) for group in groups])
    targets = shares(_count(clips, classes), fraction)
    chosen = choose(counts, np.minimum(targets, counts.sum(axis=0) - 1), stay)
    if chosen is None:
        return []
    return [clip.path for row in np.flatnonzero(chosen) for clip in groups[row]]


def _shuffled_groups(clips: Sequence[Clip], order: str) -> list[list[Clip]]:
    """Return the clips by group, in an order that does not change for the rest if some groups are removed."""
    groups: dict[tuple[str, str], list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[clip.unit].append(clip)
    units = sorted(groups, key=lambda unit: hashlib.sha256(json.dumps([order, unit]).encode()).digest())
    return [groups[unit] for unit in units]


def _count(clips: Sequence[Clip], classes: Sequence[str]) -> NDArray[np.int64]:
    counts = Counter(clip.label for clip in clips)
    return np.array([counts[label] for label in classes], dtype=np.int64)


def _divisor(dataset: Dataset, plan: SplitPlan) -> int:
    """Return into how many parts each class is divided after the test part."""
    return plan.fold.count if plan.fold and not any(clip.fold for clip in dataset.clips) else 2


def _refuse_scarce(dataset: Dataset, plan: SplitPlan) -> None:
    """Refuse a class with fewer groups than there are parts: it would be missing from one of them."""
    needed = _divisor(dataset, plan) + (1 if plan.test_fraction else 0)
    for label in dataset.classes:
        clips = [clip for clip in dataset.clips if clip.label == label]
        groups = len({clip.unit for clip in clips})
        if groups < needed:
            kind = "clips" if all(clip.group is None for clip in clips) else "groups"
            have = _number(len(clips), "clip") + (f" in {_number(groups, 'group')}" if kind == "groups" else "")
            raise DataError(
                f"class {label!r} has {have}, but dividing it into {needed} parts takes {needed} {kind}; "
                f"add some, leave the class out{', or ask for fewer folds' if plan.fold else ''}"
            )


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


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
    chosen = _first_choice(counts, cost)
    _exchange(counts, cost, chosen)
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


def _first_choice(counts: NDArray[np.int64], cost: _Cost) -> NDArray[np.bool_]:
    chosen = np.zeros(len(counts), dtype=bool)
    clips = groups = np.zeros(counts.shape[1], dtype=np.int64)
    now = cost(clips, groups)
    for row, present in enumerate(counts > 0):
        then = cost(clips + counts[row], groups + present)
        if then < now:
            chosen[row], now = True, then
            clips, groups = clips + counts[row], groups + present
    return chosen


def _exchange(counts: NDArray[np.int64], cost: _Cost, chosen: NDArray[np.bool_]) -> None:
    """Improve `chosen` in place until adding, dropping or exchanging a group no longer helps."""
    while cost.of_choice(counts[chosen]) and sum(
        _exchange_one(row, counts, cost, chosen) for row in (None, *np.flatnonzero(chosen))
    ):
        pass


def _exchange_one(row: int | None, counts: NDArray[np.int64], cost: _Cost, chosen: NDArray[np.bool_]) -> bool:
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
