"""Segments: windows of a fixed number of frames, cut from the images of clips.

Conventions: a segment is named by its clip's index and its first frame. A clip shorter than a segment is one segment,
padded at its end with the floor (−80 dB). For training, segments are drawn at random anew in every epoch; to judge a
clip, it is cut into consecutive segments from its beginning, and where at least half a segment remains at its end, a
last one that ends with the clip (and overlaps the one before); a shorter remainder is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.runs import FLOOR_DB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.training.images import Image

CROPS = 4
"""Random segments of each clip in an epoch: measured, it reaches a low loss sooner than whole clips or all segments."""


@dataclass(frozen=True, eq=False)
class Segments:
    """Where segments lie.

    Parameters
    ----------
    clips : ndarray of int, shape (n_segments,)
        Index of each segment's clip.
    starts : ndarray of int, shape (n_segments,)
        Its first frame.
    frames : int
        How long each is.
    """

    clips: NDArray[np.intp]
    starts: NDArray[np.intp]
    frames: int

    def __len__(self) -> int:
        return len(self.clips)

    def cut(self, images: Sequence[Image], which: slice) -> NDArray[np.float32]:
        """Return some of the segments as a batch, shape (n, n_mels, frames, 1), dB."""
        clips, starts = self.clips[which], self.starts[which]
        batch = np.full((len(clips), images[0].shape[0], self.frames, 1), FLOOR_DB, np.float32)
        for row, clip, start in zip(batch, clips, starts, strict=True):
            segment = images[clip][:, start : start + self.frames]
            row[:, : segment.shape[1], 0] = segment
        return batch


def random_segments(images: Sequence[Image], frames: int, rng: np.random.Generator) -> Segments:
    """Draw `CROPS` segments of each clip, uniformly and in random order."""
    clips = rng.permutation(np.repeat(np.arange(len(images)), CROPS))
    room = np.array([max(0, image.shape[1] - frames) for image in images])
    return Segments(clips, rng.integers(0, room[clips], endpoint=True), frames)


def consecutive_segments(images: Sequence[Image], frames: int) -> Segments:
    """Cut every clip into consecutive segments, clip by clip."""
    starts = [_starts(image.shape[1], frames) for image in images]
    clips = np.repeat(np.arange(len(images)), [len(some) for some in starts])
    return Segments(clips, np.concatenate(starts), frames)


def _starts(length: int, frames: int) -> NDArray[np.intp]:
    """First frames of a clip's consecutive segments."""
    starts = np.arange(0, max(length - frames, 0) + 1, frames)
    remainder = length - frames - starts[-1]
    return np.append(starts, length - frames) if 2 * remainder >= frames else starts
