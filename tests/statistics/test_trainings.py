"""Effects over trainings agree with their definitions and with SciPy, and never claim more than either of two tests."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from tracker.statistics.trainings import (
    counted_accuracy_interval,
    largest_clip_variance,
    on_other_clips,
    paired_effect,
    training_mean_interval,
    unpaired_effect,
    unpaired_p_value,
)

A = np.array([0.82, 0.85, 0.81, 0.86])
B = np.array([0.71, 0.75, 0.70])


class TestPairedEffect:
    def test_paired_effect_is_students(self) -> None:
        effect, oracle = paired_effect(A - 0.8), scipy.stats.ttest_1samp(A - 0.8, 0.0)
        assert effect is not None
        assert effect.p_value == pytest.approx(oracle.pvalue)
        assert effect.interval == pytest.approx(tuple(oracle.confidence_interval(0.95)))

    @pytest.mark.parametrize("value", [0.0, 1 / 3, 1e-300])
    def test_paired_effect_is_none_if_nothing_varies(self, value: float) -> None:
        assert paired_effect(np.array([0.1, 0.1, 0.1]) + value - 0.1) is None


class TestUnpairedEffect:
    def test_unpaired_effect_is_no_surer_than_welchs_and_students(self) -> None:
        effect = unpaired_effect(A, B)
        assert effect is not None
        assert effect.estimate == pytest.approx(A.mean() - B.mean())
        for equal_var in (True, False):
            oracle = scipy.stats.ttest_ind(A, B, equal_var=equal_var)
            assert effect.p_value >= oracle.pvalue
            low, high = oracle.confidence_interval(0.95)
            assert effect.interval[0] <= low < high <= effect.interval[1]

    def test_unpaired_p_value_is_the_effects(self) -> None:
        for a, b in ((A, B), (B, A), (A[:3], B)):
            effect = unpaired_effect(a, b)
            assert effect is not None
            assert unpaired_p_value(a, b) == effect.p_value
        assert unpaired_p_value(np.ones(3), np.ones(4)) is None

    def test_unpaired_effect_agrees_with_its_interval(self) -> None:
        effect = unpaired_effect(A, B)
        assert effect is not None
        at_the_end = unpaired_effect(A - effect.interval[0], B)
        assert at_the_end is not None
        assert at_the_end.p_value == pytest.approx(0.05, abs=1e-6)

    def test_unpaired_effect_with_one_level_that_never_varies_has_the_others_degrees_of_freedom(self) -> None:
        effect, oracle = unpaired_effect(A, np.full(4, 0.8)), scipy.stats.ttest_1samp(A, 0.8)
        assert effect is not None
        assert effect.p_value == pytest.approx(oracle.pvalue, rel=1e-4)

    def test_unpaired_effect_is_none_if_nothing_varies(self) -> None:
        assert unpaired_effect(np.full(3, 0.8), np.full(3, 0.9)) is None


class TestOnOtherClips:
    def test_on_other_clips_is_surer_with_more_clips_and_never_than_over_trainings_alone(self) -> None:
        effect = paired_effect(A - 0.8)
        assert effect is not None
        few, many = (on_other_clips(effect, largest_clip_variance(0.84, 0.8, n), n) for n in (30, 10**6))
        assert few.p_value > many.p_value >= effect.p_value
        assert few.interval[0] < many.interval[0] <= effect.interval[0]


class TestIntervals:
    def test_mean_interval_is_students(self) -> None:
        oracle = scipy.stats.ttest_1samp(A, 0.0).confidence_interval(0.95)
        assert training_mean_interval(A) == pytest.approx(tuple(oracle))

    def test_counted_accuracy_interval_is_wilsons_if_trainings_agree(self) -> None:
        wilson = scipy.stats.binomtest(80, 100).proportion_ci(method="wilson")
        assert counted_accuracy_interval(np.full(3, 0.8), 100) == pytest.approx((wilson.low, wilson.high), abs=2e-3)

    def test_counted_accuracy_interval_holds_at_the_ends(self) -> None:
        low, high = counted_accuracy_interval(np.ones(3), 100)
        assert 0.9 < low < high == 1.0

    def test_a_sample_of_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least two trainings"):
            training_mean_interval(A[:1])
