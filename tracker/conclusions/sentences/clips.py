"""Sentences of the conclusions on the validation clips."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.conclusions.sentences.words import Voice, points

if TYPE_CHECKING:
    from tracker.conclusions.conclusion import Conclusion
    from tracker.conclusions.sample_size import SampleSize


def sample_size(conclusion: Conclusion, details: SampleSize, voice: Voice) -> str:
    """Say what the validation set can show."""
    _ = voice
    low, high = details.detectable
    head = f"With {conclusion.n} validation clips one clip is {points(details.one_clip)}"
    if high is None:
        return f"{head}: so few that no difference, however large, would be found four times in five."
    found = f"{points(high)}" if low is None or details.discordance is not None else f"{points(low)} to {points(high)}"
    return f"{head}; a true difference of {found} would be found about four times in five, smaller ones less often."
