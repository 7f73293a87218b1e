from __future__ import annotations

import numpy as np

from tracker.statistics.multiple_comparisons import is_best
from tracker.statistics.paired import mcnemar_many


class TestIsBest:
    def test_needs_every_test_to_reject(self):
        assert is_best(np.array([0.05, 0.001]))
        assert not is_best(np.array([0.051, 0.001]))

    def test_follows_alpha(self):
        assert is_best(np.array([0.09]), alpha=0.1)

    def test_is_false_without_another_run(self):
        assert not is_best(np.array([]))

    def test_names_a_wrong_best_among_equals_in_at_most_one_experiment_in_twenty(self):
        rng = np.random.default_rng(3)
        named = 0
        for _ in range(800):
            right = rng.random((5, 200)) < 0.8
            best = right.sum(axis=1).argmax()
            others = np.delete(right, best, axis=0)
            p_values = mcnemar_many((right[best] & ~others).sum(axis=1), (others & ~right[best]).sum(axis=1))
            named += is_best(p_values)
        assert named / 800 <= 0.05
