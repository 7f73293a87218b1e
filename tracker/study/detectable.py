"""What a set of clips can show of two models: how often two models disagree on it, and how much its groups cost.

Where clips share groups they count for fewer than they are: by the design effect of the differences between models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.statistics.power import approximate_clips, clips_needed, detectable_difference
from tracker.statistics.proportions import group_codes, group_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracker.study.clip_sets import ClipSet

MUCH_DISCORDANCE = 0.4
"""The fraction of clips on which two models that disagree often differ; assumed where it cannot be counted."""

_MOST_PAIRS = 50
"""Pairs of runs that the design effect is estimated from."""


@dataclass(frozen=True, slots=True)
class DetectableDifference:
    """What a set of clips can show.

    Parameters
    ----------
    n : int
        Clips.
    design_effect : float, at least 1
        How many clips count for one, where they share groups.
    discordance : float or None
        The mean fraction of clips that exactly one of two runs classifies correctly; None without two runs'
        predictions.
    best_fraction : float or None
        The accuracy of the best run: a limit to how often two good models can disagree.
    alpha : float
    """

    n: int
    design_effect: float
    discordance: float | None
    best_fraction: float | None
    alpha: float

    def detectable(self) -> tuple[float | None, float | None]:
        """Return the smallest true difference found four times in five.

        Returns
        -------
        tuple of (float or None), length 2
            Where one model is never worse on any clip, and where they disagree as observed, or often. None where not
            even a difference of 1 is found so often.
        """
        n = max(1, round(self.n / self.design_effect))
        often = self.discordance if self.discordance is not None else MUCH_DISCORDANCE
        return detectable_difference(n, 0.0, alpha=self.alpha), detectable_difference(n, often, alpha=self.alpha)

    def clips_for_one(self) -> tuple[int, int]:
        """Return how many clips would show a difference of one clip in `n`, under the same two assumptions."""
        one = 1 / self.n
        often = self.discordance if self.discordance is not None else self._largest_discordance(one)
        fewest, most = (clips_needed(one, discordance, alpha=self.alpha) for discordance in (0.0, often))
        return self._grouped(fewest), self._grouped(most)

    def clips_for(self, difference: float, discordance: float) -> int | None:
        """Return about how many clips would show a difference; None for none."""
        if not difference:
            return None
        return self._grouped(approximate_clips(abs(difference), discordance, alpha=self.alpha))

    def _largest_discordance(self, difference: float) -> float:
        """Return how often two models can disagree at most that are as good as the best and a little worse."""
        if self.best_fraction is None:
            return MUCH_DISCORDANCE
        return min(MUCH_DISCORDANCE, 2 * (1 - self.best_fraction) + difference)

    def _grouped(self, clips: int) -> int:
        return round(clips * self.design_effect)


def detectable_difference_on(clips: ClipSet, n: int, best_correct: int | None, alpha: float) -> DetectableDifference:
    """Work out what a set of clips can show.

    Parameters
    ----------
    clips : ClipSet
    n : int
        How many there are.
    best_correct : int or None
        Clips that the best run classifies correctly.
    alpha : float
        The level of the test.

    Returns
    -------
    DetectableDifference
    """
    fraction = None if best_correct is None else best_correct / n
    return DetectableDifference(n, _design_effect(clips), _discordance(clips.correct), fraction, alpha)


def _discordance(correct: NDArray[np.bool_]) -> float | None:
    """Return the fraction of clips that exactly one of two runs classifies correctly, over all pairs of runs."""
    runs = len(correct)
    if runs < 2:
        return None
    fraction = correct.mean(axis=0)
    return float(np.mean(2 * fraction * (1 - fraction)) * runs / (runs - 1))


def _design_effect(clips: ClipSet) -> float:
    """Return by how much grouping inflates the variance of a difference, over pairs of the first run with others."""
    if not clips.groups or clips.n_groups < 2 or len(clips.with_predictions) < 2:
        return 1.0
    rows = clips.correct[: _MOST_PAIRS + 1].astype(np.float64)
    differences = rows[1:] - rows[0]
    centred = differences - differences.mean(axis=1, keepdims=True)
    groups, n = clips.n_groups, differences.shape[1]
    by_group = group_sums(centred, group_codes(clips.groups, n))
    apart = float((centred**2).sum()) * n / (n - 1)
    together = float((by_group**2).sum()) * groups / (groups - 1)
    return max(1.0, together / apart) if apart > 0 else 1.0
