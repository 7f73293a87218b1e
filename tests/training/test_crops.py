from __future__ import annotations

import numpy as np

from tracker.training.batches import Crops

FRAMES = 10
IMAGES = [np.full((2, 40), clip, np.float16) + np.arange(40, dtype=np.float16) / 64 for clip in range(12)]
TARGETS = np.arange(12) % 3


def crops(batch_size: int = 16, seed: int = 5) -> Crops:
    return Crops(IMAGES, TARGETS, frames=FRAMES, batch_size=batch_size, seed=seed)


def images_of(some: Crops, epoch: int) -> np.ndarray:
    return np.concatenate([images for images, _ in some.batches(epoch)])


class TestBatches:
    def test_are_as_many_as_are_counted_and_the_last_may_be_smaller(self):
        sizes = [len(images) for images, _ in crops(20).batches(1)]
        assert sizes == [20, 20, 8]
        assert len(crops(20)) == 3

    def test_hold_four_crops_of_each_clip_beside_its_target(self):
        batches = list(crops().batches(1))
        clips = np.concatenate([np.floor(images[:, 0, 0, 0]) for images, _ in batches]).astype(int)
        assert np.bincount(clips).tolist() == [4] * 12
        np.testing.assert_array_equal(np.concatenate([targets for _, targets in batches]), TARGETS[clips])

    def test_do_not_depend_on_what_was_drawn_before(self):
        later = crops()
        for epoch in (1, 2, 3):
            images_of(later, epoch)
        np.testing.assert_array_equal(images_of(later, 4), images_of(crops(), 4))

    def test_differ_from_epoch_to_epoch_and_from_seed_to_seed(self):
        assert not np.array_equal(images_of(crops(), 1), images_of(crops(), 2))
        assert not np.array_equal(images_of(crops(), 1), images_of(crops(seed=6), 1))
