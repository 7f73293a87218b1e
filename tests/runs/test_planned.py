from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from librosa.filters import mel

from tracker.runs import (
    LOGGED_OPTIONS,
    Configuration,
    DataPlan,
    Fold,
    OfNetwork,
    Plateau,
    Range,
    RunPlan,
    SpecAugment,
    Spectrogram,
    SplitPlan,
    key_of_test_clips,
    options_set_by,
    plan_of,
    plan_with,
)
from tracker.runs.options import options_of
from tracker.runs.planned import most_bands
from tracker.training.networks import parse_options

fixed = settings(derandomize=True, deadline=None, max_examples=60)

configurations = st.builds(
    Configuration,
    kernel_size=st.integers(1, 31),
    learning_rate=st.floats(1e-9, 10),
    plateau=st.none() | st.builds(Plateau, st.floats(0.001, 0.999), st.integers(1, 50)),
    early_stopping_patience=st.none() | st.integers(1, 99),
    epochs=st.integers(1, 10_000),
    batch_size=st.integers(1, 512),
    keep=st.sampled_from(["best", "last"]),
    segment_s=st.floats(0.01, 60),
    optimizer=st.sampled_from(["adam", "adamw", "sgd"]),
    weight_decay=st.none() | st.floats(1e-9, 0.9),
    monitor=st.sampled_from(["val_loss", "val_accuracy"]),
    class_weights=st.none() | st.just("balanced"),
    spec_augment=st.none() | st.builds(SpecAugment, st.integers(0, 99), st.integers(0, 99)),
    keras_backend=st.sampled_from(["tensorflow", "jax", "torch"]),
    options=st.floats(0, 0.9).map(lambda dropout: parse_options("cnn", {"dropout": str(dropout)}).options),
)
splits = st.builds(
    SplitPlan,
    st.integers(0, 2**31),
    st.floats(0.01, 0.5),
    st.floats(0, 0.4),
    st.none() | st.integers(2, 9).flatmap(lambda count: st.builds(Fold, st.integers(1, count), st.just(count))),
)


class TestPlanOf:
    @fixed
    @given(st.builds(RunPlan, configurations, st.integers(0, 2**31), splits))
    def test_plan_of_reads_back_every_plan_from_its_params(self, plan: RunPlan) -> None:
        assert plan_of(plan.params(), parse_options) == plan

    def test_runs_from_before_an_implied_option_have_its_default_and_the_same_params(self) -> None:
        plan = RunPlan(Configuration(options=parse_options("cnn", {}).options))
        assert not {"keras_backend", "optimizer", "monitor", "mixup"} & plan.params().keys()
        assert plan_of(plan.params(), parse_options).configuration.keras_backend == "tensorflow"

    def test_plan_of_names_a_param_that_is_missing(self) -> None:
        params = usual()
        del params["epochs"]
        with pytest.raises(ValueError, match="the param epochs is missing"):
            plan_of(params, parse_options)

    def test_plan_of_names_a_param_that_is_no_number(self) -> None:
        with pytest.raises(ValueError, match="the param seed cannot be read, got 'zero'"):
            plan_of(usual() | {"seed": "zero"}, parse_options)

    def test_plan_of_refuses_an_option_that_the_network_no_longer_has(self) -> None:
        with pytest.raises(ValueError, match="the model cnn has no option 'depth'"):
            plan_of(usual() | {"depth": "3"}, parse_options)

    def test_plan_of_refuses_params_that_lack_an_option_that_the_network_has_now(self) -> None:
        params = usual()
        del params["dropout"]
        with pytest.raises(ValueError, match=r"the param dropout would be [\d.]+ now, got none"):
            plan_of(params, parse_options)


class TestConfiguration:
    def test_a_schedule_and_a_plateau_are_refused_together(self) -> None:
        with pytest.raises(ValueError, match="give --schedule or --plateau, not both"):
            Configuration(schedule="cosine", plateau=Plateau(0.3, 10))


class TestOptionsSetBy:
    def test_a_variable_sets_the_backend_of_keras(self) -> None:
        assert options_set_by({"KERAS_BACKEND": "jax", "HOME": "/"}) == {"keras_backend": "jax"}
        assert options_set_by({"KERAS_BACKEND": ""}) == {}

    def test_an_error_names_the_variable(self) -> None:
        with pytest.raises(ValueError, match=r"^KERAS_BACKEND: --keras-backend must be tensorflow, jax or torch, got"):
            options_set_by({"KERAS_BACKEND": "openvino"})


