from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tracker.study.identical_runs import identical, same_until

if TYPE_CHECKING:
    from tests.builders import MakeRun

LOSSES = [0.9, math.nan, 0.7]


class TestIdentical:
    def test_identical_is_true_of_the_same_curves_whatever_their_time(self, made: MakeRun) -> None:
        a, b = (made(i, val_loss=LOSSES, epoch_seconds=[i, i, i]) for i in (1, 2))
        assert identical(a, b)

    def test_identical_is_false_where_one_went_on(self, made: MakeRun) -> None:
        assert not identical(made(1, val_loss=LOSSES), made(2, val_loss=[*LOSSES, 0.6]))

    def test_identical_is_false_where_nothing_by_epoch_is_there(self, made: MakeRun) -> None:
        assert not identical(made(1), made(2))


class TestSameUntil:
    def test_same_until_is_the_last_common_epoch(self, made: MakeRun) -> None:
        assert same_until(made(1, val_loss=[*LOSSES, 0.6]), made(2, val_loss=[*LOSSES, 0.5])) == 3

    def test_same_until_is_the_least_of_all_curves(self, made: MakeRun) -> None:
        a = made(1, val_loss=LOSSES, loss=[1.0, 0.9, 0.8])
        assert same_until(a, made(2, val_loss=LOSSES, loss=[1.0, 0.8, 0.8])) == 1

    def test_same_until_is_zero_where_they_differ_at_once(self, made: MakeRun) -> None:
        assert same_until(made(1, val_loss=LOSSES), made(2, val_loss=[0.8, 0.8, 0.7])) == 0

    def test_same_until_passes_over_final_values(self, made: MakeRun) -> None:
        a = made(1, val_loss=[*LOSSES, 0.6], best_val_loss=[0.6])
        assert same_until(a, made(2, val_loss=[*LOSSES, 0.5], best_val_loss=[0.5])) == 3

    def test_same_until_is_unknown_without_curves(self, made: MakeRun) -> None:
        assert same_until(made(1), made(2, val_loss=LOSSES)) is None
