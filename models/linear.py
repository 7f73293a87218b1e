"""A baseline: logistic regression on the mean of each mel band over time.

It knows nothing of rhythm, melody or order: what another network has beyond it, it has from patterns in time.

References
----------
The mean spectrum as a first feature of genre: Tzanetakis and Cook 2002, doi:10.1109/TSA.2002.800560.
"""

from __future__ import annotations

import keras
from keras import layers


def build(input_shape: tuple[int, int, int], n_classes: int, *, kernel_size: int = 3) -> keras.Model:
    """Return the network, uncompiled.

    Parameters
    ----------
    input_shape : tuple of int, (n_mels, n_frames, 1)
        Shape of one image, in decibels from −80 to 0.
    n_classes : int, at least 2
        Width of the softmax.
    kernel_size : int, 3
        There is no convolution: another value than the default would change nothing, and is refused.

    Returns
    -------
    keras.Model
        From images to class probabilities.

    Raises
    ------
    ValueError
        If there is a single class or a kernel size.
    """
    if n_classes < 2:
        raise ValueError(f"n_classes must be at least 2, got {n_classes}")
    if kernel_size != 3:
        raise ValueError(f"the model linear has no convolution: leave kernel_size at 3, got {kernel_size}")
    inputs = keras.Input(input_shape)
    features = layers.Rescaling(scale=1 / 20, offset=2.0)(inputs)
    features = layers.Flatten()(layers.AveragePooling2D((1, input_shape[1]))(features))
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(features), name="linear")
