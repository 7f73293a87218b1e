"""What differences a validation set can and cannot show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.conclusions.conclusion import Conclusion, Details
from tracker.statistics.power import clips_needed, detectable_difference

if TYPE_CHECKING:
    from tracker.conclusions.clips import ClipSet
    from tracker.conclusions.study import Study

MUCH_DISCORDANCE = 0.4
"""The share of clips that exactly one of two models has right, where they disagree often: taken without a count."""


@dataclass(frozen=True, slots=True)
class SampleSize(Details):
    """The evidence.

    Parameters
    ----------
    one_clip : float
        What one clip is as a difference of accuracy.
    n_groups : int
        0 where no clips share one.
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
        The p-value of a run that has all clips right against the best, one that it is at least.
    """

    one_clip: float = 0.0
    n_groups: int = 0
    discordance: float | None = None
    detectable: tuple[float | None, float | None] = (None, None)
    clips_for_one: tuple[int, int] = (0, 0)
    best_correct: int | None = None
    ceiling_p: float | None = None


def sample_sizes(study: Study) -> tuple[Conclusion, ...]:
    """Conclude on each set of clips.

    Parameters
    ----------
    study : Study

    Returns
    -------
    tuple of Conclusion
        None for runs whose number of validation clips was not logged.
    """
    return tuple(_conclusion(study, clips) for clips in study.clip_sets if clips.n and clips.known)


def _conclusion(study: Study, clips: ClipSet) -> Conclusion:
    n = clips.n or 0
    discordance = _discordance(clips)
    much = MUCH_DISCORDANCE if discordance is None else discordance
    best = max((study.outcomes[run].correct or 0 for run in clips.members), default=0)
    details = SampleSize(
        one_clip=1 / n,
        n_groups=clips.n_groups,
        discordance=discordance,
        detectable=(
            detectable_difference(n, 0.0, alpha=study.alpha),
            detectable_difference(n, much, alpha=study.alpha),
        ),
        clips_for_one=(
            clips_needed(1 / n, 0.0, alpha=study.alpha),
            clips_needed(1 / n, much, alpha=study.alpha),
        ),
        best_correct=best or None,
        ceiling_p=min(1.0, 2.0 ** (1 - (n - best))) if best else None,
    )
    return Conclusion("sample_size", "exact", study.ids(clips.members), details, n=n)


def _discordance(clips: ClipSet) -> float | None:
    """Return the share of clips that exactly one of two runs has right, over all pairs of runs."""
    runs = len(clips.judged)
    if runs < 2:
        return None
    share = clips.right.mean(axis=0)
    return float(np.mean(2 * share * (1 - share)) * runs / (runs - 1))