class TestSpectrogram:
    @pytest.mark.parametrize("name", ["sr", "n_fft", "hop_length", "n_mels", "n_mfcc"])
    @pytest.mark.parametrize("value", [-1, 0, 2**21])
    def test_spectrogram_refuses_what_makes_no_image(self, name: str, value: int) -> None:
        with pytest.raises(ValueError, match=f"{LOGGED_OPTIONS[name].the_quantity} must be [\\d,]+ to [\\d,]+, got "):
            Spectrogram(**{name: value})

    @pytest.mark.parametrize(
        ("settings", "problem"),
        [
            ({"features": "mel"}, "--features must be one of logmel, mfcc, cqt, got 'mel'"),
            ({"hop_length": 2_049}, "--hop 2049 skips sound between windows of --n-fft 2048: at most 2048"),
            ({"n_mels": 618}, "--n-mels 618 leaves bands without any frequency of --n-fft 2048 at --sr 22050: at most"),
            ({"features": "mfcc", "n_mels": 16}, "--n-mfcc must be at most --n-mels 16, got 20"),
            ({"n_mfcc": 13}, "--n-mfcc 13 changes nothing with --features logmel: leave it out"),
            ({"features": "cqt", "n_mels": 64}, "--n-mels 64 changes nothing with --features cqt: leave it out"),
            ({"features": "cqt", "sr": 8_000}, "--features cqt needs a --sr of at least 8400, as its bands go up to"),
        ],
    )
    def test_settings_that_do_not_go_together_are_refused(self, settings: dict[str, Any], problem: str) -> None:
        with pytest.raises(ValueError, match=problem):
            Spectrogram(**settings)

    @pytest.mark.parametrize(("sr", "n_fft"), [(8_000, 128), (16_000, 512), (22_050, 1_024), (44_100, 2_048)])
    def test_as_many_bands_are_allowed_as_librosa_finds_a_frequency_for(self, sr: int, n_fft: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            filters = [mel(sr=sr, n_fft=n_fft, n_mels=most_bands(sr, n_fft) + more) for more in (0, 1)]
        assert [bool((of_bands.max(axis=1) == 0).any()) for of_bands in filters] == [False, True]

    def test_runs_from_before_there_were_kinds_have_log_mel_images(self) -> None:
        assert "features" not in usual()
        assert plan_of(usual(), parse_options).spectrogram == Spectrogram()

    def test_settings_are_read_back_and_name_the_run(self) -> None:
        plan = plan_with({"features": "mfcc", "n_mels": 64, "sr": 16_000}, parse_options("cnn", {}))
        assert plan.params().items() >= {"features": "mfcc", "n_mels": "64", "sr": "16000"}.items()
        assert plan_of(plan.params(), parse_options) == plan
        assert plan.run_name(parse_options("cnn", {}).options) == "k3-lr0.001-mfcc-sr16000-mel64-s0"

    def test_every_option_that_is_not_text_names_the_run(self) -> None:
        values = {"epochs": 5, "batch_size": 8, "keep": "last", "segment_s": 0.5, "split_seed": 1, "test_fraction": 0.1}
        plan = plan_with({**values, "validation_fraction": 0.3})
        assert plan.run_name() == "k3-lr0.001-epochs5-batch8-last-seg0.5-split1-val0.3-test0.1-s0"
        nameless = [entry.name for entry in LOGGED_OPTIONS.values() if not entry.name_format]
        assert nameless == [entry.name for entry in options_of(DataPlan)]

    def test_a_switch_of_a_network_that_is_on_names_the_run_by_its_name_alone(self) -> None:
        network = parse_options("musicnn", {"fine_tune": "true"})
        plan = plan_with({"model": "musicnn"}, network)
        assert plan.run_name(parse_options("musicnn", {}).options) == "musicnn-lr0.001-fine_tune-s0"

    def test_a_network_brings_features_that_its_name_implies(self) -> None:
        network = parse_options("musicnn", {})
        plan = plan_with({"model": "musicnn"}, network)
        assert plan.params().items() >= {"features": "musicnn", "sr": "16000", "hop_length": "256"}.items()
        assert plan_of(plan.params(), parse_options) == plan
        assert plan.run_name(network.options) == "musicnn-lr0.001-s0"
        with pytest.raises(ValueError, match="musicnn"):
            plan_with({"model": "musicnn", "n_mels": 64}, network)

    def test_random_gain_is_refused_for_images_that_are_not_in_decibels(self) -> None:
        with pytest.raises(ValueError, match="--gain adds decibels to images, and MFCC images are of another unit"):
            plan_with({"features": "mfcc", "gain": 6.0})


class TestFeaturesOfANetwork:
    NEEDS = OfNetwork(features=(("sr", 16_000), ("n_mels", 96)))

    def test_what_a_network_needs_takes_the_place_of_the_defaults(self) -> None:
        assert plan_with({"hop_length": 256}, self.NEEDS).spectrogram == Spectrogram(
            sr=16_000, n_mels=96, hop_length=256
        )

    def test_other_features_are_refused(self) -> None:
        with pytest.raises(ValueError, match="the model cnn needs --sr 16000, got 44100; leave out --sr, or take"):
            plan_with({"sr": 44_100}, self.NEEDS)


def test_a_kernel_size_that_a_network_does_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match="--kernel must be 5 to 9 for the model cnn, got 11"):
        plan_with({"kernel_size": 11}, OfNetwork(kernel_sizes=Range(least=5, most=9)))


def test_a_network_without_kernels_has_no_kernel_size_in_params_and_name() -> None:
    plan = plan_with({"model": "linear", "kernel_size": 3}, parse_options("linear", {}))
    params = plan.params()
    assert "kernel_size" not in params
    assert plan_of(params, parse_options) == plan
    assert plan.run_name() == "linear-lr0.001-s0"
    older = params | {"kernel_size": "3"}
    assert plan_of(older, parse_options).params() == older


def usual() -> dict[str, str]:
    return RunPlan(Configuration(options=parse_options("cnn", {}).options)).params()


class TestTestClipsKey:
    """Of runs on one data set, with a split each."""

    @staticmethod
    def key(split: str, **options: Any) -> tuple[object, ...]:
        return key_of_test_clips({"tracker.dataset": "d", "tracker.split": split}, plan_with(options).params())

    def test_folds_of_a_division_have_the_same_test_clips(self):
        one, two = self.key("a", fold=Fold(1, 5)), self.key("b", fold=Fold(2, 5))
        assert one == two != self.key("c", fold=Fold(2, 4))
        assert one != self.key("d", fold=Fold(1, 5), split_seed=1)

    def test_other_splits_have_the_same_if_they_are_the_same(self):
        assert self.key("a") == self.key("a") != self.key("b")
        assert key_of_test_clips({}, {}) == (None, None)
