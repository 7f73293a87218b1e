"""The batches that a network is trained on: random segments, drawn anew in every epoch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tracker.training.segments import CROPS, random_segments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tracker.training.images import Image


class Crops:
    """The batches of every epoch.

    What is drawn, and in which order, depends on the seed and the epoch's number alone, not on what was drawn before,
    so that training can go on from any epoch.

    Parameters
    ----------
    images : sequence of ndarray, each of shape (n_mels, n_frames), dB
    targets : ndarray of int, shape (n_clips,)
    frames : int
        Length of a segment.
    batch_size : int
    seed : int
    """

    def __init__(
        self, images: Sequence[Image], targets: NDArray[np.int64], *, frames: int, batch_size: int, seed: int
    ) -> None:
        self._images = images
        self._targets = targets
        self._frames = frames
        self._batch_size = batch_size
        self._seed = seed

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return math.ceil(CROPS * len(self._images) / self._batch_size)

    def batches(self, epoch: int) -> Iterator[tuple[Image, NDArray[np.int64]]]:
        """Yield the batches of an epoch, counted from 1: images of shape (n, n_mels, frames, 1) and their targets."""
        segments = random_segments(self._images, self._frames, np.random.default_rng([self._seed, epoch]))
        for start in range(0, len(segments), self._batch_size):
            which = slice(start, start + self._batch_size)
            yield segments.cut(self._images, which), self._targets[segments.clips[which]]
