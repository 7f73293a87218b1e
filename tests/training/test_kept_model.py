"""Models exported for other runtimes."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import TrainingError

pytestmark = pytest.mark.xdist_group("keras")


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
