"""A training that is killed and goes on comes to the same as one that is not, bit by bit."""

from __future__ import annotations

import math
import os
import random
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from tests.lazy import Lazy
from tests.processes import Forked
from tests.training.sets import (
    DEFAULT_NETWORK,
    FRAMES,
    data,
    misleading,
    part,
    plan,
    untrained,
    watchful,
    without_clock,
)
from tracker.errors import TrainingError
from tracker.replay import early_stopping
from tracker.runs import Plateau, RunPlan, SpecAugment
from tracker.training.batches import LabelledImages, TrainingData, random_segments
from tracker.training.checkpoint import Checkpoint, CheckpointFolder, finished_epochs
from tracker.training.result import Epoch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from tracker.training.result import TrainingResult

keras = Lazy("tracker.training.backend", "keras")
check_finite = Lazy("tracker.training.callbacks", "check_finite")
train = Lazy("tracker.training.fit", "train")

in_keras_group = pytest.mark.xdist_group("keras")


class KilledError(Exception):
    """Stands in for a kill: nothing of the training's own catches it."""


class Outcome(NamedTuple):
    """What a training ends with, while its network goes on to be trained by others."""

    result: TrainingResult
    weights: list[NDArray[np.float32]]


def whole(asked: RunPlan, given: TrainingData, **options: object) -> tuple[Outcome, list[Epoch]]:
    """Return the outcome of training in one go, and the epochs told of."""
    epochs: list[Epoch] = []
    if "built" not in options:
        options["built"] = untrained(asked)
    result = train(asked, given, on_epoch=epochs.append, **options)
    return Outcome(result, result.model.get_weights()), epochs


def killed(asked: RunPlan, given: TrainingData, folder: Path, *, batches: int, **options: object) -> list[Epoch]:
    """Train until so many batches are done, and return the epochs told of."""
    epochs: list[Epoch] = []
    left = iter(range(batches))

    def on_batch(done: int, total: int) -> None:
        if next(left, None) is None:
            raise KilledError

    built = untrained(asked)
    with pytest.raises(KilledError):
        train(asked, given, on_epoch=epochs.append, on_batch=on_batch, checkpoints=folder, built=built, **options)
    return epochs


def train_until_killed(keep: str, folder: Path, batches: int) -> None:
    """Train, print the epochs that finish, and kill this process once so many batches are done."""
    left = iter(range(batches))

    def on_batch(done: int, total: int) -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_epoch(epoch: Epoch) -> None:
        print(epoch.number, flush=True)  # noqa: T201

    train(watchful(keep), misleading(), on_epoch=on_epoch, on_batch=on_batch, checkpoints=folder)


