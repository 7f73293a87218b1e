from __future__ import annotations

import numpy as np
import pytest

from tests.lazy import Lazy
from tracker.statistics.calibration import calibration_error, confidence_bins
from tracker.statistics.proportions import wilson

calibration_curve = Lazy("sklearn.calibration", "calibration_curve")


def drawn(n: int, sharper: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Confidence and correctness of a classifier whose log-odds are `sharper` times those that are true."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(1.5, 1.2, n)
    return 1 / (1 + np.exp(-sharper * log_odds)), rng.random(n) < 1 / (1 + np.exp(-log_odds))


class TestConfidenceBins:
    def test_confidence_bins_are_scikit_learns_quantile_bins(self) -> None:
        confidence, correct = drawn(150, 1.5, seed=1)
        bins = confidence_bins(confidence, correct)
        accuracy, mean = calibration_curve(correct, confidence, n_bins=10, strategy="quantile")
        assert [one.accuracy for one in bins] == pytest.approx(accuracy)
        assert [one.confidence for one in bins] == pytest.approx(mean)

    def test_confidence_bins_have_wilsons_interval(self) -> None:
        first, *_ = confidence_bins(*drawn(150, 1.5, seed=1))
        assert first.interval == wilson(first.correct, 15)

    def test_confidence_bins_keep_equal_confidences_together(self) -> None:
        bins = confidence_bins(np.array([0.9] * 40 + [0.6] * 20), np.ones(60, dtype=bool))
        assert [(one.lowest, one.highest, one.n) for one in bins] == [(0.6, 0.6, 20), (0.9, 0.9, 40)]

    def test_confidence_bins_need_a_number_for_each_clip(self) -> None:
        with pytest.raises(ValueError, match="a finite confidence for each clip"):
            confidence_bins(np.array([0.5, np.nan]), np.array([True, False]))


class TestCalibrationError:
    def test_calibration_error_is_the_weighted_mean_over_bins(self) -> None:
        confidence, correct = drawn(100, 1.5, seed=2)
        bins = confidence_bins(confidence, correct)
        expected = sum(one.n * abs(one.confidence - one.accuracy) for one in bins) / 100
        assert calibration_error(confidence, correct, seed=0).estimate == pytest.approx(expected)

    def test_calibration_error_is_the_same_under_one_seed(self) -> None:
        answers = drawn(60, 1.5, seed=3)
        assert calibration_error(*answers, seed=4) == calibration_error(*answers, seed=4)

    def test_calibration_error_of_a_constant_is_that_of_one_bin(self) -> None:
        error = calibration_error(np.full(40, 0.9), np.arange(40) < 20, seed=0)
        assert (error.estimate, error.gap) == pytest.approx((0.4, 0.4))
        assert error.interval[0] > 0.2

    @pytest.mark.parametrize("sharper", [1, 1.3, 2])
    @pytest.mark.parametrize(("n", "size"), [(30, 1), (300, 1), (100, 5)])
    def test_calibration_error_covers_the_true_one(self, sharper: float, n: int, size: int) -> None:
        """Simulated: the interval holds the true error of about 95% of classifiers, of calibrated ones 0."""
        confidence = drawn(200_000, sharper, seed=0)[0]
        log_odds = np.log(confidence / (1 - confidence)) / sharper
        truth = np.abs(confidence - 1 / (1 + np.exp(-log_odds))).mean()
        covered = 0
        for seed in range(60):
            groups = None if size == 1 else [clip // size for clip in range(n)]
            error = calibration_error(*drawn(n, sharper, seed), seed, groups, resamples=199)
            covered += error.interval[0] <= truth <= error.interval[1]
        assert covered >= 53

    def test_overconfidence_is_found(self) -> None:
        error = calibration_error(*drawn(300, 2, seed=5), seed=0)
        assert error.gap_interval[0] > 0
        assert error.interval[0] > 0
        assert error.by_chance < error.estimate
