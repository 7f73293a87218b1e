"""One block of the default network: every kind of layer that it has, and a third of its time to trace and to save."""

from __future__ import annotations

import keras
from keras import layers


def build(
    input_shape: tuple[int, int, int], n_classes: int, *, kernel_size: int = 3, dropout: float = 0.3, width: int = 8
) -> keras.Model:
    inputs = keras.Input(input_shape)
    features = layers.Rescaling(scale=1 / 20, offset=2.0)(inputs)
    features = layers.Conv2D(width, kernel_size, strides=2, padding="same", use_bias=False)(features)
    features = layers.BatchNormalization(momentum=0.9)(features)
    features = layers.MaxPooling2D(2, padding="same")(layers.ReLU()(features))
    features = layers.Dropout(dropout)(layers.Flatten()(features))
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(features), name="small")
