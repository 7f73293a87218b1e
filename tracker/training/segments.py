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

    def cut(self, images: Sequence[Image], which: slice) -> Image:
        """Return some of the segments as a batch, shape (n, n_mels, frames, 1), dB, of the images' own type."""
        places = zip(self.clips[which].tolist(), self.starts[which].tolist(), strict=True)
        return np.stack([self._window(images[clip], start) for clip, start in places])[..., None]

    def _window(self, image: Image, start: int) -> Image:
        """Return one segment, shape (n_mels, frames)."""
        missing = self.frames - image.shape[1]
        if missing > 0:
            return np.pad(image, ((0, 0), (0, missing)), constant_values=FLOOR_DB)
        return image[:, start : start + self.frames]


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
