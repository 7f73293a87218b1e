import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.data.holdout import choose, shares

SIZES = st.lists(st.integers(2, 200), min_size=1, max_size=8)
FRACTIONS = st.floats(0.01, 0.99)


class TestShares:
    def test_of_equal_classes_are_equal(self):
        assert shares(np.array([30, 30, 30]), 0.2).tolist() == [6, 6, 6]

    def test_hand_the_rest_out_by_largest_remainder(self):
        assert shares(np.array([11, 14, 5]), 0.2).tolist() == [2, 3, 1]

    def test_give_the_first_of_equals_the_rest(self):
        assert shares(np.array([7, 7, 7, 7, 7]), 0.2).tolist() == [2, 2, 1, 1, 1]

    @pytest.mark.parametrize(("fraction", "share"), [(0.01, 1), (0.99, 3)])
    def test_leave_no_class_out_on_either_side(self, fraction, share):
        assert shares(np.array([4, 4]), fraction).tolist() == [share, share]

    def test_are_not_one_short_where_a_product_falls_short_of_a_whole_number(self):
        assert shares(np.array([100, 2]), 0.29).tolist() == [29, 1]

    @given(SIZES, FRACTIONS)
    @settings(derandomize=True, deadline=None)
    def test_are_off_by_less_than_a_clip(self, sizes, fraction):
        exact = np.array(sizes) * fraction
        allowed = np.clip(exact, 1, np.array(sizes) - 1)
        assert (np.abs(shares(np.array(sizes), fraction) - allowed) < 1).all()


class TestChoose:
    def test_takes_groups_in_order_of_preference(self):
        assert choose(np.array([[1], [1], [1], [1]]), np.array([2])).tolist() == [True, True, False, False]

    def test_exchanges_a_group_for_one_that_fits_better(self):
        assert choose(np.array([[7], [5], [4], [4], [3]]), np.array([4])).tolist() == [False, False, True, False, False]

    def test_prefers_a_class_in_every_part_to_a_fitting_count(self):
        assert choose(np.array([[10], [1]]), np.array([9]), stay=1).tolist() == [True, False]
        assert choose(np.array([[10], [9]]), np.array([1]), stay=1).tolist() == [False, True]

    def test_balances_classes_that_come_in_the_same_groups(self):
        speakers = np.array([[3, 1], [1, 3], [2, 2], [4, 4], [2, 2]])
        assert choose(speakers, np.array([4, 4])).tolist() == [True, True, False, False, False]

    def test_leaves_as_many_groups_as_must_stay(self):
        assert choose(np.array([[1]] * 5), np.array([4]), stay=3).sum() == 2

    def test_finds_none_where_classes_tie_groups_in_a_ring(self):
        assert choose(np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1]]), np.array([1, 1, 1])) is None

    @given(st.lists(st.integers(1, 9), min_size=2, max_size=12), FRACTIONS)
    @settings(derandomize=True, deadline=None)
    def test_comes_as_near_as_one_exchange_can(self, sizes, fraction):
        counts = np.array(sizes)[:, None]
        target = shares(counts.sum(axis=0), fraction) if sum(sizes) > 1 else np.array([1])
        chosen = choose(counts, target)
        got = counts[chosen].sum()
        for out in np.flatnonzero(chosen):
            for into in np.flatnonzero(~chosen):
                assert abs(got - counts[out, 0] + counts[into, 0] - target[0]) >= abs(got - target[0])
