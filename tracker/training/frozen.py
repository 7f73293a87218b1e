"""Networks whose first part is frozen: what that part makes of a segment is computed once, not in every epoch.

A network begins with a frozen part if its first layer is a `keras.Model` without trainable weights whose output is a
row of numbers, and a few layers in a row follow. That part describes the consecutive segments of each clip, those that
clips are evaluated by; epochs draw from these, instead of from segments that begin anywhere. A description is kept in
the cache, under a digest of the image, and of the part's weights and code, the backend and its threads: so the same run
has the same bits, whatever the cache has.

Conventions: the descriptions of a clip are an image, too, of shape (n_numbers, n_segments) and with segments of one
frame, so that the batches and the evaluation are those of any other network.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tracker.atomic_files import cache_folder
from tracker.training.backend import device, keras
from tracker.training.batches import consecutive_segments
from tracker.training.pretrained import read_sealed, write_sealed
from tracker.training.result import threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tracker.training.batches import Image

FRAMES = 1  # of a segment, in an image of descriptions

_FOLDER = "descriptions"  # in the cache
_LARGEST = 1_000_000_000  # bytes of the descriptions of one clip
_IN_A_ROW = (keras.layers.Dropout, keras.layers.Dense, keras.layers.BatchNormalization, keras.layers.ReLU)
_BATCH = 32  # segments described at once, of one clip: always the same ones, so that the numbers are the same bits


@dataclass(frozen=True, eq=False)
class FrozenPart:
    """The two parts of a compiled network; the trained one shares its layers, loss and optimizer."""

    body: keras.Model
    head: keras.Model  # from descriptions, shape (n, n_numbers, 1, 1), to class probabilities
    digest: str  # of the weights of the body and all else that its outputs depend on besides the image

    @classmethod
    def of(cls, model: keras.Model, code: str) -> FrozenPart | None:
        """Return the parts of a compiled model, if it begins with a frozen one; `code` is a digest of its sources."""
        body = model.layers[1] if len(model.layers) > 1 else None
        rest = model.layers[2:]
        if not (isinstance(body, keras.Model) and body.weights and rest) or body.trainable_variables:
            return None
        if len(body.output_shape) != 2 or not all(type(layer) in _IN_A_ROW for layer in rest):
            return None
        width = body.output_shape[1]
        inputs = keras.Input((width, FRAMES, 1))
        outputs = keras.layers.Reshape((width,))(inputs)
        for layer in rest:
            outputs = layer(outputs)
        head = keras.Model(inputs, outputs)
        head.compile(model.optimizer, loss=model.loss, metrics=[_accuracy(model)])
        made_by = (code, keras.config.backend(), keras.__version__, device, threads())  # each may round in its own way
        digest = hashlib.sha256(repr(made_by).encode())
        for weights in body.get_weights():
            digest.update(np.ascontiguousarray(weights).tobytes())
        return cls(body, head, digest.hexdigest()[:16])

    def describe(
        self,
        images: Sequence[Image],
        frames: int,
        silence: Sequence[float],
        on_start: Callable[[int], None] | None = None,
    ) -> list[Image]:
        """Return the descriptions of each clip, shape (n_numbers, n_segments), from the cache if they are there.

        `on_start` is called with the number of clips that are not, before the first of them is described.
        """
        root, found = cache_folder(), list[Path]()
        for image in images:
            whole = np.ascontiguousarray(image)
            key = hashlib.sha256(f"{whole.dtype} {whole.shape} {frames} {tuple(silence)}".encode())
            key.update(whole.data)
            found.append(root / _FOLDER / self.digest / f"{key.hexdigest()}.bin")
        cached = [read_sealed(file, root, _LARGEST) for file in found]
        if on_start and (missing := cached.count(None)):
            on_start(missing)
        for number, (file, image) in enumerate(zip(found, images, strict=True)):
            if cached[number] is None:
                cached[number] = described = self._described(image, frames, silence).tobytes()
                with suppress(OSError):  # it is computed again next time
                    write_sealed(file, root, described)
        width = self.body.output_shape[1]
        return [np.frombuffer(content or b"", np.float32).reshape(-1, width).T for content in cached]

    def _described(self, image: Image, frames: int, silence: Sequence[float]) -> NDArray[np.float32]:
        segments = consecutive_segments([image], frames, silence)
        starts = range(0, len(segments), _BATCH)
        batches = (segments.cut([image], slice(start, start + _BATCH)) for start in starts)
        return np.concatenate([np.asarray(self.body.predict_on_batch(batch)) for batch in batches])


def _accuracy(model: keras.Model) -> keras.metrics.Metric:
    is_soft = isinstance(model.loss, keras.losses.Loss)
    kind = keras.metrics.CategoricalAccuracy if is_soft else keras.metrics.SparseCategoricalAccuracy
    return kind(name="accuracy")
