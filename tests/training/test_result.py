from __future__ import annotations

import math

import numpy as np
import pytest

from tracker.training.result import Epoch, History


def history(losses: list[float], keep: str = "best") -> History:
    """After epoch n the probabilities and the weights are all n."""
    found = History(keep)
    for n, loss in enumerate(losses, start=1):
        epoch = Epoch(n, {"val_loss": loss})
        found = found.after(epoch, np.full((3, 2), n, np.float32), lambda n=n: [np.full(4, n)])
    return found


class TestAfter:
    def test_after_adds_an_epoch_and_leaves_the_history_before_it_as_it_was(self):
        before = history([0.5])
        later = before.after(Epoch(2, {"val_loss": 0.4}), np.zeros((3, 2), np.float32), lambda: [np.zeros(4)])
        assert [epoch.number for epoch in later.epochs] == [1, 2]
        assert len(later.probabilities) == 2
        assert len(before.epochs) == len(before.probabilities) == 1
        assert before.weights[0].tolist() == [1] * 4

    def test_after_asks_for_the_weights_only_where_they_are_kept(self):
        def refuse() -> list[np.ndarray]:
            raise AssertionError

        later = history([0.5]).after(Epoch(2, {"val_loss": 0.6}), np.zeros((3, 2), np.float32), refuse)
        assert later.weights[0].tolist() == [1] * 4


class TestKept:
    @pytest.mark.parametrize(
        ("losses", "best", "last"),
        [
            ([0.5, 0.4, 0.6], 1, 2),
            ([0.5, 0.4, 0.4], 1, 2),
            ([math.nan, 0.4, 0.6, math.nan], 1, 2),
            ([0.5, math.inf, math.nan], 0, 0),
            ([-math.inf, 0.5], 1, 1),
        ],
    )
    def test_kept_is_the_best_or_the_last_of_the_epochs_with_a_finite_loss(self, losses, best, last):
        for keep, index in (("best", best), ("last", last)):
            found = history(losses, keep)
            assert found.kept == index
            assert found.best == best
            assert found.weights[0].tolist() == [index + 1] * 4

    @pytest.mark.parametrize("keep", ["best", "last"])
    @pytest.mark.parametrize("losses", [[], [math.nan, math.inf]])
    def test_kept_is_none_where_no_loss_is_finite(self, losses, keep):
        found = history(losses, keep)
        assert found.kept is None
        assert found.best is None
        assert found.weights == ()
