from __future__ import annotations

import numpy as np
import pytest

from tracker.runs import Configuration, SpecAugment
from tracker.training.augment import Augmentation, balanced_weights, masked, with_gain

TARGETS = np.array([0, 1, 1, 1])


def images(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-70, -20, (4, 16, 24, 1)).astype(np.float16)


def applied(seed: int = 0, **options: object) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """A batch of four segments of two classes under some options, its content always the same."""
    augmentation = Augmentation.of(Configuration(**options), TARGETS, 2)
    return augmentation.applied(images(np.random.default_rng(9)), TARGETS, np.random.default_rng(seed))


class TestApplied:
    def test_a_batch_stays_as_it_is_without_options(self) -> None:
        batch, targets, weights = applied()
        assert batch.tobytes() == images(np.random.default_rng(9)).tobytes()
        assert targets is TARGETS
        assert weights is None

    @pytest.mark.parametrize("options", [{"gain": 6.0}, {"spec_augment": SpecAugment(8, 9)}, {"mixup": 0.4}])
    def test_a_batch_is_changed_as_the_generator_draws(self, options: dict[str, object]) -> None:
        first, again, other = (applied(seed, **options)[0] for seed in (0, 0, 1))
        assert first.tobytes() == again.tobytes() != other.tobytes()
        assert first.dtype == np.float16

    def test_mixup_mixes_targets_and_weights_as_it_mixes_segments(self) -> None:
        batch, targets, weights = applied(2, mixup=1.0, class_weights="balanced")
        assert targets.shape == (4, 2)
        np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
        assert ((targets > 0) & (targets < 1)).any()
        assert weights is not None
        np.testing.assert_allclose(weights, targets @ balanced_weights(TARGETS, 2), atol=1e-6)
        before = images(np.random.default_rng(9))
        assert (batch >= before.min(axis=0) - 0.1).all()
        assert (batch <= before.max(axis=0) + 0.1).all()

    def test_label_smoothing_alone_leaves_the_segments_and_says_targets_by_class(self) -> None:
        batch, targets, _ = applied(label_smoothing=0.1)
        assert batch.tobytes() == images(np.random.default_rng(9)).tobytes()
        assert targets.tolist() == np.eye(2)[TARGETS].tolist()


class TestBalancedWeights:
    def test_each_class_counts_the_same_and_a_clip_counts_1_in_the_mean(self) -> None:
        weights = balanced_weights(np.array([0, 0, 0, 1, 3, 3]), 4)
        assert weights.tolist() == pytest.approx([2 / 3, 2, 0, 1])
        assert weights[[0, 0, 0, 1, 3, 3]].mean() == pytest.approx(1)


class TestWithGain:
    def test_each_segment_is_moved_as_a_whole_within_the_range_of_an_image(self) -> None:
        before = np.linspace(-80, 0, 4 * 16 * 24).reshape(4, 16, 24, 1)
        after = with_gain(before, 6.0, np.random.default_rng(0))
        assert after.min() >= -80
        assert after.max() <= 0
        inside = (after > -80) & (after < 0)
        spans = [np.ptp((after - before)[i][inside[i]]) for i in range(4)]
        assert max(spans) < 1e-9
        assert 0 < np.abs(after - before).max() <= 6


class TestMasked:
    def test_a_stretch_of_bands_and_one_of_frames_is_at_the_mean(self) -> None:
        before = images(np.random.default_rng(0)).astype(np.float64)
        widest = np.zeros(2, dtype=int)
        for seed in range(60):
            after = masked(before, SpecAugment(3, 5), np.random.default_rng(seed))
            changed = (after != before)[..., 0]
            assert np.unique(after[0][changed[0]]).size <= 1
            bands, frames = changed.all(axis=2).sum(axis=1), changed.all(axis=1).sum(axis=1)
            widest = np.maximum(widest, [bands.max(), frames.max()])
            assert changed.sum() == (bands * 24 + frames * 16 - bands * frames).sum()
        assert widest.tolist() == [3, 5]

    def test_a_width_of_0_masks_nothing_and_one_beyond_the_image_at_most_all_of_it(self) -> None:
        before = images(np.random.default_rng(0))
        assert masked(before, SpecAugment(0, 0), np.random.default_rng(0)).tobytes() == before.tobytes()
        assert np.isfinite(masked(before, SpecAugment(99, 999), np.random.default_rng(0))).all()
