"""What differences a validation set can and cannot show."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.conclusions.conclusion import Conclusion, Details

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.study.detectable import DetectableDifference
    from tracker.study.study import Study


@dataclass(frozen=True, slots=True)
class SampleSize(Details):
    """The evidence.

    Parameters
    ----------
    one_clip : float
        What one clip is as a difference of accuracy.
    n_groups : int
        0 where no clips share one.
    design_effect : float
        How many clips count for one, where they share groups.
    discordance : float or None
        The mean share of clips that exactly one of two runs has right; None without two runs' predictions.
    detectable : tuple of (float or None), length 2
        The smallest true difference found four times in five: where one model is never worse on any clip, and where
        they disagree as observed (or often). None where not even a difference of 1 is.
    clips_for_one : tuple of int, length 2
        Clips that would show a true difference of `one_clip` as often, under the same two assumptions.
    best_correct : int or None
        Clips that the best run has right.
    ceiling_p : float or None
        The p-value of a run that has all clips right against the best, at best; None where the best has all.
    """

    one_clip: float = 0.0
    n_groups: int = 0
    design_effect: float = 1.0
    discordance: float | None = None
    detectable: tuple[float | None, float | None] = (None, None)
    clips_for_one: tuple[int, int] = (0, 0)
    best_correct: int | None = None
    ceiling_p: float | None = None


def sample_sizes(study: Study) -> tuple[Conclusion, ...]:
    """Conclude on each set of clips, and on each number of clips that was logged without saying which.

    Parameters
    ----------
    study : Study

    Returns
    -------
    tuple of Conclusion
        None for runs whose number of validation clips was not logged.
    """
    return tuple(_conclusion(study, runs) for runs in _by_clips(study))


def _by_clips(study: Study) -> Iterator[Sequence[int]]:
    by_number: dict[int, list[int]] = defaultdict(list)
    for clips in study.clip_sets:
        if clips.known and clips.n:
            yield clips.members
        elif clips.n:
            by_number[clips.n] += clips.members
    yield from by_number.values()


def _conclusion(study: Study, runs: Sequence[int]) -> Conclusion:
    reach, best = study.detectable_difference(runs[0]), study.most_correct(runs)
    details = SampleSize(
        one_clip=1 / reach.n,
        n_groups=study.clip_set_of[runs[0]].n_groups,
        design_effect=reach.design_effect,
        discordance=reach.discordance,
        detectable=reach.detectable(),
        clips_for_one=reach.clips_for_one(),
        best_correct=best,
        ceiling_p=_ceiling_p(reach, best),
    )
    return Conclusion("sample_size", "exact", study.ids(runs), details, n=reach.n)


def _ceiling_p(reach: DetectableDifference, best: int | None) -> float | None:
    """Return exact McNemar's p-value of all clips right against the best run."""
    return None if best is None or best == reach.n else min(1.0, 2.0 ** (1 - (reach.n - best)))
