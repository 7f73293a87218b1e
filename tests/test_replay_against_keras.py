"""The replay does what Keras' own callbacks do, to the epoch, on two thousand random curves and in a real fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tests.lazy import Lazy
from tracker.replay import Drop, Mode, Stop, early_stopping, plateau

keras = Lazy("tracker.training.backend", "keras")

pytestmark = pytest.mark.xdist_group("keras")

CURVES = 2_000


class Optimizer:
    """A learning rate kept in float32: all that ReduceLROnPlateau touches of an optimizer."""

    def __init__(self, rate: float) -> None:
        self._rate = np.float32(rate)

    @property
    def learning_rate(self) -> np.float32:
        return self._rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._rate = np.float32(rate)


class Model:
    """All that the callbacks touch of a model; its weights are the number of the epoch."""

    def __init__(self, rate: float = 1.0) -> None:
        self.stop_training = False
        self.optimizer = Optimizer(rate)
        self.weights = 0

    def get_weights(self) -> int:
        return self.weights

    def set_weights(self, weights: int) -> None:
        self.weights = weights


@dataclass
class Case:
    """A random curve and random settings."""

    values: np.ndarray
    patience: int
    min_delta: float
    start_from_epoch: int
    cooldown: int
    factor: float
    min_lr: float
    mode: Mode


def random_case(rng: np.random.Generator) -> Case:
    return Case(
        values=random_curve(rng),
        patience=int(rng.integers(0, 6)),
        min_delta=float(rng.choice([0.0, 1e-4, 0.03, -0.1])),
        start_from_epoch=int(rng.choice([0, 0, 0, 1, 4])),
        cooldown=int(rng.choice([0, 0, 1, 3])),
        factor=float(rng.choice([0.1, 0.3, 0.5])),
        min_lr=float(rng.choice([0.0, 1e-4, 0.2])),
        mode=str(rng.choice(["min", "max"])),
    )


def random_curve(rng: np.random.Generator) -> np.ndarray:
    """A noisy curve, one in steps (ties), one that float32 can hardly tell from constant, or a constant."""
    n = int(rng.integers(1, 16))
    noisy = np.exp(-np.arange(n) / 5) + rng.normal(0, 0.1, n)
    kind = rng.integers(4)
    curve = [noisy, noisy.round(1), 0.5 + 3e-8 * rng.normal(size=n), np.full(n, noisy[0])][kind]
    odd = rng.random(n) < rng.choice([0, 0, 0.2])
    return np.where(odd, rng.choice([np.nan, np.inf, -np.inf], n), curve)


def kerass_stop(case: Case) -> Stop:
    model = Model()
    callback = keras.callbacks.EarlyStopping(
        patience=case.patience,
        min_delta=case.min_delta,
        start_from_epoch=case.start_from_epoch,
        mode=case.mode,
        restore_best_weights=True,
    )
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(case.values.tolist()):
        model.weights = epoch + 1
        callback.on_epoch_end(epoch, {"val_loss": value})
        if model.stop_training:
            callback.on_train_end()
            return Stop(epoch + 1, model.weights)
    return Stop(None, None)


def kerass_drops(case: Case) -> tuple[Drop, ...]:
    model = Model(rate=0.7)
    callback = keras.callbacks.ReduceLROnPlateau(
        factor=case.factor,
        patience=case.patience,
        min_delta=case.min_delta,
        cooldown=case.cooldown,
        min_lr=case.min_lr,
        mode=case.mode,
    )
    callback.set_model(model)
    callback.on_train_begin()
    drops = []
    for epoch, value in enumerate(case.values.tolist()):
        before = float(model.optimizer.learning_rate)
        callback.on_epoch_end(epoch, {"val_loss": value})
        after = float(model.optimizer.learning_rate)
        if after != before:
            drops.append(Drop(epoch + 1, before, after))
    return tuple(drops)


class TestEarlyStopping:
    def test_early_stopping_is_kerass_on_two_thousand_random_curves(self):
        rng = np.random.default_rng(20)
        stopped = 0
        for _ in range(CURVES):
            case = random_case(rng)
            found = early_stopping(
                case.values,
                case.patience,
                min_delta=case.min_delta,
                start_from_epoch=case.start_from_epoch,
                mode=case.mode,
            )
            assert found == kerass_stop(case), case
            stopped += not found.censored
        assert CURVES / 4 < stopped < CURVES


class TestPlateau:
    def test_plateau_is_kerass_on_two_thousand_random_curves(self):
        rng = np.random.default_rng(21)
        dropped = 0
        for _ in range(CURVES):
            case = random_case(rng)
            found = plateau(
                case.values,
                case.factor,
                case.patience,
                learning_rate=0.7,
                min_delta=case.min_delta,
                cooldown=case.cooldown,
                min_lr=case.min_lr,
                mode=case.mode,
            )
            assert found == kerass_drops(case), case
            dropped += bool(found)
        assert CURVES / 4 < dropped < CURVES


class TestRealFit:
    def test_real_fit_stops_keeps_and_drops_where_the_replay_says(self):
        keras.utils.set_random_seed(0)
        rng = np.random.default_rng(0)
        x, noise = rng.normal(size=(48, 4)).astype(np.float32), rng.normal(size=(48, 1)).astype(np.float32)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(0.02), "mse")
        stopping = keras.callbacks.EarlyStopping(patience=6, restore_best_weights=True)
        lowering = keras.callbacks.ReduceLROnPlateau(factor=0.3, patience=3)
        history = model.fit(
            x[:32],
            x[:32, :1] + noise[:32],
            validation_data=(x[32:], x[32:, :1] + noise[32:]),
            epochs=200,
            callbacks=[lowering, stopping],
            verbose=0,
        ).history
        val_loss = np.array(history["val_loss"])
        assert early_stopping(val_loss, 6) == Stop(len(val_loss), stopping.best_epoch + 1)
        drops = plateau(val_loss, 0.3, 3, learning_rate=0.02)
        assert drops
        rates = np.full(len(val_loss), np.float32(0.02), dtype=float)
        for drop in drops:
            rates[drop.epoch :] = drop.after
        assert history["learning_rate"] == rates.tolist()
