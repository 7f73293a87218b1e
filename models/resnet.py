"""A residual network: a first convolution, then four stages of blocks whose input is added to their output.

References
----------
He, Zhang, Ren and Sun 2016, Deep residual learning for image recognition, doi:10.1109/CVPR.2016.90; narrower here, with
one block a stage.
"""

from __future__ import annotations

import keras
from keras import layers

STAGES = 4  # each halves the image, and from the second on doubles the channels
MOST_WIDTH, MOST_BLOCKS = 256, 16
MOST_WEIGHTS = 500_000_000  # 8 GB while it is trained, with their gradients and Adam's two moments


def build(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    kernel_size: int = 3,
    blocks: int = 1,
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
        Height and width of the convolutions, but for those that only change the number of channels.
    blocks : int, 1 to 16
        Residual blocks of each stage, of two convolutions each.
    dropout : float, at least 0 and below 1
        Fraction of features dropped before the last layer during training.
    width : int, 1 to 256
        Channels of the first stage; each following stage has twice as many.

    Returns
    -------
    keras.Model
        From images to class probabilities.

    Raises
    ------
    ValueError
        If an option is out of range, or there would be more than about 500 million weights.
    """
    if n_classes < 2:
        raise ValueError(f"n_classes must be at least 2, got {n_classes}")
    counts = (("kernel_size", kernel_size, 255), ("blocks", blocks, MOST_BLOCKS), ("width", width, MOST_WIDTH))
    for name, count, most in counts:
        if not 1 <= count <= most:
            raise ValueError(f"{name} must be 1 to {most}, got {count}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
    weights = kernel_size**2 * sum(2 * blocks * (width * 2**stage) ** 2 for stage in range(STAGES))  # nearly
    if weights > MOST_WEIGHTS:
        raise ValueError(
            f"a kernel size of {kernel_size}, a width of {width} and {blocks} blocks a stage make {weights:,} weights, "
            f"at most {MOST_WEIGHTS:,} can be trained; lower one of them"
        )
    inputs = keras.Input(input_shape)
    features = layers.Rescaling(scale=1 / 20, offset=2.0)(inputs)
    features = layers.ReLU()(_convolve(features, width, kernel_size, 2))
    for stage in range(STAGES):
        for block in range(blocks):
            features = _residual(features, width * 2**stage, kernel_size, 2 if block == 0 else 1)
    features = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(features))
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(features), name="resnet")


def _residual(features: keras.KerasTensor, channels: int, kernel_size: int, stride: int) -> keras.KerasTensor:
    """Two convolutions whose output is added to their input, which is brought to the same shape."""
    change = layers.ReLU()(_convolve(features, channels, kernel_size, stride))
    change = _convolve(change, channels, kernel_size, 1)
    if stride > 1 or features.shape[-1] != channels:
        features = _convolve(features, channels, 1, stride)
    return layers.ReLU()(layers.Add()([features, change]))


def _convolve(features: keras.KerasTensor, channels: int, kernel_size: int, stride: int) -> keras.KerasTensor:
    """Convolution and normalisation; padded, so that an image of any size passes."""
    features = layers.Conv2D(channels, kernel_size, strides=stride, padding="same", use_bias=False)(features)
    return layers.BatchNormalization(momentum=0.9)(features)
