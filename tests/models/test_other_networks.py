"""What every network beside the default one promises."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("keras")

NAMES = ("crnn", "linear", "resnet")


@pytest.fixture(scope="module", autouse=True)
def _backend() -> None:
    from tracker.training import backend  # noqa: F401 - before the network imports Keras by itself


def build(name: str, *arguments, **options):
    return import_module(f"models.{name}").build(*arguments, **options)


@pytest.mark.parametrize("name", NAMES)
class TestBuild:
    @pytest.mark.parametrize("shape", [(1, 1, 1), (20, 5, 1), (128, 129, 1)])
    def test_images_of_any_size_become_probabilities(self, name, shape):
        images = np.random.default_rng(0).uniform(-80, 0, (2, *shape)).astype(np.float32)
        model = build(name, shape, 3)
        assert not model.compiled
        assert model.name == name
        np.testing.assert_allclose(np.asarray(model(images)).sum(axis=1), 1, atol=1e-6)

    def test_a_single_class_is_refused(self, name):
        with pytest.raises(ValueError, match="n_classes must be at least 2, got 1"):
            build(name, (16, 16, 1), 1)


class TestLinear:
    def test_the_order_of_frames_changes_nothing(self):
        images = np.random.default_rng(0).uniform(-80, 0, (1, 8, 20, 1)).astype(np.float32)
        model = build("linear", (8, 20, 1), 3)
        np.testing.assert_allclose(np.asarray(model(images)), np.asarray(model(images[:, :, ::-1])), atol=1e-6)

    def test_a_kernel_size_is_refused(self):
        with pytest.raises(ValueError, match="the model linear has no convolution: leave kernel_size at 3, got 5"):
            build("linear", (8, 20, 1), 3, kernel_size=5)


class TestOrder:
    def test_the_recurrent_network_reads_frames_in_order(self):
        images = np.random.default_rng(0).uniform(-80, 0, (1, 16, 40, 1)).astype(np.float32)
        model = build("crnn", (16, 40, 1), 3)
        assert np.abs(np.asarray(model(images)) - np.asarray(model(images[:, :, ::-1]))).max() > 1e-4


class TestOptions:
    @pytest.mark.parametrize(
        ("name", "options", "message"),
        [
            ("crnn", {"kernel_size": 0}, "kernel_size must be 1 to 255, got 0"),
            ("crnn", {"units": 1_025}, "units must be 1 to 1024, got 1025"),
            ("crnn", {"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
            ("crnn", {"width": 256, "kernel_size": 255}, "a kernel size of 255 and a width of 256 make 42,6"),
            ("resnet", {"blocks": 17}, "blocks must be 1 to 16, got 17"),
            (
                "resnet",
                {"width": 256, "blocks": 16},
                "a kernel size of 3, a width of 256 and 16 blocks a stage make 1,6",
            ),
        ],
    )
    def test_an_option_out_of_range_is_refused(self, name, options, message):
        with pytest.raises(ValueError) as caught:
            build(name, (16, 16, 1), 3, **options)
        assert str(caught.value).startswith(message)

    def test_a_residual_network_has_two_convolutions_a_block_and_one_where_the_shape_changes(self):
        kinds = [type(layer).__name__ for layer in build("resnet", (16, 16, 1), 3, blocks=2, width=2).layers]
        assert kinds.count("Conv2D") == 1 + 4 * 2 * 2 + 4
        assert kinds.count("Add") == 8