def assert_same(outcome: Outcome, expected: Outcome) -> None:
    result, other = outcome.result, expected.result
    np.testing.assert_equal(result.metrics, other.metrics)
    assert result.kept_epoch == other.kept_epoch
    np.testing.assert_array_equal(result.validation.probabilities, other.validation.probabilities)
    np.testing.assert_array_equal(
        result.validation_by_epoch.probabilities, other.validation_by_epoch.probabilities, strict=True
    )
    for weights, others in zip(outcome.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(weights, others, strict=True)


def assert_same_epochs(epochs: list[Epoch], expected: list[Epoch]) -> None:
    assert [epoch.number for epoch in epochs] == [epoch.number for epoch in expected]
    np.testing.assert_equal(without_clock(epochs), without_clock(expected))


def assert_same_state(state: Checkpoint | None, expected: Checkpoint | None) -> None:
    assert state
    assert expected
    assert (state.counters, state.ended) == (expected.counters, expected.ended)
    assert_same_epochs([*state.history.epochs], [*expected.history.epochs])
    for arrays, others in ((state.model, expected.model), (state.optimizer, expected.optimizer)):
        for array, other in zip(arrays, others, strict=True):
            np.testing.assert_array_equal(array, other, strict=True)


def counting(counters: dict[str, object]) -> Callable[[Checkpoint], dict[str, object]]:
    """Return what replaces that early stopping has counted in a checkpoint."""
    return lambda one: {"counters": one.counters | {"EarlyStopping": counters}}


@pytest.fixture(scope="module", params=["best", "last"])
def uninterrupted(request):
    """A plan with its outcome and its epochs; its rate drops, and it stops before its limit and after its best."""
    asked = watchful(request.param)
    outcome, epochs = whole(asked, misleading(), built=None)
    assert outcome.result.metrics["best_epoch"] < outcome.result.metrics["stop_epoch"] < 40
    assert len({epoch.metrics["learning_rate"] for epoch in epochs}) > 1
    return asked, outcome, epochs


@in_keras_group
class TestTrainThatWasKilled:
    @pytest.mark.parametrize("uninterrupted", ["best"], indirect=True)
    def test_train_that_was_killed_comes_to_the_same_if_killed_amid_every_epoch(self, uninterrupted, tmp_path):
        asked, expected, expected_epochs = uninterrupted
        told = killed(asked, misleading(), tmp_path, batches=1)
        assert told == []
        while len(told) < len(expected_epochs) - 1:
            told += killed(asked, misleading(), tmp_path, batches=3 + 1)  # an epoch has three
        outcome, last = whole(asked, misleading(), checkpoints=tmp_path)
        assert_same_epochs(told + last, expected_epochs)
        assert_same(outcome, expected)

    def test_train_that_was_killed_comes_to_the_same_if_killed_once_with_the_best_epoch_to_come(self, tmp_path):
        asked = watchful(plateau=Plateau(0.5, 1), epochs=5, seed=2, learning_rate=0.05)
        expected, expected_epochs = whole(asked, data())
        told = killed(asked, data(), tmp_path, batches=3 * 3 + 2)
        assert len(told) == 3
        outcome, last = whole(asked, data(), checkpoints=tmp_path)
        assert_same_epochs(told + last, expected_epochs)
        assert_same(outcome, expected)

    def test_train_that_was_killed_comes_to_the_same_with_every_option_of_training_on(self, tmp_path):
        asked = watchful(
            plateau=None,
            schedule="cosine",
            optimizer="sgd",
            weight_decay=0.01,
            mixup=0.4,
            label_smoothing=0.1,
            class_weights="balanced",
            spec_augment=SpecAugment(4, 4),
            gain=3.0,
            monitor="val_accuracy",
            min_delta=0.001,
            early_stopping_patience=3,
            epochs=4,
        )
        expected, expected_epochs = whole(asked, data())
        told = killed(asked, data(), tmp_path, batches=2 * 3 + 2)
        assert len(told) == 2
        outcome, last = whole(asked, data(), checkpoints=tmp_path)
        assert_same_epochs(told + last, expected_epochs)
        assert_same(outcome, expected)
        assert [round(epoch.metrics["learning_rate"], 6) for epoch in expected_epochs] == [
            0.02,
            0.017071,
            0.01,
            0.002929,
        ]

    @pytest.mark.parametrize("limit", [40, 4])
    def test_train_that_was_killed_only_tells_the_outcome_if_it_was_killed_after_its_last_epoch(self, tmp_path, limit):
        expected, epochs = whole(watchful(epochs=limit), misleading(), checkpoints=tmp_path)
        assert len(epochs) <= limit
        outcome, told = whole(watchful(epochs=limit), misleading(), checkpoints=tmp_path)
        assert told == []
        assert_same(outcome, expected)

    @pytest.mark.parametrize("uninterrupted", ["best"], indirect=True)
    def test_train_that_was_killed_goes_on_after_an_interrupt_that_told_an_outcome(self, uninterrupted, tmp_path):
        asked, expected, expected_epochs = uninterrupted

        def interrupt(epoch: Epoch) -> None:
            if epoch.number == 2:
                raise KeyboardInterrupt

        first = train(asked, misleading(), on_epoch=interrupt, checkpoints=tmp_path, built=untrained(asked))
        assert first.interrupted
        outcome, told = whole(asked, misleading(), checkpoints=tmp_path)
        assert not outcome.result.interrupted
        assert_same_epochs(told, expected_epochs[2:])
        assert_same(outcome, expected)

    @pytest.mark.parametrize("uninterrupted", ["best"], indirect=True)
    @pytest.mark.parametrize(("damaged", "left"), [(1, 2), (2, 0)])
    def test_train_that_was_killed_trains_the_epochs_again_whose_checkpoints_are_damaged(
        self, uninterrupted, tmp_path, damaged, left
    ):
        asked, expected, expected_epochs = uninterrupted
        assert len(killed(asked, misleading(), tmp_path, batches=3 * 3 + 1)) == 3
        for path in sorted(tmp_path.glob("epoch-*.npz"))[-damaged:]:
            path.write_bytes(b"damaged")
        outcome, told = whole(asked, misleading(), checkpoints=tmp_path)
        assert_same_epochs(told, expected_epochs[left:])
        assert_same(outcome, expected)

    @pytest.mark.parametrize("uninterrupted", ["best"], indirect=True)
    def test_train_that_was_killed_has_the_same_iteration_rate_moments_and_counters_as_if_it_was_not(
        self, uninterrupted, tmp_path
    ):
        asked, _, expected_epochs = uninterrupted
        for batches in (3 * 2 + 1, 3 * 3 + 1):
            killed(asked, misleading(), tmp_path / "killed", batches=batches)
        for limit in (6, len(expected_epochs)):
            shorter = watchful(epochs=limit)
            one, other = (tmp_path / name for name in ("whole", "killed"))
            whole(shorter, misleading(), checkpoints=one)
            whole(shorter, misleading(), checkpoints=other)
            assert_same_state(CheckpointFolder(other).load(), CheckpointFolder(one).load())


@in_keras_group
class TestARealKill:
    @pytest.mark.parametrize("uninterrupted", ["last"], indirect=True)
    def test_a_real_kill_amid_an_epoch_is_resumed_in_another_process_to_the_same_end(self, uninterrupted, tmp_path):
        asked, expected, expected_epochs = uninterrupted
        with Forked(train_until_killed, asked.configuration.keep, tmp_path, 10) as process:
            out, _ = process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert out.split() == ["1", "2", "3"]
        assert_same_epochs([*finished_epochs(tmp_path)], expected_epochs[:3])
        outcome, told = whole(asked, misleading(), checkpoints=tmp_path, built=None)
        assert_same_epochs(told, expected_epochs[3:])
        assert_same(outcome, expected)


@in_keras_group
class TestTrainWithCheckpoints:
    @pytest.mark.parametrize("uninterrupted", ["best"], indirect=True)
    def test_train_with_checkpoints_comes_to_the_same_as_without(self, uninterrupted, tmp_path):
        asked, expected, expected_epochs = uninterrupted
        outcome, told = whole(asked, misleading(), checkpoints=tmp_path, built=None)
        assert_same_epochs(told, expected_epochs)
        assert_same(outcome, expected)

    def test_train_with_checkpoints_tells_of_an_epoch_once_its_checkpoint_is_safe(self, tmp_path):
        told: list[Epoch] = []

        def on_epoch(epoch: Epoch) -> None:
            told.append(epoch)
            assert finished_epochs(tmp_path) == (*told,)

        train(plan(), data(), on_epoch=on_epoch, checkpoints=tmp_path, built=untrained(plan()))
        assert len(told) == 3

    def test_train_with_checkpoints_ends_with_the_reason_where_a_checkpoint_cannot_be_saved(self, tmp_path):
        (tmp_path / "probabilities.bin").mkdir()
        told: list[Epoch] = []
        with pytest.raises(
            TrainingError, match=r"the checkpoint of epoch 1 cannot be saved in .*: Is a directory; free"
        ):
            train(plan(), data(), on_epoch=told.append, checkpoints=tmp_path, built=untrained(plan()))
        assert told == []

    def test_train_with_checkpoints_does_not_start_where_checkpoints_cannot_be_read(self, tmp_path):
        (tmp_path / "file").touch()
        started: list[bool] = []
        with pytest.raises(TrainingError, match=r"cannot be read \(Not a directory\)"):
            train(
                plan(),
                data(),
                on_start=lambda: started.append(True),
                on_epoch=lambda _: None,
                checkpoints=tmp_path / "file",
            )
        assert not started

    def test_train_with_checkpoints_draws_on_no_random_state_that_is_not_saved(self, tmp_path):
        states = []

        def on_epoch(epoch: Epoch) -> None:
            states.append((random.getstate(), repr(np.random.get_state())))  # noqa: NPY002

        train(plan(), data(), on_epoch=on_epoch, checkpoints=tmp_path, built=untrained(plan()))
        assert states[0] == states[1] == states[2]


@pytest.fixture(scope="module")
def one_epoch(tmp_path_factory):
    """The checkpoints of a training of one epoch."""
    folder = tmp_path_factory.mktemp("one epoch")
    train(plan(epochs=1), data(), on_epoch=lambda _: None, checkpoints=folder, built=untrained(plan()))
    return folder


@pytest.fixture(scope="module")
def last_checkpoint(tmp_path_factory):
    """The last checkpoint of a training that stopped early."""
    folder = tmp_path_factory.mktemp("watchful")
    train(watchful(), misleading(), on_epoch=lambda _: None, checkpoints=folder, built=untrained(watchful()))
    return CheckpointFolder(folder).load()


@in_keras_group
class TestResume:
    @pytest.mark.parametrize(
        ("asked", "difference"),
        [
            (plan(options=(("dropout", 0.3), ("width", 3))), r"the shape of conv2d/kernel is \(3, 3, 1, 3\) now, but"),
            (
                plan(options=(("dropout", 0.0), ("width", 4))),
                r"the number of the network's variables is 7 now, but 8",
            ),
            (
                watchful(),
                r"the list of callbacks is \['ReduceLROnPlateau', 'EarlyStopping'\] now, but \[\] in the checkpoint",
            ),
        ],
    )
    def test_resume_refuses_the_checkpoint_of_another_network(self, one_epoch, asked, difference):
        started: list[bool] = []
        with pytest.raises(TrainingError, match=difference) as caught:
            train(asked, data(), on_start=lambda: started.append(True), on_epoch=lambda _: None, checkpoints=one_epoch)
        assert str(caught.value).endswith("resume with the options and data that the run was started with")
        assert not started

    def test_resume_refuses_the_checkpoint_of_other_clips(self, one_epoch):
        fewer = TrainingData(data().training, part("mnop", 1), data().classes)
        with pytest.raises(
            TrainingError, match=r"number of validation clips and classes is \(4, 2\) now, but \(8, 2\)"
        ):
            train(plan(), fewer, on_epoch=lambda _: None, checkpoints=one_epoch, built=untrained(plan()))

    @pytest.mark.parametrize(
        ("changes", "difference"),
        [
            (counting({"__class__": 1}), "the list of what EarlyStopping counts is"),
            (counting({"best": 0.5, "wait": None, "best_epoch": 1, "stopped_epoch": 0}), "wait of EarlyStopping must"),
            (lambda one: {"history": replace(one.history, epochs=(Epoch(1, {"val_loss": 1.0}),))}, "list of metrics"),
            (lambda one: {"history": replace(one.history, weights=one.history.weights[:1])}, "of the kept network"),
            (lambda one: {"model": tuple(array.astype("<f8") for array in one.model)}, "type of .* now, but float64"),
            (lambda _one: {"optimizer": ()}, "the number of the optimizer's variables"),
        ],
        ids=["attributes", "counts", "metrics", "weights", "types", "optimizer"],
    )  # fmt: skip
    def test_resume_refuses_a_checkpoint_that_no_training_has_saved(
        self, last_checkpoint, tmp_path, changes, difference
    ):
        before = last_checkpoint
        assert before
        history = before.history  # save wants all epochs one by one
        for n in range(1, len(history.epochs)):
            shorter = replace(history, epochs=history.epochs[:n], probabilities=history.probabilities[:n])
            CheckpointFolder(tmp_path).save(replace(before, history=shorter))
        CheckpointFolder(tmp_path).save(replace(before, **changes(before)))
        with pytest.raises(TrainingError, match=difference) as caught:
            train(watchful(), misleading(), on_epoch=lambda _: None, checkpoints=tmp_path, built=untrained(watchful()))
        assert "\n" not in str(caught.value)

    def test_resume_puts_back_variables_of_two_bytes(self, tmp_path):
        before = keras.config.dtype_policy()
        try:
            keras.config.set_dtype_policy("bfloat16")
            expected, _ = whole(plan(epochs=1), data(), checkpoints=tmp_path, built=None)
            outcome, told = whole(plan(epochs=1), data(), checkpoints=tmp_path, built=None)
        finally:
            keras.config.set_dtype_policy(before)
        assert told == []
        assert_same(outcome, expected)


@in_keras_group
class TestCounted:
    @pytest.mark.parametrize("callback", ["ReduceLROnPlateau", "EarlyStopping"])
    def test_counted_is_all_that_a_callback_of_keras_changes_while_it_listens(self, callback):
        from tracker.training.callbacks import COUNTED

        kind = getattr(keras.callbacks, callback)
        listener = kind(patience=2)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(loss="mse")
        listener.set_model(model)
        listener.on_train_begin()
        listener.on_epoch_end(0, {"val_loss": 1.0})  # it finds out once which way is better
        states = []
        for epoch, loss in enumerate((0.9, 0.8, 1.0, 1.0, 1.0), start=1):
            listener.on_epoch_end(epoch, {"val_loss": loss})
            states.append(dict(vars(listener)))
        changing = {name for name in states[0] if any(state[name] != states[0][name] for state in states)}
        assert changing
        assert changing <= {*COUNTED[kind]}


def poisoned() -> TrainingData:
    """Data with a NaN that no segment drawn in the first two epochs holds, but one of the third does."""
    given = data()
    images = [np.tile(image, 40) for image in given.training.images]
    drawn = [random_segments(images, FRAMES, np.random.default_rng([0, epoch])) for epoch in (1, 2, 3)]
    spared, hit = (
        {(c, s + i) for some in part for c, s in zip(some.clips, some.starts, strict=True) for i in range(FRAMES)}
        for part in (drawn[:2], drawn[2:])
    )
    clip, frame = min((c, f) for c, f in hit - spared if f < images[c].shape[1])
    images[clip][:, frame] = np.nan
    return TrainingData(
        LabelledImages(given.training.clips, given.training.labels, images), given.validation, given.classes
    )


@in_keras_group
class TestTrainThatKeepsGoing:
    def test_train_that_keeps_going_ends_at_the_first_loss_that_is_no_number_unless_asked_to(self):
        epochs: list[Epoch] = []
        with pytest.raises(TrainingError, match=r"training diverged: loss became nan in epoch 3"):
            train(plan(epochs=5), poisoned(), on_epoch=epochs.append, built=untrained(plan()))
        assert len(epochs) == 2

    @pytest.mark.parametrize("keep", ["best", "last"])
    def test_train_that_keeps_going_keeps_an_epoch_whose_loss_is_a_number(self, keep):
        outcome, epochs = whole(plan(epochs=5, keep=keep), poisoned(), keep_going=True)
        assert [math.isnan(epoch.metrics["loss"]) for epoch in epochs] == [False, False, True, True, True]
        for name in ("val_loss", "val_accuracy"):
            assert [math.isnan(epoch.metrics[name]) for epoch in epochs] == [False, False, True, True, True]
        result = outcome.result
        assert result.metrics["best_epoch"] in (1, 2)
        assert result.metrics["stop_epoch"] == 5
        assert math.isnan(result.metrics["last_val_loss"])
        assert result.kept_epoch == (2 if keep == "last" else result.metrics["best_epoch"])
        assert np.isfinite(result.validation.probabilities).all()
        assert all(np.isfinite(weights).all() for weights in outcome.weights)
        assert math.isfinite(result.metrics["fit_accuracy"])

    def test_train_that_keeps_going_comes_to_the_same_if_killed_meanwhile(self, tmp_path):
        asked = plan(epochs=9, early_stopping_patience=4, plateau=Plateau(0.5, 2))
        expected, expected_epochs = whole(asked, poisoned(), keep_going=True)
        assert 5 <= len(expected_epochs) < 9
        told = killed(asked, poisoned(), tmp_path, batches=13, keep_going=True)
        assert len(told) == 4
        outcome, last = whole(asked, poisoned(), checkpoints=tmp_path, keep_going=True)
        assert_same_epochs(told + last, expected_epochs)
        assert_same(outcome, expected)

    def test_train_that_keeps_going_says_that_there_is_nothing_to_keep_where_no_loss_is_a_number(self, tmp_path):
        asked = plan(**DEFAULT_NETWORK, epochs=9, learning_rate=1e30, early_stopping_patience=2)
        for told_now in (early_stopping(np.full(9, math.nan), 2).stop_epoch, 0):
            epochs: list[Epoch] = []
            built = untrained(asked)
            with pytest.raises(TrainingError, match=r"diverged: val_loss was not finite in any epoch; try a lower"):
                train(asked, data(), on_epoch=epochs.append, keep_going=True, checkpoints=tmp_path, built=built)
            assert len(epochs) == told_now
        assert len(finished_epochs(tmp_path)) == 3

    def test_train_that_keeps_going_passes_an_interrupt_on_where_there_is_nothing_to_keep(self):
        def interrupt(epoch: Epoch) -> None:
            raise KeyboardInterrupt

        asked = plan(**DEFAULT_NETWORK, learning_rate=1e30)
        with pytest.raises(KeyboardInterrupt):
            train(asked, data(), on_epoch=interrupt, keep_going=True, built=untrained(asked))


@in_keras_group
class TestCheckFinite:
    @pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
    def test_check_finite_refuses_what_is_no_finite_number_with_its_epoch(self, loss: float) -> None:
        with pytest.raises(TrainingError, match=f"training diverged: val_loss became {loss} in epoch 3; try a lower"):
            check_finite("val_loss", loss, 2)

    def test_check_finite_lets_a_number_pass(self) -> None:
        check_finite("loss", 1e300, 0)
