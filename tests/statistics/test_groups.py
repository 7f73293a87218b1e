from __future__ import annotations

import numpy as np
import pytest

from tracker.statistics.groups import effective_groups, group_codes, group_sums


class TestGroupCodes:
    def test_count_from_zero_in_order_of_appearance(self):
        assert group_codes(["nina", "bob", "nina", "ella"], 4).tolist() == [0, 1, 0, 2]

    def test_group_codes_take_any_hashable(self):
        assert group_codes([("a", 1), None, ("a", 1)], 3).tolist() == [0, 1, 0]

    def test_group_codes_of_codes_are_codes(self):
        assert group_codes(np.array([7, 7, 3]), 3).tolist() == [0, 0, 1]

    def test_group_codes_need_one_group_for_each_clip(self):
        with pytest.raises(ValueError, match="one group for each of 3 clips, got 2"):
            group_codes(["a", "b"], 3)


class TestGroupSums:
    def test_group_sums_add_up_the_clips_of_each_group(self):
        codes = group_codes(["a", "b", "a"], 3)
        assert group_sums(np.array([1.0, 2.0, 4.0]), codes).tolist() == [5.0, 2.0]

    def test_group_sums_keep_the_leading_axes(self):
        codes = group_codes(["a", "b", "a", "b"], 4)
        values = np.arange(24.0).reshape(2, 3, 4)
        sums = group_sums(values, codes)
        assert sums.shape == (2, 3, 2)
        assert np.array_equal(sums[..., 1], values[..., 1] + values[..., 3])


class TestEffectiveGroups:
    def test_effective_groups_of_one_size_are_all_of_them(self):
        assert effective_groups(np.full(7, 4.0)) == pytest.approx(7)

    def test_effective_groups_are_fewer_where_one_is_large(self):
        assert effective_groups(np.array([6.0, 1, 1, 1, 1])) == pytest.approx(100 / 40)

    def test_effective_groups_are_never_under_two(self):
        assert effective_groups(np.array([100.0, 1])) == 2
