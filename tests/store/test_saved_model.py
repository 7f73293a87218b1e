from __future__ import annotations

import re
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.models import Model, ModelSignature, infer_signature
from mlflow.types.schema import ColSpec, DataType, Schema

from tests.builders import STARTED
from tests.lazy import Lazy
from tracker.runs.events import Attached
from tracker.store import ClipFunction
from tracker.store.keras_model import save_keras_model
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


CLIPS = ClipFunction(
    """
import json
from pathlib import Path

import keras


def _load_pyfunc(path):
    return Function(Path(path))


class Function:
    def __init__(self, folder):
        self.network = keras.saving.load_model(folder / "model.keras")
        self.classes = json.loads((folder / "clip.json").read_text())

    def predict(self, table, params=None):
        return [self.classes[len(audio)] for audio in table["audio"]]
""",
    '["a", "b", "c"]',
    ("soundfile",),
)
MODULE = f"clip_model_{sha256(CLIPS.code.encode()).hexdigest()[:8]}"


def save_by_mlflow(folder: Path, model: keras.Model, example: np.ndarray) -> None:
    """Save a model as `save_keras_model` does, by MLflow's own functions."""
    signature = infer_signature(example[:1], model.predict_on_batch(example[:1]))
    pinned = [f"{name}=={version(name)}" for name in ("keras", "tensorflow", "numpy", *CLIPS.packages)]
    mlflow.keras.save_model(model, str(folder), signature=signature, pip_requirements=pinned)
    (folder / "code").mkdir()
    (folder / f"code/{MODULE}.py").write_text(CLIPS.code)
    (folder / "data/clip.json").write_text(CLIPS.settings)
    saved = Model.load(str(folder))
    saved.signature = ModelSignature(inputs=Schema([ColSpec(DataType.binary, "audio")]))
    function = saved.flavors["python_function"] | {"loader_module": MODULE, "code": "code", "data": "data"}
    saved.add_flavor("python_function", **function).save(str(folder / "MLmodel"))


def files(folder: Path) -> dict[str, object]:
    """Return what each file has, YAML as values in their order, without ids, times and weights."""
    found: dict[str, object] = {}
    for file in folder.rglob("*.*"):
        name = str(file.relative_to(folder))
        found[name] = list(yaml.safe_load(file.read_text()).items()) if file.suffix == ".yaml" else file.read_bytes()
    del found["data/model.keras"]
    about = yaml.safe_load((folder / "MLmodel").read_text())
    assert re.fullmatch(r"[0-9a-f]{32}", about.pop("model_uuid"))
    datetime.fromisoformat(about.pop("utc_time_created"))
    return found | {"MLmodel": list(about.items())}


class TestSaveKerasModel:
    def test_sent_from_a_journal_is_loaded_by_keras_and_as_a_function(
        self,
        location: Location,
        tmp_path: Path,
        model: keras.Model,
        example: np.ndarray,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        save_keras_model(tmp_path / "journal/model", model, CLIPS)
        sender = JournalUpload(location, "a-journal", None, lambda _delivery: None)
        run_id = sender.send([STARTED, Attached("model")], tmp_path / "journal").run_id
        assert [found.path for found in MlflowClient(location.uri).list_artifacts(run_id)] == ["model"]
        monkeypatch.setenv("MLFLOW_TRACKING_URI", location.uri)
        uri = f"runs:/{run_id}/model"
        expected = model.predict_on_batch(example)
        assert np.allclose(mlflow.keras.load_model(uri).predict_on_batch(example), expected, atol=1e-6)
        function = mlflow.pyfunc.load_model(uri)
        assert function.predict(pd.DataFrame({"audio": [b"12", b""]})) == ["c", "a"]

    def test_models_of_several_features_are_loaded_in_one_process(self, tmp_path: Path, model: keras.Model) -> None:
        for name in ("a", "b"):
            code = f"class Function:\n    def predict(self, _):\n        return {name!r}\n\n\n"
            code += "def _load_pyfunc(_):\n    return Function()\n"
            save_keras_model(tmp_path / name, model, ClipFunction(code, "{}", ()))
        loaded = [mlflow.pyfunc.load_model(str(tmp_path / name)) for name in ("a", "b")]
        assert [each.predict(pd.DataFrame({"audio": [b""]})) for each in loaded] == ["a", "b"]

    def test_save_keras_model_writes_the_files_that_mlflow_writes(
        self, tmp_path: Path, model: keras.Model, example: np.ndarray
    ) -> None:
        save_keras_model(tmp_path / "ours", model, CLIPS)
        save_by_mlflow(tmp_path / "mlflows", model, example)
        ours, mlflows = (files(tmp_path / name) for name in ("ours", "mlflows"))
        assert ours == mlflows

    def test_save_keras_model_prints_nothing(
        self, tmp_path: Path, model: keras.Model, capfd: pytest.CaptureFixture[str]
    ) -> None:
        save_keras_model(tmp_path / "model", model, CLIPS)
        assert capfd.readouterr() == ("", "")
