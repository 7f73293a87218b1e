"""The kept model of a run, loaded again without running code that nobody named.

Keras refuses what would run a stranger's code, such as Lambda layers. Layers that are a network's own need its source;
whether that may be run, the caller decides.
"""

from __future__ import annotations

import io
import re
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zipfile import BadZipFile, ZipFile

import numpy as np

from tracker.contained_files import LARGEST_ARTIFACT
from tracker.errors import TrackerError, TrainingError
from tracker.training.backend import keras, without_notices
from tracker.training.build import layers_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.training.networks import Network

_OPERATION = re.compile(r"'tf\.(\w+)' op")  # of TensorFlow, in an error of its converter


def load_model(content: bytes, find_code: Callable[[], Network]) -> keras.Model:
    """Load a model from the content of a ``.keras`` file, to predict with.

    Parameters
    ----------
    find_code : callable
        Returns the network that the model was built by, or raises; called only if the model has layers of its own.

    Raises
    ------
    TrainingError
        If it isn't such a model, or some of its weights are NaN or infinite.
    """
    _check_size(content)
    with tempfile.TemporaryDirectory(prefix="tracker-") as folder, without_notices():
        file = Path(folder, "model.keras")
        file.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = _loaded(file, find_code)
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise TrainingError("some of its weights are NaN or infinite")
    return model


def _check_size(content: bytes) -> None:
    """Refuse a file whose parts, which Keras reads whole, would fill the memory."""
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except (BadZipFile, NotImplementedError, ValueError) as error:
        raise _unfit(error) from error
    if size > LARGEST_ARTIFACT:
        raise TrainingError(f"its file unpacks to {size:,} bytes, more than {LARGEST_ARTIFACT:,}")


def _loaded(file: Path, find_code: Callable[[], Network]) -> keras.Model:
    try:
        return keras.saving.load_model(file, compile=False)
    except Exception as error:
        if "Could not locate" not in str(error):
            raise _unfit(error) from error
    own = {layer.__name__: layer for layer in layers_of(find_code())}
    try:
        return keras.saving.load_model(file, custom_objects=own, compile=False)
    except TrackerError:
        raise
    except Exception as error:
        raise _unfit(error) from error


def export_model(model: keras.Model, form: Literal["litert", "onnx"], ending: str) -> bytes:
    """Return a model as a file for another runtime.

    Raises
    ------
    TrainingError
        If Keras can't convert it, TFLite alone can't run it, or a library for that is missing.
    """
    _, *shape = model.input_shape
    options: dict[str, Any] = {}
    if form == "litert" and keras.config.backend() == "tensorflow":  # PyTorch's exporter needs and takes none of it
        from tensorflow.lite.python.convert import OpsSet

        model, options = _unrolled(model), {"target_spec": {"supported_ops": [OpsSet.TFLITE_BUILTINS]}}
    with tempfile.TemporaryDirectory(prefix="tracker-") as folder, without_notices(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = Path(folder, f"model{ending}")
        try:
            model.predict_on_batch(np.zeros((1, *shape), np.float32))  # Keras only exports what was called once
            model.export(file, format=form, verbose=False, **options)
        except Exception as error:
            if lacking := sorted({*_OPERATION.findall(str(error))} if options else ()):
                raise TrainingError(f"TFLite lacks what its layers use ({', '.join(lacking)})") from error
            raise _unfit(error, "Keras cannot export it") from error
        return file.read_bytes()


def _unrolled(model: keras.Model) -> keras.Model:
    """Return a model whose recurrent layers are one operation after the other: TFLite alone runs no loop of theirs."""
    recurrent = (keras.layers.RNN, keras.layers.Bidirectional)

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        if not isinstance(layer, recurrent):
            return layer
        config = layer.get_config()
        for one in (config, *(config[name]["config"] for name in ("layer", "backward_layer") if config.get(name))):
            if "unroll" in one:
                one["unroll"] = True
        return type(layer).from_config(config)

    if not any(isinstance(layer, recurrent) for layer in model.layers):
        return model
    unrolled = keras.models.clone_model(model, clone_function=copy)
    unrolled.set_weights(model.get_weights())
    return unrolled


def _unfit(error: Exception, what: str = "Keras cannot load it") -> TrainingError:
    first = next(iter(str(error).splitlines()), "")[:300]
    return TrainingError(f"{what}: {first or type(error).__name__}")
