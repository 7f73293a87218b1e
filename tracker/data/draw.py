"""Who is held out, drawn by lot: stratified by class, and every group whole.

Conventions: fractions are of all clips; the test part is drawn first, the validation part from what is left. The lot
is a hash of the split seed and the group's name, not a stream of random numbers, so that it is the same with every
version of NumPy.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

from tracker.data.stratify import choose, shares
from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tracker.data.clip import Clip, Part
    from tracker.data.dataset import Dataset
    from tracker.runs import SplitPlan

_ATTEMPTS = 20
"""Orders of the groups that are tried where groups of several classes get in each other's way."""


def draw(dataset: Dataset, plan: SplitPlan) -> Mapping[str, Part]:
    """Draw who is held out: the test part and, unless a fold does that, the validation part.

    Parameters
    ----------
    dataset : Dataset
    plan : SplitPlan

    Returns
    -------
    mapping of str to {"test", "validation"}
        The part of each clip held out, by its path.

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
        "the groups hold clips of several classes, and no division into whole groups was found that has every class "
        "in every part; add groups, or name the parts in the manifest (path,label,group,split)"
    )


def _draw_parts(dataset: Dataset, plan: SplitPlan, luck: str) -> dict[str, Part] | None:
    held_out: dict[str, Part] = {}
    stages: list[tuple[Part, float, int]] = []
    if plan.test_fraction:
        stages.append(("test", plan.test_fraction, _divisor(dataset, plan)))
    if not plan.fold:
        stages.append(("validation", plan.validation_fraction, 1))
    for part, fraction, stay in stages:
        drawn = _draw_part(dataset, held_out, fraction, stay, luck)
        if not drawn:
            return None
        held_out |= dict.fromkeys(drawn, part)
    return held_out


def _draw_part(dataset: Dataset, taken: Mapping[str, Part], fraction: float, stay: int, luck: str) -> list[str]:
    """Return the paths of about `fraction` of all clips, from those not `taken`; none where it cannot be done."""
    classes = dataset.classes
    groups = _shuffled_groups([clip for clip in dataset.clips if clip.path not in taken], luck)
    counts = np.array([_count(group, classes) for group in groups])
    targets = shares(_count(dataset.clips, classes), fraction)
    chosen = choose(counts, np.minimum(targets, counts.sum(axis=0) - 1), stay)
    if chosen is None:
        return []
    return [clip.path for row in np.flatnonzero(chosen) for clip in groups[row]]


def _shuffled_groups(clips: Sequence[Clip], luck: str) -> list[list[Clip]]:
    """Return the clips by group, in an order that a group keeps among the others when some of these are gone."""
    groups: dict[tuple[str, str], list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[clip.unit].append(clip)
    order = sorted(groups, key=lambda unit: hashlib.sha256(json.dumps([luck, unit]).encode()).digest())
    return [groups[unit] for unit in order]


def _count(clips: Sequence[Clip], classes: Sequence[str]) -> NDArray[np.int64]:
    """Return the clips of each class, shape (n_classes,)."""
    counts = Counter(clip.label for clip in clips)
    return np.array([counts[label] for label in classes], dtype=np.int64)


def _divisor(dataset: Dataset, plan: SplitPlan) -> int:
    """Return into how many parts each class is divided once the test part is taken."""
    return plan.fold.count if plan.fold and not any(clip.fold for clip in dataset.clips) else 2


def _refuse_scarce(dataset: Dataset, plan: SplitPlan) -> None:
    """Refuse a class that has fewer groups than there are parts: it would be missing from one of them."""
    needed = _divisor(dataset, plan) + (1 if plan.test_fraction else 0)
    for label in dataset.classes:
        clips = [clip for clip in dataset.clips if clip.label == label]
        groups = len({clip.unit for clip in clips})
        if groups < needed:
            kind = "clips" if all(clip.group is None for clip in clips) else "groups"
            have = _number(len(clips), "clip") + (f" in {_number(groups, 'group')}" if kind == "groups" else "")
            raise DataError(
                f"class {label!r} has {have}, and dividing it into {needed} parts takes {needed} {kind}; "
                f"add some, leave the class out{', or ask for fewer folds' if plan.fold else ''}"
            )


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
