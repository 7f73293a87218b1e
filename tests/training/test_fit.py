"""Training itself, and what it is made of."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.lazy import Lazy
from tests.running import SMALL_NETWORK
from tests.training.sets import DEFAULT_NETWORK, FRAMES, data, misleading, part, plan, untrained, without_clock
from tracker.errors import TrainingError
from tracker.replay import Stop, early_stopping, plateau
from tracker.runs import Plateau, RunPlan
from tracker.training.batches import Batches, LabelledImages, TrainingData, consecutive_segments
from tracker.training.result import accuracy, log_loss

if TYPE_CHECKING:
    from tracker.training.result import Epoch

keras = Lazy("tracker.training.backend", "keras")
without_notices = Lazy("tracker.training.backend", "without_notices")
clip_probabilities = Lazy("tracker.training.callbacks", "clip_probabilities")
BuiltNetwork = Lazy("tracker.training.fit", "BuiltNetwork")
train = Lazy("tracker.training.fit", "train")
train_epochs = Lazy("tracker.training.fit", "train_epochs")

pytestmark = pytest.mark.xdist_group("keras")

METRICS = ["loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "epoch_seconds"]


def fitted(asked: RunPlan, given: TrainingData | None = None, built: BuiltNetwork | None = None):
    """Return the outcome of training and the epochs told of."""
    epochs: list[Epoch] = []
    return train(asked, given or data(), on_epoch=epochs.append, built=built), epochs


@pytest.fixture(scope="module")
def three():
    """Three epochs of the default plan."""
    return fitted(plan())


class TestTrain:
    def test_train_tells_of_every_epoch_in_order(self, three):
        _, epochs = three
        assert [epoch.number for epoch in epochs] == [1, 2, 3]
        assert all(list(epoch.metrics) == METRICS for epoch in epochs)
        assert all(math.isfinite(value) for epoch in epochs for value in epoch.metrics.values())

    def test_train_says_the_rate_as_it_was_asked_for(self, three):
        assert [epoch.metrics["learning_rate"] for epoch in three[1]] == [0.001] * 3

    def test_train_learns(self):
        outcome, epochs = fitted(plan(**DEFAULT_NETWORK, epochs=12, learning_rate=0.01))
        assert epochs[-1].metrics["loss"] < epochs[0].metrics["loss"]
        assert outcome.metrics["best_val_accuracy"] == 1

    def test_train_gives_the_predictions_of_every_epoch_with_clips_sorted(self, three):
        outcome, epochs = three
        by_epoch = outcome.validation_by_epoch
        assert by_epoch.clips == outcome.validation.clips == tuple("mnopqrsx")
        assert by_epoch.labels == ("odd", "even") * 3 + ("odd", "even")
        assert by_epoch.probabilities.shape == (3, 8, 2)
        assert by_epoch.probabilities.dtype == np.float32
        np.testing.assert_allclose(by_epoch.probabilities.sum(axis=2), 1, atol=1e-6)
        targets = data().targets(data().validation.sorted())
        for probabilities, epoch in zip(by_epoch.probabilities, epochs, strict=True):
            assert log_loss(probabilities, targets) == epoch.metrics["val_loss"]
            assert accuracy(probabilities, targets) == epoch.metrics["val_accuracy"]

    def test_summarises_the_best_and_the_last_epoch(self, three):
        outcome, epochs = three
        best = min(epochs, key=lambda epoch: epoch.metrics["val_loss"])
        assert outcome.metrics["best_epoch"] == best.number
        assert outcome.metrics["best_val_loss"] == best.metrics["val_loss"]
        assert outcome.metrics["best_val_accuracy"] == best.metrics["val_accuracy"]
        assert outcome.metrics["last_val_loss"] == epochs[-1].metrics["val_loss"]
        assert outcome.metrics["last_val_accuracy"] == epochs[-1].metrics["val_accuracy"]
        assert outcome.metrics["stop_epoch"] == 3
        assert not outcome.interrupted

    @pytest.mark.parametrize("keep", ["best", "last"])
    def test_train_keeps_the_weights_asked_for(self, keep):
        asked = plan(keep=keep, epochs=6, learning_rate=0.02)
        outcome, _ = fitted(asked, misleading(), untrained(asked))
        assert outcome.metrics["best_epoch"] < 6
        kept = int(outcome.metrics["best_epoch"]) if keep == "best" else 6
        by_epoch = outcome.validation_by_epoch.probabilities
        np.testing.assert_array_equal(outcome.validation.probabilities, by_epoch[kept - 1])
        images = data().validation.sorted().images
        again = clip_probabilities(outcome.model, images, consecutive_segments(images, FRAMES))
        np.testing.assert_array_equal(again, by_epoch[kept - 1])

    def test_train_judges_the_training_clips_with_the_kept_weights(self, three):
        outcome, _ = three
        images, targets = data().training.images, data().targets(data().training)
        probabilities = clip_probabilities(outcome.model, images, consecutive_segments(images, FRAMES))
        assert outcome.metrics["fit_loss"] == log_loss(probabilities, targets)
        assert outcome.metrics["fit_accuracy"] == accuracy(probabilities, targets)

    def test_train_stops_and_drops_the_rate_as_keras_does(self):
        asked = plan(epochs=40, learning_rate=0.02, plateau=Plateau(0.5, 2), early_stopping_patience=5)
        outcome, epochs = fitted(asked, misleading(), untrained(asked))
        losses = np.array([epoch.metrics["val_loss"] for epoch in epochs])
        assert outcome.metrics["stop_epoch"] == len(epochs) < 40
        assert early_stopping(losses, 5) == Stop(len(epochs), int(outcome.metrics["best_epoch"]))
        rates = [epoch.metrics["learning_rate"] for epoch in epochs]
        drops = [drop for drop in plateau(losses, 0.5, 2, learning_rate=0.02) if drop.epoch < len(epochs)]
        assert drops
        assert [epoch for epoch in range(1, len(epochs)) if rates[epoch] != rates[epoch - 1]] == [
            d.epoch for d in drops
        ]
        assert rates[-1] == pytest.approx(drops[-1].after)

    def test_train_tells_of_the_start_of_batches_and_of_epochs(self):
        told: list[object] = []
        train(
            plan(epochs=2),
            data(),
            on_start=lambda: told.append("start"),
            on_epoch=lambda epoch: told.append(epoch.number),
            on_batch=lambda done, total: told.append((done, total)),
            built=untrained(plan()),
        )
        batches = [(1, 3), (2, 3), (3, 3)]
        assert told == ["start", *batches, 1, *batches, 2]

    def test_train_depends_on_the_seed(self, three):
        assert without_clock(fitted(plan(seed=1, epochs=1))[1]) != without_clock(three[1])[:1]

    def test_train_gives_the_same_again_in_whatever_order_clips_are_listed(self, three):
        def backwards(some: LabelledImages) -> LabelledImages:
            return LabelledImages(some.clips[::-1], some.labels[::-1], some.images[::-1])

        given = data()
        listed = TrainingData(backwards(given.training), backwards(given.validation), given.classes)
        outcome, epochs = fitted(plan(), listed)
        assert without_clock(epochs) == without_clock(three[1])
        assert outcome.metrics == three[0].metrics
        assert [layer.name for layer in outcome.model.layers] == [layer.name for layer in three[0].model.layers]

    def test_train_gives_the_same_in_another_process_and_says_nothing(self, three):
        code = (
            "import json, sys; sys.path.insert(0, sys.argv[1]); "
            "from tests.training.sets import data, plan, without_clock; "
            "from tracker.training.fit import train; epochs = []; "
            "outcome = train(plan(), data(), on_epoch=epochs.append); "
            "print(json.dumps([without_clock(epochs), outcome.metrics]))"
        )
        command = [sys.executable, "-W", "error::UserWarning", "-c", code, str(Path(__file__).parents[2])]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        epochs, metrics = json.loads(done.stdout)
        assert epochs == without_clock(three[1])
        assert metrics == three[0].metrics
        assert done.stderr == ""


class TestBuiltNetwork:
    def test_built_network_is_trained_to_the_same_whatever_was_drawn_since(self, three):
        built = BuiltNetwork.of(plan(), 2)
        random.random()
        keras.random.normal((2,))
        epochs: list[Epoch] = []
        outcome = train(plan(), data(), on_epoch=epochs.append, built=built)
        assert outcome.model is built.model
        assert without_clock(epochs) == without_clock(three[1])
        assert outcome.metrics == three[0].metrics

    def test_built_network_is_built_again_if_its_code_was_edited_or_is_gone(self, tmp_path):
        file = tmp_path / "mine.py"
        file.write_bytes(SMALL_NETWORK.read_bytes())
        asked = plan(model=str(file), epochs=1)
        built = BuiltNetwork.of(asked, 2)
        file.write_text(file.read_text().replace("(width,", "(width + 1,"))
        outcome = train(asked, data(), on_epoch=lambda _: None, built=built)
        assert outcome.model.count_params() > built.model.count_params()
        file.unlink()
        with pytest.raises(TrainingError, match=r"mine\.py does not exist"):
            train(asked, data(), on_epoch=lambda _: None, built=built)


class TestSeeded:
    @pytest.mark.parametrize("seed", [0, 7])
    def test_what_another_thread_draws_changes_no_seed_of_a_layer(self, seed: int) -> None:
        from tracker.training.backend import keras, seeded

        def drawn(between: int) -> list[int]:
            with seeded(seed):
                for _ in range(between):
                    random.random()
                return [int(number) for number in np.asarray(keras.random.SeedGenerator().state)]

        assert drawn(0) == drawn(3)
        keras.utils.set_random_seed(seed)
        assert drawn(0) == [int(number) for number in np.asarray(keras.random.SeedGenerator().state)]


class TestTrainThatFails:
    def test_train_that_fails_names_the_epoch_in_which_the_loss_is_lost(self):
        epochs: list[Epoch] = []
        with pytest.raises(TrainingError, match=r"training diverged: (val_)?loss became nan in epoch \d+; try a lower"):
            train(plan(**DEFAULT_NETWORK, epochs=5, learning_rate=1e30), data(), on_epoch=epochs.append)
        assert all(math.isfinite(value) for epoch in epochs for value in epoch.metrics.values())

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"model": "cnm"}, "there is no model 'cnm'"),
            ({"model": "cnn", "options": (("dropout", 1.5),)}, "dropout must be at least 0 and below 1, got 1.5"),
            ({"options": (("dropuot", 0.5),)}, "it has no option dropuot"),
        ],
    )
    def test_train_that_fails_says_in_one_line_why_a_network_cannot_be_built(self, options, message):
        started: list[bool] = []
        with pytest.raises(TrainingError) as caught:
            train(plan(**options), data(), on_start=lambda: started.append(True), on_epoch=lambda _: None)
        assert not started
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


class TestTrainThatIsInterrupted:
    def test_train_that_is_interrupted_ends_with_the_finished_epochs(self, three):
        batches = iter(range(100))

        def interrupt(done: int, total: int) -> None:
            if next(batches) == 7:  # the second of three batches of the third epoch
                raise KeyboardInterrupt

        epochs: list[Epoch] = []
        outcome = train(plan(epochs=9), data(), on_epoch=epochs.append, on_batch=interrupt, built=untrained(plan()))
        assert outcome.interrupted
        assert without_clock(epochs) == without_clock(three[1])[:2]
        assert outcome.metrics["stop_epoch"] == 2
        assert outcome.validation_by_epoch.probabilities.shape[0] == 2
        best = int(outcome.metrics["best_epoch"]) - 1
        np.testing.assert_array_equal(
            outcome.validation.probabilities, three[0].validation_by_epoch.probabilities[best]
        )

    def test_train_that_is_interrupted_counts_an_epoch_as_finished_once_it_is_told_of(self):
        def interrupt(epoch: Epoch) -> None:
            raise KeyboardInterrupt

        outcome = train(plan(), data(), on_epoch=interrupt, built=untrained(plan()))
        assert outcome.interrupted
        assert outcome.metrics["stop_epoch"] == 1

    def test_train_that_is_interrupted_passes_the_interrupt_on_where_no_epoch_is_finished(self):
        def interrupt(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(plan(), data(), on_epoch=lambda _: None, on_batch=interrupt, built=untrained(plan()))


class TestClipProbabilities:
    def test_clip_probabilities_are_the_mean_over_the_segments_of_a_clip(self, three):
        model = three[0].model
        images = list(part("ab", 3, (32, 20)).images)
        segments = consecutive_segments(images, FRAMES)
        assert segments.clips.tolist() == [0, 0, 1]
        single = np.asarray(model(segments.cut(images, slice(None)).astype(np.float32)))
        together = clip_probabilities(model, images, segments)
        np.testing.assert_allclose(together, [single[:2].mean(axis=0), single[2]], atol=1e-6)

    def test_clip_probabilities_do_not_depend_on_other_clips(self, three):
        model, images = three[0].model, part("abcdefgh", 3, (1_000,)).images
        all_of_them = clip_probabilities(model, images, consecutive_segments(images, FRAMES))
        one = clip_probabilities(model, images[5:6], consecutive_segments(images[5:6], FRAMES))
        np.testing.assert_allclose(one[0], all_of_them[5], atol=1e-6)


class TestLogLoss:
    def test_log_loss_is_the_mean_negative_log_of_the_true_class(self):
        loss = log_loss(np.array([[0.5, 0.5], [0.9, 0.1]]), np.array([0, 1]))
        assert loss == pytest.approx((-math.log(0.5) - math.log(0.1)) / 2)

    def test_log_loss_stays_finite_where_the_true_class_has_no_probability(self):
        assert log_loss(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(-math.log(1e-7))

    def test_log_loss_of_certainty_is_zero_without_a_sign(self):
        assert str(log_loss(np.array([[1.0, 0.0]]), np.array([0]))) == "0.0"

    def test_log_loss_is_rounded_as_keras_rounds(self):
        loss = log_loss(np.array([[0.3, 0.7]]), np.array([0]))
        assert loss == float(np.float32(loss))


class TestAccuracy:
    def test_accuracy_is_the_share_of_clips_whose_most_probable_class_is_the_true_one(self):
        assert accuracy(np.array([[0.4, 0.6], [0.9, 0.1], [0.5, 0.5]]), np.array([1, 1, 0])) == pytest.approx(2 / 3)

    def test_accuracy_is_no_number_where_a_probability_is_none(self):
        assert math.isnan(accuracy(np.array([[math.nan, math.nan], [0.9, 0.1]]), np.array([0, 0])))


class TestNoticesHeldBack:
    def test_notices_held_back_passes_on_what_is_no_notice(self, capfd):
        lines = [
            "I0000 00:00:1759.7 88 port.cc:153] oneDNN custom operations are on.",
            "2026-01-01 10:00:00.1: I tensorflow/core/platform/cpu_feature_guard.cc:210] This TensorFlow binary",
            "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
            "E0000 00:00:1759.7 88 real.cc:1] it went wrong",
            "Traceback (most recent call last):",
        ]
        with without_notices():
            os.write(2, "".join(f"{line}\n" for line in lines).encode())
        assert capfd.readouterr().err.splitlines() == lines[3:]


class TestTrainEpochs:
    def test_train_epochs_tells_the_mean_over_all_segments_of_an_epoch(self) -> None:
        rng = np.random.default_rng(0)
        images = [rng.uniform(-1, 0, (4, 9)).astype(np.float16) for _ in range(5)]
        crops = Batches(images, np.array([0, 1, 0, 1, 1]), frames=3, batch_size=8, seed=0)
        keras.utils.set_random_seed(0)
        layers = [keras.Input((4, 3, 1)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
        model = keras.Sequential(layers)
        model.compile(keras.optimizers.SGD(0.0), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        heard: list[dict[str, float]] = []
        listener = keras.callbacks.LambdaCallback(on_epoch_end=lambda _, logs: heard.append(dict(logs)))
        train_epochs(model, crops, range(1), [listener])

        batches = list(crops.of_epoch(1))
        assert [len(targets) for _, targets in batches] == [8, 8, 4]
        said = np.concatenate([model.predict(batch, verbose=0) for batch, _ in batches])
        targets = np.concatenate([targets for _, targets in batches])
        right = (said.argmax(axis=1) == targets).mean()
        loss = -np.log(np.maximum(said[np.arange(len(targets)), targets], 1e-7)).mean()
        assert heard[0]["accuracy"] == pytest.approx(right)
        assert heard[0]["loss"] == pytest.approx(loss, rel=1e-4)
