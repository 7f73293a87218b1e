from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.utils import requirements_utils

from tests.builders import STARTED
from tests.lazy import Lazy
from tracker.runs.events import Attached
from tracker.store.client import save_keras_model
from tracker.store.upload import JournalUpload

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.store.location import Location

keras = Lazy("tracker.training.backend", "keras")

pytestmark = pytest.mark.xdist_group("keras")


@pytest.fixture
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, None, 1)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, "softmax")]
    return keras.Sequential(layers)


@pytest.fixture
def example() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4, 8, 5, 1)).astype(np.float32)


class TestSaveKerasModel:
    def test_sent_from_a_journal_is_loaded_by_keras_and_as_a_function(
        self,
        location: Location,
        tmp_path: Path,
        model: keras.Model,
        example: np.ndarray,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        save_keras_model(tmp_path / "journal/model", model, example)
        sender = JournalUpload(location, "a-journal", None, lambda _delivery: None)
        run_id = sender.send([STARTED, Attached("model")], tmp_path / "journal").run_id
        assert [found.path for found in MlflowClient(location.uri).list_artifacts(run_id)] == ["model"]
        monkeypatch.setenv("MLFLOW_TRACKING_URI", location.uri)
        uri = f"runs:/{run_id}/model"
        expected = model.predict_on_batch(example)
        assert np.allclose(mlflow.keras.load_model(uri).predict_on_batch(example), expected, atol=1e-6)
        assert np.allclose(mlflow.pyfunc.load_model(uri).predict(example), expected, atol=1e-6)

    def test_save_keras_model_has_signature_and_requirements(
        self, tmp_path: Path, model: keras.Model, example: np.ndarray
    ) -> None:
        save_keras_model(tmp_path / "model", model, example)
        signature = mlflow.models.Model.load(str(tmp_path / "model")).signature
        assert signature.inputs.inputs[0].shape == (-1, 8, 5, 1)
        assert signature.outputs.inputs[0].shape == (-1, 3)
        required = (tmp_path / "model/requirements.txt").read_text().splitlines()
        pinned = {f"{name}=={version(name)}" for name in ("keras", "mlflow", "numpy", "tensorflow")}
        assert set(required) == pinned

    def test_save_keras_model_searches_no_package_and_leaves_mlflow_to_do_so(
        self, tmp_path: Path, model: keras.Model, example: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(requirements_utils, "_MODULES_TO_PACKAGES", None)
        save_keras_model(tmp_path / "model", model, example)
        assert requirements_utils._MODULES_TO_PACKAGES is None
        assert len(requirements_utils._PACKAGES_TO_MODULES) < 10

    def test_save_keras_model_prints_nothing(
        self, tmp_path: Path, model: keras.Model, example: np.ndarray, capfd: pytest.CaptureFixture[str]
    ) -> None:
        model.predict_on_batch(example)
        capfd.readouterr()
        save_keras_model(tmp_path / "model", model, example)
        assert capfd.readouterr() == ("", "")
