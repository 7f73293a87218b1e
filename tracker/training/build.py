"""A network built from its source: imported, called, and checked before anything is trained.

A network's folder is imported as a package of its own, named by the digest of its sources
(``network_1f2e3d4c5b6a7988``). So its name can't clash with an installed package, and once edited it is imported again
in the same process.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from tracker.errors import TrainingError
from tracker.runs import FLOOR_DB
from tracker.training.backend import keras
from tracker.training.networks import find_network, read_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tracker.runs import Configuration
    from tracker.training.networks import Network

_TOLERANCE = 0.02  # how far from 1 a softmax in bfloat16 may sum


def build_network(configuration: Configuration, input_shape: tuple[int, int, int], n_classes: int) -> keras.Model:
    """Build the network of a configuration with its options, uncompiled, for inputs of (n_mels, n_frames, 1).

    Raises
    ------
    TrainingError
        If there is no such network, its code raises an error, or what it builds can't be trained and saved: anything
        but a Keras model from images to class probabilities.
    """
    try:
        network = find_network(configuration.model)
        options = dict(configuration.options)
        unknown = options.keys() - {option.name for option in read_options(network.shown, network.source)}
        if unknown:
            raise ValueError(f"it has no option {', '.join(sorted(unknown))}")
    except ValueError as error:
        raise TrainingError(f"the network {configuration.model} cannot be built: {error}") from error
    with _errors_named(network):
        sized = {} if configuration.kernel_size is None else {"kernel_size": configuration.kernel_size}
        model = _module(network).build(input_shape, n_classes, **sized, **options)
        if not isinstance(model, keras.Model):
            returned = type(model).__name__
            raise TrainingError(f"{network.shown}: `build` returned {returned}, it must return a keras.Model")
        _check_outputs(network, model, input_shape, n_classes)
        keras.saving.serialize_keras_object(model)  # a layer that can't be saved is better known before it is trained
    return model


def layers_of(network: Network) -> tuple[type[keras.layers.Layer], ...]:
    """Return the classes of layers that a network's file defines or imports, without Keras' own.

    Raises
    ------
    TrainingError
        If its code raises an error.
    """
    with _errors_named(network):
        values = [*vars(_module(network)).values()]
    layers = (value for value in values if isinstance(value, type) and issubclass(value, keras.layers.Layer))
    return tuple(layer for layer in layers if layer.__module__.partition(".")[0] != "keras")


def _module(network: Network) -> Any:
    """Import a network's file within a package that stands for its folder."""
    package = f"network_{network.digest}"
    if package not in sys.modules:
        sys.modules[package] = ModuleType(package)
        sys.modules[package].__path__ = [str(network.file.parent)]
    # No __pycache__ in a person's folder; a stale one would also hide an edit within the same second.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        return importlib.import_module(f"{package}.{network.file.stem}")
    finally:
        sys.dont_write_bytecode = before


@contextmanager
def _errors_named(network: Network) -> Iterator[None]:
    """Turn an error of any kind into one line that names the network's file and, if the error was in it, the line."""
    try:
        yield
    except TrainingError:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, SyntaxError) and error.filename:
            frames = [(error.filename, error.lineno)]
        else:
            frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
        files = {str(network.file.parent / name): name for name in network.sources}
        own = [(files[filename], line) for filename, line in frames if filename in files]
        name, line = own[-1] if own else (network.file.name, None)
        place = network.shown.removesuffix(network.file.name) + name + (f", line {line}" if line else "")
        words = next(iter(str(error).splitlines()), "")
        reason = words if isinstance(error, ValueError) and words else f"{type(error).__name__}: {words}".rstrip(": ")
        raise TrainingError(f"{place}: the network cannot be built: {reason}") from error


def _check_outputs(network: Network, model: keras.Model, input_shape: tuple[int, int, int], n_classes: int) -> None:
    """Refuse a network whose outputs aren't class probabilities: its loss would be meaningless, and so its report.

    Outputs of other kinds may sum to 1 by chance, as saturated sigmoids do, but not with random weights as well.
    """
    rng = np.random.default_rng(0)
    levels = (FLOOR_DB, FLOOR_DB / 10, FLOOR_DB / 100, FLOOR_DB / 1_000)
    images = np.stack([rng.uniform(level, 0, input_shape) for level in levels]).astype(np.float32)
    _check_probabilities(network, model, images, n_classes)
    weights = [np.array(variable.numpy()) for variable in model.trainable_variables]  # PyTorch gives no copies
    try:
        for variable in model.trainable_variables:
            variable.assign(rng.normal(0, 0.1, variable.shape).astype(np.float32))
        _check_probabilities(network, model, images, n_classes)
    finally:
        for variable, values in zip(model.trainable_variables, weights, strict=True):
            variable.assign(values)


def _check_probabilities(network: Network, model: keras.Model, images: NDArray[np.float32], n_classes: int) -> None:
    outputs = keras.ops.convert_to_numpy(model(images, training=False)).astype(np.float64)
    must = f"{network.shown}: the network must return"
    remedy = 'end it with layers.Dense(n_classes, activation="softmax")'
    if outputs.shape != (len(images), n_classes):
        raise TrainingError(
            f"{must} {n_classes} probabilities per segment, one per class, got outputs of shape {outputs.shape[1:]}; "
            f"{remedy}"
        )
    outputs = outputs[~np.isnan(outputs).any(axis=1)]  # a softmax of infinite inputs; training will say so
    sums = outputs.sum(axis=1)
    if (outputs < 0).any() or (np.abs(sums - 1) > _TOLERANCE).any():
        raise TrainingError(
            f"{must} probabilities, at least 0 and summing to 1, got {outputs.min():.3g} to {outputs.max():.3g} "
            f"summing to {sums[np.abs(sums - 1).argmax()]:.3g}; {remedy}"
        )
