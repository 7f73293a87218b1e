from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from tracker.statistics.multiple_comparisons import holm, is_best
from tracker.statistics.paired import mcnemar_many

fixed = settings(derandomize=True, deadline=None, max_examples=200)
few = settings(derandomize=True, deadline=None, max_examples=20)  # statsmodels collects garbage at every call
families = st.lists(st.floats(0, 1), min_size=1, max_size=30)


class TestHolm:
    def test_holm_agrees_with_the_worked_example(self, oracles):
        for case in oracles["holm"]:
            assert holm(np.array(case["p_values"])) == pytest.approx(case["adjusted"])

    @few
    @given(families)
    def test_holm_equals_statsmodels(self, p_values):
        expected = multipletests(p_values, method="holm")[1]
        assert holm(np.array(p_values)) == pytest.approx(expected, abs=1e-12)

    @fixed
    @given(families, st.integers(0, 30))
    def test_holm_counts_what_was_not_computed_as_one(self, p_values, uncomputed):
        whole = holm(np.array(p_values + [1.0] * uncomputed))
        assert np.array_equal(holm(np.array(p_values), len(p_values) + uncomputed), whole[: len(p_values)])

    @fixed
    @given(families, st.randoms())
    def test_holm_does_not_depend_on_the_order(self, p_values, random):
        order = random.sample(range(len(p_values)), len(p_values))
        adjusted = holm(np.array(p_values))
        assert np.array_equal(holm(np.array(p_values)[order]), adjusted[order])

    @fixed
    @given(families)
    def test_holm_never_lowers_a_p_value_and_never_passes_one(self, p_values):
        adjusted = holm(np.array(p_values))
        assert np.all((adjusted >= p_values) & (adjusted <= 1))

    def test_holm_gives_equal_p_values_equal_answers(self):
        assert holm(np.array([0.01, 0.01, 0.5])).tolist() == pytest.approx([0.03, 0.03, 0.5])

    def test_holm_of_a_single_test_changes_nothing(self):
        assert holm(np.array([0.04])).tolist() == [0.04]

    def test_holm_of_nothing_is_nothing(self):
        assert holm(np.array([]), 10).shape == (0,)

    def test_holm_refuses_a_family_smaller_than_its_tests(self):
        with pytest.raises(ValueError, match="at least as many tests as p-values"):
            holm(np.array([0.1, 0.2]), 1)

    @pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
    def test_holm_refuses_what_is_no_p_value(self, wrong):
        with pytest.raises(ValueError, match="from 0 to 1"):
            holm(np.array([0.5, wrong]))


class TestIsBest:
    def test_is_best_needs_every_test_to_reject(self):
        assert is_best(np.array([0.05, 0.001]))
        assert not is_best(np.array([0.051, 0.001]))

    def test_is_best_follows_alpha(self):
        assert is_best(np.array([0.09]), alpha=0.1)

    def test_is_best_is_false_without_another_run(self):
        assert not is_best(np.array([]))

    def test_is_best_names_a_wrong_best_among_equals_in_at_most_one_experiment_in_twenty(self):
        rng = np.random.default_rng(3)
        named = 0
        for _ in range(800):
            right = rng.random((5, 200)) < 0.8
            best = right.sum(axis=1).argmax()
            others = np.delete(right, best, axis=0)
            p_values = mcnemar_many((right[best] & ~others).sum(axis=1), (others & ~right[best]).sum(axis=1))
            named += is_best(p_values)
        assert named / 800 <= 0.05
