from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import TrainingError
from tracker.training.backend import keras
from tracker.training.batches import Crops
from tracker.training.callbacks import check_finite
from tracker.training.fit import train_epochs

pytestmark = pytest.mark.xdist_group("keras")


class TestTrainEpochs:
    def test_tells_the_mean_over_all_segments_of_an_epoch(self) -> None:
        rng = np.random.default_rng(0)
        images = [rng.uniform(-1, 0, (4, 9)).astype(np.float16) for _ in range(5)]
        crops = Crops(images, np.array([0, 1, 0, 1, 1]), frames=3, batch_size=8, seed=0)
        keras.utils.set_random_seed(0)
        layers = [keras.Input((4, 3, 1)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
        model = keras.Sequential(layers)
        model.compile(keras.optimizers.SGD(0.0), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        heard: list[dict[str, float]] = []
        listener = keras.callbacks.LambdaCallback(on_epoch_end=lambda _, logs: heard.append(dict(logs)))
        train_epochs(model, crops, range(1), [listener])

        batches = list(crops.batches(1))
        assert [len(targets) for _, targets in batches] == [8, 8, 4]
        said = np.concatenate([model.predict(batch, verbose=0) for batch, _ in batches])
        targets = np.concatenate([targets for _, targets in batches])
        right = (said.argmax(axis=1) == targets).mean()
        loss = -np.log(np.maximum(said[np.arange(len(targets)), targets], 1e-7)).mean()
        assert heard[0]["accuracy"] == pytest.approx(right)
        assert heard[0]["loss"] == pytest.approx(loss, rel=1e-4)


class TestCheckFinite:
    @pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
    def test_refuses_what_is_no_finite_number_with_its_epoch(self, loss: float) -> None:
        with pytest.raises(TrainingError, match=f"training diverged: val_loss became {loss} in epoch 3; try a lower"):
            check_finite("val_loss", loss, 2)

    def test_lets_a_number_pass(self) -> None:
        check_finite("loss", 1e300, 0)
