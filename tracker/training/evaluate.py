"""How a network does on whole clips: a clip's class probabilities are the mean over its segments."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.training.backend import keras
    from tracker.training.batches import Image, Segments

BATCH = 64
"""Segments predicted at once; it changes the time it takes, and what comes out by rounding alone."""

SMALLEST_PROBABILITY = 1e-7
"""Probabilities below it count as it, so that one wrong clip cannot make the loss infinite: Keras' own epsilon."""


def clip_probabilities(model: keras.Model, images: Sequence[Image], segments: Segments) -> NDArray[np.float32]:
    """Return what a model says of each clip.

    Parameters
    ----------
    model : keras.Model
        From segments to class probabilities.
    images : sequence of ndarray, each of shape (n_mels, n_frames), dB
    segments : Segments
        Clip by clip, at least one of each.

    Returns
    -------
    ndarray of float32, shape (n_clips, n_classes)
    """
    batches = [slice(start, start + BATCH) for start in range(0, len(segments), BATCH)]
    by_segment = np.concatenate([model.predict_on_batch(segments.cut(images, batch)) for batch in batches])
    counts = np.bincount(segments.clips)
    sums = np.add.reduceat(by_segment.astype(np.float64), np.cumsum(counts) - counts)
    return (sums / counts[:, None]).astype(np.float32)


def log_loss(probabilities: NDArray[np.floating], targets: NDArray[np.int64]) -> float:
    """Return the mean negative log-probability of the true classes, in nats.

    Rounded to float32, as Keras compares losses: of two epochs it and we call the same one better.
    """
    true = probabilities[np.arange(len(targets)), targets].astype(np.float64)
    return float(np.float32(0 - np.log(np.maximum(true, SMALLEST_PROBABILITY)).mean()))  # a bare minus makes −0 of 0


def accuracy(probabilities: NDArray[np.floating], targets: NDArray[np.int64]) -> float:
    """Return the share of clips whose most probable class is the true one; NaN if any probability is no number."""
    if not np.isfinite(probabilities).all():
        return math.nan  # argmax would take NaN for the most probable
    return float((probabilities.argmax(axis=1) == targets).mean())
