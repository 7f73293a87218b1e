"""Which fold of a cross-validation holds each clip out: the manifest's where it says so, else scikit-learn's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.data.clip import Clip
    from tracker.runs import Fold

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
        return _given(clips, fold)
    return _drawn(clips, fold, seed)


def _given(clips: Sequence[Clip], fold: Fold) -> Mapping[str, int]:
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
