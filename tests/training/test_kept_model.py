"""Models that are loaded again, and those exported for other runtimes."""

from __future__ import annotations

import io
import warnings
import zipfile
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from tracker.contained_files import LARGEST_ARTIFACT
from tracker.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    import keras

pytestmark = pytest.mark.xdist_group("keras")

WEIGHTS = "model.weights.h5"


def _load(content: bytes) -> keras.Model:
    from tracker.training.kept_model import load_model

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load_model(content, lambda: pytest.fail("no layer is its own"))


class TestLoadModel:
    @pytest.fixture
    def saved(self, tmp_path: Path) -> bytes:
        from tracker.training.backend import keras

        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])
        model.save(tmp_path / "model.keras")
        return (tmp_path / "model.keras").read_bytes()

    def _with_weights(self, saved: bytes, bias: list[float]) -> bytes:
        """Return the model with other weights of its last layer."""
        changed = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(saved)) as old, zipfile.ZipFile(changed, "w") as new:
            weights = io.BytesIO(old.read(WEIGHTS))
            with h5py.File(weights, "r+") as file:
                group = file["layers/dense/vars"]
                del group["1"]
                group["1"] = np.array(bias, np.float32)
            for name in old.namelist():
                new.writestr(name, weights.getvalue() if name == WEIGHTS else old.read(name))
        return changed.getvalue()

    def test_a_saved_model_is_loaded(self, saved: bytes) -> None:
        assert _load(self._with_weights(saved, [0.25, 0.5])).get_weights()[1].tolist() == [0.25, 0.5]

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_weights_that_are_nan_or_infinite_are_refused(self, saved: bytes, value: float) -> None:
        with pytest.raises(TrainingError, match="some of its weights are NaN or infinite"):
            _load(self._with_weights(saved, [0.0, value]))

    def test_weights_that_do_not_fit_are_refused_without_a_warning(self, saved: bytes) -> None:
        with pytest.raises(TrainingError, match="Keras cannot load it"):
            _load(self._with_weights(saved, [0.0, 0.0, 0.0]))

    def test_what_unpacks_to_more_than_memory_is_refused_unread(self, saved: bytes) -> None:
        written = io.BytesIO(saved)
        with zipfile.ZipFile(written, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("assets/x", bytes(LARGEST_ARTIFACT))
        with pytest.raises(TrainingError, match=r"unpacks to [\d,]+ bytes, more than 268,435,456"):
            _load(written.getvalue())

    def test_what_is_no_archive_is_refused(self) -> None:
        with pytest.raises(TrainingError, match="Keras cannot load it: File is not a zip file"):
            _load(b"x")


class TestExportModel:
    def test_recurrent_layers_run_in_tflite_alone(self) -> None:
        from tensorflow.lite.python.interpreter import Interpreter

        from tracker.training.backend import keras
        from tracker.training.kept_model import export_model

        keras.utils.set_random_seed(0)
        inputs = keras.Input((6, 4, 1))
        steps = keras.layers.Reshape((6, 4))(inputs)
        read = keras.layers.Bidirectional(keras.layers.GRU(3))(steps)
        model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(read))
        images = np.random.default_rng(0).normal(size=(2, 6, 4, 1)).astype(np.float32)
        expected = model.predict(images, verbose=0)
        with pytest.warns(UserWarning, match="deprecated"):
            interpreter = Interpreter(model_content=export_model(model, "litert", ".tflite"))
        place = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(place, images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(place, images)
        interpreter.invoke()
        assert np.allclose(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]), expected, atol=1e-6)

    def test_what_tflite_alone_cannot_run_is_refused(self) -> None:
        from tracker.training.backend import keras
        from tracker.training.kept_model import export_model

        inside = keras.Sequential([keras.Input((6, 4)), keras.layers.GRU(3)])
        outputs = keras.layers.Dense(2, activation="softmax")(
            inside(keras.layers.Reshape((6, 4))(inputs := keras.Input((6, 4, 1))))
        )
        with pytest.raises(TrainingError, match=r"TFLite lacks what its layers use \(TensorListReserve"):
            export_model(keras.Model(inputs, outputs), "litert", ".tflite")
