"""Labelled images, the segments that are cut from them, and the batches that a network is trained on.

Conventions: a segment is a window of a fixed number of frames, given by its clip's index and its first frame. A clip
shorter than a segment is padded with silence: for training it lies anywhere in the segment, for evaluation at its
beginning. For training, new random segments are drawn in every epoch. For evaluation, a clip is cut into consecutive
segments from its beginning; if at least half a segment remains, one more ends with the clip (and overlaps the one
before), a shorter remainder is dropped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tracker.runs import FLOOR_DB

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.runs import RunPlan

Image = NDArray[np.floating]  # shape (n_bands, n_frames), by default decibels from −80 to 0

SEGMENTS_PER_CLIP = 4  # in an epoch, at random; in measurements, sooner at a low loss than whole clips or all segments


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Clips, by their paths, with their labels and images, which may differ in their number of frames; at least one.

    Raises
    ------
    ValueError
        If the three differ in length or are empty.
    """

    clips: tuple[str, ...]
    labels: tuple[str, ...]
    images: Sequence[Image]

    def __post_init__(self) -> None:
        if not len(self.clips) == len(self.labels) == len(self.images) > 0:
            raise ValueError(
                "clips, labels and images must be of the same number, at least one, "
                f"got {len(self.clips)}, {len(self.labels)} and {len(self.images)}"
            )

    def sorted(self) -> LabelledImages:
        """Return the same, sorted by clip."""
        order = sorted(range(len(self.clips)), key=self.clips.__getitem__)
        return LabelledImages(
            tuple(self.clips[i] for i in order),
            tuple(self.labels[i] for i in order),
            [self.images[i] for i in order],
        )


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The clips of one run, without test clips, and the classes in the order of the network's outputs.

    Raises
    ------
    ValueError
        If a label is not one of the classes.
    """

    training: LabelledImages
    validation: LabelledImages
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        unknown = ({*self.training.labels} | {*self.validation.labels}) - {*self.classes}
        if unknown:
            raise ValueError(f"labels must be among the classes {self.classes}, got {sorted(unknown)}")

    def sorted(self) -> TrainingData:
        """Return the same with the clips of each part sorted, so that their order does not matter."""
        return TrainingData(self.training.sorted(), self.validation.sorted(), self.classes)

    def targets(self, part: LabelledImages) -> NDArray[np.int64]:
        """Return the index of each clip's class, shape (n_clips,)."""
        index = {name: i for i, name in enumerate(self.classes)}
        return np.array([index[label] for label in part.labels], dtype=np.int64)


def segment_frames(plan: RunPlan) -> int:
    """Return the length of a run's segments."""
    return plan.spectrogram.frames(plan.configuration.segment_s)


def short_clips(plan: RunPlan, data: TrainingData) -> tuple[str, ...]:
    """Return the clips shorter than one segment, sorted: they are padded with silence."""
    clips = [*data.training.clips, *data.validation.clips]
    images = [*data.training.images, *data.validation.images]
    frames = segment_frames(plan)
    return tuple(sorted(clip for clip, image in zip(clips, images, strict=True) if image.shape[1] < frames))


@dataclass(frozen=True, eq=False)
class Segments:
    """The positions of segments, shape (n_segments,): the index of each one's clip and its first frame.

    A first frame of −5 is that of a segment with 5 frames of silence before the clip.
    """

    clips: NDArray[np.intp]
    starts: NDArray[np.intp]
    frames: int
    silence: Sequence[float] = (FLOOR_DB,)  # of each row of an image, or of all

    def __len__(self) -> int:
        return len(self.clips)

    def cut(self, images: Sequence[Image], which: slice) -> Image:
        """Return some of the segments as a batch, shape (n, n_bands, frames, 1), of the images' own type."""
        windows = []
        for clip, start in zip(self.clips[which].tolist(), self.starts[which].tolist(), strict=True):
            window = images[clip][:, max(start, 0) : start + self.frames]
            if window.shape[1] < self.frames:
                sound, before = window, max(-start, 0)
                window = np.empty((len(sound), self.frames), sound.dtype)
                window[:] = np.reshape(self.silence, (-1, 1))
                window[:, before : before + sound.shape[1]] = sound
            windows.append(window)
        return np.stack(windows)[..., None]


def random_segments(
    images: Sequence[Image], frames: int, rng: np.random.Generator, silence: Sequence[float] = (FLOOR_DB,)
) -> Segments:
    """Draw `SEGMENTS_PER_CLIP` segments of each clip, uniformly and in random order."""
    clips = rng.permutation(np.repeat(np.arange(len(images)), SEGMENTS_PER_CLIP))
    room = np.array([image.shape[1] - frames for image in images])[clips]
    starts = rng.integers(np.minimum(room, 0), np.maximum(room, 0), endpoint=True)
    return Segments(clips, starts, frames, silence)


def consecutive_segments(images: Sequence[Image], frames: int, silence: Sequence[float] = (FLOOR_DB,)) -> Segments:
    """Cut every clip into consecutive segments, clip by clip."""
    starts = []
    for length in (image.shape[1] for image in images):
        whole = np.arange(0, max(length - frames, 0) + 1, frames)
        remainder = length - frames - whole[-1]
        starts.append(np.append(whole, length - frames) if 2 * remainder >= frames else whole)
    clips = np.repeat(np.arange(len(images)), [len(some) for some in starts])
    return Segments(clips, np.concatenate(starts), frames, silence)


@dataclass(frozen=True, eq=False)
class Batches:
    """The batches of every epoch; they depend on the seed and its number alone, so training can continue after any."""

    images: Sequence[Image]
    targets: NDArray[np.int64]
    frames: int
    batch_size: int
    seed: int
    silence: Sequence[float] = (FLOOR_DB,)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return math.ceil(SEGMENTS_PER_CLIP * len(self.images) / self.batch_size)

    def of_epoch(self, epoch: int) -> Iterator[tuple[Image, NDArray[np.int64]]]:
        """Yield the batches of an epoch, counted from 1: images of shape (n, n_bands, frames, 1) and their targets."""
        segments = random_segments(self.images, self.frames, np.random.default_rng([self.seed, epoch]), self.silence)
        for start in range(0, len(segments), self.batch_size):
            which = slice(start, start + self.batch_size)
            yield segments.cut(self.images, which), self.targets[segments.clips[which]]
