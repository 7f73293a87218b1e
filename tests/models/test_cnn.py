from __future__ import annotations

import numpy as np
import pytest

from tests.lazy import Lazy

build = Lazy("models.cnn", "build")
keras = Lazy("tracker.training.backend", "keras")

pytestmark = pytest.mark.xdist_group("keras")


@pytest.fixture(scope="module", autouse=True)
def _backend() -> None:
    from tracker.training import backend  # noqa: F401 - before the network imports Keras by itself


@pytest.fixture(scope="module")
def model():
    return build((128, 129, 1), 5)


class TestBuild:
    def test_build_gives_probabilities_from_decibels(self, model):
        noise = np.random.default_rng(0).uniform(-80, 0, (2, 128, 129, 1)).astype(np.float32)
        probabilities = np.asarray(model(noise))
        assert probabilities.shape == (2, 5)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)

    def test_build_is_the_small_network_of_the_documentation(self, model):
        convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
        assert [layer.filters for layer in convolutions] == [8, 16, 32, 64]
        assert [layer.strides for layer in convolutions] == [(2, 2), (1, 1), (1, 1), (1, 1)]
        assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
        assert model.count_params() < 30_000

    def test_build_is_uncompiled(self, model):
        assert not model.compiled

    def test_build_scales_decibels_inside_to_about_two(self, model):
        scaled = keras.Model(model.input, model.layers[1].output)
        images = np.ones((3, 128, 129, 1), np.float32) * np.array([-80, -40, 0], np.float32).reshape(3, 1, 1, 1)
        assert np.asarray(scaled(images))[:, 0, 0, 0].tolist() == [-2, 0, 2]

    @pytest.mark.parametrize("shape", [(1, 1, 1), (128, 1, 1), (20, 5, 1), (128, 1_292, 1)])
    def test_build_takes_images_of_any_size(self, shape):
        model = build(shape, 2)
        assert np.isfinite(np.asarray(model(np.zeros((1, *shape), np.float32)))).all()

    def test_build_follows_its_options(self):
        model = build((16, 16, 1), 3, kernel_size=5, dropout=0.0, width=2)
        convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
        assert [layer.filters for layer in convolutions] == [2, 4, 8, 16]
        assert {layer.kernel_size for layer in convolutions} == {(5, 5)}
        assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.0]

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ({"kernel_size": 0}, "kernel_size must be 1 to 255, got 0"),
            ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
            ({"dropout": -0.1}, "dropout must be at least 0 and below 1, got -0.1"),
            (
                {"width": 1_024, "kernel_size": 255},
                (
                    "a kernel size of 255 and a width of 1024 make 2,863,780,070,400 weights, at most 500,000,000 can "
                    "be trained; lower one of them"
                ),
            ),
            ({"width": 0}, "width must be 1 to 1024, got 0"),
        ],
    )
    def test_build_refuses_options_out_of_range(self, option, message):
        with pytest.raises(ValueError) as caught:
            build((16, 16, 1), 3, **option)
        assert str(caught.value) == message

    def test_build_refuses_a_single_class(self):
        with pytest.raises(ValueError, match="n_classes must be at least 2, got 1"):
            build((16, 16, 1), 1)
