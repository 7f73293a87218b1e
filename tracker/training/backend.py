"""Keras on its backend, imported without its notices and with a fixed number of threads.

``KERAS_BACKEND`` names the backend, TensorFlow if it is unset; `tracker.training.result.use_backend` sets it. No other
one is imported. Import this module before anything that imports Keras or the backend. While TensorFlow is loaded,
its C++ writes notices (about oneDNN, about missing graphics drivers) straight to standard error; since version 2.18, no
setting stops that. They are filtered out, and everything else is passed on.
"""

from __future__ import annotations

import os
import random
import re
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from tracker.errors import TrainingError
from tracker.late_imports import imported_quickly
from tracker.training.result import threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import tensorflow as tf

_STDERR = 2

# Lines that absl and TensorFlow log as INFO and WARNING.
_NOTICE = re.compile(
    rb"[IW]\d{4} |\d{4}-\d\d-\d\d [\d:.]+: [IW] |WARNING: All log messages before absl|\s*$|To enable "
)


@contextmanager
def without_notices() -> Iterator[None]:
    """Collect what is written to standard error, and pass on all but TensorFlow's notices at the end."""
    if sys.stderr is None:  # it was closed
        yield
        return
    with tempfile.TemporaryFile() as collected:
        sys.stderr.flush()
        stderr = os.dup(_STDERR)
        os.dup2(collected.fileno(), _STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, _STDERR)
            os.close(stderr)
            collected.seek(0)
            for line in collected:
                if not _NOTICE.match(line):
                    os.write(_STDERR, line)


CPU = "CPU"

_IMAGES_NDIM = 4  # of a batch of images with their channels last
_LEAST_EPSILON = 1.001e-5  # of TensorFlow's fused batch normalization


def _set_up_tensorflow() -> str:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    tf.get_logger().setLevel("ERROR")
    if not gpus:
        # This pass of the graph optimizer changes no bit and speeds up no step, but the first step waits for it.
        tf.config.optimizer.set_experimental_options({"function_optimization": False})
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads())
    except RuntimeError as error:
        raise TrainingError(
            "TensorFlow was already used in this process, which fixed its threads; import tracker.training.fit first"
        ) from error
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")) if gpus else CPU


def _set_up_jax() -> str:
    import jax

    device = jax.devices()[0]
    return CPU if device.platform == "cpu" else str(device.device_kind)


def _set_up_torch() -> str:
    import torch

    torch.set_num_threads(threads())
    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else CPU


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
if os.environ["KERAS_BACKEND"] == "jax":
    os.environ["NPROC"] = str(threads())  # of which JAX makes its pool of threads, whatever the number of cores
with without_notices(), imported_quickly("matplotlib", "sklearn", "pandas"):
    import keras

    device = {"tensorflow": _set_up_tensorflow, "jax": _set_up_jax, "torch": _set_up_torch}[keras.config.backend()]()
    """The graphics processor that Keras trains on, else `CPU`."""

    if keras.config.backend() != "tensorflow" and "tensorflow" not in sys.modules:
        # Keras would import it, for its data pipelines, if it can at the first such call; it asks no second time.
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
        keras.utils.set_random_seed(0)
        del sys.modules["tensorflow"]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed all that Keras draws from; nothing else in this process draws from that meanwhile.

    Keras takes the seeds of layers from Python's own generator, which other threads use: those of a Dask worker do.
    """
    from keras.src.random import seed_generator

    keras.utils.set_random_seed(seed)
    shared, seed_generator.python_random = seed_generator.python_random, random.Random(seed)  # noqa: S311  (no secret)
    try:
        yield
    finally:
        seed_generator.python_random = shared


def seed_epoch(seed: int, epoch: int) -> None:
    """Seed what a backend draws from besides a network's variables: PyTorch's Dropout has no state of its own."""
    if keras.config.backend() == "torch":
        import torch

        torch.manual_seed(int(np.random.default_rng([seed, epoch]).integers(2**63)))


def use_fused_normalization(model: keras.Model) -> None:
    """Have a network's batch normalizations done by TensorFlow's fused kernel, where it computes what Keras does.

    Keras puts each together from twenty elementwise operations, which take more of a step on a processor than the
    convolutions. The layers stay Keras' own, and so does what is saved.
    """
    if keras.config.backend() != "tensorflow" or device != CPU:
        return
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            use_fused_normalization(layer)
        elif type(layer) is keras.layers.BatchNormalization and _is_fusible(layer):
            layer.call = _fused(layer)


def _is_fusible(layer: keras.layers.BatchNormalization) -> bool:
    is_image = layer.built and layer.input_spec.ndim == _IMAGES_NDIM and layer.axis in (-1, _IMAGES_NDIM - 1)
    is_usual = layer.scale and layer.center and not layer.synchronized and not layer.renorm
    return is_image and is_usual and layer.compute_dtype == "float32" and layer.epsilon >= _LEAST_EPSILON


def _fused(layer: keras.layers.BatchNormalization) -> Callable[..., tf.Tensor]:
    import tensorflow as tf

    by_keras, fused = layer.call, tf.compat.v1.nn.fused_batch_norm

    def call(inputs: tf.Tensor, *, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        if mask is not None or inputs.dtype != tf.float32:
            return by_keras(inputs, training=training, mask=mask)
        gamma_and_beta = (tf.convert_to_tensor(layer.gamma), tf.convert_to_tensor(layer.beta))
        moving = (layer.moving_mean, layer.moving_variance)
        before = [tf.convert_to_tensor(variable) for variable in moving]
        if not (training and layer.trainable):
            return fused(inputs, *gamma_and_beta, *before, epsilon=layer.epsilon, is_training=False)[0]
        outputs, mean, unbiased = fused(inputs, *gamma_and_beta, epsilon=layer.epsilon)
        n = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
        variance = unbiased * ((n - 1) / n)  # Keras divides by n
        for variable, old, new in zip(moving, before, (mean, variance), strict=True):
            variable.assign(old * layer.momentum + new * (1 - layer.momentum))
        return outputs

    return call


__all__ = ["keras"]
