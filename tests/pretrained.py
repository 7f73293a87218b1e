"""Weights for MusiCNN that nobody has trained: random ones of a fixed seed, put where the published ones are cached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracker.atomic_files import cache_folder
from tracker.training.pretrained import MUSICNN, write_sealed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracker.training.pretrained import Weights


def random_weights() -> Weights:
    """Return weights of about the size that trained ones have, drawn in the order of their names."""
    rng = np.random.default_rng(0)
    weights = {}
    for name in sorted(MUSICNN.shapes):
        shape = MUSICNN.shapes[name]
        values = rng.normal(0, 1, shape).astype(np.float32) / np.float32(max(1, np.prod(shape[:-1])) ** 0.5)
        weights[name] = np.abs(values) + np.float32(0.5) if name.endswith(("gamma", "variance")) else values
    return weights


def cache_random_weights() -> None:
    """Put them into the cache, so that nothing is downloaded."""
    content = b"".join(values.tobytes() for _, values in sorted(random_weights().items()))
    root = cache_folder()
    write_sealed(root / "weights" / f"musicnn-{MUSICNN.digest[:16]}.bin", root, content)


def tags_of(described: NDArray[np.float32], weights: Weights) -> NDArray[np.float32]:
    """Return the logit of each tag, by the two layers of the published network that `models.musicnn` leaves out."""
    from models.musicnn import maxima_first

    dense = np.maximum(described @ maxima_first(weights["dense/kernel"]) + weights["dense/bias"], 0)
    part = {
        name.partition("/")[2]: values for name, values in weights.items() if name.startswith("batch_normalization_10/")
    }
    scaled = (dense - part["moving_mean"]) / np.sqrt(part["moving_variance"] + 1e-3)
    tags = (part["gamma"] * scaled + part["beta"]) @ weights["dense_1/kernel"] + weights["dense_1/bias"]
    return np.asarray(tags)
