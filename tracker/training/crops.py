"""The batches that a network is trained on: random segments, drawn anew in every epoch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tracker.training.backend import keras
from tracker.training.segments import random_segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.training.images import Image


class Crops(keras.utils.PyDataset):  # type: ignore[misc]
    """The batches of one epoch; `draw` has to be called as each begins.

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
        super().__init__()
        self._images = images
        self._targets = targets
        self._frames = frames
        self._batch_size = batch_size
        self._seed = seed
        self.draw(1)

    def draw(self, epoch: int) -> None:
        """Draw the segments of an epoch, counted from 1."""
        self._segments = random_segments(self._images, self._frames, np.random.default_rng([self._seed, epoch]))

    def __len__(self) -> int:
        return math.ceil(len(self._segments) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[Image, NDArray[np.int64]]:
        which = slice(index * self._batch_size, (index + 1) * self._batch_size)
        return self._segments.cut(self._images, which), self._targets[self._segments.clips[which]]
