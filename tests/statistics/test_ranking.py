from __future__ import annotations

import numpy as np
import pytest

from tracker.statistics.paired import discordant, group_net, grouped_sign_flip, mcnemar
from tracker.statistics.ranking import against_others, is_best

RIGHT = np.random.default_rng(0).random((4, 60)) < np.array([[0.6], [0.9], [0.7], [0.85]])


class TestAgainstOthers:
    def test_is_exact_mcnemar_of_each_in_their_order(self):
        expected = [mcnemar(*discordant(RIGHT[1], RIGHT[i])) for i in (0, 2, 3)]
        assert against_others(RIGHT, 1).tolist() == expected

    def test_with_groups_is_the_sign_flip_over_them(self):
        groups = np.arange(60) // 3
        expected = [grouped_sign_flip(group_net(RIGHT[1], RIGHT[i], groups)) for i in (0, 2, 3)]
        assert against_others(RIGHT, 1, groups).tolist() == expected

    def test_of_one_run_is_nothing(self):
        assert against_others(RIGHT[:1], 0).shape == (0,)

    @pytest.mark.parametrize("best", [-1, 4])
    def test_needs_one_of_the_runs(self, best):
        with pytest.raises(ValueError, match="one of 4 runs"):
            against_others(RIGHT, best)


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
            named += is_best(against_others(right, int(right.sum(axis=1).argmax())))
        assert named / 800 <= 0.05
