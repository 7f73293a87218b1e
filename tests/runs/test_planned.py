from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.runs import (
    Configuration,
    Fold,
    Plateau,
    RunPlan,
    SpecAugment,
    Spectrogram,
    SplitPlan,
    options_set_by,
    plan_of,
)
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
    options=st.floats(0, 0.9).map(lambda dropout: parse_options("cnn", {"dropout": str(dropout)})),
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
        plan = RunPlan(Configuration(options=parse_options("cnn", {})))
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
    @pytest.mark.parametrize("name", ["sr", "n_fft", "hop_length", "n_mels"])
    @pytest.mark.parametrize("value", [-1, 0, 2**21])
    def test_spectrogram_refuses_what_makes_no_image(self, name: str, value: int) -> None:
        with pytest.raises(ValueError, match=f"{name} must be 1 to \\d+, got "):
            Spectrogram(**{name: value})


def usual() -> dict[str, str]:
    return RunPlan(Configuration(options=parse_options("cnn", {}))).params()
