"""What a frozen part makes of segments is computed once, and all else is as with any network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.lazy import Lazy
from tests.training.sets import data, plan, without_clock
from tracker.runs import SpecAugment
from tracker.training.batches import consecutive_segments, segment_frames

if TYPE_CHECKING:
    from pathlib import Path

clip_probabilities = Lazy("tracker.training.callbacks", "clip_probabilities")
train = Lazy("tracker.training.fit", "train")

pytestmark = pytest.mark.xdist_group("keras")

NETWORK = """
import keras
from keras import layers


def build(input_shape, n_classes, *, kernel_size: int = 3):
    images = keras.Input(input_shape)
    body = keras.Model(images, layers.Dense(6, activation="relu")(layers.Flatten()(images)))
    body.trainable = False
    inputs = keras.Input(input_shape)
    features = layers.Dropout(0.3)(body(inputs))
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(features))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frozen")
    (folder / "frozen.py").write_text(NETWORK)
    return folder


@pytest.fixture(autouse=True)
def _cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_CACHE", str(folder / "cache"))


def asked(folder: Path, **options: object):
    return plan(model=str(folder / "frozen.py"), options=(), **options)


@pytest.fixture(scope="module")
def three(folder: Path):
    """The outcome of three epochs, their metrics, and how many clips were described."""
    epochs, described = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKER_CACHE", str(folder / "cache"))
        outcome = train(asked(folder), data(), on_epoch=epochs.append, on_describe=described.append)
    return outcome, epochs, described


class TestTrain:
    def test_the_kept_model_is_whole_and_predicts_as_was_logged(self, folder: Path, three) -> None:
        outcome, epochs, described = three
        wanted, held_out = asked(folder), data().sorted().validation
        segments = consecutive_segments(held_out.images, segment_frames(wanted))
        found = clip_probabilities(outcome.model, held_out.images, segments)
        np.testing.assert_allclose(found, outcome.validation.probabilities, atol=1e-5)
        assert (len(epochs), described) == (3, [20])

    def test_descriptions_are_cached_and_a_resumed_training_ends_with_the_same_bits(
        self, folder: Path, tmp_path: Path, three
    ) -> None:
        whole, epochs, _ = three
        again, described = [], []

        def interrupt_after_two(epoch) -> None:
            again.append(epoch)
            if epoch.number == 2:
                raise KeyboardInterrupt

        options = {"checkpoints": tmp_path / "saved", "on_describe": described.append}
        assert train(asked(folder), data(), on_epoch=interrupt_after_two, **options).interrupted
        resumed = train(asked(folder), data(), on_epoch=again.append, **options)
        assert described == []
        assert without_clock(again) == without_clock(epochs)
        np.testing.assert_array_equal(resumed.validation.probabilities, whole.validation.probabilities)

    def test_images_that_are_changed_go_through_the_whole_network(self, folder: Path) -> None:
        described: list[int] = []
        wanted = asked(folder, epochs=1, spec_augment=SpecAugment(2, 2))
        other = data()
        train(wanted, other, on_epoch=lambda _: None, on_describe=described.append)
        assert described == []
