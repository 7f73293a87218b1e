from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.lazy import Lazy
from tests.processes import Forked
from tests.training.sets import data, plan
from tracker.errors import TrainingError
from tracker.runs import Configuration
from tracker.store import ClipFunction
from tracker.training.networks import find_network

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

keras = Lazy("tracker.training.backend", "keras")
use_fused_normalization = Lazy("tracker.training.backend", "use_fused_normalization")
build_network = Lazy("tracker.training.build", "build_network")
save_keras_model = Lazy("tracker.store.keras_model", "save_keras_model")
train = Lazy("tracker.training.fit", "train")

pytestmark = pytest.mark.xdist_group("keras")

NETWORK = """import keras
from keras import layers

{before}
def build(input_shape, n_classes, *, kernel_size: int = 3, depth: int = 1):
    inputs = keras.Input(input_shape)
    features = layers.GlobalAveragePooling2D()(inputs)
    {body}
"""

SOFTMAX = 'return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(features))'

SCALE = """class Scale(layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(shape=(), initializer="ones")

    def call(self, inputs):
        return inputs * self.factor
"""

UNSAVEABLE = """class Unsaveable(layers.Dense):
    def get_config(self):
        raise NotImplementedError
"""


def load_with_their_source(folders: Sequence[Path]) -> None:
    """Load saved models in a process that never built their networks, and save what they return for an example."""
    import mlflow

    for folder in folders:
        spec = spec_from_file_location("network", folder / "network.py")
        assert spec
        assert spec.loader
        network = module_from_spec(spec)
        spec.loader.exec_module(network)
        model = mlflow.keras.load_model(str(folder / "model"), custom_objects=vars(network))
        np.save(folder / "outputs.npy", model.predict_on_batch(np.load(folder / "example.npy")))


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets").mkdir()
    return tmp_path / "nets"


def write(nets: Path, body: str = SOFTMAX, before: str = "") -> str:
    (nets / "net.py").write_text(NETWORK.format(before=before, body=body))
    return "nets/net.py"


def build(model: str, n_classes: int = 3, **options: object) -> object:
    keras.utils.set_random_seed(0)
    return build_network(Configuration(model=model, options=tuple(options.items())), (16, 20, 1), n_classes)


