"""What a network is trained on: the images of labelled clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.runs import RunPlan

Image = NDArray[np.floating]
"""Shape (n_mels, n_frames), decibels from −80 to 0."""


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Clips with their labels and images.

    Parameters
    ----------
    clips : tuple of str
        Paths relative to the dataset.
    labels : tuple of str
        The class of each clip.
    images : sequence of ndarray, each of shape (n_mels, n_frames), dB
        Clips may differ in their number of frames.

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
                "clips, labels and images must be as many as each other and at least one, "
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
    """The clips of one run; test clips are not among them, as training never looks at them.

    Parameters
    ----------
    training, validation : LabelledImages
    classes : tuple of str
        The order of the network's outputs.

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

    @property
    def n_mels(self) -> int:
        """Height of the images."""
        return int(self.training.images[0].shape[0])

    def sorted(self) -> TrainingData:
        """Return the same with the clips of each part sorted, so that no order of listing them matters."""
        return TrainingData(self.training.sorted(), self.validation.sorted(), self.classes)

    def targets(self, part: LabelledImages) -> NDArray[np.int64]:
        """Return the index of each clip's class, shape (n_clips,)."""
        index = {name: i for i, name in enumerate(self.classes)}
        return np.array([index[label] for label in part.labels], dtype=np.int64)


def short_clips(plan: RunPlan, data: TrainingData) -> tuple[str, ...]:
    """Return the clips shorter than one segment, sorted: they are padded with silence."""
    frames = plan.spectrogram.frames(plan.configuration.segment_s)
    parts = (data.training, data.validation)
    clips = ((clip, image) for part in parts for clip, image in zip(part.clips, part.images, strict=True))
    return tuple(sorted(clip for clip, image in clips if image.shape[1] < frames))
