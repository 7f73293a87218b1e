"""Runs that can be set against each other: two levels of an option, everything else but the seed being equal."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tracker.study.options import Design


Pair = tuple[int, int]
"""Two runs, by their index in the study."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two levels of an option and the runs that tell them apart.

    Parameters
    ----------
    option, start, end : str
        An effect is that of going from level `start` to level `end`.
    pairs : tuple of (run at start, run at end)
        Matched pairs; no run is in two of them.
    repetitions : tuple of (runs at start, runs at end)
        For each setting of everything else the runs of the two levels, matched or not.
    """

    option: str
    start: str
    end: str
    pairs: tuple[Pair, ...]
    repetitions: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]


def contrasts(design: Design, option: str) -> tuple[Contrast, ...]:
    """Find every two levels of an option that runs tell apart, everything else being equal.

    Parameters
    ----------
    design : Design
    option : str
        One that varies.

    Returns
    -------
    tuple of Contrast
        Ordered by level; empty where something else changed whenever the option did.
    """
    pairs: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    repetitions: dict[tuple[int, int], list[tuple[tuple[int, ...], tuple[int, ...]]]] = defaultdict(list)
    for by_level in _settings(design, option):
        for a, b in combinations(sorted(by_level), 2):
            pairs[a, b] += _matched(design, by_level[a], by_level[b])
            repetitions[a, b].append((tuple(by_level[a]), tuple(by_level[b])))
    levels = design.levels[option]
    return tuple(
        Contrast(option, levels[a], levels[b], tuple(sorted(pairs[a, b])), tuple(repetitions[a, b]))
        for a, b in sorted(repetitions)
    )


def _settings(design: Design, option: str) -> Iterator[dict[int, list[int]]]:
    """Yield, for each setting of all else but the seed in which the option varies, its runs by level."""
    column = design.options.index(option)
    others = np.delete(design.codes, column, axis=1)
    keys = np.column_stack([design.repeats, others])
    _, inverse = np.unique(keys, axis=0, return_inverse=True)
    for runs in _members(inverse.ravel()):
        by_level: dict[int, list[int]] = defaultdict(list)
        for run in runs:
            by_level[int(design.codes[run, column])].append(run)
        if len(by_level) > 1:
            yield by_level


def _matched(design: Design, start: Sequence[int], end: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pairs of equal seed; a run without a logged seed has no partner."""
    by_seed: dict[object, list[int]] = defaultdict(list)
    for run in end:
        by_seed[design.terms[run].seed].append(run)
    pairs = []
    for run in start:
        seed = design.terms[run].seed
        if seed and by_seed[seed]:
            pairs.append((run, by_seed[seed].pop(0)))
    return pairs


def _members(numbers: NDArray[np.int64]) -> Iterator[list[int]]:
    """Yield the positions of each number."""
    order = np.argsort(numbers, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
        yield part.tolist()
