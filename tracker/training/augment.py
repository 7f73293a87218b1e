"""What is done to each batch of segments before a network is trained on it; all of it is off by default.

Conventions: images are decibels from −80 to 0, shape (n, n_mels, n_frames, 1), and stay so. Everything is drawn from
one generator an epoch, in the order of the batches, so that training can continue after any epoch.

References
----------
Mixup: Zhang et al. 2018, doi:10.48550/arXiv.1710.09412. Masks: Park et al. 2019, SpecAugment,
doi:10.21437/Interspeech.2019-2680. Label smoothing: Szegedy et al. 2016, doi:10.1109/CVPR.2016.308.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracker.runs import FLOOR_DB

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracker.runs import Configuration, SpecAugment
    from tracker.training.batches import Image


@dataclass(frozen=True, eq=False)
class Augmentation:
    """The changes of a run's batches."""

    n_classes: int
    gain: float | None = None  # dB
    spec_augment: SpecAugment | None = None
    mixup: float | None = None  # both parameters of the beta distribution
    has_soft_targets: bool = False  # as mixup and label smoothing need them
    weights: NDArray[np.float32] | None = None  # of each class, mean 1 over the clips

    @classmethod
    def of(cls, configuration: Configuration, targets: NDArray[np.int64], n_classes: int) -> Augmentation:
        """Return that of a configuration; `targets` are the classes of the clips that are trained on."""
        return cls(
            n_classes,
            configuration.gain,
            configuration.spec_augment,
            configuration.mixup,
            has_soft_targets(configuration),
            balanced_weights(targets, n_classes) if configuration.class_weights else None,
        )

    @property
    def changes_images(self) -> bool:
        """Whether the images of a batch are changed, and not only its targets and weights."""
        return self.gain is not None or self.spec_augment is not None or self.mixup is not None

    def applied(
        self, images: Image, targets: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[Image, NDArray[np.generic], NDArray[np.float32] | None]:
        """Return a batch as it is trained on: its images, targets and the weight of each.

        The targets are classes, or the probability of each class, shape (n, n_classes), where they are soft.
        """
        weights = None if self.weights is None else self.weights[targets]
        if self.gain is not None:
            images = with_gain(images, self.gain, rng)
        if self.spec_augment is not None:
            images = masked(images, self.spec_augment, rng)
        if not self.has_soft_targets:
            return images, targets, weights
        soft = np.eye(self.n_classes, dtype=np.float32)[targets]
        if self.mixup is not None:
            shares, partners = rng.beta(self.mixup, self.mixup, len(images)), rng.permutation(len(images))
            images, soft = _mixed(images, shares, partners), _mixed(soft, shares, partners)
            weights = None if weights is None else _mixed(weights, shares, partners)
        return images, soft, weights


def has_soft_targets(configuration: Configuration) -> bool:
    """Return whether a network is trained on probabilities of classes rather than on classes."""
    return configuration.mixup is not None or configuration.label_smoothing is not None


def balanced_weights(targets: NDArray[np.int64], n_classes: int) -> NDArray[np.float32]:
    """Return a weight for each class that makes all count the same; a class without clips has the weight 0."""
    counts = np.bincount(targets, minlength=n_classes)
    share = np.divide(len(targets), counts, out=np.zeros(n_classes), where=counts > 0)
    return (share / np.count_nonzero(counts)).astype(np.float32)


def with_gain(images: Image, gain: float, rng: np.random.Generator) -> Image:
    """Return each image louder or quieter by up to so many dB, uniformly."""
    changes = rng.uniform(-gain, gain, len(images))
    return np.clip(images + changes[:, None, None, None], FLOOR_DB, 0).astype(images.dtype)


def masked(images: Image, widths: SpecAugment, rng: np.random.Generator) -> Image:
    """Return each image with one stretch of bands and one of frames at its mean.

    Their widths are uniform from 0 to those given, at most the whole image.
    """
    masked = images.copy()
    means = images.mean(axis=(1, 2, 3), dtype=np.float64)
    for axis, widest in ((1, widths.bands), (2, widths.frames)):
        size = images.shape[axis]
        lengths = rng.integers(0, min(widest, size), len(images), endpoint=True)
        starts = rng.integers(0, size - lengths, endpoint=True)
        for image, mean, start, length in zip(masked, means, starts.tolist(), lengths.tolist(), strict=True):
            stretch = slice(start, start + length)
            image[(stretch, slice(None)) if axis == 1 else (slice(None), stretch)] = mean
    return masked


def _mixed(
    values: NDArray[np.floating], shares: NDArray[np.float64], partners: NDArray[np.intp]
) -> NDArray[np.floating]:
    """Return each value as so large a share of itself, and the rest of its partner."""
    of_each = shares.reshape(-1, *[1] * (values.ndim - 1))
    return (of_each * values + (1 - of_each) * values[partners]).astype(values.dtype)
