from __future__ import annotations

import baycomp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.statistics.paired import tango
from tracker.statistics.repetitions import nadeau_bengio

fixed = settings(derandomize=True, deadline=None, max_examples=100)
differences = st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=3, max_size=12).map(np.array)


class TestNadeauBengio:
    def test_agrees_with_the_worked_example(self, oracles):
        for case in oracles["nadeau_bengio"]:
            found = nadeau_bengio(np.array(case["differences"]), case["n_train"], case["n_validation"])
            assert (found.t, found.p_value) == pytest.approx((case["t"], case["p_value"]), abs=1e-6)

    @fixed
    @given(differences)
    def test_is_baycomps_correlated_t_test(self, values):
        if np.ptp(values) == 0:
            return
        worse, better = baycomp.CorrelatedTTest.probs(np.zeros(len(values)), values)
        found = nadeau_bengio(values, len(values) - 1, 1)
        assert found.p_value == pytest.approx(2 * min(worse, better), abs=1e-9)

    @fixed
    @given(differences, st.randoms())
    def test_changes_sign_and_not_with_the_order(self, values, random):
        one = nadeau_bengio(values, 80, 20)
        other = nadeau_bengio(-np.array(random.sample(values.tolist(), len(values))), 80, 20)
        assert other.estimate == pytest.approx(-one.estimate, abs=1e-12)
        assert other.p_value == pytest.approx(one.p_value)
        assert other.interval == pytest.approx((-one.interval[1], -one.interval[0]))

    def test_of_no_difference_in_any_fold_is_one_over_all_their_clips(self):
        found = nadeau_bengio(np.zeros(5), 120, 30)
        assert found.p_value == 1.0
        assert found.interval == pytest.approx(tango(0, 0, 150))

    def test_of_the_same_difference_in_every_fold_is_a_sign_test_over_folds(self):
        found = nadeau_bengio(np.full(5, 1 / 30), 120, 30)
        assert found.p_value == 2.0**-4
        assert found.interval[0] < 1 / 30 < found.interval[1]

    def test_needs_three_folds(self):
        with pytest.raises(ValueError, match="at least 3 of them, got 2"):
            nadeau_bengio(np.array([0.1, 0.2]), 90, 10)

    @pytest.mark.parametrize("clips", [(0, 10), (90, 0), (float("nan"), 10)])
    def test_needs_clips(self, clips):
        with pytest.raises(ValueError, match="train and validate on clips"):
            nadeau_bengio(np.array([0.1, 0.2, 0.3]), *clips)
