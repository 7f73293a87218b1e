"""The pretrained network computes what the published one does."""

from __future__ import annotations

import numpy as np
import pytest

from tests.pretrained import cache_random_weights, random_weights

pytestmark = pytest.mark.xdist_group("keras")

SHAPE = (96, 187, 1)


@pytest.fixture(scope="module", autouse=True)
def _backend() -> None:
    from tracker.training import backend  # noqa: F401 - before the network imports Keras by itself


@pytest.fixture
def _weights(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TRACKER_CACHE", str(tmp_path))
    cache_random_weights()


class TestDescribe:
    def test_it_computes_what_the_published_graph_does(self):
        # The graph of musicnn 0.1.0, run by TensorFlow with these images and weights (`bench/musicnn.py`).
        from models.musicnn import describe, give_weights
        from tests.pretrained import tags_of

        weights = random_weights()
        network = describe(SHAPE)
        give_weights(network, weights)
        images = np.random.default_rng(1).uniform(0, 4, (2, 187, 96)).astype(np.float32)
        tags = tags_of(np.asarray(network(images.transpose(0, 2, 1)[..., None])), weights)
        published = [
            [1.419208, -9.598593, 13.397407, 4.789778, -7.059738],
            [1.591768, -10.102576, 13.829774, 5.519958, -6.948861],
        ]
        np.testing.assert_allclose(tags[:, ::10], published, rtol=1e-3)

    def test_images_of_other_bands_are_refused(self):
        from models.musicnn import describe

        with pytest.raises(ValueError, match="takes images of 96 mel bands, got 128"):
            describe((128, 187, 1))


@pytest.mark.usefixtures("_weights")
class TestBuild:
    @pytest.mark.parametrize(("fine_tune", "trained"), [(False, 2), (True, 38)])
    def test_only_the_last_layer_is_trained_unless_it_is_fine_tuned(self, fine_tune, trained):
        from models.musicnn import build

        network = build((96, 30, 1), 3, fine_tune=fine_tune)
        assert len(network.trainable_variables) == trained
        body = network.layers[1]
        kernel = body.get_layer("conv2d_3").get_weights()[0]
        np.testing.assert_array_equal(kernel, random_weights()["conv2d_3/kernel"])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"kernel_size": 5}, "leave kernel_size at 3, got 5"),
            ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ],
    )
    def test_an_option_out_of_range_is_refused(self, options, message):
        from models.musicnn import build

        with pytest.raises(ValueError, match=message):
            build((96, 30, 1), 3, **options)
