"""The default network: four blocks of convolution and pooling, then averages and maxima of their channels.

Small on purpose: with 8-16-32-64 channels and a first stride of 2 an epoch of 600 segments takes half a second on two
cores. Averages are over time alone, so that it matters at what pitch a channel responds; maxima are over the whole
image, for what sounds only once. Neither has more weights for a longer segment.

References
----------
Kong et al. 2020, PANNs: large-scale pretrained audio neural networks, doi:10.1109/TASLP.2020.3030497: average and
maximum together; there of all bands.
"""

from __future__ import annotations

import operator

import keras
from keras import layers

BLOCKS = 4  # of convolution; each halves the image and doubles the channels
MOST_WIDTH = 1_024
MOST_WEIGHTS = 500_000_000  # 8 GB while it is trained, with their gradients and Adam's two moments


def build(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    kernel_size: int = 3,
    dropout: float = 0.3,
    width: int = 8,
) -> keras.Model:
    """Return the network, uncompiled.

    Parameters
    ----------
    input_shape : tuple of int, (n_mels, n_frames, 1)
        Shape of one image, in decibels from −80 to 0.
    n_classes : int, at least 2
        Width of the softmax at the end.
    kernel_size : int, 1 to 255
        Height and width of every convolution.
    dropout : float, at least 0 and below 1
        Fraction of features dropped before the last layer during training.
    width : int, 1 to 1024
        Channels of the first block; each following block has twice as many.

    Returns
    -------
    keras.Model
        From images to class probabilities.

    Raises
    ------
    ValueError
        If an option is out of range, or there would be more than 500 million weights.
    """
    if n_classes < 2:
        raise ValueError(f"n_classes must be at least 2, got {n_classes}")
    for name, count, most in (("kernel_size", kernel_size, 255), ("width", width, MOST_WIDTH)):
        if not 1 <= count <= most:
            raise ValueError(f"{name} must be 1 to {most}, got {count}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
    channels = [1, *(width * 2**block for block in range(BLOCKS))]
    weights = kernel_size**2 * sum(map(operator.mul, channels, channels[1:]))
    if weights > MOST_WEIGHTS:
        raise ValueError(
            f"a kernel size of {kernel_size} and a width of {width} make {weights:,} weights, at most {MOST_WEIGHTS:,} "
            "can be trained; lower one of them"
        )
    inputs = keras.Input(input_shape)
    features = layers.Rescaling(scale=1 / 20, offset=2.0)(inputs)
    for block in range(BLOCKS):
        stride = 2 if block == 0 else 1
        features = _convolve(features, width * 2**block, kernel_size, stride)
    averages = layers.Flatten()(layers.AveragePooling2D((1, features.shape[2]))(features))
    features = layers.Concatenate()([averages, layers.GlobalMaxPooling2D()(features)])
    features = layers.Dropout(dropout)(features)
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(features), name="cnn")


def _convolve(features: keras.KerasTensor, channels: int, kernel_size: int, stride: int) -> keras.KerasTensor:
    """Convolution, normalisation, ReLU and pooling; padded, so that an image of any size passes."""
    features = layers.Conv2D(channels, kernel_size, strides=stride, padding="same", use_bias=False)(features)
    features = layers.BatchNormalization(momentum=0.9)(features)  # 0.99 lags behind at some 20 steps an epoch
    features = layers.ReLU()(features)
    return layers.MaxPooling2D(2, padding="same")(features)
