"""One layer to train: for tests that need a run, whatever learns in it, in half the time of `small`."""

from __future__ import annotations

import keras
from keras import layers


def build(input_shape: tuple[int, int, int], n_classes: int, *, kernel_size: int = 3) -> keras.Model:
    inputs = keras.Input(input_shape)
    features = layers.Flatten()(layers.AveragePooling2D(kernel_size)(layers.Rescaling(1 / 20, 2.0)(inputs)))
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(features), name="tiny")
