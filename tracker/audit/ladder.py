"""What leakage is worth on a data set: one network under three splits, of which each keeps more together.

In all three the same segments are trained on and classified one by one; only what the split keeps together differs:
nothing, the segments of a clip, or those of a group. So the accuracies can be compared, and what they lose from one to
the next is what the network owed to having heard the same clip, or the same artist, in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tracker.statistics import newcombe
from tracker.wording import percent, percent_interval, points, points_interval

if TYPE_CHECKING:
    from tracker.statistics import Interval

COLUMNS = ("split", "segments", "correct", "95% interval")


_FOUND = {True: "Leakage inflates results on this data", False: "Leakage does not inflate results on this data"}


class Kept(StrEnum):
    """What a split keeps together."""

    NOTHING = "segments at random"
    CLIPS = "by clip"
    GROUPS = "by group"


@dataclass(frozen=True, slots=True)
class Rung:
    """The accuracy under one split."""

    kept: Kept
    correct: int
    segments: int  # of validation
    interval: Interval  # of the accuracy, for segments that come in clips or groups

    @property
    def accuracy(self) -> float:
        """The fraction of validation segments that is classified correctly."""
        return self.correct / self.segments


@dataclass(frozen=True, slots=True)
class Ladder:
    """The accuracies from the split that keeps least together to the one that keeps most."""

    rungs: tuple[Rung, ...]  # two, or three if the data names groups

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """A row for each split, of texts, as `COLUMNS` names them."""
        return [
            (str(rung.kept), f"{rung.segments:,}", percent(rung.accuracy), percent_interval(rung.interval))
            for rung in self.rungs
        ]

    @property
    def sentence(self) -> str:
        """What leakage is worth, with its interval."""
        first, last = self.rungs[0], self.rungs[-1]
        loss = first.accuracy - last.accuracy
        interval = newcombe(first.accuracy, first.interval, last.accuracy, last.interval)
        verb, preposition = ("add", "to") if loss > 0 else ("take", "from")
        what = f"segments split at random instead of {last.kept} {verb} {points(loss)} {preposition} the accuracy"
        missing = "" if last.kept is Kept.GROUPS else " The data names no groups, so what they are worth is unknown."
        span = f"95% interval {points_interval(interval)}"
        if interval[0] <= 0 <= interval[1]:
            change = "more" if loss >= 0 else "less"
            return (
                f"This data can't tell what leakage is worth: the accuracy is {points(loss)} {change} with "
                f"segments split at random than {last.kept}, which could be chance ({span}).{missing}"
            )
        return f"{_FOUND[loss > 0]}: {what} ({span}), in one training each.{missing}"
