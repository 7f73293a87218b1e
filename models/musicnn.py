"""A pretrained start: MusiCNN, which learned to tag 200,000 songs, with a new last layer for the classes at hand.

Filters of two shapes read the mel spectrogram, tall ones for timbre and wide ones for rhythm; convolutions over time
join them, and the maximum and mean of each over time are 1,506 numbers that describe a segment. By default these stay
as they were learned, and only a last layer is trained; the two layers from them to the tags are left out.

The weights come out of the wheel of the package ``musicnn``, version 0.1.0 (Music Technology Group, Universitat Pompeu
Fabra, ISC licence): see `tracker.training.pretrained`.

References
----------
Pons and Serra 2019, musicnn: Pre-trained convolutional neural networks for music audio tagging,
doi:10.48550/arXiv.1909.06654. The network: Pons et al. 2018, End-to-end learning for music audio tagging at scale,
doi:10.48550/arXiv.1711.02520.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import layers

from tracker.training.pretrained import MUSICNN, pretrained_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

N_MELS = 96
FEATURES = {"features": "musicnn", "sr": 16_000, "n_fft": 512, "hop_length": 256, "n_mels": 96}
TALL, WIDE, MIDDLE = 204, 51, 64  # filters of each kind
POOLED = 2 * (2 * TALL + 3 * WIDE + 3 * MIDDLE)  # the maximum and the mean of each feature over time
HEIGHTS, LENGTHS = (38, 67), (128, 64, 32)  # of the tall filters in bands, of the wide ones in frames


def build(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    kernel_size: int = 3,
    dropout: float = 0.3,
    fine_tune: bool = False,
) -> keras.Model:
    """Return the network with its pretrained weights, uncompiled.

    Parameters
    ----------
    input_shape : tuple of int, (96, n_frames, 1)
        Shape of one image: log10(10,000 power + 1) of 96 mel bands, 62.5 frames a second.
    n_classes : int, at least 2
        Width of the softmax at the end.
    kernel_size : int, 3
        The filters have the shapes that they were trained with: another value than the default is refused.
    dropout : float, at least 0 and below 1
        Fraction of features dropped before the last layer during training.
    fine_tune : bool
        Train the pretrained weights, too; otherwise only the last layer is trained

    Returns
    -------
    keras.Model
        From images to class probabilities.

    Raises
    ------
    ValueError
        If an option is out of range or the images have another number of bands.
    TrainingError
        If the pretrained weights cannot be had.
    """
    if n_classes < 2:
        raise ValueError(f"n_classes must be at least 2, got {n_classes}")
    if kernel_size != 3:
        raise ValueError(f"the model musicnn is pretrained: leave kernel_size at 3, got {kernel_size}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
    body = describe(input_shape)
    give_weights(body, pretrained_weights(MUSICNN))
    body.trainable = fine_tune
    inputs = keras.Input(input_shape)
    features = layers.Dropout(dropout)(body(inputs))
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(features), name="musicnn")


def describe(input_shape: tuple[int, int, int]) -> keras.Model:
    """Return the network without its last layer, from images to 1,506 numbers that describe a segment.

    Its layers have the names that the published weights have. Batch normalisation always uses the means and variances
    that were learned, as a few hundred clips would give worse ones.

    Raises
    ------
    ValueError
        If the images have another number of bands.
    """
    n_mels, n_frames, _ = input_shape
    if n_mels != N_MELS:
        raise ValueError(f"the model musicnn takes images of {N_MELS} mel bands, got {n_mels}")
    inputs = keras.Input(input_shape)
    image = _normalised(layers.Permute((2, 1, 3))(inputs), 0)
    padded = layers.ZeroPadding2D(((3, 3), (0, 0)))(image)
    sizes = [(TALL, (7, height)) for height in HEIGHTS] + [(WIDE, (length, 1)) for length in LENGTHS]
    front = []
    for number, (filters, size) in enumerate(sizes):
        is_tall = filters == TALL
        convolution = layers.Conv2D(
            filters, size, padding="valid" if is_tall else "same", activation="relu", name=_numbered("conv2d", number)
        )
        found = _normalised(convolution(padded if is_tall else image), number + 1)
        strongest = layers.MaxPooling2D((1, found.shape[2]))(found)
        front.append(layers.Reshape((n_frames, filters))(strongest))
    features = [layers.Concatenate()(front)]
    for number in range(len(sizes), len(sizes) + 3):
        convolution = layers.Conv1D(MIDDLE, 7, padding="same", activation="relu", name=_numbered("conv2d", number))
        found = _normalised(convolution(features[-1]), number + 1)
        features.append(found if len(features) == 1 else layers.Add()([found, features[-1]]))
    joined = layers.Concatenate()(features)
    pooled = layers.Concatenate()([layers.GlobalMaxPooling1D()(joined), layers.GlobalAveragePooling1D()(joined)])
    return keras.Model(inputs, _normalised(pooled, 9), name="pretrained")


def give_weights(network: keras.Model, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Set the weights of what `describe` returns to those of these names.

    In the published network, the maximum and the mean of each feature stand side by side; here, all maxima come first.
    """
    for layer in network.layers:
        given = [weights[f"{layer.name}/{variable.name}"] for variable in layer.weights]
        given = [maxima_first(values) if len(values) == POOLED else values for values in given]
        pairs = zip(given, layer.weights, strict=True)
        layer.set_weights([values.reshape(variable.shape) for values, variable in pairs])


def maxima_first(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values for the pooled features, shape (1506, ...), in the order that they have here."""
    return np.concatenate([values[::2], values[1::2]])


def _normalised(features: keras.KerasTensor, number: int) -> keras.KerasTensor:
    return layers.BatchNormalization(name=_numbered("batch_normalization", number))(features, training=False)


def _numbered(kind: str, number: int) -> str:
    return f"{kind}_{number}" if number else kind