class TestBuildNetwork:
    def test_a_network_of_a_path_is_built_with_its_options(self, nets: Path) -> None:
        path = write(nets, f"features = layers.Dense(depth)(features)\n    {SOFTMAX}")
        assert build(path, depth=7).layers[2].units == 7

    def test_a_network_of_the_working_folder_is_built_by_its_name(self, nets: Path) -> None:
        write(nets)
        nets.rename("models")
        assert build("net").output_shape == (None, 3)

    def test_an_edited_network_is_imported_again_in_the_same_process(self, nets: Path) -> None:
        layer_counts = [len(build(write(nets)).layers)]
        layer_counts.append(len(build(write(nets, f"features = layers.ReLU()(features)\n    {SOFTMAX}")).layers))
        assert layer_counts == [3, 4]

    def test_modules_beside_the_network_are_imported_relatively(self, nets: Path) -> None:
        (nets / "_parts.py").write_text("WIDTH = 5")
        path = write(nets, f"features = layers.Dense(WIDTH)(features)\n    {SOFTMAX}", "from ._parts import WIDTH")
        assert build(path).layers[2].units == 5

    def test_nothing_is_written_beside_the_network(self, nets: Path) -> None:
        build(write(nets))
        assert [file.name for file in nets.iterdir()] == ["net.py"]

    @pytest.mark.parametrize(
        ("body", "before", "line", "reason"),
        [
            ("1 / 0", "", 8, "ZeroDivisionError: division by zero"),
            ('raise ValueError("depth must be at least 1, got 0")', "", 8, "depth must be at least 1, got 0"),
            ("raise SystemExit(3)", "", 8, "SystemExit: 3"),
            (SOFTMAX, "import a_library_that_is_not_there", 4, "ModuleNotFoundError: No module named"),
            ("layers.Dense(-1)(features)", "", 8, ""),
            ("return layers.Dense(3)(inputs, inputs)", "", 8, "TypeError: "),
        ],
    )
    def test_an_error_in_the_network_names_its_file_and_line(
        self, nets: Path, body: str, before: str, line: int, reason: str
    ) -> None:
        with pytest.raises(TrainingError) as caught:
            build(write(nets, body, before))
        assert str(caught.value).startswith(f"nets/net.py, line {line}: the network cannot be built: {reason}")
        assert "\n" not in str(caught.value)

    def test_an_error_in_a_module_beside_the_network_names_that_file(self, nets: Path) -> None:
        (nets / "_parts.py").write_text("\nWIDTH = 1 / 0")
        with pytest.raises(TrainingError, match=r"^nets/_parts.py, line 2: the network cannot be built: ZeroDivision"):
            build(write(nets, before="from ._parts import WIDTH"))

    def test_a_syntax_error_names_its_line(self, nets: Path) -> None:
        (nets / "net.py").write_text("x = 1\ndef build(:\n")
        with pytest.raises(TrainingError, match=r"nets/net.py, line 2: "):
            build("nets/net.py")

    @pytest.mark.parametrize("body", ["return None", "return inputs", "return keras.Model"])
    def test_anything_but_a_model_is_refused(self, nets: Path, body: str) -> None:
        with pytest.raises(TrainingError, match=r"nets/net.py: `build` returned \w+, it must return a keras.Model"):
            build(write(nets, body))

    @pytest.mark.parametrize("activation", ["linear", "sigmoid", "tanh"])
    def test_a_network_without_softmax_is_refused_with_the_remedy(self, nets: Path, activation: str) -> None:
        body = f'return keras.Model(inputs, layers.Dense(n_classes, activation="{activation}")(features))'
        with pytest.raises(
            TrainingError, match=r"must return probabilities.* end it with layers.Dense\(n_classes, act"
        ):
            build(write(nets, body))

    @pytest.mark.parametrize("n_classes", [2, 3, 10])
    @pytest.mark.parametrize("stddev", [0.0, 1.0, 100.0, 10_000.0])
    def test_a_sigmoid_is_refused_however_saturated(self, nets: Path, n_classes: int, stddev: float) -> None:
        start = f"kernel_initializer=keras.initializers.RandomNormal(stddev={stddev}, seed=depth)"
        path = write(nets, f'return keras.Model(inputs, layers.Dense(n_classes, "sigmoid", {start})(features))')
        for seed in range(5):
            with pytest.raises(TrainingError, match="must return probabilities"):
                build(path, n_classes, depth=seed)

    @pytest.mark.parametrize("output", ["ops.exp(scores)", "ops.abs(scores)", "ops.softmax(scores) * 2", "scores"])
    def test_outputs_that_are_not_normalised_are_refused(self, nets: Path, output: str) -> None:
        body = f"scores = layers.Dense(n_classes)(features)\n    return keras.Model(inputs, {output})"
        with pytest.raises(TrainingError, match="must return probabilities"):
            build(write(nets, body, "from keras import ops"))

    @pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
    @pytest.mark.parametrize("stddev", [0.0, 1.0, 10_000.0])
    @pytest.mark.parametrize("n_classes", [2, 100])
    def test_a_softmax_is_never_refused(self, nets: Path, dtype: str, stddev: float, n_classes: int) -> None:
        start = f"kernel_initializer=keras.initializers.RandomNormal(stddev={stddev}, seed=0)"
        scores = f'layers.Dense(n_classes, {start}, dtype="{dtype}")(layers.Flatten()(inputs))'
        body = f'return keras.Model(inputs, layers.Softmax(dtype="{dtype}")({scores}))'
        assert build(write(nets, body), n_classes).output_shape == (None, n_classes)

    def test_the_check_of_the_outputs_leaves_the_weights_as_they_were_initialised(self, nets: Path) -> None:
        start = 'kernel_initializer="ones", bias_initializer="ones"'
        model = build(write(nets, f'return keras.Model(inputs, layers.Dense(n_classes, "softmax", {start})(features))'))
        assert all((weights == 1).all() for weights in model.get_weights())

    @pytest.mark.parametrize("output", ["layers.Dense(4)(features)", "inputs", "[features, features]"])
    def test_a_network_with_other_outputs_than_one_a_class_is_refused(self, nets: Path, output: str) -> None:
        with pytest.raises(TrainingError, match=r"nets/net.py"):
            build(write(nets, f"return keras.Model(inputs, {output})"))

    def test_a_layer_that_cannot_be_saved_is_refused(self, nets: Path) -> None:
        with pytest.raises(TrainingError, match=r"nets/net.py.*the network cannot be built"):
            build(write(nets, f"features = Unsaveable(2)(features)\n    {SOFTMAX}", UNSAVEABLE))

    def test_saved_models_with_layers_of_their_own_are_loaded_elsewhere_with_their_source(
        self, nets: Path, tmp_path: Path
    ) -> None:
        expected = {}
        for name, decorator in {
            "plain": "",
            "registered": '@keras.saving.register_keras_serializable("mine")\n',
        }.items():
            path = write(nets, f"features = Scale()(features)\n    {SOFTMAX}", decorator + SCALE)
            result = train(plan(model=path, options=(("depth", 1),)), data(), on_epoch=lambda _epoch: None)
            folder = tmp_path / name
            folder.mkdir()
            save_keras_model(folder / "model", result.model, ClipFunction("", "{}", ()))
            (folder / "network.py").write_bytes(find_network(path).source)
            example = np.random.default_rng(0).normal(size=(1, *result.model.input_shape[1:]))
            np.save(folder / "example.npy", example)
            expected[folder] = result.model.predict_on_batch(example)
        nets.rename(tmp_path / "away")
        with Forked(load_with_their_source, [*expected], folder=tmp_path) as process:
            said = process.communicate()
        assert process.returncode == 0, said
        for folder, outputs in expected.items():
            np.testing.assert_allclose(np.load(folder / "outputs.npy"), outputs, atol=1e-6)


class TestUseFusedNormalization:
    def test_a_network_is_trained_and_predicts_as_by_keras_own_operations(self) -> None:
        rng = np.random.default_rng(0)
        batches = [(rng.uniform(-80, 0, (n, 16, 20, 1)).astype(np.float32), np.arange(n) % 3) for n in (8, 8, 5)]
        trained = []
        for fuse in (lambda _: None, use_fused_normalization):
            model = build("cnn", dropout=0.0, width=4)
            fuse(model)
            replaced = {"call" in vars(layer) for layer in model.layers if "BatchNormalization" in type(layer).__name__}
            assert replaced == {bool(trained)}
            model.compile(keras.optimizers.SGD(0.01), loss="sparse_categorical_crossentropy")
            losses = [model.train_on_batch(*batch) for batch in batches]
            trained.append([np.array(losses), *model.get_weights(), model.predict_on_batch(batches[0][0])])
        for by_keras, fused in zip(*trained, strict=True):
            np.testing.assert_allclose(fused, by_keras, rtol=1e-4, atol=1e-5)
